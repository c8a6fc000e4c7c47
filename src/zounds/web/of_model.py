"""The documents of a model that was written by hand, as the page sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import featureflow as ff
from featureflow.sources import Source
from zounds.audio.encode import encode
from zounds.corpus.known import Fact
from zounds.corpus.search import Like, Unit
from zounds.corpus.view import Coded
from zounds.errors import SearchError
from zounds.index.hamming import Codes, HammingIndex
from zounds.index.results import Hit
from zounds.web.facts import Facts
from zounds.web.library import (
    How,
    Kept,
    Wanted,
    counts_of,
    names_of,
    stretch_of,
    value_of,
)
from zounds.web.ranking import agreed, ranked
from zounds.web.refusal import Refused
from zounds.web.shelf import Shelf

_MOST = 1000


class ModelLibrary:
    """The documents of a model that was written by hand, and an index of them.

    Parameters
    ----------
    model : type
    audio_feature : Feature
        The sound: `AudioSamples`, or the bytes of a file.
    visualization_feature : Feature
        What is drawn of it: a time series.
    search : HammingIndex or None
        None where there is none yet: then nothing can be searched.
    n_results : int
        How many results the page shows.
    """

    kind = "model"
    units: Sequence[Unit] = ("segment",)
    likes: Sequence[str] = ()
    command = "Model.process(...) and Index.build()"
    folder: Path | None = None

    def __init__(
        self,
        model: Any,
        audio_feature: Any,
        visualization_feature: Any,
        search: Any,
        n_results: int = 50,
    ) -> None:
        if isinstance(n_results, bool) or not 1 <= n_results <= _MOST:
            raise ff.InvalidParameter(f"n_results={n_results!r}: give a number from 1 to {_MOST}")
        self.shown = int(n_results)
        self._model = model
        self._index = search() if isinstance(search, type) else search
        self._audio = name_in(model, audio_feature, "audio_feature")
        self._drawn = name_in(model, visualization_feature, "visualization_feature")
        self.name = model.__name__
        self.shelf = Shelf(None)
        self._facts = Kept(self._read_facts)
        self._coded = Kept(self._read_codes)

    @property
    def changes(self) -> str:
        """See `Library`."""
        try:
            if self._index is None:
                return ""
            now = self._index.current
            return f"{now.fingerprint}-{now.generation}"
        except ff.Error:
            return ""

    def facts(self) -> Facts:
        """See `Library`."""
        facts: Facts = self._facts.get(self.changes)
        return facts

    def _read_facts(self) -> Facts:
        try:
            snapshot = self.snapshot("segment")
        except Refused:
            return Facts([])
        spans = zip(
            snapshot.ids, snapshot.names, snapshot.rates, np.diff(snapshot.offsets), strict=True
        )
        return Facts(
            Fact(_id, name, f"data:/{name}", _end(rate, int(count)), 0.0, 0)
            for _id, name, rate, count in spans
        )

    def snapshot(self, unit: Unit, like: Like = "kind") -> Coded:
        """See `Library`."""
        if self._index is None:
            raise Refused(409, "no_index", f"There is no index of {self.name}: build one")
        try:
            found: Coded = self._coded.get(self.changes)
        except SearchError as error:
            raise Refused(409, "no_index", str(error)) from error
        return found

    def _read_codes(self) -> Coded:
        now = self._index.current
        ids, known = now.ids, now.contents()
        series = [getattr(self._model(_id), self._index.code) for _id in ids]
        packed = [np.packbits(np.asarray(one, bool), axis=1) for one in series]
        return Coded(
            now.bits,
            ids,
            [known[_id][0] for _id in ids],
            [one.samplerate for one in series],
            np.cumsum([0, *map(len, packed)], dtype=np.int64),
            np.concatenate([np.zeros((0, -(-now.bits // 8)), np.uint8), *packed]),
        )

    def _codes_of(self, one: Wanted, snapshot: Coded) -> Codes:
        if isinstance(one.thing, np.ndarray):
            return np.atleast_2d(one.thing)
        if isinstance(one.thing, Source):
            codes = self._computed(one.thing)
        else:
            codes = getattr(self._open(one.thing), self._index.code)
        codes = stretch_of(codes, one.start, one.duration)
        if codes.shape[1] != snapshot.bits:
            raise SearchError(f"{self.name} has codes of {codes.shape[1]} bits: build the index")
        return np.packbits(np.asarray(codes, bool), axis=1)

    def _computed(self, source: Source) -> Any:
        roots = [spec.name for spec in self._model.graph.values() if not spec.needs]
        if len(roots) != 1:
            raise SearchError(
                f"{self.name} has the roots {', '.join(roots)}: only with one can it be searched "
                "with other sounds"
            )
        return self._model.compute(self._index.code, **{roots[0]: source})

    def nearest(
        self,
        wanted: Sequence[Wanted],
        unwanted: Sequence[Wanted],
        how: How,
        among: Set[str] | None,
    ) -> tuple[npt.NDArray[np.uint8], Sequence[Hit]]:
        """See `Library`."""
        snapshot = self.snapshot(how.unit)
        more, less = (
            [self._codes_of(one, snapshot) for one in some] for some in (wanted, unwanted)
        )
        mask = None if among is None else np.array([_id in among for _id in snapshot.ids], bool)
        return agreed(more), ranked(snapshot, more, less, how.n, how.per_file or None, mask)

    def source(self, _id: str) -> Source:
        """See `Library`."""
        value = getattr(self._open(_id), self._audio)
        if isinstance(value, Source):
            return value
        if isinstance(value, bytes):
            return Source.of(value)
        return Source.of(encode(value, "wav"))

    def _open(self, _id: str) -> Any:
        if not self._model.exists(_id):
            raise ff.DocumentNotFound(f"there is no document {_id!r} in {self.name}")
        return self._model(_id)

    def feature_names(self, _id: str) -> list[dict[str, Any]]:
        """See `Library`."""
        return names_of(self._open(_id))

    def feature(self, _id: str, name: str) -> Any:
        """See `Library`."""
        return value_of(self._open(_id), name)

    def picture(self, _id: str) -> Any:
        """See `Library`."""
        return getattr(self._open(_id), self._drawn)

    def state(self) -> dict[str, Any]:
        """See `Library`."""
        counts = counts_of(self)
        searchable = bool(counts["indexed"])
        rest = {"learned": searchable, "up_to_date": True, "failed": 0, "evaluation": False}
        return {**counts, **rest, "ingest": None}

    def failures(self) -> list[dict[str, Any]]:
        """See `Library`."""
        return []

    def evaluation(self) -> dict[str, Any] | None:
        """See `Library`."""
        return None


def index_among(model: Any, names: Mapping[str, Any]) -> Any:
    """Return the first index of a model among names, or None."""
    for value in names.values():
        kind = value if isinstance(value, type) else type(value)
        if issubclass(kind, HammingIndex) and getattr(kind, "model", None) is not None:
            same = issubclass(kind.model, model) or issubclass(model, kind.model)
            if same and kind.id_provider.only is not None:
                return value
    return None


def name_in(model: Any, feature: Any, what: str) -> str:
    """Return the name of a feature of a model."""
    name = feature if isinstance(feature, str) else getattr(feature, "name", None)
    if name not in model.features:
        raise ff.InvalidParameter(
            f"{what}={feature!r} is not a feature of {model.__name__}: give one of "
            f"{', '.join(model.features)}"
        )
    return str(name)


def _end(rate: Any, count: int) -> float:
    return float(rate.frequency * max(count - 1, 0) + rate.duration) if count else 0.0
