from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.fft

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples, ConstantRateTimeSeries
from zounds.dsp.features import BFCC, MFCC, BarkBands, MelBands
from zounds.dsp.frames import SlidingWindow
from zounds.dsp.scales import BarkScale, MelScale
from zounds.dsp.spectrum import FFT
from zounds.dsp.windows import Hann
from zounds.errors import UnitsError
from zounds.units import HalfLapped

RATES = [8000, 22050, 44100, 48000]


def note(hertz=22050, seconds=2.0):
    """A decaying harmonic note in a little noise, after a moment of digital silence."""
    t = np.arange(int(seconds * hertz)) / hertz
    harmonics = [k for k in range(1, 20) if 220 * k < hertz / 2]
    tone = sum(np.sin(2 * np.pi * 220 * k * t) * np.exp(-k * t) / k for k in harmonics)
    noise = 0.01 * np.random.default_rng(3).standard_normal(len(t))
    return (0.3 * (tone + noise) * (t > 0.3)).astype(np.float32)


def spectra(hertz=22050, samples=None):
    samples = AudioSamples(note(hertz) if samples is None else samples, hertz)
    return FFT()(SlidingWindow(HalfLapped(), Hann())(samples))


def bark_reference(samples, hertz, n, hop, n_bands, start, stop):
    """Bark bands in float64, written out anew."""
    frames = librosa.util.frame(samples.astype(np.float64), frame_length=n, hop_length=hop).T
    k = np.arange(n)
    powers = np.abs(np.fft.rfft(frames * (0.5 - 0.5 * np.cos(2 * np.pi * k / n)))) ** 2
    hz = np.fft.rfftfreq(n, 1 / hertz)
    low, high = (6 * np.arcsinh(f / 600) for f in (start, stop))
    centre = [
        600 * np.sinh((low + (high - low) * b / (n_bands + 1)) / 6) for b in range(n_bands + 2)
    ]
    bands = np.empty((len(frames), n_bands))
    for b in range(n_bands):
        left = max(centre[b + 1] - centre[b], hertz / n)
        right = max(centre[b + 2] - centre[b + 1], hertz / n)
        away = hz - centre[b + 1]
        weights = np.clip(1 - np.where(away < 0, -away / left, away / right), 0, None)
        bands[:, b] = (powers * weights).sum(axis=1) / weights.sum()
    return bands


def assert_close(actual, expected, relative=1e-4):
    assert actual.dtype == np.float32
    assert np.abs(expected).max() > 0
    assert np.abs(actual - expected).max() <= relative * np.abs(expected).max()


@pytest.mark.parametrize(
    ("hertz", "n", "hop"), [(8000, 372, 186), (22050, 1024, 512), (48000, 2229, 1115)]
)
def test_bark_bands_and_bfcc_equal_the_reference(hertz, n, hop):
    spectrum = spectra(hertz)
    bark = BarkBands()(spectrum)
    stop = min(2**14, spectrum.units[1].frequencies[-1])
    expected = bark_reference(note(hertz), hertz, n, hop, 100, 50.0, stop)
    whole = len(expected)  # the last frame, which is padded, is not in the reference
    assert whole in (len(bark), len(bark) - 1)
    np.testing.assert_allclose(bark[:whole], expected, rtol=1e-3, atol=1e-6 * expected.max())
    decibels = 10 * np.log10(np.maximum(expected, 3e-8))
    cepstrum = scipy.fft.dct(decibels, type=2, norm="ortho", axis=1)
    assert_close(np.asarray(BFCC()(bark))[:whole], cepstrum[:, 1:14])
    assert_close(np.asarray(BFCC(n_coeffs=100, exclude=0)(bark))[:whole], cepstrum)


@pytest.mark.parametrize("hertz", RATES)
def test_mel_bands_and_mfcc_equal_librosas(hertz):
    spectrum = spectra(hertz)
    n = SlidingWindow(HalfLapped())(AudioSamples(note(hertz), hertz)).shape[1]
    mel = MelBands(n_bands=64, stop_hz=hertz / 2)(spectrum)
    powers = np.abs(np.asarray(spectrum, np.complex128)) ** 2
    filters = librosa.filters.mel(sr=hertz, n_fft=n, n_mels=64, dtype=np.float64)
    expected = powers @ filters.T
    np.testing.assert_allclose(mel, expected, rtol=1e-4, atol=1e-9 * expected.max())
    decibels = librosa.power_to_db(np.asarray(mel, np.float64).T, top_db=None)
    cepstrum = librosa.feature.mfcc(S=decibels, n_mfcc=20).T
    assert_close(np.asarray(MFCC()(mel)), cepstrum)
    assert_close(np.asarray(MFCC(n_coeffs=5, exclude=3)(mel)), cepstrum[:, 3:8])


def test_defaults_at_22050_hz():
    spectrum = spectra()
    bark, mel = BarkBands()(spectrum), MelBands()(spectrum)
    assert bark.units == (spectrum.samplerate, BarkScale(50.0, 11025.0, 100))
    assert mel.units == (spectrum.samplerate, MelScale(0.0, 11025.0, 128))
    bfcc, mfcc = BFCC()(bark), MFCC()(mel)
    assert bfcc.shape == (len(spectrum), 13)
    assert mfcc.shape == (len(spectrum), 20)
    assert bfcc.units == mfcc.units == (spectrum.samplerate, None)
    assert isinstance(bfcc, ConstantRateTimeSeries)


@pytest.mark.parametrize(
    ("hertz", "stop"), [(8000, 4000.0), (22050, 11025.0), (44100, 2.0**14), (48000, 2.0**14)]
)
def test_bark_bands_stop_where_the_spectrum_does(hertz, stop):
    assert BarkBands()(spectra(hertz)).units[1] == BarkScale(50.0, stop, 100)


@pytest.mark.parametrize("hertz", RATES)
@pytest.mark.parametrize("node", [BarkBands(stop_hz=3900.0), MelBands(n_bands=40, stop_hz=3900.0)])
def test_a_sine_is_in_the_band_of_its_frequency_at_every_rate(node, hertz):
    sine = np.sin(2 * np.pi * 1500 * np.arange(hertz) / hertz).astype(np.float32)
    bands = node(spectra(hertz, sine))
    centres = np.asarray(bands.units[1].frequencies)
    found = centres[np.asarray(bands).mean(axis=0).argmax()]
    assert abs(found - 1500) <= 60


def test_white_noise_has_the_same_mean_in_all_bark_bands():
    noise = np.random.default_rng(5).standard_normal(22050 * 60).astype(np.float32)
    means = np.asarray(BarkBands()(spectra(22050, noise))).mean(axis=0)
    expected = np.sum(Hann()(1024).astype(np.float64) ** 2)
    # but for the first ones, which see the edge at 0 Hz
    np.testing.assert_allclose(means[2:], expected, rtol=0.12)


@pytest.mark.parametrize("coefficients", [BFCC(), BFCC(n_coeffs=99)])
def test_silence_is_exactly_zero(coefficients):
    silence = BarkBands()(spectra(22050, np.zeros(22050, np.float32)))
    assert not np.asarray(silence).any()
    assert np.array_equal(coefficients(silence), np.zeros((43, coefficients.n_coeffs), np.float32))


def test_silence_is_at_the_floor_in_the_0th_coefficient():
    silence = MelBands()(spectra(22050, np.zeros(22050, np.float32)))
    coeffs = MFCC()(silence)
    np.testing.assert_allclose(coeffs[:, 0], -100 * np.sqrt(128), rtol=1e-6)
    assert not np.asarray(coeffs)[:, 1:].any()


def test_loudness_is_in_the_0th_coefficient_only():
    bark = BarkBands()(spectra())
    loud = np.asarray(bark).min(axis=1) > 1e-6
    assert loud.any()
    soft, double = (np.asarray(BFCC(exclude=0)(b))[loud] for b in (bark, bark * np.float32(4)))
    np.testing.assert_allclose(double[:, 1:], soft[:, 1:], atol=2e-3)
    np.testing.assert_allclose(double[:, 0] - soft[:, 0], 10 * np.log10(4) * 10, atol=2e-2)


@pytest.mark.parametrize("node", [BarkBands(), MelBands()])
def test_bands_are_the_same_for_every_read_size(node):
    samples = AudioSamples(note(seconds=30.0), 22050)
    results = []
    for size in (997, 44100, len(samples)):
        stage = SlidingWindow(HalfLapped()).stream()
        blocks = []
        for start in range(0, len(samples), size):
            blocks += stage.step(samples[start : start + size])
        blocks += stage.flush()
        results.append([BFCC()(node(FFT()(block))).tobytes() for block in blocks])
    assert len(results[0]) == 11
    assert results[0] == results[1] == results[2]


def test_inputs_are_not_modified():
    spectrum = spectra()
    bark = BarkBands()(spectrum)
    before = spectrum.tobytes(), bark.tobytes()
    BarkBands()(spectrum), BFCC()(bark), MFCC()(bark)
    assert (spectrum.tobytes(), bark.tobytes()) == before


def test_float64_stays_float64():
    spectrum = FFT()(SlidingWindow(HalfLapped())(AudioSamples(np.float64(note()), 22050)))
    assert BFCC()(BarkBands()(spectrum)).dtype == np.float64


@pytest.mark.parametrize("node", [BarkBands(), MelBands()])
def test_spectra_without_frequencies_are_refused(node):
    name = type(node).__name__
    plain = np.asarray(spectra())
    with pytest.raises(UnitsError, match=f"{name} was given ndarray without a time axis"):
        node(plain)
    with pytest.raises(UnitsError, match="with a LinearScale, as FFT makes them"):
        node(ConstantRateTimeSeries(plain, HalfLapped()))
    with pytest.raises(UnitsError, match="it takes spectra of shape"):
        node(spectra()[:, 3])
    with pytest.raises(UnitsError, match="given 100 of the 513 bins"):
        node(spectra()[:, :100])


@pytest.mark.parametrize("node", [BarkBands, MelBands])
@pytest.mark.parametrize(
    "parameters", [{"n_bands": 0}, {"start_hz": -1.0}, {"start_hz": 500.0, "stop_hz": 400.0}]
)
def test_bands_that_cannot_be_are_refused(node, parameters):
    with pytest.raises(InvalidParameter, match=rf"{node.__name__}\({next(iter(parameters))}="):
        node(**parameters)


def test_bands_beyond_the_spectrum_are_refused():
    with pytest.raises(InvalidParameter, match="stop_hz=12000: the spectrum ends at 11025 Hz"):
        BarkBands(stop_hz=12000.0)(spectra())
    with pytest.raises(InvalidParameter, match=r"start_hz=5000.0, stop_hz=4000.0"):
        BarkBands(start_hz=5000.0)(spectra(8000))


def test_coefficients_that_cannot_be_are_refused():
    for wrong in ({"n_coeffs": 0}, {"exclude": -1}):
        with pytest.raises(InvalidParameter, match="give at least 1 coefficient"):
            BFCC(**wrong)
    bands = BarkBands(n_bands=13)(spectra())
    with pytest.raises(InvalidParameter, match=r"shape \(\d+, 13\): give .* at least 14 bands"):
        BFCC()(bands)
    with pytest.raises(InvalidParameter, match="at least 20 bands"):
        MFCC()(bands[:, 0])
    with pytest.raises(UnitsError, match="MFCC was given ndarray without a time axis"):
        MFCC()(np.asarray(bands))
