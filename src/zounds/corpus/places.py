"""URIs of sources as people read them, and as this machine finds them."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes


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


def is_within(uri: str, root: str) -> bool:
    """Return whether a URI is another one, or lies in the folder or archive that one names.

    Examples
    --------
    >>> is_within("zip:file:///s/a.zip!/b.wav", "file:///s"), is_within("file:///st", "file:///s")
    (True, False)
    """
    for place in (uri, uri.removeprefix("zip:")):
        if place == root or place.startswith((root.rstrip("/") + "/", root + "!/")):
            return True
    return False
