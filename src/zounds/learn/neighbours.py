"""Exact nearest neighbours by cosine, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zounds.learn.threads import each

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

# How many cosines are in memory at once, as rows and columns of a block: 16 MiB, which was the
# fastest of 4 to 64 MiB with 100,000 vectors.
_ROWS, _COLUMNS = 1024, 4096


def nearest(vectors: Float32, k: int, queries: Float32 | None = None) -> tuple[Places, Float32]:
    """Return the k vectors that are nearest to each query.

    It runs in fixed blocks, each on one thread, so that the same vectors give the same bits.

    Parameters
    ----------
    vectors : np.ndarray of float32 [shape=(n, d)]
        Of norm 1, or 0.
    k : int [range=[1, inf)]
    queries : np.ndarray of float32 [shape=(m, d)] or None
        Of norm 1, or 0. None for the vectors themselves, each of which then is no neighbour of
        its own, though one that equals it is.

    Returns
    -------
    places : np.ndarray of int [shape=(m, min(k, others)), range=[0, n)]
        The nearest first; of vectors that are as near, the first one first.
    cosines : np.ndarray of float32 [shape=(m, min(k, others)), range=[-1, 1]]
    """
    from threadpoolctl import threadpool_limits

    rows = vectors if queries is None else queries
    k = min(k, len(vectors) - (queries is None))
    places = np.zeros((len(rows), max(k, 0)), np.intp)
    cosines = np.zeros(places.shape, np.float32)
    if k <= 0:
        return places, cosines

    def fill(start: int) -> None:
        block = slice(start, min(start + _ROWS, len(rows)))
        own = start if queries is None else None
        places[block], cosines[block] = _nearest_of_block(vectors, k, rows[block], own)

    with threadpool_limits(1):
        each(fill, range(0, len(rows), _ROWS))
    return places, np.clip(cosines, -1, 1, out=cosines)


def mutual_pairs(vectors: Float32, k: int) -> Places:
    """Return the pairs of vectors each of which is among the k nearest of the other.

    Parameters
    ----------
    vectors : np.ndarray of float32 [shape=(n, d)]
        Of norm 1, or 0.
    k : int [range=[1, inf)]

    Returns
    -------
    np.ndarray of int [shape=(pairs, 2), range=[0, n)]
        Each pair once, the lower place first, in order.
    """
    places, _ = nearest(vectors, k)
    count = len(places)
    here = np.repeat(np.arange(count), places.shape[1])
    there = places.ravel()
    directed = here * count + there
    both = (here < there) & np.isin(there * count + here, directed)
    pairs = np.sort(directed[both])
    return np.stack([pairs // max(count, 1), pairs % max(count, 1)], axis=1)


def _nearest_of_block(
    vectors: Float32, k: int, rows: Float32, own: int | None
) -> tuple[Places, Float32]:
    found = _Finds(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32))
    least = None
    for start in range(0, len(vectors), _COLUMNS):
        cosines = rows @ vectors[start : start + _COLUMNS].T
        if own is not None:
            mine = np.arange(len(rows)) + own - start
            inside = (mine >= 0) & (mine < cosines.shape[1])
            cosines[inside, mine[inside]] = -np.inf
        if least is None:
            # of the first ones, those that are among the k nearest here, and their equals
            deep = min(k, cosines.shape[1])
            least = np.partition(cosines, -deep, axis=1)[:, -deep]
            which, columns = np.nonzero(cosines >= least[:, None])
        else:
            # an equal one comes later than those there are, and so does not count
            which, columns = np.nonzero(cosines > least[:, None])
        if len(which):
            found = found.joined(which, columns + start, cosines[which, columns]).best(k)
            full = found.rank == k - 1
            least = np.full_like(least, -np.inf)
            least[found.rows[full]] = found.cosines[full]
    return found.places.reshape(-1, k), found.cosines.reshape(-1, k)


@dataclass(frozen=True, eq=False)
class _Finds:
    """Candidates for neighbours: of which row, where, and how near."""

    rows: Places
    places: Places
    cosines: Float32

    def joined(self, rows: Places, places: Places, cosines: Float32) -> _Finds:
        return _Finds(
            np.concatenate([self.rows, rows]),
            np.concatenate([self.places, places]),
            np.concatenate([self.cosines, cosines]),
        )

    def best(self, k: int) -> _Finds:
        """Return the k nearest of each row, in order."""
        order = np.lexsort((self.places, -self.cosines, self.rows))
        ordered = _Finds(self.rows[order], self.places[order], self.cosines[order])
        kept = ordered.rank < k
        return _Finds(ordered.rows[kept], ordered.places[kept], ordered.cosines[kept])

    @property
    def rank(self) -> Places:
        """The place of each among those of its row, where they are in order."""
        return np.arange(len(self.rows)) - np.searchsorted(self.rows, self.rows)
