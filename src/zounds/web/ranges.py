"""Parts of files, as HTTP has them: `Range`, `If-Range`, `If-None-Match`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from zounds.web.refusal import Refused

_FOREVER = "private, max-age=31536000, immutable"
_MOST_DIGITS = 30


class Part(Protocol):
    """Content of which any part can be had."""

    @property
    def media_type(self) -> str:
        """str : Of the content."""
        ...

    @property
    def size(self) -> int:
        """int [unit=bytes] : Of all of it."""
        ...

    def pieces(self, begin: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `begin` to `end`."""
        ...


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the range that is asked for, from its first byte to beyond its last.

    Parameters
    ----------
    header : str or None
        The value of `Range`.
    size : int [unit=bytes]
        Of the whole.

    Returns
    -------
    (int, int) or None
        None for all of it: also where the header asks for nothing that HTTP knows, or for
        several ranges, which a server may leave aside.

    Raises
    ------
    Refused
        If nothing of it is there.

    Examples
    --------
    >>> byte_range("bytes=2-5", 10), byte_range("bytes=-3", 10), byte_range("bytes=5-2", 10)
    ((2, 6), (7, 10), None)
    """
    found = re.fullmatch(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", header or "", re.ASCII | re.I)
    if found is None or found.group(1) == found.group(2) == "":
        return None
    first, last = (_number(text) for text in found.groups())
    if first is None:
        begin, end = max(0, size - (last or 0)), size
    else:
        if last is not None and last < first:
            return None
        begin, end = first, size if last is None else min(last + 1, size)
    if begin >= size or begin >= end:
        raise Refused(
            416,
            "unsatisfiable",
            f"Range: {str(header)[:80]} is beyond the end: there are {size} bytes",
            Content_Range=f"bytes */{size}",
        )
    return begin, end


def _number(text: str) -> int | None:
    return None if not text else int(text[:_MOST_DIGITS])


def respond(
    request: Request, part: Part, tag: str, name: str | None = None, immutable: bool = False
) -> Response:
    """Return the answer with a file, or with the part of it that is asked for.

    Parameters
    ----------
    request : Request
    part : Part
    tag : str
        What tells the content from others.
    name : str or None
        What to save it as; None to show it.
    immutable : bool
        Whether this address will never lead to anything else.
    """
    etag = f'"{tag}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": _FOREVER if immutable else "private, no-cache",
    }
    if name is not None:
        headers["Content-Disposition"] = disposition(name)
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    wanted = None
    if request.headers.get("if-range", etag) == etag:
        wanted = byte_range(request.headers.get("range"), part.size)
    begin, end = wanted or (0, part.size)
    headers["Content-Length"] = str(end - begin)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{part.size}"
    status = 200 if wanted is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=part.media_type)
    pieces = part.pieces(begin, end)
    # what is wrong shows with the first piece, while there is still a status to tell it with
    first = next(pieces, b"")
    return StreamingResponse(
        itertools.chain((first,), pieces),
        status_code=status,
        headers=headers,
        media_type=part.media_type,
    )


def _matches(header: str | None, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in (header or "").split(",")}
    return etag in tags or "*" in tags


def disposition(name: str) -> str:
    """Return the header that gives a download its name."""
    plain = re.sub(r'[^ -~]|["\\%]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
