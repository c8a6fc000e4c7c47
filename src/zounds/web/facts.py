"""What is known of all sounds at once: to describe, filter and sort them without a store."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from zounds.corpus.known import Fact, Known, Mask
from zounds.corpus.places import local_path
from zounds.corpus.view import Coded
from zounds.corpus.where import Where
from zounds.units import TimeSlice
from zounds.web.refusal import plain

_STEPS = 32
_SHORTEST = 0.01  # s


@dataclass(frozen=True)
class Filters:
    """Which sounds are wanted; all that is given must hold.

    Parameters
    ----------
    folder : sequence of str
        Any of these folders, or one in them; ``drums/.`` is what is directly in ``drums``. They
        are named as seen from where all sounds lie.
    min_seconds, max_seconds : float or None [unit=s]
    samplerate : sequence of float [unit=Hz]
    channels : sequence of int
    text : str
        Words that are all in the name or the folder.
    """

    folder: Sequence[str] = ()
    min_seconds: float | None = None
    max_seconds: float | None = None
    samplerate: Sequence[float] = ()
    channels: Sequence[int] = ()
    text: str = ""

    @property
    def empty(self) -> bool:
        """bool : Whether all sounds are wanted."""
        numbers = (self.min_seconds, self.max_seconds)
        lists = (self.folder, self.samplerate, self.channels, self.text.split())
        return not any(lists) and all(number is None for number in numbers)

    @property
    def elsewhere(self) -> Where:
        """Where : What is wanted of the sounds, in whatever folders they lie."""
        return Where(
            seconds=(self.min_seconds, self.max_seconds),
            samplerate=self.samplerate,
            channels=self.channels,
            text=self.text,
        )


@dataclass
class Facts:
    """A table of sounds, in columns: a hundred thousand of them take some tens of megabytes.

    Parameters
    ----------
    facts : iterable of Fact
    """

    facts: Iterable[Fact]
    ids: list[str] = field(init=False)
    rows: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        facts = sorted(self.facts, key=lambda fact: fact.uri)
        del self.facts
        self._known = known = Known.of(facts)
        self.ids = list(known.ids)
        self.rows = {_id: row for row, _id in enumerate(self.ids)}
        self.names = [plain(name) for name in known.names]
        self.seconds, self.samplerates = known.seconds, known.samplerates
        self.channels = known.channels
        self.folders, self.folder_of = [plain(one) for one in known.inner], known.folder_of
        self._partial = np.array([fact.partial for fact in facts], bool)
        self._missing = np.array([fact.missing for fact in facts], bool)

    def __len__(self) -> int:
        return len(self.ids)

    def record(self, row: int, code: npt.NDArray[np.uint8] | None) -> dict[str, Any]:
        """Return a document as plain values, for JSON."""
        path = local_path(self._known.uris[row])
        return {
            "id": self.ids[row],
            "name": self.names[row],
            "folder": self.folders[self.folder_of[row]],
            "path": None if path is None else plain(str(path)),
            "uri": self._known.uris[row],
            "seconds": float(self.seconds[row]),
            "samplerate": float(self.samplerates[row]),
            "channels": int(self.channels[row]),
            "code": None if code is None else as_text(code),
            "partial": bool(self._partial[row]),
            "missing": bool(self._missing[row]),
        }

    def passing(self, filters: Filters) -> Mask:
        """Return which sounds pass."""
        passed = self._known.passing(filters.elsewhere)
        if filters.folder:
            within = [any(_is_in(folder, one) for one in filters.folder) for folder in self.folders]
            passed &= np.array(within, bool)[self.folder_of]
        return passed

    def order(self, by: str) -> npt.NDArray[np.intp]:
        """Return the rows in an order: of ``folder``, ``name`` or ``seconds``."""
        if by == "seconds":
            return np.argsort(self.seconds, kind="stable")
        if by == "name":
            lowered = [name.casefold() for name in self.names]
            return np.array(sorted(range(len(self)), key=lowered.__getitem__), np.intp)
        return np.arange(len(self))

    def overview(self) -> dict[str, Any]:
        """Return how many sounds there are of each kind, for JSON."""
        counts = np.bincount(self.folder_of, minlength=len(self.folders))
        folders = dict.fromkeys(_with_parents(self.folders), 0)
        folders |= {name: int(count) for name, count in zip(self.folders, counts, strict=True)}
        rates, of_rate = np.unique(self.samplerates, return_counts=True)
        channels, of_channels = np.unique(self.channels, return_counts=True)
        return {
            "folders": [{"folder": name, "documents": folders[name]} for name in sorted(folders)],
            "durations": self._durations(),
            "samplerates": [
                {"samplerate": float(rate), "documents": int(n)}
                for rate, n in zip(rates, of_rate, strict=True)
            ],
            "channels": [
                {"channels": int(number), "documents": int(n)}
                for number, n in zip(channels, of_channels, strict=True)
            ],
            "seconds": float(self.seconds.sum(dtype=np.float64)),
            "partial": int(self._partial.sum()),
            "missing": int(self._missing.sum()),
        }

    def _durations(self) -> dict[str, list[float] | list[int]]:
        if not len(self):
            return {"edges": [], "counts": []}
        shown_ = np.maximum(self.seconds.astype(np.float64), _SHORTEST)
        lowest, highest = shown_.min(), max(shown_.max(), shown_.min() * 1.01)
        edges = np.geomspace(lowest, highest, _STEPS + 1)
        edges[0], edges[-1] = lowest, highest
        counts, _ = np.histogram(shown_, edges)
        return {"edges": edges.tolist(), "counts": counts.tolist()}


class CodesOf:
    """Where the codes of documents stand in a snapshot.

    Parameters
    ----------
    snapshot : Coded
        Of clips.
    """

    def __init__(self, snapshot: Coded) -> None:
        self._snapshot = snapshot
        self._places = {_id: place for place, _id in enumerate(snapshot.ids)}

    def of(self, _id: str) -> npt.NDArray[np.uint8] | None:
        """Return the first code of a document; None if it has none."""
        return self._code(_id, 0)

    def at(self, _id: str, time: TimeSlice) -> npt.NDArray[np.uint8] | None:
        """Return the code of a stretch of a document; None if it has none."""
        place = self._places.get(_id)
        if place is None:
            return None
        return self._code(_id, round(time.start / self._snapshot.rates[place].frequency))

    def _code(self, _id: str, number: int) -> npt.NDArray[np.uint8] | None:
        place = self._places.get(_id)
        if place is None:
            return None
        row = int(self._snapshot.offsets[place]) + number
        if row >= self._snapshot.offsets[place + 1]:
            return None
        code: npt.NDArray[np.uint8] = self._snapshot.codes[row]
        return code


def as_text(code: npt.NDArray[np.uint8]) -> str:
    """Return a packed code in base64."""
    return base64.b64encode(code.tobytes()).decode("ascii")


def _is_in(folder: str, wanted: str) -> bool:
    wanted, own = wanted.strip("/"), f"{folder}/." if folder else "."
    return not wanted or own == wanted or own.startswith(wanted + "/")


def _with_parents(folders: Iterable[str]) -> Iterable[str]:
    for folder in folders:
        parts = folder.split("/") if folder else []
        yield folder
        for depth in range(1, len(parts)):
            yield "/".join(parts[:depth])
