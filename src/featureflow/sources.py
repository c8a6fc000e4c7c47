"""Where documents come from: files, URLs, members of zip archives, bytes and streams."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from featureflow.archives import ZipSource, iter_zip
from featureflow.downloads import cached, fetched
from featureflow.errors import InvalidParameter
from featureflow.source import FileSource, Source, leads_to

__all__ = ["FileSource", "Source", "SourceNode", "UrlSource", "ZipSource", "iter_zip"]


class UrlSource(Source):
    """What an ``http:`` or ``https:`` URL returns; downloaded when it is first opened.

    Parameters
    ----------
    url : str
    fresh : bool
        Whether the server is asked, at the first opening, for something newer than the copy that
        an earlier download has left.

    Raises
    ------
    InvalidParameter
        If `url` is none.
    """

    reopenable = True

    def __init__(self, url: str, fresh: bool = True) -> None:
        try:
            parts = urlsplit(url)
            if not parts.hostname:
                raise ValueError("it names no host")
        except ValueError as error:
            raise InvalidParameter(f"{url} is no URL: {error}") from None
        self._fresh = fresh
        super().__init__(url, posixpath.basename(unquote(parts.path)) or parts.netloc)

    def fetch(self) -> None:
        """See `Source.fetch`."""
        self._copy()

    def open(self) -> BinaryIO:
        """See `Source.open`."""
        return FileSource(self._copy()).open()

    def _copy(self) -> Path:
        path = fetched(self.uri, self._fresh)
        self._fresh = False
        return path

    def stamp(self) -> list[int] | None:
        """Return size [bytes] and time of modification [ns] of the copy; None if there is none."""
        copy = cached(self.uri)
        return FileSource(copy).stamp() if copy else None

    def __reduce__(self) -> Any:
        return UrlSource, (self.uri, False)


leads_to(UrlSource, "http", "https")


@dataclass(frozen=True)
class SourceNode:
    """Turns what was handed over into a `Source`; the root of graphs over files."""

    revision = 1

    def __call__(self, thing: Any, /) -> Source:
        """See `Source.of`."""
        return Source.of(thing)
