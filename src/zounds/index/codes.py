"""Many codes, prepared to be searched: identical ones are compared with a query once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from zounds.errors import SearchError
from zounds.index import scan
from zounds.index.scan import ROWS, SHIFT, Keys, Words

Packed = npt.NDArray[np.uint8]

_FIRST = 256
_SAMPLE = 1 << 16
_WORTH = 0.5  # collapsing costs a second step, and is worth it where it halves the first


class Searchable(Protocol):
    """Codes that can be searched, wherever they are; `Codes` are some."""

    rows: int
    """How many there are."""

    def nearest(self, queries: Packed, k: int, live: npt.NDArray[np.bool_] | None = None) -> Keys:
        """Return the nearest k rows of each query, of those that count; see `scan.nearest`."""
        ...

    def ranked(self, queries: Packed, live: npt.NDArray[np.bool_] | None = None) -> Iterator[Keys]:
        """Yield all rows as keys, by their distance to the nearest of some queries.

        They come in pieces that grow: what comes later is looked for when it is asked for.

        Parameters
        ----------
        queries : np.ndarray [shape=(q, ceil(bits / 8)), dtype=uint8]
        live : np.ndarray [shape=(n,), dtype=bool] or None
            The rows that count; None for all.
        """
        rows = self.rows if live is None else int(np.count_nonzero(live))
        count, given = _FIRST, 0
        while given < rows and len(queries):
            every = np.concatenate(list(self.nearest(queries, count, live)))
            found = first_of_each_row(every)[:count]
            yield found[given:]
            given, count = len(found), 4 * count


class Codes(Searchable):
    """Codes to be searched by Hamming distance, exactly.

    Where many are identical, the different ones are scanned, and each stands for all its rows.

    Parameters
    ----------
    packed : np.ndarray [shape=(n, ceil(bits / 8)), dtype=uint8]
        Codes of any length, though whole words of 64 bits are compared.

    Raises
    ------
    SearchError
        If they are something else.

    Examples
    --------
    >>> codes = Codes(np.array([[0b1100], [0b0000], [0b1111]], np.uint8))
    >>> distances, rows = codes.search(np.array([[0b1110]], np.uint8), k=2)
    >>> distances, rows
    (array([[1, 1]]), array([[0, 2]]))
    """

    def __init__(self, packed: Packed) -> None:
        packed = checked(packed, "codes")
        self.width = packed.shape[1]
        self.rows = len(packed)
        different = _collapsed(scan.as_words(packed))
        self._starts: Any = None
        self._postings: Any = None
        if different is not None:
            first, self._starts, self._postings = different
            packed = packed[first]
        self._groups = scan.grouped(packed)

    @classmethod
    def of(cls, width: int, rows: int, arrays: dict[str, Any]) -> Self:
        """Return codes that were prepared before, from their `arrays`."""
        codes = cls.__new__(cls)
        codes.width, codes.rows = width, rows
        codes._groups = arrays["groups"]
        codes._starts, codes._postings = arrays.get("starts"), arrays.get("postings")
        return codes

    def arrays(self) -> dict[str, Any]:
        """Return what was prepared.

        Returns
        -------
        dict
            ``groups``, see `scan.grouped`; and where they were collapsed ``postings``, the rows
            of each different code in ascending order, and ``starts``, where those of each begin.
            Different codes are in the order of their first rows.
        """
        found: dict[str, Any] = {"groups": self._groups}
        if self._starts is not None:
            found |= {"starts": self._starts, "postings": self._postings}
        return found

    def __len__(self) -> int:
        return self.rows

    @property
    def different(self) -> int:
        """int : How many codes are scanned."""
        return self.rows if self._starts is None else len(self._starts) - 1

    def search(
        self, queries: Packed, k: int, threads: int = 1
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the nearest codes of each query.

        Parameters
        ----------
        queries : np.ndarray [shape=(q, ceil(bits / 8)), dtype=uint8]
        k : int [range=[1, inf)]
            More than there are gives all there are.
        threads : int [range=[1, inf)]

        Returns
        -------
        distances : np.ndarray [shape=(q, min(k, n)), unit=bits, dtype=int64]
            The nearest first.
        rows : np.ndarray [shape=(q, min(k, n)), dtype=int64]
            Of equal distance, in ascending order.

        Raises
        ------
        SearchError
            If the queries are not as long as the codes, or `k` or `threads` is not positive.
        """
        keys = self.nearest(queries, k, threads=threads)
        return (keys >> SHIFT).astype(np.int64), (keys & ROWS).astype(np.int64)

    def nearest(
        self,
        queries: Packed,
        k: int,
        live: npt.NDArray[np.bool_] | None = None,
        threads: int = 1,
        kind: str | None = None,
    ) -> Keys:
        """Return the same as `search` as keys; see `scan.nearest`.

        Parameters
        ----------
        live : np.ndarray [shape=(n,), dtype=bool] or None
            The rows that count; None for all.
        kind : str or None
            One of `scan.kinds`.
        """
        queries = checked(queries, "queries")
        if queries.shape[1] != self.width:
            raise SearchError(
                f"queries of {queries.shape[1]} bytes cannot be compared with codes of "
                f"{self.width}: give queries as long as the codes"
            )
        for name, number in (("k", k), ("threads", threads)):
            if number < 1:
                raise SearchError(f"{name}={number!r}: give 1 or more")
        words = scan.as_words(queries)
        if self._starts is None:
            return scan.nearest(self._groups, self.rows, words, k, live, threads, kind)
        wanted = min(k, self.rows if live is None else int(np.count_nonzero(live)))
        if not wanted:
            return np.empty((len(words), 0), np.uint64)
        starts, postings, many = self._starts, self._postings, wanted
        while True:
            many = min(many, self.different)
            found = scan.nearest(self._groups, self.different, words, many, None, threads, kind)
            if live is None:
                return scan.rows_of_codes(found, starts, postings, wanted, kind)
            # all rows that are nearer than the last of these codes are known: enough, if k count
            best = [self._rows_that_count(codes, live)[:wanted] for codes in found]
            if many == self.different or all(
                len(rows) == wanted and rows[-1] >> SHIFT < codes[-1] >> SHIFT
                for rows, codes in zip(best, found, strict=True)
            ):
                return np.array(best, np.uint64).reshape(len(best), wanted)
            many *= 4

    def _rows_that_count(self, codes: Keys, live: npt.NDArray[np.bool_]) -> Keys:
        """Return all rows of some codes that count, as keys, in their order."""
        starts, postings = self._starts, self._postings
        numbers = (codes & ROWS).astype(np.int64)
        begins = starts[numbers]
        counts = starts[numbers + 1] - begins
        places = np.arange(counts.sum()) + np.repeat(begins - np.cumsum(counts) + counts, counts)
        rows = postings[places]
        keys = np.repeat(codes >> SHIFT << SHIFT, counts) | rows.astype(np.uint64)
        return np.sort(keys[live[rows]])

    def take(self, rows: npt.NDArray[np.int64]) -> Packed:
        """Return the codes of some rows [shape=(len(rows), ceil(bits / 8)), dtype=uint8]."""
        if self._postings is not None and self._starts is not None:
            code_of = np.empty(self.rows, np.int64)
            code_of[self._postings] = np.repeat(np.arange(self.different), np.diff(self._starts))
            rows = code_of[rows]
        words = self._groups[rows // scan.GROUP, :, rows % scan.GROUP]
        packed: Packed = np.ascontiguousarray(words).view(np.uint8)[:, : self.width]
        return packed


def first_of_each_row(keys: Keys) -> Keys:
    """Return keys in their order, of each row the first only."""
    keys = np.sort(keys)
    _, first = np.unique(keys & ROWS, return_index=True)
    nearest: Keys = keys[np.sort(first)]
    return nearest


def checked(packed: Any, what: str) -> Packed:
    """Return packed codes; raise `SearchError` if they are none."""
    array = np.asarray(packed)
    if array.ndim != 2 or array.dtype != np.uint8 or not array.shape[1]:
        raise SearchError(
            f"the {what} have shape {array.shape} and dtype {array.dtype}: give packed bits, uint8 "
            "[shape=(n, ceil(bits / 8))]"
        )
    return array


def _collapsed(words: Words) -> tuple[Any, Any, Any] | None:
    """Return the first row of each different code, `starts` and `postings`; None if most differ."""
    if len(words) < 2 or _share_of_different(words) > _WORTH:
        return None
    order = np.lexsort(words.T)  # stable: equal codes stay in the order of their rows
    differs = np.any(words[order[1:]] != words[order[:-1]], axis=1)
    begins = np.concatenate([[0], np.flatnonzero(differs) + 1])
    counts = np.diff(np.append(begins, len(words)))
    by_first = np.argsort(order[begins])
    begins, counts = begins[by_first], counts[by_first]
    starts = np.concatenate([[0], np.cumsum(counts)])
    postings = order[np.arange(len(words)) + np.repeat(begins - starts[:-1], counts)]
    small = len(words) <= np.iinfo(np.uint32).max
    return order[begins], starts, postings.astype(np.uint32 if small else np.int64)


def _share_of_different(words: Words) -> float:
    """Return how many of the codes are different ones, of all or of a fair sample.

    It is a sample of values, not of rows: all rows of a code are in it, or none.
    """
    hashes = np.zeros(len(words), np.uint64)
    for column in words.T:
        hashes = (hashes ^ column) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(32)
    part = max(1, len(words) // _SAMPLE)
    sample = hashes[hashes % np.uint64(part) == 0]
    return len(np.unique(sample)) / len(sample) if len(sample) else 1.0
