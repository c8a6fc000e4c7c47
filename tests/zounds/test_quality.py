import math
from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from featureflow.errors import InvalidParameter
from zounds.errors import SearchError
from zounds.quality import Scores, chance, hits, quality, scores


def random_ranking(seed, n=40):
    random = np.random.default_rng(seed)
    return random.random(n), random.random(n) < 0.3


@pytest.mark.parametrize("seed", range(20))
def test_average_precision_is_that_of_scikit_learn(seed):
    similarities, relevant = random_ranking(seed)
    found = scores(hits(similarities, relevant))
    assert found.average_precision == pytest.approx(average_precision_score(relevant, similarities))


@pytest.mark.parametrize("seed", range(5))
def test_precision_counts_the_first_ten_and_the_first_r(seed):
    similarities, relevant = random_ranking(seed)
    best = sorted(range(40), key=lambda place: -similarities[place])
    found = scores(hits(similarities, relevant))
    assert found.precision == sum(relevant[place] for place in best[:10]) / 10
    count = relevant.sum()
    assert found.r_precision == pytest.approx(
        sum(relevant[place] for place in best[:count]) / count
    )


def test_what_is_no_candidate_takes_no_place():
    similarities = [0.9, 0.8, 0.7, 0.6]
    relevant = [True, False, True, False]
    assert hits(similarities, relevant, [False, True, True, True]).tolist() == [False, True, False]


def test_equal_similarities_stay_in_their_order():
    assert hits([1, 2, 1, 2], [True, False, False, True]).tolist() == [False, True, True, False]


def test_a_perfect_and_the_worst_ranking():
    assert scores([True] * 10 + [False] * 30) == Scores(1, 1, 1)
    worst = scores([False] * 38 + [True] * 2)
    assert (worst.precision, worst.r_precision) == (0, 0)
    assert worst.average_precision == pytest.approx((1 / 39 + 2 / 40) / 2)


def test_fewer_than_ten_candidates_can_all_be_right():
    assert scores([True, True, True]).precision == 1


@pytest.mark.parametrize(("relevant", "candidates"), [(1, 1), (1, 6), (3, 6), (6, 6), (2, 12)])
def test_chance_is_the_mean_over_all_rankings(relevant, candidates):
    every = []
    for places in combinations(range(candidates), relevant):
        ranking = np.zeros(candidates, bool)
        ranking[list(places)] = True
        every.append(scores(ranking))
    mean = quality(every).mean
    expected = chance(relevant, candidates)
    assert expected.precision == pytest.approx(mean.precision)
    assert expected.r_precision == pytest.approx(mean.r_precision)
    assert expected.average_precision == pytest.approx(mean.average_precision)


def test_queries_without_anything_relevant_are_left_out_and_counted():
    found = quality([scores([False, False]), Scores(1, 0.5, 0.25), Scores(0, 0.5, 0.75), None])
    assert found.mean == Scores(0.5, 0.5, 0.5)
    assert (found.queries, found.unanswerable) == (2, 2)


def test_no_candidates_are_nothing_relevant():
    assert scores([]) is None
    assert chance(0, 0) is None


def test_nothing_to_average_is_told():
    with pytest.raises(SearchError, match="none of 3 queries has anything that is relevant"):
        quality([None] * 3)


def test_shapes_that_differ_are_told():
    with pytest.raises(InvalidParameter, match=r"shapes \(2,\), \(3,\) and \(2,\)"):
        hits([1, 2], [True, True, False])


def test_a_similarity_that_is_none_is_told():
    with pytest.raises(InvalidParameter, match="similarity 1 is NaN"):
        hits([1, math.nan], [True, True])


@pytest.mark.parametrize("relevant", [-1, 4])
def test_more_relevant_than_candidates_is_told(relevant):
    with pytest.raises(InvalidParameter, match=f"{relevant} of 3 candidates"):
        chance(relevant, 3)
