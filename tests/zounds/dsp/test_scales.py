from __future__ import annotations

from fractions import Fraction

import librosa
import numpy as np
import pytest

from featureflow.codec import decode, encode
from featureflow.errors import InvalidParameter
from zounds.arrays import ArrayWithUnits
from zounds.dsp.scales import (
    BandScale,
    BarkScale,
    LinearScale,
    MelScale,
    bark_to_hz,
    filter_bank,
    hz_to_bark,
    hz_to_mel,
    mel_to_hz,
    triangular_filters,
)

HERTZ = np.array([0, 20, 50, 440, 999.9, 1000, 1000.1, 8000, 22050])
SCALES = [LinearScale(Fraction(22050, 1024), 513), BarkScale(50, 11025, 100), MelScale(0, 4000, 40)]


def bins_of(hertz, n):
    return LinearScale(Fraction(hertz, n), n // 2 + 1)


def test_bark_by_its_formula_and_back():
    sinh = (np.exp(hz_to_bark(HERTZ) / 6) - np.exp(-hz_to_bark(HERTZ) / 6)) / 2
    np.testing.assert_allclose(600 * sinh, HERTZ, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(bark_to_hz(hz_to_bark(HERTZ)), HERTZ, rtol=1e-12, atol=1e-10)


def test_mel_equals_librosas():
    np.testing.assert_allclose(hz_to_mel(HERTZ), librosa.hz_to_mel(HERTZ), rtol=1e-12)
    mels = np.linspace(0, 60, 200)
    np.testing.assert_allclose(mel_to_hz(mels), librosa.mel_to_hz(mels), rtol=1e-12)


def test_scalars_convert():
    assert float(hz_to_bark(600)) == pytest.approx(6 * np.arcsinh(1))
    assert float(mel_to_hz(hz_to_mel(440.0))) == pytest.approx(440)


@pytest.mark.parametrize("scale", SCALES)
def test_scales_are_stored_hashed_and_sliced(scale):
    assert decode(encode(scale)) == scale
    assert hash(decode(encode(scale))) == hash(scale)
    part = scale.sliced(slice(3, 30), len(scale.frequencies)).sliced(slice(None, None, -2), 27)
    assert type(part) is type(scale)
    assert part.frequencies == scale.frequencies[3:30][::-2]
    assert decode(encode(part)) == part != scale


def test_slicing_an_array_keeps_its_frequencies():
    scale = BarkScale(50.0, 11025.0, 10)
    array = ArrayWithUnits(np.zeros((4, 10)), (None, scale))
    assert array[:, 2:5].units[1].frequencies == scale.frequencies[2:5]


@pytest.mark.parametrize(("hertz", "n"), [(22050, 1024), (48000, 2229), (8000, 372)])
def test_linear_scale_is_correctly_rounded(hertz, n):
    exact = [float(Fraction(hertz * k, n)) for k in range(n // 2 + 1)]
    assert list(bins_of(hertz, n).frequencies) == exact


def test_band_centres_are_equally_spaced_and_inside():
    bark = BarkScale(50, 11025, 100)
    steps = np.diff(hz_to_bark([50, *bark.frequencies, 11025]))
    np.testing.assert_allclose(steps, (hz_to_bark(11025) - hz_to_bark(50)) / 101)
    mel = MelScale(40, 18000, 64)
    steps = np.diff(hz_to_mel([40, *mel.frequencies, 18000]))
    np.testing.assert_allclose(steps, (hz_to_mel(18000) - hz_to_mel(40)) / 65)


@pytest.mark.parametrize(
    ("hertz", "n", "n_bands", "start", "stop"),
    [
        (22050, 2048, 128, 0.0, 11025.0),
        (22050, 1024, 128, 0.0, 11025.0),
        (44100, 4096, 128, 40.0, 18000.0),
        (44100, 1024, 64, 40.0, 18000.0),
        (16000, 400, 80, 0.0, 8000.0),
        (48000, 2229, 40, 0.0, 24000.0),
    ],
)
def test_mel_filters_equal_librosas(hertz, n, n_bands, start, stop):
    expected = librosa.filters.mel(
        sr=hertz, n_fft=n, n_mels=n_bands, fmin=start, fmax=stop, dtype=np.float64
    ).T
    bank = filter_bank(MelScale(start, stop, n_bands), bins_of(hertz, n))
    np.testing.assert_allclose(bank.weights, expected, atol=1e-7 * expected.max())


def test_mel_bands_between_the_bins_are_refused():
    with pytest.raises(InvalidParameter, match=r"fall between the bins, which are 43\.1 Hz apart"):
        filter_bank(MelScale(0, 22050, 256), bins_of(44100, 1024))


@pytest.mark.parametrize("n_bands", [1, 24, 100, 300])
@pytest.mark.parametrize(("hertz", "n"), [(22050, 1024), (48000, 2229), (8000, 372), (8000, 64)])
def test_bark_filters_are_means_and_none_is_empty(hertz, n, n_bands):
    bins = bins_of(hertz, n)
    scale = BarkScale(50.0, bins.frequencies[-1], n_bands)
    weights = filter_bank(scale, bins).weights
    assert weights.shape == (bins.size, n_bands)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=1e-5)
    # each lies around its centre: within the band or a bin of it
    reach = np.maximum(np.diff(scale.edges)[1:], np.diff(scale.edges)[:-1])
    mean = np.asarray(bins.frequencies) @ weights
    assert (abs(mean - scale.frequencies) <= np.maximum(reach, hertz / n)).all()


def test_a_narrow_bark_band_interpolates_the_spectrum():
    bins, scale = bins_of(22050, 256), BarkScale(50.0, 11025.0, 100)
    ramp = np.asarray(bins.frequencies)
    # a spectrum that is linear in frequency: interpolated at the centre, it is the centre
    narrow = np.diff(scale.edges)[1:] < 22050 / 256
    assert narrow.sum() > 40
    means = ramp @ scale.filters(bins)
    np.testing.assert_allclose(means[narrow], np.asarray(scale.frequencies)[narrow])


def test_wide_bark_bands_reach_from_centre_to_centre():
    bins, scale = bins_of(44100, 4096), BarkScale(1000.0, 16384.0, 50)
    weights, edges = scale.filters(bins), scale.edges
    for band in range(50):
        used = np.asarray(bins.frequencies)[weights[:, band] > 0]
        inside = (bins.frequencies > edges[band]) & (bins.frequencies < edges[band + 2])
        np.testing.assert_array_equal(used, np.asarray(bins.frequencies)[inside])


def test_triangles_by_hand():
    triangle = triangular_filters(
        [0, 1, 2, 3, 4, 5, 6], np.array([1.0]), np.array([2.0]), np.array([6.0])
    )
    assert triangle[:, 0].tolist() == [0, 0, 1, 0.75, 0.5, 0.25, 0]


@pytest.mark.parametrize("n_bands", [1, 12, 13, 100])
@pytest.mark.parametrize("frames", [0, 1, 50])
def test_a_bank_equals_the_matrix_product(n_bands, frames):
    bank = filter_bank(BarkScale(50.0, 11025.0, n_bands), bins_of(22050, 1024))
    powers = np.random.default_rng(0).random((frames, 513)).astype(np.float32)
    bands = bank(powers)
    assert bands.dtype == np.float32
    np.testing.assert_allclose(bands, powers.astype(np.float64) @ bank.weights, rtol=1e-5)


def test_banks_are_computed_once_and_cannot_be_changed():
    bank = filter_bank(BarkScale(50.0, 11025.0, 7), bins_of(22050, 1024))
    assert filter_bank(BarkScale(50.0, 11025.0, 7), bins_of(22050, 1024)) is bank
    with pytest.raises(ValueError, match="read-only"):
        bank.weights[0, 0] = 1


def test_bands_may_end_at_the_nyquist_frequency_of_an_odd_window_but_not_beyond():
    filter_bank(MelScale(0.0, 24000.0, 10), bins_of(48000, 2229))
    filter_bank(BarkScale(50.0, 24000.0, 300), bins_of(48000, 2229))
    with pytest.raises(InvalidParameter, match="stop_hz=24001: the spectrum ends at"):
        filter_bank(MelScale(0.0, 24001.0, 10), bins_of(48000, 2229))


@pytest.mark.parametrize("scale", [BarkScale, MelScale])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((50.0, 50.0, 10), "start_hz=50.0, stop_hz=50.0"),
        ((-1.0, 50.0, 10), "start_hz=-1.0"),
        ((float("nan"), 50.0, 10), "start_hz=nan"),
        ((50.0, 100.0, 0), "n_bands=0"),
    ],
)
def test_bands_that_cannot_be_are_refused(scale, parameters, message):
    with pytest.raises(InvalidParameter, match=message):
        scale(*parameters)


@pytest.mark.parametrize(("step", "size"), [(0, 5), (-1, 5), (1, 0)])
def test_linear_scales_that_cannot_be_are_refused(step, size):
    with pytest.raises(InvalidParameter, match=f"step_hz={step}, size={size}"):
        LinearScale(step, size)


def test_a_band_scale_says_what_it_lacks():
    with pytest.raises(NotImplementedError, match="BandScale does not define its edges"):
        BandScale(0.0, 1.0, 1).frequencies
    with pytest.raises(NotImplementedError, match="BandScale does not define its filters"):
        BandScale(0.0, 1.0, 1).filters(bins_of(8000, 64))
