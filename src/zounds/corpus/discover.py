"""From what a user names to single sounds: folders, files, archives, URLs, and mixtures of them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from featureflow.archives import iter_zip
from featureflow.errors import Error, SourceError, SourceNotFound
from featureflow.source import FileSource, Source
from featureflow.spool import TemporaryFile
from zounds.corpus.outcome import Outcome

# By name, where the content is not looked at: what a folder holds besides would be reported as
# broken sounds otherwise.
_AUDIO = frozenset(
    {
        *("3gp", "8svx", "aac", "ac3", "aif", "aifc", "aiff", "amr", "ape", "au", "caf", "dts"),
        *("eac3", "flac", "gsm", "m4a", "m4b", "mka", "mp1", "mp2", "mp3", "mp4", "mpc", "mpga"),
        *("oga", "ogg", "opus", "ra", "rf64", "snd", "spx", "tta", "voc", "w64", "wav", "wave"),
        *("webm", "wma", "wv"),
    }
)
_MAGIC = (b"RIFF", b"RF64", b"FORM", b"fLaC", b"OggS", b"ID3", b"riff", b"caff", b".snd", b"wvpk")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass
class Found:
    """What was found.

    Attributes
    ----------
    sources : list of Source
        Sounds, or what claims to be; each once.
    failed : list of Outcome
        What could not be looked into.
    absent : list of Outcome
        What was named, and is not there.
    opened : set of str
        The URIs of the folders and archives that were looked into.
    roots : list of str
        The URIs of the folders, archives and files that were named, to look at again.
    others : int
        How many files were passed over, since they are no sounds.
    """

    sources: list[Source] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)
    absent: list[Outcome] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)
    roots: list[str] = field(default_factory=list)
    others: int = 0


def discover(things: Iterable[Any]) -> Found:
    """Return the sounds in folders, archives, URLs and whatever else has content.

    Folders are searched with their subfolders, in the order of names; hidden files are left out,
    and so are those that are no sounds by name and by their first bytes. Archives are listed and
    not unpacked; URLs are downloaded.

    Parameters
    ----------
    things : iterable
        Of paths, URLs, bytes, binary files, sources, and iterables of these.

    Returns
    -------
    Found
    """
    found = Found()
    search = _Search(found)
    for thing in things:
        search.look_at(thing)
    return found


class _Search:
    def __init__(self, found: Found) -> None:
        self._found = found
        self._uris: set[str] = set()
        self._folders: set[tuple[int, int]] = set()

    def look_at(self, thing: Any) -> None:
        """Add what a thing that was named holds."""
        if _is_several(thing):
            for one in thing:
                self.look_at(one)
            return
        path = _path(thing)
        name = path.name if path else thing if isinstance(thing, str) else type(thing).__name__
        try:
            if isinstance(thing, str) and not thing:
                raise SourceNotFound("an empty path leads nowhere: name a file or a folder")
            if path is not None and path.is_dir():
                self._found.roots.append(FileSource(path).uri)
                self._look_into(path)
                return
            source = Source.of(path or thing)
            name = source.name
            source.fetch()
            if not source.reopenable:
                # without a place of its own, it is told by its digest
                source = Handed(source, f"{source.uri}#{source.digest}")
            self._add(source)
            if source.reopenable:
                self._found.roots.append(source.uri)
        except (Error, OSError, ValueError) as error:
            uri = _uri(path) if path else getattr(thing, "uri", name)
            listed = self._found.absent if isinstance(error, SourceNotFound) else self._found.failed
            listed.append(_failure(uri, name, error))

    def _look_into(self, folder: Path) -> None:
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in self._folders:
                return  # a link that leads back
            self._folders.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            self._fail(FileSource(folder).uri, folder.name, error)
            return
        self._found.opened.add(FileSource(folder).uri)
        if any(entry.name == "corpus.json" and _is_card(entry.path) for entry in entries):
            return  # a corpus: what is in there was made of sounds
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            path = folder / entry.name
            try:
                if entry.is_dir():
                    self._look_into(path)
                elif stat.S_ISREG(entry.stat().st_mode):
                    self._add_by_content(path)
                else:
                    self._found.others += 1
            except (Error, OSError) as error:
                self._fail(FileSource(path).uri, entry.name, error)

    def _add_by_content(self, path: Path) -> None:
        ending = path.suffix.lower().removeprefix(".")
        source = FileSource(path)
        if ending in _AUDIO:
            self._take(source)
        elif ending == "zip" or _start(source).startswith(_MAGIC):
            self._add(source)
        else:
            self._found.others += 1

    def _add(self, source: Source) -> None:
        """Add a source, or the members of an archive."""
        if not _start(source).startswith(_ZIP):
            self._take(source)
            return
        archive = source if source.reopenable else _Spooled(source)
        members = list(iter_zip(archive))
        self._found.opened.add(source.uri)
        for member in members:
            ending = member.name.rpartition(".")[2].lower()
            if archive is not source:
                member = Handed(member, member.uri.replace(archive.uri, source.uri, 1))
            if ending in _AUDIO:
                self._take(member)
            elif ending == "zip":
                self._fail(member.uri, member.name, "an archive in an archive: unpack it first")
            else:
                self._found.others += 1

    def _take(self, source: Source) -> None:
        if source.uri not in self._uris:
            self._uris.add(source.uri)
            self._found.sources.append(source)

    def _fail(self, uri: str, name: str, error: object) -> None:
        self._found.failed.append(_failure(uri, name, error))


class Handed(Source):
    """Content that was handed over, or is in an archive that was.

    Parameters
    ----------
    source : Source
        Has the content.
    uri : str
        Stands for it.
    """

    def __init__(self, source: Source, uri: str) -> None:
        super().__init__(uri, source.name)
        self._source = source

    @cached_property
    def digest(self) -> str:
        """str : See `Source.digest`."""
        return self._source.digest

    def open(self) -> BinaryIO:
        """See `Source.open`."""
        return self._source.open()

    def stamp(self) -> list[int]:
        """Return the same for ever: other content has another URI."""
        return []


class _Spooled(FileSource):
    """An archive that was handed over, in a file that workers open, too."""

    def __init__(self, source: Source) -> None:
        self._kept = TemporaryFile()
        with self._kept.path.open("wb") as target:
            for piece in source.pieces():
                target.write(piece)
        super().__init__(self._kept.path)
        self.name = source.name

    def stamp(self) -> None:  # type: ignore[override]
        """Return None: nobody is to keep it, for the file is deleted after use."""

    def __reduce__(self) -> Any:
        return _spooled, (self.path, self.name)


def _spooled(path: Path, name: str) -> Source:
    source = FileSource(path)
    source.name = name
    return source


def _is_card(path: str) -> bool:
    """Whether a file is what a corpus has, and not another one of that name."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(1 << 12))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and {"format", "preset", "store"} <= found.keys()


def _failure(uri: str, name: str, error: object) -> Outcome:
    why = getattr(error, "strerror", None) if isinstance(error, OSError) else None
    text = str(why or error)
    return Outcome(uri, name, "failed", one_line(text if name in text else f"{name}: {text}"))


def one_line(message: object) -> str:
    """Return a message as one line that can be printed."""
    return " ".join(str(message).split()).encode(errors="replace").decode()


def _is_several(thing: Any) -> bool:
    plain = isinstance(
        thing, str | bytes | bytearray | memoryview | os.PathLike | Source | np.ndarray
    )
    return not plain and hasattr(thing, "__iter__") and not hasattr(thing, "read")


def _path(thing: Any) -> Path | None:
    if isinstance(thing, str) and (not thing or "://" in thing):
        return None
    if isinstance(thing, str | os.PathLike):
        return Path(os.path.abspath(os.path.expanduser(os.fsdecode(thing))))
    return None


def _uri(path: Path) -> str:
    try:
        return FileSource(path).uri
    except ValueError:  # no file can have this name
        return str(path)


def _start(source: Source) -> bytes:
    try:
        with source.open() as stream:
            return stream.read(4)
    except OSError as error:
        raise SourceError(f"{source.name} cannot be read: {error.strerror}") from error
