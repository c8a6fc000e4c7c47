"""Window functions: a number of samples to that many weights.

The cosine windows are periodic (DFT-even), as analysis with a hop needs them: shifted copies of
a half-lapped Hann window add up to exactly one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter

Weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Hann:
    """The periodic Hann window, ``0.5 - 0.5 cos(2 pi k / n)``.

    References
    ----------
    Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform",
    Proc. IEEE 66(1), 1978, eq. 27b.

    Examples
    --------
    >>> Hann()(4).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """

    revision: ClassVar[int] = 1

    def __call__(self, n: int, /) -> Weights:
        """Return the weights.

        Parameters
        ----------
        n : int [unit=samples, range=[1, inf)]

        Returns
        -------
        np.ndarray [shape=(n,), dtype=float32, range=[0, 1]]
        """
        return _raised_cosine(n, 0.5)


@dataclass(frozen=True)
class Hamming:
    """The periodic Hamming window, ``0.54 - 0.46 cos(2 pi k / n)``.

    References
    ----------
    Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform",
    Proc. IEEE 66(1), 1978, eq. 30b.
    """

    revision: ClassVar[int] = 1

    def __call__(self, n: int, /) -> Weights:
        """Return the weights.

        Parameters
        ----------
        n : int [unit=samples, range=[1, inf)]

        Returns
        -------
        np.ndarray [shape=(n,), dtype=float32, range=[0.08, 1]]
        """
        return _raised_cosine(n, 0.54)


@dataclass(frozen=True)
class Vorbis:
    """The power-complementary window of Ogg Vorbis, ``sin(pi/2 sin^2(pi (k + 1/2) / n))``.

    Half-lapped, the squares of its copies add up to one: applied before and after a transform,
    it gives the signal back.

    References
    ----------
    Xiph.Org Foundation, "Vorbis I specification", 2020, section 4.3.1.
    """

    revision: ClassVar[int] = 1

    def __call__(self, n: int, /) -> Weights:
        """Return the weights.

        Parameters
        ----------
        n : int [unit=samples, range=[1, inf)]

        Returns
        -------
        np.ndarray [shape=(n,), dtype=float32, range=(0, 1]]
        """
        inner = np.sin(np.pi * (_samples(n) + 0.5) / n)
        return np.sin(np.pi / 2 * inner**2).astype(np.float32)


def _raised_cosine(n: int, alpha: float) -> Weights:
    return _kept_raised_cosine(n, alpha).copy()


@lru_cache(maxsize=16)
def _kept_raised_cosine(n: int, alpha: float) -> Weights:
    samples = _samples(n)
    if n == 1:
        return np.ones(1, np.float32)  # the formula would silence the only sample
    return (alpha - (1 - alpha) * np.cos(2 * np.pi * samples / n)).astype(np.float32)


def _samples(n: int) -> npt.NDArray[np.float64]:
    if n < 1:
        raise InvalidParameter(f"a window of n={n} samples: give at least 1")
    return np.arange(n, dtype=np.float64)
