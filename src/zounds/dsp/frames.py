"""Framing: a stream of samples to overlapping windows of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter
from zounds.arrays import ArrayWithUnits, ConstantRateTimeSeries
from zounds.errors import UnitsError
from zounds.units import SampleRate

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class SlidingWindow:
    """Cuts a time series into windows that follow each other at a constant hop.

    Frames are left-aligned: the first starts at the first sample. A frame is there if it holds
    a sample that no earlier frame holds, so the last one may reach past the end: it is padded
    with zeros. With gaps between the windows (hop > window), samples in the gaps make no frame.

    Streaming, it emits blocks of 128 frames (of fewer, where they would take more than 64 MiB),
    whatever the sizes of the chunks that come in; only the last block is smaller. Whatever is
    computed from the blocks is then the same to the bit for every way to read a file: BLAS and
    SIMD code round differently for other numbers of rows.

    Parameters
    ----------
    wscheme : SampleRate [unit=s]
        The hop (`frequency`) and the window (`duration`). Both are rounded to whole samples of
        the input at hand: ``HalfLapped()`` is 1024 samples every 512 at 22,050 Hz. A window of
        n samples of an input that overlaps itself, such as frames, spans
        ``n * frequency + overlap``, as ``rate * Stride(...)`` has it.
    wfunc : callable or None
        A window function, such as `Hann()`: takes the number of samples, returns their weights.

    Raises
    ------
    InvalidParameter
        If `wscheme` is not a SampleRate; on input, if its hop or window has no sample.

    Examples
    --------
    >>> from zounds import AudioSamples, HalfLapped, Stride
    >>> frames = SlidingWindow(HalfLapped())(AudioSamples(np.zeros(110250, np.float32), 22050))
    >>> frames.shape, frames.frequency, frames.duration
    ((215, 1024), Fraction(256, 11025), Fraction(512, 11025))
    >>> SlidingWindow(HalfLapped() * Stride(frequency=30, duration=30))(frames).shape
    (8, 30, 1024)
    """

    revision: ClassVar[int] = 1
    block: ClassVar[int] = 128  # few enough for the cache
    block_bytes: ClassVar[int] = 1 << 26

    wscheme: SampleRate
    wfunc: Callable[[int], Array] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.wscheme, SampleRate):
            raise InvalidParameter(
                f"SlidingWindow(wscheme={self.wscheme!r}): give a zounds.SampleRate, "
                "such as HalfLapped()"
            )

    def __call__(self, series: ConstantRateTimeSeries, /) -> ConstantRateTimeSeries:
        """Return all the windows of a whole time series.

        Parameters
        ----------
        series : ConstantRateTimeSeries [shape=(n, ...)]

        Returns
        -------
        ConstantRateTimeSeries [shape=(m, window, ...)]
            Of the dtype of `series`, or of its product with the weights of `wfunc`. The first
            axis is the time from hop to hop, the second the time within a window.

        Raises
        ------
        UnitsError
            If `series` has no time axis.
        """
        stage = _Framing(self)
        blocks = [*stage.step(series), *stage.flush()] or [stage.frames(1)[:0]]
        whole = blocks[0] if len(blocks) == 1 else ConstantRateTimeSeries.joined(blocks)
        return cast(ConstantRateTimeSeries, whole)

    def stream(self) -> _Framing:
        """Return a stage for one run."""
        return _Framing(self)


class _Framing:
    """The samples of the block that is being filled, in a buffer that is allocated once."""

    def __init__(self, node: SlidingWindow) -> None:
        self._node = node
        self._layout: tuple[Any, ...] | None = None
        self._seen = 0  # samples that came in
        self._emitted = 0  # frames that went out
        self._filled = 0  # samples in the buffer
        self._to_skip = 0  # samples before the next frame, where windows leave gaps

    def step(self, chunk: ConstantRateTimeSeries, /) -> Iterator[ConstantRateTimeSeries]:
        """Take samples; return the blocks that they complete."""
        self._check(chunk)
        samples = np.asarray(chunk)
        self._seen += len(samples)
        taken = min(self._to_skip, len(samples))
        self._to_skip -= taken
        while taken < len(samples):
            count = min(len(self._buffer) - self._filled, len(samples) - taken)
            self._buffer[self._filled : self._filled + count] = samples[taken : taken + count]
            self._filled += count
            taken += count
            if self._filled == len(self._buffer):
                yield self.frames(self._block)
                self._advance()
                gap = min(self._to_skip, len(samples) - taken)
                self._to_skip -= gap
                taken += gap

    def flush(self) -> Iterable[ConstantRateTimeSeries]:
        """Return the last block, if any samples are left for it."""
        left = self._frame_count() - self._emitted
        return [self.frames(left)] if left else []

    def frames(self, count: int) -> ConstantRateTimeSeries:
        """Return the first frames of the buffer; past the samples it holds there are zeros."""
        end = (count - 1) * self._hop + self._window
        self._buffer[self._filled : end] = 0
        views = self._views[:count]
        windows = (
            views.copy() if self._weights is None else np.multiply(views, self._weights, order="C")
        )
        return ConstantRateTimeSeries(windows, self._rate, self._units)

    def _frame_count(self) -> int:
        """Return how many frames the samples make that came in."""
        if not self._seen:
            return 0
        beyond_first = max(0, self._seen - max(self._window, self._hop))
        return 1 + -(-beyond_first // self._hop)

    def _advance(self) -> None:
        """Keep the samples that the next block shares with the one that went out."""
        self._emitted += self._block
        shared = max(0, self._window - self._hop)
        self._buffer[:shared] = self._buffer[len(self._buffer) - shared :]
        self._filled = shared
        self._to_skip = max(0, self._hop - self._window)

    def _check(self, chunk: ConstantRateTimeSeries) -> None:
        rate = samplerate_of(chunk, "SlidingWindow")
        layout = (chunk.units, chunk.shape[1:], chunk.dtype)
        if self._layout is None:
            self._layout = layout
            self._start(chunk, rate)
        elif layout != self._layout:
            raise UnitsError(
                f"SlidingWindow was given chunks of units, shape and dtype {self._layout}, "
                f"then of {layout}: all the chunks of a run are alike but for their length"
            )

    def _start(self, chunk: ConstantRateTimeSeries, rate: SampleRate) -> None:
        wscheme, wfunc = self._node.wscheme, self._node.wfunc
        self._hop, self._window, self._rate = _counted(wscheme, rate)
        self._units = chunk.units
        self._weights = None if wfunc is None else _weights(wfunc, self._window, chunk.ndim)
        # by what all chunks have in common, so that no way to read a file changes it
        frame_bytes = max(self._hop, self._window) * chunk.itemsize * math.prod(chunk.shape[1:])
        self._block = max(1, min(self._node.block, self._node.block_bytes // max(1, frame_bytes)))
        # NumPy only reserves this: for a short input most of it never becomes real memory
        span = (self._block - 1) * self._hop + self._window
        self._buffer = np.empty((span, *chunk.shape[1:]), chunk.dtype)
        # the windows of a full block, as views of the buffer
        step, *inner = self._buffer.strides
        self._views: Array = np.ndarray(
            (self._block, self._window, *chunk.shape[1:]),
            chunk.dtype,
            self._buffer,
            strides=(self._hop * step, step, *inner),
        )


def samplerate_of(series: Array, node: str) -> SampleRate:
    """Return the rate of a time series.

    Parameters
    ----------
    series : ConstantRateTimeSeries [shape=(n, ...)]
    node : str
        Who asks, for the message.

    Returns
    -------
    SampleRate

    Raises
    ------
    UnitsError
        If the first axis of `series` is not time.
    """
    rate = series.units[0] if isinstance(series, ArrayWithUnits) and series.ndim else None
    if not isinstance(rate, SampleRate):
        raise UnitsError(
            f"{node} was given {type(series).__name__} without a time axis: wrap it as "
            "zounds.AudioSamples(array, 44100) or zounds.ConstantRateTimeSeries(array, samplerate)"
        )
    return rate


@lru_cache(maxsize=64)
def _counted(wscheme: SampleRate, rate: SampleRate) -> tuple[int, int, SampleRate]:
    """Return hop and window [unit=samples], and the rate of the frames."""
    hop = round(wscheme.frequency / rate.frequency)
    window = round((wscheme.duration - rate.overlap) / rate.frequency)
    for name, count in (("frequency", hop), ("duration", window)):
        if count < 1:
            raise InvalidParameter(
                f"SlidingWindow: a {name} of {getattr(wscheme, name)} s has no sample of {rate}"
                f": make wscheme.{name} longer"
            )
    # from the counts, not from wscheme: exact whatever was rounded
    return (
        hop,
        window,
        SampleRate(hop * rate.frequency, (window - 1) * rate.frequency + rate.duration),
    )


def _weights(wfunc: Callable[[int], Array], window: int, ndim: int) -> Array:
    weights = np.asarray(wfunc(window))
    if weights.shape != (window,):
        raise InvalidParameter(
            f"SlidingWindow: wfunc={wfunc!r} returned shape {weights.shape} for {window} samples: "
            f"it returns one weight for each, shape ({window},)"
        )
    return weights.reshape(window, *(1,) * (ndim - 1))
