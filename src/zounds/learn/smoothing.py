"""Neighbourhoods of a collection: vectors drawn towards those that are connected with them.

Each sound is connected with its nearest neighbours. Along the connections vectors are averaged, so
that a kind of sounds, which may be a long or winding cloud, becomes a dense one. It happens when an
index is built, and costs a query nothing. The embedded vectors themselves are kept beside: they
find copies and versions of a sound better, and smoothing can be done anew.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from zounds.errors import LearningError
from zounds.learn.neighbours import Float32, nearest
from zounds.learn.transforms import UnitNorm, checked

Array = npt.NDArray[Any]

# Measured on notes of eight instruments and on drums, between 5 and 15 neighbours, powers 1 to 8
# and shares .5 to .99. What a sound keeps of its own vector keeps its copies near.
_NEIGHBOURS = 10
_POWER = 4
_FROM_OTHERS = 0.95
_OWN = 0.2
_ITERATIONS = 20

EXPANSION = 5
"""How many neighbours draw what comes from outside."""
_EXPANSION_POWER = 3


def smoothed(vectors: npt.ArrayLike) -> Float32:
    """Return the vectors of a collection, each drawn towards its neighbourhood.

    With the graph W of `neighbour_graph` and vectors Z, this is Y = (1 - a) (I - a W)⁻¹ Z with
    a = .95, the limit of Y ← a W Y + (1 - a) Z; its rows, of norm 1, and a fifth of Z are added.

    Parameters
    ----------
    vectors : array_like [shape=(n, d)]
        Of norm 1, or 0.

    Returns
    -------
    np.ndarray of float32 [shape=(n, d), range=[-1, 1]]
        Of norm 1. A vector without neighbours (of positive cosine) stays what it is.

    Raises
    ------
    LearningError
        If a number is NaN or infinite.

    References
    ----------
    Zhou et al., "Learning with local and global consistency", NIPS 2003. Golub & Varga, "Chebyshev
    semi-iterative methods", Numerische Mathematik 3, 1961: 20 of its iterations come as near to the
    limit as 120 plain ones.
    """
    rows = np.asarray(checked(vectors), np.float32)
    if len(rows) < 2:
        return _unit(rows)
    graph = neighbour_graph(rows)
    given = np.float32(1 - _FROM_OTHERS) * rows
    before, now = rows, given + _FROM_OTHERS * (graph @ rows)
    factor = 2.0
    for _ in range(_ITERATIONS):
        factor = 1 / (1 - _FROM_OTHERS**2 * factor / 4)
        step = given + _FROM_OTHERS * (graph @ now) - before
        before, now = now, before + np.float32(factor) * step
    return _unit(_unit(now) + np.float32(_OWN) * rows)


def neighbour_graph(vectors: Float32) -> Any:
    """Return how vectors are connected with their ten nearest neighbours.

    Parameters
    ----------
    vectors : np.ndarray of float32 [shape=(n, d)]
        Of norm 1, or 0.

    Returns
    -------
    scipy.sparse.csr_array of float32 [shape=(n, n), range=[0, 1]]
        D^-1/2 W D^-1/2, where W has max(cos, 0)⁴ for two of which one is a neighbour of the other,
        and D is the diagonal of its sums. Symmetric, and with eigenvalues from -1 to 1.
    """
    import scipy.sparse

    places, cosines = nearest(vectors, _NEIGHBOURS)
    count = len(vectors)
    weights = np.maximum(cosines, 0) ** _POWER
    ends = np.arange(0, places.size + 1, places.shape[1])
    directed = scipy.sparse.csr_array((weights.ravel(), places.ravel(), ends), (count, count))
    graph = directed.maximum(directed.T).tocsr()
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    roots = np.sqrt(np.where(degrees > 0, degrees, 1))
    graph.data /= np.repeat(roots, np.diff(graph.indptr)) * roots[graph.indices]
    return graph


def expanded(queries: npt.ArrayLike, vectors: npt.ArrayLike, smooth: npt.ArrayLike) -> Float32:
    """Return vectors from outside of a collection, as if they had been smoothed with it.

    Each is added to the smoothed vectors of its five nearest neighbours, weighted by max(cos, 0)³.
    So queries, and sounds that came after the last smoothing, compare with smoothed vectors.

    Parameters
    ----------
    queries : array_like [shape=(m, d)]
        Of norm 1, or 0.
    vectors : array_like [shape=(n, d)]
        Those of the collection, before smoothing.
    smooth : array_like [shape=(n, d)]
        The same, smoothed.

    Returns
    -------
    np.ndarray of float32 [shape=(m, d), range=[-1, 1]]
        Of norm 1. A query without neighbours (of positive cosine) stays what it is.

    Raises
    ------
    LearningError
        If the shapes do not fit, or a number is NaN or infinite.
    """
    known = np.asarray(checked(vectors), np.float32)
    rows = np.asarray(checked(queries, columns=known.shape[1]), np.float32)
    drawn = np.asarray(checked(smooth, columns=known.shape[1]), np.float32)
    if len(known) != len(drawn):
        raise LearningError(
            f"there are {len(known)} vectors, and {len(drawn)} smoothed ones: give the same ones, "
            "before and after"
        )
    places, cosines = nearest(known, EXPANSION, rows)
    return towards(rows, drawn[places], cosines)


def towards(vectors: Float32, neighbours: Float32, cosines: Float32) -> Float32:
    """Return vectors drawn towards what their neighbours have become; see `expanded`.

    Parameters
    ----------
    vectors : np.ndarray of float32 [shape=(m, d)]
    neighbours : np.ndarray of float32 [shape=(m, k, d)]
        The neighbours of each, smoothed.
    cosines : np.ndarray of float32 [shape=(m, k), range=[-1, 1]]
        How near they are, before smoothing.

    Returns
    -------
    np.ndarray of float32 [shape=(m, d), range=[-1, 1]]
        Of norm 1, or 0 where all is 0.
    """
    weights = np.maximum(cosines, 0) ** _EXPANSION_POWER
    return _unit(vectors + (weights[..., None] * neighbours).sum(axis=1))


def _unit(rows: Float32) -> Float32:
    return np.asarray(UnitNorm().transform(rows), np.float32)
