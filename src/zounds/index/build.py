"""What is asked of codes while an index is built, and what is said afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from zounds.arrays import ConstantRateTimeSeries
from zounds.errors import SearchError


@dataclass(frozen=True)
class Build:
    """What `HammingIndex.build` has done.

    Attributes
    ----------
    added, removed, kept : int
        Documents that were indexed, were taken out, and were in the index before.
    anew : bool
        Whether all of them were indexed because there was no index of such codes: none was built
        before, or it was damaged, or the codes are computed otherwise now.
    """

    added: int
    removed: int
    kept: int
    anew: bool

    def __str__(self) -> str:
        said = f"{self.added} added, {self.removed} removed, {self.kept} kept"
        return f"a new generation: {said}" if self.anew else said


class Width:
    """The length of the codes of an index.

    Parameters
    ----------
    bits : int or None
        None as long as there are no codes.
    """

    def __init__(self, bits: int | None) -> None:
        self.bits = bits
        self._like = "the index"

    def check(self, name: str, codes: Any) -> None:
        """Raise `SearchError` unless these are codes, and as long as the others."""
        timed = isinstance(codes, ConstantRateTimeSeries) and codes.ndim == 2
        if not timed or not np.isin(codes, (0, 1)).all():
            shape, dtype = getattr(codes, "shape", "none"), getattr(codes, "dtype", "none")
            raise SearchError(
                f"the codes of {name} are a {type(codes).__name__} of shape {shape} and "
                f"dtype {dtype}: an index takes a time series of (n, bits) zeros and ones"
            )
        if self.bits is None:
            self.bits, self._like = codes.shape[1], name
        if codes.shape[1] != self.bits:
            raise SearchError(
                f"the codes of {name} have {codes.shape[1]} bits, and those of {self._like} have "
                f"{self.bits}: an index takes one length"
            )
