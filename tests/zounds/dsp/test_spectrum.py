from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from zounds.arrays import AudioSamples, ConstantRateTimeSeries
from zounds.dsp.frames import SlidingWindow
from zounds.dsp.scales import LinearScale
from zounds.dsp.spectrum import FFT, power
from zounds.errors import UnitsError
from zounds.units import AudioSampleRate, HalfLapped, SampleRate


def windows(hertz=22050, n=5000, dtype=np.float32):
    samples = np.random.default_rng(1).standard_normal(n).astype(dtype)
    return SlidingWindow(HalfLapped())(AudioSamples(samples, hertz))


@pytest.mark.parametrize(
    ("dtype", "spectral", "tolerance"),
    [(np.float32, np.complex64, 1e-6), (np.float64, np.complex128, 1e-14)],
)
@pytest.mark.parametrize("hertz", [8000, 22050, 48000])
def test_equals_numpys_in_float64(hertz, dtype, spectral, tolerance):
    x = windows(hertz, dtype=dtype)
    before = x.tobytes()
    spectrum = FFT()(x)
    expected = np.fft.rfft(np.asarray(x, np.float64), axis=1)
    assert spectrum.dtype == spectral
    np.testing.assert_allclose(spectrum, expected, atol=tolerance * abs(expected).max())
    assert x.tobytes() == before


@pytest.mark.parametrize(("hertz", "n"), [(22050, 1024), (48000, 2229), (8000, 372)])
def test_units_are_exact(hertz, n):
    x = windows(hertz)
    spectrum = FFT()(x)
    assert isinstance(spectrum, ConstantRateTimeSeries)
    assert spectrum.units == (x.samplerate, LinearScale(Fraction(hertz, n), n // 2 + 1))
    np.testing.assert_allclose(spectrum.units[1].frequencies, np.fft.rfftfreq(n, 1 / hertz))


@pytest.mark.parametrize("hertz", [8000, 22050, 48000])
def test_a_sine_is_found_at_its_frequency(hertz):
    sine = np.sin(2 * np.pi * 1000 * np.arange(hertz) / hertz).astype(np.float32)
    spectrum = FFT()(SlidingWindow(HalfLapped())(AudioSamples(sine, hertz)))
    found = spectrum.units[1].frequencies[abs(spectrum[3]).argmax()]
    assert found == pytest.approx(1000, abs=11)


def test_a_slice_of_a_spectrum_knows_its_frequencies():
    spectrum = FFT()(windows())[:, 10:20:3]
    assert spectrum.units[1].frequencies == tuple(22050 * k / 1024 for k in (10, 13, 16, 19))


def test_no_frames_give_no_spectra():
    spectrum = FFT()(windows(n=0))
    assert spectrum.shape == (0, 513)
    assert spectrum.dtype == np.complex64


def test_power_is_the_squared_magnitude():
    spectrum = FFT()(windows())
    before = spectrum.tobytes()
    powers = power(spectrum)
    assert powers.dtype == np.float32
    assert powers.units == spectrum.units
    np.testing.assert_allclose(powers, np.abs(np.asarray(spectrum, np.complex128)) ** 2, rtol=1e-5)
    assert spectrum.tobytes() == before
    assert type(power(np.array([3 + 4j]))) is np.ndarray


def test_windows_of_unknown_rate_are_refused():
    rate = SampleRate(1, 1)
    for wrong in (
        ConstantRateTimeSeries(np.zeros((3, 8)), rate),
        ConstantRateTimeSeries(np.zeros(8), rate),
        ConstantRateTimeSeries(np.zeros((3, 8, 2)), rate, (AudioSampleRate(8000), None)),
    ):
        with pytest.raises(UnitsError, match=r"as SlidingWindow makes them of samples\.mono"):
            FFT()(wrong)
    with pytest.raises(UnitsError, match="FFT was given ndarray without a time axis"):
        FFT()(np.zeros((3, 8)))
