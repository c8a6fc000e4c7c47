"""The plainest of files, WAV of 16 bits without any oddity, read without a library.

Most sounds of sample libraries are a second long and of this kind, and opening one by libsndfile
takes longer than decoding it. Whatever is unusual is left to those who know it.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from zounds.audio.headers import Stream

_FORMAT = struct.Struct("<HHIIHH")
_CHUNK = struct.Struct("<4sI")
_PCM, _BITS = 1, 16
_CHANNELS = 8
_SCALE = np.float32(2**-15)


class PlainWave:
    """Samples of a plain WAV file; made by `plain_wave`.

    Parameters
    ----------
    stream : Stream
        At the first sample.
    rate : int [unit=Hz]
    channels : int
    frames : int [unit=samples]
    """

    integral = True

    def __init__(self, stream: Stream, rate: int, channels: int, frames: int) -> None:
        self.rate = rate
        self.channels = channels
        self.partial: str | None = None
        self._stream = stream
        self._frames = frames
        self._position = 0

    def read(self, n: int) -> npt.NDArray[np.float32]:
        """Return at most `n` samples [shape=(m, channels)]; none after the last."""
        wanted = min(n, self._frames - self._position)
        width = 2 * self.channels
        data = self._stream.read(wanted * width)
        there = len(data) // width
        integers = np.frombuffer(data, "<i2", there * self.channels)
        self._position += there
        if there < wanted:
            self.partial = f"it ends after {self._position} of {self._frames} samples"
            self._frames = self._position
        samples = integers.astype(np.float32).reshape(there, self.channels)
        samples *= _SCALE
        return samples

    def close(self) -> None:
        """Forget the file; its stream stays open."""


def plain_wave(stream: Stream) -> PlainWave | None:
    """Return the samples of a file, if it is a plain WAV file: of 16 bits, and whole.

    Parameters
    ----------
    stream : Stream
        It is left anywhere.

    Returns
    -------
    PlainWave or None
        None if anything about the file is unusual.
    """
    stream.seek(0)
    start = stream.read(12)
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        return None
    if int.from_bytes(start[4:8], "little") + 8 != stream.length:
        return None
    position = 12
    kind: tuple[int, int] | None = None
    data: tuple[int, int] | None = None
    while position < stream.length:
        stream.seek(position)
        head = stream.read(_CHUNK.size + _FORMAT.size)
        if len(head) < _CHUNK.size:
            return None
        tag, size = _CHUNK.unpack_from(head)
        if tag == b"fmt ":
            if kind is not None or size != _FORMAT.size or len(head) < _CHUNK.size + size:
                return None
            code, channels, rate, _, width, bits = _FORMAT.unpack_from(head, _CHUNK.size)
            usual = code == _PCM and bits == _BITS and width == 2 * channels
            if not (usual and rate and 1 <= channels <= _CHANNELS):
                return None
            kind = rate, channels
        elif tag == b"data":
            if kind is None or data is not None or not size or size % (2 * kind[1]):
                return None
            data = position + _CHUNK.size, size
        position += _CHUNK.size + size + size % 2
    if kind is None or data is None or position != stream.length:
        return None
    stream.seek(data[0])
    return PlainWave(stream, *kind, data[1] // (2 * kind[1]))
