"""The spectrum of windows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from zounds.arrays import ArrayWithUnits, ConstantRateTimeSeries, with_units
from zounds.dsp.frames import samplerate_of
from zounds.dsp.scales import LinearScale
from zounds.errors import UnitsError
from zounds.units import SampleRate

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FFT:
    """The discrete Fourier transform of each window, ``X_k = sum_t x_t exp(-2 pi i k t / n)``.

    Of real samples, so that only the bins from 0 Hz to the Nyquist frequency are kept. Not
    scaled: a sine of amplitude 1 has magnitude n / 2, as in `numpy.fft.rfft` and `librosa.stft`.

    References
    ----------
    Cooley & Tukey, "An algorithm for the machine calculation of complex Fourier series",
    Math. Comp. 19, 1965.

    Examples
    --------
    >>> from zounds import AudioSamples, HalfLapped
    >>> from zounds.dsp.frames import SlidingWindow
    >>> samples = AudioSamples(np.ones(2048, np.float32), 22050)
    >>> spectrum = FFT()(SlidingWindow(HalfLapped())(samples))
    >>> spectrum.shape, spectrum.dtype, abs(spectrum[0, 0]).item()
    ((3, 513), dtype('complex64'), 1024.0)
    >>> spectrum.units[1].step_hz
    Fraction(11025, 512)
    """

    revision: ClassVar[int] = 1

    def __call__(self, windows: ConstantRateTimeSeries, /) -> ConstantRateTimeSeries:
        """Return the spectra.

        Parameters
        ----------
        windows : ConstantRateTimeSeries [shape=(m, n)]
            With the sample rate within a window as the unit of the second axis.

        Returns
        -------
        ConstantRateTimeSeries [shape=(m, n // 2 + 1), unit of the second axis=LinearScale]
            complex64 for float32 windows, complex128 for float64.

        Raises
        ------
        UnitsError
            If either axis is not time, or there are others.
        """
        from scipy.fft import rfft  # 4 times as fast as NumPy's; importing it takes 0.2 s

        rate = samplerate_of(windows, "FFT")
        inner = windows.units[1] if windows.ndim == 2 else None
        if not isinstance(inner, SampleRate):
            raise UnitsError(
                f"FFT was given shape {windows.shape} with units {windows.units}: it takes windows "
                "of mono samples, both axes time, as SlidingWindow makes them of samples.mono"
            )
        spectra = rfft(np.asarray(windows), axis=1)
        return ConstantRateTimeSeries(spectra, rate, (_bins(inner, windows.shape[1]),))


@lru_cache(maxsize=64)
def _bins(rate: SampleRate, n: int) -> LinearScale:
    """Return the frequencies of the spectrum of n samples."""
    return LinearScale(rate.samples_per_second / n, n // 2 + 1)


def power(spectrum: Array) -> Array:
    """Return ``|X|^2``.

    Parameters
    ----------
    spectrum : np.ndarray, complex

    Returns
    -------
    np.ndarray [shape and units of `spectrum`, range=[0, inf)]
        float32 for complex64, float64 for complex128.

    Examples
    --------
    >>> power(np.array([3 + 4j, 1j])).tolist()
    [25.0, 1.0]
    """
    plain = np.asarray(spectrum)
    result = np.square(plain.real)
    result += np.square(plain.imag)
    return with_units(result, spectrum.units) if isinstance(spectrum, ArrayWithUnits) else result
