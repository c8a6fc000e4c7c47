"""How good a search is: what share of what it finds is of the kind that was searched for.

A ranking is judged by its *hits*: for each candidate, the most similar first, whether it is
relevant. What counts as relevant, and who is a candidate at all, is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter
from zounds.errors import SearchError

Hits = npt.NDArray[np.bool_]

DEPTH = 10
"""How many results people look at: the depth of `Scores.precision`."""


@dataclass(frozen=True)
class Scores:
    """How good the ranking for one query is, or for many on average.

    Parameters
    ----------
    precision : float [range=[0, 1]]
        The share of the first ten candidates (of all, if they are fewer) that is relevant.
    r_precision : float [range=[0, 1]]
        The same of the first R, where R are relevant: 1 if these come first.
    average_precision : float [range=[0, 1]]
        The share that is relevant among the candidates down to each relevant one, on average over
        these: 1 if all relevant ones come first. Its mean over queries is called mAP.

    References
    ----------
    Manning, Raghavan & Schütze, "Introduction to Information Retrieval", Cambridge 2008, ch. 8.4.
    """

    precision: float
    r_precision: float
    average_precision: float


@dataclass(frozen=True)
class Quality:
    """How good a search is, on average over queries.

    Parameters
    ----------
    mean : Scores
    queries : int
        Those that were averaged.
    unanswerable : int
        Queries left out, since nothing is relevant to them.
    """

    mean: Scores
    queries: int
    unanswerable: int


def hits(
    similarities: npt.ArrayLike, relevant: npt.ArrayLike, candidates: npt.ArrayLike | None = None
) -> Hits:
    """Return whether each candidate is relevant, the most similar first.

    Parameters
    ----------
    similarities : array_like [shape=(n,)]
        Higher for those that are more similar; equal ones stay in their order.
    relevant : array_like of bool [shape=(n,)]
    candidates : array_like of bool [shape=(n,)] or None
        False for what does not take part, such as the query itself. None for all.

    Returns
    -------
    np.ndarray of bool [shape=(candidates,)]

    Raises
    ------
    InvalidParameter
        If the shapes differ, or a similarity is NaN.
    """
    order = np.asarray(similarities, np.float64)
    wanted = np.asarray(relevant, bool)
    taking_part = np.ones(order.shape, bool) if candidates is None else np.asarray(candidates, bool)
    if order.ndim != 1 or not order.shape == wanted.shape == taking_part.shape:
        raise InvalidParameter(
            f"similarities, relevant and candidates have shapes {order.shape}, {wanted.shape} and "
            f"{taking_part.shape}: give one number for each candidate"
        )
    if np.isnan(order).any():
        raise InvalidParameter(
            f"similarity {int(np.isnan(order).argmax())} is NaN, which has no place in a ranking: "
            "give numbers"
        )
    ranking = np.argsort(-order, kind="stable")
    return np.asarray(wanted[ranking[taking_part[ranking]]])


def scores(ranked: npt.ArrayLike) -> Scores | None:
    """Return how good a ranking is, or None where nothing is relevant.

    Parameters
    ----------
    ranked : array_like of bool [shape=(n,)]
        The `hits` of a query: all of the candidates, since what is not ranked is not found.

    Examples
    --------
    >>> scores([True, False, True, False])
    Scores(precision=0.5, r_precision=0.5, average_precision=0.8333333333333333)
    """
    found = np.asarray(ranked, bool)
    (places,) = np.nonzero(found)
    relevant = len(places)
    if not relevant:
        return None
    return Scores(
        precision=float(found[:DEPTH].mean()),
        r_precision=float(found[:relevant].mean()),
        average_precision=float(np.mean(np.arange(1, relevant + 1) / (places + 1))),
    )


def chance(relevant: int, candidates: int) -> Scores | None:
    """Return what is expected of a random ranking, or None where nothing is relevant.

    Parameters
    ----------
    relevant : int [range=[0, candidates]]
    candidates : int [range=[0, inf)]

    Raises
    ------
    InvalidParameter
        If there are more relevant ones than candidates, or fewer than none.

    References
    ----------
    Bestgen, "Exact expected average precision of the random baseline for system evaluation", The
    Prague Bulletin of Mathematical Linguistics 103, 2015.
    """
    if not 0 <= relevant <= candidates:
        raise InvalidParameter(
            f"{relevant} of {candidates} candidates are relevant: give from none to all of them"
        )
    if not relevant:
        return None
    share = relevant / candidates
    # given that the candidate at a place is relevant, so is each before it with this probability
    before = (relevant - 1) / max(candidates - 1, 1)
    places = np.arange(1, candidates + 1)
    expected = float(np.mean((1 + (places - 1) * before) / places))
    return Scores(share, share, expected)


def quality(queries: Iterable[Scores | None]) -> Quality:
    """Return the mean over queries; each counts the same.

    Parameters
    ----------
    queries : iterable of Scores or None
        What `scores` or `chance` return.

    Raises
    ------
    SearchError
        If no query has anything that is relevant to it.
    """
    every = list(queries)
    answerable = [one for one in every if one is not None]
    if not answerable:
        raise SearchError(
            f"none of {len(every)} queries has anything that is relevant to it: "
            "quality needs at least two sounds of a kind"
        )
    table: Any = [(one.precision, one.r_precision, one.average_precision) for one in answerable]
    mean = Scores(*map(float, np.mean(table, axis=0)))
    return Quality(mean, len(answerable), len(every) - len(answerable))
