"""What the page is about: sounds to search, play and look at, wherever they come from."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

import featureflow as ff
from featureflow.sources import Source
from zounds.corpus.search import Like, Unit
from zounds.corpus.view import Coded
from zounds.index.results import Hit
from zounds.web.facts import CodesOf, Facts, Filters
from zounds.web.refusal import Refused
from zounds.web.shelf import Shelf

_PATIENCE = 10  # times as long as it took to read what is known, it is believed


@dataclass(frozen=True)
class Wanted:
    """A sound to search with.

    Parameters
    ----------
    thing : str, Source or np.ndarray of uint8
        The id of a document, a sound from elsewhere, or a packed code.
    start, duration : float or None [unit=s]
        A stretch of it.
    """

    thing: Any
    start: float | None = None
    duration: float | None = None

    @property
    def whole(self) -> bool:
        """bool : Whether all of it is searched with."""
        return self.start is None and self.duration is None


@dataclass(frozen=True)
class How:
    """How to search.

    Parameters
    ----------
    unit : str
    n : int
    per_file : int
        0 for no limit.
    like : str or None
    filters : Filters
    """

    unit: Unit
    n: int
    per_file: int
    like: Like | None
    filters: Filters


class Library(Protocol):
    """Sounds to search, play and look at."""

    kind: str
    name: str
    units: Sequence[Unit]
    command: str
    shown: int
    """How many results the page shows."""

    @property
    def likes(self) -> Sequence[str]:
        """Sequence of str : In which ways it compares, if there is a choice."""
        ...

    @property
    def shelf(self) -> Shelf:
        """Shelf : What was computed for the page."""
        ...

    @property
    def folder(self) -> Path | None:
        """Path or None : Where to keep what is asked to be kept; None if there is no place."""
        ...

    @property
    def changes(self) -> str:
        """str : Differs when something has changed."""
        ...

    def facts(self) -> Facts:
        """Return what is known of all sounds."""
        ...

    def snapshot(self, unit: Unit, like: Like = "kind") -> Coded:
        """Return the codes that are searched; refuse if there are none."""
        ...

    def nearest(
        self,
        wanted: Sequence[Wanted],
        unwanted: Sequence[Wanted],
        how: How,
        among: Set[str] | None,
    ) -> tuple[npt.NDArray[np.uint8], Sequence[Hit]]:
        """Return the code that stands for what is wanted, and what is nearest.

        Only documents whose ids are `among` some are hit, if they are given.
        """
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


def counts_of(library: Library) -> dict[str, Any]:
    """Return how much there is to search."""
    found: dict[str, Coded] = {}
    for unit in library.units:
        with contextlib.suppress(Refused):
            found[unit] = library.snapshot(unit)
    segments = found.get("segment")
    any_of = found.get("clip") or segments
    return {
        "indexed": len(any_of.ids) if any_of else 0,
        "segments": len(segments.codes) if segments else 0,
        "bits": any_of.bits if any_of else 0,
        "searchable": bool(any_of),
        "segment_seconds": float(segments.rates[0].duration)
        if segments and segments.rates
        else None,
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


def coded(library: Library, unit: Unit, like: Like) -> CodesOf | None:
    """Return the codes that are searched, by their documents; None before there is an index."""
    try:
        return CodesOf(library.snapshot(unit, like))
    except Refused:
        return None
