"""Where documents come from: files, URLs, members of zip archives, bytes and streams.

A `Source` names its content, opens it as often as needed, and knows whether it can be found
again by its URI alone. What cannot (bytes, streams, members of a downloaded archive) has to be
kept by whoever wants it later.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import urllib.error
import urllib.request
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from featureflow.errors import InvalidParameter, SourceChanged, SourceError, SourceNotFound
from featureflow.spool import PIECE, TemporaryFile, opened, spooled

_TIMEOUT = 60.0


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

    def open(self) -> BinaryIO:
        """Return the content as a new binary file, which can seek.

        Raises
        ------
        SourceNotFound
            If it is not there (any more).
        SourceError
            If it is there and cannot be read.
        """
        raise NotImplementedError

    def read(self) -> bytes:
        """Return the whole content; raises like `open`."""
        with self.open() as stream:
            return stream.read()

    def pieces(self) -> Iterator[bytes]:
        """Yield the content in pieces of a mebibyte; raises like `open`."""
        with self.open() as stream:
            while piece := stream.read(PIECE):
                yield piece

    @cached_property
    def digest(self) -> str:
        """str : BLAKE2b-128 of the content, in hexadecimal. Reads it, the first time."""
        state = hashlib.blake2b(digest_size=16)
        for piece in self.pieces():
            state.update(piece)
        return state.hexdigest()

    def record(self) -> dict[str, Any]:
        """Return what `from_record` needs to find the content again, and to know it is the same.

        Returns
        -------
        dict
            Of plain values, ready for JSON.
        """
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
            once: to memory, or to a temporary file where they are large.

        Raises
        ------
        SourceNotFound
            If a path leads nowhere.
        SourceError
            If it leads to a folder, or a stream cannot be read.
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
            source = _located(thing, None)
            if isinstance(source, FileSource):
                source.check()
            return source
        if isinstance(thing, str | os.PathLike):
            source = FileSource(Path(os.fsdecode(thing)))
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


class FileSource(Source):
    """A file on this machine."""

    reopenable = True

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        super().__init__("file://" + quote(os.fsencode(self.path.as_posix())), self.path.name)

    def check(self) -> None:
        """Raise `SourceError` unless there is a file."""
        if not self.path.exists():
            raise SourceNotFound(f"{self.path} does not exist: check the path")
        if self.path.is_dir():
            raise SourceError(f"{self.path} is a folder: give the files in it, one at a time")

    def open(self) -> BinaryIO:
        """See `Source.open`."""
        try:
            return self.path.open("rb")
        except FileNotFoundError:
            raise SourceNotFound(f"{self.path} does not exist (any more)") from None
        except OSError as error:
            raise SourceError(f"{self.path} cannot be read: {error.strerror}") from error

    def stamp(self) -> list[int]:
        """Return size [bytes] and time of modification [ns], which change with the content."""
        try:
            status = self.path.stat()
        except OSError:
            raise SourceNotFound(f"{self.path} does not exist (any more)") from None
        return [status.st_size, status.st_mtime_ns]


class UrlSource(Source):
    """What an ``http:`` or ``https:`` URL returns; downloaded when it is first opened."""

    reopenable = True

    def __init__(self, url: str) -> None:
        name = posixpath.basename(unquote(urlsplit(url).path))
        super().__init__(url, name or urlsplit(url).netloc)

    @cached_property
    def _content(self) -> bytes | TemporaryFile:
        request = urllib.request.Request(self.uri, headers={"User-Agent": "featureflow"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
                declared = response.headers.get("Content-Length")
                content = spooled(response, self.uri)
        except urllib.error.HTTPError as error:
            kind = SourceNotFound if error.code in (404, 410) else SourceError
            raise kind(f"{self.uri} answers {error.code} {error.reason}") from error
        except (OSError, ValueError) as error:
            raise SourceError(f"{self.uri} cannot be downloaded: {error}") from error
        if declared is not None and int(declared) != len(content):
            raise SourceError(
                f"{self.uri} broke off after {len(content)} of {declared} bytes: try again"
            )
        return content

    def open(self) -> BinaryIO:
        """See `Source.open`."""
        return opened(self._content)

    def __reduce__(self) -> Any:
        return UrlSource, (self.uri,)


class ZipSource(Source):
    """A member of a zip archive."""

    def __init__(self, archive: _Archive, info: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._info = info
        self.reopenable = archive.source.reopenable and not isinstance(archive.source, UrlSource)
        super().__init__(f"zip:{archive.source.uri}!/{quote(info.filename)}", info.filename)

    @property
    def size(self) -> int:
        """int [unit=bytes] : The declared size of the content."""
        return self._info.file_size

    def open(self) -> BinaryIO:
        """See `Source.open`; the member is unpacked to memory, or to a temporary file."""
        where = f"{self.name} in {self._archive.source.name}"
        try:
            with self._archive.zipfile.open(self._info) as stream:
                return opened(spooled(stream, where))
        except RuntimeError as error:  # what zipfile raises for a missing password
            raise SourceError(f"{where} cannot be unpacked: {error}") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise SourceError(f"{where} is damaged: {error}") from error

    def stamp(self) -> list[int] | None:
        """Return the stamp of the archive."""
        return self._archive.source.stamp()

    def __reduce__(self) -> Any:
        return _zip_member, (self._archive.source, self.name)


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
        return _located(self.uri, self.name)

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
    >>> import io
    >>> content = io.BytesIO()
    >>> with zipfile.ZipFile(content, "w") as archive:
    ...     archive.writestr("sounds/a.wav", b"RIFF")
    >>> [member.filename for member in iter_zip(content.getvalue())]
    ['sounds/a.wav']
    """
    opened = _Archive(Source.of(archive))
    # of members with the same name the last one counts, as when an archive is unpacked
    for info in {info.filename: info for info in opened.zipfile.infolist()}.values():
        parts = info.filename.split("/")
        if not (info.is_dir() or "__MACOSX" in parts or parts[-1].startswith("._")):
            yield ZipSource(opened, info)


class _Archive:
    """A zip archive that is opened once, in each process that reads from it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._opened: tuple[int, zipfile.ZipFile] | None = None

    @property
    def zipfile(self) -> zipfile.ZipFile:
        # after a fork the file's position is shared with the parent: each opens its own
        if self._opened is None or self._opened[0] != os.getpid():
            stream = self.source.open()
            try:
                self._opened = (os.getpid(), zipfile.ZipFile(stream))
            except (zipfile.BadZipFile, OSError, ValueError) as error:
                stream.close()
                raise SourceError(
                    f"{self.source.name} is not a zip archive that can be read: {error}"
                ) from error
            weakref.finalize(self, stream.close)
        return self._opened[1]


@lru_cache(maxsize=4)
def _archive_at(path: Path, stamp: tuple[int, ...]) -> _Archive:
    """Return the archive in a file; reading the directory of a large one takes a while."""
    return _Archive(FileSource(path))


def _zip_member(archive: Source, name: str) -> Source:
    if isinstance(archive, FileSource):
        opened = _archive_at(archive.path, tuple(archive.stamp()))
    else:
        opened = _Archive(archive)
    try:
        return ZipSource(opened, opened.zipfile.getinfo(name))
    except KeyError:
        raise SourceNotFound(f"{archive.name} holds no {name} (any more)") from None


def _scheme(text: str) -> str:
    scheme = text.partition(":")[0]
    return scheme if scheme in ("http", "https", "file", "zip", "data") and scheme != text else ""


def _located(uri: str, name: str | None) -> Source:
    """Return the source at a URI."""
    scheme = _scheme(uri)
    if scheme in ("http", "https"):
        return UrlSource(uri)
    if scheme == "file":
        return FileSource(Path(os.fsdecode(unquote_to_bytes(uri.removeprefix("file://")))))
    if scheme == "zip" and "!/" in uri:
        archive, _, member = uri.removeprefix("zip:").rpartition("!/")
        return _zip_member(_located(archive, None), unquote(member))
    raise SourceNotFound(
        f"{name or uri} was handed over as bytes or a stream and cannot be opened again"
    )


@dataclass(frozen=True)
class SourceNode:
    """Turns what was handed over into a `Source`; the root of graphs over files."""

    revision = 1

    def __call__(self, thing: Any, /) -> Source:
        """See `Source.of`."""
        return Source.of(thing)
