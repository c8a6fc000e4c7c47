"""A set of sounds as one file: an archive, a playlist, or a table."""

from __future__ import annotations

import csv
import io
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import featureflow as ff
from featureflow.sources import Source

MOST_FILES = 10_000
COLUMNS = (
    *("id", "name", "folder", "path", "uri"),
    *("seconds", "samplerate", "channels", "code"),
)

_PIECE = 1 << 18
_EPOCH = (1980, 1, 1, 0, 0, 0)


def table(documents: Iterable[dict[str, Any]]) -> bytes:
    """Return a table in CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for document in documents:
        writer.writerow([document[column] for column in COLUMNS])
    return text.getvalue().encode("utf-8")


def playlist(documents: Sequence[dict[str, Any]]) -> tuple[bytes, int]:
    """Return a playlist in M3U, and how many have no place in it."""
    lines = ["#EXTM3U"]
    left_out = 0
    for document in documents:
        place = document["path"] or document["uri"]
        if document["path"] is None and not place.startswith(("http://", "https://")):
            left_out += 1
            continue
        if "\n" in place or "\r" in place:
            left_out += 1
            continue
        name = " ".join(document["name"].split())
        lines += [f"#EXTINF:{round(document['seconds'])},{name}", place]
    return ("\n".join(lines) + "\n").encode("utf-8"), left_out


def archive(
    documents: Iterable[dict[str, Any]], source_of: Callable[[str], Source]
) -> Iterator[bytes]:
    """Yield a zip archive of the files, as they are; a list in it names those that are gone."""
    out = _Out()
    taken: set[str] = set()
    troubles: list[str] = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as archived:
        for document in documents:
            try:
                source = source_of(document["id"])
                with source.open() as stream:
                    name = _member(document, taken)
                    info = zipfile.ZipInfo(name, _EPOCH)
                    info.external_attr = 0o644 << 16
                    with archived.open(info, "w", force_zip64=True) as member:
                        while piece := stream.read(_PIECE):
                            member.write(piece)
                            yield out.take()
            except (ff.Error, OSError) as error:
                troubles.append(f"{document['name']}: {error}")
            yield out.take()
        if troubles:
            archived.writestr("not-here.txt", "\n".join(troubles) + "\n")
    yield out.take()


def _member(document: dict[str, Any], taken: set[str]) -> str:
    """Return a name for a file in an archive: safe everywhere, and its own."""
    parts = [*document["folder"].split("/"), document["name"]]
    safe = [re.sub(r'[\x00-\x1f<>:"|?*\\/]', "_", part).strip(". ") for part in parts]
    name = "/".join(part for part in safe if part) or "sound"
    stem, ending = posixpath.splitext(name)
    number = 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem} ({number}){ending}"
    taken.add(name.casefold())
    return name


class _Out(io.RawIOBase):
    """A file that is read while it is written."""

    def __init__(self) -> None:
        self._parts = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._parts)
        self._parts.clear()
        return taken
