"""Two libraries that turn bytes into samples: libsndfile first, libav for what it cannot read.

Files are known by their content, never by their names, and lengths are counted, never believed:
a header may promise a terabyte, or nothing at all where a recorder crashed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from zounds.audio.headers import examine
from zounds.errors import AudioError, NoAudio

Samples = npt.NDArray[np.float32]

# Sizes that recorders write into a header when they cannot know: pipes, crashes, 32-bit limits.
_UNKNOWN_SIZES = (range(0x7FFF0000, 0x80000001), range(0xFFFF0000, 0x100000000))
_UNKNOWN_FRAMES = 1 << 62
_CUT_SHORT = re.compile(
    r"^\s*(?:data|SSND|BODY|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE
)


class Decoder(Protocol):
    """The samples of one file, at its own rate and with its own channels."""

    rate: int
    channels: int
    partial: str | None

    def read(self, n: int) -> Samples:
        """Return at most `n` samples [shape=(m, channels)]; none after the last."""
        ...

    def close(self) -> None:
        """Forget the file; its stream stays open."""
        ...


class _Unreadable(Exception):
    """A library cannot read a file; the message says why."""


class _Empty(_Unreadable):
    """A library can read a file, and finds nothing in it."""


def open_decoder(stream: BinaryIO, name: str) -> Decoder:
    """Return the decoder of a file.

    Parameters
    ----------
    stream : binary file
        It can seek. Whoever opened it closes it, after the decoder.
    name : str
        What the file is called in messages.

    Raises
    ------
    AudioError
        If it is not audio.
    NoAudio
        If it is audio without samples, and states this at once.
    """
    header = examine(stream)
    if not header.start:
        raise AudioError(f"{name} is empty (0 bytes): copy or download it again")
    if not header.empty:
        kinds: tuple[type[_SoundFile | _Libav], ...] = (_SoundFile, _Libav)
        failures = []
        for kind in kinds[header.joined :]:
            stream.seek(0)
            try:
                return kind(stream, header.missing)
            except _Unreadable as error:
                failures.append(error)
        if not any(isinstance(failure, _Empty) for failure in failures):
            raise AudioError(
                f"{name} is not audio in a format that can be read ({failures[-1]}; it starts with "
                f"{header.start!r}): check where it came from, or convert it to WAV or FLAC"
            )
    raise NoAudio(f"{name} holds no samples: leave it out")


class _SoundFile:
    """Samples through libsndfile."""

    def __init__(self, stream: BinaryIO, partial: str | None) -> None:
        import soundfile

        self._failure = soundfile.LibsndfileError
        try:
            self._file = soundfile.SoundFile(_Nameless(stream))
        except self._failure as error:
            raise _Unreadable(error.error_string) from None
        # soundfile seeks to where it is after each read of a file that can: slow, and in mp3 not
        # without a trace (the first samples after it differ in the last bit)
        self._file.seekable = lambda: False
        declared = self._file.frames
        if not 0 < declared < _UNKNOWN_FRAMES:
            # libsndfile stops at lengths that were never filled in; libav reads on
            self._file.close()
            raise _Unreadable("its length is not known") if declared else _Empty
        self.rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.partial = partial
        self._position = 0
        # libsndfile estimates the length of mp3 files that do not state it
        self._declared = 0 if self._file.format == "MP3" else declared

    def read(self, n: int) -> Samples:
        buffer = np.empty((n, self.channels), np.float32)
        try:
            chunk: Samples = self._file.read(out=buffer)
        except self._failure as error:
            # what came before the failure is in the buffer
            chunk = buffer[: max(self._file.tell() - self._position, 0)]
            self.partial = f"it breaks off: {error.error_string}"
        self._position += len(chunk)
        if len(chunk) < n and self.partial is None:
            self.partial = self._shortage()
        return chunk

    def _shortage(self) -> str | None:
        if self._position < self._declared:
            return f"it ends after {self._position} of {self._declared} samples"
        for found in _CUT_SHORT.finditer(self._file.extra_info):
            declared, there = map(int, found.groups())
            if declared > there and not any(declared in sizes for sizes in _UNKNOWN_SIZES):
                return f"it ends after {there} of {declared} bytes"
        return None

    def close(self) -> None:
        self._file.close()


class _Nameless:
    """A file without a name, whose ending soundfile would believe."""

    def __init__(self, stream: Any) -> None:
        self.readinto, self.tell = stream.readinto, stream.tell
        self._seek = stream.seek

    def seek(self, offset: int, whence: int) -> None:
        # damaged headers point before the start; libsndfile sees by tell() that nothing moved
        with contextlib.suppress(ValueError, OSError):
            self._seek(offset, whence)


class _Libav:
    """Samples through libav, packet by packet."""

    def __init__(self, stream: BinaryIO, partial: str | None) -> None:
        import av

        self._failure = av.FFmpegError
        try:
            # a playlist must not open other files, here or elsewhere
            self._container = av.open(
                stream,
                "r",
                metadata_errors="replace",
                options={"protocol_whitelist": "none"},
            )
        except self._failure as error:
            raise _Unreadable(_reason(error)) from None
        self.rate = self.channels = self._position = 0
        self.partial = partial
        self._frames = self._decoded()
        try:
            # the first frame knows better than the header what it holds
            self._held = [frame for frame in (next(self._frames, None),) if frame is not None]
            if not self._container.streams.audio:
                raise _Unreadable("there is no sound in it")
            if not self._held:
                raise _Unreadable(self.partial) if self.partial else _Empty
        except BaseException:
            self.close()
            raise

    def _decoded(self) -> Generator[Samples]:
        import av

        if not self._container.streams.audio:
            return
        stream = self._container.streams.audio[0]
        try:
            for packet in self._container.demux(stream):
                for frame in packet.decode():
                    kind = (frame.sample_rate, frame.layout.nb_channels)
                    if not self._position:
                        self.rate, self.channels = kind
                        # libav converts and interleaves: to_ndarray of 8 planes crashes
                        packer = av.AudioResampler("flt", frame.layout, frame.sample_rate)
                    elif kind != (self.rate, self.channels):
                        self.partial = f"it goes on at {kind[0]} Hz with {kind[1]} channels"
                        return
                    self._position += frame.samples
                    samples: Any
                    if frame.format.name == "fltp" and self.channels < 8:
                        samples = frame.to_ndarray()
                        yield samples.T
                        continue
                    for packed in packer.resample(frame):
                        samples = packed.to_ndarray()
                        yield samples.reshape(-1, self.channels)
        except self._failure as error:
            self.partial = f"it breaks off: {_reason(error)}"
            return
        if self.partial is None and self._position:
            self.partial = self._shortage(stream)

    def _shortage(self, stream: Any) -> str | None:
        if not self._container.format.name.startswith("mov"):
            return None  # elsewhere the length is an estimate
        declared = float((stream.duration or 0) * stream.time_base)
        there = self._position / self.rate
        # a codec's padding is shorter than a tenth of a second
        return f"it ends after {there:.3f} of {declared:.3f} s" if there < declared - 0.1 else None

    def read(self, n: int) -> Samples:
        count = sum(map(len, self._held))
        while count < n and (frame := next(self._frames, None)) is not None:
            self._held.append(frame)
            count += len(frame)
        if not self._held:
            return np.empty((0, self.channels), np.float32)
        whole = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
        self._held = [whole[n:]] if count > n else []
        return np.ascontiguousarray(whole[:n])

    def close(self) -> None:
        self._frames.close()
        self._container.close()


def _reason(error: Any) -> str:
    return str(error.strerror or error)
