"""Pooling: many values along an axis to one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter
from zounds.arrays import ArrayWithUnits, with_units

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Pooling:
    """Reduces one axis; the functions differ in nothing else."""

    axis: int = 1

    revision: ClassVar[int] = 1
    reduce: ClassVar[Callable[..., Any]]

    def __post_init__(self) -> None:
        if self.axis < 1:
            raise InvalidParameter(
                f"{self!r}: axis 0 is time, and a chunk is not the whole of it: cut windows with "
                "SlidingWindow and pool axis 1, counting axes from the first"
            )

    def __call__(self, chunk: Array, /) -> Array:
        """Return the pooled values.

        Parameters
        ----------
        chunk : np.ndarray [shape=(m, ...)]

        Returns
        -------
        np.ndarray
            Without the axis; the other axes keep their units.

        Raises
        ------
        InvalidParameter
            If `chunk` does not have the axis.
        """
        if self.axis >= chunk.ndim:
            raise InvalidParameter(
                f"{self!r} was given shape {chunk.shape}: give an axis below {chunk.ndim}"
            )
        result: Array = self.reduce(np.asarray(chunk), axis=self.axis)
        if not isinstance(chunk, ArrayWithUnits):
            return result
        return with_units(result, chunk.units[: self.axis] + chunk.units[self.axis + 1 :])


class Max(_Pooling):
    """Node: the greatest value along an axis; of booleans, whether any is true.

    Parameters
    ----------
    axis : int [range=[1, inf)]
        The axis that is reduced; 1, the default, is the first one after time.

    Raises
    ------
    InvalidParameter
        If `axis` is 0 or less; on input, if there is no such axis.

    Examples
    --------
    >>> Max(axis=1)(np.array([[[True, False], [False, False]]])).tolist()
    [[True, False]]
    """

    reduce = staticmethod(np.max)


class Min(_Pooling):
    """Node: the least value along an axis; of booleans, whether all are true.

    Parameters
    ----------
    axis : int [range=[1, inf)]
        The axis that is reduced; 1, the default, is the first one after time.

    Raises
    ------
    InvalidParameter
        If `axis` is 0 or less; on input, if there is no such axis.

    Examples
    --------
    >>> Min(axis=1)(np.array([[3.0, 1.0, 2.0]])).tolist()
    [1.0]
    """

    reduce = staticmethod(np.min)


class Mean(_Pooling):
    """Node: the arithmetic mean along an axis.

    Parameters
    ----------
    axis : int [range=[1, inf)]
        The axis that is reduced; 1, the default, is the first one after time.

    Raises
    ------
    InvalidParameter
        If `axis` is 0 or less; on input, if there is no such axis.

    Examples
    --------
    >>> Mean(axis=1)(np.array([[3.0, 1.0, 2.0]])).tolist()
    [2.0]
    """

    reduce = staticmethod(np.mean)


class Sum(_Pooling):
    """Node: the sum along an axis; of booleans, how many are true.

    Parameters
    ----------
    axis : int [range=[1, inf)]
        The axis that is reduced; 1, the default, is the first one after time.

    Raises
    ------
    InvalidParameter
        If `axis` is 0 or less; on input, if there is no such axis.

    Examples
    --------
    >>> Sum(axis=1)(np.array([[True, False, True]])).tolist()
    [2]
    """

    reduce = staticmethod(np.sum)


class Std(_Pooling):
    """Node: the standard deviation along an axis, ``sqrt(mean(|x - mean(x)|^2))``.

    Parameters
    ----------
    axis : int [range=[1, inf)]
        The axis that is reduced; 1, the default, is the first one after time.

    Raises
    ------
    InvalidParameter
        If `axis` is 0 or less; on input, if there is no such axis.

    Examples
    --------
    >>> Std(axis=1)(np.array([[1.0, 3.0]])).tolist()
    [1.0]
    """

    reduce = staticmethod(np.std)
