import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import featureflow as ff
import zounds

HERE = {"format": 1, "preset": "timbre", "store": "store"}


def test_a_folder_that_holds_other_things_is_refused(tmp_path, sounds):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "thesis.txt").write_text("years of work")
    with pytest.raises(zounds.CorpusError, match=r"is no corpus, and holds 'thesis\.txt': give"):
        zounds.Corpus(tmp_path / "corpus").add(sounds, workers=1)
    with pytest.raises(zounds.CorpusError, match="is no corpus"):
        zounds.Corpus(sounds).add(sounds, workers=1)
    assert [path.name for path in (tmp_path / "corpus").iterdir()] == ["thesis.txt"]
    assert sorted(path.name for path in sounds.iterdir()) == ["a.wav", "b.wav", "deep"]


def test_an_empty_folder_becomes_a_corpus_and_parents_are_made(tmp_path, sounds):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "to" / "be" / "made"):
        corpus = zounds.Corpus(place)
        assert len(corpus.add(sounds, workers=1).ok) == 3
        assert json.loads((place / "corpus.json").read_text()) == HERE


def test_a_folder_in_which_the_first_start_was_killed_becomes_a_corpus(tmp_path, sounds):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "lock").touch()
    (tmp_path / "corpus" / ".corpus.json.0badcafe").write_text("{")
    assert len(zounds.Corpus(tmp_path / "corpus").add(sounds, workers=1).ok) == 3


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({**HERE, "format": 2}, "is a corpus of format 2, and this version of zounds reads"),
        ({**HERE, "format": "1"}, "is a corpus of format 1, and this version"),
        ({"format": 1}, "does not describe a corpus"),
        ([1], "does not describe a corpus"),
        (None, "does not describe a corpus"),
        ({**HERE, "store": "../sounds"}, "does not describe a corpus"),
        ({**HERE, "store": 3}, "does not describe a corpus"),
        ({**HERE, "store": ""}, "does not describe a corpus"),
        ({**HERE, "preset": "noise"}, "noise"),
        ({**HERE, "preset": ["timbre"]}, "timbre"),
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_a_card_that_describes_no_corpus_is_refused(corpus, sounds, card, message):
    corpus.add(sounds, workers=1)
    (corpus.path / "corpus.json").write_text(json.dumps(card))
    for use in (lambda: zounds.Corpus(corpus.path), lambda: corpus.add(sounds, workers=1)):
        with pytest.raises(ff.Error, match=message):
            use()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"\0" * 99])
def test_a_garbled_card_is_refused_and_nothing_is_lost(corpus, sounds, content):
    corpus.add(sounds, workers=1)
    card = corpus.path / "corpus.json"
    good = card.read_bytes()
    card.write_bytes(content)
    with pytest.raises(zounds.CorpusError, match=r"corpus\.json does not describe a corpus"):
        zounds.Corpus(corpus.path)
    card.write_bytes(good)
    assert len(zounds.Corpus(corpus.path)) == 3


def test_the_preset_is_that_the_corpus_was_made_with(tmp_path, sounds):
    zounds.Corpus(tmp_path / "corpus", preset="post").add(sounds, workers=1)
    assert zounds.Corpus(tmp_path / "corpus").preset == "post"
    assert zounds.Corpus(tmp_path / "corpus", "post").preset == "post"
    with pytest.raises(ff.InvalidParameter, match="was made with the preset 'post', not 'timbre'"):
        zounds.Corpus(tmp_path / "corpus", preset="timbre")


@pytest.mark.parametrize("wrong", ["", "noise", "Timbre"])
def test_a_preset_that_is_none_is_refused_at_once(tmp_path, wrong):
    with pytest.raises(
        ff.InvalidParameter, match="there is no preset .*: choose from post, timbre"
    ):
        zounds.Corpus(tmp_path / "corpus", preset=wrong)


def test_a_corpus_needs_a_path():
    with pytest.raises(ff.InvalidParameter, match="the path of a corpus is empty"):
        zounds.Corpus("")


def test_relative_paths_and_tildes_stand_for_one_place(in_folder, sounds, monkeypatch):
    monkeypatch.setenv("HOME", str(in_folder))
    corpus = zounds.Corpus("here")
    assert corpus.path == zounds.Corpus("~/here").path == in_folder / "here"
    monkeypatch.chdir(sounds)
    corpus.add(sounds, workers=1)
    assert len(zounds.Corpus(in_folder / "here")) == 3
    assert sorted(path.name for path in sounds.iterdir()) == ["a.wav", "b.wav", "deep"]


def unwritable(tmp_path):
    (tmp_path / "file").write_text("in the way")
    yield tmp_path / "file"
    yield tmp_path / "file" / "corpus"
    if sys.platform.startswith("linux"):
        yield "/proc/corpus"  # where not even root may write
        yield tmp_path / ("x" * 300)


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path, sounds):
    for place in unwritable(tmp_path):
        corpus = zounds.Corpus(place)
        assert len(corpus) == 0
        with pytest.raises(
            zounds.CorpusError, match="cannot be written to .*: give another folder"
        ):
            corpus.add(sounds, workers=1)


def test_a_copy_of_a_corpus_is_one(corpus, sounds, values, agrees):
    corpus.add(sounds, workers=1)
    copy = zounds.Corpus(shutil.copytree(corpus.path, corpus.path.with_name("copy")))
    assert values(copy) == values(corpus)
    assert len(copy.add(sounds, workers=1).skipped) == 3
    copy.remove(sounds)
    assert (len(copy), len(corpus)) == (0, 3)
    agrees(corpus)


def test_a_corpus_that_was_deleted_is_empty_and_can_be_filled_again(corpus, sounds, agrees):
    corpus.add(sounds, workers=1)
    shutil.rmtree(corpus.path)
    assert (len(corpus), corpus.outcomes(), list(corpus)) == (0, (), [])
    assert len(corpus.add(sounds, workers=1).ok) == 3
    agrees(corpus)


def test_who_changes_a_corpus_may_do_so_several_times_and_no_other_thread_meanwhile(corpus, sounds):
    with corpus.changing(), ThreadPoolExecutor(1) as other:
        with corpus.changing():
            assert len(corpus.add(sounds, workers=1).ok) == 3
        for same in (corpus, zounds.Corpus(corpus.path)):
            with pytest.raises(zounds.CorpusError, match="another process is changing"):
                other.submit(same.remove, sounds).result()
    assert len(corpus.remove(sounds)) == 3
