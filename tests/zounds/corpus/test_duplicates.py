"""Sounds that are nearly the same are found, and left alone."""

import shutil

import numpy as np
import pytest
import soundfile
from scipy.cluster.hierarchy import fcluster, linkage

import zounds


@pytest.fixture(scope="module", params=["timbre", "post"])
def corpus(tmp_path_factory, save, request):
    """A corpus of nine sounds, and of copies of two of them."""
    folder = tmp_path_factory.mktemp("copies")
    for seed in range(9):
        save(folder / "sounds" / f"{seed}.wav", seed, seconds=0.8)
    samples, rate = soundfile.read(folder / "sounds" / "3.wav")
    (folder / "sounds" / "deep").mkdir()
    soundfile.write(folder / "sounds" / "deep" / "soft.wav", samples / 4, rate, "FLOAT")
    soundfile.write(folder / "sounds" / "3.flac", samples, rate)
    shutil.copy(folder / "sounds" / "7.wav", folder / "sounds" / "again.wav")
    corpus = zounds.Corpus(folder / "corpus", request.param)
    corpus.add(folder / "sounds", workers=1)
    corpus.learn()
    corpus.index(workers=1)
    return corpus


def names(groups):
    return [[one.name for one in group] for group in groups]


def test_copies_are_in_groups_in_the_order_of_their_places(corpus):
    assert ["7.wav", "again.wav"] in names(corpus.duplicates())
    groups = corpus.duplicates(2)
    assert ["7.wav", "again.wav"] in names(groups)
    (group,) = (group for group in groups if group[0].name == "3.flac")
    assert [one.name for one in group] == ["3.flac", "3.wav", "soft.wav"]
    assert group[0].distance == 0
    assert max(one.distance for one in group) <= 2 * 2  # of a chain
    for one in group:
        assert corpus[one.id].meta.uri == one.uri == one.path.as_uri()
        assert one.seconds == pytest.approx(0.8)
        assert one.record()["path"] == str(one.path)
    firsts = [group[0].uri for group in groups]
    assert firsts == sorted(firsts)
    assert len(corpus) == 12


@pytest.mark.parametrize("like", ["same", "kind"])
@pytest.mark.parametrize("distance", [0, 3, 20, 128])
def test_groups_are_those_of_single_linkage(corpus, like, distance):
    found = corpus._home.indexed()
    layers = found.layers("clip")
    bits = np.unpackbits(layers.get(like, layers["kind"]).codes, axis=1)
    labels = fcluster(linkage(bits, "single", "cityblock"), distance, "distance")
    ids = np.array(list(found.ids))
    expected = {frozenset(ids[labels == label]) for label in labels if (labels == label).sum() > 1}
    groups = corpus.duplicates(distance, like=like)
    assert {frozenset(one.id for one in group) for group in groups} == expected
    for group in groups:
        rows = [ids.tolist().index(one.id) for one in group]
        assert [one.distance for one in group] == (bits[rows] != bits[rows[0]]).sum(1).tolist()


def test_what_was_removed_since_is_no_duplicate(corpus, tmp_path):
    corpus = zounds.Corpus(shutil.copytree(corpus.path, tmp_path / "corpus"))
    (one,) = (o for o in corpus.outcomes() if o.name == "again.wav")
    corpus.remove(one.id)
    assert "again.wav" not in str(names(corpus.duplicates()))
    assert ["7.wav"] not in names(corpus.duplicates())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"distance": -1}, "distance=-1: give a whole number of bits, 0 or more"),
        ({"distance": 1.5}, "distance=1.5: give a whole number"),
        ({"distance": True}, "distance=True: give a whole number"),
        ({"like": "timbre"}, "like='timbre': give one of"),
    ],
)
def test_what_cannot_be_compared_is_refused(corpus, given, said):
    with pytest.raises(zounds.SearchError, match=said):
        corpus.duplicates(**given)


def test_without_an_index_there_is_nothing_to_compare(tmp_path):
    with pytest.raises(zounds.SearchError, match="holds no sounds yet"):
        zounds.Corpus(tmp_path / "none").duplicates()
