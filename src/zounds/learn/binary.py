"""From vectors to bits and bytes: codes to search by, and small vectors to rank by."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from featureflow.codec import storable
from zounds.learn.threads import each
from zounds.learn.transforms import checked, some, whole, with_time_of

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

_ITERATIONS = 50
_ROUNDING = 1e-6  # of vectors that lie in a plane but for rounding, as those of equal sounds do


@dataclass(frozen=True)
class SimHash:
    """Codes by random hyperplanes: a bit says on which side of one a vector lies.

    The share of bits that differ estimates the angle between two vectors, whatever they are.

    Parameters
    ----------
    bits : int [range=[1, inf)]
    seed : int [range=[0, 2^32)]
        Of the hyperplanes.

    Raises
    ------
    InvalidParameter
        If either is not such a number.

    References
    ----------
    Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002.
    """

    bits: int = 128
    seed: int = 0
    revision: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check(self)

    def fit(self, examples: npt.ArrayLike, /) -> Hyperplanes:
        """Return the hyperplanes, of which only the number of columns is learned.

        Parameters
        ----------
        examples : array_like [shape=(n, d)]

        Returns
        -------
        Hyperplanes

        Raises
        ------
        LearningError
            If there are no examples, or a number is NaN or infinite.
        """
        columns = some(examples).shape[1]
        random = np.random.default_rng(self.seed)
        return Hyperplanes(np.zeros(columns), random.standard_normal((columns, self.bits)))


@dataclass(frozen=True)
class ITQ:
    """Codes by iterative quantisation: hyperplanes turned so that vectors lie far from them.

    Vectors of d numbers are rotated so that their signs change them least, which makes d bits; more
    bits are those of further rotations, from other random starts.

    Parameters
    ----------
    bits : int [range=[1, inf)]
    seed : int [range=[0, 2^32)]
        Of the random starts.

    Raises
    ------
    InvalidParameter
        If either is not such a number.

    References
    ----------
    Gong & Lazebnik, "Iterative quantization: a procrustean approach to learning binary codes",
    CVPR 2011.

    Examples
    --------
    >>> planes = ITQ(bits=2).fit([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> codes = planes.transform([[1.0, 1.0], [0.9, 0.8], [-1.0, -1.0]])
    >>> (codes[0] == codes[1:]).sum(axis=1).tolist()
    [2, 0]
    """

    bits: int = 128
    seed: int = 0
    revision: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check(self)

    def fit(self, examples: npt.ArrayLike, /) -> Hyperplanes:
        """Return the hyperplanes learned from `examples`, those that will be searched.

        Each rotation is found on one thread, so that the same examples give the same bits.

        Parameters
        ----------
        examples : array_like [shape=(n, d)]

        Returns
        -------
        Hyperplanes

        Raises
        ------
        LearningError
            If there are no examples, or a number is NaN or infinite.
        """
        from threadpoolctl import threadpool_limits

        rows = some(examples).astype(np.float64)
        mean = rows.mean(axis=0)
        rows -= mean
        random = np.random.default_rng(self.seed)
        columns = rows.shape[1]
        starts = random.standard_normal((-(-self.bits // columns), columns, columns))
        with threadpool_limits(1):
            normals = np.concatenate(each(partial(_rotation, rows), starts), axis=1)
        return Hyperplanes(mean, np.ascontiguousarray(normals[:, : self.bits]))


@storable("zounds.Hyperplanes")
@dataclass(frozen=True, eq=False)
class Hyperplanes:
    """Encodes each example by the sides of hyperplanes on which it lies.

    Parameters
    ----------
    origin : np.ndarray of float64 [shape=(d,)]
        A point in all of them.
    normals : np.ndarray of float64 [shape=(d, bits)]
        One for each, in columns.
    """

    revision: ClassVar[int] = 1

    origin: Array = field(repr=False)
    normals: Array = field(repr=False)

    def transform(self, examples: npt.ArrayLike, /) -> Array:
        """Return a code for each example: True where it lies beyond, or in, a hyperplane.

        A row's code does not depend on the others.

        Parameters
        ----------
        examples : array_like [shape=(n, d)]

        Returns
        -------
        np.ndarray of bool [shape=(n, bits)]
            With the time axis of `examples`.

        Raises
        ------
        LearningError
            If there are more or fewer columns than were learned from, or a number is NaN or
            infinite.
        """
        plain = checked(examples, columns=len(self.origin))
        # a stack of products, one for each row: BLAS rounds a row by its place among others
        sides = np.matmul((plain - self.origin)[:, None], self.normals)[:, 0]
        return with_time_of(examples, sides >= -_ROUNDING)


def packed(codes: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return codes as bytes.

    Parameters
    ----------
    codes : array_like [shape=(n, bits)]
        Zeros and ones.

    Returns
    -------
    np.ndarray of uint8 [shape=(n, ceil(bits / 8))]
        The most significant bit first; bits that are missing are 0.
    """
    return np.packbits(checked(codes) != 0, axis=1)


def quantised(vectors: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """Return vectors in a byte for each number, for their direction.

    Parameters
    ----------
    vectors : array_like [shape=(n, d)]

    Returns
    -------
    np.ndarray of int8 [shape=(n, d), range=[-127, 127]]
        Each row scaled so that its largest number is 127 or -127; zeros stay zeros.

    Raises
    ------
    LearningError
        If a number is NaN or infinite.
    """
    rows = checked(vectors).astype(np.float64)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    return np.rint(rows / np.where(largest == 0, 1, largest) * 127).astype(np.int8)


def cosines(queries: npt.NDArray[np.int8], vectors: npt.NDArray[np.int8]) -> Array:
    """Return the cosines of quantised vectors.

    Sums of products of bytes are exact in float32 up to 1,040 columns, so that the result is the
    same on every machine.

    Parameters
    ----------
    queries : np.ndarray of int8 [shape=(m, d)]
    vectors : np.ndarray of int8 [shape=(n, d)]

    Returns
    -------
    np.ndarray of float32 [shape=(m, n), range=[-1, 1]]
        0 for vectors that are zero.
    """
    left, right = queries.astype(np.float32), vectors.astype(np.float32)
    products = left @ right.T
    products /= _norms(left)[:, None]
    products /= _norms(right)
    return np.clip(products, -1, 1, out=products)


def _norms(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    norms = np.sqrt(np.square(rows).sum(axis=1))
    return np.where(norms == 0, np.float32(1), norms)


def _check(node: SimHash | ITQ) -> None:
    object.__setattr__(node, "bits", whole("bits", node.bits, 1))
    object.__setattr__(node, "seed", whole("seed", node.seed, 0, 2**32 - 1))


def _rotation(rows: Float64, start: Float64) -> Float64:
    """Return the rotation that makes rows most like their signs, near to where it starts."""
    rotation = np.linalg.qr(start)[0]
    for _ in range(_ITERATIONS):
        signs = np.where(rows @ rotation >= 0, 1.0, -1.0)
        left, _, right = np.linalg.svd(rows.T @ signs)
        rotation = left @ right
    return rotation
