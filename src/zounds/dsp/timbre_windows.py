"""The windows that timbre is described from, their spectra and bands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from zounds.dsp.scales import FilterBank, triangular_filters
from zounds.dsp.spectrum import power
from zounds.dsp.windows import Hann
from zounds.units import SR44100

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]

RATE = SR44100()
HERTZ = 44100


@dataclass(frozen=True)
class Framing:
    """Hann windows of a size, and how many bands are computed from each.

    Parameters
    ----------
    window, hop : int [unit=samples]
    n_bands : int
    """

    window: int
    hop: int
    n_bands: int

    def count(self, samples: int) -> int:
        """Return how many frames hold all samples, the last one padded with zeros; at least 1."""
        return 1 + max(0, -(-(samples - self.window) // self.hop))

    def span(self, frames: int) -> int:
        """Return how many samples a number of frames reaches over."""
        return (frames - 1) * self.hop + self.window

    def powers(self, samples: Float32, frames: int) -> Float32:
        """Return the power spectra of the first frames; a sine of amplitude a has a peak of a^2."""
        from scipy.fft import rfft  # importing it takes 0.2 s

        samples = np.ascontiguousarray(samples[: self.span(frames)])
        strides = (self.hop * samples.itemsize, samples.itemsize)
        windows = np.ndarray((frames, self.window), samples.dtype, samples, strides=strides)
        weighted = np.multiply(windows, _weights(self.window), order="C")
        return np.asarray(power(rfft(weighted, axis=1)))

    def bands(self, powers: Float32) -> Float32:
        """Return the mean power in each mel band."""
        return np.asarray(_mel_bands(self.window, self.n_bands)(powers))


LONG = Framing(window=4096, hop=1024, n_bands=128)
SHORT = Framing(window=1024, hop=256, n_bands=64)
PER_SEGMENT = 30
"""Long frames in a segment, 0.70 s; `SHORT_PER_SEGMENT` short ones begin in the same time."""
SHORT_PER_SEGMENT = PER_SEGMENT * LONG.hop // SHORT.hop


@lru_cache(maxsize=8)
def _weights(window: int) -> Float32:
    """Return a Hann window of mean 2, so that a sine has its amplitude as its peak."""
    return constant(Hann()(window) * np.float32(4 / window))


@lru_cache(maxsize=8)
def _mel_bands(window: int, n_bands: int) -> FilterBank:
    """Return triangles from 40 Hz to 18 kHz, each a weighted mean of the bins.

    The bands are equally spaced on the scale 2595 log10(1 + f / 700) of O'Shaughnessy, Speech
    Communication, 1987.
    """
    low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (40, 18000))
    edges = 700 * (10 ** (np.linspace(low, high, n_bands + 2) / 2595) - 1)
    bins = np.arange(window // 2 + 1) * (HERTZ / window)
    weights = triangular_filters(bins, edges[:-2], edges[1:-1], edges[2:])
    return FilterBank(weights / weights.sum(axis=0))


def constant(array: Array) -> Float32:
    """Return an array in single precision, which may not be written to."""
    result = array.astype(np.float32)
    result.setflags(write=False)
    return result
