"""The audio of a document as files that browsers play: whole, or a stretch of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from featureflow.sources import Source
from zounds.arrays import AudioSamples
from zounds.audio.decode import open_audio
from zounds.web.refusal import Refused

PIECE = 1 << 16  # bytes or samples that are read at a time

_NEAR = 10  # s; to skip less is faster than to seek
_MOST_CHANNELS = 8
_HEADER = 44
_PLAYED_WAV = (1, 3, 0xFFFE)  # integers, floats, either
_SEEKABLE = ("WAV", "WAVEX", "FLAC", "AIFF", "OGG")


@dataclass(frozen=True)
class Length:
    """How long a sound is, counted and not declared.

    Parameters
    ----------
    seconds, samplerate : float [unit=s, Hz]
    channels : int
    """

    seconds: float
    samplerate: float
    channels: int

    @property
    def samples(self) -> int:
        """int : In each channel."""
        return round(self.seconds * self.samplerate)

    def stretch(self, start: float | None, duration: float | None) -> tuple[int, int]:
        """Return the first sample of a stretch, and the number of them.

        Raises
        ------
        Refused
            If it is none of this sound.
        """
        begin, length = 0.0 if start is None else start, duration
        if not (begin >= 0 and (length is None or length > 0)):
            raise Refused(
                400,
                "bad_region",
                f"start={start}, duration={duration}: give a start of 0 s or more, and a duration "
                "above 0 s",
            )
        first = round(begin * self.samplerate)
        if first >= self.samples:
            raise Refused(
                400,
                "bad_region",
                f"start={begin:g} s is beyond the end, {self.seconds:.3f} s: give an earlier one",
            )
        rest = self.samples - first
        wanted = rest if length is None else max(1, min(round(length * self.samplerate), rest))
        return first, wanted


def samples_of(source: Source, first: int, count: int) -> Iterator[AudioSamples]:
    """Yield a stretch of a sound, in pieces [shape=(n,) or (n, channels)]."""
    if first > 0 and (found := _sought(source, first, count)) is not None:
        yield from found
        return
    position, end = 0, first + count
    with open_audio(source) as reader:
        while position < end and len(chunk := reader.read(PIECE)):
            part = chunk[max(0, first - position) : end - position]
            position += len(chunk)
            if len(part):
                yield AudioSamples(part[:, 0] if reader.channels == 1 else part, reader.samplerate)


def _sought(source: Source, first: int, count: int) -> Iterator[AudioSamples] | None:
    """Return a stretch without what comes before it; None where that cannot be done exactly."""
    import soundfile

    stream = source.open()
    try:
        file = soundfile.SoundFile(stream)
        far = first > _NEAR * file.samplerate
        if far and file.format in _SEEKABLE and first + count <= file.frames:
            file.seek(first)
            return _read(stream, file, count)
    except (soundfile.LibsndfileError, OSError, RuntimeError):
        pass  # the other way says what is wrong
    stream.close()
    return None


def _read(stream: BinaryIO, file: Any, count: int) -> Iterator[AudioSamples]:
    with stream, file:
        while count and len(chunk := file.read(min(count, PIECE), "float32", always_2d=True)):
            count -= len(chunk)
            yield AudioSamples(chunk[:, 0] if chunk.shape[1] == 1 else chunk, file.samplerate)


@dataclass(frozen=True)
class FilePart:
    """The content of a source, any part of it.

    Parameters
    ----------
    source : Source
    size : int [unit=bytes]
    media_type : str
    """

    source: Source
    size: int
    media_type: str

    def pieces(self, begin: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `begin` to `end`."""
        with self.source.open() as stream:
            stream.seek(begin)
            while begin < end and (piece := stream.read(min(PIECE, end - begin))):
                begin += len(piece)
                yield piece


@dataclass(frozen=True)
class WavPart:
    """A stretch of a sound as a WAV file of 16 bits, any part of it; it is made as it is read.

    Parameters
    ----------
    source : Source
    first, count : int [unit=samples]
    samplerate : float [unit=Hz]
    channels : int
        More than eight are mixed to one: nobody has more loudspeakers.
    """

    source: Source
    first: int
    count: int
    samplerate: float
    channels: int
    media_type: str = "audio/wav"

    @property
    def _channels(self) -> int:
        return self.channels if self.channels <= _MOST_CHANNELS else 1

    @property
    def _frame(self) -> int:
        return 2 * self._channels

    @property
    def size(self) -> int:
        """int [unit=bytes] : Of the whole."""
        return _HEADER + self.count * self._frame

    def pieces(self, begin: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `begin` to `end`."""
        head = self._header()[begin:end]
        begin, end = max(begin - _HEADER, 0), end - _HEADER
        if end <= begin:
            yield head
            return
        skipped = begin // self._frame
        cut, left = begin - skipped * self._frame, end - begin
        wanted = -(-end // self._frame) - skipped
        for samples in samples_of(self.source, self.first + skipped, wanted):
            piece = self._encoded(np.asarray(samples))[cut : cut + left]
            cut = 0
            left -= len(piece)
            yield head + piece  # the header comes when the sound has, and not where it is gone
            head = b""
        while left > 0:  # the sound became shorter; what was announced has to come
            yield bytes(min(left, PIECE))
            left -= PIECE

    def _encoded(self, samples: npt.NDArray[np.float32]) -> bytes:
        frames = samples.reshape(len(samples), -1)
        if frames.shape[1] != self._channels:
            frames = frames.mean(axis=1, keepdims=True)
        encoded: bytes = np.rint(frames.clip(-1, 1) * 32767).astype("<i2").tobytes()
        return encoded

    def _header(self) -> bytes:
        rate, data = round(self.samplerate), self.count * self._frame
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            min(36 + data, 2**32 - 1),
            b"WAVE",
            b"fmt ",
            16,
            1,
            self._channels,
            rate,
            rate * self._frame,
            self._frame,
            16,
            b"data",
            min(data, 2**32 - 1),
        )


def size_of(source: Source) -> int:
    """Return the size of the content of a source [unit=bytes]."""
    with source.open() as stream:
        return stream.seek(0, 2)


def played_type(source: Source) -> str | None:
    """Return the media type of a sound that browsers play as it is, else None."""
    with source.open() as stream:
        start = stream.read(64)
    if start.startswith(b"RIFF") and start[8:16] == b"WAVEfmt ":
        return "audio/wav" if int.from_bytes(start[20:22], "little") in _PLAYED_WAV else None
    if start.startswith(b"ID3") or (start[:1] == b"\xff" and len(start) > 1 and start[1] >= 0xE2):
        return "audio/mpeg"
    if start[4:8] == b"ftyp":
        return "audio/mp4"
    for magic, kind in ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"\x1a\x45\xdf\xa3", "webm")):
        if start.startswith(magic):
            return f"audio/{kind}"
    return None


def counted(source: Source, most: float) -> tuple[Length, bool]:
    """Return how long a sound is, and whether some of it is missing; decodes it.

    Raises
    ------
    Refused
        If it is longer than `most` [unit=s].
    """
    count = 0
    with open_audio(source) as reader:
        rate = reader.samplerate.samples_per_second
        while chunk := len(reader.read(PIECE)):
            count += chunk
            if count > most * rate:
                raise Refused(
                    413,
                    "too_long",
                    f"{source.name} is longer than {most / 60:g} minutes, and this server takes "
                    "no more: cut out the part you want to search with",
                )
        length = Length(float(Fraction(count) / rate), float(rate), reader.channels)
        return length, reader.partial is not None
