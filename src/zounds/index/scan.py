"""The scan: the nearest of many codes, found by looking at all of them.

Codes are words of 64 bits, in groups of eight rows: the first words of its codes, then their second
words, and so on. A *key* is a distance and a row in one number, ``distance << 48 | row``, so that
results are sorted by sorting keys: by distance, and of equal distance by row.
"""

from __future__ import annotations

import ctypes
from functools import cache
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt

from zounds import _native
from zounds.errors import SearchError

Words = npt.NDArray[np.uint64]
Keys = npt.NDArray[np.uint64]

GROUP = 8
SHIFT = np.uint64(48)
ROWS = np.uint64((1 << 48) - 1)

_BLOCK = 1024  # rows; each thread gets whole blocks
_ALONE = 1 << 18  # comparisons that are done sooner than a thread begins
_STATE = 1 << 25  # results that are held at a time
_PIECE = 1 << 14  # groups that NumPy looks at together
_LONGEST = 64  # words of a code, in the library


@cache
def kinds() -> tuple[str, ...]:
    """Return the ways to scan that work on this machine, the fastest first.

    All give the same results. ``numpy`` is always there; the others are compiled, and named for
    what they need of the processor: ``avx512``, ``avx2``, ``popcnt``, ``plain``.
    """
    return (*reversed(_compiled()), "numpy")


@cache
def _compiled() -> dict[str, int]:
    """Return the numbers of the compiled kinds, by their names, the slowest first."""
    library = _native.library()
    if library is None:
        return {}
    pointer, whole = ctypes.c_void_p, ctypes.c_int64
    library.zounds_kind.restype = ctypes.c_char_p
    library.zounds_nearest.restype = whole
    library.zounds_nearest.argtypes = [
        *(ctypes.c_int, pointer, whole, whole, ctypes.c_int),
        *(pointer, pointer, whole, whole, pointer),
    ]
    library.zounds_rows.restype = whole
    library.zounds_rows.argtypes = [pointer, whole, whole, pointer, pointer, whole, pointer]
    found, number = {}, 0
    while name := library.zounds_kind(number):
        if library.zounds_can(number):
            found[name.decode()] = number
        number += 1
    return found


def grouped(packed: npt.NDArray[np.uint8]) -> Words:
    """Return codes in the order in which they are scanned.

    Parameters
    ----------
    packed : np.ndarray [shape=(n, bytes), dtype=uint8]

    Returns
    -------
    np.ndarray [shape=(ceil(n / 8), ceil(bytes / 8), 8), dtype=uint64]
        What there is no code for is zero.
    """
    words = as_words(packed)
    count = -(-len(words) // GROUP)
    if len(words) % GROUP:
        words = np.concatenate([words, np.zeros((-len(words) % GROUP, words.shape[1]), np.uint64)])
    return np.ascontiguousarray(words.reshape(count, GROUP, words.shape[1]).transpose(0, 2, 1))


def as_words(packed: npt.NDArray[np.uint8]) -> Words:
    """Return packed codes as words [shape=(n, ceil(bytes / 8)), dtype=uint64]."""
    rows, width = packed.shape
    if width % 8:
        padded = np.zeros((rows, width + -width % 8), np.uint8)
        padded[:, :width] = packed
        packed = padded
    return np.ascontiguousarray(packed).view(np.uint64)


def nearest(
    groups: Words,
    rows: int,
    queries: Words,
    k: int,
    live: npt.NDArray[np.bool_] | None = None,
    threads: int = 1,
    kind: str | None = None,
) -> Keys:
    """Return the nearest rows.

    Parameters
    ----------
    groups : np.ndarray [shape=(ceil(rows / 8), words, 8), dtype=uint64]
        See `grouped`.
    rows : int
        How many codes they hold.
    queries : np.ndarray [shape=(q, words), dtype=uint64]
    k : int [range=[1, inf)]
    live : np.ndarray [shape=(rows,), dtype=bool] or None
        The rows that count; None for all.
    threads : int [range=[1, inf)]
        How many share the rows.
    kind : str or None
        One of `kinds`; None for the fastest.

    Returns
    -------
    np.ndarray [shape=(q, min(k, rows that count)), dtype=uint64]
        Keys, in their order.

    Raises
    ------
    SearchError
        If there is no such kind here.
    """
    kind = kinds()[0] if kind is None else kind
    if kind not in kinds():
        raise SearchError(f"there is no scan {kind!r} here: choose from {', '.join(kinds())}")
    if groups.shape[1] > _LONGEST:
        kind = "numpy"
    k = min(k, rows if live is None else int(np.count_nonzero(live)))
    if k < 1 or not len(queries):
        return np.empty((len(queries), max(k, 0)), np.uint64)
    queries = np.ascontiguousarray(queries)
    some = max(1, _STATE // k)
    parts = [
        _shared(groups, rows, queries[start : start + some], k, live, threads, kind)
        for start in range(0, len(queries), some)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _shared(
    groups: Words,
    rows: int,
    queries: Words,
    k: int,
    live: npt.NDArray[np.bool_] | None,
    threads: int,
    kind: str,
) -> Keys:
    """Let threads scan parts of the rows, and put together what they find."""
    blocks = -(-rows // _BLOCK)
    threads = min(threads, blocks, 1 + rows * len(queries) // _ALONE)
    edges = [min(blocks * number // threads * _BLOCK, rows) for number in range(threads + 1)]
    edges[-1] = rows
    found: list[Any] = [None] * threads

    def work(number: int) -> None:
        start, stop = edges[number : number + 2]
        try:
            if kind == "numpy":
                found[number] = _by_numpy(groups, start, stop, queries, k, live)
            else:
                found[number] = _by_library(groups, start, stop, queries, k, live, kind)
        except BaseException as error:  # raised where somebody waits for it
            found[number] = error

    others = [Thread(target=work, args=(number,)) for number in range(1, threads)]
    for thread in others:
        thread.start()
    work(0)
    for thread in others:
        thread.join()
    for part in found:
        if isinstance(part, BaseException):
            raise part
    if threads == 1:
        return np.asarray(found[0])
    return np.sort(np.concatenate(found, axis=1), axis=1)[:, :k]


def _by_library(
    groups: Words,
    start: int,
    stop: int,
    queries: Words,
    k: int,
    live: npt.NDArray[np.bool_] | None,
    kind: str,
) -> Keys:
    library = _native.library()
    if library is None:
        raise SearchError("the native library is gone")  # pragma: no cover
    k = min(k, stop - start)
    keys = np.empty((len(queries), k), np.uint64)
    bits = None if live is None else np.packbits(live, bitorder="little")
    count = library.zounds_nearest(
        *(_compiled()[kind], groups.ctypes.data, start, stop, groups.shape[1]),
        *(None if bits is None else bits.ctypes.data, queries.ctypes.data),
        *(len(queries), k, keys.ctypes.data),
    )
    if count < 0:
        raise MemoryError(f"{len(queries)} queries for {k} results each do not fit into memory")
    return keys[:, :count]


def _by_numpy(
    groups: Words,
    start: int,
    stop: int,
    queries: Words,
    k: int,
    live: npt.NDArray[np.bool_] | None,
) -> Keys:
    where = np.arange(start, stop, dtype=np.uint64)
    if live is not None:
        where = where[live[start:stop]]
    keys = np.empty((len(queries), min(k, len(where))), np.uint64)
    for query, best in zip(queries, keys, strict=True):
        distances = _distances(groups[start // GROUP : -(-stop // GROUP)], query)[: stop - start]
        if live is not None:
            distances = distances[live[start:stop]]
        limit = int(np.searchsorted(np.cumsum(np.bincount(distances)), len(best)))
        near = np.flatnonzero(distances <= limit)
        order = near[np.argsort(distances[near], kind="stable")][: len(best)]
        best[:] = distances[order].astype(np.uint64) << SHIFT | where[order]
    return keys


def _distances(groups: Words, query: Words) -> npt.NDArray[np.uint16]:
    parts = [
        np.bitwise_count(groups[at : at + _PIECE] ^ query[:, None]).sum(axis=1, dtype=np.uint16)
        for at in range(0, len(groups), _PIECE)
    ]
    return np.concatenate(parts).reshape(-1) if parts else np.empty(0, np.uint16)


def rows_of_codes(
    found: Keys,
    starts: npt.NDArray[np.int64],
    postings: npt.NDArray[np.integer[Any]],
    k: int,
    kind: str | None = None,
) -> Keys:
    """Return the nearest rows, given the nearest of the different codes that they have.

    Parameters
    ----------
    found : np.ndarray [shape=(q, m), dtype=uint64]
        Keys of codes. They suffice if m is k, or if they are all: a code is left out only for
        others that come before it with their first rows.
    starts : np.ndarray [shape=(codes + 1,), dtype=int64]
        The rows of code i are ``postings[starts[i]:starts[i + 1]]``.
    postings : np.ndarray [shape=(n,), dtype=uint32 or int64]
        In ascending order for each code; the first ones of the codes ascend.
    k : int [range=[1, n]]
    kind : str or None
        See `nearest`.

    Returns
    -------
    np.ndarray [shape=(q, k), dtype=uint64]
    """
    library = _native.library()
    keys = np.empty((len(found), k), np.uint64)
    if library is None or kind == "numpy" or postings.dtype != np.uint32 or not _compiled():
        for codes, best in zip(found, keys, strict=True):
            best[:] = _rows_by_numpy(codes, starts, postings, k)
        return keys
    found = np.ascontiguousarray(found)
    library.zounds_rows(
        *(found.ctypes.data, *found.shape, starts.ctypes.data, postings.ctypes.data),
        *(k, keys.ctypes.data),
    )
    return keys


def _rows_by_numpy(
    codes: Keys, starts: npt.NDArray[np.int64], postings: npt.NDArray[np.integer[Any]], k: int
) -> Keys:
    numbers, distances = (codes & ROWS).astype(np.int64), codes >> SHIFT
    begins = starts[numbers]
    counts = starts[numbers + 1] - begins
    # enough are those up to the distance at which there are k, of each code the first k
    enough = int(np.searchsorted(np.cumsum(counts), k))
    stop = np.searchsorted(distances, distances[min(enough, len(codes) - 1)], side="right")
    begins, counts, distances = begins[:stop], np.minimum(counts[:stop], k), distances[:stop]
    places = np.arange(counts.sum()) + np.repeat(begins - np.cumsum(counts) + counts, counts)
    every: Keys = np.repeat(distances << SHIFT, counts) | postings[places].astype(np.uint64)
    return np.sort(every)[:k]
