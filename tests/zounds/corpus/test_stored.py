"""What is stored of documents is read as the documents themselves would."""

import shutil

import numpy as np
import pytest

import zounds
from zounds.corpus import worker
from zounds.corpus.stored import Stored

NAMES = ("facts", "clip", "segments")


@pytest.fixture
def corpus(notes, tmp_path):
    return zounds.Corpus(shutil.copytree(notes.path, tmp_path / "corpus"))


@pytest.fixture
def store(corpus):
    return worker.open_store(corpus._home.job.place)


def stored(corpus):
    return Stored(corpus._home.model, corpus._home, NAMES)


def keys(store, _id, name):
    return [key for key in store.keys(f"values/{_id}/") if f"/{name}/" in key]


def test_it_is_what_the_documents_have(corpus):
    every = stored(corpus)
    for document, (entry, values) in zip(corpus, every.each(every.read), strict=True):
        assert (entry["id"], entry["name"]) == (document._id, document._name)
        assert values[0] == document.facts
        for ours, theirs in zip(values[1:], (document.clip, document.segments), strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.samplerate == theirs.samplerate
    assert list(stored(corpus).lacking()) == []


def test_what_is_missing_or_damaged_is_computed_if_that_is_possible(corpus, store):
    documents = list(corpus)
    expected = [np.array(document.clip) for document in documents]
    store.delete(*keys(store, documents[3]._id, "clip"))
    (damaged, *_) = keys(store, documents[5]._id, "clip")
    store.write({damaged: store.read(damaged)[:-1] + b"?"})
    assert list(stored(corpus).lacking()) == [documents[3]._id]
    every = stored(corpus)
    found = [values for _, values in every.each(every.read)]
    assert [place for place, values in enumerate(found) if values is None] == [5]
    np.testing.assert_array_equal(found[3][1], expected[3])
    assert list(stored(corpus).lacking()) == []
