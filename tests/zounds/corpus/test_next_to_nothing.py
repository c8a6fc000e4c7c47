"""Sounds in which there is next to nothing, and collections of next to none."""

import warnings

import numpy as np
import pytest

import zounds

RATE = 44100


def silence(seconds=0.5):
    return np.zeros(round(seconds * RATE), np.float32)


def click():
    sound = silence()
    sound[1000:1010] = 0.9
    return sound


NOTHING = {
    "silence": silence(),
    "one zero": silence()[:1],
    "click": click(),
    "only a click": click()[1000:1010],
    "DC": np.full(RATE // 2, 0.5, np.float32),
    "shorter than a frame": np.random.default_rng(0).uniform(-0.5, 0.5, 300).astype(np.float32),
    "one sample": np.full(1, 0.25, np.float32),
    "very soft": np.random.default_rng(1).uniform(-1e-4, 1e-4, RATE // 2).astype(np.float32),
    "full scale": np.sign(np.sin(np.arange(RATE // 2) / 9)).astype(np.float32) * 0.999,
}


def filled(folder, sounds, preset="timbre"):
    """A corpus of samples, by their names, that has learned and is indexed."""
    (folder / "sounds").mkdir(exist_ok=True)
    for name, samples in sounds.items():
        zounds.save(zounds.AudioSamples(np.asarray(samples), RATE), folder / f"sounds/{name}.wav")
    corpus = zounds.Corpus(folder / "corpus", preset)
    report = corpus.add(folder / "sounds", workers=1)
    assert len(report.ok) == len(sounds), report
    corpus.learn(workers=1)
    assert corpus.index(workers=1) == len(sounds)
    return corpus


def is_searchable(corpus):
    """Every sound is found by itself, in every way, with scores that are numbers."""
    ways = [{"like": "same"}, {}, {"rerank": False}] if corpus.preset == "timbre" else [{}]
    for document in corpus:
        for unit in ("clip", "segment"):
            for way in ways:
                for query in (document, document.pcm):
                    results = corpus.search(query, 99, unit=unit, **way)
                    scores = [hit.score for hit in results]
                    assert np.isfinite(scores).all()
                    assert 0 <= min(scores) <= max(scores) <= 1
                    assert len(results) == len(corpus)
                (own,) = (hit for hit in corpus.search(document, 99) if hit.id == document._id)
                assert own.distance == 0
    assert corpus.check().problems == ()


@pytest.mark.parametrize("preset", ["timbre", "post"])
def test_sounds_of_next_to_nothing_among_others(tmp_path, make, preset):
    others = {f"{seed}": make(seed, 0.5) for seed in range(6)}
    corpus = filled(tmp_path, NOTHING | others, preset)
    is_searchable(corpus)
    for name in others:
        assert corpus.search(tmp_path / "sounds" / f"{name}.wav")[0].name == f"{name}.wav"


def test_sounds_of_next_to_nothing_alone(tmp_path):
    is_searchable(filled(tmp_path, NOTHING))


@pytest.mark.parametrize("name", NOTHING)
def test_one_sound_of_next_to_nothing_is_all_there_is(tmp_path, name):
    is_searchable(filled(tmp_path, {name: NOTHING[name]}))


@pytest.mark.parametrize("count", [1, 2, 30])
def test_sounds_that_are_all_the_same(tmp_path, make, count):
    corpus = filled(tmp_path, {f"{number}": make(1, 0.4) for number in range(count)})
    is_searchable(corpus)
    hits = corpus.search(corpus.random(0), 99)
    assert {hit.distance for hit in hits} == {0}
    assert len({hit.score for hit in hits}) == 1
    # and something else is searched for among them
    assert len(corpus.search(make(2, 0.4), 99)) == count
    more = corpus.search(make(2, 0.4), 99, more=[corpus.random(0)], less=[make(3, 0.4)])
    assert np.isfinite([hit.score for hit in more]).all()


@pytest.mark.parametrize("count", [30, 49, 50])
def test_thirty_sounds_are_learned_from_and_that_they_are_few_is_said(tmp_path, make, count):
    sounds = {f"{number}": make(number, 0.15) for number in range(count)}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        corpus = filled(tmp_path, sounds)
    messages = [str(warning.message) for warning in told]
    if count < 50:
        (message,) = messages
        assert f"views of {count} clips" in message
        assert "will be better from 50 clips on" in message
    else:
        assert messages == []
    for document in corpus:
        assert corpus.search(document)[0].id == document._id


def test_what_was_learned_of_other_sounds_codes_next_to_nothing(tmp_path, make):
    for seed in range(8):
        (tmp_path / "others").mkdir(exist_ok=True)
        zounds.save(make(seed), tmp_path / "others" / f"{seed}.wav")
    for name, samples in NOTHING.items():
        (tmp_path / "sounds").mkdir(exist_ok=True)
        zounds.save(zounds.AudioSamples(samples, RATE), tmp_path / "sounds" / f"{name}.wav")
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.learn(tmp_path / "others", workers=1)
    corpus.add(tmp_path / "sounds", workers=1)
    assert corpus.index(workers=1) == len(NOTHING)
    is_searchable(corpus)


def test_what_was_learned_of_nothing_codes_sounds(tmp_path, make):
    zounds.save(zounds.AudioSamples(silence(), RATE), tmp_path / "silence.wav")
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.learn(tmp_path / "silence.wav", workers=1)
    for seed in range(4):
        corpus.add(zounds.encode(make(seed), "wav"), workers=1)
    corpus.index(workers=1)
    is_searchable(corpus)


@pytest.mark.parametrize("name", NOTHING)
def test_next_to_nothing_is_searched_with(notes, name):
    for unit in ("clip", "segment"):
        for like in ("kind", "same"):
            query = zounds.AudioSamples(NOTHING[name], RATE)
            scores = [hit.score for hit in notes.search(query, 99, unit=unit, like=like)]
            assert len(scores) == 60
            assert np.isfinite(scores).all()
            assert 0 <= min(scores) <= max(scores) <= 1


def test_too_little_for_the_codes_of_the_article_is_told(tmp_path):
    with pytest.raises(zounds.LearningError, match="different examples for 128 centres"):
        filled(tmp_path, {"silence": silence()}, "post")
    corpus = zounds.Corpus(tmp_path / "corpus")
    with pytest.raises(zounds.SearchError, match=r"call learn\(\) and index\(\)"):
        corpus.search(corpus.random(0))
