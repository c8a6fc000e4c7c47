"""Near duplicates: what has nearly the same code."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from zounds.errors import SearchError
from zounds.index import scan
from zounds.index.codes import Codes, Packed, checked
from zounds.index.scan import ROWS, SHIFT, Words

_BATCH = 1000
_FIRST = 16


def near_duplicates(packed: Packed, distance: int = 0, threads: int = 1) -> list[list[int]]:
    """Return groups of codes that are near to each other.

    A code is in a group if any other of the group is within the distance: of a chain, the ends may
    be farther apart.

    Parameters
    ----------
    packed : np.ndarray [shape=(n, ceil(bits / 8)), dtype=uint8]
    distance : int [unit=bits, range=[0, inf)]
    threads : int [range=[1, inf)]

    Returns
    -------
    list of list of int
        Rows in ascending order, the groups by their first rows; codes that are near to no other
        are in none.

    Raises
    ------
    SearchError
        If the codes are none, or the distance is negative.

    Examples
    --------
    >>> near_duplicates(np.array([[0b1111], [0b0000], [0b1011], [0b0011]], np.uint8), distance=1)
    [[0, 2, 3]]
    """
    if distance < 0:
        raise SearchError(f"distance={distance!r}: give 0 bits or more")
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    words = scan.as_words(checked(packed, "codes"))
    different, code_of = np.unique(words, axis=0, return_inverse=True)
    pairs = np.concatenate([np.empty((2, 0), np.int64), *_pairs(different, distance, threads)], 1)
    near = coo_array((np.ones(pairs.shape[1], bool), pairs), shape=(len(different),) * 2)
    groups_of = connected_components(near, directed=False)[1][code_of.reshape(-1)]
    order = np.argsort(groups_of, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(groups_of[order])) + 1)
    return sorted(group.tolist() for group in groups if len(group) > 1)


def _pairs(words: Words, distance: int, threads: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield which codes are near to each other, [shape=(2, pairs)], all of them different."""
    packed = words.view(np.uint8)
    codes = Codes(packed)
    for start in range(0, len(words) if distance else 0, _BATCH):
        waiting, k = np.arange(start, min(start + _BATCH, len(words))), _FIRST
        while len(waiting):
            keys = codes.nearest(packed[waiting], k, threads=threads)
            within = (keys >> SHIFT) <= distance
            more = within[:, -1] & (k < len(words))  # there may be others as near
            rows, places = np.nonzero(within[~more])
            yield np.stack([waiting[~more][rows], (keys & ROWS)[~more][rows, places].astype(int)])
            waiting, k = waiting[more], 4 * k
