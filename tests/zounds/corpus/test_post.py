"""The preset of the article: what its codes are."""

import numpy as np
import pytest

import featureflow as ff
import zounds
from zounds.corpus.presets import preset
from zounds.units import SampleRate


def model_of(base):
    return type("Model", (base,), {"database": ff.InMemoryDatabase(), "__doc__": "For a test."})


@pytest.fixture(scope="module")
def sounds(make):
    """A model of eight sounds."""
    model = model_of(preset("post").sounds())
    for seed in range(8):
        model.process(_id=f"{seed}", meta=zounds.encode(make(seed, 0.9), "wav"))
    return model


@pytest.fixture(scope="module")
def coded(sounds):
    """The same sounds with codes."""
    base = preset("post").coded(preset("post").learn(sounds, seed=0))
    return type("Coded", (base,), {"database": sounds.database, "__doc__": "For a test."})


def test_codes_are_the_nearest_centres_of_thirty_frames(sounds, coded):
    for document in coded:
        bits = np.asarray(document.codes, bool)
        assert (bits.sum(axis=1) == 1).all()
        starts = range(0, len(bits), 30)
        expected = [bits[start : start + 30].any(axis=0) for start in starts]
        segments = np.asarray(document.segments, bool)[: len(expected)]
        np.testing.assert_array_equal(segments, expected[: len(segments)])
        np.testing.assert_array_equal(document.clip, [document.segments.max(axis=0)])
        assert document.clip.samplerate == SampleRate(document.segments.end, document.segments.end)
        assert document.segments.shape[1] == document.clip.shape[1] == 128


def test_facts_and_features_are_stored_and_sounds_are_not(sounds):
    document = sounds("3")
    assert document._is_stored("facts")
    assert document._is_stored("bfcc")
    assert not document._is_stored("pcm")
    assert document.facts["samples"] == len(document.pcm)


def test_too_few_sounds_are_refused():
    empty = model_of(preset("post").sounds())
    with pytest.raises(zounds.LearningError):
        preset("post").learn(empty, 0)
    with pytest.raises(zounds.LearningError):
        preset("post").learn([], 0)
    empty.process(meta=zounds.encode(zounds.AudioSamples(np.zeros(44100, "f4"), 44100), "wav"))
    with pytest.raises(zounds.LearningError, match="different examples for 128 centres"):
        preset("post").learn(empty, 0)


def test_a_sound_that_cannot_be_read_is_left_out_with_a_warning(make):
    model = model_of(preset("post").sounds())
    for seed in range(9):
        model.process(_id=f"{seed}", meta=zounds.encode(make(seed, 0.8), "wav"))
    store = model.database
    victim = next(k for k in store.keys("values/4/") if "/bfcc/" in k)
    store.write({victim: b"damaged"})
    with pytest.warns(UserWarning, match="is not learned from"):
        learned = preset("post").learn(model, 0)
    without = [model(f"{seed}") for seed in range(9) if seed != 4]
    expected = preset("post").learn(without, 0)
    rows = np.random.default_rng(0).standard_normal((50, 13))
    np.testing.assert_array_equal(learned.transform(rows), expected.transform(rows))
