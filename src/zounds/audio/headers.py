"""What a file's bytes show, and the decoding libraries do not report.

libsndfile reads the first of several streams that were put together (a recorded radio, joined
mp3 files) and calls it the whole. Of an mp3 file that does not state its length it estimates it,
and stops there though more follows; where a kilobyte of one is damaged it gives up, and prints
notes. In voc files it takes the headers of later blocks for samples, in stereo 8svx files the left
channel for the first half of both, and it leaves the channels of Ogg files in an order of their
own. Neither library says that an Ogg, CAF or voc file was cut
off.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import Protocol

_PAGE = 65307  # bytes, the largest page of Ogg
_PIECE = 1 << 20  # bytes of an mp3 file that are looked at together
_KBITS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
_RATES = (44100, 48000, 32000)


class Stream(Protocol):
    """Bytes of a file.

    Attributes
    ----------
    length : int [unit=bytes]
    """

    length: int

    def read(self, n: int = -1, /) -> bytes:
        """Return at most `n` bytes."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place, and return it."""
        ...


@dataclass(frozen=True)
class Header:
    """What was found.

    Parameters
    ----------
    start : bytes
        The first bytes.
    empty : bool
        Whether it is a complete file without samples.
    libav : bool
        Whether libsndfile would miss some of the audio.
    missing : str or None
        What the file lacks.
    samples : int or None
        How many there are, where libsndfile would only estimate it.
    """

    start: bytes
    empty: bool = False
    libav: bool = False
    missing: str | None = None
    samples: int | None = None


def examine(stream: Stream) -> Header:
    """Return what the bytes of a file show.

    Parameters
    ----------
    stream : Stream
        It is left anywhere.

    Returns
    -------
    Header
    """
    start = _at(stream, 0, 64)
    if start.startswith(b"RIFF") and start[8:12] == b"WAVE":
        return Header(start[:16], empty=_is_empty_riff(stream))
    if start.startswith(b"OggS"):
        return _ogg(stream, start)
    if start.startswith(b"Creative Voice File"):
        return _voc(stream, start)
    if start.startswith(b"caff"):
        return Header(start[:16], missing=_cut_caf(stream))
    if start.startswith(b"FORM") and start[8:12] in (b"8SVX", b"16SV"):
        return Header(start[:16], libav=True)
    if start.startswith((b"ID3", b"\xff")):
        return _mp3(stream, start)
    return Header(start[:16])


def _at(stream: Stream, position: int, size: int) -> bytes:
    stream.seek(position)
    return stream.read(size)


def _is_empty_riff(stream: Stream) -> bool:
    """Return whether chunks fill the file, and none of them holds samples.

    A recorder that crashed leaves a data chunk of size 0 too, but then samples follow, which
    are no chunks.
    """
    position = 12
    while position + 8 <= stream.length:
        tag, size = struct.unpack("<4sI", _at(stream, position, 8).ljust(8, b"\0"))
        if (tag == b"data" and size) or not all(32 <= byte < 127 for byte in tag):
            return False
        position += 8 + size + size % 2
    return position - 1 <= stream.length <= position


def _voc(stream: Stream, start: bytes) -> Header:
    position, count = int.from_bytes(start[20:22], "little"), 0
    while count < 2 and (block := _at(stream, position, 4))[:1] not in (b"", b"\0"):
        count += block[0] in (1, 2, 9)
        position += 4 + int.from_bytes(block[1:], "little")
    return Header(start[:16], libav=count > 1, missing=_cut(position, stream.length))


def _cut_caf(stream: Stream) -> str | None:
    position = 8
    while len(chunk := _at(stream, position, 12)) == 12:
        tag, size = struct.unpack(">4sq", chunk)
        position += 12 + size
        if size < 0 or position > stream.length:
            return _cut(position, stream.length) if tag == b"data" else None
    return None


def _cut(declared: int, there: int) -> str | None:
    return f"it ends after {there} of {declared} bytes" if there < declared else None


def _ogg(stream: Stream, start: bytes) -> Header:
    tail = _at(stream, max(0, stream.length - 2 * _PAGE), 2 * _PAGE)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    segments = page[26] if len(page) > 26 else 0
    ends = 27 + segments + sum(page[27 : 27 + segments]) <= len(page)
    if not ends or not page[5] & 4:
        return Header(start[:16], missing="its last page is missing")
    channels = {b"\x01vorbis": start[39:40], b"OpusHea": start[37:38]}.get(start[28:35], b"")
    return Header(start[:16], libav=page[14:18] != start[14:18] or channels > b"\2")


def _mp3(stream: Stream, start: bytes) -> Header:
    first = 0
    if start.startswith(b"ID3"):
        a, b, c, d = start[6:10].ljust(4, b"\0")
        first = 10 + (a << 21 | b << 14 | c << 7 | d)
    frame = _at(stream, first, 64)
    count, end = _frames(stream, first)
    rest = stream.length - end
    whole = count > 0 and (rest == 0 or (rest == 128 and _at(stream, end, 3) == b"TAG"))
    missing = "its last frame is incomplete" if count and rest < 0 else None
    tag = max(frame.find(b"Xing"), frame.find(b"Info"))
    if tag < 0 or len(frame) < tag + 16:
        if not whole or b"VBRI" in frame:
            return Header(start[:16], libav=True, missing=missing)
        return Header(start[:16], samples=count * (1152 if frame[1] & 8 else 576))
    flags, *fields = struct.unpack(">III", frame[tag + 4 : tag + 16])
    there, declared = stream.length - first, fields[flags & 1]
    # tags at the end of the file make a small difference
    if flags & 2 and there < declared * 0.99:
        missing = _cut(declared, there)
    stated = flags & 1 and fields[0] == count - 1
    return Header(start[:16], libav=not (whole and stated), missing=missing)


def _frames(stream: Stream, first: int) -> tuple[int, int]:
    """Return how many frames of one kind follow each other, and where they end."""
    count, position, base, piece = 0, first, first, b""
    kind: tuple[int, int, bool] | None = None
    while position + 4 <= stream.length:
        if position + 4 > base + len(piece):
            base, piece = position, _at(stream, position, _PIECE)
            if len(piece) < 4:
                break
        sync, second, third, fourth = piece[position - base : position - base + 4]
        size = frame_size(second, third) if sync == 0xFF else 0
        this = (second & 0xFE, third & 0x0C, fourth >= 0xC0)
        if not size or (kind or this) != this:
            break
        kind = this
        count += 1
        position += size
    return count, position


@cache
def frame_size(second: int, third: int) -> int:
    """Return the bytes of a layer III frame with these header bytes; 0 if there is no such."""
    version, index = second >> 3 & 3, third >> 2 & 3
    if second < 0xE0 or second & 6 != 2 or version == 1 or index == 3:
        return 0
    kbits = _KBITS[version == 3][third >> 4]
    if not kbits:
        return 0
    rate = _RATES[index] >> (0, 1, 1, 2)[3 - version]
    return (144 if version == 3 else 72) * kbits * 1000 // rate + (third >> 1 & 1)
