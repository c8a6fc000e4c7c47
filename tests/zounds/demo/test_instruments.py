import pickle

import numpy as np
import pytest

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples
from zounds.demo.instruments import INSTRUMENTS
from zounds.errors import UnitsError
from zounds.units import HalfLapped, Milliseconds

HARMONIC = ["bowed", "blown", "reed", "brass", "organ", "voice", "buzz", "plucked"]
STRUCK = ["marimba", "glockenspiel", "bell", "piano"]
PITCHED = HARMONIC + STRUCK
NOISY = sorted(set(INSTRUMENTS) - {"reed", "buzz"})  # whose sound has something of chance in it

each_kind = pytest.mark.parametrize("kind", sorted(INSTRUMENTS))


def play(kind, pitch=330.0, loudness=0.6, duration=1, samplerate=44100, seed=0):
    return INSTRUMENTS[kind](pitch, loudness, duration, samplerate, seed)


def spectrum(sound):
    samples = np.asarray(sound, np.float64)
    size = 1 << 17
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size)) ** 2
    return np.fft.rfftfreq(size, float(sound.frequency)), power


@each_kind
@pytest.mark.parametrize(
    ("samplerate", "duration", "pitch"),  # the extremes of each meet those of the others
    [
        (8000, Milliseconds(1), 20),
        (8000, 0.05, 3900),
        (22050, 1.3, 3900),
        (44100, Milliseconds(1), 3900),
        (44100, 0.05, 20),
        (96000, 0.05, 220),
    ],
)
def test_a_note_is_in_range_whatever_is_asked_for(kind, samplerate, duration, pitch):
    sound = play(kind, pitch, 1, duration, samplerate)
    assert isinstance(sound, AudioSamples)
    assert sound.dtype == np.float32
    assert sound.shape == (round(duration * samplerate),)
    assert int(sound.samplerate) == samplerate
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() == pytest.approx(0.9, rel=1e-6)
    assert abs(np.asarray(sound, np.float64).mean()) < 1e-6


@each_kind
def test_the_peak_is_the_loudness(kind):
    assert np.abs(play(kind, loudness=0.3, duration=0.1)).max() == pytest.approx(0.27, rel=1e-6)


@each_kind
@pytest.mark.parametrize("duration", [0.1, 0.5])
def test_a_note_begins_and_ends_in_silence(kind, duration):
    sound = np.asarray(play(kind, loudness=1, duration=duration))
    assert abs(sound[0]) < 0.05
    assert np.abs(sound[-20:]).max() < 1e-3


@each_kind
def test_the_same_note_is_the_same_bytes(kind):
    first, again = (play(kind, duration=0.1, seed=5) for _ in range(2))
    assert first.tobytes() == again.tobytes()


@pytest.mark.parametrize("kind", NOISY)
def test_another_seed_is_another_stroke(kind):
    first, other = (play(kind, duration=0.1, seed=seed) for seed in (5, 6))
    assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize("kind", HARMONIC)
@pytest.mark.parametrize("pitch", [110.0, 880.0])
def test_a_harmonic_note_repeats_at_its_pitch(kind, pitch):
    sound = np.asarray(play(kind, pitch), np.float64)[8820:35280]
    power = np.abs(np.fft.rfft(sound, 1 << 17)) ** 2
    # the autocorrelation, between the lags of a fifth above and a fifth below
    lags = np.arange(round(44100 / pitch / 1.5), round(44100 / pitch * 1.5))
    similar = np.fft.irfft(power)[lags[0] - 1 : lags[-1] + 2]
    at = 1 + int(np.argmax(similar[1:-1]))
    left, top, right = similar[at - 1 : at + 2]
    lag = lags[0] - 1 + at + 0.5 * (left - right) / (left - 2 * top + right)
    assert 44100 / lag == pytest.approx(pitch, rel=0.01)


@pytest.mark.parametrize("kind", STRUCK)
@pytest.mark.parametrize("pitch", [110.0, 880.0])
def test_a_struck_note_rings_at_its_pitch(kind, pitch):
    hertz, power = spectrum(play(kind, pitch))
    near = (hertz > pitch * 0.7) & (hertz < pitch * 1.15)
    peak = np.argmax(np.where(near, power, 0))
    assert hertz[peak] == pytest.approx(pitch, rel=0.01)
    assert power[peak] > 0.1 * power.max()


@each_kind
def test_louder_has_more_energy(kind):
    energy = [np.linalg.norm(play(kind, loudness=loud, duration=0.3)) for loud in (0.1, 0.5, 1)]
    assert energy == sorted(energy)


@pytest.mark.parametrize("kind", PITCHED)
@pytest.mark.parametrize("pitch", [220.0, 880.0])
def test_louder_is_brighter(kind, pitch):
    spectra = [spectrum(play(kind, pitch, loud)) for loud in (0.15, 0.5, 1)]
    centroids = [np.sum(hertz * power) / np.sum(power) for hertz, power in spectra]
    assert centroids == sorted(centroids)
    assert centroids[-1] > 1.02 * centroids[0]


@pytest.mark.parametrize("kind", ["plucked", *STRUCK, "kick", "snare", "tom", "closed_hat", "clap"])
def test_what_is_struck_dies_away(kind):
    level = np.abs(play(kind))
    assert level[22050:44100].max() < 0.8 * level[:22050].max()


@pytest.mark.parametrize("kind", ["bowed", "blown", "reed", "brass", "organ", "voice"])
def test_what_is_held_stays(kind):
    level = np.abs(play(kind))
    assert level[26460:35280].max() > 0.7 * level.max()


@pytest.mark.parametrize("pitch", [220.0, 740.0])
def test_a_clarinet_has_weak_even_harmonics(pitch):
    hertz, power = spectrum(play("reed", pitch))
    levels = [power[np.abs(hertz - k * pitch) < 20].max() for k in (1, 2, 3)]
    assert levels[1] < 0.01 * levels[0]
    assert levels[1] < 0.1 * levels[2]


@pytest.mark.parametrize("pitch", [110.0, 147.0, 196.0, 233.0])
def test_formants_stay_where_they_are(pitch):
    hertz, power = spectrum(play("voice", pitch))
    first, valley, third = (power[np.abs(hertz - at) < 120].max() for at in (900, 1800, 2440))
    assert first > 20 * valley
    assert third > 1.5 * valley


@pytest.mark.parametrize("kind", ["closed_hat", "open_hat"])
def test_a_hat_is_high(kind):
    hertz, power = spectrum(play(kind))
    assert power[hertz < 2000].sum() < 0.01 * power.sum()


def test_the_wires_of_a_snare_are_louder_than_its_head():
    hertz, power = spectrum(play("snare"))
    assert power[hertz > 1200].sum() > power[hertz < 1200].sum()


def test_a_kick_falls_in_pitch():
    crossings = np.flatnonzero(np.diff(np.sign(play("kick", 440.0)[400:20000])) > 0)
    periods = np.diff(crossings)
    assert 44100 / periods[0] > 1.5 * 44100 / periods[-1]
    assert 44100 / periods[-1] == pytest.approx(52, rel=0.05)


@pytest.mark.parametrize("kind", ["kick", "snare", "tom"])
def test_a_drum_is_tuned_by_a_quarter_of_the_interval(kind):
    tunings = []
    for pitch in (110.0, 1760.0):
        hertz, power = spectrum(play(kind, pitch)[4410:])  # a kick is bent until then
        tunings.append(hertz[np.argmax(np.where(hertz < 400, power, 0))])
    # four octaves of pitch are one of tuning
    assert tunings[1] / tunings[0] == pytest.approx(2, rel=0.05)


def test_an_instrument_can_be_sent_to_another_process():
    assert pickle.loads(pickle.dumps(INSTRUMENTS["bell"])) is INSTRUMENTS["bell"]


@pytest.mark.parametrize("pitch", [0, -440, 19.9, 22050, float("nan")])
def test_a_pitch_that_nobody_hears_is_refused(pitch):
    with pytest.raises(InvalidParameter, match="pitch_hz"):
        play("organ", pitch)


@pytest.mark.parametrize("loudness", [0, -0.1, 1.01, float("nan")])
def test_a_loudness_out_of_range_is_refused(loudness):
    with pytest.raises(InvalidParameter, match="loudness"):
        play("organ", loudness=loudness)


def test_other_bad_input_is_refused():
    with pytest.raises(InvalidParameter, match="duration"):
        play("organ", duration=0)
    with pytest.raises(InvalidParameter, match="seed"):
        play("organ", seed=None)
    with pytest.raises(UnitsError, match="overlap"):
        play("organ", samplerate=HalfLapped())
