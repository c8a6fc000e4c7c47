"""What there is to say about audio without listening to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from zounds.arrays import AudioSamples
from zounds.errors import UnitsError


@dataclass(frozen=True)
class Facts:
    """Node: `AudioSamples` to a dict of what they are.

    ============ ===============================
    samplerate   float [unit=Hz]
    channels     int
    samples      int, in each channel
    seconds      float [unit=s], their duration
    ============ ===============================

    Raises
    ------
    UnitsError
        If the samples have no sample rate.
    """

    revision: ClassVar[int] = 1

    def stream(self) -> _Counting:
        """Return a stage for one run."""
        return _Counting()


class _Counting:
    def __init__(self) -> None:
        self._rate = 0.0
        self._channels = 0
        self._samples = 0

    def step(self, chunk: Any, /) -> Iterable[dict[str, Any]]:
        if not isinstance(chunk, AudioSamples):
            raise UnitsError(
                f"samples without a sample rate ({type(chunk).__name__}): "
                "wrap them as zounds.AudioSamples(samples, samplerate)"
            )
        self._rate = float(chunk.samplerate.samples_per_second)
        self._channels = chunk.channels
        self._samples += len(chunk)
        return ()

    def flush(self) -> Iterable[dict[str, Any]]:
        if not self._samples:
            return ()
        return (
            {
                "samplerate": self._rate,
                "channels": self._channels,
                "samples": self._samples,
                "seconds": self._samples / self._rate,
            },
        )
