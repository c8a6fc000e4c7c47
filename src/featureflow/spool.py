"""Content that can be read once, made into content that can be opened again and again."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, BinaryIO, cast

PIECE = 1 << 20
IN_MEMORY = 64 << 20


class TemporaryFile:
    """A file that is deleted when nobody refers to it any more."""

    def __init__(self) -> None:
        handle, path = tempfile.mkstemp(prefix="featureflow-")
        os.close(handle)
        self.path = Path(path)
        weakref.finalize(self, self.path.unlink, missing_ok=True)

    def __len__(self) -> int:
        return self.path.stat().st_size

    def open(self) -> BinaryIO:
        """Return the content as a new binary file."""
        stream = self.path.open("rb")
        stream.owner = self  # type: ignore[attr-defined]  # keeps the file while it is read
        return stream


def spooled(stream: Any, name: str) -> bytes | TemporaryFile:
    """Read a stream to memory, or to a temporary file if it is large."""
    start = bytearray()
    while len(start) < IN_MEMORY:
        piece = stream.read(PIECE)
        if isinstance(piece, str):
            raise TypeError(f"{name} yields text")
        if not piece:
            return bytes(start)
        start += piece
    kept = TemporaryFile()
    with kept.path.open("wb") as target:
        target.write(start)
        shutil.copyfileobj(stream, target, PIECE)
    return kept


def opened(content: bytes | TemporaryFile) -> BinaryIO:
    """Return spooled content as a new binary file, which can seek."""
    return cast(BinaryIO, io.BytesIO(content)) if isinstance(content, bytes) else content.open()
