import librosa
import numpy as np
import pytest

from featureflow.errors import InvalidParameter
from zounds.demo.corpus import demo_corpus, pitch_name
from zounds.demo.instruments import INSTRUMENTS
from zounds.errors import UnitsError
from zounds.units import SR8000, SR44100, HalfLapped


def test_pitches_have_scientific_names():
    assert [pitch_name(note) for note in (0, 21, 59, 60, 69, 70, 127)] == [
        "C-1", "A0", "B3", "C4", "A4", "Bb4", "G9",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def notes():
    return dict(demo_corpus(pitches=4, loudnesses=2))


def test_a_corpus_has_every_kind_at_several_pitches_and_loudnesses(notes):
    assert len(INSTRUMENTS) >= 14
    assert len(notes) == len(INSTRUMENTS) * 8
    assert {name.split("/")[0] for name in notes} == set(INSTRUMENTS)
    assert [name for name in notes if name.startswith("bell/")] == [
        f"bell/bell_{pitch}_{dynamic}.wav"
        for pitch in ("A3", "F4", "Db5", "A5")
        for dynamic in ("piano", "forte")
    ]
    assert len({len(sound) for sound in notes.values()}) > 20
    assert all(0.9 <= sound.end < 1.3 for sound in notes.values())
    assert all(sound.samplerate == SR44100() for sound in notes.values())


def test_names_and_pitches_agree(notes):
    for kind, name in (("reed", "Db5"), ("bowed", "A3")):
        sound = np.asarray(notes[f"{kind}/{kind}_{name}_forte.wav"])
        strongest = np.abs(np.fft.rfft(sound, 1 << 17)).argmax() * 44100 / (1 << 17)
        assert strongest == pytest.approx(librosa.note_to_hz(name), rel=0.01)


def test_a_note_does_not_depend_on_which_others_there_are():
    many = dict(demo_corpus(SR8000(), pitches=2, loudnesses=3, seed=2))
    few = dict(demo_corpus(8000, pitches=1, loudnesses=1, seed=2))
    other = dict(demo_corpus(8000, pitches=1, loudnesses=1, seed=3))
    name = "bell/bell_A3_mezzoforte.wav"
    assert set(few) == set(other) < set(many)  # one is mezzoforte, three have it between them
    assert all(few[each].tobytes() == many[each].tobytes() for each in few)
    assert few[name].tobytes() != other[name].tobytes()


@pytest.mark.parametrize("bad", [{"pitches": 0}, {"pitches": 26}, {"loudnesses": 7}, {"seed": -1}])
def test_a_corpus_that_cannot_be_is_refused_at_once(bad):
    with pytest.raises(InvalidParameter, match=next(iter(bad))):
        demo_corpus(**bad)


def test_a_rate_of_overlapping_frames_is_refused_at_once():
    with pytest.raises(UnitsError, match="overlap"):
        demo_corpus(HalfLapped())


def test_the_nearest_note_in_timbre_is_of_the_same_kind(notes):
    def described(sound):
        coefficients = librosa.feature.mfcc(y=np.asarray(sound), sr=44100, n_mfcc=20)
        return np.concatenate([coefficients.mean(axis=1), coefficients.std(axis=1)])

    kinds = np.array([name.split("/")[0] for name in notes])
    features = np.array([described(sound) for sound in notes.values()])
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    distances = np.linalg.norm(features[:, None] - features[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert np.mean(kinds[distances.argmin(axis=1)] == kinds) >= 0.95
