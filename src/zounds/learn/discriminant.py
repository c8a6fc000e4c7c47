"""Which directions tell sounds apart: a discriminant that is learned without labels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from featureflow.codec import storable
from featureflow.errors import InvalidParameter
from zounds.errors import LearningError
from zounds.learn.neighbours import mutual_pairs
from zounds.learn.transforms import UnitNorm, checked, whole, with_time_of

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

# Standardised columns are bent to ±1.5: outliers count little, and all values stay apart. Measured
# against clipping at ±4, this finds .01 to .02 more right sounds among the first ten.
_BEND = 1.5

# The weight of the pairs by the number of clips. Few clips have few pairs, and more wrong ones;
# with only pairs, copies that differ in pitch are lost.
_CLIPS = (50, 100, 200, 350, 700, 1300)
_WEIGHTS = (0.0, 0.2, 0.3, 0.45, 0.45, 0.6)

FEW = 50
"""Clips below which there is no training by pairs."""


@dataclass(frozen=True, eq=False)
class Moments:
    """How many examples there are, their mean, and how far they are from it; can be added.

    Parameters
    ----------
    count : int
    mean : np.ndarray of float64 [shape=(d,)]
    squares : np.ndarray of float64 [shape=(d,)]
        The sums of squared differences from the mean.

    References
    ----------
    Chan, Golub & LeVeque, "Algorithms for computing the sample variance", The American
    Statistician 37(3), 1983.
    """

    count: int
    mean: Float64
    squares: Float64

    @classmethod
    def of(cls, examples: Array) -> Moments:
        """Return the moments of examples [shape=(n, d)], at least one."""
        rows = examples.astype(np.float64)
        mean = rows[0] + (rows - rows[0]).mean(axis=0)
        return cls(len(rows), mean, np.square(rows - mean).sum(axis=0))

    def __add__(self, other: Moments) -> Moments:
        count = self.count + other.count
        step = other.mean - self.mean
        squares = self.squares + other.squares
        squares += np.square(step) * (self.count * other.count / count)
        return Moments(count, self.mean + step * (other.count / count), squares)

    @property
    def deviation(self) -> Float64:
        """np.ndarray of float64 [shape=(d,), range=(0, inf)] : 1 for what does not vary."""
        deviation = np.sqrt(self.squares / self.count)
        # descriptors are float32: what is less is rounding
        return np.where(deviation > 1e-6 * np.abs(self.mean), deviation, 1.0)


@dataclass(frozen=True, eq=False)
class Scatter:
    """Sums of products of columns, over all examples and within groups; can be added.

    Parameters
    ----------
    count : int
        Examples.
    total : np.ndarray of float64 [shape=(d,)]
        The sum of the examples.
    products : np.ndarray of float64 [shape=(d, d)]
        The sum of their outer products.
    within : np.ndarray of float64 [shape=(d, d)]
        The same of their differences from the mean of their group.
    """

    count: int
    total: Float64
    products: Float64
    within: Float64

    @classmethod
    def of(cls, groups: Float64) -> Scatter:
        """Return the sums over groups of the same size [shape=(groups, size, d)]."""
        rows = groups.reshape(-1, groups.shape[-1])
        apart = (groups - groups.mean(axis=1, keepdims=True)).reshape(rows.shape)
        return cls(len(rows), rows.sum(axis=0), rows.T @ rows, apart.T @ apart)

    def __add__(self, other: Scatter) -> Scatter:
        return Scatter(
            self.count + other.count,
            self.total + other.total,
            self.products + other.products,
            self.within + other.within,
        )

    @property
    def mean(self) -> Float64:
        """np.ndarray of float64 [shape=(d,)] : The mean of all examples."""
        return self.total / self.count

    @property
    def covariance(self) -> Float64:
        """np.ndarray of float64 [shape=(d, d)] : That of all examples."""
        return self.products / self.count - np.outer(self.mean, self.mean)

    @property
    def covariance_within(self) -> Float64:
        """np.ndarray of float64 [shape=(d, d)] : That around the means of groups."""
        return self.within / self.count


@dataclass(frozen=True)
class Discriminant:
    """Learns the directions in which sounds differ from each other more than from themselves.

    Of each clip there are several *views*: the same sound shifted, filtered, cut. What varies among
    them does not matter; what varies among clips does. The generalised eigenvectors of both
    scatters are Fisher's discriminant, with clips as its classes.

    Clips of the same kind are classes that are too small. So it goes on by itself: with the metric
    there is, clips that are mutual neighbours are taken for the same kind, what varies among
    them is added to what does not matter, and the metric is computed anew, some times. Under 50
    clips neighbours tell too little; this is left out, with a warning.

    Parameters
    ----------
    dimensions : int [range=[1, inf)]
        The number of directions.
    ignored : tuple of int
        Columns that shall not count, such as the level: the result does not depend on them at all.
    neighbours : tuple of int [range=[1, inf)]
        In each round of the training by pairs, clips are a pair that are among the so many nearest
        of each other: more from round to round, as the metric gets better. None for no training.

    Raises
    ------
    InvalidParameter
        If they are not such numbers.

    References
    ----------
    Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7(2), 1936.

    Examples
    --------
    Sounds that are told apart by the first of two numbers only:

    >>> views = np.array([[[0, 0], [0, 9]], [[1, 4], [1, 0]], [[2, 9], [2, 1]]])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # there are few
    ...     embedding = Discriminant(dimensions=1).fit(views)
    >>> embedding.transform([[0.0, 7.0], [2.0, 7.0]]).tolist()
    [[-1.0], [1.0]]
    """

    dimensions: int = 64
    ignored: tuple[int, ...] = ()
    neighbours: tuple[int, ...] = (5, 7, 9)
    revision: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "dimensions", whole("dimensions", self.dimensions, 1))
        ignored = tuple(whole("a column in ignored", column, 0) for column in self.ignored)
        object.__setattr__(self, "ignored", ignored)
        neighbours = tuple(whole("a number of neighbours", k, 1) for k in self.neighbours)
        object.__setattr__(self, "neighbours", neighbours)

    def fit(self, examples: npt.ArrayLike, /, others: npt.ArrayLike | None = None) -> Embedding:
        """Return the embedding that is learned from clips and their views.

        It runs on one thread, so that the same examples give the same bits.

        Parameters
        ----------
        examples : array_like [shape=(clips, 1 + views, d)]
            Descriptors: of the clip itself first, then of its views, at least one.
        others : array_like [shape=(n, d)] or None
            Descriptors of more clips, which take part in the training by pairs.

        Returns
        -------
        Embedding

        Raises
        ------
        LearningError
            If the shape is another, or a number is NaN or infinite.
        InvalidParameter
            If a column that is `ignored` is none of theirs.

        Warns
        -----
        UserWarning
            If there are fewer than 50 clips.
        """
        import scipy.linalg  # noqa: F401  # before the limit, which holds for what is loaded
        from threadpoolctl import threadpool_limits

        groups = np.asarray(examples)
        if groups.ndim != 3 or groups.shape[1] < 2 or not groups.size:
            raise LearningError(
                f"examples have shape {groups.shape}: give (clips, 1 + views, d), for each clip "
                "its own descriptor and those of one view or more"
            )
        rows = checked(groups.reshape(-1, groups.shape[2]))
        clips = rows[:: groups.shape[1]]
        if others is not None:
            clips = np.concatenate([clips, checked(others, columns=rows.shape[1])])
        if len(clips) < FEW:
            warnings.warn(
                f"learned from views of {len(clips)} clips only: the metric will be better from "
                f"{FEW} clips on",
                stacklevel=2,
            )
        counted = np.ones(rows.shape[1], bool)
        if max(self.ignored, default=0) >= len(counted):
            raise InvalidParameter(
                f"column {max(self.ignored)} is ignored, and examples have {len(counted)}: "
                "give columns that there are, from 0"
            )
        counted[list(self.ignored)] = False
        with threadpool_limits(1):
            moments = Moments.of(rows)
            # 1/inf is 0: what is ignored is nothing but its mean
            deviation = np.where(counted, moments.deviation, np.inf)
            bent = _bent(rows, moments.mean, deviation)
            scatter = Scatter.of(bent.reshape(groups.shape))
            return self._trained(moments.mean, deviation, scatter, clips)

    def _trained(
        self, mean: Float64, deviation: Float64, scatter: Scatter, clips: Array
    ) -> Embedding:
        size = len(clips)
        share = float(np.interp(size, _CLIPS, _WEIGHTS))
        # the fewer clips, the less their scatter is to be believed
        ridge = float(np.clip(0.002 * (1300 / size) ** 2, 0.001, 0.05))

        def embedding(within: Float64) -> Embedding:
            directions = _directions(scatter.covariance, within, ridge, self.dimensions)
            return Embedding(mean, deviation, scatter.mean, directions)

        within = scatter.covariance_within
        learned = embedding(within)
        if not share:
            return learned
        bent = _bent(clips, mean, deviation)
        for k in self.neighbours:
            pairs = mutual_pairs(learned.transform(clips), k)
            if not len(pairs):
                break
            apart = bent[pairs[:, 0]] - bent[pairs[:, 1]]
            of_pairs = apart.T @ apart / (2 * len(pairs))
            learned = embedding((1 - share) * within + share * of_pairs)
        return learned


@storable("zounds.Embedding")
@dataclass(frozen=True, eq=False)
class Embedding:
    """Embeds descriptors, so that the cosine of two says how similar the sounds are.

    Parameters
    ----------
    mean, deviation : np.ndarray of float64 [shape=(d,)]
        Of the descriptors; infinite deviations for those that are ignored.
    centre : np.ndarray of float64 [shape=(d,)]
        The mean of the descriptors when they are standardised and bent.
    directions : np.ndarray of float64 [shape=(d, dimensions)]
        The best first; zeros where there are not as many.
    """

    revision: ClassVar[int] = 1

    mean: Array = field(repr=False)
    deviation: Array = field(repr=False)
    centre: Array = field(repr=False)
    directions: Array = field(repr=False)

    def transform(self, examples: npt.ArrayLike, /) -> Array:
        """Return the embedded examples.

        A row's result does not depend on the others, to the bit.

        Parameters
        ----------
        examples : array_like [shape=(n, d)]

        Returns
        -------
        np.ndarray of float32 [shape=(n, dimensions), range=[-1, 1]]
            Of norm 1; of norm 0, where nothing is known of an example. With the time axis of
            `examples`.

        Raises
        ------
        LearningError
            If there are more or fewer columns than were learned from, or a number is NaN or
            infinite.
        """
        plain = checked(examples, columns=len(self.mean))
        rows = _bent(plain, self.mean, self.deviation) - self.centre
        # a stack of products, one for each row: BLAS rounds a row by its place among others
        embedded = np.matmul(rows[:, None], self.directions)[:, 0]
        return with_time_of(examples, UnitNorm().transform(embedded).astype(np.float32))


def _bent(rows: Array, mean: Float64, deviation: Float64) -> Float64:
    standardised = (rows - mean) / deviation
    return np.asarray(_BEND * np.tanh(standardised / _BEND), np.float64)


def _directions(total: Float64, within: Float64, ridge: float, count: int) -> Float64:
    """Return the `count` best directions, in columns, those without scatter as zeros.

    total v = λ (within + ridge · mean diagonal) v, and each v scaled by λ^-1/8: between the plain
    discriminant (0), which is ruled by a few directions, and whitening (-1/2).
    """
    import scipy.linalg

    size = len(total)
    directions = np.zeros((size, count))
    level = float(np.trace(within)) / size
    if not level > 0:  # views that are all the same
        level, within = 1.0, np.zeros_like(within)
    values, vectors = scipy.linalg.eigh(total, within + ridge * level * np.eye(size))
    kept = np.flatnonzero(values > 1e-9 * max(values[-1], 1e-9))[::-1][:count]
    vectors = vectors[:, kept] * values[kept] ** -0.125
    # an eigenvector has no sign; its largest number shall be positive
    largest = np.abs(vectors).argmax(axis=0)
    vectors *= np.where(vectors[largest, np.arange(len(kept))] < 0, -1.0, 1.0)
    directions[:, : len(kept)] = vectors
    return directions
