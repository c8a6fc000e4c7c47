from __future__ import annotations

import numpy as np
import pytest

from featureflow.errors import InvalidParameter
from zounds.arrays import ArrayWithUnits, ConstantRateTimeSeries
from zounds.dsp.frames import SlidingWindow
from zounds.dsp.pooling import Max, Mean, Min, Std, Sum
from zounds.dsp.scales import BarkScale
from zounds.units import HalfLapped, Stride

POOLINGS = [(Max, np.max), (Min, np.min), (Mean, np.mean), (Sum, np.sum), (Std, np.std)]
SCALE = BarkScale(50.0, 11025.0, 4)


def windows(dtype=np.float32, length=3):
    values = np.random.default_rng(2).standard_normal((5, length, 4)).astype(dtype)
    return ConstantRateTimeSeries(values, HalfLapped(), (HalfLapped(), SCALE))


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize(("pooling", "function"), POOLINGS)
def test_values_and_units(pooling, function, axis, length):
    x = windows(length=length)
    before = x.tobytes()
    pooled = pooling(axis=axis)(x)
    np.testing.assert_array_equal(pooled, function(np.asarray(x), axis=axis))
    assert pooled.dtype == np.float32
    assert isinstance(pooled, ConstantRateTimeSeries)
    assert pooled.units == (HalfLapped(), SCALE if axis == 1 else HalfLapped())
    assert x.tobytes() == before


def test_axis_1_is_the_default():
    np.testing.assert_array_equal(Max()(windows()), Max(axis=1)(windows()))


def test_booleans_stay_boolean():
    codes = windows(bool)
    codes[0, 0] = False
    assert Max()(codes).dtype == Min()(codes).dtype == bool
    np.testing.assert_array_equal(Max()(codes), np.asarray(codes).any(axis=1))
    np.testing.assert_array_equal(Min()(codes), np.asarray(codes).all(axis=1))
    np.testing.assert_array_equal(Sum()(codes), np.count_nonzero(codes, axis=1))


def test_pooled_one_hot_codes():
    codes = ConstantRateTimeSeries(np.eye(128, dtype=bool)[np.arange(215) % 128], HalfLapped())
    scheme = HalfLapped() * Stride(frequency=30, duration=30)
    pooled = Max(axis=1)(SlidingWindow(scheme)(codes))
    assert pooled.shape == (8, 128)
    assert pooled.dtype == bool
    assert pooled.samplerate == scheme
    # frames 210 to 214 are all that the last window holds: padding sets no bits
    assert np.asarray(pooled).sum(axis=1).tolist() == [30] * 7 + [5]


def test_plain_arrays_stay_plain():
    pooled = Mean()(np.ones((2, 3)))
    assert type(pooled) is np.ndarray
    timeless = ArrayWithUnits(np.ones((2, 3, 4)), (None, None, SCALE))
    assert Mean()(timeless).units == (None, SCALE)


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("pooling", [pooling for pooling, _ in POOLINGS])
def test_time_is_not_pooled(pooling, axis):
    name = pooling.__name__
    with pytest.raises(InvalidParameter, match=rf"{name}\(axis={axis}\): axis 0 is time"):
        pooling(axis=axis)


def test_an_axis_that_is_not_there_is_refused():
    with pytest.raises(
        InvalidParameter, match=r"Max\(axis=3\) was given shape \(5, 3, 4\): .* below 3"
    ):
        Max(axis=3)(windows())
