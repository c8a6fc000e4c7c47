"""URIs of sources as people read them, and as this machine finds them."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes
from zipfile import is_zipfile

from featureflow.source import FileSource


def local_path(uri: str) -> Path | None:
    """Return the file on this machine that a URI names, or None if it names something else.

    Examples
    --------
    >>> local_path("file:///sounds/a%20b.wav").as_posix()
    '/sounds/a b.wav'
    """
    if not uri.startswith("file://"):
        return None
    return Path(os.fsdecode(unquote_to_bytes(uri.removeprefix("file://"))))


def is_handed(uri: str) -> bool:
    """Return whether a URI stands for content that was handed over, and is nowhere else.

    Examples
    --------
    >>> is_handed("zip:data:,bytes#0a1b!/a.wav"), is_handed("zip:file:///s/a.zip!/b.wav")
    (True, False)
    """
    while uri.startswith("zip:"):
        uri = uri.removeprefix("zip:")
    return uri.startswith("data:")


def shown(uri: str) -> str:
    """Return a URI the way people write it.

    Examples
    --------
    >>> shown("zip:file:///sounds/a.zip!/kicks/1.wav")
    '/sounds/a.zip/kicks/1.wav'
    """
    if uri.startswith("zip:") and "!/" in uri:
        archive, _, member = uri.removeprefix("zip:").rpartition("!/")
        return f"{shown(archive)}/{unquote(member)}"
    path = local_path(uri)
    if path is not None:
        # a name that is not text would end whatever prints it
        return os.fsencode(path).decode(errors="replace")
    return uri


def into_archive(path: Path) -> str | None:
    """Return the URI of a member of an archive, from the path that `shown` writes.

    None where the path does not lead into an archive.
    """
    if not os.path.lexists(path):
        for archive in path.parents:
            if os.path.isfile(archive) and is_zipfile(archive):
                member = quote(os.fsencode(path.relative_to(archive).as_posix()))
                return f"zip:{FileSource(archive).uri}!/{member}"
    return None


def around(uri: str) -> Iterator[str]:
    """Yield a URI, that of the archive or folder it lies in, that around this one, and so on.

    In archives, they are also written as if the archive was a folder.

    Examples
    --------
    >>> list(around("zip:file:///a.zip!/b/c.wav"))[:3]
    ['zip:file:///a.zip!/b/c.wav', 'file:///a.zip/b/c.wav', 'file:///a.zip/b']
    >>> list(around("zip:file:///a.zip!/b/c.wav"))[3:]
    ['file:///a.zip', 'file:///']
    """
    while True:
        yield uri
        archive, found, member = uri.removeprefix("zip:").rpartition("!/")
        if uri.startswith("zip:") and found:
            inside = f"{archive}/{member}"
            while inside != archive:
                yield inside
                inside = inside.rpartition("/")[0]
            uri = archive
            continue
        uri = uri.rpartition("/")[0]
        if uri == "file://":
            yield "file:///"
        if "/" not in uri or uri.endswith((":/", "//")):
            return


def is_within(uri: str, roots: Container[str]) -> bool:
    """Return whether a URI, or a folder or archive it lies in, is among others.

    Examples
    --------
    >>> is_within("zip:file:///s/a.zip!/b.wav", {"file:///s"})
    True
    >>> is_within("file:///st", {"file:///s"})
    False
    """
    return any(place in roots for place in around(uri))
