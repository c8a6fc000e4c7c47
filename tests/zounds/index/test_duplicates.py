import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from zounds import SearchError
from zounds.index import near_duplicates


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 120), st.integers(0, 9), st.integers(1, 3))
def test_groups_are_those_of_single_linkage(seed, rows, distance, width):
    random = np.random.default_rng(seed)
    packed = random.integers(0, 256, (rows, width), np.uint8)
    packed[rows // 2 :] = packed[: rows - rows // 2] ^ (1 << random.integers(0, 3))
    bits = np.unpackbits(packed, axis=1)
    labels = fcluster(linkage(bits, "single", "cityblock"), distance, "distance")
    groups = [np.flatnonzero(labels == label).tolist() for label in np.unique(labels)]
    assert near_duplicates(packed, distance) == sorted(g for g in groups if len(g) > 1)


def test_many_that_are_near_to_each_other_are_one_group():
    random = np.random.default_rng(0)
    packed = random.integers(0, 256, (1500, 16), np.uint8)
    packed[:400, :15], packed[:400, 15] = 7, np.arange(400) % 256
    assert near_duplicates(packed, 2) == [list(range(400))]
    assert near_duplicates(packed) == [[row, row + 256] for row in range(144)]


def test_few_codes_have_no_duplicates():
    assert near_duplicates(np.zeros((0, 16), np.uint8), 3) == []
    assert near_duplicates(np.zeros((1, 16), np.uint8), 3) == []
    assert near_duplicates(np.zeros((2, 16), np.uint8)) == [[0, 1]]


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(SearchError, match="distance=-1: give 0 bits or more"):
        near_duplicates(np.zeros((2, 16), np.uint8), -1)
    with pytest.raises(SearchError, match="the codes have shape"):
        near_duplicates(np.zeros(16, np.uint8), 1)
