"""The typed features of zounds: those whose values are time series or audio."""

from __future__ import annotations

from typing import ClassVar

from featureflow.feature import NumpyFeature
from zounds.arrays import AudioSamples, ConstantRateTimeSeries


class ConstantRateTimeSeriesFeature(NumpyFeature):
    """A feature whose value is a `ConstantRateTimeSeries`."""

    kind: ClassVar[type] = ConstantRateTimeSeries


class AudioSamplesFeature(NumpyFeature):
    """A feature whose value is `AudioSamples`."""

    kind: ClassVar[type] = AudioSamples
