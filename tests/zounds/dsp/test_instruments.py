import pickle

import librosa
import numpy as np
import pytest

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples
from zounds.dsp.instruments import INSTRUMENTS, corpus, pitch_name
from zounds.errors import UnitsError
from zounds.units import SR22050, SR44100, HalfLapped, Milliseconds

HARMONIC = ["bowed", "blown", "reed", "brass", "organ", "voice", "buzz", "plucked"]
STRUCK = ["marimba", "glockenspiel", "bell", "piano"]
PITCHED = HARMONIC + STRUCK
NOISY = sorted(set(INSTRUMENTS) - {"reed", "buzz"})  # whose sound has something of chance in it

each_kind = pytest.mark.parametrize("kind", sorted(INSTRUMENTS))


def play(kind, pitch=330.0, loudness=0.6, duration=1, samplerate=44100, seed=0):
    return INSTRUMENTS[kind](pitch, loudness, duration, samplerate, seed)


def spectrum(sound):
    samples = np.asarray(sound, np.float64)
    size = 4 * len(samples)
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size)) ** 2
    return np.fft.rfftfreq(size, float(sound.frequency)), power


@each_kind
@pytest.mark.parametrize("samplerate", [8000, 22050, 44100, 96000])
@pytest.mark.parametrize("duration", [Milliseconds(1), 0.05, 1.3])
@pytest.mark.parametrize("pitch", [20, 220, 3900])
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
    assert np.abs(play(kind, loudness=0.3)).max() == pytest.approx(0.27, rel=1e-6)


@each_kind
@pytest.mark.parametrize("duration", [0.1, 1])
def test_a_note_begins_and_ends_in_silence(kind, duration):
    sound = np.asarray(play(kind, loudness=1, duration=duration))
    assert abs(sound[0]) < 0.05
    assert np.abs(sound[-20:]).max() < 1e-3


@each_kind
def test_the_same_note_is_the_same_bytes(kind):
    assert play(kind, seed=5).tobytes() == play(kind, seed=5).tobytes()


@pytest.mark.parametrize("kind", NOISY)
def test_another_seed_is_another_stroke(kind):
    assert play(kind, seed=5).tobytes() != play(kind, seed=6).tobytes()


@pytest.mark.parametrize("kind", HARMONIC)
@pytest.mark.parametrize("pitch", [110.0, 220.0, 466.2, 880.0])
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
@pytest.mark.parametrize("pitch", [110.0, 220.0, 466.2, 880.0])
def test_a_struck_note_rings_at_its_pitch(kind, pitch):
    hertz, power = spectrum(play(kind, pitch))
    near = (hertz > pitch * 0.7) & (hertz < pitch * 1.15)
    peak = np.argmax(np.where(near, power, 0))
    assert hertz[peak] == pytest.approx(pitch, rel=0.01)
    assert power[peak] > 0.1 * power.max()


@each_kind
def test_louder_has_more_energy(kind):
    energy = [np.linalg.norm(play(kind, loudness=loud)) for loud in (0.1, 0.3, 0.5, 0.7, 0.9, 1)]
    assert energy == sorted(energy)


@pytest.mark.parametrize("kind", PITCHED)
@pytest.mark.parametrize("pitch", [220.0, 440.0, 880.0])
def test_louder_is_brighter(kind, pitch):
    spectra = [spectrum(play(kind, pitch, loud)) for loud in (0.15, 0.4, 0.7, 1)]
    centroids = [np.sum(hertz * power) / np.sum(power) for hertz, power in spectra]
    assert centroids == sorted(centroids)
    assert centroids[-1] > 1.02 * centroids[0]


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


def test_pitches_have_scientific_names():
    assert [pitch_name(note) for note in (0, 21, 59, 60, 69, 70, 127)] == [
        "C-1", "A0", "B3", "C4", "A4", "Bb4", "G9",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def notes():
    return dict(corpus())


def test_a_corpus_has_every_kind_at_several_pitches_and_loudnesses(notes):
    assert len(INSTRUMENTS) >= 14
    assert len(notes) == len(list(corpus(8000))) == len(INSTRUMENTS) * 8
    assert {name.split("/")[0] for name in notes} == set(INSTRUMENTS)
    assert [name for name in notes if name.startswith("bell/")] == [
        f"bell/bell_{pitch}_{dynamic}.wav"
        for pitch in ("A3", "F4", "Db5", "A5")
        for dynamic in ("piano", "forte")
    ]
    assert len({len(sound) for sound in notes.values()}) > 20
    assert all(0.9 <= sound.end < 1.3 for sound in notes.values())
    assert all(sound.samplerate == SR44100() for sound in notes.values())


def test_a_note_does_not_depend_on_which_others_there_are():
    many = dict(corpus(SR22050(), pitches=3, loudnesses=3, seed=2))
    few = dict(corpus(22050, pitches=1, loudnesses=1, seed=2))
    other = dict(corpus(22050, pitches=1, loudnesses=1, seed=3))
    name = "bell/bell_A3_mezzoforte.wav"
    assert set(few) == set(other) < set(many)  # one is mezzoforte, three have it between them
    assert all(few[each].tobytes() == many[each].tobytes() for each in few)
    assert few[name].tobytes() != other[name].tobytes()


@pytest.mark.parametrize("bad", [{"pitches": 0}, {"pitches": 26}, {"loudnesses": 7}, {"seed": -1}])
def test_a_corpus_that_cannot_be_is_refused_at_once(bad):
    with pytest.raises(InvalidParameter, match=next(iter(bad))):
        corpus(**bad)


def test_the_nearest_note_in_timbre_is_of_the_same_kind(notes):
    def described(sound):
        coefficients = librosa.feature.mfcc(y=np.asarray(sound), sr=44100, n_mfcc=20)
        return np.concatenate([coefficients.mean(axis=1), coefficients.std(axis=1)])

    kinds = np.array([name.split("/")[0] for name in notes])
    features = np.array([described(sound) for sound in notes.values()])
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    distances = np.linalg.norm(features[:, None] - features[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert np.mean(kinds[distances.argmin(axis=1)] == kinds) >= 0.9
