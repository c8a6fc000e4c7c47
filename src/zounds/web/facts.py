"""What is known of all sounds at once: to describe, filter and sort them without a store."""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from zounds.corpus.places import local_path, shown
from zounds.corpus.view import Coded
from zounds.units import TimeSlice
from zounds.web.refusal import plain

Mask = npt.NDArray[np.bool_]

_STEPS = 32
_SHORTEST = 0.01  # s


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of one sound.

    Parameters
    ----------
    id, name, uri : str
    seconds, samplerate : float [unit=s, Hz]
    channels : int
    partial, missing : bool
    """

    id: str
    name: str
    uri: str
    seconds: float
    samplerate: float
    channels: int
    partial: bool = False
    missing: bool = False


@dataclass(frozen=True)
class Filters:
    """Which sounds are wanted; all that is given must hold.

    Parameters
    ----------
    folder : sequence of str
        Any of these folders, or one in them; ``drums/.`` is what is directly in ``drums``.
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
        self.ids = [fact.id for fact in facts]
        self.rows = {_id: row for row, _id in enumerate(self.ids)}
        self.names = [
            plain(posixpath.basename(fact.name.rstrip("/")) or fact.name) for fact in facts
        ]
        self._uris = [fact.uri for fact in facts]
        self.seconds = np.array([fact.seconds for fact in facts])
        self.samplerates = np.array([fact.samplerate for fact in facts], np.float32)
        self.channels = np.array([fact.channels for fact in facts], np.uint8)
        self._partial = np.array([fact.partial for fact in facts], bool)
        self._missing = np.array([fact.missing for fact in facts], bool)
        found = _folders(fact.uri for fact in facts)
        self.folders = sorted(set(found))
        places = {folder: place for place, folder in enumerate(self.folders)}
        self.folder_of = np.array([places[folder] for folder in found], np.int32)
        self._searched: list[str] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def record(self, row: int, code: npt.NDArray[np.uint8] | None) -> dict[str, Any]:
        """Return a document as plain values, for JSON."""
        path = local_path(self._uris[row])
        return {
            "id": self.ids[row],
            "name": self.names[row],
            "folder": self.folders[self.folder_of[row]],
            "path": None if path is None else plain(str(path)),
            "uri": self._uris[row],
            "seconds": float(self.seconds[row]),
            "samplerate": float(self.samplerates[row]),
            "channels": int(self.channels[row]),
            "code": None if code is None else as_text(code),
            "partial": bool(self._partial[row]),
            "missing": bool(self._missing[row]),
        }

    def passing(self, filters: Filters) -> Mask:
        """Return which sounds pass."""
        passed = np.ones(len(self), bool)
        if filters.folder:
            within = [any(_is_in(folder, one) for one in filters.folder) for folder in self.folders]
            passed &= np.array(within, bool)[self.folder_of]
        # what is shown was rounded
        if filters.min_seconds is not None:
            passed &= self.seconds >= filters.min_seconds - 1e-6
        if filters.max_seconds is not None:
            passed &= self.seconds <= filters.max_seconds + 1e-6
        if filters.samplerate:
            passed &= np.isin(self.samplerates, np.array(filters.samplerate, np.float32))
        if filters.channels:
            passed &= np.isin(self.channels, np.array(filters.channels, np.int64))
        for word in filters.text.casefold().split():
            lines = self._lines()
            passed &= np.fromiter((word in line for line in lines), bool, len(lines))
        return passed

    def _lines(self) -> list[str]:
        if self._searched is None:
            folders = [folder.casefold() for folder in self.folders]
            self._searched = [
                f"{folders[place]}/{name.casefold()}"
                for place, name in zip(self.folder_of, self.names, strict=True)
            ]
        return self._searched

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


def _folders(uris: Iterable[str]) -> list[str]:
    """Return the folder of each sound, as seen from where all of them are."""
    known: dict[str, str] = {}
    full = []
    for uri in uris:
        # an archive is a folder, and a member's slashes are encoded in no other way
        parent = uri.rpartition("/")[0]
        if parent not in known:
            known[parent] = plain(posixpath.dirname(shown(f"{parent}/x")))
        full.append(known[parent])
    unique = [folder.split("/") for folder in set(full)]
    common = 0
    while unique and all(
        len(parts) > common and parts[common] == unique[0][common] for parts in unique
    ):
        common += 1
    cut = {folder: "/".join(folder.split("/")[common:]) for folder in set(full)}
    return [cut[folder] for folder in full]


def _is_in(folder: str, wanted: str) -> bool:
    wanted, own = wanted.strip("/"), f"{folder}/." if folder else "."
    return not wanted or own == wanted or own.startswith(wanted + "/")


def _with_parents(folders: Iterable[str]) -> Iterable[str]:
    for folder in folders:
        parts = folder.split("/") if folder else []
        yield folder
        for depth in range(1, len(parts)):
            yield "/".join(parts[:depth])
