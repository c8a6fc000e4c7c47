"""Two libraries that turn bytes into samples: libsndfile first, libav for what it cannot read.

Files are known by their content, never by their names, and lengths are counted, never believed:
a header may promise a terabyte, or nothing at all where a recorder crashed.
"""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from featureflow.errors import SourceError
from zounds.audio.headers import Header, examine, frame_size
from zounds.errors import AudioError, NoAudio

Samples = npt.NDArray[np.float32]

# Sizes that recorders write into a header when they cannot know: pipes, crashes, 32-bit limits.
_UNKNOWN_SIZES = (range(0x7FFF0000, 0x80000001), range(0xFFFF0000, 0x100000000))
_UNKNOWN_FRAMES = 1 << 62
_SMALL = 1 << 20  # bytes of a file that is read at once
# a false start in damaged bytes is followed by fewer frames of its kind
_CHANGED = 8  # frames
_LISTED = re.compile(r"\d+ channels \(")
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN")  # after the last frame of mp3
_CUT_SHORT = re.compile(
    r"^\s*(?:data|SSND|BODY|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE
)


class Decoder(Protocol):
    """The samples of one file, at its own rate and with its own channels."""

    rate: int
    channels: int
    partial: str | None
    integral: bool  # the file holds whole numbers: no sample can be beyond [-1, 1]

    def read(self, n: int) -> Samples:
        """Return at most `n` samples [shape=(m, channels)]; none after the last."""
        ...

    def close(self) -> None:
        """Forget the file; its stream stays open."""
        ...


class Watched:
    """A stream whose first failure is kept: the libraries take one for the end of the file.

    It has no name, whose ending they would believe.

    Parameters
    ----------
    stream : binary file
        It can seek. Whoever opened it closes it.
    name : str
        What it is called in messages.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream: Any = stream
        self._name = name
        self._failure: BaseException | None = None
        self.length = max(0, self.seek(0, io.SEEK_END))
        self.seek(0)
        if self.length <= _SMALL and not isinstance(stream, io.BytesIO):
            self._stream = io.BytesIO(self.read())
        if isinstance(self._stream, io.BytesIO):
            # memory does not fail, and mpg123 reads a KiB at a time
            self.readinto = self._stream.readinto  # type: ignore[method-assign]
            self.tell = self._stream.tell  # type: ignore[method-assign]

    def check(self) -> None:
        """Raise what the stream raised, if it did."""
        if isinstance(self._failure, OSError):
            reason = self._failure.strerror or str(self._failure) or type(self._failure).__name__
            raise SourceError(
                f"{self._name} cannot be read: {reason}: check the disk or the connection it is "
                "on, and try again"
            ) from self._failure
        if self._failure is not None:
            raise self._failure

    def read(self, n: int = -1, /) -> bytes:
        """Return at most `n` bytes; none once something failed."""
        try:
            return b"" if self._failure else self._stream.read(n)
        except BaseException as error:  # also Ctrl-C: libsndfile's callbacks swallow everything
            self._failure = error
            return b""

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer, and return with how many bytes."""
        try:
            return 0 if self._failure else int(self._stream.readinto(buffer))
        except BaseException as error:
            self._failure = error
            return 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place and return it, or -1 where there is none."""
        try:
            return int(self._stream.seek(offset, whence))
        except BaseException as error:
            # damaged headers point before the start
            astray = isinstance(error, ValueError) or getattr(error, "errno", 0) == errno.EINVAL
            self._failure = self._failure or (None if astray else error)
            return -1

    def tell(self) -> int:
        """Return the place."""
        return int(self._stream.tell())


class _Unreadable(Exception):
    """A library cannot read a file; the message says why."""


class _Empty(_Unreadable):
    """A library can read a file, and finds nothing in it."""


def open_decoder(stream: Watched, name: str) -> Decoder:
    """Return the decoder of a file.

    Parameters
    ----------
    stream : Watched
        It stays open when the decoder is closed.
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
        for kind in kinds[header.libav :]:
            stream.seek(0)
            try:
                return kind(stream, header)
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

    def __init__(self, stream: Watched, header: Header) -> None:
        import soundfile

        self._failure = soundfile.LibsndfileError
        try:
            self._file = soundfile.SoundFile(_Longer(stream) if header.samples else stream)
        except self._failure as error:
            raise _Unreadable(error.error_string) from None
        # soundfile seeks to where it is after each read of a file that can: slow, and in mp3 not
        # without a trace (the first samples after it differ in the last bit)
        self._file.seekable = lambda: False
        self._declared: int = header.samples or self._file.frames
        guessed = self._file.format != "MP3" and self._file.subtype.startswith("MPEG")
        if guessed or not 0 < self._declared < _UNKNOWN_FRAMES:
            # libsndfile stops at lengths that were never filled in; libav reads on
            self._file.close()
            raise _Unreadable("its length is not known") if self._declared else _Empty
        self.rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.partial = header.missing
        self.integral = self._file.subtype.startswith("PCM_")
        # libsndfile converts 16 bits to floats a third as fast as NumPy does
        self._dtype = np.int16 if self._file.subtype == "PCM_16" else np.float32
        self._position = 0

    def read(self, n: int) -> Samples:
        chunk = self._read(n)
        if chunk.dtype == np.int16:
            chunk = chunk.astype(np.float32)
            chunk *= np.float32(2**-15)
        return chunk

    def _read(self, n: int) -> npt.NDArray[Any]:
        wanted = min(n, self._declared - self._position)
        buffer = np.empty((wanted, self.channels), self._dtype)
        if not wanted:
            return buffer
        try:
            chunk: npt.NDArray[Any] = self._file.read(out=buffer)
        except self._failure as error:
            # what came before the failure is in the buffer
            chunk = buffer[: max(self._file.tell() - self._position, 0)]
            self.partial = f"it breaks off: {error.error_string}"
        self._position += len(chunk)
        if self.partial is None and (len(chunk) < wanted or self._position == self._declared):
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


class _Longer:
    """A stream that seems to go on after its end.

    libsndfile estimates the length of an mp3 file that does not state it, from its first frame,
    and stops there. The estimate must not be too short.
    """

    _FACTOR = 64  # of bit rates, the highest to the lowest is 40

    def __init__(self, stream: Watched) -> None:
        self._stream = stream
        self.seek(0, io.SEEK_SET)

    def seek(self, offset: int, whence: int) -> None:
        place = offset + self._stream.length * self._FACTOR if whence == io.SEEK_END else 0
        self._beyond = max(0, place - self._stream.length)
        if not self._beyond:
            self._stream.seek(offset, whence)
        self.readinto = self._zeros if self._beyond else self._stream.readinto

    def tell(self) -> int:
        return self._beyond + (self._stream.length if self._beyond else self._stream.tell())

    def _zeros(self, buffer: Any) -> int:
        # a tag is looked for at the end, and none is found
        view = memoryview(buffer).cast("B")
        view[:] = bytes(len(view))
        self._beyond += len(view)
        return len(view)


class _Libav:
    """Samples through libav, packet by packet."""

    integral = False

    def __init__(self, stream: Watched, header: Header) -> None:
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
        self.partial = header.missing
        self._chunks = self._decoded()
        try:
            if not self._container.streams.audio:
                raise _Unreadable("there is no sound in it")
            if (codec := self._container.streams.audio[0].codec_context) is None:
                raise _Unreadable("its codec is not known")
            _settle(codec)
            # the first frame knows better than the header what it holds
            self._held = [chunk for chunk in (next(self._chunks, None),) if chunk is not None]
            if not self._held:
                raise _Unreadable(self.partial) if self.partial else _Empty
        except BaseException:
            self.close()
            raise

    def _decoded(self) -> Generator[Samples]:
        stream = self._container.streams.audio[0]
        frames = _Frames(mend=self._container.format.name == "mp3")
        try:
            for packet in self._container.demux(stream):
                for frame in frames.of(packet):
                    if isinstance(frame, _Silence):
                        start = self._position / self.rate
                        self.partial = self.partial or f"it is damaged at {start:.3f} s"
                        self._position += frame.samples
                        yield np.zeros((frame.samples, self.channels), np.float32)
                        continue
                    kind = _kind(frame)
                    if not self._position:
                        self.rate, self.channels = kind
                    elif kind != (self.rate, self.channels):
                        raise _Changed(f"it goes on at {kind[0]} Hz with {kind[1]} channels")
                    self._position += frame.samples
                    yield _interleaved(frame)
        except self._failure as error:
            self.partial = f"it breaks off: {_reason(error)}"
            return
        except _Changed as change:
            self.partial = str(change)
            return
        if self.partial is None and frames.lost:
            self.partial = f"it breaks off after {self._position / self.rate:.3f} s"
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
        while count < n and (frame := next(self._chunks, None)) is not None:
            self._held.append(frame)
            count += len(frame)
        if not self._held:
            return np.empty((0, self.channels), np.float32)
        whole = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
        self._held = [whole[n:]] if count > n else []
        return np.ascontiguousarray(whole[:n])

    def close(self) -> None:
        self._chunks.close()
        self._container.close()


@dataclass
class _Silence:
    samples: int


class _Changed(Exception):
    """Another kind of audio follows."""


class _Frames:
    """Frames of packets.

    Parameters
    ----------
    mend : bool
        Whether to go on after damage, where frames can be found again, with as much silence as is
        missing: what follows keeps its time.
    """

    def __init__(self, mend: bool) -> None:
        self._mend = mend
        self._kind: tuple[int, int] | None = None
        self._size = self._count = 0  # of good frames
        self._foreign = self._failed = 0
        self.lost = 0  # bytes, since the last good one

    def of(self, packet: Any) -> Iterator[Any]:
        import av

        if not self._mend:
            yield from packet.decode()
            return
        data = bytes(packet)
        try:
            frames = packet.decode()
        except av.FFmpegError:
            self._failed = 1
            self._lose(data)
            return
        for frame in frames:
            kind = self._kind = self._kind or _kind(frame)
            if _kind(frame) != kind and self._foreign < _CHANGED:
                self._foreign += 1
                self._lose(data)
                continue
            # damage may be in the same packet, before the frame or after it
            size = frame_size(data[1], data[2]) if data[:1] == b"\xff" and len(data) > 2 else 0
            if not size and self._count and data[:1] != b"\xff":
                size = self._size // self._count
                self._lose(data[:-size])
                data = data[-size:]
            size = min(size or len(data), len(data))
            if self.lost and _kind(frame) == kind:
                missing = round(self.lost * self._count / self._size)
                for _ in range(max(missing, self._failed)):
                    yield _Silence(frame.samples)
            self.lost = self._foreign = self._failed = 0
            yield frame
            self._size += size
            self._count += 1
            self._lose(data[size:])

    def _lose(self, data: bytes) -> None:
        if self._count and not data.startswith(_TAGS):
            self.lost += len(data)


def _settle(codec: Any) -> None:
    """Make a codec forget a layout that lists its channels.

    PyAV frees the list once for each time that it is looked at, which ends the process. Here it
    is looked at once, and replaced.
    """
    layout = codec.layout
    if _LISTED.match(layout.name):
        codec.layout = f"{layout.nb_channels} channels"


def _kind(frame: Any) -> tuple[int, int]:
    return frame.sample_rate, frame.layout.nb_channels


def _interleaved(frame: Any) -> Samples:
    """Return the samples of a frame [shape=(n, channels)]."""
    import av

    channels = frame.layout.nb_channels
    if frame.format.name == "fltp" and channels < 8:
        samples: Samples = frame.to_ndarray()
        return samples.T
    # libav converts and interleaves: to_ndarray of 8 planes crashes
    packer = av.AudioResampler("flt", frame.layout, frame.sample_rate)
    packed: list[Any] = [part.to_ndarray().reshape(-1, channels) for part in packer.resample(frame)]
    return np.concatenate(packed)


def _reason(error: Any) -> str:
    return str(error.strerror or error)
