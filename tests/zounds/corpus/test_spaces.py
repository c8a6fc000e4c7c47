"""How sounds are compared: oracles are numpy, and what the smoothing itself returns."""

import numpy as np
import pytest

import zounds
from zounds.corpus.spaces import BitSpace, Layer, Neighbourhoods
from zounds.learn.binary import quantised
from zounds.learn.smoothing import expanded, smoothed


def clusters(count=80, kinds=4, seed=0):
    """Vectors of some kinds, of norm 1."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((kinds, 64))
    rows = centres[np.arange(count) % kinds] + 0.5 * random.standard_normal((count, 64))
    return unit(rows).astype(np.float32)


def unit(rows):
    rows = np.asarray(rows, float)
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-30)


@pytest.fixture(scope="module")
def clips():
    return clusters()


@pytest.fixture(scope="module")
def space(clips):
    return Neighbourhoods.of(clips)


def near(rows, others):
    """Whether two sets of bytes are those of the same vectors, but for rounding."""
    return np.abs(np.asarray(rows, int) - np.asarray(others, int)).max() <= 1


def test_clips_are_kept_as_they_are_and_smoothed(clips, space):
    np.testing.assert_array_equal(space.clips["same"].vectors, quantised(clips))
    np.testing.assert_array_equal(space.clips["kind"].vectors, quantised(smoothed(clips)))
    for layer in space.clips.values():
        assert layer.codes.shape == (80, 16)
        assert len(layer) == 80


def test_kinds_are_denser_than_the_sounds_alone(space):
    kinds = np.arange(80) % 4
    same = kinds[:, None] == kinds
    for like, least in (("same", 0.15), ("kind", 0.5)):
        vectors = unit(space.clips[like].vectors)
        cosines = vectors @ vectors.T
        assert cosines[same].mean() - cosines[~same].mean() > least
    tight = unit(space.clips["kind"].vectors)
    assert (tight @ tight.T)[same].mean() > 0.9


@pytest.mark.parametrize("like", ["kind", "same"])
def test_a_code_says_on_which_sides_of_planes_a_vector_lies(clips, space, like):
    layer = space.clips[like]
    sides = (clips if like == "same" else smoothed(clips)) @ space.planes[like].normals
    sides -= space.planes[like].origin @ space.planes[like].normals
    bits = np.unpackbits(layer.codes, axis=1).astype(bool)
    sure = np.abs(sides) > 1e-5
    np.testing.assert_array_equal(bits[sure], (sides >= 0)[sure])


def test_segments_are_drawn_to_their_neighbours_as_queries_are(clips, space):
    rows = clusters(6, seed=1)
    made = space.segments(rows)
    np.testing.assert_array_equal(made["same"].vectors, quantised(rows))
    expected = expanded(rows, clips, unit(space.clips["kind"].vectors))
    assert near(made["kind"].vectors, quantised(expected))
    for like, layer in made.items():
        query = space.queries(rows, like, "segment")
        np.testing.assert_array_equal(query.codes, layer.codes)
        np.testing.assert_array_equal(query.vectors, layer.vectors)


def test_a_segment_does_not_depend_on_those_it_is_made_with(space):
    rows = clusters(6, seed=1)
    alone = [space.segments(rows[i : i + 1]) for i in range(6)]
    for like, layer in space.segments(rows).items():
        joined = Layer.joined([one[like] for one in alone])
        np.testing.assert_array_equal(joined.codes, layer.codes)
        np.testing.assert_array_equal(joined.vectors, layer.vectors)


@pytest.mark.parametrize("like", ["kind", "same"])
def test_what_is_in_the_collection_is_what_it_is_there(clips, space, like):
    found = space.queries(clips[[7, 70]], like, "clip")
    np.testing.assert_array_equal(found.codes, space.clips[like].codes[[7, 70]])
    np.testing.assert_array_equal(found.vectors, space.clips[like].vectors[[7, 70]])


@pytest.mark.parametrize("gain", [0.1, 3.0])
def test_a_softer_copy_is_what_it_is_a_copy_of(clips, space, gain):
    rounded = unit((clips[[7, 70]] * np.float32(gain)).astype(np.float16)).astype(np.float32)
    found = space.queries(rounded, "kind", "clip")
    np.testing.assert_array_equal(found.codes, space.clips["kind"].codes[[7, 70]])


def test_what_is_not_in_the_collection_is_drawn_to_its_neighbours(clips, space):
    rows = clusters(3, seed=5)
    drawn = space.queries(rows, "kind", "clip")
    expected = expanded(rows, clips, unit(space.clips["kind"].vectors))
    assert near(drawn.vectors, quantised(expected))
    same = space.queries(rows, "same", "clip")
    np.testing.assert_array_equal(same.vectors, quantised(rows))


def test_of_equal_clips_the_first_stands_for_all(clips):
    space = Neighbourhoods.of(np.concatenate([clips, clips[3:4]]))
    found = space.queries(clips[3:4], "kind", "clip")
    np.testing.assert_array_equal(found.vectors[0], space.clips["kind"].vectors[3])


def test_a_mixture_is_between_what_is_wanted_and_away_from_what_is_not(clips, space):
    def towards(layer, number):
        return (unit(layer.vectors) @ unit(space.clips["kind"].vectors[number]))[0]

    one, both, not_other = (
        space.mixed([clips[[0]]], [], "clip"),
        space.mixed([clips[[0]], clips[[1]]], [], "clip"),
        space.mixed([clips[[0]]], [clips[[1]]], "clip"),
    )
    assert towards(one, 0) > towards(both, 0) > 0.5
    assert towards(both, 1) > towards(one, 1) > towards(not_other, 1)
    assert len(both) == len(not_other) == 1
    # a sound of many segments counts as much as one of one
    many = space.mixed([clips[[0] * 9], clips[[1]]], [], "clip")
    np.testing.assert_array_equal(many.vectors, both.vectors)


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((5, 64), np.float32),
        np.zeros((1, 64), np.float32),
        clusters(1),
        clusters(2),
        clusters(1)[[0] * 30],
        np.concatenate([clusters(4), np.zeros((2, 64), np.float32)]),
    ],
    ids=["five of nothing", "one of nothing", "one", "two", "30 equal ones", "some of nothing"],
)
def test_a_space_of_next_to_nothing_gives_defined_codes(rows):
    space = Neighbourhoods.of(rows)
    first = (rows[:, None] == rows).all(axis=2).argmax(axis=1)  # of equal clips
    for unit_, layers in (("clip", space.clips), ("segment", space.segments(rows))):
        for like in ("kind", "same"):
            assert layers[like].codes.shape == (len(rows), 16)
            found = space.queries(rows, like, unit_)
            np.testing.assert_array_equal(found.codes, layers[like].codes[first])
            other = space.queries(clusters(3, seed=9), like, unit_)
            assert other.codes.shape == (3, 16)
    equal = (rows[:, None] == rows).all(axis=2)
    codes = space.clips["same"].codes
    np.testing.assert_array_equal((codes[:, None] == codes).all(axis=2), equal)


def test_bits_are_compared_as_they_are():
    bits = np.random.default_rng(0).random((9, 12)) < 0.5
    space = BitSpace.of(bits)
    assert list(space.clips) == ["kind"]
    packed = np.packbits(bits, axis=1)
    np.testing.assert_array_equal(space.clips["kind"].codes, packed)
    made = space.segments(bits)
    np.testing.assert_array_equal(made["kind"].codes, packed)
    np.testing.assert_array_equal(space.queries(bits[:2], "kind", "segment").codes, packed[:2])
    assert space.clips["kind"].vectors is None


def test_of_bits_all_that_is_wanted_is_searched_and_nothing_can_be_unwanted():
    bits = np.random.default_rng(0).random((9, 12)) < 0.5
    space = BitSpace.of(bits)
    mixed = space.mixed([bits[:1], bits[4:6]], [], "clip")
    np.testing.assert_array_equal(mixed.codes, np.packbits(bits[[0, 4, 5]], axis=1))
    with pytest.raises(zounds.SearchError, match="cannot say what a sound shall not be like"):
        space.mixed([bits[:1]], [bits[1:2]], "clip")
