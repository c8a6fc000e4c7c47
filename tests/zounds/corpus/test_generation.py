"""What is searched: which rows belong to which sounds, and how it is stored."""

from fractions import Fraction

import numpy as np
import pytest

import featureflow as ff
import zounds
from zounds.corpus.generation import Generation, Shelf, Sound, generation
from zounds.corpus.known import Fact
from zounds.corpus.presets import preset
from zounds.corpus.spaces import KIND, SAME

HOP = Fraction(30 * 1024, 44100)
RATE = zounds.SampleRate(HOP, HOP + Fraction(1, 50))


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def sounds(counts, preset="timbre", seed=0, one=None):
    """A sound for each number of segments; its duration is a quarter of a hop short."""
    random = np.random.default_rng(seed)

    def rows(count):
        if one is not None:
            return np.tile(one, (count, 1))
        if preset == "post":
            return random.random((count, 128)) < 0.2
        return unit(random.standard_normal((count, 64)))

    for number, count in enumerate(counts):
        series = zounds.ConstantRateTimeSeries(rows(count), RATE)
        seconds = float((count - Fraction(1, 4)) * HOP)
        fact = Fact(f"sound {number}", f"{number}.wav", f"file:///{number}.wav", seconds, 44100, 1)
        yield Sound(fact, rows(1), series)


def made(counts, name="timbre", **options) -> Generation:
    return generation(preset(name), "print", sounds(counts, name, **options))


@pytest.mark.parametrize("name", ["timbre", "post"])
def test_each_row_belongs_to_a_sound_and_a_time_in_it(name):
    counts = [3, 1, 5]
    found = made(counts, name)
    assert found.ids == ["sound 0", "sound 1", "sound 2"]
    assert (found.fingerprint, found.bits) == ("print", 128)
    rows = np.arange(9)
    owners = found.owners("segment", rows)
    assert owners.tolist() == [0, 0, 0, 1, 2, 2, 2, 2, 2]
    assert found.owners("clip", np.arange(3)).tolist() == [0, 1, 2]
    for row, owner in zip(rows.tolist(), owners.tolist(), strict=True):
        time = found.time("segment", owner, row)
        place = row - sum(counts[:owner])
        assert time.start == place * HOP
        whole = counts[owner] * HOP - HOP / 4
        expected = min(RATE.duration, whole - place * HOP)
        assert float(time.duration) == pytest.approx(float(expected))
        assert float(found.time("clip", owner, owner).duration) == pytest.approx(float(whole))
    for layer in found.layers("segment").values():
        assert len(layer) == 9
    for layer in found.layers("clip").values():
        assert len(layer) == 3


def test_segments_that_are_made_block_by_block_are_those_of_the_space():
    counts = [40, 2, 9000, 29]
    found = made(counts)
    rows = np.concatenate([np.asarray(sound.segments) for sound in sounds(counts)])
    some = np.r_[0:80, 4090:4100, len(rows) - 40 : len(rows)]  # over the ends of blocks, too
    for like, layer in found.space.segments(rows[some]).items():
        np.testing.assert_array_equal(found.segments[like].codes[some], layer.codes)
        np.testing.assert_array_equal(found.segments[like].vectors[some], layer.vectors)
    assert found.space.clips[SAME].vectors.shape == (4, 64)


@pytest.mark.parametrize("unit", ["clip", "segment"])
def test_what_is_typical_is_the_mean_distance_of_two_codes(unit):
    found = made([4] * 300, "post")
    codes = found.layers(unit)[KIND].codes
    some = np.random.default_rng(1).permutation(len(codes))[:200]
    apart = np.bitwise_count(codes[some][:, None] ^ codes[some]).sum(axis=2)
    mean = apart[~np.eye(200, dtype=bool)].mean()
    assert found.typical(unit) == pytest.approx(mean, rel=0.02)
    assert found.typical(unit) == made([4] * 300, "post").typical(unit)


@pytest.mark.parametrize("counts", [[1], [1, 1, 1], [3]])
def test_what_is_typical_of_codes_that_are_all_the_same_is_half_of_the_bits(counts):
    one = unit(np.random.default_rng(0).standard_normal((1, 64)))
    found = made(counts, one=one)
    assert found.typical("clip") == found.typical("segment") == 64


def test_there_is_nothing_to_search_without_sounds():
    with pytest.raises(zounds.SearchError, match="there are no sounds to index: add some first"):
        made([])


# ---------------------------------------------------------------------------- storing it


@pytest.fixture
def store():
    return ff.InMemoryDatabase()


def same(one, other):
    assert (list(one.ids), one.fingerprint, one.bits, one.rate) == (
        *(list(other.ids), other.fingerprint, other.bits, other.rate),
    )
    np.testing.assert_array_equal(one.offsets, other.offsets)
    np.testing.assert_array_equal(one.known.seconds, other.known.seconds)
    for unit in ("clip", "segment"):
        for like, layer in one.layers(unit).items():
            np.testing.assert_array_equal(layer.codes, other.layers(unit)[like].codes)
            if layer.vectors is not None:
                np.testing.assert_array_equal(layer.vectors, other.layers(unit)[like].vectors)


@pytest.mark.parametrize("name", ["timbre", "post"])
def test_what_is_put_on_the_shelf_is_what_one_gets(store, name):
    shelf, found = Shelf(store), made([3, 1, 5], name)
    assert shelf.digest() is None
    shelf.put(found)
    same(Shelf(store).get(shelf.digest()), found)
    assert list(shelf.problems()) == []


def test_the_latest_is_kept_and_none_else(store):
    shelf = Shelf(store)
    digests = []
    for seed in (0, 1, 1, 0):
        shelf.put(made([3, 1], seed=seed))
        digests.append(shelf.digest())
        assert len(list(store.keys())) == 2
    assert digests[1] == digests[2] != digests[0] == digests[3]
    assert shelf.get(digests[1]) is None
    same(shelf.get(digests[0]), made([3, 1], seed=0))


def test_who_stops_in_between_leaves_the_one_before(store, monkeypatch):
    shelf, before = Shelf(store), made([3, 1])
    shelf.put(before)

    def full(records):
        raise ff.StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", full)
        with pytest.raises(ff.StoreError):
            shelf.put(made([2, 2], seed=1))
    same(shelf.get(shelf.digest()), before)


def test_what_is_damaged_is_none_and_told_in_a_line_each(store):
    shelf = Shelf(store)
    shelf.put(made([3, 1]))
    digest = shelf.digest()
    for key in list(store.keys()):
        record = store.read(key)
        store.write({key: record[:-1] + bytes([record[-1] ^ 1])})
    assert shelf.get(digest) is None
    assert shelf.digest() is None
    problems = list(shelf.problems())
    assert len(problems) == 2
    for key, problem in zip(sorted(store.keys()), sorted(problems), strict=True):
        assert problem == f"the index is damaged ({key}): run zounds rescan"
    shelf.put(made([3, 1]))
    assert list(shelf.problems()) == []


@pytest.mark.parametrize("part", ["latest", "generations"])
def test_a_key_that_is_another_now_is_told_and_its_record_not_left_behind(store, part):
    shelf = Shelf(store)
    shelf.put(made([3, 1]))
    (key,) = store.keys(f"index/{part}")
    store.write({key[:-1] + "~": store.read(key)})
    store.delete(key)
    assert list(shelf.problems()) == [f"the index is damaged ({key} is gone): run zounds rescan"]
    assert shelf.get(shelf.digest() or "none") is None
    shelf.put(made([2, 2], seed=1))
    assert list(shelf.problems()) == []
    assert len(list(store.keys())) == 2


def test_where_nothing_was_put_nothing_is_damaged(store):
    assert list(Shelf(store).problems()) == []
