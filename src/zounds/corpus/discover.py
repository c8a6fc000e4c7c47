"""From what a user names to single sounds: folders, files, archives, URLs, and mixtures of them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import numpy as np

from featureflow.archives import iter_zip
from featureflow.errors import Error, InvalidParameter, SourceNotFound
from featureflow.source import FileSource, Source
from featureflow.spool import TemporaryFile
from zounds.corpus.outcome import Outcome
from zounds.corpus.places import into_archive

# By name, where the content is not looked at: what a folder holds besides would be reported as
# broken sounds otherwise.
_AUDIO = frozenset(
    {
        *("3gp", "8svx", "aac", "ac3", "aif", "aifc", "aiff", "amr", "ape", "au", "caf", "dts"),
        *("eac3", "flac", "gsm", "m4a", "m4b", "mka", "mkv", "mov", "mp1", "mp2", "mp3", "mp4"),
        *("mpc", "mpga", "oga", "ogg", "opus", "ra", "rf64", "snd", "sph", "spx", "tta", "voc"),
        *("w64", "wav", "wave", "webm", "wma", "wv"),
    }
)
_MAGIC = (b"RF64", b"fLaC", b"OggS", b"ID3", b"riff", b"caff", b".snd", b"wvpk", b"NIST")
# RIFF and IFF hold pictures and fonts of instruments as well: it takes the name of what is inside.
_FORMS = (
    *(b"RIFFWAVE", b"RIFXWAVE", b"RIFFAVI "),
    *(b"FORMAIFF", b"FORMAIFC", b"FORM8SVX", b"FORM16SV"),
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_ONE = (str, bytes, bytearray, memoryview, os.PathLike, Source, np.ndarray)


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

    Raises
    ------
    InvalidParameter
        If one is none of these; see `check`.
    """
    found = Found()
    search = _Search(found)
    for thing in things:
        search.look_at(thing)
    return found


def check(thing: Any) -> None:
    """Raise `InvalidParameter` for what can be no source; iterables are not looked into."""
    if isinstance(thing, np.ndarray):
        raise InvalidParameter(
            f"an array of shape {thing.shape} has no name and no place: give "
            "zounds.encode(samples, 'wav'), or save the samples and give the file"
        )
    if not (isinstance(thing, _ONE) or hasattr(thing, "read") or _is_several(thing)):
        Source.of(thing)  # says what can be given


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
        check(thing)
        path = _path(thing)
        try:
            if isinstance(thing, str) and not thing:
                raise SourceNotFound("an empty path leads nowhere: name a file or a folder")
            if path is not None and path.is_dir():
                self._found.roots.append(FileSource(path).uri)
                self._look_into(path)
                return
            source = Source.of((path and into_archive(path)) or path or thing)
        except (Error, OSError, ValueError) as error:
            if isinstance(error, InvalidParameter) and not isinstance(thing, str):
                raise
            name = path.name if path else thing if isinstance(thing, str) else type(thing).__name__
            # what leads to nothing that could be looked at again is not remembered
            known = path is not None and not isinstance(error, SourceNotFound)
            listed = self._found.failed if known else self._found.absent
            listed.append(_failure(_uri(path) if path else name, name, error))
            return
        self._look_at_source(source)

    def _look_at_source(self, source: Source) -> None:
        try:
            source.fetch()
            if not source.reopenable:
                # without a place of its own, it is told by its digest
                source = Handed(source, f"{source.uri}#{source.digest}")
            self._add(source)
        except (Error, OSError, ValueError) as error:
            failure = _failure(source.uri, source.name, error)
            # a server may have it tomorrow; a file that is not there is a slip of the pen
            if isinstance(error, SourceNotFound) and not source.uri.startswith("http"):
                self._found.absent.append(failure)
                return
            self._found.failed.append(failure)
        if source.reopenable:
            self._found.roots.append(source.uri)

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
        source = FileSource(path)
        if _ending(path.name) == "zip":
            self._add(source)
        elif _is_sound(source):
            self._take(source)
        else:
            self._found.others += 1

    def _add(self, source: Source) -> None:
        """Add a source, or the members of an archive."""
        if not source.start(4).startswith(_ZIP):
            self._take(source)
            return
        archive = source if source.reopenable else _Spooled(source)
        members = list(iter_zip(archive))
        self._found.opened.add(source.uri)
        for member in members:
            try:
                if _ending(member.name) == "zip":
                    self._fail(member.uri, member.name, "an archive in an archive: unpack it first")
                elif not _is_sound(member):
                    self._found.others += 1
                elif archive is source:
                    self._take(member)
                else:
                    self._take(Handed(member, member.uri.replace(archive.uri, source.uri, 1)))
            except (Error, OSError) as error:
                self._fail(member.uri, member.name, error)

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
    plain = isinstance(thing, _ONE)
    return not plain and hasattr(thing, "__iter__") and not hasattr(thing, "read")


def _ending(name: str) -> str:
    return PurePath(name).suffix.lower().removeprefix(".")


def _is_sound(source: Source) -> bool:
    """Whether a source claims to be a sound, by its name or its first bytes."""
    if _ending(source.name) in _AUDIO:
        return True
    start = source.start(12)
    return start.startswith(_MAGIC) or start[:4] + start[8:] in _FORMS


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
