from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from featureflow.codec import decode, encode
from featureflow.errors import InvalidParameter
from featureflow.node import Transform
from zounds.arrays import ConstantRateTimeSeries
from zounds.learn.kmeans import KMeans
from zounds.learn.pipeline import Pipeline, PreprocessingPipeline
from zounds.learn.sampling import ReservoirSampler
from zounds.learn.transforms import MeanStdNormalization, UnitNorm
from zounds.units import SampleRate

RATE = SampleRate(Fraction(512, 22050), Fraction(1024, 22050))


@dataclass(frozen=True)
class Plus:
    term: float

    def transform(self, examples, /):
        return np.asarray(examples) + self.term

    def inverse_transform(self, examples, /):
        return np.asarray(examples) - self.term


@dataclass(frozen=True)
class Times:
    factor: float

    def transform(self, examples, /):
        return np.asarray(examples) * self.factor


def clusters(dtype=np.float32):
    random = np.random.default_rng(0)
    centres = np.array([[1000, 0.1], [1000, 0.3], [3000, 0.1], [3000, 0.3]])
    return (centres[np.arange(400) % 4] + random.normal(0, [1, 1e-4], (400, 2))).astype(dtype)


def learned(x):
    """Return what the graph of the article learns from `x`."""
    stage = ReservoirSampler(nsamples=1e6).stream()
    stage.step(x)
    (shuffled,) = stage.flush()
    first = MeanStdNormalization().fit(shuffled)
    return PreprocessingPipeline()(first, KMeans(centroids=4).fit(first.transform(shuffled)))


def test_in_order_and_back():
    pipeline = PreprocessingPipeline()(Plus(1), Plus(2), Times(3))
    assert pipeline.transform([[1]]).tolist() == [[12]]
    assert pipeline[:2].inverse_transform([[4]]).tolist() == [[1]]
    assert PreprocessingPipeline()(Times(3), Plus(1)).transform([[1]]).tolist() == [[4]]


def test_inverse_runs_backwards():
    calls = []

    class Step:
        def __init__(self, name):
            self.name = name

        def transform(self, examples, /):
            return examples

        def inverse_transform(self, examples, /):
            calls.append(self.name)
            return examples

    Pipeline((Step("a"), Step("b"))).inverse_transform(0)
    assert calls == ["b", "a"]


def test_is_a_sequence_of_its_transforms():
    steps = (Plus(1), Times(2), Plus(3))
    pipeline = Pipeline(steps)
    assert len(pipeline) == 3
    assert tuple(pipeline) == steps
    assert pipeline[-1] == Plus(3)
    assert isinstance(pipeline[1:], Pipeline)
    assert tuple(pipeline[1:]) == steps[1:]


def test_a_pipeline_is_a_transform():
    inner = Pipeline((Plus(1), Times(2)))
    assert isinstance(inner, Transform)
    assert Pipeline((inner, Plus(5))).transform([[1]]).tolist() == [[9]]


def test_codes_stand_for_centres_of_the_original_space():
    x = clusters()
    pipeline = learned(x)
    codes = pipeline.transform(x)
    assert codes.dtype == bool
    assert codes.sum(axis=1).tolist() == [1] * 400
    assert codes.sum(axis=0).tolist() == [100] * 4
    means = np.stack([x[i::4].mean(axis=0, dtype=np.float64) for i in range(4)])
    back = pipeline.inverse_transform(codes)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, np.tile(means, (100, 1)), rtol=1e-5)


def test_the_time_axis_goes_through():
    series = ConstantRateTimeSeries(clusters(), RATE)
    pipeline = learned(series)
    codes = pipeline.transform(series)
    assert codes.units == (RATE, None)
    assert pipeline.inverse_transform(codes).units == (RATE, None)


def test_stored_and_read():
    x = clusters()
    pipeline = Pipeline((UnitNorm(), learned(UnitNorm().transform(x))))
    read = decode(encode(pipeline))
    codes = pipeline.transform(x)
    np.testing.assert_array_equal(read.transform(x), codes)
    np.testing.assert_array_equal(read.inverse_transform(codes), pipeline.inverse_transform(codes))
    assert encode(read) == encode(pipeline)


def test_nothing_given():
    with pytest.raises(InvalidParameter, match="a pipeline of nothing"):
        PreprocessingPipeline()()
    with pytest.raises(InvalidParameter, match="a pipeline of nothing"):
        Pipeline((Plus(1),))[1:]


@pytest.mark.parametrize("thing", [KMeans(centroids=2), np.zeros((2, 2)), UnitNorm, None])
def test_something_that_is_no_transform(thing):
    with pytest.raises(InvalidParameter, match=r"step 1 of the pipeline is a \w+, which is no"):
        PreprocessingPipeline()(UnitNorm(), thing)


def test_a_transform_without_an_inverse():
    with pytest.raises(InvalidParameter, match=r"Times\(factor=2\) has no inverse_transform"):
        Pipeline((Plus(1), Times(2))).inverse_transform([[1]])
