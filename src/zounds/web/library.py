"""What the page is about: the sounds of a corpus."""

from __future__ import annotations

import inspect
import shlex
import threading
import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

import featureflow as ff
from featureflow.sources import Source
from zounds.corpus.corpus import Corpus
from zounds.corpus.search import UNITS, Unit
from zounds.errors import SearchError
from zounds.index.hamming import Codes, Snapshot
from zounds.index.results import Hit
from zounds.web.facts import Coded, Fact, Facts
from zounds.web.refusal import Refused
from zounds.web.shelf import Shelf

_PATIENCE = 10  # times as long as it took to read what is known, it is believed


class Library(Protocol):
    """Sounds to search, play and look at."""

    kind: str
    name: str
    units: Sequence[Unit]
    likes: Sequence[str]
    shelf: Shelf
    command: str

    @property
    def changes(self) -> str:
        """str : Differs when something has changed."""
        ...

    def facts(self) -> Facts:
        """Return what is known of all sounds."""
        ...

    def snapshot(self, unit: Unit) -> Snapshot:
        """Return the codes that are searched; refuse if there are none."""
        ...

    def codes_of(
        self, query: Any, start: float | None, duration: float | None, unit: Unit
    ) -> Codes:
        """Return the codes to look for [shape=(q, bytes)]; of an id, a `Source`, or a code."""
        ...

    def nearest(
        self,
        query: Any,
        start: float | None,
        duration: float | None,
        unit: Unit,
        n: int,
        per_file: int | None,
        like: str | None,
    ) -> tuple[npt.NDArray[np.uint8], Sequence[Hit]]:
        """Return the first code that was looked for, and what is nearest among all sounds."""
        ...

    def source(self, _id: str) -> Source:
        """Return the audio of a document."""
        ...

    def feature_names(self, _id: str) -> list[dict[str, Any]]:
        """Return the features of a document."""
        ...

    def feature(self, _id: str, name: str) -> Any:
        """Return a feature of a document."""
        ...

    def picture(self, _id: str) -> Any:
        """Return the time series that is drawn of a document; None for its Bark bands."""
        ...

    def state(self) -> dict[str, Any]:
        """Return the parts of ``/api/info`` that are those of this kind."""
        ...

    def failures(self) -> list[dict[str, Any]]:
        """Return what could not be read, or not to its end."""
        ...

    def evaluation(self) -> dict[str, Any] | None:
        """Return how well searches find; None if that is not known."""
        ...


class Kept:
    """A value that is made anew when something has changed, and not too often.

    Parameters
    ----------
    make : callable
    """

    def __init__(self, make: Any) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._of: str | None = None
        self._until = 0.0
        self._value: Any = None

    def get(self, changes: str) -> Any:
        """Return the value for this state."""
        if changes == self._of:
            return self._value
        with self._lock:
            begun = time.monotonic()
            if changes != self._of and (self._of is None or begun >= self._until):
                self._value, self._of = self._make(), changes
                done = time.monotonic()
                self._until = done + _PATIENCE * (done - begun)
            return self._value


class CorpusLibrary:
    """The sounds of a `Corpus`.

    Parameters
    ----------
    corpus : Corpus
        It may be empty yet, and change meanwhile.
    """

    kind = "corpus"
    units: Sequence[Unit] = ("clip", "segment")

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self._view = corpus.view()
        self.name = corpus.path.parent.name if corpus.path.name == "corpus" else corpus.path.name
        self.likes = ("kind", "same") if "like" in _parameters(corpus.search) else ()
        self.command = f"zounds --corpus {shlex.quote(str(corpus.path))} index SOURCE"
        self._facts = Kept(self._read_facts)
        self._shelf: Shelf | None = None

    @property
    def changes(self) -> str:
        """See `Library`."""
        return self._view.changes

    @property
    def shelf(self) -> Shelf:
        """Shelf : In the corpus' folder, once there is one."""
        if self._shelf is None or not self.corpus.exists():
            self._shelf = Shelf(self._view.folder if self.corpus.exists() else None)
        return self._shelf

    def facts(self) -> Facts:
        """See `Library`."""
        facts: Facts = self._facts.get(self.changes)
        return facts

    def _read_facts(self) -> Facts:
        return Facts(
            Fact(
                id=o.id or "",
                name=o.name,
                uri=o.uri,
                seconds=o.seconds,
                samplerate=o.samplerate,
                channels=o.channels,
                partial=o.status == "partial",
                missing=o.missing,
            )
            for o in self._view.outcomes()
            if o.is_document
        )

    def snapshot(self, unit: Unit) -> Snapshot:
        """See `Library`."""
        try:
            return self._view.snapshot(unit)
        except SearchError:
            raise self._unsearchable() from None

    def _unsearchable(self) -> Refused:
        if not self.facts().ids:
            return Refused(
                409, "no_sounds", f"There are no sounds in this corpus yet: {self.command}"
            )
        if not self._view.learned:
            return Refused(
                409,
                "not_learned",
                "The corpus has learned no codes yet, so nothing can be searched: index more "
                f"sounds, {self.command}",
            )
        return Refused(
            409,
            "no_index",
            f"The sounds of this corpus are not in its index yet: {self.command}",
        )

    def codes_of(
        self, query: Any, start: float | None, duration: float | None, unit: Unit
    ) -> Codes:
        """See `Library`."""
        self.snapshot(unit)
        return self._view.codes_of(query, start, duration, unit)

    def nearest(
        self,
        query: Any,
        start: float | None,
        duration: float | None,
        unit: Unit,
        n: int,
        per_file: int | None,
        like: str | None,
    ) -> tuple[npt.NDArray[np.uint8], Sequence[Hit]]:
        """See `Library`."""
        self.snapshot(unit)
        options: dict[str, Any] = {"like": like} if like else {}
        found = self.corpus.search(query, n, start, duration, unit, per_file, **options)
        return np.atleast_2d(found.query)[0], list(found)

    def source(self, _id: str) -> Source:
        """See `Library`."""
        source: Source = self.corpus[_id].meta
        return source

    def feature_names(self, _id: str) -> list[dict[str, Any]]:
        """See `Library`."""
        return names_of(self.corpus[_id])

    def feature(self, _id: str, name: str) -> Any:
        """See `Library`."""
        return value_of(self.corpus[_id], name)

    def picture(self, _id: str) -> Any:
        """See `Library`."""
        return None

    def state(self) -> dict[str, Any]:
        """See `Library`."""
        counts = self._counts.get(self.changes)
        return {**counts, "ingest": _ingest(self._view.progress())}

    @property
    def _counts(self) -> Kept:
        if not hasattr(self, "_kept_counts"):
            self._kept_counts = Kept(self._count)
        return self._kept_counts

    def _count(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "learned": self._view.learned,
            "up_to_date": self._view.up_to_date,
            "failed": sum(o.status == "failed" for o in self._view.outcomes()),
            **counts_of(self),
            "evaluation": hasattr(self.corpus, "evaluate"),
        }
        return state

    def failures(self) -> list[dict[str, Any]]:
        """See `Library`."""
        return [
            {"name": o.name, "uri": o.uri, "status": o.status, "why": o.why}
            for o in sorted(self._view.outcomes(), key=lambda outcome: outcome.uri)
            if o.status in ("failed", "partial")
        ]

    def evaluation(self) -> dict[str, Any] | None:
        """See `Library`."""
        evaluate = getattr(self.corpus, "evaluate", None)
        return None if evaluate is None else dict(evaluate().record())


class ModelLibrary:
    """The documents of a model that was written by hand, and an index of them.

    Parameters
    ----------
    model : type
    audio_feature : Feature
        The sound: `AudioSamples`, or the bytes of a file.
    visualization_feature : Feature
        What is drawn of it: a time series.
    search : HammingIndex
    """

    kind = "model"
    units: Sequence[Unit] = ("segment",)
    likes: Sequence[str] = ()
    command = "Model.process(...) and Index.build()"

    def __init__(self, model: Any, audio_feature: Any, visualization_feature: Any, search: Any):
        self._model = model
        self._index = search() if isinstance(search, type) else search
        self._audio = name_in(model, audio_feature, "audio_feature")
        self._drawn = name_in(model, visualization_feature, "visualization_feature")
        self.name = model.__name__
        self.shelf = Shelf(None)
        self._facts = Kept(self._read_facts)

    @property
    def changes(self) -> str:
        """See `Library`."""
        try:
            return str(self._index._digest("snapshot"))
        except ff.Error:
            return ""

    def facts(self) -> Facts:
        """See `Library`."""
        facts: Facts = self._facts.get(self.changes)
        return facts

    def _read_facts(self) -> Facts:
        try:
            snapshot: Snapshot = self._index.current
        except SearchError:
            return Facts([])
        spans = zip(snapshot.ids, snapshot.names, snapshot.rates, np.diff(snapshot.offsets), strict=True)
        return Facts(
            Fact(_id, name, f"data:/{name}", _end(rate, int(count)), 0.0, 0)
            for _id, name, rate, count in spans
        )

    def snapshot(self, unit: Unit) -> Snapshot:
        """See `Library`."""
        try:
            snapshot: Snapshot = self._index.current
        except SearchError as error:
            raise Refused(409, "no_index", str(error)) from error
        return snapshot

    def codes_of(
        self, query: Any, start: float | None, duration: float | None, unit: Unit
    ) -> Codes:
        """See `Library`."""
        snapshot = self.snapshot(unit)
        if isinstance(query, Source):
            codes = self._computed(query)
        elif self._model.exists(query):
            codes = getattr(self._model(query), self._index.code)
        else:
            return np.atleast_2d(self._index.decode_query(query))
        codes = stretch_of(codes, start, duration)
        if codes.shape[1] != snapshot.bits:
            raise SearchError(f"the codes of {query} have {codes.shape[1]} bits: build the index")
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
        query: Any,
        start: float | None,
        duration: float | None,
        unit: Unit,
        n: int,
        per_file: int | None,
        like: str | None,
    ) -> tuple[npt.NDArray[np.uint8], Sequence[Hit]]:
        """See `Library`."""
        from zounds.web.ranking import ranked

        codes = self.codes_of(query, start, duration, unit)
        return codes[0], ranked(self.snapshot(unit), [codes], [], n, per_file, None)

    def source(self, _id: str) -> Source:
        """See `Library`."""
        value = getattr(self._open(_id), self._audio)
        if isinstance(value, Source):
            return value
        if isinstance(value, bytes):
            return Source.of(value)
        from zounds.audio.encode import encode

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


def counts_of(library: Library) -> dict[str, Any]:
    """Return how much there is to search."""
    found: dict[str, Snapshot] = {}
    for unit in UNITS:
        if unit in library.units:
            try:
                found[unit] = library.snapshot(unit)  # type: ignore[index]
            except Refused:
                continue
    segments = found.get("segment")
    any_of = found.get("clip") or segments
    return {
        "indexed": len(any_of.ids) if any_of else 0,
        "segments": len(segments.codes) if segments else 0,
        "bits": any_of.bits if any_of else 0,
        "searchable": bool(any_of),
        "segment_seconds": float(segments.rates[0].duration) if segments and segments.rates else None,
    }


def names_of(document: Any) -> list[dict[str, Any]]:
    """Return the features of a document that are numbers, with whether they are stored."""
    features = type(document).features
    return [
        {"name": name, "stored": bool(feature.store)}
        for name, feature in features.items()
        if isinstance(feature, ff.NumpyFeature | ff.JSONFeature) and feature.needs
    ]


def value_of(document: Any, name: str) -> Any:
    """Return a feature of a document; refuse names of others."""
    if name not in {one["name"] for one in names_of(document)}:
        known = ", ".join(one["name"] for one in names_of(document))
        raise Refused(404, "not_found", f"there is no feature {name!r}: there are {known}")
    return getattr(document, name)


def stretch_of(series: Any, start: float | None, duration: float | None) -> Any:
    """Return the rows of a time series that begin within a stretch; one at least."""
    if start is None and duration is None:
        return series
    hop = float(series.frequency)
    first = int((start or 0) / hop + 1e-6)
    if first >= len(series):
        end = hop * len(series)
        raise Refused(400, "bad_region", f"start={start:g} s is beyond the end, {end:.3f} s")
    last = len(series) if duration is None else first + max(1, round(duration / hop))
    return series[first:last]


def name_in(model: Any, feature: Any, what: str) -> str:
    """Return the name of a feature of a model."""
    name = feature if isinstance(feature, str) else getattr(feature, "name", None)
    if name not in model.features:
        raise ff.InvalidParameter(
            f"{what}={feature!r} is not a feature of {model.__name__}: give one of "
            f"{', '.join(model.features)}"
        )
    return str(name)


def _ingest(progress: dict[str, Any] | None) -> dict[str, Any] | None:
    return progress


def _end(rate: Any, count: int) -> float:
    return float(rate.frequency * max(count - 1, 0) + rate.duration) if count else 0.0


def _parameters(function: Any) -> Any:
    return inspect.signature(function).parameters


def coded(library: Library) -> Coded | None:
    """Return the codes of whole sounds, by their documents; None before there is an index."""
    try:
        return Coded(library.snapshot(library.units[0]))
    except Refused:
        return None
