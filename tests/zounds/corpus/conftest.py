"""Small sounds that differ in timbre, and corpora of them."""

from fractions import Fraction

import numpy as np
import pytest
import soundfile

import zounds
from zounds.corpus.generation import Sound, generation
from zounds.corpus.known import Fact
from zounds.corpus.presets import preset
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


HOP = Fraction(30 * 1024, 44100)


@pytest.fixture(scope="session")
def described():
    """A function: numbers of segments -> a sound for each, a quarter of a hop short."""

    def unit(rows):
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def sounds(counts, preset="timbre", seed=0, one=None):
        random = np.random.default_rng(seed)

        def rows(count):
            if one is not None:
                return np.tile(one, (count, 1))
            if preset == "post":
                return random.random((count, 128)) < 0.2
            return unit(random.standard_normal((count, 64)))

        for number, count in enumerate(counts):
            rate = zounds.SampleRate(HOP, HOP + Fraction(1, 50))
            seconds = float((count - Fraction(1, 4)) * HOP)
            names = (f"sound {number}", f"{number}.wav", f"file:///{number}.wav")
            series = zounds.ConstantRateTimeSeries(rows(count), rate)
            yield Sound(Fact(*names, seconds, 44100, 1), rows(1), series)

    return sounds


@pytest.fixture(scope="session")
def made(described):
    """A function that makes a generation of such sounds."""
    return lambda counts, name="timbre", **options: generation(
        preset(name), "print", described(counts, name, **options)
    )
