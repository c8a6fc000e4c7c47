"""Statistics of spectra, frame by frame: what of timbre the cepstrum does not say."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from zounds.dsp.timbre_windows import HERTZ, LONG, constant
from zounds.dsp.windows import Hann

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]

# White noise, in each bin 90 dB below the energy of the frame: is added, so that what lies below,
# such as the noise of 16 bits in a soft sound, or what a coder left out, does not count.
_FLOOR = 1e-9
_SILENCE = 1e-26  # a frame of less energy has nothing but this noise

# From 10 bins to hundreds: where the spectrum is cut for the statistics of its bands.
_EDGES = (0, 10, 20, 40, 80, 160, 320, 640, 1025, 1600, LONG.window // 2 + 1)
_CONTRAST = 0.2  # the share of a band's bins that are its peaks, and that are its valleys
_ROLLOFFS = np.array([0.85, 0.5])
_GROUP = 32  # bins that are added up first, to find those

# In samples: periods from 29 Hz to 1.5 kHz.
_SHORTEST, _LONGEST = 29, 1499
_CLIMB = 12  # lags at most from nine tenths of the highest value to the maximum beyond


def statistics(powers: Float32, energies: Float32, crossings: Float32) -> Float32:
    """Return statistics of the power spectra of long frames.

    ===== ===== ============================================================================
    0, 1  ln Hz centroid and spread of the magnitudes, plus 20 Hz
    2, 3  ln Hz roll-off: where 85 % and 50 % of the energy lie below, plus 20 Hz
    4           zero crossings for each sample
    5, 6        autocorrelation at the period, range [0, 1], and at half of it
    7-16  ln    contrast of 10 bands: the mean of the highest fifth over that of the lowest
    17-26 ln    flatness of 10 bands: the arithmetic over the geometric mean
    ===== ===== ============================================================================

    Each frame is described relative to its own energy: a gain changes nothing.

    Parameters
    ----------
    powers : np.ndarray [shape=(m, 2049), range=[0, inf)]
    energies : np.ndarray [shape=(m,), range=[0, inf)]
        Their sums.
    crossings : np.ndarray [shape=(m,), range=[0, 1]]

    Returns
    -------
    np.ndarray [shape=(m, 27), dtype=float32]
        Finite, also for silence.
    """
    audible = energies >= _SILENCE
    # the noise is the unit of all powers from here
    scale = np.where(audible, 1 / (_FLOOR * np.where(audible, energies, 1)), 0).astype(np.float32)
    noisy = powers * scale[:, np.newaxis]
    noisy += 1
    total, first, second = (np.sqrt(noisy) @ _moments()).T
    centroid = first / total
    spread = np.maximum(second / total - np.square(centroid), (2 / HERTZ) ** 2)  # at least 1 Hz
    nyquists = np.column_stack([centroid, np.sqrt(spread), _rolloffs(noisy)])

    # the zeroth lag of the autocorrelation, which alone has a share of the noise
    zeroth = (2 * energies - powers[:, 0] - powers[:, -1]) * scale
    periodicity = _periodicity(powers, energies) * (zeroth / (zeroth + LONG.window))[:, np.newaxis]
    periodicity[:, 0] = np.minimum(np.maximum(periodicity[:, 0], 0), 1)

    # What is not negative is ordered as its bits are; integers are sorted 1.5 times as fast.
    bits = noisy.view(np.uint32)
    for start, stop in pairwise(_EDGES):
        bits[:, start:stop].sort(axis=1)
    means, contrasts = _band_weights()
    arithmetic = np.log(noisy @ means)
    np.log(noisy, out=noisy)
    columns = (
        np.log(nyquists * (HERTZ / 2) + 20),
        crossings,
        periodicity,
        noisy @ contrasts,
        arithmetic - noisy @ means,
    )
    return np.asarray(np.column_stack(columns), np.float32)


def _rolloffs(powers: Float32) -> Array:
    """Return where 85 % and 50 % of each spectrum lie below.

    Parameters
    ----------
    powers : np.ndarray [shape=(m, 2049), range=(0, inf)]

    Returns
    -------
    np.ndarray [shape=(m, 2), range=[0, 1], unit=Nyquist frequency]
    """
    # Sums of 32 bins first, then the bins of the one group in question: adding up all the bins
    # of all the frames takes as long as their Fourier transform.
    rows, last = np.arange(len(powers))[:, np.newaxis], powers.shape[1] - 1
    groups = powers[:, :last].reshape(len(powers), -1, _GROUP) @ np.ones(_GROUP, np.float32)
    sums = np.zeros((len(groups), groups.shape[1] + 1))
    groups.cumsum(axis=1, dtype=np.float64, out=sums[:, 1:])
    target = _ROLLOFFS * (sums[:, -1:] + powers[:, last:])
    group = np.count_nonzero(sums[:, np.newaxis, 1:] < target[:, :, np.newaxis], axis=2)
    bins = np.minimum(_GROUP * group[:, :, np.newaxis] + np.arange(_GROUP), last)
    inside = powers[rows[:, np.newaxis], bins].cumsum(axis=2)
    left = (target - sums[rows, group])[:, :, np.newaxis]
    below = _GROUP * group + np.count_nonzero(inside < left, axis=2)
    return np.asarray(np.minimum(below, last) / last)


def _periodicity(powers: Float32, energies: Float32) -> Float32:
    """Return the normalised autocorrelation at the period of each frame, and at half of it.

    The period is the first maximum that reaches nine tenths of the highest value; that value
    itself, not the one at the period, is returned first.
    """
    from scipy.fft import dct  # importing it takes 0.2 s

    # Wiener-Khinchin: the spectrum of a real sequence that is its own mirror image is a DCT-I.
    lags = dct(powers, type=1, axis=1)[:, : _LONGEST + 1] * _lag_gains()
    zeroth = np.where(energies > 0, lags[:, 0], 1)[:, np.newaxis]
    searched = lags[:, _SHORTEST:]
    rows = np.arange(len(lags))
    highest = searched.max(axis=1)
    near = (searched > np.float32(0.9) * highest[:, np.newaxis]).argmax(axis=1)
    ahead = np.minimum(near[:, np.newaxis] + np.arange(_CLIMB + 1), searched.shape[1] - 1)
    rising = np.diff(searched[rows[:, np.newaxis], ahead], axis=1) > 0
    period = _SHORTEST + near + np.logical_and.accumulate(rising, axis=1).sum(axis=1)
    return np.asarray(np.stack([highest, lags[rows, period // 2]], axis=1) / zeroth)


@lru_cache(maxsize=1)
def _lag_gains() -> Float32:
    """Return what undoes the window's effect on the autocorrelation."""
    from scipy.fft import irfft, rfft

    window = irfft(np.abs(rfft(Hann()(LONG.window))) ** 2)[: _LONGEST + 1]
    return constant(window[0] / window)


@lru_cache(maxsize=1)
def _moments() -> Float32:
    """Return the powers 0, 1 and 2 of the bins' places from 0 to 1 [shape=(2049, 3)]."""
    places = np.linspace(0, 1, LONG.window // 2 + 1)
    return constant(np.stack([places**0, places, places**2], axis=1))


@lru_cache(maxsize=1)
def _band_weights() -> tuple[Float32, Float32]:
    """Return what makes means and contrasts of sorted bins [shape=(2049, 10) each]."""
    means = np.zeros((_EDGES[-1], len(_EDGES) - 1))
    contrasts = np.zeros_like(means)
    for band, (start, stop) in enumerate(pairwise(_EDGES)):
        share = int(_CONTRAST * (stop - start))
        means[start:stop, band] = 1 / (stop - start)
        contrasts[start : start + share, band] = -1 / share
        contrasts[stop - share : stop, band] = 1 / share
    return constant(means), constant(contrasts)
