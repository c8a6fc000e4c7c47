"""How good the search of a corpus is: what it finds, judged by the kinds its sounds are of."""

from __future__ import annotations

import csv
import os
import random
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter
from zounds.corpus import ingest, learning
from zounds.corpus.generation import Generation
from zounds.corpus.home import Home
from zounds.corpus.ingest import Tell
from zounds.corpus.outcome import Outcome
from zounds.corpus.places import shown
from zounds.corpus.pool import Pool
from zounds.corpus.presets import PRESETS
from zounds.corpus.spaces import KIND, Layer
from zounds.errors import LearningError, SearchError
from zounds.index.hamming import distances_to
from zounds.learn.binary import cosines, quantised
from zounds.learn.transforms import UnitNorm
from zounds.quality import Scores, chance, hits, quality, scores

Array = npt.NDArray[Any]
Labels = Mapping[str, str] | str | os.PathLike[str] | None
Similarities = Callable[[int], Array]

_MFCC = 40  # of the descriptor: MFCC 0 to 19, means and deviations
_RANKED = 100
_COLUMNS = ("id", "uri", "path", "name")


@dataclass(frozen=True)
class Way:
    """How good one way to search is.

    Attributes
    ----------
    name : str
    bytes : int or None
        What it keeps of each sound.
    scores : Scores
        The mean over all queries.
    """

    name: str
    bytes: int | None
    scores: Scores


@dataclass(frozen=True)
class Evaluation:
    """How good the search of a corpus is, beside simpler ways; see `Corpus.evaluate`.

    Attributes
    ----------
    sounds : int
        Those that have a label, and were searched.
    queries : int
        Those that were searched with.
    alone : int
        Queries that were left out, since no other sound has their label.
    ways : tuple of Way
        The best last.
    kinds : dict of str to Scores
        The same for each label, searched in the best way.
    """

    sounds: int
    queries: int
    alone: int
    ways: tuple[Way, ...]
    kinds: dict[str, Scores]

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)


def labels_of(outcomes: Sequence[Outcome], given: Labels) -> dict[str, str]:
    """Return the label of each document that has one, by its id.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Of documents.
    given : mapping, path or None
        See `Corpus.evaluate`.

    Raises
    ------
    InvalidParameter
        If no sound of the corpus is named in it, or a name stands for several.
    """
    if given is None:
        return {str(o.id): PurePosixPath(shown(o.uri)).parent.name for o in outcomes}
    plain = isinstance(given, Mapping)
    rows = list(given.items()) if isinstance(given, Mapping) else _read(Path(given))
    source = "the labels" if plain else str(given)
    names: dict[str, set[str]] = {}
    for outcome in outcomes:
        for name in (str(outcome.id), outcome.uri, shown(outcome.uri), outcome.name):
            names.setdefault(name, set()).add(str(outcome.id))
    found = {}
    for name, label in rows:
        ids = names.get(name) or names.get(os.path.abspath(os.path.expanduser(name)), set())
        if len(ids) > 1:
            raise InvalidParameter(
                f"{source}: {name!r} is the name of {len(ids)} sounds: give paths or ids"
            )
        found.update(dict.fromkeys(ids, label))
    if not found:
        raise InvalidParameter(
            f"{source}: no sound of the corpus is named in it: give ids, paths or names as "
            "`zounds export csv` writes them"
        )
    return found


def _read(path: Path) -> list[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            columns = table.fieldnames or ()
            key = next((name for name in _COLUMNS if name in columns), None)
            if key is None or "label" not in columns:
                raise InvalidParameter(
                    f"{path} has the columns {', '.join(columns) or '(none)'}: give a header with "
                    f"'label' and one of {', '.join(_COLUMNS)}"
                )
            return [(row[key], row["label"]) for row in table if row[key] and row["label"]]
    except FileNotFoundError:
        raise InvalidParameter(f"there is no file {path}: give one with labels, as CSV") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidParameter(f"{path} cannot be read as a table: {error}") from error


class Judge:
    """Sounds with labels, each of which is searched for among the others.

    Parameters
    ----------
    labels : sequence of str
        One for each sound.
    queries : int
        How many to search with, at most.
    seed : int
        Which, where there are more.

    Raises
    ------
    SearchError
        If no label is that of two sounds, or all have the same.
    """

    def __init__(self, labels: Sequence[str], queries: int, seed: int) -> None:
        self._labels = np.asarray(labels, str)
        counts = Counter(labels)
        several = [place for place, label in enumerate(labels) if counts[label] > 1]
        if not several:
            raise SearchError(
                f"no two of {len(labels)} sounds have the same label: quality needs at least two "
                "sounds of a kind, in folders named for their kinds or labelled by a CSV"
            )
        if len(counts) == 1:
            raise SearchError(
                f"all sounds have the label {labels[0]!r}, and every search finds only these: "
                "quality needs two kinds or more"
            )
        drawn = random.Random(seed).sample(several, min(queries, len(several)))  # noqa: S311
        self.queries = sorted(drawn)
        self.alone = len(labels) - len(several)

    def judged(self, similarities: Similarities) -> dict[int, Scores]:
        """Return how good the ranking of each query is.

        Parameters
        ----------
        similarities : callable, int -> np.ndarray [shape=(n,)]
            How similar all sounds are to one of them.
        """
        found = {}
        for query in self.queries:
            others = np.arange(len(self._labels)) != query
            relevant = self._labels == self._labels[query]
            one = scores(hits(similarities(query), relevant, others))
            if one is not None:
                found[query] = one
        return found

    def chance(self) -> Scores:
        """Return how good a random ranking is."""
        counts = Counter(self._labels.tolist())
        others = len(self._labels) - 1
        by_chance = (chance(counts[self._labels[q]] - 1, others) for q in self.queries)
        return quality(by_chance).mean

    def kinds(self, judged: dict[int, Scores]) -> dict[str, Scores]:
        """Return the mean for each label."""
        by_label: dict[str, list[Scores]] = {}
        for query, one in judged.items():
            by_label.setdefault(str(self._labels[query]), []).append(one)
        return {label: quality(by_label[label]).mean for label in sorted(by_label)}


def by_vectors(layer: Layer) -> Similarities:
    """Return similarities by codes, of which the first hundred are ranked by their vectors."""
    codes = by_codes(layer)

    def similarities(query: int) -> Array:
        similar = codes(query)
        if layer.vectors is None:
            return similar
        similar[query] = -np.inf
        first = np.argsort(-similar, kind="stable")[:_RANKED]
        near = cosines(layer.vectors[query : query + 1], layer.vectors[first])[0]
        similar[first] = 2 + near  # before all others
        return similar

    return similarities


def by_codes(layer: Layer) -> Similarities:
    """Return similarities by codes alone."""
    return lambda query: -distances_to(layer.codes, layer.codes[query : query + 1]).astype(float)


def by_best_segment(generation: Generation) -> Similarities:
    """Return similarities of the first segment to the best one of each sound, as in the article."""
    codes, starts = generation.segments[KIND].codes, generation.offsets[:-1]

    def similarities(query: int) -> Array:
        first = codes[starts[query]][np.newaxis]
        return -np.minimum.reduceat(distances_to(codes, first), starts).astype(float)

    return similarities


def by_descriptor(rows: Array) -> Similarities:
    """Return similarities by the cosine of plain descriptors [shape=(n, d)]."""
    small = quantised(UnitNorm().transform(rows))
    return lambda query: cosines(small[query : query + 1], small)[0]


def evaluate(
    home: Home, given: Labels, queries: int, seed: int, pool: Pool, tell: Tell
) -> Evaluation:
    """See `Corpus.evaluate`."""
    labelled = list(_labelled(home, given))
    Judge([label for _, label in labelled], queries, seed)  # wrong labels are told before the work
    own = home.card()["preset"]
    sounds = [document.meta for document in home.model]
    with tempfile.TemporaryDirectory(prefix="zounds-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what cannot be read was told when it was added
        homes = {own: home}
        for name in PRESETS.keys() - homes.keys():
            other = Home(Path(folder) / name, name)
            with other.changing(new=True), suppress(LearningError):  # of too few sounds for it
                ingest.add(other, sounds, pool, tell)
                learning.learn(other, other, seed, pool, tell)
                learning.index(other, pool, tell)
                homes[name] = other
        return _compared(homes, labelled, queries, seed)


def _compared(
    homes: Mapping[str, Home], labelled: Sequence[tuple[Outcome, str]], queries: int, seed: int
) -> Evaluation:
    """Compare corpora of the same sounds, by the names of their presets."""
    indexed = {name: home.indexed() for name, home in homes.items()}
    generations = {name: found for name, found in indexed.items() if found is not None}
    uris = {name: _uris(homes[name], generations[name]) for name in generations}
    labels = {
        outcome.uri: label
        for outcome, label in labelled
        if all(outcome.uri in of for of in uris.values())
    }
    judge = Judge(list(labels.values()), queries, seed)
    made = [Way("chance", None, judge.chance())]
    best: dict[int, Scores] = {}
    for name, size, similarities, preset in _ways(homes, generations):
        places = np.array([uris[preset][uri] for uri in labels])
        best = judge.judged(_aligned(similarities, places))
        made.append(Way(name, size, quality(best.values()).mean))
    return Evaluation(len(labels), len(judge.queries), judge.alone, tuple(made), judge.kinds(best))


def _aligned(similarities: Similarities, places: Array) -> Similarities:
    """Return the similarities of sounds that are at some places, by their order here."""
    return lambda query: similarities(int(places[query]))[places]


def _uris(home: Home, generation: Generation) -> dict[str, int]:
    """Return which row of the index each source is."""
    places = {_id: place for place, _id in enumerate(generation.ids)}
    return {o.uri: places[o.id] for o in home.known().values() if o.id in places}


def _labelled(home: Home, given: Labels) -> Iterator[tuple[Outcome, str]]:
    documents = [o for o in home.known().values() if o.is_document]
    labels = labels_of(documents, given)
    for outcome in sorted(documents, key=lambda outcome: outcome.uri):
        if labels.get(str(outcome.id)):
            yield outcome, labels[str(outcome.id)]


def _ways(
    homes: Mapping[str, Home], generations: Mapping[str, Generation]
) -> Iterator[tuple[str, int, Similarities, str]]:
    """Yield the ways to search that there are: a name, bytes, similarities, and the preset."""
    if "timbre" in generations:
        model, ids = homes["timbre"].model, generations["timbre"].ids
        rows = np.concatenate([np.asarray(model(_id).clip_timbre)[:, :_MFCC] for _id in ids])
        yield "20 MFCC, mean and deviation", _MFCC, by_descriptor(rows), "timbre"
    if "post" in generations:
        size = generations["post"].bits // 8
        yield "the article's pipeline", size, by_best_segment(generations["post"]), "post"
    if "timbre" in generations:
        layer = generations["timbre"].layers("clip")[KIND]
        size = layer.codes.shape[1]
        yield "timbre, codes alone", size, by_codes(layer), "timbre"
        size += 0 if layer.vectors is None else layer.vectors.shape[1]
        yield "timbre", size, by_vectors(layer), "timbre"
