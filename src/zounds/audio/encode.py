"""Samples to files: one Ogg Vorbis encoder for streams and files alike, libsndfile for the rest."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples
from zounds.audio.decode import check_sound
from zounds.errors import AudioError, NoAudio, UnitsError

Samples = npt.NDArray[np.float32]

_SUBTYPES = {"flac": "PCM_16", "mp3": "MPEG_LAYER_III", "wav": "PCM_16"}
_FORMATS = sorted([*_SUBTYPES, "ogg"])

# libsndfile hands a whole block to the encoder's stack: a large one crashes the process, and so
# does what Vorbis cannot encode. A fixed size also makes the bytes the same for every chunking.
_BLOCK = 4096
_MAX_RATE = 200_000
_MAX_CHANNELS = 255

# The places of WAV's channels (left, right, centre, bass, rear, side) in the order of Vorbis.
_ORDER = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 4, 5, 3),
    7: (0, 2, 1, 5, 6, 4, 3),
    8: (0, 2, 1, 6, 7, 4, 5, 3),
}

_BITS_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class OggVorbis:
    """Node: chunks of `AudioSamples` to pieces of one Ogg Vorbis file.

    Samples beyond [-1, 1] are clipped. The same samples give the same bytes, however they are
    cut into chunks. Memory is constant.

    Parameters
    ----------
    quality : float [range=[0, 1]]
        0.5 is about 160 kbit/s for stereo at 44.1 kHz.

    Raises
    ------
    InvalidParameter
        If `quality` is not within its range.
    """

    revision = 1

    quality: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.quality, int | float) or not 0 <= self.quality <= 1:
            raise InvalidParameter(f"quality is {self.quality!r}: give a number from 0 to 1")
        object.__setattr__(self, "quality", float(self.quality))

    def stream(self) -> _Encoding:
        """Return a stage for one run."""
        return _Encoding(self.quality)


class _Encoding:
    def __init__(self, quality: float) -> None:
        self._quality = quality
        self._pages = _Pages()
        self._file: Any = None
        self._kind: tuple[int, int] | None = None
        self._position = 0
        self._rest: Samples

    def step(self, chunk: Any, /) -> Iterator[bytes]:
        samples, rate = _checked(chunk, self._position)
        if not len(samples):
            return
        kind = rate, samples.shape[1]
        if self._kind is None:
            self._kind = kind
            self._rest = samples[:0]
        elif kind != self._kind:
            raise AudioError(
                f"audio at {rate} Hz with {kind[1]} channels follows audio at {self._kind[0]} Hz "
                f"with {self._kind[1]}: encode them apart, or resample and mix first"
            )
        self._position += len(samples)
        samples = np.concatenate((self._rest, samples))
        whole = len(samples) - len(samples) % _BLOCK
        for start in range(0, whole, _BLOCK):
            yield from self._write(samples[start : start + _BLOCK])
        self._rest = samples[whole:]

    def flush(self) -> Iterator[bytes]:
        if self._kind is None:
            return
        if len(self._rest):
            yield from self._write(self._rest)
        self._file.close()
        yield from self._pages.take()

    def _write(self, block: Samples) -> Iterator[bytes]:
        if self._file is None:
            self._open(block)
        order = _ORDER.get(block.shape[1])
        self._file.write(block if order is None else block[:, order])
        return self._pages.take()

    def _open(self, block: Samples) -> None:
        import soundfile

        rate, channels = self._kind or (0, 0)
        if rate > _MAX_RATE:
            raise AudioError(f"Ogg Vorbis ends at {_MAX_RATE} Hz, got {rate}: resample first")
        if channels > _MAX_CHANNELS:
            raise AudioError(
                f"Ogg Vorbis holds {_MAX_CHANNELS} channels, got {channels}: mix them first"
            )
        self._pages.serial = zlib.crc32(block.tobytes())
        self._file = soundfile.SoundFile(
            self._pages,
            "w",
            rate,
            channels,
            subtype="VORBIS",
            format="OGG",
            compression_level=1 - self._quality,
        )


class _Pages:
    """A file that libsndfile writes Ogg pages to, taken away as they are complete.

    libsndfile numbers each stream at random; here the number follows from the samples.
    """

    def __init__(self) -> None:
        self.serial = 0
        self._written = bytearray()
        self._taken = 0

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def tell(self) -> int:
        return self._taken + len(self._written)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.tell()  # libsndfile asks for the length, and never goes back

    def take(self) -> Iterator[bytes]:
        pages = bytearray()
        while len(self._written) > 26:
            segments = self._written[26]
            size = 27 + segments + sum(self._written[27 : 27 + segments])
            if len(self._written) < size:
                break
            page = self._written[:size]
            del self._written[:size]
            page[14:18] = self.serial.to_bytes(4, "little")
            page[22:26] = bytes(4)
            page[22:26] = _ogg_checksum(page)
            pages += page
        self._taken += len(pages)
        if pages:
            yield bytes(pages)


def _ogg_checksum(page: bytearray) -> bytes:
    """Return the CRC of a page: zlib's, with every bit the other way round, and not inverted."""
    mirrored = zlib.crc32(page.translate(_BITS_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return mirrored.to_bytes(4, "big").translate(_BITS_REVERSED)


def encode(samples: AudioSamples, format: str = "ogg") -> bytes:
    """Return a file that holds audio.

    Parameters
    ----------
    samples : AudioSamples [shape=(n,) or (n, channels), range=[-1, 1]]
        What is beyond the range is clipped.
    format : str
        ``flac`` and ``wav`` (16 bits a sample), ``mp3``, ``ogg`` (Vorbis, see `OggVorbis`).

    Returns
    -------
    bytes

    Raises
    ------
    InvalidParameter
        If there is no such format.
    UnitsError
        If `samples` has no sample rate.
    NoAudio
        If there are no samples.
    AudioError
        If the format has no such sample rate or number of channels, or a sample is infinite, not
        a number, or beyond 1e10.

    Examples
    --------
    >>> encode(AudioSamples([0.0, 0.5], 44100), "wav")[:4]
    b'RIFF'
    """
    import soundfile

    kind = format.lower()
    if kind not in _FORMATS:
        raise InvalidParameter(f"there is no format {format!r}: choose from {', '.join(_FORMATS)}")
    values, rate = _checked(samples, 0)
    if not len(values):
        raise NoAudio("there are no samples to encode: give at least one")
    if kind == "ogg":
        stage = OggVorbis().stream()
        return b"".join([*stage.step(samples), *stage.flush()])
    file = io.BytesIO()
    try:
        soundfile.write(file, values, rate, _SUBTYPES[kind], format=kind.upper())
    except (soundfile.LibsndfileError, ValueError) as error:
        raise AudioError(
            f"{kind} cannot hold {values.shape[1]} channels at {rate} Hz ({error}): resample, "
            "mix them, or choose wav"
        ) from error
    return file.getvalue()


def save(samples: AudioSamples, path: str | os.PathLike[str]) -> None:
    """Write audio to a file, all of it or nothing.

    Parameters
    ----------
    samples : AudioSamples [shape=(n,) or (n, channels), range=[-1, 1]]
    path : path
        Its ending names the format; see `encode`, whose errors this raises too.

    Raises
    ------
    AudioError
        If it cannot be written.
    """
    target = Path(path)
    content = encode(samples, target.suffix.removeprefix("."))
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(content)
        draft.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):  # it may not be there
            draft.unlink()
        raise AudioError(f"{target} cannot be written: {error.strerror}") from error


def _checked(samples: Any, position: int) -> tuple[Samples, int]:
    """Return samples as float32 [shape=(n, channels), range=[-1, 1]], and their rate [Hz]."""
    if not isinstance(samples, AudioSamples):
        raise UnitsError(
            f"samples without a sample rate ({type(samples).__name__}) cannot be encoded: "
            "give zounds.AudioSamples(samples, samplerate)"
        )
    if samples.dtype.kind != "f":
        raise InvalidParameter(f"samples of {samples.dtype}: give float ones within [-1, 1]")
    rate = samples.samplerate.samples_per_second
    if rate.denominator != 1:
        raise AudioError(f"files have a whole number of hertz, got {float(rate)}: resample first")
    plain = np.asarray(samples)
    check_sound(plain, "the audio to encode", position, samples.samplerate)
    clipped = plain.clip(-1, 1).astype(np.float32, copy=False)
    return clipped.reshape(len(plain), samples.channels), int(rate)
