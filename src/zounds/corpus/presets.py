"""Ready-made ways to describe sounds and to learn codes for them, known by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cache
from typing import Any, Protocol

import featureflow as ff
from featureflow.errors import InvalidParameter
from featureflow.node import Transform
from zounds.arrays import ConstantRateTimeSeries
from zounds.audio.facts import Facts
from zounds.dsp.features import BFCC, BarkBands
from zounds.dsp.frames import SlidingWindow
from zounds.dsp.pooling import Max
from zounds.feature_types import ConstantRateTimeSeriesFeature
from zounds.index.hamming import UNREADABLE
from zounds.learn.kmeans import KMeans
from zounds.learn.learned import Learned
from zounds.learn.pipeline import Pipeline
from zounds.learn.sampling import ReservoirSampler
from zounds.learn.transforms import UnitNorm
from zounds.pipelines import stft
from zounds.units import HalfLapped, SampleRate, Stride

DEFAULT = "timbre"


class Preset(Protocol):
    """What a corpus computes, learns and searches."""

    def sounds(self) -> type[ff.BaseModel]:
        """Return the model of sounds, without a database.

        Its root is ``meta``, `pcm` the samples, `facts` what `Facts` makes of them; stored are
        those features that learning and codes need.
        """
        ...

    def learn(self, sounds: Iterable[Any], seed: int) -> Transform:
        """Return what is learned from documents of `sounds`.

        Raises
        ------
        LearningError
            If they are too few, or too much alike.
        """
        ...

    def coded(self, learned: Transform) -> type[ff.BaseModel]:
        """Return a model of the same sounds with codes: ``segments`` and ``clip``.

        `segments` is a time series of zeros and ones [shape=(n, bits)], `clip` the same with one
        row for the whole sound; both are stored.
        """
        ...


class Post:
    """The graph of the article: k-means of Bark-frequency cepstra, max-pooled.

    A segment's code has a bit for each of 128 typical spectra, set where one of the segment's 30
    frames (0.7 s) is nearest to it; a clip's code has the bits of all its segments.
    """

    centroids = 128
    examples = 1e6
    window = HalfLapped()
    segment = Stride(frequency=30, duration=30)

    def sounds(self) -> type[ff.BaseModel]:
        """See `Preset.sounds`."""
        base: Any = stft(wscheme=self.window)

        class Sound(base):  # type: ignore[misc]
            facts = ff.JSONFeature(Facts, needs=base.pcm, store=True)
            bark = ConstantRateTimeSeriesFeature(BarkBands, needs=base.fft)
            bfcc = ConstantRateTimeSeriesFeature(BFCC, needs=bark, store=True)

        return Sound

    def learn(self, sounds: Iterable[Any], seed: int) -> Transform:
        """See `Preset.learn`."""
        sample = ReservoirSampler(nsamples=self.examples, seed=seed).stream()
        for sound in sounds:
            try:
                sample.step(sound.bfcc)
            except UNREADABLE as error:
                warnings.warn(f"{sound._name} is not learned from: {error}", stacklevel=3)
        (examples,) = sample.flush()
        norm = UnitNorm()
        return Pipeline((norm, KMeans(self.centroids, seed=seed).fit(norm.transform(examples))))

    def coded(self, learned: Transform) -> type[ff.BaseModel]:
        """See `Preset.coded`."""
        base: Any = self.sounds()
        pooling = self.window * self.segment

        class CodedSound(base):  # type: ignore[misc]
            codes = ConstantRateTimeSeriesFeature(Learned, learned=learned, needs=base.bfcc)
            windows = ConstantRateTimeSeriesFeature(SlidingWindow, needs=codes, wscheme=pooling)
            segments = ConstantRateTimeSeriesFeature(Max, needs=windows, axis=1, store=True)
            clip = ConstantRateTimeSeriesFeature(ff.Whole(_overall), needs=segments, store=True)

        return CodedSound


def _overall(segments: ConstantRateTimeSeries) -> ConstantRateTimeSeries:
    """Return the bits that any segment has, as one row."""
    return ConstantRateTimeSeries(
        segments.max(axis=0, keepdims=True), SampleRate(segments.end, segments.end)
    )


_PRESETS: dict[str, type[Preset]] = {"post": Post, "timbre": Post}


@cache
def preset(name: str) -> Preset:
    """Return the preset of a name.

    Parameters
    ----------
    name : str
        ``timbre``, the best that this version has (for now the same as `Post`), or ``post``.

    Raises
    ------
    InvalidParameter
        If there is none of that name.
    """
    if name not in _PRESETS:
        raise InvalidParameter(
            f"there is no preset {name!r}: choose from {', '.join(sorted(_PRESETS))}"
        )
    return _PRESETS[name]()
