"""Sounds that are nearly the same: copies, also in other formats, softer or a little shorter."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zounds.corpus.home import Home
from zounds.corpus.places import local_path
from zounds.corpus.search import Like, searchable
from zounds.corpus.spaces import KIND, SAME
from zounds.errors import SearchError
from zounds.index.duplicates import near_duplicates


@dataclass(frozen=True)
class Duplicate:
    """One of several sounds that are nearly the same.

    Parameters
    ----------
    id, name, uri : str
    seconds : float
    distance : int [unit=bits]
        From the first of its group.
    """

    id: str
    name: str
    uri: str
    seconds: float
    distance: int

    @property
    def path(self) -> Path | None:
        """Path or None : The file, where it is one on this machine."""
        return local_path(self.uri)

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        path = None if self.path is None else str(self.path)
        return {"path": path, **vars(self)}


def duplicates(home: Home, distance: Any, like: Like) -> list[tuple[Duplicate, ...]]:
    """See `Corpus.duplicates`."""
    if isinstance(distance, bool) or not isinstance(distance, int | np.integer) or distance < 0:
        raise SearchError(f"distance={distance!r}: give a whole number of bits, 0 or more")
    generation = searchable(home)
    layers, known = generation.layers("clip"), generation.known
    if like not in (KIND, SAME):
        raise SearchError(f"like={like!r}: give one of {(KIND, SAME)}")
    codes = layers.get(like, layers[KIND]).codes
    uris = {o.id: o.uri for o in home.catalogue.outcomes() if o.is_document}
    # what was removed since it was indexed is no duplicate; the others are where they are now
    rows = np.array([row for row, _id in enumerate(known.ids) if _id in uris], np.intp)
    groups = []
    for group in near_duplicates(codes[rows], int(distance), os.cpu_count() or 1):
        members = sorted(rows[group].tolist(), key=lambda row: uris[known.ids[row]])
        apart = np.bitwise_count(codes[members] ^ codes[members[0]]).sum(axis=1)
        groups.append(
            tuple(
                Duplicate(
                    known.ids[row],
                    known.names[row],
                    uris[known.ids[row]],
                    float(known.seconds[row]),
                    bits,
                )
                for row, bits in zip(members, apart.tolist(), strict=True)
            )
        )
    return sorted(groups, key=lambda group: group[0].uri)
