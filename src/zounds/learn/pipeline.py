"""Fitted transforms, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, overload

from featureflow.codec import storable
from featureflow.errors import InvalidParameter
from featureflow.node import Transform


@storable("zounds.Pipeline")
@dataclass(frozen=True, eq=False)
class Pipeline:
    """Applies transforms in order; a transform itself.

    Parameters
    ----------
    transforms : sequence of Transform
        At least one.

    Raises
    ------
    InvalidParameter
        If there are none, or something else is among them.

    Examples
    --------
    >>> from zounds.learn.kmeans import Centroids
    >>> from zounds.learn.transforms import UnitNorm
    >>> import numpy as np
    >>> pipeline = Pipeline((UnitNorm(), Centroids(np.eye(2))))
    >>> pipeline.transform([[9.0, 8.0], [1.0, 3.0]]).astype(int).tolist()
    [[1, 0], [0, 1]]
    >>> pipeline[0]
    UnitNorm()
    """

    revision: ClassVar[int] = 1

    transforms: tuple[Transform, ...]

    def __post_init__(self) -> None:
        transforms = tuple(self.transforms)
        if not transforms:
            raise InvalidParameter("a pipeline of nothing: give it the transforms it is made of")
        for place, transform in enumerate(transforms):
            # a class has its instances' methods, and is none of them
            if isinstance(transform, type) or not isinstance(transform, Transform):
                raise InvalidParameter(
                    f"step {place} of the pipeline is a {type(transform).__name__}, which is no "
                    "fitted transform: give what the fit() of a node returns"
                )
        object.__setattr__(self, "transforms", transforms)

    def __len__(self) -> int:
        return len(self.transforms)

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.transforms)

    @overload
    def __getitem__(self, index: int) -> Transform: ...
    @overload
    def __getitem__(self, index: slice) -> Pipeline: ...
    def __getitem__(self, index: int | slice) -> Transform | Pipeline:
        if isinstance(index, slice):
            return Pipeline(self.transforms[index])
        return self.transforms[index]

    def transform(self, examples: Any, /) -> Any:
        """Return what the transforms, first to last, make of the examples.

        Parameters
        ----------
        examples : array_like [shape=(n, d)]

        Returns
        -------
        np.ndarray [shape=(n, ...)]
        """
        for transform in self.transforms:
            examples = transform.transform(examples)
        return examples

    def inverse_transform(self, examples: Any, /) -> Any:
        """Return what the transforms, last to first, were given, as nearly as can be known.

        Parameters
        ----------
        examples : array_like [shape=(n, ...)]

        Returns
        -------
        np.ndarray [shape=(n, d)]

        Raises
        ------
        InvalidParameter
            If one of them has no inverse.
        """
        for transform in reversed(self.transforms):
            inverse = getattr(transform, "inverse_transform", None)
            if inverse is None:
                raise InvalidParameter(
                    f"{transform!r} has no inverse_transform: take a slice of the pipeline "
                    "without it"
                )
            examples = inverse(examples)
        return examples


@dataclass(frozen=True)
class PreprocessingPipeline:
    """Puts the transforms of several fitting nodes together, in the order of its needs.

    Examples
    --------
    >>> from zounds.learn.transforms import UnitNorm
    >>> PreprocessingPipeline()(UnitNorm().fit([[3.0, 4.0]]))
    Pipeline(transforms=(UnitNorm(),))
    """

    revision: ClassVar[int] = 1

    def __call__(self, *transforms: Transform) -> Pipeline:
        """Return the pipeline.

        Parameters
        ----------
        *transforms : Transform

        Returns
        -------
        Pipeline

        Raises
        ------
        InvalidParameter
            If there are none, or something else is among them.
        """
        return Pipeline(transforms)
