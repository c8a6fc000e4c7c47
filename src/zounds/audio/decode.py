"""Files to samples: a reader, the node of a graph, and a function for whole files."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter
from featureflow.sources import Source
from zounds.arrays import AudioSamples
from zounds.audio.decoders import Decoder, Samples, Watched, open_decoder
from zounds.audio.wave import plain_wave
from zounds.errors import AudioError, NoAudio, PartialAudio
from zounds.units import AudioSampleRate, SampleRate

# Beyond it, no file is sound: even one of floats that are scaled like 32-bit integers stays below
# 2^31. The powers of spectra overflow at a higher one.
_LOUDEST = 1e10
_READ_SIZE = 44100
_WHOLE = 1 << 17  # samples that `decode` reads at a time: most sounds at once

_reasons: ContextVar[list[str] | None] = ContextVar("reasons", default=None)


@contextmanager
def partial_audio() -> Iterator[list[str]]:
    """Collect why files are partial, in place of `PartialAudio` warnings.

    It holds for what is decoded in the ``with`` statement by this thread; other threads have
    their own.

    Yields
    ------
    list of str
        It is filled with one reason for each partial file, without the file's name.

    Examples
    --------
    >>> from zounds.audio.encode import encode
    >>> content = encode(AudioSamples(np.ones(1000, np.float32), 44100), "wav")
    >>> with partial_audio() as reasons:
    ...     samples = decode(content[:1044])
    >>> len(samples), reasons
    (500, ['it ends after 1000 of 2000 bytes'])
    """
    reasons: list[str] = []
    token = _reasons.set(reasons)
    try:
        yield reasons
    finally:
        _reasons.reset(token)


def open_audio(source: Any) -> AudioReader:
    """Open audio of any format for reading.

    Parameters
    ----------
    source : Source, path, str, bytes or binary file
        See `featureflow.sources.Source.of`.

    Returns
    -------
    AudioReader
        Close it, or use it in a ``with`` statement.

    Raises
    ------
    AudioError
        If it is not audio.
    NoAudio
        If it is audio without samples. In some formats this is known only when they are read.
    SourceError
        If it cannot be read at all.
    """
    return AudioReader(Source.of(source))


class AudioReader:
    """Samples of one file, as many at a time as wanted; see `open_audio`.

    Attributes
    ----------
    name : str
        What the source is called.
    samplerate : SampleRate
    channels : int
    """

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._stream = source.open()
        try:
            self._watched = Watched(self._stream, self.name)
            try:
                plain = plain_wave(self._watched)
                self._decoder: Decoder = plain or open_decoder(self._watched, self.name)
            finally:
                self._watched.check()
        except BaseException:
            self._stream.close()
            raise
        self.samplerate: SampleRate = AudioSampleRate(self._decoder.rate)
        self.channels = self._decoder.channels
        self._position = 0

    @property
    def partial(self) -> str | None:
        """str or None : Why some of the audio is missing; known once all of it was read."""
        return self._decoder.partial

    def read(self, n: int) -> Samples:
        """Return the next samples.

        Parameters
        ----------
        n : int [unit=samples, range=[1, inf)]

        Returns
        -------
        np.ndarray [shape=(m, channels), dtype=float32, range=[-1, 1]]
            With m <= n, and m = 0 only after the last sample. Files of floating point numbers
            may exceed the range.

        Raises
        ------
        NoAudio
            If there is no sample at all.
        AudioError
            If a sample is infinite, not a number, or beyond 1e10.
        SourceError
            If the file cannot be read on, which is no damage of the audio.
        """
        chunk = self._decoder.read(check_count("n", n))
        self._watched.check()
        if not self._position and not len(chunk):
            why = self.partial or "it may have been left behind by a recorder that stopped early"
            raise NoAudio(f"{self.name} holds no samples ({why}): leave it out")
        if not self._decoder.integral:
            check_sound(chunk, self.name, self._position, self.samplerate)
        self._position += len(chunk)
        return chunk

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@dataclass(frozen=True)
class Decode:
    """Node: a source to its samples, at the rate and with the channels it has.

    Memory is constant, whatever the length of the file.

    Parameters
    ----------
    read_size : int [unit=samples, range=[1, inf)]
        The size of the chunks; it does not change the samples.

    Raises
    ------
    InvalidParameter
        If `read_size` is not a whole number of samples, at least one.
    """

    revision = 1

    read_size: int = field(default=_READ_SIZE, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "read_size", check_count("read_size", self.read_size))

    def stream(self) -> _Decoding:
        """Return a stage for one run."""
        return _Decoding(self.read_size)


class _Decoding:
    def __init__(self, read_size: int) -> None:
        self._read_size = read_size

    def step(self, source: Any, /) -> Iterator[AudioSamples]:
        with open_audio(source) as reader:
            while len(chunk := reader.read(self._read_size)):
                samples = chunk[:, 0] if reader.channels == 1 else chunk
                yield AudioSamples(samples, reader.samplerate)
            if reader.partial:
                _tell(reader.name, reader.partial)

    def flush(self) -> Iterable[AudioSamples]:
        return ()


def _tell(name: str, reason: str) -> None:
    reasons = _reasons.get()
    if reasons is None:
        warnings.warn(PartialAudio(f"{name}: {reason}"), stacklevel=3)
    else:
        reasons.append(reason)


def decode(source: Any) -> AudioSamples:
    """Return all samples of a file; raises like `open_audio` and `AudioReader.read`.

    Parameters
    ----------
    source : Source, path, str, bytes or binary file

    Returns
    -------
    AudioSamples [shape=(n,) or (n, channels), dtype=float32, range=[-1, 1]]

    Warns
    -----
    PartialAudio
        If some of the file is missing or broken.
    """
    chunks = list(Decode(_WHOLE).stream().step(source))
    samples: AudioSamples = chunks[0] if len(chunks) == 1 else AudioSamples.joined(chunks)
    return samples


def check_count(name: str, value: Any) -> int:
    """Return `value`, a whole number of samples, at least one; else raise `InvalidParameter`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InvalidParameter(f"{name} is {value!r}: give a whole number of samples, at least 1")
    return int(value)


def check_sound(chunk: npt.NDArray[Any], name: str, start: int, samplerate: SampleRate) -> None:
    """Raise `AudioError` if a sample is infinite, not a number, or beyond 1e10.

    Parameters
    ----------
    chunk : np.ndarray [shape=(n,) or (n, channels)]
    name : str
        What the samples are called in the message.
    start : int [unit=samples]
        The place of the first sample of `chunk`.
    samplerate : SampleRate
    """
    lowest, highest = float(chunk.min(initial=0)), float(chunk.max(initial=0))
    if not (lowest >= -_LOUDEST and highest <= _LOUDEST):  # NaN is neither
        place = tuple(np.argwhere(~(np.abs(chunk, dtype=np.float64) <= _LOUDEST))[0])
        time = float((start + int(place[0])) * samplerate.frequency)
        raise AudioError(
            f"{name} holds {chunk[place]:.6g} at {time:.6g} s, which is no sound: "
            "repair the file, or leave it out"
        )
