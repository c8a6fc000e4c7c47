"""Band powers and cepstral coefficients of spectra."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter
from zounds.arrays import ConstantRateTimeSeries
from zounds.dsp.frames import samplerate_of
from zounds.dsp.scales import (
    BandScale,
    BarkScale,
    FilterBank,
    LinearScale,
    MelScale,
    check_bands,
    filter_bank,
)
from zounds.dsp.spectrum import power
from zounds.errors import UnitsError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Bands:
    """The powers of bands; what Bark and mel bands share."""

    n_bands: int
    start_hz: float
    stop_hz: float | None = None

    scale: ClassVar[type[BandScale]]
    highest_hz: ClassVar[float] = math.inf

    def __post_init__(self) -> None:
        stop = math.inf if self.stop_hz is None else self.stop_hz
        check_bands(type(self).__name__, self.n_bands, self.start_hz, stop)

    def __call__(self, spectrum: ConstantRateTimeSeries, /) -> ConstantRateTimeSeries:
        """Return the power of each band.

        Parameters
        ----------
        spectrum : ConstantRateTimeSeries [shape=(m, bins), unit of the second axis=LinearScale]
            As `FFT` makes it.

        Returns
        -------
        ConstantRateTimeSeries [shape=(m, n_bands), range=[0, inf)]
            float32 for complex64. The unit of the second axis is the scale of the bands.

        Raises
        ------
        UnitsError
            If the frequencies of the bins are not known, or only some of the bins are there.
        InvalidParameter
            If the bands reach beyond the spectrum.
        """
        name = type(self).__name__
        rate = samplerate_of(spectrum, name)
        bins = spectrum.units[1] if spectrum.ndim == 2 else None
        if not isinstance(bins, LinearScale):
            raise UnitsError(
                f"{name} was given shape {spectrum.shape} with units {spectrum.units}: it takes "
                "spectra of shape (m, bins) with a LinearScale, as FFT makes them"
            )
        if bins.bands is not None:
            raise UnitsError(
                f"{name} was given {len(bins.bands)} of the {bins.size} bins of a spectrum: "
                "compute the bands of the whole spectrum, then slice them"
            )
        scale, filters = _filters(self, bins)
        return ConstantRateTimeSeries(filters(power(np.asarray(spectrum))), rate, (scale,))


@lru_cache(maxsize=64)
def _filters(bands: _Bands, bins: LinearScale) -> tuple[BandScale, FilterBank]:
    """Return the scale of bands, placed by the spectrum at hand, and its filters."""
    stop = bands.stop_hz
    if stop is None:
        stop = min(bands.highest_hz, bins.all_frequencies[-1])
    scale = bands.scale(bands.start_hz, stop, bands.n_bands)
    return scale, filter_bank(scale, bins)


@dataclass(frozen=True)
class BarkBands(_Bands):
    """The mean power in bands that are equally spaced in Bark.

    The bands are placed by the frequencies of the spectrum at hand, so they are right at every
    sample rate. See `BarkScale` for the shape of the bands.

    Parameters
    ----------
    n_bands : int [range=[1, inf)]
        The number of bands; 100 by default.
    start_hz : float [unit=Hz, range=[0, stop_hz)]
        Where the first band begins; 50 Hz by default.
    stop_hz : float or None [unit=Hz]
        Where the last band ends. None, the default, stands for 16,384 Hz, or for the end of the
        spectrum if that is lower.

    Raises
    ------
    InvalidParameter
        If there is no band, or it does not go up from 0 Hz or more.

    References
    ----------
    Zwicker, "Subdivision of the audible frequency range into critical bands", JASA 33(2), 1961;
    for the scale see `hz_to_bark`.

    Examples
    --------
    >>> from zounds import AudioSamples, HalfLapped
    >>> from zounds.dsp import frames, spectrum
    >>> sine = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050).astype(np.float32)
    >>> windows = frames.SlidingWindow(HalfLapped())(AudioSamples(sine, 22050))
    >>> bands = BarkBands()(spectrum.FFT()(windows))
    >>> bands.shape, round(bands.units[1].frequencies[bands[0].argmax()])
    ((43, 100), 983)
    """

    n_bands: int = 100
    start_hz: float = 50.0

    revision: ClassVar[int] = 1
    scale: ClassVar[type[BandScale]] = BarkScale
    highest_hz: ClassVar[float] = 2.0**14


@dataclass(frozen=True)
class MelBands(_Bands):
    """The power in bands that are equally spaced in mels, as librosa computes it.

    Parameters
    ----------
    n_bands : int [range=[1, inf)]
        The number of bands; 128 by default.
    start_hz : float [unit=Hz, range=[0, stop_hz)]
        Where the first band begins; 0 Hz by default.
    stop_hz : float or None [unit=Hz]
        Where the last band ends. None, the default, stands for the end of the spectrum.

    Raises
    ------
    InvalidParameter
        If there is no band, or it does not go up from 0 Hz or more; on input, if the bins of
        the spectrum are too far apart for so many bands.

    References
    ----------
    Slaney, "Auditory Toolbox, version 2", Interval Research Corporation TR 1998-010, 1998.
    """

    n_bands: int = 128
    start_hz: float = 0.0

    revision: ClassVar[int] = 1
    scale: ClassVar[type[BandScale]] = MelScale


@dataclass(frozen=True)
class _Cepstrum:
    """The cosine transform of log band powers; what BFCC and MFCC share."""

    n_coeffs: int
    exclude: int

    floor: ClassVar[float]

    def __post_init__(self) -> None:
        if self.n_coeffs < 1 or self.exclude < 0:
            raise InvalidParameter(
                f"{self!r}: give at least 1 coefficient, and exclude 0 or more of the first"
            )

    def __call__(self, bands: ConstantRateTimeSeries, /) -> ConstantRateTimeSeries:
        """Return the cepstral coefficients of each frame.

        Parameters
        ----------
        bands : ConstantRateTimeSeries [shape=(m, n_bands), range=[0, 1e28)]
            Band powers; those below the class's `floor` count as the floor.

        Returns
        -------
        ConstantRateTimeSeries [shape=(m, n_coeffs), unit=dB]
            Of the dtype of `bands`. A frame of digital silence has exactly zero in each
            coefficient but the 0th.

        Raises
        ------
        UnitsError
            If `bands` has no time axis.
        InvalidParameter
            If there are fewer bands than coefficients.
        """
        rate = samplerate_of(bands, type(self).__name__)
        if bands.ndim != 2 or bands.shape[1] < self.exclude + self.n_coeffs:
            raise InvalidParameter(
                f"{self!r} was given bands of shape {bands.shape}: "
                f"give (m, n_bands) with at least {self.exclude + self.n_coeffs} bands"
            )
        n_bands = bands.shape[1]
        # Bels above the floor, not above 1: silence is a row of exact zeros, and so is its
        # transform. A constant added to all the bands shows in the 0th coefficient only.
        bels = np.multiply(np.asarray(bands), 1 / self.floor)
        np.maximum(bels, 1, out=bels)
        np.log10(bels, out=bels)
        coeffs = bels @ _dct_basis(n_bands, self.exclude, self.exclude + self.n_coeffs)
        if self.exclude == 0:
            coeffs[:, 0] += 10 * math.log10(self.floor) * math.sqrt(n_bands)
        return ConstantRateTimeSeries(coeffs, rate)


@dataclass(frozen=True)
class BFCC(_Cepstrum):
    """Bark-frequency cepstral coefficients: the shape of a spectrum, coarse to fine.

    The orthonormal DCT-II of the band powers in dB. Powers below 3e-8 count as 3e-8: the
    rounding of samples to 16 bits alone adds that much to each bin of 1024 of them.

    Parameters
    ----------
    n_coeffs : int [range=[1, inf)]
        The number of coefficients; 13 by default.
    exclude : int [range=[0, inf)]
        How many of the first coefficients are left out; 1 by default. The 0th is the loudness.

    Raises
    ------
    InvalidParameter
        If either is out of range.

    References
    ----------
    Davis & Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences", IEEE Trans. ASSP 28(4), 1980; with Bark bands
    in place of mel bands.

    Examples
    --------
    >>> from zounds import SR22050
    >>> BFCC()(ConstantRateTimeSeries(np.zeros((2, 100), np.float32), SR22050())).any()
    np.False_
    """

    n_coeffs: int = 13
    exclude: int = 1

    revision: ClassVar[int] = 1
    floor: ClassVar[float] = 3e-8


@dataclass(frozen=True)
class MFCC(_Cepstrum):
    """Mel-frequency cepstral coefficients, as librosa computes them without `top_db`.

    The orthonormal DCT-II of the band powers in dB.

    Parameters
    ----------
    n_coeffs : int [range=[1, inf)]
        The number of coefficients; 20 by default.
    exclude : int [range=[0, inf)]
        How many of the first coefficients are left out; 0 by default. The 0th is the loudness.

    Raises
    ------
    InvalidParameter
        If either is out of range.

    References
    ----------
    Davis & Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences", IEEE Trans. ASSP 28(4), 1980.
    """

    n_coeffs: int = 20
    exclude: int = 0

    revision: ClassVar[int] = 1
    floor: ClassVar[float] = 1e-10


@lru_cache(maxsize=64)
def _dct_basis(n_bands: int, start: int, stop: int) -> npt.NDArray[np.float32]:
    """Return the columns of the orthonormal DCT-II, times 10: from bel to decibel.

    ``sqrt(2 / n) cos(pi k (2 j + 1) / 2n)``, the 0th divided by ``sqrt(2)``. For so few of the
    coefficients, a matrix product is 7 times as fast as a fast transform.
    """
    bands = np.arange(n_bands)[:, np.newaxis]
    coeffs = np.arange(start, stop)
    basis = np.sqrt(2 / n_bands) * np.cos(np.pi / (2 * n_bands) * coeffs * (2 * bands + 1))
    basis[:, coeffs == 0] /= np.sqrt(2)
    result: npt.NDArray[np.float32] = (10 * basis).astype(np.float32)
    result.setflags(write=False)
    return result
