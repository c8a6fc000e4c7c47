"""What an index consists of at one moment: a small file that is replaced in one step."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from featureflow.codec import content_digest
from featureflow.errors import CorruptRecord, FormatError

NAME = "manifest.json"

_FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """A segment.

    Parameters
    ----------
    file : str
        Its name.
    seal : str
        See `columns.seal`.
    documents, codes : int
        How many there are, with those that were removed.
    removed : tuple of int
        The numbers of the documents that were removed since it was written: its tombstones.
    dead : int
        How many codes these have.
    """

    file: str
    seal: str
    documents: int
    codes: int
    removed: tuple[int, ...] = ()
    dead: int = 0


@dataclass(frozen=True)
class Manifest:
    """An index at one moment.

    Parameters
    ----------
    fingerprint : str
        The identity of the computation of the codes.
    bits : int
        The length of a code.
    generation : int
        How often the index has changed.
    segments : tuple of Entry
    """

    fingerprint: str
    bits: int
    generation: int = 0
    segments: tuple[Entry, ...] = field(default=())

    def next(self, *segments: Entry) -> Manifest:
        """Return the next generation, of these segments."""
        return replace(self, generation=self.generation + 1, segments=segments)


def stamp(folder: Path) -> tuple[int, int, int] | None:
    """Return what changes whenever the manifest is replaced; None where there is none."""
    try:
        status = (folder / NAME).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def read(folder: Path) -> Manifest | None:
    """Return the manifest of a folder; None where there is none.

    Raises
    ------
    FormatError
        If a newer version has written it.
    CorruptRecord
        If it is not what was written.
    """
    path = folder / NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        content = json.loads(text)
        found, digest = content["format"], content.pop("digest")
        if isinstance(found, int) and found > _FORMAT:
            raise FormatError(
                f"{path} is written in format {found}, and this version of zounds reads format "
                f"{_FORMAT}: upgrade zounds, or give another folder"
            )
        if found != _FORMAT or digest != content_digest(_text(content)):
            raise ValueError("it is not what was written")
        segments = [
            Entry(**{**entry, "removed": tuple(entry["removed"])}) for entry in content["segments"]
        ]
        named = {name: content[name] for name in ("fingerprint", "bits", "generation")}
        return Manifest(**named, segments=tuple(segments))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptRecord(f"{path} cannot be used ({error}): build the index again") from error


def write(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest, all or nothing; the segments it names are there."""
    content = {"format": _FORMAT, **asdict(manifest)}
    draft = folder / f".{NAME}.{secrets.token_hex(4)}"
    with draft.open("w", encoding="utf-8") as file:
        digest = content_digest(_text(content))
        file.write(json.dumps({**content, "digest": digest}, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    sync(folder)  # names of segments come before the manifest that names them
    draft.replace(folder / NAME)
    sync(folder)


def sync(folder: Path) -> None:
    """Have the names in a folder on disk."""
    with contextlib.suppress(OSError):  # not a thing on every system
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _text(content: dict[str, object]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
