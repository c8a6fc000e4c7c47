from fractions import Fraction

import numpy as np
import pytest
import sklearn.cluster
import sklearn.exceptions
from threadpoolctl import threadpool_limits

from featureflow.codec import decode, encode
from featureflow.errors import InvalidParameter
from featureflow.node import FittingNode, Transform
from zounds.arrays import ConstantRateTimeSeries
from zounds.errors import LearningError
from zounds.learn.kmeans import Centroids, KMeans
from zounds.units import SampleRate

RATE = SampleRate(Fraction(512, 22050), Fraction(1024, 22050))


def normal(n, d=13, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(dtype)


def brute_force(x, centres):
    x, centres = np.asarray(x, np.float64), np.asarray(centres, np.float64)
    return ((x[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)


def test_protocols():
    node = KMeans(centroids=2)
    assert isinstance(node, FittingNode)
    assert isinstance(node.fit([[0.0], [1.0]]), Transform)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finds_clusters_that_lie_apart(dtype):
    true = 100 * np.eye(8)
    labels = np.arange(800) % 8
    x = (true[labels] + np.random.default_rng(0).normal(size=(800, 8))).astype(dtype)
    fitted = KMeans(centroids=8).fit(x)
    nearest = fitted.nearest(x)
    assert len(set(zip(labels.tolist(), nearest.tolist(), strict=True))) == 8
    means = [x[labels == label].mean(axis=0) for label in range(8)]
    order = [nearest[label] for label in range(8)]
    np.testing.assert_allclose(fitted.centres[order], means, rtol=1e-4, atol=1e-4)
    assert fitted.centres.dtype == dtype


def test_as_good_as_scikit_learn():
    x = normal(3000)
    centres = KMeans(centroids=32).fit(x).centres
    inertia = ((x - centres[brute_force(x, centres)]) ** 2).sum()
    with threadpool_limits(1):
        peer = sklearn.cluster.KMeans(32, n_init=1, max_iter=300, random_state=0).fit(x)
    assert inertia < 1.02 * peer.inertia_


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nearest_is_that_of_brute_force(dtype):
    x, centres = normal(2000, dtype=dtype), normal(50, dtype=dtype, seed=1)
    np.testing.assert_array_equal(Centroids(centres).nearest(x), brute_force(x, centres))


def test_one_hot():
    x, fitted = normal(1300), Centroids(normal(20, seed=1))
    codes = fitted.transform(x)
    assert codes.dtype == bool
    np.testing.assert_array_equal(codes, np.eye(20, dtype=bool)[fitted.nearest(x)])


def test_of_equal_distances_the_first_wins():
    centres = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    assert Centroids(centres).nearest([[0, 0], [-1, -1], [0, 5], [-2, 2]]).tolist() == [0, 1, 2, 1]


def between_neighbours(centres):
    """Return points that, but for rounding, lie as far from one centre as from another."""
    distances = ((centres[:, None] - centres) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return (centres + centres[distances.argmin(axis=1)]) / 2


@pytest.mark.parametrize("d", [1, 2, 13])
@pytest.mark.parametrize("k", [128, 300])
def test_a_code_does_not_depend_on_its_neighbours(k, d):
    centres = normal(k, d, np.float64)
    fitted, x = Centroids(centres), np.resize(between_neighbours(centres), (1200, d))
    together = fitted.nearest(x)
    for start in range(0, 1200, 37):
        for size in (1, 2, 3, 30, 600):
            part = fitted.nearest(x[start : start + size])
            np.testing.assert_array_equal(part, together[start : start + size])


def test_nor_on_the_number_of_threads():
    x = normal(4000, dtype=np.float64)
    learned, codes = [], []
    for threads in (1, 2, 4):
        with threadpool_limits(threads):
            fitted = KMeans(centroids=64).fit(x)
            learned.append(fitted.centres)
            codes.append(fitted.nearest(x))
    for centres, nearest in zip(learned, codes, strict=True):
        np.testing.assert_array_equal(centres, learned[0])
        np.testing.assert_array_equal(nearest, codes[0])


def test_the_seed_decides():
    x = normal(500)
    one, again, other = (encode(KMeans(centroids=9, seed=s).fit(x)) for s in (1, 1, 2))
    assert one == again != other


def test_inverse_gives_the_centres():
    x, fitted = normal(40), Centroids(normal(5, seed=1))
    back = fitted.inverse_transform(fitted.transform(x))
    np.testing.assert_array_equal(back, fitted.centres[brute_force(x, fitted.centres)])
    assert back.dtype == np.float32


@pytest.mark.parametrize("bits", [[0, 0, 0], [1, 1, 0]])
def test_only_one_hot_codes_have_an_inverse(bits):
    with pytest.raises(LearningError, match=f"code 1 has {sum(bits)} bits"):
        Centroids(np.eye(3)).inverse_transform([[0, 1, 0], bits])


def test_the_time_axis_stays_and_columns_change():
    series = ConstantRateTimeSeries(normal(30), RATE)
    fitted = KMeans(centroids=4).fit(series)
    codes = fitted.transform(series)
    for result in (codes, fitted.nearest(series), fitted.inverse_transform(codes)):
        assert isinstance(result, ConstantRateTimeSeries)
        assert result.units == (RATE, None)[: result.ndim]
    np.testing.assert_array_equal(codes, fitted.transform(np.asarray(series)))
    assert type(fitted.transform(np.asarray(series))) is np.ndarray


def test_inputs_stay_as_they_are():
    for dtype in (np.float32, np.float64):
        x = normal(100, dtype=dtype)
        before = x.copy()
        fitted = KMeans(centroids=4).fit(x)
        fitted.inverse_transform(fitted.transform(x))
        np.testing.assert_array_equal(x, before)


def test_stored_and_read():
    x = normal(600)
    fitted = KMeans(centroids=10).fit(x)
    read = decode(encode(fitted))
    np.testing.assert_array_equal(read.transform(x), fitted.transform(x))
    np.testing.assert_array_equal(read.centres, fitted.centres)


def test_as_many_centres_as_different_examples():
    x = np.repeat(normal(7), 300, axis=0)
    centres = KMeans(centroids=7).fit(x).centres
    np.testing.assert_allclose(np.unique(centres, axis=0), np.unique(x, axis=0), rtol=1e-6)


def test_different_examples_that_come_late():
    x = np.concatenate([np.zeros((1000, 2)), normal(3, 2, np.float64)])
    assert len(KMeans(centroids=4).fit(x).centres) == 4


def test_fewer_different_examples_than_centres():
    x = np.repeat(normal(7), 300, axis=0)
    with pytest.raises(LearningError, match=r"7 different examples for 8 centres.*centroids= to 7"):
        KMeans(centroids=8).fit(x)


def test_examples_too_alike_to_be_told_apart():
    x = [[0.0], [1e-200], [2e-200], [1.0]]
    with pytest.raises(LearningError, match="only 2 of 4 centres differ"):
        KMeans(centroids=4).fit(x)
    # and this is what scikit-learn would have said
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        sklearn.cluster.KMeans(4, n_init=1, random_state=0).fit(x)


def test_no_rows():
    with pytest.raises(LearningError, match="no examples to learn from"):
        KMeans(centroids=1).fit(np.empty((0, 3)))
    fitted = Centroids(np.eye(3))
    assert fitted.transform(np.empty((0, 3))).shape == (0, 3)
    assert fitted.inverse_transform(np.empty((0, 3), bool)).shape == (0, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite(value):
    bad = np.eye(3)
    bad[2, 0] = value
    for use in (KMeans(centroids=2).fit, Centroids(np.eye(3)).transform):
        with pytest.raises(LearningError, match=f"example 2 has {value} in column 0"):
            use(bad)


def test_other_columns():
    fitted = Centroids(np.zeros((5, 3)))
    for use in (fitted.transform, fitted.nearest):
        with pytest.raises(LearningError, match="2 columns, and 3 were learned"):
            use(np.zeros((4, 2)))
    with pytest.raises(LearningError, match="3 columns, and 5 were learned"):
        fitted.inverse_transform(np.zeros((4, 3)))


@pytest.mark.parametrize(
    "parameters",
    [{"centroids": 0}, {"centroids": 2.5}, {"centroids": None}, {"seed": -1}, {"seed": 2**32}],
)
def test_unusable_parameters(parameters):
    ((name, value),) = parameters.items()
    with pytest.raises(InvalidParameter, match=f"{name} is {value!r}"):
        KMeans(**parameters)
