"""A fair sample of a stream of examples whose length is not known beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from zounds.errors import LearningError
from zounds.learn.transforms import checked, whole

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ReservoirSampler:
    """Samples rows without replacement, each with the same chance, and shuffles them.

    The sample depends on the rows and the seed, and not on how the rows are cut into chunks.
    It takes as much memory as the rows that came, and never more than `nsamples` and a chunk.

    Parameters
    ----------
    nsamples : int or float [unit=rows, range=[1, inf)]
        How many rows to keep, a whole number like 1e6; all of them, where fewer come.
    seed : int [range=[0, inf)]

    Raises
    ------
    InvalidParameter
        If either is not such a number.

    References
    ----------
    Algorithm R in Vitter, "Random sampling with a reservoir", ACM Transactions on Mathematical
    Software 11(1), 1985.

    Examples
    --------
    >>> stage = ReservoirSampler(nsamples=3).stream()
    >>> for start in (0, 50):
    ...     _ = stage.step(np.arange(start, start + 50).reshape(-1, 1))
    >>> (sample,) = stage.flush()
    >>> sample.shape, len(np.unique(sample))
    ((3, 1), 3)
    """

    nsamples: float = 1e6
    seed: int = 0
    revision: ClassVar[int] = 1

    def __post_init__(self) -> None:
        # one type, so that 1e6 and 1000000 are one node to a fingerprint
        object.__setattr__(self, "nsamples", whole("nsamples", self.nsamples, 1))
        object.__setattr__(self, "seed", whole("seed", self.seed, 0))

    def stream(self) -> _Reservoir:
        """Return a stage for one run.

        Its `step` takes chunks [shape=(n, d)] of one dtype and width, with no NaN or infinity;
        its `flush` gives one plain array [shape=(min(nsamples, total), d)], and a `LearningError`
        where no rows came.
        """
        return _Reservoir(int(self.nsamples), np.random.default_rng(self.seed))


class _Reservoir:
    def __init__(self, size: int, random: np.random.Generator) -> None:
        self._size = size
        self._random = random
        self._kept: Array | None = None
        self._seen = 0
        self._chunks = 0

    def step(self, chunk: npt.ArrayLike, /) -> tuple[()]:
        try:
            rows = checked(chunk)
        except LearningError as error:
            raise LearningError(f"chunk {self._chunks}: {error}") from None
        if self._kept is None:
            self._kept = np.empty((0, rows.shape[1]), rows.dtype)
        if (rows.shape[1], rows.dtype) != (self._kept.shape[1], self._kept.dtype):
            raise LearningError(
                f"chunk {self._chunks} has {rows.shape[1]} columns of {rows.dtype}, and those "
                f"before it {self._kept.shape[1]} of {self._kept.dtype}: sample one feature"
            )
        self._chunks += 1
        filled = min(self._seen, self._size)
        fresh = min(len(rows), self._size - filled)
        if fresh:
            self._grow(self._kept, filled + fresh)
            self._kept[filled : filled + fresh] = rows[:fresh]
            self._seen += fresh
        self._replace(self._kept, rows[fresh:])
        return ()

    def _grow(self, kept: Array, needed: int) -> None:
        if needed > len(kept):
            capacity = min(max(needed, 2 * len(kept)), self._size)
            # in place, so that old and new are not held together; nobody else refers to it
            kept.resize((capacity, kept.shape[1]), refcheck=False)

    def _replace(self, kept: Array, rows: Array) -> None:
        """Let each row take a random place among all so far, and be kept if there is one."""
        places = self._random.random(len(rows)) * np.arange(
            self._seen + 1, self._seen + len(rows) + 1
        )
        self._seen += len(rows)
        (lucky,) = np.nonzero(places < self._size)
        lucky = lucky[::-1]  # of the rows that meet in one place the last stays
        taken, which = np.unique(places[lucky].astype(np.intp), return_index=True)
        kept[taken] = rows[lucky[which]]

    def flush(self) -> Iterator[Array]:
        if self._kept is None or not self._seen:
            raise LearningError(
                "no examples came: docs= was empty, or its sounds were; were any processed?"
            )
        kept, self._kept = self._kept, None
        kept.resize((min(self._seen, self._size), kept.shape[1]), refcheck=False)
        # whole rows as single items, which NumPy shuffles fast and in place
        self._random.shuffle(kept.view(f"V{kept.shape[1] * kept.itemsize}")[:, 0])
        yield kept
