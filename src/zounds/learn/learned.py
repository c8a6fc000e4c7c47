"""Features that are computed by a model that has learned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from featureflow.errors import DocumentNotFound, InvalidParameter
from featureflow.model import BaseModel
from featureflow.node import Transform
from zounds.errors import NotTrained


@dataclass(frozen=True)
class Learned:
    """Transforms each chunk by what a model has learned.

    The model may be trained before or after the class that uses it is declared. What was
    computed by an earlier training is not found any more after the next: the fingerprint
    contains the digest of what was learned.

    Parameters
    ----------
    learned : BaseModel or Transform
        A document with a stored feature ``pipeline``, such as ``BfccKmeans()``; or a fitted
        transform itself.

    Raises
    ------
    InvalidParameter
        If `learned` is neither.
    NotTrained
        When it is used, if the model has not learned yet.

    Examples
    --------
    >>> from zounds import KMeans
    >>> codes = Learned(KMeans(centroids=2).fit([[0.0], [9.0]]))
    >>> low, high = codes([[1.0], [8.0]]).tolist()
    >>> low != high, sum(low), sum(high)
    (True, 1, 1)

    A class of documents uses what a model has learned, and needs no training to be declared:

    >>> import featureflow as ff, zounds
    >>> @zounds.simple_settings
    ... class Codebook(ff.BaseModel):
    ...     docs = ff.Feature(ff.IteratorNode)
    ...     kmeans = ff.PickleFeature(zounds.KMeans, needs=docs)
    ...     pipeline = ff.PickleFeature(zounds.PreprocessingPipeline, needs=(kmeans,), store=True)
    >>> STFT = zounds.stft()
    >>> class Sound(STFT):
    ...     bark = zounds.ConstantRateTimeSeriesFeature(zounds.BarkBands, needs=STFT.fft)
    ...     codes = zounds.ConstantRateTimeSeriesFeature(
    ...         zounds.Learned, learned=Codebook(), needs=bark
    ...     )
    """

    learned: Any
    revision: ClassVar[int] = 1

    def __post_init__(self) -> None:
        is_model = isinstance(self.learned, BaseModel) and "pipeline" in type(self.learned).features
        # a class has its instances' methods, and is none of them
        fitted = isinstance(self.learned, Transform) and not isinstance(self.learned, type)
        if not is_model and not fitted:
            raise InvalidParameter(
                f"learned={self.learned!r} is neither a document of a model with a feature named "
                "'pipeline' nor a fitted transform: give one, such as BfccKmeans()"
            )

    def __fingerprint__(self) -> Any:
        """Return the identity of what was learned."""
        if not isinstance(self.learned, BaseModel):
            return self.learned
        try:
            return self.learned._digest("pipeline")
        except DocumentNotFound as error:
            raise self._not_trained() from error

    def __call__(self, chunk: npt.NDArray[Any], /) -> npt.NDArray[Any]:
        """Return the chunk, transformed."""
        return np.asanyarray(self.transform.transform(chunk))

    def stream(self) -> _Transforming:
        """Return a stage that keeps to what has been learned by now."""
        return _Transforming(self.transform)

    @property
    def transform(self) -> Transform:
        """Transform : What has been learned by now."""
        if not isinstance(self.learned, BaseModel):
            transform: Transform = self.learned
            return transform
        try:
            return self.learned.pipeline  # type: ignore[no-any-return]
        except DocumentNotFound as error:
            raise self._not_trained() from error

    def _not_trained(self) -> NotTrained:
        name = type(self.learned).__name__
        return NotTrained(f"{name} has not learned anything yet: call {name}.process(docs=...)")


class _Transforming:
    def __init__(self, transform: Transform) -> None:
        self._transform = transform

    def step(self, chunk: npt.NDArray[Any], /) -> Iterable[npt.NDArray[Any]]:
        return (self._transform.transform(chunk),)

    def flush(self) -> Iterable[npt.NDArray[Any]]:
        return ()
