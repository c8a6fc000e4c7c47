import numpy as np
import pytest

from featureflow.codec import decode, encode
from featureflow.errors import InvalidParameter
from featureflow.node import FittingNode, Transform
from zounds.arrays import ConstantRateTimeSeries
from zounds.errors import LearningError
from zounds.learn.binary import (
    ITQ,
    Hyperplanes,
    Quantisation,
    SimHash,
    cosines,
    packed,
    quantised,
)
from zounds.units import SampleRate, Seconds


def clusters(per_cluster=30, n=12, d=16, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(per_cluster * n) % n
    rows = rng.standard_normal((n, d))[labels] + 0.3 * rng.standard_normal((len(labels), d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def distances(codes):
    return (codes[:, None] != codes[None]).sum(axis=2)


@pytest.mark.parametrize("node", [ITQ(bits=8), SimHash(bits=8), Quantisation()])
def test_protocols(node):
    assert isinstance(node, FittingNode)
    assert isinstance(node.fit(clusters()[0]), Transform)


@pytest.mark.parametrize("node", [ITQ(bits=40), SimHash(bits=40)])
def test_a_bit_says_on_which_side_a_vector_lies(node):
    rows, _ = clusters()
    planes = node.fit(rows)
    codes = planes.transform(rows)
    assert (codes.shape, codes.dtype) == ((360, 40), bool)
    expected = (rows.astype(float) - planes.origin) @ planes.normals > 0
    np.testing.assert_array_equal(codes, expected)


def test_itq_is_a_rotation_that_changes_less_than_a_random_one():
    rows, _ = clusters()
    planes = ITQ(bits=16).fit(rows)
    np.testing.assert_allclose(planes.normals.T @ planes.normals, np.eye(16), atol=1e-12)

    def loss(rotation):
        turned = (rows - rows.mean(axis=0)) @ rotation
        scale = np.abs(turned).mean()
        return np.square(turned - scale * np.sign(turned)).sum()

    rng = np.random.default_rng(1)
    random = [np.linalg.qr(rng.standard_normal((16, 16)))[0] for _ in range(10)]
    assert loss(planes.normals) < 0.9 * min(map(loss, random))


def test_more_bits_than_columns_are_further_rotations():
    rows, _ = clusters()
    planes = ITQ(bits=40).fit(rows)
    first, second, third = np.split(planes.normals, [16, 32], axis=1)
    for rotation in (first, second, third):
        identity = np.eye(rotation.shape[1])
        np.testing.assert_allclose(rotation.T @ rotation, identity, atol=1e-12)
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(first, ITQ(bits=16).fit(rows).normals)


def test_itq_codes_tell_clusters_apart():
    rows, labels = clusters()
    far = distances(ITQ(bits=32).fit(rows).transform(rows))
    same = labels[:, None] == labels[None]
    assert far[same].mean() < 0.3 * far[~same].mean()


def test_simhash_estimates_the_angle():
    rows, _ = clusters(2)
    codes = SimHash(bits=20_000).fit(rows).transform(rows)
    angles = np.arccos(np.clip(rows @ rows.T, -1, 1)) / np.pi
    np.testing.assert_allclose(distances(codes) / 20_000, angles, atol=0.02)


@pytest.mark.parametrize("kind", [ITQ, SimHash])
def test_seeds_decide(kind):
    rows, _ = clusters()
    one, same, other = (kind(32, seed).fit(rows).transform(rows) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_a_code_does_not_depend_on_the_others():
    rows, _ = clusters()
    planes = ITQ().fit(rows)
    alone = np.concatenate([planes.transform(rows[i : i + 1]) for i in range(len(rows))])
    np.testing.assert_array_equal(planes.transform(rows), alone)


@pytest.mark.parametrize("rows", [np.zeros((3, 16)), np.ones((1, 16)), np.ones((5, 16))])
def test_vectors_that_are_all_the_same_have_the_same_code(rows):
    codes = ITQ(bits=32).fit(rows).transform(rows)
    assert (codes == codes[0]).all()


def test_hyperplanes_are_stored_and_read_again():
    rows, _ = clusters()
    planes = ITQ(bits=32).fit(rows)
    again = decode(encode(planes))
    assert isinstance(again, Hyperplanes)
    np.testing.assert_array_equal(again.transform(rows), planes.transform(rows))


def test_the_first_bit_is_the_most_significant():
    codes = np.zeros((2, 12), bool)
    codes[0, 0] = codes[0, 9] = codes[1, 7] = True
    assert packed(codes).tolist() == [[128, 64], [1, 0]]


def test_quantised_vectors_have_the_cosines_of_vectors():
    rows, _ = clusters(3)
    small = quantised(rows)
    assert small.dtype == np.int8
    assert (np.abs(small).max(axis=1) == 127).all()
    np.testing.assert_allclose(cosines(small[:5], small), rows[:5] @ rows.T, atol=0.02)
    exact = small.astype(float) / np.linalg.norm(small.astype(float), axis=1, keepdims=True)
    np.testing.assert_allclose(cosines(small[:5], small), exact[:5] @ exact.T, atol=1e-6)


def test_quantised_zeros_stay_zeros_and_are_like_nothing():
    small = quantised([[0.0, 0.0], [1e-30, -1e-30]])
    assert small.tolist() == [[0, 0], [127, -127]]
    assert cosines(small, small).tolist() == [[0, 0], [0, pytest.approx(1)]]


def test_cosines_do_not_exceed_one():
    small = quantised(clusters()[0])
    assert cosines(small, small).max() <= 1


@pytest.mark.parametrize("kind", [ITQ, SimHash])
def test_what_cannot_be_learned_from_is_told(kind):
    with pytest.raises(LearningError, match="no examples"):
        kind().fit(np.zeros((0, 4)))
    with pytest.raises(LearningError, match="3 columns, and 4 were learned from"):
        kind(bits=4).fit(np.eye(4)).transform(np.eye(3))
    with pytest.raises(InvalidParameter, match="bits is 0"):
        kind(bits=0)
    with pytest.raises(InvalidParameter, match=r"seed is 0\.5"):
        kind(seed=0.5)


def test_numbers_that_are_none_are_not_quantised():
    with pytest.raises(LearningError, match="nan"):
        quantised([[np.nan]])


def test_quantisation_is_what_quantised_returns_row_by_row():
    rows, _ = clusters()
    node = Quantisation()
    assert node.fit(rows) is node
    made = node.transform(rows)
    assert made.dtype == np.int8
    np.testing.assert_array_equal(made, quantised(rows))
    alone = np.concatenate([node.transform(rows[i : i + 1]) for i in range(len(rows))])
    np.testing.assert_array_equal(alone, made)


def test_quantisation_keeps_the_time_and_the_direction():
    rate = SampleRate(Seconds(1), Seconds(2))
    series = ConstantRateTimeSeries(clusters()[0][:4], rate)
    made = Quantisation().transform(series)
    assert isinstance(made, ConstantRateTimeSeries)
    assert made.samplerate == rate
    np.testing.assert_array_equal(Quantisation().transform(series * 8), made)


def test_quantisation_is_stored_and_read_again():
    assert decode(encode(Quantisation())) == Quantisation()


def test_quantisation_of_what_cannot_be_is_told():
    with pytest.raises(LearningError, match="no examples"):
        Quantisation().fit(np.zeros((0, 4)))
    for use in (Quantisation().fit, Quantisation().transform):
        with pytest.raises(LearningError, match="nan"):
            use([[0.0, np.nan]])
    assert Quantisation().transform(np.zeros((0, 4))).shape == (0, 4)
