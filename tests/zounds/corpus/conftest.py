"""Small sounds that differ in timbre, and corpora of them."""

import numpy as np
import pytest
import soundfile

import zounds
from zounds.demo.instruments import INSTRUMENTS

RATE = 44100

KINDS = ("plucked", "bowed", "blown", "reed", "brass", "organ")
PITCHES = 10
STEP = 3  # semitones


def noisy_tone(seed, seconds):
    """A sound of a timbre of its own: partials and noise whose weights the seed draws."""
    random = np.random.default_rng(seed)
    count = round(seconds * RATE)
    times = np.arange(count) / RATE
    pitch = 100 * 2 ** random.uniform(0, 3)
    wave = sum(
        weight * np.sin(2 * np.pi * pitch * (number + 1) * times)
        for number, weight in enumerate(random.random(8) ** 2)
    )
    noise = np.convolve(random.standard_normal(count), random.standard_normal(6), "same")
    wave = wave * (1 + 0.5 * np.sin(2 * np.pi * 5 * times)) + random.uniform(0.02, 0.5) * noise
    return zounds.AudioSamples((0.5 * wave / np.abs(wave).max()).astype(np.float32), RATE)


@pytest.fixture(scope="session")
def make():
    """A function: seed, seconds -> samples; another sound for each seed."""
    return lambda seed=0, seconds=0.4: noisy_tone(seed, seconds)


@pytest.fixture(scope="session")
def save(make):
    """A function that saves a sound, in folders that it makes, and returns the path."""

    def saving(path, seed=0, seconds=0.4):
        path.parent.mkdir(parents=True, exist_ok=True)
        zounds.save(make(seed, seconds), path)
        return path

    return saving


@pytest.fixture(scope="session")
def notes(tmp_path_factory):
    """A corpus of 60 notes in folders: six instruments at ten pitches, three semitones apart."""
    folder = tmp_path_factory.mktemp("notes")
    for kind in KINDS:
        (folder / "sounds" / kind).mkdir(parents=True)
        for number in range(PITCHES):
            hertz = 220 * 2 ** (STEP * number / 12)
            note = INSTRUMENTS[kind](hertz, 0.6, 0.8, RATE, seed=number)
            zounds.save(note, folder / "sounds" / kind / f"{kind}_{number}.wav")
    corpus = zounds.Corpus(folder / "corpus")
    corpus.add(folder / "sounds", workers=1)
    corpus.learn(workers=1)
    corpus.index(workers=1)
    return corpus


@pytest.fixture(scope="session")
def write():
    """A function that saves noise, in folders that it makes, and returns the path; it is fast."""

    def writing(path, seconds=0.3, seed=0):
        noise = np.random.default_rng(seed).uniform(-0.5, 0.5, int(seconds * 22050))
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise.astype(np.float32), 22050)
        return path

    return writing


@pytest.fixture
def sounds(tmp_path, save):
    """A folder of three sounds, one of them in a folder of its own."""
    folder = tmp_path / "sounds"
    for seed, name in enumerate(("a.wav", "b.wav", "deep/c.wav")):
        save(folder / name, seed)
    return folder


@pytest.fixture
def corpus(tmp_path):
    """A corpus that is yet to be filled."""
    return zounds.Corpus(tmp_path / "corpus")


@pytest.fixture(scope="session")
def values():
    """A function: corpus -> what is stored of each document, as digests, by id."""

    def stored(corpus):
        return {
            document._id: tuple(map(document._digest, ("facts", "clip_timbre", "segment_timbres")))
            for document in corpus
        }

    return stored


@pytest.fixture
def agrees():
    """A function that asserts that what a corpus says of itself is what it holds."""

    def agreeing(corpus):
        outcomes = [outcome for outcome in corpus.outcomes() if outcome.is_document]
        assert sorted(document._id for document in corpus) == sorted(o.id for o in outcomes)
        assert len({outcome.id for outcome in outcomes}) == len(outcomes)
        assert len(corpus) == corpus.info().documents == len(outcomes)
        for outcome in outcomes:
            document = corpus[outcome.id]
            assert document.meta.uri == outcome.uri
            assert document._name == outcome.name
            assert document.facts["seconds"] == outcome.seconds > 0
        assert corpus.check().problems == ()

    return agreeing
