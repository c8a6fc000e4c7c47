import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from featureflow.errors import InvalidParameter
from featureflow.node import StreamingNode
from zounds.arrays import ConstantRateTimeSeries
from zounds.errors import LearningError
from zounds.learn.sampling import ReservoirSampler
from zounds.units import HalfLapped


def sample(chunks, **parameters):
    stage = ReservoirSampler(**parameters).stream()
    for chunk in chunks:
        assert list(stage.step(chunk)) == []
    (result,) = stage.flush()
    return result


def numbered(n):
    return np.arange(n).reshape(-1, 1)


def test_is_a_streaming_node():
    assert isinstance(ReservoirSampler(), StreamingNode)


def test_each_position_is_sampled_with_the_same_chance():
    n, kept, runs = 60, 20, 2000
    counts = np.zeros(n)
    for seed in range(runs):
        chunks = np.array_split(numbered(n), 5)
        counts[sample(chunks, nsamples=kept, seed=seed)[:, 0]] += 1
    p = kept / n
    # counts within a run depend on each other: hence the variance of a draw without replacement
    chi2 = ((counts - runs * p) ** 2).sum() / (runs * p * (1 - p)) * (n - 1) / n
    assert 0.001 < stats.chi2.sf(chi2, n - 1) < 0.999


@pytest.mark.parametrize("total", [8, 40])
def test_each_row_comes_to_each_place_with_the_same_chance(total):
    runs = 2000
    first = [sample([numbered(total)], nsamples=8, seed=seed)[0, 0] for seed in range(runs)]
    assert stats.chisquare(np.bincount(first, minlength=total)).pvalue > 0.001


@given(
    total=st.integers(1, 120),
    kept=st.integers(1, 60),
    seed=st.integers(0, 2**70),
    cuts=st.lists(st.integers(0, 120)),
)
def test_the_cut_into_chunks_changes_nothing(total, kept, seed, cuts):
    rows = np.random.default_rng(1).normal(size=(total, 3)).astype(np.float32)
    whole = sample([rows], nsamples=kept, seed=seed)
    cut = sample(np.split(rows, sorted(min(c, total) for c in cuts)), nsamples=kept, seed=seed)
    assert cut.dtype == np.float32
    np.testing.assert_array_equal(cut, whole)


@given(total=st.integers(1, 120), kept=st.integers(1, 60), seed=st.integers(0, 99))
def test_a_sample_is_a_subset_without_repetition(total, kept, seed):
    result = sample(np.array_split(numbered(total), 7), nsamples=kept, seed=seed)[:, 0]
    assert len(result) == min(total, kept)
    assert len(set(result.tolist())) == len(result)
    assert set(result.tolist()) <= set(range(total))


def test_vitters_algorithm_one_row_at_a_time():
    n, kept, seed = 500, 10, 3
    random = np.random.default_rng(seed)
    expected = list(range(kept))
    for t in range(kept, n):
        place = int(random.random() * (t + 1))
        if place < kept:
            expected[place] = t
    result = sample([numbered(n)], nsamples=kept, seed=seed)[:, 0]
    assert sorted(result) == sorted(expected)


def test_rows_stay_whole():
    rows = np.arange(3000).reshape(-1, 3)
    result = sample(np.array_split(rows, 9), nsamples=100)
    np.testing.assert_array_equal(result - result[:, :1], np.tile([0, 1, 2], (100, 1)))


def test_few_rows_are_all_kept_in_another_order():
    result = sample([numbered(100)], nsamples=1e6)[:, 0]
    assert result.tolist() != sorted(result)
    assert sorted(result) == list(range(100))


def test_the_seed_decides():
    one, again, other = (sample([numbered(99)], nsamples=9, seed=s)[:, 0] for s in (1, 1, 2))
    assert one.tolist() == again.tolist() != other.tolist()


def test_runs_do_not_share_anything():
    node = ReservoirSampler(nsamples=5)
    a, b = node.stream(), node.stream()
    a.step(numbered(50))
    b.step(numbered(50) + 1000)
    (a,), (b,) = a.flush(), b.flush()
    np.testing.assert_array_equal(a + 1000, b)


def test_a_float_count_is_the_same_node():
    assert ReservoirSampler(nsamples=1e6) == ReservoirSampler(nsamples=1_000_000)
    assert type(ReservoirSampler(nsamples=1e6).nsamples) is int


def test_gives_plain_arrays_and_leaves_chunks_alone():
    chunk = ConstantRateTimeSeries(numbered(30), HalfLapped())
    chunk.flags.writeable = False
    result = sample([chunk], nsamples=30)
    assert type(result) is np.ndarray
    assert not np.shares_memory(result, chunk)


@pytest.mark.parametrize("dtype", [bool, np.int16, np.float64])
def test_keeps_the_dtype(dtype):
    assert sample([numbered(3).astype(dtype)]).dtype == dtype


def test_memory_is_that_of_the_rows_that_came():
    chunk = np.zeros((1000, 10))
    tracemalloc.start()
    try:
        sample([chunk], nsamples=10**9)
        few = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        sample((chunk for _ in range(200)), nsamples=20_000)
        many = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert few < 4 * chunk.nbytes
    assert many < 25 * chunk.nbytes  # of 20 that are kept, and 200 that came


@pytest.mark.parametrize(
    "parameters",
    [
        {"nsamples": 0},
        {"nsamples": 1.5},
        {"nsamples": float("nan")},
        {"nsamples": float("inf")},
        {"nsamples": "many"},
        {"nsamples": True},
        {"seed": -1},
        {"seed": 0.5},
    ],
)
def test_unusable_parameters(parameters):
    ((name, value),) = parameters.items()
    with pytest.raises(InvalidParameter, match=f"{name} is {value!r}"):
        ReservoirSampler(**parameters)


@pytest.mark.parametrize("chunks", [[], [np.empty((0, 3))]])
def test_nothing_came(chunks):
    with pytest.raises(LearningError, match="docs= was empty"):
        sample(chunks)


def test_chunks_without_rows_are_fine():
    assert len(sample([np.empty((0, 1), int), numbered(3), np.empty((0, 1), int)])) == 3


def test_other_width():
    with pytest.raises(LearningError, match=r"chunk 1 has 2 columns .* before it 1"):
        sample([np.zeros((4, 1)), np.zeros((4, 2))])


def test_other_dtype():
    with pytest.raises(LearningError, match=r"float32, and .* float64"):
        sample([np.zeros((4, 1)), np.zeros((4, 1), np.float32)])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite(value):
    bad = np.zeros((4, 2))
    bad[2, 1] = value
    with pytest.raises(LearningError, match=f"chunk 1: example 2 has {value} in column 1"):
        sample([np.zeros((4, 2)), bad])


@pytest.mark.parametrize("chunk", [np.zeros(3), np.zeros((2, 3, 4)), np.zeros((3, 0)), 1.0])
def test_chunks_that_are_no_rows(chunk):
    with pytest.raises(LearningError, match="chunk 0: examples have shape"):
        sample([chunk])
