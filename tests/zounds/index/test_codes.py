import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zounds import SearchError
from zounds.index import Codes, kinds
from zounds.index.scan import ROWS, SHIFT


def oracle(packed, queries, k):
    distances = np.bitwise_count(packed[None] ^ queries[:, None]).sum(axis=2, dtype=np.int64)
    rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, rows, axis=1), rows


def split(keys):
    return (keys >> SHIFT).astype(np.int64), (keys & ROWS).astype(np.int64)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@st.composite
def codes_and_queries(draw):
    """Codes of any length: random ones, and few different ones with many ties."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    width = draw(st.sampled_from([1, 2, 8, 9, 16, 24, 32, 64, 80]))
    rows = draw(st.one_of(st.integers(0, 40), st.integers(1000, 3000)))
    pool = random.integers(0, 256, (draw(st.sampled_from([1, 3, 40, 4000])), width), np.uint8)
    if draw(st.booleans()):
        pool &= random.integers(0, 256, pool.shape, np.uint8)  # sparse: nearer to each other
    packed = pool[random.integers(0, len(pool), rows)]
    queries = random.integers(0, 256, (draw(st.integers(0, 9)), width), np.uint8)
    if rows and len(queries):
        queries[0] = packed[random.integers(0, rows)]
    return packed, queries, random


@settings(deadline=None, max_examples=60)
@given(codes_and_queries(), st.one_of(st.integers(1, 50), st.integers(51, 4000)), st.integers(1, 3))
def test_search_is_that_of_numpy_ties_included(given_codes, k, threads):
    packed, queries, _ = given_codes
    codes = Codes(packed)
    expected = oracle(packed, queries, k)
    assert_same(codes.search(queries, k, threads=threads), expected)
    for kind in kinds():
        assert_same(split(codes.nearest(queries, k, threads=threads, kind=kind)), expected)


@settings(deadline=None, max_examples=60)
@given(codes_and_queries(), st.integers(1, 60), st.floats(0, 1), st.sampled_from(kinds()))
def test_rows_that_do_not_count_are_as_if_they_were_not_there(given_codes, k, share, kind):
    packed, queries, random = given_codes
    live = random.random(len(packed)) < share
    distances, rows = oracle(packed[live], queries, k)
    expected = distances, np.flatnonzero(live)[rows]
    assert_same(split(Codes(packed).nearest(queries, k, live, kind=kind)), expected)


@settings(deadline=None, max_examples=20)
@given(codes_and_queries())
def test_codes_are_given_back(given_codes):
    packed, _, random = given_codes
    rows = random.integers(0, max(len(packed), 1), 20 if len(packed) else 0)
    np.testing.assert_array_equal(Codes(packed).take(rows), packed[rows])


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("bits", [64, 128, 256, 512])
def test_many_codes_have_the_distances_of_faiss(bits, kind):
    random = np.random.default_rng(bits)
    packed = random.integers(0, 256, (100_003, bits // 8), np.uint8)
    queries = random.integers(0, 256, (11, bits // 8), np.uint8)
    queries[3] = packed[99_999]
    index = faiss.IndexBinaryFlat(bits)
    index.add(packed)
    for k in (1, 100):
        expected, _ = index.search(queries, k)
        for threads in (1, 2, 5):
            keys = Codes(packed).nearest(queries, k, threads=threads, kind=kind)
            np.testing.assert_array_equal(keys >> SHIFT, expected)
            assert (np.sort(keys, axis=1) == keys).all()


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("kind", kinds())
def test_codes_that_come_nearer_and_nearer_are_found_as_well(kind, order):
    # each row is better than all before: everything is taken, and dropped again
    bits = np.tri(129, 128, -1, dtype=bool).repeat(70, axis=0)[::order]
    packed, query = np.packbits(bits, axis=1), np.zeros((1, 16), np.uint8)
    for k in (1, 3, 69, 70, 71, 1000, 9030, 10**6):
        keys = Codes(packed).nearest(query, k, kind=kind)
        assert_same(split(keys), oracle(packed, query, k))


def test_identical_codes_are_scanned_once():
    random = np.random.default_rng(0)
    few = random.integers(0, 256, (1000, 16), np.uint8)
    rows = random.integers(0, 1000, 200_000)
    assert Codes(few[rows]).different == 1000
    assert Codes(few).different == 1000
    assert Codes(random.integers(0, 256, (200_000, 16), np.uint8)).different == 200_000
    assert Codes(np.zeros((5000, 16), np.uint8)).different == 1


def test_the_fastest_way_is_named_first():
    assert kinds()[-1] == "numpy"
    assert len(set(kinds())) == len(kinds())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((3, 16)), "dtype float64: give packed bits"),
        (np.zeros(16, np.uint8), r"shape \(16,\)"),
        (np.zeros((3, 0), np.uint8), r"shape \(3, 0\)"),
        ([[1, 2], [3]], "shape"),
    ],
)
def test_what_is_no_packed_code_is_refused(wrong, message):
    with pytest.raises((SearchError, ValueError), match=message):
        Codes(wrong)
    with pytest.raises((SearchError, ValueError), match=message):
        Codes(np.zeros((3, 16), np.uint8)).search(wrong, 1)


def test_wrong_questions_are_refused():
    codes = Codes(np.zeros((3, 16), np.uint8))
    queries = np.zeros((1, 16), np.uint8)
    with pytest.raises(SearchError, match="queries of 15 bytes .* codes of 16"):
        codes.search(queries[:, :15], 1)
    with pytest.raises(SearchError, match="k=0: give 1 or more"):
        codes.search(queries, 0)
    with pytest.raises(SearchError, match="threads=0: give 1 or more"):
        codes.search(queries, 1, threads=0)
    with pytest.raises(SearchError, match="no scan 'magic' here: choose from .*numpy"):
        codes.nearest(queries, 1, kind="magic")


def test_codes_that_are_not_contiguous_are_the_same():
    random = np.random.default_rng(0)
    packed = random.integers(0, 256, (16, 500), np.uint8).T
    queries = random.integers(0, 256, (10, 16), np.uint8)[::2]
    assert_same(Codes(packed).search(queries, 7), oracle(packed, queries, 7))
