"""The preset of the article: codes of typical spectra."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy.typing as npt

import featureflow as ff
from featureflow.node import Transform
from zounds.arrays import ConstantRateTimeSeries
from zounds.audio.facts import Facts
from zounds.corpus.spaces import BitSpace, Space
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


class Post:
    """The graph of the article: k-means of Bark-frequency cepstra, max-pooled.

    A segment's code has a bit for each of 128 typical spectra, set where one of the segment's 30
    frames (0.7 s) is nearest to it; a clip's code has the bits of all its segments.
    """

    bits = centroids = 128
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

    def study(self, seed: int) -> type[ff.BaseModel]:
        """See `Preset.study`: the cepstra, which all sounds have."""
        return self.sounds()

    def studied(self, count: int, seed: int) -> Sequence[int]:
        """See `Preset.studied`."""
        return ()

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

    def space(self, clips: npt.NDArray[Any]) -> Space:
        """See `Preset.space`."""
        return BitSpace.of(clips)


def _overall(segments: ConstantRateTimeSeries) -> ConstantRateTimeSeries:
    """Return the bits that any segment has, as one row."""
    return ConstantRateTimeSeries(
        segments.max(axis=0, keepdims=True), SampleRate(segments.end, segments.end)
    )
