"""From what is searched with to what is near: by codes, and the nearest by their vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from zounds.corpus.generation import Generation
from zounds.corpus.known import Mask
from zounds.corpus.spaces import Layer
from zounds.index.codes import Searchable
from zounds.index.scan import ROWS, SHIFT
from zounds.learn.binary import cosines

Near = tuple[int, int, int, float]  # a clip or segment, its document, its distance, its score

# How many are ranked by their vectors, at least, and how many moments of one sound among them.
_CANDIDATES = 100
_MOMENTS = 5


def by_codes(
    generation: Generation, unit: str, codes: Searchable, query: Layer, live: Mask | None
) -> Iterator[Near]:
    """Yield what is searched by the distance of its code to the nearest of a query.

    Parameters
    ----------
    live : np.ndarray [shape=(documents,), dtype=bool] or None
        Which documents count; None for all.
    """
    typical = generation.typical[unit]
    if live is not None and unit == "segment":
        live = np.repeat(live, np.diff(generation.offsets))
    for keys in codes.ranked(query.codes, live):
        rows, distances = (keys & ROWS).astype(np.intp), (keys >> SHIFT).astype(np.intp)
        owners = generation.owners(unit, rows).tolist()
        for row, owner, distance in zip(rows.tolist(), owners, distances.tolist(), strict=True):
            yield row, owner, distance, max(0.0, 1 - distance / typical)


def by_vectors(
    near: Iterator[Near], layer: Layer, queries: Any, n_results: int, per_file: int | None
) -> Iterator[Near]:
    """Yield the first by their vectors: so many, and not too many of one document."""
    most = max(_CANDIDATES, 2 * n_results) * (1 if per_file is None else _MOMENTS)
    taken: Counter[int] = Counter()
    chosen: list[Near] = []
    for one in near:
        taken[one[1]] += 1
        if per_file is None or taken[one[1]] <= _MOMENTS * per_file:
            chosen.append(one)
            if len(chosen) == most:
                break
    rows = np.array([row for row, *_ in chosen], np.intp)
    likeness = cosines(queries, layer.vectors_of(rows)).max(axis=0)
    for place in np.argsort(-likeness, kind="stable").tolist():
        row, owner, distance, _ = chosen[place]
        yield row, owner, distance, max(0.0, float(likeness[place]))
