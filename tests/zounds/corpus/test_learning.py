"""Learning and indexing: what is computed, by whom and how often."""

import shutil

import numpy as np
import pytest

import featureflow as ff
import zounds


@pytest.fixture(scope="module")
def folder(tmp_path_factory, save):
    """A folder of nine sounds."""
    folder = tmp_path_factory.mktemp("learning") / "sounds"
    for seed in range(9):
        save(folder / f"{seed}.wav", seed, seconds=0.4)
    return folder


@pytest.fixture(params=["timbre", "post"])
def corpus(tmp_path, folder, request):
    corpus = zounds.Corpus(tmp_path / "corpus", request.param)
    corpus.add(folder, workers=1)
    return corpus


def vectors(corpus):
    return {document._name: document.clip.tobytes() for document in corpus}


def test_the_same_sounds_teach_the_same_wherever_they_lie(corpus, folder, tmp_path):
    corpus.learn(workers=1)
    elsewhere = shutil.copytree(folder, tmp_path / "a" / "b")
    other = zounds.Corpus(tmp_path / "other", corpus.preset)
    for path in sorted(elsewhere.iterdir(), reverse=True):
        other.add(path, workers=1)
    other.learn(workers=1)
    assert vectors(other) == vectors(corpus)


def test_work_is_told_by_its_stage(corpus):
    told = []
    corpus.learn(workers=1, progress=told.append)
    stages = {"timbre": {"studying"}, "post": set()}
    assert {progress.task for progress in told} == stages[corpus.preset]
    if told:
        assert (told[-1].done, told[-1].total) == (9, 9)
    told.clear()
    corpus.index(workers=1, progress=told.append)
    assert {progress.task for progress in told} == {"coding"}
    assert (told[-1].done, told[-1].total) == (9, 9)


def test_what_was_studied_is_not_studied_again(corpus, save, tmp_path):
    corpus.learn(workers=1)
    before = vectors(corpus)
    told = []
    corpus.learn(workers=1, progress=told.append)
    assert told == []
    assert vectors(corpus) == before
    corpus.add(save(tmp_path / "new.wav", 77), workers=1)
    corpus.learn(workers=1, progress=told.append)
    assert [progress.total for progress in told] == [1] * len(told)
    assert vectors(corpus).keys() - before.keys() == {"new.wav"}


def test_an_index_that_is_up_to_date_is_left_as_it_is(corpus):
    corpus.learn(workers=1)
    assert corpus.index(workers=1) == 9
    files = {path: path.stat().st_mtime_ns for path in (corpus.path / "index").iterdir()}
    told = []
    assert corpus.index(workers=1, progress=told.append) == 9
    assert told == []
    assert files == {p: p.stat().st_mtime_ns for p in (corpus.path / "index").iterdir()}


def test_what_was_learned_elsewhere_codes_these_sounds(corpus, tmp_path, save, folder):
    for seed in range(9):
        save(tmp_path / "others" / f"{seed}.wav", 50 + seed)
    corpus.learn(tmp_path / "others", workers=1)
    assert corpus.index(workers=1) == 9
    for document in corpus:
        best = corpus.search(document)[0]
        assert best.distance == 0
        assert 0 <= best.score <= 1
        assert np.isfinite([hit.score for hit in corpus.search(document, 99)]).all()
    assert corpus.search(tmp_path / "others" / "3.wav", 99)
    assert corpus.info().learned_from == 9
    assert len(corpus) == 9


@pytest.mark.parametrize("seed", [-1, 0.5, 2**32, "0", None, True])
def test_a_seed_that_is_none_is_refused_before_anything_is_studied(corpus, seed):
    told = []
    with pytest.raises(ff.InvalidParameter, match="seed is"):
        corpus.learn(seed=seed, workers=1, progress=told.append)
    assert told == []
    with pytest.raises(zounds.NotTrained):
        corpus.index(workers=1)


def test_a_sound_that_is_gone_is_learned_from_by_what_is_stored(tmp_path, folder):
    sounds = shutil.copytree(folder, tmp_path / "sounds")
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(sounds, workers=1)
    (sounds / "4.wav").unlink()
    with pytest.warns(UserWarning, match=r"4\.wav is not learned from: .*4\.wav does not exist"):
        corpus.learn(workers=1)
    # its descriptors are there: it is coded, and found
    assert corpus.index(workers=1) == 9
    assert corpus.search(folder / "4.wav")[0].name == "4.wav"


# ---------------------------------------------------------------------------- what is new


def anew(corpus, folder):
    """What would be indexed if nothing had been before."""
    again = zounds.Corpus(shutil.copytree(corpus.path, folder))
    shutil.rmtree(again.path / "index")
    assert again.index(workers=1) == len(again)
    return again._home.shelf.digest()


def test_an_index_is_the_same_whatever_was_indexed_before(corpus, folder, save, tmp_path):
    corpus.learn(workers=1)
    corpus.index(workers=1)
    steps = {
        "added": lambda: corpus.add(save(tmp_path / "new.wav", 91), workers=1),
        "renamed": lambda: (tmp_path / "new.wav").rename(tmp_path / "other.wav"),
        "found": lambda: corpus.add(tmp_path / "other.wav", workers=1),
        "changed": lambda: corpus.add(save(tmp_path / "other.wav", 92, seconds=0.9), workers=1),
        "removed": lambda: corpus.remove(next(iter(corpus))),
        "nothing": lambda: None,
        "learned": lambda: corpus.learn(seed=3, workers=1),
    }
    digests = []
    for name, step in steps.items():
        step()
        corpus.index(workers=1)
        assert corpus._home.shelf.digest() == anew(corpus, tmp_path / name), name
        assert corpus.check().problems == ()
        digests.append(corpus._home.shelf.digest())
    assert len(set(digests)) == 5  # a file that was renamed, and nothing, change nothing


def test_of_sounds_that_were_indexed_nothing_is_read_again(corpus, save, tmp_path):
    corpus.learn(workers=1)
    corpus.index(workers=1)
    store = corpus.random(0).database
    record = next(key for key in store.keys("values/") if "/facts/" in key)
    before = store.read(record)
    store.write({record: b"damaged"})  # which nobody sees
    corpus.add(save(tmp_path / "new.wav", 91), workers=1)
    assert corpus.index(workers=1) == 10
    store.write({record: before})
    assert corpus._home.shelf.digest() == anew(corpus, tmp_path / "anew")
