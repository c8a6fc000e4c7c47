"""The frames that timbre is described from: spectra of audio, segment by segment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from zounds.arrays import AudioSamples
from zounds.dsp.frames import samplerate_of
from zounds.dsp.timbre_statistics import statistics
from zounds.dsp.timbre_windows import LONG, PER_SEGMENT, RATE, SHORT, SHORT_PER_SEGMENT
from zounds.errors import UnitsError

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Spectra:
    """What the timbre of a stretch of sound is described from; made by `TimbreFrames`.

    There are m long frames, every 1024 samples, and n short ones, every 256.

    Attributes
    ----------
    energies : np.ndarray [shape=(m,), dtype=float32, range=[0, inf)]
        The sums of the power spectra of the long frames.
    bands : np.ndarray [shape=(m, 128), dtype=float32, range=[0, inf)]
        Their mean powers in mel bands.
    statistics : np.ndarray [shape=(m, 27), dtype=float32]
        What `zounds.dsp.timbre_statistics.statistics` says of them.
    short_energies : np.ndarray [shape=(n,), dtype=float32, range=[0, inf)]
        The sums of the power spectra of the short frames.
    short_bands : np.ndarray [shape=(n, 64), dtype=float32, range=[0, inf)]
        Their mean powers in mel bands.
    """

    energies: Float32
    bands: Float32
    statistics: Float32
    short_energies: Float32
    short_bands: Float32

    def __len__(self) -> int:
        """Return the number of long frames."""
        return len(self.energies)

    def first(self, count: int, short: int) -> Spectra:
        """Return the first `count` long frames and the first `short` short ones."""
        return Spectra(
            self.energies[:count],
            self.bands[:count],
            self.statistics[:count],
            self.short_energies[:short],
            self.short_bands[:short],
        )


@dataclass(frozen=True)
class TimbreFrames:
    """Node: mono audio to the spectra that `TimbreSegments` and `TimbreClip` describe it by.

    `AudioSamples` [shape=(n,)] at 44.1 kHz to a `Spectra` for each segment of 30 long frames
    (0.70 s); the last one has what is left. Frames are left-aligned, the last ones padded with
    zeros. The last segment has all the short frames that are left, up to 9 more than four for
    each long one.
    """

    revision: ClassVar[int] = 2

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
        energies=energies,
        bands=LONG.bands(powers),
        statistics=statistics(powers, energies, _crossings(samples, long, filled)),
        short_energies=short_powers.sum(axis=1),
        short_bands=SHORT.bands(short_powers),
    )


def _crossings(samples: Float32, frames: int, filled: int) -> Float32:
    """Return the rate of zero crossings: of the pairs that begin in a frame, those that differ."""
    negative = np.signbit(samples)
    # the buffer has as many pairs as the hops of its frames have samples
    changes = negative[1:] != negative[:-1]
    changes[filled - 1 :] = False  # padding is no sound
    per_hop = np.count_nonzero(changes.reshape(-1, LONG.hop), axis=1)
    overlap = LONG.window // LONG.hop
    counts = sum(per_hop[start : start + frames] for start in range(overlap))
    return np.asarray(counts / LONG.window, np.float32)


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
