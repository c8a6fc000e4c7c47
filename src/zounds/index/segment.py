"""Segments: documents and their codes in one file that never changes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zounds.index.codes import Codes, Packed
from zounds.index.columns import Columns, Texts, seal, texts
from zounds.index.scan import Keys
from zounds.units import SampleRate, TimeSlice

_TEXTS = ("ids", "names", "tokens", "rates")


@dataclass(frozen=True)
class Coded:
    """A document with its codes.

    Parameters
    ----------
    id, name : str
    token : str
        Stands for what the codes were computed from; another one means other codes.
    rate : SampleRate
        The time from code to code, and the time each covers.
    packed : np.ndarray [shape=(n, ceil(bits / 8)), dtype=uint8]
    """

    id: str
    name: str
    token: str
    rate: SampleRate
    packed: Packed


@dataclass(frozen=True)
class Table:
    """Documents and their codes, in memory.

    Parameters
    ----------
    texts : dict
        The ``ids``, ``names``, ``tokens`` and ``rates`` as lists, an item for each document.
    counts : np.ndarray [shape=(documents,), dtype=int64]
        How many codes each has.
    packed : np.ndarray [shape=(n, ceil(bits / 8)), dtype=uint8]
        The codes of all of them, one document after the other.
    """

    texts: dict[str, list[str]]
    counts: npt.NDArray[np.int64]
    packed: Packed

    @staticmethod
    def of(documents: Iterable[Coded], width: int) -> Table:
        """Return the table of some documents."""
        table: dict[str, list[str]] = {name: [] for name in _TEXTS}
        packed = [np.empty((0, width), np.uint8)]
        for document in documents:
            rate = f"{document.rate.frequency} {document.rate.duration}"
            row = (document.id, document.name, document.token, rate)
            for name, text in zip(_TEXTS, row, strict=True):
                table[name].append(text)
            packed.append(document.packed)
        return Table(table, np.array([*map(len, packed[1:])], np.int64), np.concatenate(packed))

    @staticmethod
    def joined(tables: Sequence[Table]) -> Table:
        """Return the documents of several tables as one."""
        return Table(
            {name: [text for table in tables for text in table.texts[name]] for name in _TEXTS},
            np.concatenate([table.counts for table in tables]),
            np.concatenate([table.packed for table in tables]),
        )

    @property
    def ids(self) -> list[str]:
        """List of str : The documents."""
        return self.texts["ids"]

    def sorted(self) -> Table:
        """Return the same documents in the order of their ids."""
        order = sorted(range(len(self.ids)), key=self.ids.__getitem__)
        if order == list(range(len(order))):
            return self
        counts = self.counts[order]
        begins = (np.cumsum(self.counts) - self.counts)[order]
        rows = np.arange(counts.sum()) + np.repeat(begins - np.cumsum(counts) + counts, counts)
        ordered = {name: [every[place] for place in order] for name, every in self.texts.items()}
        return Table(ordered, counts, self.packed[rows])


def write(path: Path, table: Table) -> str:
    """Write a segment of documents; return its seal."""
    table = table.sorted()
    arrays: dict[str, Any] = {"offsets": np.cumsum([0, *table.counts], dtype=np.int64)}
    hashes = _hashes(table.ids)
    arrays["hashed"] = np.argsort(hashes, kind="stable")
    arrays["hashes"] = hashes[arrays["hashed"]]
    for name in _TEXTS:
        arrays |= texts(name, table.texts[name])
    arrays |= Codes(table.packed).arrays()
    return seal(path, arrays)


def _hashes(ids: list[str]) -> npt.NDArray[np.uint64]:
    """Return a number for each id by which it is found."""
    digests = (
        hashlib.blake2b(_id.encode("utf-8", "surrogatepass"), digest_size=8).digest() for _id in ids
    )
    return np.frombuffer(b"".join(digests), np.uint64)


class Segment:
    """A segment that was written before; documents are in the order of their ids.

    Parameters
    ----------
    path : Path
    seal : str
    width : int [unit=bytes]
        The length of a packed code.

    Raises
    ------
    CorruptRecord
        Here, or when something is used that is not as it was written.
    """

    def __init__(self, path: Path, seal: str, width: int) -> None:
        self._columns = Columns(path, seal)
        self._width = width
        self.ids, self.names, self.tokens, self.rates = (
            Texts(self._columns, name) for name in _TEXTS
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def offsets(self) -> npt.NDArray[np.int64]:
        """np.ndarray : The codes of document i are those from ``offsets[i]`` to the next."""
        return self._columns["offsets"]

    @cached_property
    def codes(self) -> Codes:
        """Codes : Of all documents, also of those that were removed."""
        names = [name for name in ("groups", "starts", "postings") if name in self._columns]
        rows = int(self._columns.checked(self._columns.raw("offsets")[-1:])[0])
        return Codes.of(self._width, rows, {name: self._columns[name] for name in names})

    def find(self, ids: Collection[str]) -> list[int]:
        """Return the numbers of those documents, of some ids, that are here."""
        hashes, documents = self._columns["hashes"], self._columns["hashed"]
        wanted = list(ids)
        asked = _hashes(wanted)
        first, last = (np.searchsorted(hashes, asked, side) for side in ("left", "right"))
        return [
            number
            for place in np.flatnonzero(first < last).tolist()
            for number in documents[first[place] : last[place]].tolist()
            if self.ids[number] == wanted[place]
        ]

    def documents_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the numbers of the documents that some codes belong to."""
        return np.searchsorted(self.offsets, rows, side="right") - 1

    def time(self, document: int, row: int) -> TimeSlice:
        """Return the time of a code in its document."""
        rate = self.rate(document)
        start = rate.frequency * (row - int(self.offsets[document]))
        return TimeSlice(start=start, duration=rate.duration)

    def rate(self, document: int) -> SampleRate:
        """Return the time from code to code, and the time each covers."""
        return SampleRate(*map(Fraction, self.rates[document].split()))

    def nearest(
        self, queries: Packed, k: int, live: npt.NDArray[np.bool_] | None, threads: int
    ) -> Keys:
        """Return the nearest codes of the documents that count; see `Codes.nearest`.

        Parameters
        ----------
        live : np.ndarray [shape=(documents,), dtype=bool] or None
        """
        rows = None if live is None else np.repeat(live, np.diff(self.offsets))
        return self.codes.nearest(queries, k, rows, threads)

    def table(self, live: npt.NDArray[np.bool_]) -> Table:
        """Return the documents that count."""
        chosen = np.flatnonzero(live).tolist()
        counts = np.diff(self.offsets)
        rows = np.flatnonzero(np.repeat(live, counts))
        columns = (self.ids, self.names, self.tokens, self.rates)
        kept = {
            name: [every[place] for place in chosen]
            for name, every in zip(_TEXTS, (column.all() for column in columns), strict=True)
        }
        return Table(kept, counts[live], self.codes.take(rows))

    def check(self) -> None:
        """Compare all of it with its digests.

        Raises
        ------
        CorruptRecord
            If it is not what was written.
        """
        self._columns.check()
