"""What a file's first and last bytes show, and the decoding libraries do not report.

libsndfile reads the first of several streams that were put together (a recorded radio, joined
mp3 files) and calls it the whole; it estimates the length of an mp3 file that does not state it,
and stops there though more follows; and neither library says that an Ogg file was cut off.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

_PAGE = 65307  # bytes, the largest page of Ogg


@dataclass(frozen=True)
class Header:
    """What was found.

    Parameters
    ----------
    start : bytes
        The first bytes.
    empty : bool
        Whether it is a complete file without samples.
    joined : bool
        Whether there may be audio beyond what libsndfile takes for the end.
    missing : str or None
        What the file lacks.
    """

    start: bytes
    empty: bool = False
    joined: bool = False
    missing: str | None = None


def examine(stream: BinaryIO) -> Header:
    """Return what the first and last bytes of a file show.

    Parameters
    ----------
    stream : binary file
        It can seek, and is left anywhere.

    Returns
    -------
    Header
    """
    length = stream.seek(0, io.SEEK_END)
    start = _at(stream, 0, 64)
    if start.startswith(b"RIFF"):
        return Header(start[:16], empty=_is_empty_riff(stream, length))
    if start.startswith(b"OggS"):
        return _ogg(stream, start, length)
    return _mp3(stream, start, length)


def _at(stream: BinaryIO, position: int, size: int) -> bytes:
    stream.seek(position)
    return stream.read(size)


def _is_empty_riff(stream: BinaryIO, length: int) -> bool:
    """Return whether chunks fill the file, and none of them holds samples.

    A recorder that crashed leaves a data chunk of size 0 too, but then samples follow, which
    are no chunks.
    """
    position = 12
    while position + 8 <= length:
        tag, size = struct.unpack("<4sI", _at(stream, position, 8))
        if (tag == b"data" and size) or not all(32 <= byte < 127 for byte in tag):
            return False
        position += 8 + size + size % 2
    return position - 1 <= length <= position


def _ogg(stream: BinaryIO, start: bytes, length: int) -> Header:
    tail = _at(stream, max(0, length - 2 * _PAGE), 2 * _PAGE)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    segments = page[26] if len(page) > 26 else 0
    ends = 27 + segments + sum(page[27 : 27 + segments]) <= len(page)
    if not ends or not page[5] & 4:
        return Header(start[:16], missing="its last page is missing")
    return Header(start[:16], joined=page[14:18] != start[14:18])


def _mp3(stream: BinaryIO, start: bytes, length: int) -> Header:
    first = 0
    if start.startswith(b"ID3"):
        a, b, c, d = start[6:10].ljust(4, b"\0")
        first = 10 + (a << 21 | b << 14 | c << 7 | d)
    frame = _at(stream, first, 64)
    tag = max(frame.find(b"Xing"), frame.find(b"Info"))
    if tag < 0 or len(frame) < tag + 16:
        # libsndfile estimates the length from the first frames' bit rate, and stops there
        return Header(start[:16], joined=first > 0 or frame[:1] == b"\xff")
    flags, *fields = struct.unpack(">III", frame[tag + 4 : tag + 16])
    there, declared = length - first, fields[flags & 1]
    # tags at the end of the file make a small difference
    if not flags & 2 or abs(there - declared) <= declared / 100:
        return Header(start[:16])
    missing = f"it ends after {there} of {declared} bytes" if there < declared else None
    return Header(start[:16], joined=True, missing=missing)
