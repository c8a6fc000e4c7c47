"""Members of zip archives, which are never unpacked to disk.

Small members are unpacked to memory, large ones while they are read, in constant memory, whatever
an archive says of itself.
"""

from __future__ import annotations

import io
import os
import struct
import threading
import weakref
import zipfile
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, BinaryIO, NamedTuple, cast
from urllib.parse import quote, unquote

from featureflow.decompression import DAMAGED, METHODS
from featureflow.errors import SourceError, SourceNotFound
from featureflow.source import Source, leads_to, located
from featureflow.spool import IN_MEMORY

_STEP = 1 << 16  # bytes that are read from the archive, or skipped, at a time
_PIECE = 1 << 20  # bytes that are unpacked at a time, at most
_BUFFER = 1 << 17
_HEADER = struct.Struct("<4s22xHH")
_END = struct.Struct("<4s6xH10x")
_ENCRYPTED = 0x1 | 0x40
# What zipfile and the decompressors raise for archives that are not what they should be.
_DAMAGED = (
    *(zipfile.BadZipFile, *DAMAGED, struct.error),
    *(OSError, ValueError, EOFError, IndexError, OverflowError, NotImplementedError),
)


def iter_zip(archive: Any) -> Iterator[Source]:
    """Yield the files of a zip archive, which is not unpacked to disk.

    Folders are skipped, and what macOS adds (``__MACOSX``, ``._*``).

    Parameters
    ----------
    archive : Source, path, URL, bytes or binary file
        See `Source.of`. A member of another archive is fine.

    Yields
    ------
    Source
        With `filename`, the path inside the archive.

    Raises
    ------
    SourceNotFound
        If the archive is not there.
    SourceError
        If it is not a zip archive, or cannot be read.

    Examples
    --------
    >>> content = io.BytesIO()
    >>> with zipfile.ZipFile(content, "w") as archive:
    ...     archive.writestr("sounds/a.wav", b"RIFF")
    >>> [member.filename for member in iter_zip(content.getvalue())]
    ['sounds/a.wav']
    """
    opened = _archive(Source.of(archive))
    for name, info in opened.members().items():
        parts = name.split("/")
        if not (name.endswith("/") or "__MACOSX" in parts or parts[-1].startswith("._")):
            yield ZipSource(opened, info)


class ZipSource(Source):
    """A member of a zip archive."""

    def __init__(self, archive: _Archive, info: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._info = info
        self.reopenable = archive.source.reopenable
        super().__init__(f"zip:{archive.source.uri}!/{quote(info.filename)}", info.filename)

    @property
    def size(self) -> int:
        """int [unit=bytes] : The declared size of the content."""
        return self._info.file_size

    def open(self) -> BinaryIO:
        """See `Source.open`; at most 64 MiB are unpacked at once, more while they are read."""
        return self._archive.open(self._info)

    def start(self, size: int) -> bytes:
        """See `Source.start`; unpacks no more than it takes."""
        with io.BufferedReader(_Unpacked(self._archive, self._info), size) as stream:
            return self._part(cast(BinaryIO, stream), size)

    def stamp(self) -> list[int] | None:
        """Return the stamp of the archive."""
        return self._archive.source.stamp()

    def __reduce__(self) -> Any:
        return _Member, (self._archive.source, self.name, self.size)


class _Member(Source):
    """What a `ZipSource` is in another process: looked up in its archive when it is opened."""

    def __init__(self, archive: Source, name: str, size: int) -> None:
        self._archive = archive
        self.size = size
        self.reopenable = archive.reopenable
        super().__init__(f"zip:{archive.uri}!/{quote(name)}", name)

    @cached_property
    def _found(self) -> Source:
        return _member(self._archive, self.name)

    def open(self) -> BinaryIO:
        """See `Source.open`."""
        return self._found.open()

    def stamp(self) -> list[int] | None:
        """Return the stamp of the archive."""
        return self._archive.stamp()

    def __reduce__(self) -> Any:
        return _Member, (self._archive, self.name, self.size)


class _Opened(NamedTuple):
    """An archive's file and table of contents; no other process reads the file."""

    process: int
    stream: BinaryIO
    lock: threading.Lock
    members: dict[str, zipfile.ZipInfo]
    borders: list[int]  # where a member or the table of contents begins


class _Latest:
    """The content of the member that was unpacked last: who wants it also wanted its digest.

    There is one for all archives of a process, so that it takes no more than one member does.
    """

    def __init__(self) -> None:
        self._held: tuple[zipfile.ZipInfo, bytes] | None = None

    def get(self, info: zipfile.ZipInfo) -> bytes | None:
        """Return the content of a member, if that was the last."""
        held = self._held
        return held[1] if held is not None and held[0] is info else None

    def put(self, info: zipfile.ZipInfo, stream: BinaryIO) -> bytes:
        """Return what a stream holds."""
        self._held = None  # before there is a second one
        content = stream.read(info.file_size)
        self._held = info, content
        return content


_latest = _Latest()


class _Archive:
    """A zip archive that is opened once, in each process that reads from it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._current: _Opened | None = None

    def members(self) -> dict[str, zipfile.ZipInfo]:
        """Return the members by name, of those with the same name the last: as when unpacked."""
        return self._opened().members

    def read_at(self, position: int, size: int) -> bytes:
        """Return at most `size` bytes of the archive itself; any thread may ask."""
        opened = self._opened()
        with opened.lock:
            opened.stream.seek(position)
            return opened.stream.read(size)

    def open(self, info: zipfile.ZipInfo) -> BinaryIO:
        """Return the content of a member as a new binary file, which can seek."""
        content = _latest.get(info)
        if content is None:
            stream = io.BufferedReader(_Unpacked(self, info), _BUFFER)
            if info.file_size > IN_MEMORY:
                return cast(BinaryIO, stream)
            with stream:
                content = _latest.put(info, stream)
        return cast(BinaryIO, io.BytesIO(content))

    def content_of(self, info: zipfile.ZipInfo) -> int:
        """Return where the content of a member begins, behind its header [bytes]."""
        header = self.read_at(info.header_offset, _HEADER.size)
        signature, *lengths = _HEADER.unpack(header)
        if signature != b"PK\x03\x04":
            raise zipfile.BadZipFile("no member begins where one should")
        start: int = info.header_offset + _HEADER.size + sum(lengths)
        borders = self._opened().borders
        following = bisect_left(borders, info.header_offset) + 1
        if following < len(borders) and start + info.compress_size > borders[following]:
            raise zipfile.BadZipFile("it overlaps what follows it in the archive")
        return start

    def _opened(self) -> _Opened:
        # after a fork the file's position is shared with the parent: each opens its own
        if self._current is None or self._current.process != os.getpid():
            stream = self.source.open()
            try:
                # which leaves a file open that was opened by others
                table = zipfile.ZipFile(stream)
                _check_count(stream, table)
            except _DAMAGED as error:
                stream.close()
                raise SourceError(
                    f"{self.source.name} is not a zip archive that can be read ({error}): copy or "
                    "download it again"
                ) from error
            members = {info.filename: info for info in table.infolist()}
            borders = sorted([*(info.header_offset for info in members.values()), table.start_dir])
            self._current = _Opened(os.getpid(), stream, threading.Lock(), members, borders)
            weakref.finalize(self, stream.close)
        return self._current


def _check_count(stream: BinaryIO, table: zipfile.ZipFile) -> None:
    """Raise `BadZipFile` if members are missing, of which zipfile says nothing."""
    stream.seek(-_END.size - len(table.comment), os.SEEK_END)
    signature, declared = _END.unpack(stream.read(_END.size))
    found = len(table.infolist())
    # some programs, and all that write more than 65535, only count the lower bits
    if signature == b"PK\x05\x06" and declared not in (found & 0xFFFF, 0xFFFF):
        raise zipfile.BadZipFile(f"its table of contents breaks off after {found} members")


@dataclass(frozen=True)
class _Version:
    """A source with a stamp, as it is now."""

    uri: str
    stamp: tuple[int, ...]
    source: Source = field(compare=False)


@lru_cache(maxsize=4)
def _archive_of(version: _Version) -> _Archive:
    """Return an opened archive; reading the table of contents of a large one takes a while."""
    return _Archive(version.source)


def _archive(source: Source) -> _Archive:
    source.fetch()
    stamp = source.stamp()
    if stamp is None:
        return _Archive(source)
    return _archive_of(_Version(source.uri, tuple(stamp), source))


def _member(archive: Source, name: str) -> Source:
    opened = _archive(archive)
    try:
        return ZipSource(opened, opened.members()[name])
    except KeyError:
        raise SourceNotFound(f"{archive.name} holds no {name} (any more)") from None


def _member_at(uri: str, fresh: bool) -> Source:
    archive, found, name = uri.removeprefix("zip:").rpartition("!/")
    if not found:
        raise SourceNotFound(f"{uri} names no member: add !/ and its path in the archive")
    return _member(located(archive, fresh), unquote(name))


leads_to(_member_at, "zip")


class _Unpacked(io.RawIOBase):
    """The content of a member, unpacked while it is read.

    Seeking costs nothing; reading further back than before unpacks it from its beginning again.
    """

    def __init__(self, archive: _Archive, info: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._info = info
        self._where = f"{info.filename} in {archive.source.name}"
        if info.flag_bits & _ENCRYPTED:
            raise SourceError(
                f"{self._where} is encrypted: unpack the archive with its password, and give the "
                "files"
            )
        if info.compress_type not in METHODS:
            raise SourceError(
                f"{self._where} is compressed by method {info.compress_type}, which cannot be "
                "read: pack it again by deflate, the usual one"
            )
        self._position = 0
        self._failure: SourceError | None = None
        with self._judged():
            self._start = archive.content_of(info)
        self._begin()

    def _begin(self) -> None:
        self._decompressor = METHODS[self._info.compress_type]()
        self._taken = 0  # of what is compressed
        self._made = 0
        self._checksum: int | None = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; see `io.IOBase.seek`."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._info.file_size}
        if base[whence] + offset < 0:
            raise ValueError(f"{self._where} has no byte {base[whence] + offset}")
        self._position = base[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill the beginning of a buffer; see `io.RawIOBase.readinto`."""
        wanted = min(len(buffer), self._info.file_size - self._position)
        if wanted <= 0:
            return 0
        if self._failure:
            raise self._failure
        with self._judged():
            self._reach(self._position)
            piece = self._unpack(min(wanted, _PIECE))
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _reach(self, position: int) -> None:
        if self._info.compress_type == zipfile.ZIP_STORED and position != self._made:
            self._taken = self._made = position
            self._checksum = None if position else 0
        elif position < self._made:
            self._begin()
        while self._made < position:
            self._unpack(min(_STEP, position - self._made))

    def _unpack(self, wanted: int) -> bytes:
        """Return the next bytes: at least one, at most `wanted`."""
        piece = b""
        while not piece:
            data = b""
            if needed := self._decompressor.needs_input:
                size = min(_STEP, self._info.compress_size - self._taken)
                if self._info.compress_type == zipfile.ZIP_STORED:
                    size = min(size, wanted)
                data = self._archive.read_at(self._start + self._taken, size)
                self._taken += len(data)
            if not self._decompressor.eof:
                piece = self._decompressor.decompress(data, wanted)
            if not piece and (self._decompressor.eof or (needed and not data)):
                raise EOFError(f"it ends after {self._made} of {self._info.file_size} bytes")
        self._made += len(piece)
        if self._checksum is not None:
            self._checksum = zlib.crc32(piece, self._checksum)
            if self._made == self._info.file_size and self._checksum != self._info.CRC:
                raise zipfile.BadZipFile("its content does not fit its checksum")
        return piece

    @contextmanager
    def _judged(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as error:
            self._failure = SourceError(
                f"{self._where} is damaged ({error}): copy or download the archive again"
            )
            raise self._failure from error
