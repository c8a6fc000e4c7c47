import numpy as np
import pytest

from zounds.errors import LearningError
from zounds.learn.smoothing import expanded, neighbour_graph, smoothed
from zounds.quality import hits, quality, scores


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def random(n, d=8, seed=0):
    return unit(np.random.default_rng(seed).standard_normal((n, d)))


def kinds(per_kind=40, n_kinds=6, d=16, noise=0.3):
    """Kinds of sounds that overlap."""
    rng = np.random.default_rng(0)
    labels = np.arange(per_kind * n_kinds) % n_kinds
    centres = unit(rng.standard_normal((n_kinds, d)))
    return unit(centres[labels] + noise * rng.standard_normal((len(labels), d))), labels


def average_precision(vectors, labels):
    similar = vectors @ vectors.T
    others = ~np.eye(len(labels), dtype=bool)
    return quality(
        scores(hits(similar[i], labels == labels[i], others[i])) for i in range(len(labels))
    ).mean.average_precision


def reference(vectors, k=10, share=0.95, own=0.2):
    """The definition, in double precision and with a solver of linear equations."""
    z = vectors.astype(np.float64)
    similar = z @ z.T
    weights = np.zeros_like(similar)
    for i, row in enumerate(similar):
        order = np.argsort(-np.where(np.arange(len(row)) == i, -np.inf, row), kind="stable")
        for j in order[: min(k, len(row) - 1)]:
            weights[i, j] = max(row[j], 0) ** 4
    weights = np.maximum(weights, weights.T)
    degrees = weights.sum(axis=1)
    roots = np.sqrt(np.where(degrees > 0, degrees, 1))
    graph = weights / roots[:, None] / roots
    limit = np.linalg.solve(np.eye(len(z)) - share * graph, (1 - share) * z)
    result = limit / np.linalg.norm(limit, axis=1, keepdims=True) + own * z
    return graph, result / np.linalg.norm(result, axis=1, keepdims=True)


@pytest.mark.parametrize("vectors", [random(100), random(6), kinds(10)[0]])
def test_is_the_limit_of_the_diffusion(vectors):
    graph, result = reference(vectors)
    np.testing.assert_allclose(neighbour_graph(vectors).toarray(), graph, atol=1e-6)
    np.testing.assert_allclose(smoothed(vectors), result, atol=0.01)


def test_sounds_of_a_kind_find_each_other():
    vectors, labels = kinds()
    before, after = average_precision(vectors, labels), average_precision(smoothed(vectors), labels)
    assert before < 0.75
    assert after > before + 0.15


def test_the_graph_is_symmetric_and_does_not_amplify():
    graph = neighbour_graph(random(200)).toarray()
    np.testing.assert_array_equal(graph, graph.T)
    assert np.abs(np.linalg.eigvalsh(graph)).max() < 1 + 1e-5
    assert (np.diag(graph) == 0).all()


def test_the_same_vectors_give_the_same_bits():
    np.testing.assert_array_equal(smoothed(random(300)), smoothed(random(300).copy()))


def test_smoothed_vectors_are_float32_of_norm_one():
    result = smoothed(random(50).astype(np.float64))
    assert result.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), 1, rtol=1e-6)


def test_a_vector_without_neighbours_stays_what_it_is():
    others = np.concatenate([random(30, 7), np.zeros((30, 1))], axis=1)
    alone = np.zeros((1, 8))
    alone[0, -1] = 1
    result = smoothed(np.concatenate([others, alone]))
    np.testing.assert_allclose(result[-1:], alone, atol=1e-6)


def test_one_clip_and_opposite_ones_stay_what_they_are():
    one = random(1)
    np.testing.assert_allclose(smoothed(one), one, rtol=1e-6)
    pair = np.concatenate([one, -one])
    np.testing.assert_allclose(smoothed(pair), pair, rtol=1e-5)


def test_identical_clips_stay_identical():
    vectors = np.concatenate([np.repeat(random(1), 40, axis=0), random(20, seed=1)])
    result = smoothed(vectors)
    assert np.isfinite(result).all()
    assert (result[:40] @ result[:40].T).min() > 0.99
    alike = smoothed(vectors[:40])
    np.testing.assert_allclose(alike, vectors[:40], atol=1e-4)


def test_vectors_of_zeros_stay_zeros_beside_others():
    result = smoothed(np.concatenate([random(20), np.zeros((3, 8), np.float32)]))
    assert np.isfinite(result).all()
    assert (result[-3:] == 0).all()
    assert (smoothed(np.zeros((4, 8))) == 0).all()


def test_no_clips_are_no_vectors():
    assert smoothed(np.zeros((0, 8))).shape == (0, 8)


def test_a_query_is_drawn_to_where_its_neighbours_went():
    vectors, smooth = random(50), random(50, seed=1)
    query = random(1, seed=2)
    near = (vectors @ query[0]).argsort()[::-1][:5]
    weights = np.maximum(vectors[near] @ query[0], 0) ** 3
    expected = unit(query + (weights[:, None] * smooth[near]).sum(axis=0))
    np.testing.assert_allclose(expanded(query, vectors, smooth), expected, atol=1e-6)


def test_a_query_like_nothing_stays_what_it_is():
    query = random(1)
    np.testing.assert_allclose(expanded(query, -query, random(1, seed=1)), query, rtol=1e-6)
    nothing = np.zeros((0, 8), np.float32)
    np.testing.assert_allclose(expanded(query, nothing, nothing), query, rtol=1e-6)


def test_what_does_not_fit_is_told():
    with pytest.raises(LearningError, match="7 columns, and 8 were learned from"):
        expanded(random(1, 7), random(5), random(5))
    with pytest.raises(LearningError, match="5 vectors, and 4 smoothed"):
        expanded(random(1), random(5), random(4))
    with pytest.raises(LearningError, match="nan"):
        smoothed(np.full((2, 2), np.nan))
