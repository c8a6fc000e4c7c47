"""What is searched: which rows belong to which sounds, and how it is stored."""

from fractions import Fraction

import numpy as np
import pytest

import zounds
from zounds.corpus.spaces import KIND, SAME

HOP = Fraction(30 * 1024, 44100)


@pytest.mark.parametrize("name", ["timbre", "post"])
def test_each_row_belongs_to_a_sound_and_a_time_in_it(name, made):
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
        expected = min((HOP + Fraction(1, 50)), whole - place * HOP)
        assert float(time.duration) == pytest.approx(float(expected))
        assert float(found.time("clip", owner, owner).duration) == pytest.approx(float(whole))
    for layer in found.layers("segment").values():
        assert len(layer) == 9
    for layer in found.layers("clip").values():
        assert len(layer) == 3


def test_segments_that_are_made_block_by_block_are_those_of_the_space(made, described):
    counts = [40, 2, 9000, 29]
    found = made(counts)
    rows = np.concatenate([np.asarray(sound.segments) for sound in described(counts)])
    some = np.r_[0:80, 4090:4100, len(rows) - 40 : len(rows)]  # over the ends of blocks, too
    for like, layer in found.space.segments(rows[some]).items():
        np.testing.assert_array_equal(found.segments[like].codes[some], layer.codes)
        np.testing.assert_array_equal(found.segments[like].vectors[some], layer.vectors)
    assert found.space.clips[SAME].vectors.shape == (4, 64)


@pytest.mark.parametrize("unit", ["clip", "segment"])
def test_what_is_typical_is_the_mean_distance_of_two_codes(unit, made):
    found = made([4] * 300, "post")
    codes = found.layers(unit)[KIND].codes
    some = np.random.default_rng(1).permutation(len(codes))[:200]
    apart = np.bitwise_count(codes[some][:, None] ^ codes[some]).sum(axis=2)
    mean = apart[~np.eye(200, dtype=bool)].mean()
    assert found.typical[unit] == pytest.approx(mean, rel=0.02)
    assert found.typical[unit] == made([4] * 300, "post").typical[unit]


@pytest.mark.parametrize("counts", [[1], [1, 1, 1], [3]])
def test_what_is_typical_of_codes_that_are_all_the_same_is_half_of_the_bits(counts, made):
    one = np.full((1, 64), np.float32(1 / 8))
    found = made(counts, one=one)
    assert found.typical["clip"] == found.typical["segment"] == 64


def test_there_is_nothing_to_search_without_sounds(made):
    with pytest.raises(zounds.SearchError, match="there are no sounds to index: add some first"):
        made([])
