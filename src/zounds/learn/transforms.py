"""Examples in rows: what can be learned from, and the transforms that keep their columns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from featureflow.codec import storable
from featureflow.errors import InvalidParameter
from zounds.arrays import ArrayWithUnits, with_units
from zounds.errors import LearningError

Array = npt.NDArray[Any]


def checked(examples: npt.ArrayLike, columns: int | None = None) -> Array:
    """Return examples as a plain array, after checking that they can be used.

    Parameters
    ----------
    examples : array_like [shape=(n, d)]
        Booleans or real numbers.
    columns : int or None
        The `d` that is expected; None for any.

    Returns
    -------
    np.ndarray [shape=(n, d)]
        The same numbers in the same dtype, not copied where they are contiguous: NumPy sums rows
        in another order, and rounds otherwise, where they are not.

    Raises
    ------
    LearningError
        If the shape or the dtype is another, or a number is NaN or infinite.
    """
    plain = np.ascontiguousarray(examples)
    if np.ndim(examples) != 2 or not plain.shape[1]:
        raise LearningError(
            f"examples have shape {np.shape(examples)}: give (n, d), one row for each example"
        )
    if plain.dtype.kind not in "biuf":
        raise LearningError(f"examples are {plain.dtype}: give real numbers or booleans")
    if columns is not None and plain.shape[1] != columns:
        raise LearningError(
            f"examples have {plain.shape[1]} columns, and {columns} were learned from: give the "
            "feature that the transform has learned"
        )
    finite = np.isfinite(plain)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise LearningError(
            f"example {row} has {plain[row, column]} in column {column}: "
            "mend the feature it comes from, or leave it out"
        )
    return plain


def some(examples: npt.ArrayLike) -> Array:
    """Return `checked` examples, at least one of them, to learn from.

    Raises
    ------
    LearningError
        If they cannot be used, or there are none.
    """
    plain = checked(examples)
    if not len(plain):
        raise LearningError("there are no examples to learn from: were any sounds processed?")
    return plain


def whole(name: str, value: float, least: int, most: float = math.inf) -> int:
    """Return a whole number given as int or float, like 1e6.

    Raises
    ------
    InvalidParameter
        If it is not whole, or not between `least` and `most`.
    """
    number = isinstance(value, int | float | np.integer | np.floating)
    if not number or isinstance(value, bool) or not float(value).is_integer():
        raise InvalidParameter(f"{name} is {value!r}: give a whole number")
    if not least <= value <= most:
        span = f"{least} or more" if most == math.inf else f"{least} to {most}"
        raise InvalidParameter(f"{name} is {value!r}: give {span}")
    return int(value)


def with_time_of(source: Any, result: Array, columns: bool = False) -> Array:
    """Return `result` with the units of the first axis of `source`, if it has any.

    Parameters
    ----------
    source : array_like [shape=(n, d)]
    result : np.ndarray [shape=(n, ...)]
    columns : bool
        Whether the columns, too, mean what they mean in `source`.
    """
    if not isinstance(source, ArrayWithUnits):
        return result
    rest = source.units[1:] if columns else (None,) * (result.ndim - 1)
    return with_units(result, (source.units[0], *rest))


@storable("zounds.UnitNorm")
@dataclass(frozen=True)
class UnitNorm:
    """Scales each example to a Euclidean norm of 1, so that only its shape is left.

    There is nothing to learn: it is a fitting node, and its own transform.

    Examples
    --------
    >>> UnitNorm().transform([[3.0, 4.0], [0.0, 0.0]]).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """

    revision: ClassVar[int] = 1

    def fit(self, examples: npt.ArrayLike, /) -> Self:
        """Return this same object, if the examples can be used.

        Parameters
        ----------
        examples : array_like [shape=(n, d)]

        Raises
        ------
        LearningError
            If there are none, or a number is NaN or infinite.
        """
        some(examples)
        return self

    def transform(self, examples: npt.ArrayLike, /) -> Array:
        """Return the examples with unit norm; those that are zero stay zero.

        Parameters
        ----------
        examples : array_like [shape=(n, d)]

        Returns
        -------
        np.ndarray [shape=(n, d), range=[-1, 1]]
            With the units of `examples`; in their dtype, where that is float32 or float64.

        Raises
        ------
        LearningError
            If a number is NaN or infinite.
        """
        plain = checked(examples)
        rows = plain.astype(_float_type(plain))
        # by the largest first: the squares of very large and very small numbers have no float
        rows /= _or_one(np.abs(rows).max(axis=1, keepdims=True))
        rows /= _or_one(np.sqrt(np.square(rows).sum(axis=1, keepdims=True)))
        return with_time_of(examples, rows, columns=True)

    def inverse_transform(self, examples: npt.ArrayLike, /) -> Array:
        """Return the examples as they are: the norms they once had are not known any more.

        Parameters
        ----------
        examples : array_like [shape=(n, d)]

        Returns
        -------
        np.ndarray [shape=(n, d)]
        """
        return np.asanyarray(examples)


@dataclass(frozen=True)
class MeanStdNormalization:
    """Learns to give each column a mean of 0 and a standard deviation of 1.

    Examples
    --------
    >>> standardizer = MeanStdNormalization().fit([[1.0, 5.0], [3.0, 5.0]])
    >>> standardizer.transform([[1.0, 5.0], [3.0, 6.0]]).tolist()
    [[-1.0, 0.0], [1.0, 1.0]]
    """

    revision: ClassVar[int] = 1

    def fit(self, examples: npt.ArrayLike, /) -> Standardizer:
        """Return the transform learned from `examples`.

        Parameters
        ----------
        examples : array_like [shape=(n, d)]

        Returns
        -------
        Standardizer

        Raises
        ------
        LearningError
            If there are no examples, or a number is NaN or infinite.

        References
        ----------
        Chan, Golub & LeVeque, "Algorithms for computing the sample variance", The American
        Statistician 37(3), 1983: data is shifted first, which also makes the deviation of a
        constant column exactly 0.
        """
        rows = some(examples).astype(np.float64)
        first = rows[0].copy()
        rows -= first
        return Standardizer(first + rows.mean(axis=0), _or_one(rows.std(axis=0)))


@storable("zounds.Standardizer")
@dataclass(frozen=True, eq=False)
class Standardizer:
    """Subtracts a mean from each column, and divides it by a standard deviation.

    Parameters
    ----------
    mean : np.ndarray [shape=(d,)]
    std : np.ndarray [shape=(d,), range=(0, inf)]
        1 for columns that were constant.
    """

    revision: ClassVar[int] = 1

    mean: Array = field(repr=False)
    std: Array = field(repr=False)

    def transform(self, examples: npt.ArrayLike, /) -> Array:
        """Return the standardised examples.

        Parameters
        ----------
        examples : array_like [shape=(n, d)]

        Returns
        -------
        np.ndarray [shape=(n, d)]
            With the units of `examples`; in their dtype, where that is float32 or float64.

        Raises
        ------
        LearningError
            If there are more or fewer columns than were learned from, or a number is NaN or
            infinite.
        """
        plain = checked(examples, columns=len(self.mean))
        rows = (plain - self.mean) / self.std
        return with_time_of(examples, rows.astype(_float_type(plain), copy=False), columns=True)

    def inverse_transform(self, examples: npt.ArrayLike, /) -> Array:
        """Return what `transform` made `examples` of.

        Parameters
        ----------
        examples : array_like [shape=(n, d)]

        Returns
        -------
        np.ndarray [shape=(n, d)]
            With the units of `examples`; in their dtype, where that is float32 or float64.

        Raises
        ------
        LearningError
            If there are more or fewer columns than were learned from, or a number is NaN or
            infinite.
        """
        plain = checked(examples, columns=len(self.mean))
        rows = plain * self.std + self.mean
        return with_time_of(examples, rows.astype(_float_type(plain), copy=False), columns=True)


def _float_type(examples: Array) -> np.dtype[Any]:
    """Return the float type, of 32 bits or more, that holds the examples."""
    return np.result_type(examples.dtype, np.float32)


def _or_one(divisor: Array) -> Array:
    return np.where(divisor == 0, divisor.dtype.type(1), divisor)
