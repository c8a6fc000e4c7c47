"""What a store is: bytes under keys."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Protocol, runtime_checkable
from urllib.parse import quote

from featureflow.errors import FormatError, InvalidParameter

FORMAT_KEY = "format"
FORMAT = b"featureflow 1"

_LONGEST_PART = 100
_PLAIN = re.compile(rf"[A-Za-z0-9_.~-]{{1,{_LONGEST_PART}}}").fullmatch  # what stays as it is


class StringDelimitedKeyBuilder:
    """Puts the parts of a key together, delimited by ``/``.

    Keys are ASCII: whatever else a part holds is percent-encoded. A part that is too long for
    a key (LMDB takes 511 bytes) is cut, and a digest of all of it put in its place.

    Examples
    --------
    >>> StringDelimitedKeyBuilder().build("documents", "küche/1")
    'documents/k%C3%BCche%2F1'
    """

    def build(self, *parts: str) -> str:
        """Return the key of `parts`."""
        return "/".join([part if _PLAIN(part) else _part(part) for part in parts])

    def prefix(self, *parts: str) -> str:
        """Return what all keys that start with `parts` start with."""
        return self.build(*parts) + "/"


@lru_cache(maxsize=4096)
def _part(text: str) -> str:
    if not text:
        raise InvalidParameter("a part of a key is empty: give ids and names of one letter or more")
    encoded = quote(text, safe="", errors="surrogatepass")
    if len(encoded) <= _LONGEST_PART:
        return encoded
    digest = hashlib.blake2b(encoded.encode(), digest_size=16).hexdigest()
    return f"{encoded[: _LONGEST_PART - 33]}~{digest}"


@runtime_checkable
class Store(Protocol):
    """Bytes under '/'-separated ASCII keys.

    A write is all or nothing: readers see all of its records or none. A store that is not only
    in memory pickles by its location.
    """

    key_builder: StringDelimitedKeyBuilder

    def read(self, key: str) -> bytes:
        """Return the bytes under `key`; raise KeyError where there are none."""
        ...

    def write(self, records: Mapping[str, bytes]) -> None:
        """Put each value under its key, replacing what is there."""
        ...

    def delete(self, *prefixes: str) -> int:
        """Delete every key that starts with one of `prefixes`; return how many there were."""
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that start with `prefix`, in order.

        The store may be written to meanwhile; keys that come or go then may or may not appear.
        """
        ...

    def __contains__(self, key: str) -> bool: ...

    def close(self) -> None:
        """Let go of files and connections; the next call opens them again."""
        ...


def as_bytes(key: str) -> bytes:
    """Return a key as bytes; raise `InvalidParameter` if it is empty or not ASCII."""
    if not key or not key.isascii():
        raise InvalidParameter(
            f"{key!r} cannot be a key: keys are ASCII and not empty, as a key builder makes them"
        )
    return key.encode("ascii")


def check_format(found: bytes, where: str) -> None:
    """Raise `FormatError` unless the store at `where` is in a format this version reads."""
    name, _, version = found.partition(b" ")
    if name != FORMAT.partition(b" ")[0] or not version.isdigit():
        raise FormatError(f"{where} is not a store of featureflow: give another path")
    if found != FORMAT:
        raise FormatError(
            f"{where} is written in format {int(version)}, and this version of featureflow reads "
            f"format {int(FORMAT.split()[1])}: upgrade zounds, or give another path"
        )
