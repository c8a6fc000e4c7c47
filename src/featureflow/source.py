"""What a source is; files on this machine, and content that was handed over.

A `Source` names its content, opens it as often as needed, and knows whether it can be found
again by its URI alone. What cannot (bytes and streams) has to be kept by whoever wants it later.
Other kinds of sources say which URIs lead to them, by `leads_to`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote_to_bytes

from blake3 import blake3

from featureflow.errors import InvalidParameter, SourceChanged, SourceError, SourceNotFound
from featureflow.spool import PIECE, TemporaryFile, opened, spooled

# A piece that malloc need not fetch from the system each time.
_DIGESTED = 1 << 16


class Source:
    """Content with a name, that can be opened more than once.

    Use `Source.of` to make one.

    Attributes
    ----------
    uri : str
        Where it is: ``file:///…``, ``https://…``, ``zip:<archive's URI>!/<member>``, or
        ``data:,<name>`` for content that was handed over and is nowhere else.
    name : str
        What people call it: a file's name, a member's path in its archive.
    reopenable : bool
        Whether the URI alone leads to the content again.
    """

    reopenable = False

    def __init__(self, uri: str, name: str) -> None:
        self.uri = uri
        self.name = name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uri}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Source):
            return NotImplemented
        return (self.uri, self.digest) == (other.uri, other.digest)

    def __hash__(self) -> int:
        return hash(self.uri)

    @property
    def filename(self) -> str:
        """str : The name; what members of a `zipfile` call it."""
        return self.name

    def fetch(self) -> None:
        """Bring the content to this machine, if it is elsewhere; raises like `open`."""

    def open(self) -> BinaryIO:
        """Return the content as a new binary file, which can seek.

        Raises
        ------
        SourceNotFound
            If it is not there (any more).
        SourceError
            If it is there and cannot be read. Large members of archives are unpacked while they
            are read, and may raise it then.
        """
        raise NotImplementedError

    def read(self) -> bytes:
        """Return the whole content; raises like `open`."""
        with self.open() as stream:
            return self._part(stream, -1)

    def start(self, size: int) -> bytes:
        """Return the first bytes, without reading much more; raises like `open`."""
        with self.open() as stream:
            return self._part(stream, size)

    def pieces(self) -> Iterator[bytes]:
        """Yield the content in pieces of a mebibyte; raises like `open`."""
        with self.open() as stream:
            while piece := self._part(stream, PIECE):
                yield piece

    def _part(self, stream: BinaryIO, size: int) -> bytes:
        try:
            return stream.read(size)
        except OSError as error:
            raise SourceError(f"{self.name} cannot be read: {error.strerror or error}") from error

    @cached_property
    def digest(self) -> str:
        """str : BLAKE3 of the content, 128 bits in hexadecimal. Reads it, the first time."""
        state = blake3()  # five times as fast as BLAKE2b; decoding a WAV takes as long as that
        with self.open() as stream:
            while piece := self._part(stream, _DIGESTED):
                state.update(piece)
        return state.hexdigest(length=16)

    def record(self) -> dict[str, Any]:
        """Return what `from_record` needs to find the content again, and to know it is the same.

        Returns
        -------
        dict
            Of plain values, ready for JSON.
        """
        self.fetch()
        stamp = self.stamp()  # before the digest: what changes meanwhile is noticed later
        return {"uri": self.uri, "name": self.name, "digest": self.digest, "stamp": stamp}

    def stamp(self) -> list[int] | None:
        """Return what changes when the content does, where that can be had without reading it."""
        return None

    @staticmethod
    def from_record(record: dict[str, Any], content: bytes | TemporaryFile | None = None) -> Source:
        """Return the source of a record.

        Opening it checks that it still is what it was.

        Parameters
        ----------
        record : dict
            As `record` returned it.
        content : bytes, TemporaryFile or None
            The content, where it was kept; then nothing else is opened.

        """
        if content is not None:
            source = _Content(content, record["uri"], record["name"])
            source.digest = record["digest"]
            return source
        return _Remembered(record)

    @staticmethod
    def of(thing: Any) -> Source:
        """Return the source of whatever has content.

        Parameters
        ----------
        thing : Source, path, str, bytes or binary file
            A str is a path or an ``http(s):``, ``file:`` or ``zip:`` URI. Streams are read at
            once: to memory, or to a temporary file where they are large. What a URL returns is
            kept in ``featureflow`` in the folder `$XDG_CACHE_HOME` (``~/.cache``), and the server
            asked once whether it has changed.

        Raises
        ------
        SourceNotFound
            If a path leads nowhere.
        SourceError
            If it leads to a folder or a device, or a stream cannot be read.
        InvalidParameter
            If `thing` has no content.

        Examples
        --------
        >>> Source.of(b"RIFF").read()
        b'RIFF'
        """
        if isinstance(thing, Source):
            return thing
        if isinstance(thing, str) and _scheme(thing):
            source = located(thing, fresh=True)
            if isinstance(source, FileSource):
                source.check()
            return source
        if isinstance(thing, str | os.PathLike):
            if _is_elsewhere(thing):
                raise SourceNotFound(
                    f"{thing} is a URL that cannot be read: give one with http: or https:, or "
                    "download it, and give the file"
                )
            source = FileSource(os.fsdecode(thing))
            source.check()
            return source
        if isinstance(thing, bytes | bytearray | memoryview):
            return _Content(bytes(thing), "data:,bytes", "bytes")
        if hasattr(thing, "read"):
            label = getattr(thing, "filename", None) or getattr(thing, "name", None)
            name = str(label) if isinstance(label, str) else "stream"
            try:
                content = spooled(thing, name)
            except TypeError:
                raise InvalidParameter(
                    f"{name} is open in text mode: open it in binary mode ('rb')"
                ) from None
            return _Content(content, f"data:,{quote(name)}", name)
        raise InvalidParameter(
            f"{thing!r} has no content to read: give a path, a URL, bytes, an open binary file, "
            "or what featureflow.iter_zip yields"
        )


def _is_elsewhere(thing: str | os.PathLike[str]) -> bool:
    """Whether a path looks like a URL, and is no file."""
    scheme, found, _ = os.fsdecode(thing).partition("://")
    return bool(found) and scheme.isalpha() and not os.path.exists(thing)


_WAYS: dict[str, Callable[[str, bool], Source]] = {}


def leads_to(way: Callable[[str, bool], Source], *schemes: str) -> None:
    """Have `located` find the sources of some URIs.

    Parameters
    ----------
    way : callable
        It is given the URI, and `fresh` of `located`, and returns the source.
    *schemes : str
        What the URIs begin with, before the colon.
    """
    _WAYS.update(dict.fromkeys(schemes, way))


def located(uri: str, fresh: bool, name: str | None = None) -> Source:
    """Return the source at a URI.

    Parameters
    ----------
    uri : str
    fresh : bool
        Whether a copy of what is elsewhere has to be compared with it before it is used.
    name : str, optional
        What the content is called in messages.

    Raises
    ------
    SourceNotFound
        If the URI leads nowhere.
    """
    way = _WAYS.get(_scheme(uri))
    if way is None:
        raise SourceNotFound(
            f"{name or uri} was handed over as bytes or a stream and cannot be opened again"
        )
    return way(uri, fresh)


def _scheme(text: str) -> str:
    scheme, colon, _ = text.partition(":")
    return scheme if colon and (scheme == "data" or scheme in _WAYS) else ""


class FileSource(Source):
    """A file on this machine."""

    reopenable = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.path.abspath(path)
        posix = self._path if os.sep == "/" else self.path.as_posix()
        super().__init__("file://" + quote(os.fsencode(posix)), os.path.basename(self._path))

    @cached_property
    def path(self) -> Path:
        """Path : Where it is."""
        return Path(self._path)

    def check(self) -> None:
        """Raise `SourceError` unless there is a file."""
        self._check(self._status().st_mode)

    def _check(self, mode: int) -> None:
        if stat.S_ISDIR(mode):
            raise SourceError(f"{self.path} is a folder: give the files in it, one at a time")
        if not stat.S_ISREG(mode):
            raise SourceError(
                f"{self.path} is a pipe, a socket or a device: copy what comes out of it into a "
                "file, or open it and hand over the stream"
            )

    def open(self) -> BinaryIO:
        """See `Source.open`."""
        try:
            return open(self._path, "rb", opener=self._descriptor)
        except (OSError, ValueError) as error:
            self.check()  # says more of a socket
            raise self._failure(error) from error

    def _descriptor(self, path: str, flags: int) -> int:
        # a pipe that took the file's place would wait for somebody to write
        descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
        try:
            self._check(os.fstat(descriptor).st_mode)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def stamp(self) -> list[int]:
        """Return size [bytes] and time of modification [ns], which change with the content."""
        status = self._status()
        return [status.st_size, status.st_mtime_ns]

    def _status(self) -> os.stat_result:
        try:
            return os.stat(self._path)
        except (OSError, ValueError) as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError | ValueError) -> SourceError:
        if isinstance(error, FileNotFoundError | NotADirectoryError | ValueError):
            return SourceNotFound(f"{self.path} does not exist (any more): check the path")
        return SourceError(f"{self.path} cannot be read: {error.strerror}")


def _file_at(uri: str, fresh: bool) -> Source:
    return FileSource(os.fsdecode(unquote_to_bytes(uri.removeprefix("file://"))))


leads_to(_file_at, "file")


class _Content(Source):
    """Content that is nowhere else."""

    def __init__(self, content: bytes | TemporaryFile, uri: str, name: str) -> None:
        self._content = content
        super().__init__(uri, name)

    def open(self) -> BinaryIO:
        return opened(self._content)

    def __reduce__(self) -> Any:
        return _Content, (self.read(), self.uri, self.name)


class _Remembered(Source):
    """A source found again by its record: what it opens is what it was."""

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(record["uri"], record["name"])
        self._record = record
        self.digest = record["digest"]
        self.reopenable = _scheme(self.uri) != "data"

    @cached_property
    def _source(self) -> Source:
        return located(self.uri, False, self.name)

    def open(self) -> BinaryIO:
        try:
            self._check()
            return self._source.open()
        except SourceNotFound as error:
            raise SourceNotFound(
                f"{error}; {self.name} was processed from there: put it back, or process it "
                "with its content kept"
            ) from error

    def _check(self) -> None:
        stamp = self._source.stamp()
        if stamp is not None and stamp == self._record["stamp"]:
            return
        if self._source.digest != self.digest:
            raise SourceChanged(
                f"{self.uri} is not what it was when it was processed: process it again"
            )

    def record(self) -> dict[str, Any]:
        return self._record

    def __reduce__(self) -> Any:
        return Source.from_record, (self._record,)
