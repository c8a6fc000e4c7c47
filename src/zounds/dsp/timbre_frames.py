"""The frames that timbre is described from: spectra of audio, segment by segment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from zounds.arrays import AudioSamples
from zounds.dsp.frames import samplerate_of
from zounds.dsp.scales import FilterBank, triangular_filters
from zounds.dsp.spectrum import power
from zounds.dsp.windows import Hann
from zounds.errors import UnitsError
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

        windows = sliding_window_view(samples, self.window)[:: self.hop][:frames]
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

# From 10 bins to hundreds: where the spectrum is cut for the statistics of its bands.
BAND_EDGES = (0, 10, 20, 40, 80, 160, 320, 640, 1025, 1600, LONG.window // 2 + 1)

# In samples: periods from 29 Hz to 1.5 kHz.
SHORTEST_PERIOD, LONGEST_PERIOD = 29, 1499


@dataclass(frozen=True)
class Spectra:
    """What the timbre of a stretch of sound is described from; made by `TimbreFrames`.

    There are m long frames, every 1024 samples, and n short ones, every 256.

    Attributes
    ----------
    powers : np.ndarray [shape=(m, 2049), dtype=float32, range=[0, inf)]
        The power spectra of the long frames.
    ordered : np.ndarray [shape=(m, 2049), dtype=float32, range=[0, inf)]
        The same, with the bins between every two `BAND_EDGES` sorted.
    bands : np.ndarray [shape=(m, 128), dtype=float32, range=[0, inf)]
        Mean powers in mel bands.
    energies : np.ndarray [shape=(m,), dtype=float32, range=[0, inf)]
        The sums of the power spectra.
    crossings : np.ndarray [shape=(m,), dtype=float32, range=[0, 1]]
        How many of the samples are followed by one of the other sign.
    periodicity : np.ndarray [shape=(m, 2), dtype=float32]
        The highest value of the normalised autocorrelation, and that at half of its lag.
    short_bands : np.ndarray [shape=(n, 64), dtype=float32, range=[0, inf)]
        Mean powers in mel bands of the short frames.
    short_energies : np.ndarray [shape=(n,), dtype=float32, range=[0, inf)]
        The sums of their power spectra.
    """

    powers: Float32
    ordered: Float32
    bands: Float32
    energies: Float32
    crossings: Float32
    periodicity: Float32
    short_bands: Float32
    short_energies: Float32

    def __len__(self) -> int:
        """Return the number of long frames."""
        return len(self.powers)

    def first(self, count: int, short: int) -> Spectra:
        """Return the first `count` long frames and the first `short` short ones."""
        return Spectra(
            **{
                field.name: getattr(self, field.name)[
                    : short if field.name.startswith("short_") else count
                ]
                for field in fields(self)
            }
        )


@dataclass(frozen=True)
class TimbreFrames:
    """Node: mono audio to the spectra that `TimbreSegments` and `TimbreClip` describe it by.

    `AudioSamples` [shape=(n,)] at 44.1 kHz to a `Spectra` for each segment of 30 long frames
    (0.70 s); the last one has what is left. Frames are left-aligned, the last ones padded with
    zeros. The last segment has all the short frames that are left, up to 9 more than four for
    each long one.
    """

    revision: ClassVar[int] = 1

    def stream(self) -> _Segmenting:
        """Return a stage for one run."""
        return _Segmenting()


class _Segmenting:
    """The samples of one segment, and one more, for the sign that follows its last frame."""

    def __init__(self) -> None:
        self._buffer = np.zeros(LONG.span(PER_SEGMENT) + 1, np.float32)
        self._filled = 0

    def step(self, chunk: AudioSamples, /) -> Iterator[Spectra]:
        """Take samples; return the segments that they complete."""
        samples = mono_samples(chunk, "TimbreFrames")
        taken = 0
        while taken < len(samples):
            count = min(len(self._buffer) - self._filled, len(samples) - taken)
            self._buffer[self._filled : self._filled + count] = samples[taken : taken + count]
            self._filled += count
            taken += count
            if self._filled == len(self._buffer):
                yield _spectra(self._buffer, PER_SEGMENT, SHORT_PER_SEGMENT, self._filled)
                shared = self._filled - PER_SEGMENT * LONG.hop
                self._buffer[:shared] = self._buffer[-shared:]
                self._filled = shared

    def flush(self) -> Iterable[Spectra]:
        """Return the last segment: what is left has a sample that no frame has had."""
        if not self._filled:
            return ()
        self._buffer[self._filled :] = 0
        long, short = LONG.count(self._filled), SHORT.count(self._filled)
        return (_spectra(self._buffer, long, short, self._filled),)


def _spectra(samples: Float32, long: int, short: int, filled: int) -> Spectra:
    """Return what is computed from the first frames of `samples`, of which some are filled."""
    powers = LONG.powers(samples, long)
    energies = powers.sum(axis=1)
    short_powers = SHORT.powers(samples, short)
    return Spectra(
        powers=powers,
        ordered=_ordered(powers),
        bands=LONG.bands(powers),
        energies=energies,
        crossings=_crossings(samples, long, filled),
        periodicity=_periodicity(powers, energies),
        short_bands=SHORT.bands(short_powers),
        short_energies=short_powers.sum(axis=1),
    )


def _ordered(powers: Float32) -> Float32:
    """Return spectra with the bins between every two `BAND_EDGES` sorted."""
    result: Float32 = powers.copy()
    # What is not negative is ordered as its bits are; integers are sorted 1.5 times as fast.
    bits = result.view(np.uint32)
    for start, stop in pairwise(BAND_EDGES):
        bits[:, start:stop].sort(axis=1)
    return result


def _crossings(samples: Float32, frames: int, filled: int) -> Float32:
    """Return the rate of zero crossings: of the pairs that begin in a frame, those that differ."""
    negative = np.signbit(samples)
    # the buffer has as many pairs as the hops of its frames have samples
    changes = negative[1:] != negative[:-1]
    changes[filled - 1 :] = False  # padding is no sound
    per_hop = np.count_nonzero(changes.reshape(-1, LONG.hop), axis=1)
    counts = sliding_window_view(per_hop, LONG.window // LONG.hop)[:frames].sum(axis=1)
    return np.asarray(counts / LONG.window, np.float32)


def _periodicity(powers: Float32, energies: Float32) -> Float32:
    """Return the normalised autocorrelation at the period of each frame, and at half of it.

    The period is the first maximum that reaches nine tenths of the highest value; that value
    itself, not the one at the period, is returned first.
    """
    from scipy.fft import dct

    # Wiener-Khinchin: the spectrum of a real sequence that is its own mirror image is a DCT-I.
    lags = dct(powers, type=1, axis=1)[:, : LONGEST_PERIOD + 1]
    zeroth = np.where(energies > 0, lags[:, 0], 1)[:, np.newaxis]
    lags *= _lag_gains()
    searched = lags[:, SHORTEST_PERIOD:]
    rows = np.arange(len(lags))
    highest = searched.max(axis=1)
    near = (searched > np.float32(0.9) * highest[:, np.newaxis]).argmax(axis=1)
    ahead = np.minimum(near[:, np.newaxis] + np.arange(_CLIMB + 1), searched.shape[1] - 1)
    rising = np.diff(searched[rows[:, np.newaxis], ahead], axis=1) > 0
    period = SHORTEST_PERIOD + near + np.logical_and.accumulate(rising, axis=1).sum(axis=1)
    return np.asarray(np.stack([highest, lags[rows, period // 2]], axis=1) / zeroth)


_CLIMB = 12  # lags at most from nine tenths of the highest value to the maximum beyond


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


@lru_cache(maxsize=1)
def _lag_gains() -> Float32:
    """Return what undoes the window's effect on the autocorrelation."""
    from scipy.fft import irfft, rfft

    window = irfft(np.abs(rfft(Hann()(LONG.window))) ** 2)[: LONGEST_PERIOD + 1]
    return constant(window[0] / window)


def mono_samples(samples: AudioSamples, owner: str) -> Array:
    """Return the samples of mono audio at 44.1 kHz, as a plain array.

    Raises
    ------
    UnitsError
        In the name of `owner`, if they are anything else.
    """
    rate = samplerate_of(samples, owner)
    if samples.ndim != 1 or rate != RATE:
        raise UnitsError(
            f"{owner} was given samples of shape {samples.shape} at {rate}: give mono audio at "
            "44.1 kHz, as zounds.Mono() and zounds.Resample(zounds.SR44100()) make it"
        )
    return np.asarray(samples)


def constant(array: Array) -> Float32:
    """Return an array in single precision, which may not be written to."""
    result = array.astype(np.float32)
    result.setflags(write=False)
    return result
