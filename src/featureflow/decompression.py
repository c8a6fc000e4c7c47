"""The methods by which members of zip archives are compressed, unpacked piece by piece."""

from __future__ import annotations

import bz2
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Protocol

from featureflow.spool import IN_MEMORY


class Decompressor(Protocol):
    """What bz2 and lzma have in common."""

    @property
    def eof(self) -> bool:
        """Bool : Whether there is no more to come."""
        ...

    @property
    def needs_input(self) -> bool:
        """Bool : Whether it has nothing left to unpack."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most so many bytes of what was compressed."""
        ...


class _Stored:
    eof = False
    needs_input = True

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return data


class _Deflated:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class _Lzma:
    def __init__(self) -> None:
        self._inner: lzma.LZMADecompressor | None = None

    @property
    def eof(self) -> bool:
        return self._inner is not None and self._inner.eof

    @property
    def needs_input(self) -> bool:
        return self._inner is None or self._inner.needs_input

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._inner is None:
            size, packed, window = struct.unpack_from("<2xHBI", data)
            rest, lc = divmod(packed, 9)
            pb, lp = divmod(rest, 5)
            # the window is what memory it needs, and the archive's to choose
            window = min(window, IN_MEMORY)
            options = {"id": lzma.FILTER_LZMA1, "dict_size": window, "lc": lc, "lp": lp, "pb": pb}
            self._inner = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options])
            data = data[4 + size :]
        return self._inner.decompress(data, max_length)


DAMAGED = (zlib.error, lzma.LZMAError)
"""What they raise of their own, where something cannot be unpacked."""

METHODS: dict[int, Callable[[], Decompressor]] = {
    zipfile.ZIP_STORED: _Stored,
    zipfile.ZIP_DEFLATED: _Deflated,
    zipfile.ZIP_BZIP2: bz2.BZ2Decompressor,
    zipfile.ZIP_LZMA: _Lzma,
}
"""How to unpack, by the number of the method in the archive."""
