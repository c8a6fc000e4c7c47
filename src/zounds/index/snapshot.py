"""An index at one moment, to be searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from zounds.index.codes import Packed, first_of_each_row
from zounds.index.results import Hit
from zounds.index.scan import ROWS, SHIFT, Keys
from zounds.index.segment import Segment

_FIRST = 64


@dataclass(frozen=True)
class Part:
    """A segment, without the documents that were removed.

    Parameters
    ----------
    segment : Segment
    live : np.ndarray [shape=(documents,), dtype=bool] or None
        Which documents there are; None for all.
    """

    segment: Segment
    live: npt.NDArray[np.bool_] | None

    @property
    def alive(self) -> npt.NDArray[np.bool_]:
        """np.ndarray [shape=(documents,), dtype=bool] : Which documents there are."""
        return np.ones(len(self.segment), bool) if self.live is None else self.live


@dataclass(frozen=True)
class Snapshot:
    """An index at one moment. It stays as it is, whatever becomes of the index.

    Parameters
    ----------
    fingerprint : str
        The identity of the computation of the codes.
    bits : int
        The length of a code.
    generation : int
        How often the index had changed.
    parts : tuple of Part
    documents, codes : int
        How many there are.
    """

    fingerprint: str
    bits: int
    generation: int
    parts: tuple[Part, ...]
    documents: int
    codes: int

    def __len__(self) -> int:
        return self.codes

    @property
    def ids(self) -> list[str]:
        """List of str : The documents, in their order."""
        return sorted(
            _id
            for part in self.parts
            for _id, live in zip(part.segment.ids.all(), part.alive, strict=True)
            if live
        )

    def contents(self) -> dict[str, tuple[str, str]]:
        """Return the name and the token of each document, by its id."""
        found = {}
        for part in self.parts:
            columns = (part.segment.ids, part.segment.names, part.segment.tokens)
            every = zip(*(column.all() for column in columns), part.alive, strict=True)
            found.update({_id: (name, token) for _id, name, token, live in every if live})
        return found

    def search(
        self,
        queries: Packed,
        k: int,
        only: Collection[str] | None = None,
        without: Collection[str] = (),
        per_document: int | None = None,
        threads: int = 1,
    ) -> list[list[Hit]]:
        """Return the nearest codes of each query.

        Parameters
        ----------
        queries : np.ndarray [shape=(q, ceil(bits / 8)), dtype=uint8]
        k : int [range=[1, inf)]
            More than there are gives all there are.
        only : collection of str or None
            The documents to search, by their ids; None for all.
        without : collection of str
            Documents to leave out.
        per_document : int or None [range=[1, inf)]
            How many hits there may be from one document; None for no limit.
        threads : int [range=[1, inf)]

        Returns
        -------
        list of list of Hit
            For each query the nearest first; of equal distance, in the order of the documents'
            ids and of time.
        """
        chosen = self._chosen(only, without)
        if per_document is None:
            keys = [
                part.segment.nearest(queries, k, live, threads)
                for part, live in zip(self.parts, chosen, strict=True)
            ]
            return [
                [
                    self._hit(*place)
                    for place in self._merged([[every[number]] for every in keys], k)
                ]
                for number in range(len(queries))
            ]
        return [
            list(islice(self._grouped(query, chosen, per_document, threads), k))
            for query in queries[:, np.newaxis]
        ]

    def ranked(
        self,
        queries: Packed,
        only: Collection[str] | None = None,
        without: Collection[str] = (),
        per_document: int | None = None,
        threads: int = 1,
    ) -> Iterator[Hit]:
        """Yield the codes by their distance to the nearest of some queries, as `search` would.

        Take as many as needed: those that come later are looked for when they are asked for.

        Parameters
        ----------
        queries : np.ndarray [shape=(q, ceil(bits / 8)), dtype=uint8]
        only, without, per_document, threads
            See `search`.
        """
        return self._grouped(queries, self._chosen(only, without), per_document, threads)

    def _grouped(
        self, queries: Packed, chosen: list[Any], per_document: int | None, threads: int
    ) -> Iterator[Hit]:
        count, given = _FIRST, 0
        taken: Counter[tuple[int, int]] = Counter()
        while True:
            keys = [
                list(part.segment.nearest(queries, count, live, threads))
                for part, live in zip(self.parts, chosen, strict=True)
            ]
            places = self._merged(keys, count)
            for distance, number, row in places[given:]:
                if per_document is not None:
                    (document,) = self.parts[number].segment.documents_of(np.array([row]))
                    taken[number, int(document)] += 1
                    if taken[number, int(document)] > per_document:
                        continue
                yield self._hit(distance, number, row)
            if len(places) < count:
                return
            given, count = len(places), 4 * count

    def _chosen(self, only: Collection[str] | None, without: Collection[str]) -> list[Any]:
        """Return which documents of each part count; None for all of them."""
        if only is None and not without:
            return [part.live for part in self.parts]
        chosen = []
        for part in self.parts:
            live = part.alive.copy()
            if only is not None:
                live &= _among(part.segment, only)
            if without:
                live &= ~_among(part.segment, without)
            chosen.append(live)
        return chosen

    def _merged(self, keys: list[list[Keys]], k: int) -> list[tuple[int, int, int]]:
        """Return the k first places, (distance, part, row), of what was found in each part."""
        several = [np.concatenate(found) for found in keys] if keys else []
        if any(len(found) > 1 for found in keys):
            several = [first_of_each_row(every) for every in several]
        if not several:
            return []
        numbers = np.repeat(np.arange(len(several)), [len(every) for every in several])
        every = np.concatenate(several)
        distances, rows = (every >> SHIFT).astype(np.int64), (every & ROWS).astype(np.int64)
        if len(several) > 1:
            order = np.lexsort((rows, self._ranks(numbers, rows), distances))
            distances, numbers, rows = distances[order], numbers[order], rows[order]
        first = (every[:k].tolist() for every in (distances, numbers, rows))
        return list(zip(*first, strict=True))

    def _ranks(
        self, numbers: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Return the place of each row's document in the order of ids, among those of the rows."""
        documents = np.empty(len(rows), np.int64)
        for number, part in enumerate(self.parts):
            documents[numbers == number] = part.segment.documents_of(rows[numbers == number])
        pairs, inverse = np.unique(
            np.stack([numbers, documents], axis=1), axis=0, return_inverse=True
        )
        ids = [self.parts[number].segment.ids[document] for number, document in pairs.tolist()]
        rank = np.empty(len(ids), np.int64)
        rank[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
        return rank[inverse.reshape(-1)]

    def _hit(self, distance: int, number: int, row: int) -> Hit:
        segment = self.parts[number].segment
        (document,) = segment.documents_of(np.array([row])).tolist()
        time = segment.time(document, row)
        return Hit(segment.ids[document], time, distance, segment.names[document])

    def code(self, number: int) -> Packed:
        """Return one of the codes [shape=(ceil(bits / 8),), dtype=uint8], by its number."""
        for part in self.parts:
            rows = np.flatnonzero(np.repeat(part.alive, np.diff(part.segment.offsets)))
            if number < len(rows):
                found: Packed = part.segment.codes.take(rows[number : number + 1])[0]
                return found
            number -= len(rows)
        raise IndexError(number)

    def check(self) -> None:
        """Compare all that is stored with its digests.

        Raises
        ------
        CorruptRecord
            If something is not what was written.
        """
        for part in self.parts:
            part.segment.check()


def _among(segment: Segment, ids: Collection[str]) -> npt.NDArray[np.bool_]:
    """Return which documents of a segment have one of some ids."""
    if len(ids) < len(segment):
        found = np.zeros(len(segment), bool)
        found[segment.find(ids)] = True
        return found
    ids = frozenset(ids)
    return np.array([_id in ids for _id in segment.ids.all()], bool)
