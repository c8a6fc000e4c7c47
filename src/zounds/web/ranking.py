"""Which codes are nearest: to several queries, far from others, among some documents only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from zounds.corpus.view import Coded
from zounds.index.hamming import Codes, distances_to
from zounds.index.results import Hit

_LESS = 0.5  # how much the distance from one of `less` counts, beside one of `more`


def ranked(
    snapshot: Coded,
    more: Sequence[Codes],
    less: Sequence[Codes],
    n: int,
    per_file: int | None,
    among: npt.NDArray[np.bool_] | None,
) -> list[Hit]:
    """Return the best hits, the best first; of equal ones, in the order of documents and of time.

    Parameters
    ----------
    snapshot : Coded
    more : sequence of np.ndarray [shape=(q, bytes), dtype=uint8]
        The codes of each sound that hits shall be near to: on the average of the sounds, to
        whichever of its codes is nearest.
    less : sequence of np.ndarray
        Of those they shall be far from.
    n : int
    per_file : int or None
        How many hits there may be of one document.
    among : np.ndarray or None [shape=(documents,), dtype=bool]
        Which documents may be hit; None for all.
    """
    near = [distances_to(snapshot.codes, codes) for codes in more]
    cost = np.mean(near, axis=0)
    shown = near[0] if len(near) == 1 else distances_to(snapshot.codes, agreed(more)[np.newaxis])
    if less:
        cost = cost - _LESS * np.mean([distances_to(snapshot.codes, c) for c in less], axis=0)
    rows = np.arange(len(cost))
    if among is not None:
        rows = np.flatnonzero(np.repeat(among, np.diff(snapshot.offsets)))
    hits: list[Hit] = []
    taken: dict[int, int] = {}
    for row in rows[np.argsort(cost[rows], kind="stable")]:
        document, time = snapshot.place(int(row))
        if per_file is not None and taken.get(document, 0) >= per_file:
            continue
        taken[document] = taken.get(document, 0) + 1
        hits.append(Hit(snapshot.ids[document], time, int(shown[row]), snapshot.names[document]))
        if len(hits) == n:
            break
    return hits


def agreed(more: Sequence[Codes]) -> npt.NDArray[np.uint8]:
    """Return the code whose bits most of the sounds have; where they are even, the first sound's.

    Returns
    -------
    np.ndarray [shape=(bytes,), dtype=uint8]
    """
    bits = np.array([np.unpackbits(codes[0]) for codes in more], np.int64)
    votes = 2 * bits.sum(axis=0) - len(bits)
    return np.packbits(np.where(votes == 0, bits[0], votes > 0))
