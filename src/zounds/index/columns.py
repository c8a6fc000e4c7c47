"""A file of arrays that is mapped into memory, and told from one that was damaged.

::

    uint32 little-endian: length of the head | head, JSON, padded with spaces | arrays | digests

The head has the dtype, shape and place of each array; each begins at a multiple of 64. After them
comes a BLAKE3 digest for each chunk of 256 KiB before, and the digest of those digests is the
*seal* of the file, kept elsewhere. Opening it reads the digests only. A chunk is compared with its
digest when it is used for the first time.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from featureflow.errors import CorruptRecord

Array = npt.NDArray[Any]

_HEAD = struct.Struct("<I")
_ALIGNMENT = 64
_CHUNK = 1 << 18
_DIGEST = 16


def seal(path: Path, arrays: dict[str, Array]) -> str:
    """Write arrays to a new file; return its seal. It is on disk when this returns.

    Parameters
    ----------
    path : Path
    arrays : dict
        Of numbers, in little-endian order.
    """
    table: dict[str, Any] = {}
    at = 0
    for name, array in arrays.items():
        table[name] = {"dtype": array.dtype.str, "shape": list(array.shape), "at": at}
        at += array.nbytes + -array.nbytes % _ALIGNMENT
    head = json.dumps({"arrays": table, "size": at}, separators=(",", ":")).encode()
    head += b" " * (-(_HEAD.size + len(head)) % _ALIGNMENT)
    with path.open("wb") as file:
        out = _Sealing(file)
        out.write(_HEAD.pack(len(head)) + head)
        for array in arrays.values():
            out.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
            out.write(bytes(-array.nbytes % _ALIGNMENT))
        sealed = out.finish()
        file.flush()
        os.fsync(file.fileno())
    return sealed


class _Sealing:
    """Writes to a file, and digests it by chunks."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._digests = bytearray()
        self._state, self._length = blake3(), 0

    def write(self, data: bytes | memoryview) -> None:
        """Write some bytes."""
        self._file.write(data)
        data = memoryview(data)
        while len(data):
            piece = data[: _CHUNK - self._length]
            self._state.update(piece)
            self._length += len(piece)
            data = data[len(piece) :]
            if self._length == _CHUNK:
                self._next()

    def _next(self) -> None:
        self._digests += self._state.digest(length=_DIGEST)
        self._state, self._length = blake3(), 0

    def finish(self) -> str:
        """Write the digests; return the seal."""
        if self._length:
            self._next()
        self._file.write(self._digests)
        return str(blake3(self._digests).hexdigest(length=_DIGEST))


class Columns:
    """The arrays of a file, mapped.

    Parameters
    ----------
    path : Path
    seal : str
        As `seal` returned it.

    Raises
    ------
    CorruptRecord
        If it is not the file that was written; for what is inside, when it is used.
    """

    def __init__(self, path: Path, seal: str) -> None:
        self.path = path
        try:
            self._bytes = np.asarray(np.memmap(path, np.uint8, mode="r"))
            # n chunks and n digests; the last chunk may be shorter
            count = -(-len(self._bytes) // (_CHUNK + _DIGEST))
            self._end = len(self._bytes) - count * _DIGEST
            self._digests = self._bytes[self._end :].tobytes()
        except (OSError, ValueError) as error:
            raise self._corrupt(f"cannot be read ({error})") from error
        if blake3(self._digests).hexdigest(length=_DIGEST) != seal:
            raise self._corrupt("is not what was written")
        self._good = np.zeros(count, bool)
        try:
            self._arrays = self._mapped()
        except (ValueError, KeyError, TypeError, struct.error) as error:
            raise self._corrupt(f"has a head that cannot be read ({error})") from error

    def _mapped(self) -> dict[str, Array]:
        (length,) = _HEAD.unpack(self._part(0, _HEAD.size))
        start = _HEAD.size + length
        table = json.loads(bytes(self._part(_HEAD.size, start)))["arrays"]
        found = {}
        for name, entry in table.items():
            dtype, at = np.dtype(entry["dtype"]), start + entry["at"]
            count = int(np.prod(entry["shape"], dtype=np.int64))
            array = np.frombuffer(self._bytes, dtype, count, at) if count else np.empty(0, dtype)
            found[name] = array.reshape(entry["shape"])
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def raw(self, name: str) -> Array:
        """Return an array that was not compared with its digests; see `checked`."""
        return self._arrays[name]

    def __getitem__(self, name: str) -> Array:
        return self.checked(self._arrays[name])

    def checked(self, part: Array) -> Array:
        """Return a contiguous part of a raw array, after comparing it with its digests.

        Raises
        ------
        CorruptRecord
            If it is not what was written.
        """
        if part.nbytes:
            start = part.ctypes.data - self._bytes.ctypes.data
            self._part(start, start + part.nbytes)
        return part

    def rows(self, name: str, numbers: npt.NDArray[np.intp]) -> Array:
        """Return some rows of an array, after comparing what they lie in with its digests.

        Parameters
        ----------
        name : str
            Of an array whose rows are shorter than a chunk.
        numbers : np.ndarray of int

        Returns
        -------
        np.ndarray [shape=(*numbers.shape, *array.shape[1:])]

        Raises
        ------
        CorruptRecord
            If it is not what was written.
        """
        array = self._arrays[name]
        start = array.ctypes.data - self._bytes.ctypes.data
        size = array.nbytes // max(len(array), 1)
        first = start + np.ravel(numbers).astype(np.int64) * size
        for number in np.unique([first // _CHUNK, (first + size - 1) // _CHUNK]).tolist():
            if not self._good[number]:
                self._verify(number)
        return array[numbers]

    def check(self) -> None:
        """Compare everything with its digests, also what was compared before.

        Raises
        ------
        CorruptRecord
            If it is not what was written.
        """
        for number in range(len(self._good)):
            self._verify(number)

    def _part(self, start: int, stop: int) -> memoryview:
        first, last = start // _CHUNK, -(-stop // _CHUNK)
        if not self._good[first:last].all():
            for number in range(first, last):
                if not self._good[number]:
                    self._verify(number)
        return self._bytes[start:stop].data

    def _verify(self, number: int) -> None:
        chunk = self._bytes[number * _CHUNK : min((number + 1) * _CHUNK, self._end)]
        wanted = self._digests[number * _DIGEST : (number + 1) * _DIGEST]
        if blake3(chunk.data).digest(length=_DIGEST) != wanted:
            raise self._corrupt("is damaged")
        self._good[number] = True

    def _corrupt(self, what: str) -> CorruptRecord:
        return CorruptRecord(f"{self.path} {what}: build the index again")


def texts(name: str, values: list[str]) -> dict[str, Array]:
    """Return text as two arrays, ``<name>.text`` and ``<name>.ends``."""
    encoded = [value.encode("utf-8", "surrogatepass") for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return {f"{name}.text": np.frombuffer(b"".join(encoded), np.uint8), f"{name}.ends": ends}


class Texts(Sequence[str]):
    """Text from a file of columns; each is decoded when it is asked for.

    Parameters
    ----------
    columns : Columns
    name : str
        See `texts`.
    """

    def __init__(self, columns: Columns, name: str) -> None:
        self._columns = columns
        self._text, self._ends = columns.raw(f"{name}.text"), columns.raw(f"{name}.ends")

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[str]:
        return iter(self.all())

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> list[str]: ...
    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return self.all()[number]
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        number %= len(self)
        start, stop = self._columns.checked(self._ends[number : number + 2])
        part = self._columns.checked(self._text[start:stop])
        return part.tobytes().decode("utf-8", "surrogatepass")

    def all(self) -> list[str]:
        """Return all of them."""
        ends = self._columns.checked(self._ends).tolist()
        text = self._columns.checked(self._text).tobytes()
        return [text[start:stop].decode("utf-8", "surrogatepass") for start, stop in pairwise(ends)]
