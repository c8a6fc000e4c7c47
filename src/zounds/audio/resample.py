"""Samples to other rates, and many channels to one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples
from zounds.errors import AudioError, UnitsError
from zounds.units import SampleRate

# Filters that are as new, by rates and channels: a second of sound is resampled in the time that
# it takes to make one and to fetch its memory from the system.
_idle: dict[tuple[float, float, int], Any] = {}
_IDLE = 8


@dataclass(frozen=True)
class Mono:
    """Node: audio of any number of channels to their mean.

    `AudioSamples` [shape=(n,) or (n, channels)] to `AudioSamples` [shape=(n,)].
    """

    revision = 1

    def __call__(self, chunk: Any, /) -> AudioSamples:
        """Return the mean of the channels."""
        return _audio(chunk).mono


@dataclass(frozen=True)
class Resample:
    """Node: audio to audio at another sample rate, by soxr's high quality.

    `AudioSamples` [shape=(n,) or (n, channels)] to the same at `samplerate`, as float32. Audio
    that has this rate already passes as it is. The samples are the same, to the bit, however
    they are cut into chunks.

    Parameters
    ----------
    samplerate : SampleRate [unit=Hz]

    Raises
    ------
    InvalidParameter
        If it is not the rate of audio.
    """

    revision = 1

    samplerate: SampleRate

    def __post_init__(self) -> None:
        if not isinstance(self.samplerate, SampleRate) or not self.samplerate.is_audio:
            raise InvalidParameter(
                f"samplerate is {self.samplerate!r}: give the rate of audio, "
                "such as zounds.SR22050() or zounds.AudioSampleRate(22050)"
            )

    def stream(self) -> _Resampling:
        """Return a stage for one run."""
        return _Resampling(self.samplerate)


class _Resampling:
    def __init__(self, samplerate: SampleRate) -> None:
        self._samplerate = samplerate
        self._kind: tuple[SampleRate, tuple[int, ...]] | None = None
        self._filter: Any = None
        self._key = (0.0, 0.0, 0)

    def step(self, chunk: Any, /) -> Iterator[AudioSamples]:
        samples = _audio(chunk)
        kind = samples.samplerate, samples.shape[1:]
        if self._kind is None:
            self._start(*kind)
        elif kind != self._kind:
            raise AudioError(
                f"audio at {kind[0]!r} of shape (n, *{kind[1]}) follows audio at "
                f"{self._kind[0]!r} of shape (n, *{self._kind[1]}): process them apart"
            )
        if self._filter is None:
            yield samples
        else:
            yield from self._resampled(np.asarray(samples, np.float32), last=False)

    def _start(self, samplerate: SampleRate, shape: tuple[int, ...]) -> None:
        import soxr

        self._kind = samplerate, shape
        if samplerate != self._samplerate:
            channels = shape[0] if shape else 1
            before, after = samplerate.samples_per_second, self._samplerate.samples_per_second
            self._key = float(before), float(after), channels
            self._filter = _idle.pop(self._key, None) or soxr.ResampleStream(
                *self._key, dtype="float32", quality="HQ"
            )

    def flush(self) -> Iterable[AudioSamples]:
        if self._kind is None or self._filter is None:
            return ()
        rest = list(self._resampled(np.zeros((0, *self._kind[1]), np.float32), last=True))
        self._filter.clear()
        _idle[self._key] = self._filter
        if len(_idle) > _IDLE:
            _idle.clear()
        return rest

    def _resampled(self, samples: npt.NDArray[np.float32], last: bool) -> Iterator[AudioSamples]:
        result = self._filter.resample_chunk(samples, last=last)
        if len(result):
            yield AudioSamples(result, self._samplerate)


def _audio(chunk: Any) -> AudioSamples:
    if not isinstance(chunk, AudioSamples):
        raise UnitsError(
            f"samples without a sample rate ({type(chunk).__name__}): "
            "wrap them as zounds.AudioSamples(samples, samplerate)"
        )
    return chunk
