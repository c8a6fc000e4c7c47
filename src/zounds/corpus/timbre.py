"""The preset that compares timbre: a descriptor, and a metric that the sounds themselves teach."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import featureflow as ff
from featureflow.node import Transform
from zounds.audio.facts import Facts
from zounds.corpus.spaces import Neighbourhoods, Space
from zounds.dsp.augment import TimbreViews
from zounds.dsp.timbre import LEVELS
from zounds.errors import LearningError
from zounds.feature_types import ConstantRateTimeSeriesFeature
from zounds.index.hamming import UNREADABLE
from zounds.learn.discriminant import Discriminant
from zounds.learn.learned import Learned
from zounds.pipelines import timbre


class Timbre:
    """330 numbers of timbre, embedded by a discriminant that is learned without labels.

    Of up to 2,500 sounds there are views, transposed, filtered and cut, which tell what does not
    matter; these and up to 20,000 more are paired with their neighbours, which tells what kinds
    there are. A sound is 64 numbers, kept as a byte each to be searched; a code has 128 bits.
    """

    bits = 128
    viewed = 2500
    paired = 20_000

    def sounds(self) -> type[ff.BaseModel]:
        """See `Preset.sounds`."""
        base: Any = timbre()

        class Sound(base):  # type: ignore[misc]
            facts = ff.JSONFeature(Facts, needs=base.pcm, store=True)

        return Sound

    def study(self, seed: int) -> type[ff.BaseModel]:
        """See `Preset.study`: the same with views."""
        base: Any = self.sounds()

        class StudiedSound(base):  # type: ignore[misc]
            views = ff.NumpyFeature(TimbreViews, needs=base.resampled, seed=seed, store=True)

        return StudiedSound

    def studied(self, count: int, seed: int) -> Sequence[int]:
        """See `Preset.studied`."""
        return self._drawn(count, seed)[: self.viewed]

    def _drawn(self, count: int, seed: int) -> list[int]:
        most = min(count, self.viewed + self.paired)
        return random.Random(seed).sample(range(count), most)  # noqa: S311

    def learn(self, sounds: Iterable[Any], seed: int) -> Transform:
        """See `Preset.learn`."""
        every = list(sounds)
        examples, others = [], []
        for rank, place in enumerate(self._drawn(len(every), seed)):
            sound = every[place]
            try:
                clip = np.asarray(sound.clip_timbre)
                if rank < self.viewed:
                    examples.append(np.concatenate([clip, sound.views]))
                else:
                    others.append(clip)
            except UNREADABLE as error:
                warnings.warn(f"{sound._name} is not learned from: {error}", stacklevel=3)
        if not examples:
            raise LearningError("there are no sounds to learn from: add some that can be read")
        more = np.concatenate(others) if others else None
        return Discriminant(ignored=LEVELS).fit(np.stack(examples), others=more)

    def coded(self, learned: Transform) -> type[ff.BaseModel]:
        """See `Preset.coded`."""
        base: Any = self.sounds()

        class CodedSound(base):  # type: ignore[misc]
            segments = ConstantRateTimeSeriesFeature(
                Learned, learned=learned, needs=base.segment_timbres, store=True
            )
            clip = ConstantRateTimeSeriesFeature(
                Learned, learned=learned, needs=base.clip_timbre, store=True
            )

        return CodedSound

    def space(self, clips: npt.NDArray[Any]) -> Space:
        """See `Preset.space`."""
        return Neighbourhoods.of(clips)
