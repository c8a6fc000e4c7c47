from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import preprocessing

from featureflow.codec import decode, encode
from featureflow.node import FittingNode, Transform
from zounds.arrays import ConstantRateTimeSeries
from zounds.errors import LearningError
from zounds.learn.transforms import MeanStdNormalization, UnitNorm
from zounds.units import FrequencyScale, SampleRate

RATE = SampleRate(Fraction(512, 22050), Fraction(1024, 22050))
DTYPES = (np.float32, np.float64)


class ThreeBands(FrequencyScale):
    @property
    def all_frequencies(self):
        return (100.0, 200.0, 300.0)


def normal(n=200, d=3, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).normal(5, [1, 10, 100][:d], (n, d)).astype(dtype)


@pytest.fixture(params=[UnitNorm, MeanStdNormalization])
def node(request):
    return request.param()


def matrices(dtype):
    size = np.finfo(dtype).bits
    numbers = st.floats(allow_nan=False, allow_infinity=False, width=size)
    return hnp.arrays(dtype, st.tuples(st.integers(1, 8), st.integers(1, 20)), elements=numbers)


def test_protocols(node):
    assert isinstance(node, FittingNode)
    assert isinstance(node.fit(normal()), Transform)


@pytest.mark.parametrize("dtype", DTYPES)
def test_unit_norm_is_that_of_scikit_learn(dtype):
    x = normal(dtype=dtype)
    result = UnitNorm().fit(x).transform(x)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, preprocessing.normalize(x), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_unit_norm_of_any_number(dtype, data):
    x = data.draw(matrices(dtype))
    result = UnitNorm().transform(x).astype(np.float64)
    zero = ~x.any(axis=1)
    np.testing.assert_allclose(np.linalg.norm(result, axis=1)[~zero], 1, rtol=1e-6)
    assert not result[zero].any()
    np.testing.assert_array_equal(np.sign(result[result != 0]), np.sign(x[result != 0]))


def test_unit_norm_cannot_give_norms_back():
    x = ConstantRateTimeSeries(normal(), RATE)
    back = UnitNorm().inverse_transform(x)
    np.testing.assert_array_equal(back, x)
    assert back.samplerate == RATE


@pytest.mark.parametrize("dtype", DTYPES)
def test_mean_and_std_are_those_of_scikit_learn(dtype):
    x = normal(dtype=dtype)
    result = MeanStdNormalization().fit(x).transform(x)
    assert result.dtype == dtype
    expected = preprocessing.StandardScaler().fit_transform(x.astype(np.float64))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_mean_and_std_come_back(dtype):
    x = normal(dtype=dtype)
    fitted = MeanStdNormalization().fit(x)
    back = fitted.inverse_transform(fitted.transform(x))
    assert back.dtype == dtype
    np.testing.assert_allclose(back, x, rtol=20 * np.finfo(dtype).eps, atol=1e-4)


def test_statistics_do_not_suffer_from_float32():
    # around a large offset, float32 sums are wrong in the second digit
    x = (10_000 + np.random.default_rng(0).normal(size=(100_000, 1))).astype(np.float32)
    fitted = MeanStdNormalization().fit(x)
    np.testing.assert_allclose(fitted.mean, x.mean(axis=0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(fitted.std, x.std(axis=0, dtype=np.float64), rtol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_constant_column_becomes_zero(dtype):
    x = normal(1001, dtype=dtype)
    x[:, 1] = 0.1
    fitted = MeanStdNormalization().fit(x)
    assert fitted.std[1] == 1
    assert not fitted.transform(x)[:, 1].any()


def test_one_example_is_the_mean():
    fitted = MeanStdNormalization().fit([[3, 4]])
    np.testing.assert_array_equal(fitted.transform([[3, 5]]), [[0, 1]])


@pytest.mark.parametrize(
    ("given", "kept"),
    [(bool, np.float32), (np.int16, np.float32), (np.float16, np.float32), (int, np.float64)],
)
def test_other_dtypes_become_float(node, given, kept):
    x = np.array([[1, 0], [1, 1]], given)
    assert node.fit(x).transform(x).dtype == kept


@pytest.mark.parametrize("dtype", DTYPES)
@given(start=st.integers(0, 199), size=st.integers(1, 200), columns=st.integers(1, 3))
def test_a_row_does_not_depend_on_its_neighbours(dtype, start, size, columns):
    x = normal(d=columns, dtype=dtype)
    for node in (UnitNorm(), MeanStdNormalization()):
        fitted = node.fit(x)
        part = fitted.transform(x[start : start + size])
        np.testing.assert_array_equal(part, fitted.transform(x)[start : start + size])


def test_nor_on_the_layout_in_memory(node):
    x = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32)
    fitted = node.fit(x)
    np.testing.assert_array_equal(fitted.transform(np.asfortranarray(x)), fitted.transform(x))
    np.testing.assert_array_equal(fitted.transform(np.tile(x, 2)[:, :40]), fitted.transform(x))


def test_units_stay(node):
    series = ConstantRateTimeSeries(normal(), RATE, [ThreeBands()])
    fitted = node.fit(series)
    for result in (fitted.transform(series), fitted.inverse_transform(series)):
        assert isinstance(result, ConstantRateTimeSeries)
        assert result.units == (RATE, ThreeBands())
    plain = fitted.transform(np.asarray(series))
    assert type(plain) is np.ndarray
    np.testing.assert_array_equal(plain, fitted.transform(series))


def test_inputs_stay_as_they_are(node):
    x = normal()
    x.flags.writeable = False
    before = x.copy()
    fitted = node.fit(x)
    fitted.transform(x)
    fitted.inverse_transform(x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_stored_and_read(node, dtype):
    x = normal(dtype=dtype)
    fitted = node.fit(x)
    read = decode(encode(fitted))
    np.testing.assert_array_equal(read.transform(x), fitted.transform(x))
    np.testing.assert_array_equal(read.inverse_transform(x), fitted.inverse_transform(x))


def test_no_rows(node):
    with pytest.raises(LearningError, match="no examples to learn from"):
        node.fit(np.empty((0, 3)))
    assert node.fit(normal()).transform(np.empty((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite(node, value):
    fitted = node.fit(normal())
    bad = normal()
    bad[7, 2] = value
    for use in (node.fit, fitted.transform):
        with pytest.raises(LearningError, match=f"example 7 has {value} in column 2"):
            use(bad)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 3), (3, 0)])
def test_other_shapes(node, shape):
    for use in (node.fit, node.fit(normal()).transform):
        with pytest.raises(LearningError, match="examples have shape"):
            use(np.zeros(shape))


@pytest.mark.parametrize("x", [np.zeros((2, 3), complex), [["a", "b", "c"]], [[None] * 3]])
def test_other_types(node, x):
    with pytest.raises(LearningError, match="give real numbers"):
        node.fit(x)


def test_other_columns():
    fitted = MeanStdNormalization().fit(normal(d=3))
    for use in (fitted.transform, fitted.inverse_transform):
        with pytest.raises(LearningError, match="2 columns, and 3 were learned"):
            use(normal(d=2))
