"""From codes and vectors to hits: the best ones, of the sounds that are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import featureflow as ff
from featureflow.document import Document
from zounds.corpus.generation import Generation
from zounds.corpus.known import Mask
from zounds.corpus.places import local_path
from zounds.corpus.ranking import by_codes, by_vectors
from zounds.corpus.spaces import Layer
from zounds.corpus.where import Where
from zounds.index.codes import Searchable
from zounds.index.results import Hit


@dataclass(frozen=True)
class CorpusHit(Hit):
    """A sound, or a stretch of one, that a search of a corpus has found.

    Parameters
    ----------
    _id, time, distance, name
        See `Hit`.
    uri : str
        Where the sound came from.
    score : float [range=[0, 1]]
        How similar it is: 1 for what equals the query, 0 for what is no nearer than any sound.
    """

    uri: str
    score: float

    @property
    def id(self) -> str:
        """str : The document."""
        return self._id

    @property
    def path(self) -> Path | None:
        """Path or None : The file, where it is one on this machine."""
        return local_path(self.uri)

    @property
    def start(self) -> float:
        """Float [unit=s] : Where in the sound it begins."""
        return float(self.time.start)

    @property
    def duration(self) -> float:
        """Float [unit=s] : How long it is."""
        return float(self.time.duration or 0)

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "path": None if self.path is None else str(self.path),
            "uri": self.uri,
            "start": self.start,
            "duration": self.duration,
            "distance": self.distance,
            "score": self.score,
        }


@dataclass(frozen=True)
class Limits:
    """How many hits there may be, and of which sounds; see `Corpus.search`.

    Parameters
    ----------
    n_results : int
    per_file : int or None
    where : Where or None
    others : bool
    without : container of str
        Ids or URIs of sounds that are not wanted.
    among : container of str or None
        The ids of those that are; None for all.
    """

    n_results: int = 10
    per_file: int | None = 1
    where: Where | None = None
    others: bool = False
    without: Container[str] = frozenset()
    among: Container[str] | None = None

    def live(self, generation: Generation) -> Mask | None:
        """Return which documents may be hit [shape=(n,)]; None for all."""
        known = generation.known
        live = None
        if self.where:
            live = known.passing(self.where)
        if self.among is not None:
            live = _all(live, (_id in self.among for _id in known.ids), len(known))
        if self.without:
            names = zip(known.ids, known.uris, strict=True)
            live = _all(
                live,
                (_id not in self.without and uri not in self.without for _id, uri in names),
                len(known),
            )
        return live


def _all(live: Mask | None, others: Iterator[bool], count: int) -> Mask:
    mask = np.fromiter(others, bool, count)
    return mask if live is None else live & mask


def hits(
    generation: Generation,
    codes: Searchable,
    query: Layer,
    unit: str,
    like: str,
    model: Any,
    limits: Limits,
) -> Iterator[CorpusHit]:
    """Yield the best hits for any row of a query, in a unit and a way to compare."""
    layer = generation.layers(unit)[like]
    near = by_codes(generation, unit, codes, query, limits.live(generation))
    n_results, per_file = limits.n_results, limits.per_file
    # a vector of silence may be zero, which has no direction
    if query.vectors is not None and layer.ranks and query.vectors.any():
        near = by_vectors(near, layer, query.vectors, n_results, per_file)
    taken: Counter[int] = Counter()
    known: dict[int, dict[str, Any] | None] = {}
    found = 0
    for row, document, distance, score in near:
        if per_file is not None and taken[document] >= per_file:
            continue
        taken[document] += 1
        _id = generation.ids[document]
        if document not in known:
            known[document] = _entry(model, _id)
        entry = known[document]
        if entry is None:
            continue  # removed since it was indexed
        yield CorpusHit(
            _id,
            generation.time(unit, document, row),
            distance,
            entry["name"],
            entry["roots"]["meta"]["uri"],
            score,
        )
        found += 1
        if found == n_results:
            return


def _entry(model: Any, _id: str) -> dict[str, Any] | None:
    try:
        return Document(model.database, _id).entry()
    except (ff.DocumentNotFound, ff.CorruptRecord):
        return None
