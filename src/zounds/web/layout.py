"""Places in the plane for vectors: neighbours beside each other, the others apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.intp]
Tell = Callable[[float], None]

_LANDMARKS = 3000  # are laid out; the others lie between them
_NEIGHBOURS = 15
_BETWEEN = 4  # landmarks, between which a sound lies
_ROUNDS = 240
_STRANGERS = 8  # that each pushes away in a round
_PUSH = 5.0  # how much more often than a neighbour draws, a stranger pushes
_A, _B = 0.583, 1.334  # what is near: the curve 1 / (1 + a x^2b), so that no dot hides another
_STEP = 4.0  # no pull or push is stronger
_BLOCK = 1 << 11
_NARROW = 1e-6
_TIES = 0.004  # equal rows would hide each other


def laid_out(rows: Array, tell: Tell = lambda _: None) -> npt.NDArray[np.float32]:
    """Return places for vectors, of which those of a small angle are near to each other.

    Parameters
    ----------
    rows : np.ndarray [shape=(n, d)]
        A row of zeros has no direction, and lies somewhere.
    tell : callable
        Is told how much is done, from 0 to 1.

    Returns
    -------
    np.ndarray [shape=(n, 2), range=[-1, 1]]
        The same for the same rows.

    References
    ----------
    McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection for
    Dimension Reduction", 2018. Here all neighbours draw in each round, with their weights.

    Examples
    --------
    >>> rows = np.repeat(np.eye(3), 20, axis=0) + np.random.default_rng(0).normal(0, 0.05, (60, 3))
    >>> places = laid_out(rows)
    >>> centres = places.reshape(3, 20, 2).mean(axis=1)
    >>> bool(places.reshape(3, 20, 2).std(axis=1).max() < np.ptp(centres, axis=0).max() / 4)
    True
    """
    if len(rows) < 2:
        return np.zeros((len(rows), 2), np.float32)
    random = np.random.default_rng(0)
    chosen = np.arange(len(rows))
    if len(rows) > _LANDMARKS:
        chosen = np.sort(random.choice(len(rows), _LANDMARKS, replace=False))
    landmarks = _unit(rows[chosen])
    places = _spread(landmarks)
    if len(landmarks) > 3:
        near, cosines = _nearest(landmarks, landmarks, min(_NEIGHBOURS, len(landmarks) - 1) + 1)
        places = _drawn(places, *_edges(near[:, 1:], cosines[:, 1:]), random, tell)
    if len(chosen) < len(rows):
        places = _between(rows, landmarks, places, tell)
    places = _fitted(places) * (1 - _TIES) + random.uniform(-_TIES, _TIES, places.shape)
    return places.astype(np.float32)


def _unit(rows: Array) -> npt.NDArray[np.float32]:
    rows = rows.astype(np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _NARROW))


def _spread(rows: Array) -> Array:
    """Return the two directions in which rows differ most; some 10 wide."""
    centred = (rows - rows.mean(axis=0)).astype(np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    plane = np.zeros((rows.shape[1], 2))
    plane[:, : rows.shape[1]] = directions[:, :-3:-1]
    # which way an axis points is not settled by the rows
    plane *= np.where(plane[np.abs(plane).argmax(axis=0), range(2)] < 0, -1, 1)
    places = centred @ plane
    return np.asarray(10 * places / max(float(np.abs(places).max()), _NARROW))


def _nearest(rows: Array, landmarks: Array, count: int) -> tuple[Numbers, Array]:
    """Return the nearest landmarks of rows, the nearest first, and their cosines."""
    near = np.empty((len(rows), count), np.intp)
    cosines = np.empty((len(rows), count), np.float32)
    for start in range(0, len(rows), _BLOCK):
        likeness = rows[start : start + _BLOCK] @ landmarks.T
        each = np.arange(len(likeness))
        if rows is landmarks:  # of equal ones, each is the nearest of itself
            likeness[each, start + each] = 2
        for place in range(count):  # of a few, faster than to sort all
            best = likeness.argmax(axis=1)
            near[start + each, place], cosines[start + each, place] = best, likeness[each, best]
            likeness[each, best] = -np.inf
    return near, cosines


def _edges(near: Numbers, cosines: Array) -> tuple[Numbers, Numbers, Array]:
    """Return who draws whom, each pair in both directions, and how strongly."""
    count, k = near.shape
    apart = np.sqrt(np.maximum(2 - 2 * cosines, 0)).astype(np.float64)
    apart -= apart[:, :1]  # the nearest one draws with all its might, however far it is
    low, high = np.zeros((count, 1)), np.full((count, 1), 1e3)
    for _ in range(40):
        width = (low + high) / 2
        wide = np.exp(-apart / np.maximum(width, _NARROW)).sum(axis=1, keepdims=True) > np.log2(k)
        low, high = np.where(wide, low, width), np.where(wide, width, high)
    weights = np.exp(-apart / np.maximum(high, 1e-3 * max(float(apart.mean()), _NARROW)))
    heads, tails = np.repeat(np.arange(count), k), near.ravel()
    both = np.concatenate([heads * count + tails, tails * count + heads])
    pairs, of = np.unique(both, return_inverse=True)
    one, other = (
        np.bincount(of[half], weights.ravel(), len(pairs))
        for half in (slice(len(heads)), slice(len(heads), None))
    )
    return pairs // count, pairs % count, one + other - one * other


def _drawn(
    places: Array, heads: Numbers, tails: Numbers, weights: Array, random: Any, tell: Tell
) -> Array:
    """Return places after neighbours drew each other, and strangers pushed each other away."""
    count = len(places)
    drawn = np.bincount(heads, weights, count)[:, np.newaxis]
    for round_ in range(_ROUNDS):
        tell(0.8 * round_ / _ROUNDS)
        apart = places[heads] - places[tails]
        far = (apart**2).sum(axis=1)
        power = np.maximum(far, _NARROW) ** (_B - 1)
        pull = -2 * _A * _B * power / (1 + _A * power * far) * weights
        steps = np.clip(pull[:, np.newaxis] * apart, -_STEP, _STEP)
        moved = np.stack([np.bincount(heads, steps[:, axis], count) for axis in (0, 1)], axis=1)
        for others in random.integers(count, size=(_STRANGERS, count)):
            apart = places - places[others]
            far = (apart**2).sum(axis=1, keepdims=True)
            push = 2 * _B / ((0.001 + far) * (1 + _A * far**_B))
            moved += np.clip(push * apart, -_STEP, _STEP) * drawn * (_PUSH / _STRANGERS)
        places = places + np.clip(moved, -_STEP, _STEP) * (1 - round_ / _ROUNDS) * 0.5
    return places


def _between(rows: Array, landmarks: Array, places: Array, tell: Tell) -> Array:
    """Return places of all rows: each between the landmarks it is near to."""
    found = np.empty((len(rows), 2))
    count = min(_BETWEEN, len(landmarks))
    for start in range(0, len(rows), _BLOCK):
        tell(0.8 + 0.2 * start / len(rows))
        near, cosines = _nearest(_unit(rows[start : start + _BLOCK]), landmarks, count)
        apart = np.maximum(2 - 2 * cosines, 1e-6)
        weights = (1 / apart) / (1 / apart).sum(axis=1, keepdims=True)
        found[start : start + _BLOCK] = (places[near] * weights[..., np.newaxis]).sum(axis=1)
    return found


def _fitted(places: Array) -> Array:
    """Return places within [-1, 1], as they lie to each other."""
    centred = places - (places.max(axis=0) + places.min(axis=0)) / 2
    return np.asarray(centred / max(float(np.abs(centred).max()), _NARROW))
