import tracemalloc

import numpy as np
import pytest

from zounds.learn import neighbours
from zounds.learn.neighbours import mutual_pairs, nearest


def unit(n, d=16, seed=0):
    rows = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def grid(n, seed=0):
    """Vectors of which many are equal, and whose products are exact."""
    return np.random.default_rng(seed).integers(-1, 2, (n, 3)).astype(np.float32) / 2


def brute_force(vectors, k, queries=None):
    similar = (vectors if queries is None else queries) @ vectors.T
    if queries is None:
        np.fill_diagonal(similar, -np.inf)
    return np.argsort(-similar, axis=1, kind="stable")[:, :k]


@pytest.fixture(params=[(1024, 4096), (7, 5), (64, 1)])
def blocks(request, monkeypatch):
    monkeypatch.setattr(neighbours, "_ROWS", request.param[0])
    monkeypatch.setattr(neighbours, "_COLUMNS", request.param[1])


@pytest.mark.parametrize("vectors", [unit(100), grid(100)], ids=["unit", "many equal"])
@pytest.mark.parametrize("k", [1, 4, 99, 1000])
@pytest.mark.usefixtures("blocks")
def test_nearest_are_those_of_brute_force_the_first_of_equal_ones_first(vectors, k):
    places, cosines = nearest(vectors, k)
    np.testing.assert_array_equal(places, brute_force(vectors, min(k, 99)))
    products = np.take_along_axis(vectors @ vectors.T, places, axis=1)
    np.testing.assert_allclose(cosines, products, atol=1e-6)


@pytest.mark.usefixtures("blocks")
def test_nearest_to_queries_from_elsewhere():
    vectors, queries = unit(100), np.concatenate([unit(9, seed=1), unit(100)[:1]])
    places, _ = nearest(vectors, 3, queries)
    np.testing.assert_array_equal(places, brute_force(vectors, 3, queries))
    assert places[-1, 0] == 0


def test_an_equal_vector_is_a_neighbour_and_oneself_is_not():
    vectors = np.repeat(unit(1), 4, axis=0)
    places, cosines = nearest(vectors, 2)
    assert places.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]
    np.testing.assert_allclose(cosines, 1, rtol=1e-6)
    assert cosines.max() <= 1


def test_vectors_of_zeros_are_at_right_angles_to_all():
    _, cosines = nearest(np.zeros((5, 3), np.float32), 2)
    assert (cosines == 0).all()


@pytest.mark.parametrize("count", [0, 1])
def test_who_is_alone_has_no_neighbours(count):
    places, cosines = nearest(unit(2)[:count], 3)
    assert places.shape == cosines.shape == (count, 0)
    assert mutual_pairs(unit(2)[:count], 3).shape == (0, 2)


def test_memory_does_not_grow_with_the_square():
    vectors = unit(20_000, 4)
    tracemalloc.start()
    nearest(vectors, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # all cosines take 1.6 GB


def test_mutual_pairs_are_neighbours_of_each_other():
    vectors = unit(60)
    near = [set(row) for row in brute_force(vectors, 4).tolist()]
    expected = [
        [i, j] for i in range(60) for j in range(i + 1, 60) if j in near[i] and i in near[j]
    ]
    assert mutual_pairs(vectors, 4).tolist() == expected
