"""A folder of downloads: each URL once, whole, for every process on this machine.

What broke off is resumed where the server lets it, also after the process was killed. A copy
appears by being renamed, so that nobody reads half of one.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import posixpath
import re
import string
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from filelock import FileLock

from featureflow.errors import SourceError, SourceNotFound

_TIMEOUT = 60.0  # s
_PIECE = 1 << 18
_ATTEMPTS = 6
_PAUSE = 0.5  # s, times the number of attempts
_COMPRESSED = {"br", "compress", "deflate", "gzip", "x-gzip", "zstd"}
_BROKEN = (OSError, http.client.HTTPException)


def folder() -> Path:
    """Return where downloads are kept: ``featureflow`` in `$XDG_CACHE_HOME`, or ``~/.cache``."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    return Path(chosen if os.path.isabs(chosen) else os.path.expanduser("~/.cache"), "featureflow")


def cached(url: str) -> Path | None:
    """Return the copy of what a URL returned, or None where there is no whole one."""
    return _Entry(url).copy()


def fetched(url: str, fresh: bool = True) -> Path:
    """Return a copy of what a URL returns, downloaded where there is none.

    Several processes that want the same at once share one download.

    Parameters
    ----------
    url : str
        With ``http:`` or ``https:``.
    fresh : bool
        Whether to ask the server for something newer than the copy. If it cannot be reached,
        the copy is as good as it was.

    Returns
    -------
    Path
        A file that is replaced when there is something newer, and never written to.

    Raises
    ------
    SourceNotFound
        If the server says that there is nothing.
    SourceError
        If it cannot be downloaded, or the folder of downloads cannot hold it.
    """
    entry = _Entry(url)
    copy, stamp = entry.copy(), entry.stamp()
    if copy and not fresh:
        return copy
    lock = FileLock(entry.beside(".lock"))
    with _disk(entry.folder):
        entry.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
    try:
        copy = entry.copy()
        # what another process has brought while this one waited is fresh
        if copy and (not fresh or entry.stamp() != stamp):
            return copy
        return _brought(entry)
    finally:
        lock.release()


class _Entry:
    """The files of one URL: the copy, a part of the next one, and notes on each."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.folder = folder()
        ending = posixpath.splitext(unquote(urlsplit(url).path))[1]
        digest = hashlib.blake2b(url.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        self._name = digest + (ending if re.fullmatch(r"\.[A-Za-z0-9]{1,10}", ending) else "")
        self.path = self.beside("")
        self.part = self.beside(".part")

    def beside(self, ending: str) -> Path:
        return self.folder / (self._name + ending)

    def notes(self, file: Path) -> dict[str, Any]:
        """Return what the server said of a file, or {} where that is not known."""
        try:
            notes = json.loads(_notes_of(file).read_bytes())
        except (OSError, ValueError):
            return {}
        return notes if isinstance(notes, dict) else {}

    def note(self, file: Path, notes: dict[str, Any]) -> None:
        fresh = self.beside(".notes")
        fresh.write_text(json.dumps({**notes, "url": self.url}))
        fresh.replace(_notes_of(file))

    def copy(self) -> Path | None:
        stamp = self.stamp()
        return self.path if stamp and self.notes(self.path).get("length") == stamp[1] else None

    def stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def begin(self, start: int, notes: dict[str, Any]) -> None:
        """Cut the part to what is kept of it; at no time do notes stand by what they are not of."""
        with _disk(self.folder):
            _notes_of(self.part).unlink(missing_ok=True)
            if start:
                os.truncate(self.part, start)
            else:
                self.part.write_bytes(b"")
            self.note(self.part, notes)

    def finish(self, notes: dict[str, Any]) -> Path:
        """Make the part the copy; who is killed in between leaves none, as it has no notes."""
        with _disk(self.folder):
            for file in (self.path, self.part):
                _notes_of(file).unlink(missing_ok=True)
            self.part.replace(self.path)
            self.note(self.path, {**notes, "length": _size(self.path)})
        return self.path


def _notes_of(file: Path) -> Path:
    return file.with_name(file.name + ".json")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


@contextmanager
def _disk(place: Path) -> Iterator[None]:
    """Tell failures of this machine's disk from those of the network."""
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"downloads cannot be kept in {place}: {error.strerror or error}; make room for them, "
            "or name another folder in the environment variable XDG_CACHE_HOME"
        ) from error


@dataclass
class _Answer:
    """A response that can be read, and where in the part its content belongs."""

    response: Any
    start: int
    notes: dict[str, Any]


def _brought(entry: _Entry) -> Path:
    """Return the copy, once it is what the server has."""
    reached, length, why = 0, None, ""
    for attempt in range(_ATTEMPTS):
        time.sleep(_PAUSE * attempt)
        try:
            answer = _answered(entry)
        except (*_BROKEN, ValueError) as error:
            if attempt:
                why = str(error)
                break
            if copy := entry.copy():
                return copy
            raise SourceError(f"{entry.url} cannot be downloaded: {error}") from error
        if answer is None:
            return entry.path
        why = _received(entry, answer)
        before, reached = reached, _size(entry.part)
        length = answer.notes["length"]
        if not why and length in (None, reached):
            return entry.finish(answer.notes)
        if reached <= before:
            break
    of = f" of {length}" if length else ""
    raise SourceError(
        f"{entry.url} broke off after {reached}{of} bytes{why and f' ({why})'}: try again"
    )


def _received(entry: _Entry, answer: _Answer) -> str:
    """Append what comes to the part; return why it ended early, where that is known."""
    with answer.response as response:
        entry.begin(answer.start, answer.notes)
        with _disk(entry.folder):
            part = entry.part.open("ab", buffering=0)
        with part:
            while True:
                why = ""
                try:
                    piece = response.read(_PIECE)
                except http.client.IncompleteRead as error:
                    piece, why = error.partial, str(error)
                except _BROKEN as error:
                    return str(error)
                rest = memoryview(piece)
                with _disk(entry.folder):
                    while rest:
                        rest = rest[part.write(rest) :]
                    if why or not piece:
                        os.fsync(part.fileno())
                        return why


def _answered(entry: _Entry) -> _Answer | None:
    """Ask for what is missing; None where the copy is what the server has."""
    notes = entry.notes(entry.part)
    start = _kept(entry, notes)
    response = _asked(entry, notes, start)
    if start and response and response.status == http.client.PARTIAL_CONTENT:
        length = _length_if_continued(response, notes, start)
        if length:
            return _Answer(response, start, {**notes, "length": length})
        response.close()
        response = _asked(entry, {}, 0)
    if response is None:
        return None
    if response.status == http.client.PARTIAL_CONTENT:
        response.close()
        raise SourceError(f"{entry.url} answers with a part when asked for the whole")
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in _COMPRESSED:
        response.close()
        raise SourceError(
            f"{entry.url} answers in the encoding {encoding} though asked not to: download it "
            "with another program, and give the file"
        )
    return _Answer(response, 0, _described(response))


def _asked(entry: _Entry, notes: dict[str, Any], start: int) -> Any:
    """Return the server's response, or None where it says that the copy is what it has."""
    headers = {"User-Agent": "featureflow", "Accept-Encoding": "identity"}
    if entry.copy():
        known = entry.notes(entry.path)
        conditions = {
            "If-None-Match": known.get("etag"),
            "If-Modified-Since": known.get("modified"),
        }
        headers |= {name: value for name, value in conditions.items() if value}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": _validator(notes)}
    url = quote(entry.url, safe=string.punctuation)
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.NOT_MODIFIED and entry.copy():
            return None
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            return _asked(entry, {}, 0)
        kind = SourceNotFound if error.code in (404, 410) else SourceError
        reason = " ".join(str(error.reason).split())
        raise kind(f"{entry.url} answers {error.code} {reason}") from error


def _kept(entry: _Entry, notes: dict[str, Any]) -> int:
    """Return how much of the part can be gone on from [bytes]."""
    size, length = _size(entry.part), notes.get("length")
    if not notes or not _validator(notes) or (length is not None and size > length):
        return 0
    # nothing can be asked for behind the end: what is whole but for its name asks for a byte again
    return size if length is None else min(size, max(length - 1, 0))


def _described(response: Any) -> dict[str, Any]:
    """Return what a response says of its content: ``etag``, ``modified``, ``length``."""
    modified = response.headers.get("Last-Modified")
    try:
        age = parsedate_to_datetime(response.headers["Date"]) - parsedate_to_datetime(modified)
        settled = age.total_seconds() >= 1
    except (TypeError, ValueError):
        settled = False
    return {
        "etag": response.headers.get("ETag"),
        # what was modified in this very second may be so again, and the header would be the same
        "modified": modified if settled else None,
        "length": response.length,
    }


def _validator(notes: dict[str, Any]) -> str:
    """Return what vouches that two responses are of the same bytes; "" where nothing does."""
    etag, modified = notes.get("etag") or "", notes.get("modified") or ""
    return modified if etag.startswith("W/") else etag or modified


def _length_if_continued(response: Any, notes: dict[str, Any], start: int) -> int:
    """Return the whole length, or 0 unless a response goes on where the part ends [bytes]."""
    given = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
    if not given:
        return 0
    first, last, length = map(int, given.groups())
    same = (
        first == start <= last < length
        and response.length in (None, last - first + 1)
        and notes.get("length") in (None, length)
        and (not notes.get("etag") or response.headers.get("ETag") in (None, notes["etag"]))
    )
    return length if same else 0
