"""Places in the plane: of some groups, of anything at all, and of more than are laid out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zounds.web import layout
from zounds.web.layout import laid_out


def groups(count, each, seed=0, noise=0.25):
    """Vectors around some directions, and which of them each is of."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, 24))
    of = np.repeat(np.arange(count), each)
    return centres[of] + noise * rng.normal(size=(len(of), 24)), of


def purity(places, of, near=5):
    """How many of the nearest places are of the same group."""
    apart = ((places[:, np.newaxis] - places) ** 2).sum(axis=-1)
    np.fill_diagonal(apart, np.inf)
    return float((of[np.argsort(apart, axis=1)[:, :near]] == of[:, np.newaxis]).mean())


def test_sounds_of_a_kind_lie_together():
    rows, of = groups(12, 25, noise=0.6)
    places = laid_out(rows)
    assert purity(places, of) > 0.95
    # and none hides another
    apart = ((places[:, np.newaxis] - places) ** 2).sum(axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert np.sqrt(apart.min(axis=1)).min() > 1e-4


def test_more_than_are_laid_out_lie_between_those_that_are(monkeypatch):
    rows, of = groups(8, 50)
    monkeypatch.setattr(layout, "_LANDMARKS", 120)
    monkeypatch.setattr(layout, "_BLOCK", 64)
    told = []
    places = laid_out(rows, told.append)
    assert purity(places, of) > 0.95
    assert told == sorted(told)
    assert 0 <= told[0] < 0.1 < 0.9 < told[-1] <= 1


def test_the_same_rows_have_the_same_places():
    rows, _ = groups(5, 20)
    assert np.array_equal(laid_out(rows), laid_out(rows.copy()))


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 24),
    d=st.integers(1, 4),
    values=st.sampled_from([[0], [1], [-1, 1], [0, 127], [-5, 0, 1, 2, 3]]),
    seed=st.integers(0, 2**32 - 1),
)
def test_whatever_the_rows_every_place_is_on_the_map(n, d, values, seed):
    rows = np.random.default_rng(seed).choice(np.array(values, np.int8), size=(n, d))
    places = laid_out(rows)
    assert places.shape == (n, 2)
    assert np.all(np.abs(places) <= 1)
    assert len(np.unique(places, axis=0)) == (n if n > 1 else min(n, 1))


@pytest.mark.parametrize("n", [2, 3, 4, 5, 16, 17])
def test_a_few_are_laid_out_too(n):
    rows, _ = groups(n, 1)
    places = laid_out(rows)
    assert np.abs(places).max() > 0.9
