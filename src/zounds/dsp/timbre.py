"""The timbre of a stretch of sound, in 330 numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from zounds.arrays import ConstantRateTimeSeries
from zounds.dsp.timbre_frames import Spectra
from zounds.dsp.timbre_windows import (
    HERTZ,
    LONG,
    PER_SEGMENT,
    RATE,
    SHORT,
    SHORT_PER_SEGMENT,
    constant,
)
from zounds.units import SampleRate

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]

CLIP_FRAMES = (20 * HERTZ - LONG.window) // LONG.hop + 1
"""Long frames that a clip is described by: those that lie in its first 20 s."""
_CLIP_SHORT_FRAMES = (LONG.span(CLIP_FRAMES) - SHORT.window) // SHORT.hop + 1
_SEGMENT_RATE = SampleRate(
    PER_SEGMENT * LONG.hop * RATE.frequency, LONG.span(PER_SEGMENT) * RATE.frequency
)

# All levels are relative to the loudest moment of what is described. These are powers.
_GATE = 1e-5  # -50 dB: frames below are not active
_BAND_RANGE = 1e-8  # -80 dB: band powers below the highest count as this much
_ROUNDING = 1e-14  # -140 dB: band powers below count as this much, as rounding makes some
_INAUDIBLE = 1e-26  # of the energy of the loudest frame: below, there is only silence,
_SILENCE = 1e-14  # and by convention all of its band powers are this, -140 dB

_ENVELOPE_COEFFS = 22
_ENVELOPE_ROUNDS = 6
LEVELS = (0, 98)
"""Which of the numbers have the level: the 0th coefficients."""
_ONSET = (-2, 1, 5, 15, 40)  # in short frames from the beginning: windows in which it is described


@dataclass(frozen=True)
class TimbreSegments:
    """Node: the descriptor of each segment, of 30 long frames every 0.70 s.

    `Spectra`, as `TimbreFrames` makes them, to `ConstantRateTimeSeries` [shape=(1, 330),
    dtype=float32]. See `describe` for the numbers.
    """

    revision: ClassVar[int] = 2

    def __call__(self, segment: Spectra, /) -> ConstantRateTimeSeries:
        """Return the descriptor of a segment, as one row."""
        # the short frames that begin within it; the last segment has a few more
        own = segment.first(PER_SEGMENT, SHORT_PER_SEGMENT)
        return ConstantRateTimeSeries(describe([own])[np.newaxis], _SEGMENT_RATE)


@dataclass(frozen=True)
class TimbreClip:
    """Node: the descriptor of a whole clip, of its first 20 s.

    `Spectra`, as `TimbreFrames` makes them, to one `ConstantRateTimeSeries` [shape=(1, 330),
    dtype=float32]. See `describe` for the numbers.
    """

    revision: ClassVar[int] = 2

    def stream(self) -> _Clip:
        """Return a stage for one run."""
        return _Clip()


class _Clip:
    """The spectra of at most 20 s: 15 MB. What is loudest is not known before the end."""

    def __init__(self) -> None:
        self._parts: list[Spectra] = []
        self._frames = 0
        self._short_frames = 0

    def step(self, segment: Spectra, /) -> Iterable[ConstantRateTimeSeries]:
        """Take a segment."""
        part = segment.first(CLIP_FRAMES - self._frames, _CLIP_SHORT_FRAMES - self._short_frames)
        if len(part):
            self._parts.append(part)
            self._frames += len(part)
            self._short_frames += len(part.short_energies)
        return ()

    def flush(self) -> Iterable[ConstantRateTimeSeries]:
        """Return the descriptor."""
        if not self._parts:
            return ()
        span = LONG.span(self._frames) * RATE.frequency
        row = describe(self._parts)[np.newaxis]
        self._parts = []
        return (ConstantRateTimeSeries(row, SampleRate(span, span)),)


def describe(parts: Sequence[Spectra]) -> Float32:
    """Return the descriptor of a stretch of sound.

    ======= ==== ===========================================================================
    0-39    dB   MFCC 0 to 19 of all long frames: means, standard deviations
    40-97   dB   MFCC 1 to 29 of the active ones: means, standard deviations
    98-119  dB   cepstrum of the true envelope, 0 to 21: means weighted by amplitude
    120-200      attack, sustain and decay: see `_course`
    201-254      `zounds.dsp.timbre_statistics.statistics`: means, standard deviations
    255-281      the same: means weighted by amplitude
    282-329 dB   onset: see `_course`
    ======= ==== ===========================================================================

    Frames are active that are less than 50 dB below the loudest one. All is relative to the
    loudest moment, so that gain shows in columns 0 and 98 only, the level in dB: by 113 for
    10 dB.

    Parameters
    ----------
    parts : sequence of Spectra
        Segments that follow each other.

    Returns
    -------
    np.ndarray [shape=(330,), dtype=float32]
        Finite, also for silence.

    References
    ----------
    Davis & Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences", IEEE Trans. ASSP 28(4), 1980 (MFCC).
    Villavicencio, Röbel & Rodet, "Improving LPC spectral envelope extraction of voiced speech by
    true-envelope estimation", ICASSP 2006.
    Jiang et al., "Music type classification by spectral contrast feature", ICME 2002.
    Peeters, "A large set of audio features for sound description", IRCAM 2004 (the statistics,
    and the times of the attack).
    """
    energies = np.concatenate([part.energies for part in parts])
    loudest = float(energies.max())
    active = energies >= _GATE * energies.max()
    weights = _weights(energies[active])

    decibels, level = _decibels(np.concatenate([part.bands for part in parts]), loudest)
    mfcc = decibels @ _dct(LONG.n_bands, 30)
    envelope = weights @ _envelope(decibels[active])
    statistics = np.concatenate([part.statistics for part in parts])[active]

    attack, onset = _course(
        np.concatenate([part.short_bands for part in parts]),
        np.concatenate([part.short_energies for part in parts]),
    )
    result: Float32 = np.concatenate(
        [
            *_mean_and_deviation(mfcc[:, :20]),
            *_mean_and_deviation(mfcc[active, 1:]),
            envelope,
            attack,
            *_mean_and_deviation(statistics),
            weights @ statistics,
            onset,
        ],
        dtype=np.float32,
    )
    # A constant in all bands is in the 0th coefficients only. Added here, and not before, it does
    # not round the other numbers differently at another gain.
    result[list(LEVELS)] += level * math.sqrt(LONG.n_bands)
    return result


def _weights(energies: Float32) -> Float32:
    """Return amplitudes that add up to one."""
    amplitudes = np.sqrt(energies) if energies.any() else np.ones_like(energies)
    return np.asarray(amplitudes / amplitudes.sum())


def _mean_and_deviation(rows: Array) -> tuple[Array, Array]:
    # `np.mean` takes longer to find out what to do than to do it
    mean = np.add.reduce(rows, axis=0) / np.float32(len(rows))
    apart = rows - mean
    apart *= apart
    return mean, np.sqrt(np.add.reduce(apart, axis=0) / np.float32(len(rows)))


def _decibels(bands: Float32, loudest: float) -> tuple[Float32, float]:
    """Return band powers in dB [range=[-80, 0]] relative to a level, and the level in dB."""
    reference = max(float(bands.max()), loudest * (_ROUNDING / _BAND_RANGE))
    if loudest < _INAUDIBLE:
        reference = _SILENCE / _BAND_RANGE
    decibels = np.multiply(bands, np.float32(1 / reference))
    np.maximum(decibels, _BAND_RANGE, out=decibels)
    np.log10(decibels, out=decibels)
    decibels *= 10
    return decibels, 10 * math.log10(reference)


def _envelope(decibels: Float32) -> Float32:
    """Return the cepstrum of the true envelope, a smooth curve through the peaks.

    Cepstral smoothing of the greater of the spectrum and what smoothing made of it, again and
    again.
    """
    basis = _dct(LONG.n_bands, _ENVELOPE_COEFFS)
    highest = decibels
    cepstrum = highest @ basis
    for _ in range(_ENVELOPE_ROUNDS - 1):
        highest = np.maximum(decibels, cepstrum @ basis.T)
        cepstrum = highest @ basis
    return cepstrum


def _course(bands: Float32, energies: Float32) -> tuple[Array, Array]:
    """Return how a sound begins and goes on, from its short frames.

    The sound is what lies between its first and its last active frame. It begins where it
    reaches a fifth of its greatest amplitude; its peak is where it has that.

    Parameters
    ----------
    bands : np.ndarray [shape=(n, 64), range=[0, inf)]
    energies : np.ndarray [shape=(n,), range=[0, inf)]

    Returns
    -------
    attack : np.ndarray [shape=(81,)]
        In dB, MFCC 1 to 19: the mean from 4 frames before the beginning to 18 after it; the mean
        weighted by amplitude; the mean from 18 frames after the peak on, less the weighted one;
        the deviation. Then logarithms of times: from the beginning to the peak, the centroid of
        the amplitude (both ln s), the share of frames above half of the peak, the length (ln s),
        the share above a tenth.
    onset : np.ndarray [shape=(48,), unit=dB]
        MFCC 1 to 12, less the weighted mean: the means from 2 frames before the beginning to
        1 after it, and from there to 5, 15 and 40 after it.
    """
    decibels, _ = _decibels(bands, float(energies.max()))
    active = np.flatnonzero(energies >= _GATE * energies.max())
    within = slice(active[0], active[-1] + 1)
    mfcc = (decibels[within] @ _dct(SHORT.n_bands, 20))[:, 1:]
    amplitudes = _weights(energies[within])
    n, highest = len(mfcc), amplitudes.max()
    peak = int(amplitudes.argmax())
    begin = int((amplitudes > 0.2 * highest).argmax())

    # in one matrix product: each row has the weights of a mean
    around = [(begin - 4, begin + 18), (peak + 18, n)]
    around += [(begin + start, begin + stop) for start, stop in pairwise(_ONSET)]
    means = np.zeros((len(around) + 1, n), np.float32)
    means[0] = amplitudes
    for row, (start, stop) in zip(means[1:], around, strict=True):
        start = min(max(start, 0), n - 1)  # of one frame at least, whatever lies outside
        stop = max(min(stop, n), start + 1)
        row[start:stop] = 1 / (stop - start)
    sustained, attack, decay, *onset = means @ mfcc

    hop = SHORT.hop / HERTZ
    times = [
        max(1, peak - begin) * hop,
        float(amplitudes @ np.arange(n)) * hop + 0.01,
        np.count_nonzero(amplitudes > 0.5 * highest) / n + 0.01,
        n * hop,
        np.count_nonzero(amplitudes > 0.1 * highest) / n + 0.01,
    ]
    _, deviation = _mean_and_deviation(mfcc)
    return (
        np.concatenate([attack, sustained, decay - sustained, deviation, np.log(times)]),
        np.concatenate([window[:12] - sustained[:12] for window in onset]),
    )


@lru_cache(maxsize=8)
def _dct(n_bands: int, n_coeffs: int) -> Float32:
    """Return the first columns of the orthonormal DCT-II [shape=(n_bands, n_coeffs)]."""
    from scipy.fft import dct

    return constant(dct(np.eye(n_bands), norm="ortho", axis=1)[:, :n_coeffs])
