"""What can be read of the file of a damaged store, without LMDB, which trusts its file."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, NoReturn

from featureflow.errors import StoreError
from featureflow.stores.store import FORMAT_KEY, StringDelimitedKeyBuilder, check_format

# As LMDB 0.9 has them, in the sizes and the byte order of this machine.
_PAGE = struct.Struct("@NHHHH")  # number, padding, flags, where free space begins and ends
_META = struct.Struct("@IIPN")
_TREE = struct.Struct("@IHHNNNNN")  # page size, flags, depth, 3 counts of pages, entries, root
_ENDS = struct.Struct("@NN")  # the last page, the transaction
_NODE = struct.Struct("@HHHH")
_NUMBER = struct.Struct("@N")
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF, _OVERFLOW = 1, 2, 4
_ELSEWHERE = 1  # the flag of a node whose value has pages of its own
_INTEGERS = 8  # that of a tree whose keys are numbers
_NONE = (1 << 8 * _NUMBER.size) - 1
_PAGE_SIZES = tuple(1 << power for power in range(9, 17))
_LONGEST_KEY = 511
_TRIES = 5


class Salvaged:
    """A store of all that can be found in the file of another; it is read only.

    Every page, key and place is looked at before it is followed, so that nothing in the file can
    end the process. What a damaged page held is lost; `featureflow.upkeep.verify` tells what is
    damaged of the rest.

    Parameters
    ----------
    path : path
        The folder of an `LmdbDatabase`. Others may write to it meanwhile.

    Attributes
    ----------
    problems : tuple of str
        What is damaged, one line each: LMDB cannot be trusted with this file. None where it is
        whole.

    Raises
    ------
    StoreError
        If there is no file, or it cannot be read.
    FormatError
        If it is whole, and of a store of another kind or of a newer version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.key_builder = StringDelimitedKeyBuilder()
        try:
            with self._file.open("rb") as file:
                for _ in range(_TRIES):
                    walk = _Walk(file.fileno())
                    if not walk.problems or walk.metas == read_metas(file.fileno()):
                        break
                else:
                    walk.problems.clear()  # others write all the time, as to no damaged file
        except OSError as error:
            raise StoreError(
                f"the store at {self.path} cannot be read ({error.strerror}): bring back a copy"
            ) from error
        self._places = walk.places
        self._check_format(walk.problems)
        self.problems = tuple(f"{self._file} is damaged: {what}" for what in walk.problems)

    def __repr__(self) -> str:
        return f"Salvaged({str(self.path)!r})"

    @property
    def _file(self) -> Path:
        return self.path / "data.mdb"

    def _check_format(self, problems: list[str]) -> None:
        if FORMAT_KEY not in self._places:
            if self._places:
                problems.append("it does not say in which format it is")
        elif not problems:
            check_format(self.read(FORMAT_KEY), str(self.path))

    def read(self, key: str) -> bytes:
        """See `Store.read`."""
        start, size = self._places[key]
        with self._file.open("rb") as file:
            file.seek(start)
            return file.read(size)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See `Store.keys`."""
        found = (key for key in self._places if key.startswith(prefix) and key != FORMAT_KEY)
        return iter(sorted(found))

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def write(self, records: Mapping[str, bytes]) -> NoReturn:
        """Raise `StoreError`."""
        raise StoreError(f"{self!r} is read only: copy it to a new store")

    def delete(self, *prefixes: str) -> NoReturn:
        """Raise `StoreError`."""
        raise StoreError(f"{self!r} is read only: copy it to a new store")

    def close(self) -> None:
        """See `Store.close`."""


class _Meta(NamedTuple):
    """What one of the first two pages says; the one of the later transaction holds."""

    transaction: int
    page_size: int
    last: int
    free: tuple[int, ...]
    main: tuple[int, ...]


def read_metas(file: int) -> list[_Meta] | None:
    """Return what the first two pages say, the later first; None for an unknown version."""
    found = []
    length = _PAGE.size + _META.size + 2 * _TREE.size + _ENDS.size
    for start in (0, *_PAGE_SIZES):
        data = os.pread(file, length, start)
        if len(data) < length:
            break
        magic, version, _, _ = _META.unpack_from(data, _PAGE.size)
        trees = _PAGE.size + _META.size
        free, main = (_TREE.unpack_from(data, trees + n * _TREE.size) for n in range(2))
        last, transaction = _ENDS.unpack_from(data, trees + 2 * _TREE.size)
        if magic != _MAGIC or free[0] not in ((start,) if start else _PAGE_SIZES):
            continue
        if version == _VERSION:
            found.append(_Meta(transaction, free[0], last, free, main))
        elif version == _VERSION + 1 and not found:
            return None
    return sorted(found, reverse=True)


class _Damaged(Exception):
    """Raised where something is not as it must be."""


class _Walk:
    """Goes through all pages that the latest roots lead to.

    Attributes
    ----------
    metas : list of _Meta or None
    places : dict of str to (int, int)
        Where the values are, and their sizes [bytes], by their keys.
    problems : list of str
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._end = os.fstat(file).st_size
        self._seen: set[int] = set()
        self.metas = read_metas(file)
        self.places: dict[str, tuple[int, int]] = {}
        self.problems: list[str] = []
        if self.metas is None:
            return  # LMDB may know it
        if len(self.metas) < 2:
            self.problems.append("one of its first two pages cannot be read")
        if self.metas:
            self._meta = self.metas[0]
            self._look_at_all()

    def _look_at_all(self) -> None:
        main, free = (
            list(self._records(tree, name, flags))
            for tree, name, flags in (
                (self._meta.main, "the records", 0),
                (self._meta.free, "the free pages", _INTEGERS),
            )
        )
        for key, place in main:
            self._keep(key, place)
        unused = self._unused(free)
        if unused & self._seen:
            self.problems.append(f"pages are in use and free: {sorted(unused & self._seen)[:5]}")
        if not self.problems:
            return
        # those that no whole page leads to any more
        for number in range(2, min(self._meta.last + 1, self._end // self._meta.page_size)):
            if number not in self._seen and number not in unused:
                try:
                    for key, place in self._leaf(number):
                        self._keep(key, place)
                except _Damaged:
                    continue

    def _keep(self, key: bytes, place: tuple[int, int]) -> None:
        if key.isascii():
            self.places.setdefault(key.decode("ascii"), place)
        else:
            self.problems.append(f"the key {key[:80]!r} is not ASCII")

    def _unused(self, free: list[tuple[bytes, tuple[int, int]]]) -> set[int]:
        """Return the pages that are free."""
        unused: set[int] = set()
        for _, (start, size) in free:
            data = os.pread(self._file, size, start)
            whole = len(data) - len(data) % _NUMBER.size
            numbers = [number for (number,) in _NUMBER.iter_unpack(data[:whole])]
            if not numbers or numbers[0] != len(numbers) - 1 or whole < size:
                self.problems.append("the list of free pages cannot be read")
            elif not all(1 < number <= self._meta.last for number in numbers[1:]):
                self.problems.append("pages are free that there are not")
            unused.update(numbers[1:])
        return unused

    def _records(
        self, tree: tuple[int, ...], name: str, flags: int
    ) -> Iterator[tuple[bytes, tuple[int, int]]]:
        """Yield the keys of a tree, and where the values are; remember what is damaged."""
        _, found, depth, *_, entries, root = tree
        if found & 0xFF != flags:
            self.problems.append(f"{name} are not what they should be")
        count, before = 0, b""
        if root != _NONE:
            for key, place in self._below(root, depth, b""):
                order = key[::-1] if flags and sys.byteorder == "little" else key
                if count and order <= before:
                    self.problems.append(f"the key {key[:80]!r} is out of order")
                count, before = count + 1, order
                yield key, place
        if count != entries and not self.problems:
            self.problems.append(f"of {entries} of {name} there are {count}")

    def _below(
        self, number: int, depth: int, least: bytes
    ) -> Iterator[tuple[bytes, tuple[int, int]]]:
        """Yield what is in a page and in those it leads to, `depth` of them one below another."""
        try:
            if depth <= 1:
                found = list(self._leaf(number))
                if found and found[0][0] < least:
                    raise _Damaged(f"page {number} is not where it belongs")
                yield from found
                return
            page = self._page(number, _BRANCH)
            nodes = list(self._nodes(page, number))
        except _Damaged as damage:
            self.problems.append(str(damage))
            return
        for count, (first, second, third, key, _) in enumerate(nodes):
            child = _joined(first, second) | (third << 32 if _NUMBER.size > 4 else 0)
            yield from self._below(child, depth - 1, key if count else least)

    def _leaf(self, number: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
        page = self._page(number, _LEAF)
        for first, second, flags, key, start in self._nodes(page, number):
            size = _joined(first, second)
            place = number * self._meta.page_size + start
            if flags == _ELSEWHERE:
                place = self._overflow(_NUMBER.unpack_from(page, start)[0], size)
            yield key, (place, size)

    def _overflow(self, number: int, size: int) -> int:
        """Return where a value begins that has pages of its own."""
        header = self._page(number, _OVERFLOW)
        _, _, _, first, second = _PAGE.unpack_from(header)
        length = _joined(first, second) * self._meta.page_size
        start = number * self._meta.page_size
        if _PAGE.size + size > length or start + _PAGE.size + size > self._end:
            raise _Damaged(f"page {number} holds less than it should")
        self._seen.update(range(number, number + length // self._meta.page_size))
        return start + _PAGE.size

    def _page(self, number: int, kind: int) -> bytes:
        if number in self._seen or not 1 < number <= self._meta.last:
            raise _Damaged(f"a page leads to page {number}, which is not its own")
        size = self._meta.page_size
        page = os.pread(self._file, size, number * size)
        if len(page) < size:
            raise _Damaged(f"page {number} is behind its end")
        found, _, flags, _, _ = _PAGE.unpack_from(page)
        if (found, flags) != (number, kind):
            raise _Damaged(f"page {number} is not what it should be")
        self._seen.add(number)
        return page

    def _nodes(self, page: bytes, number: int) -> Iterator[tuple[int, int, int, bytes, int]]:
        """Yield the fields of each node of a page, its key, and where its value begins."""
        _, _, kind, low, high = _PAGE.unpack_from(page)
        taken = 0
        if not _PAGE.size <= low <= high <= len(page) or (low - _PAGE.size) % 2:
            raise _Damaged(f"page {number} has no room for what it holds")
        places = struct.unpack_from(f"@{(low - _PAGE.size) // 2}H", page, _PAGE.size)
        for start in places:
            if not high <= start <= len(page) - _NODE.size:
                raise _Damaged(f"page {number} has records beyond its end")
            first, second, flags, length = _NODE.unpack_from(page, start)
            value = start + _NODE.size + length
            size = 0
            if kind == _LEAF:
                size = _NUMBER.size if flags == _ELSEWHERE else _joined(first, second)
                if flags not in (0, _ELSEWHERE):
                    raise _Damaged(f"page {number} has a record of an unknown kind")
            if length > _LONGEST_KEY or value + size > len(page):
                raise _Damaged(f"page {number} has a record beyond its end")
            taken += (value + size - start + 1) & ~1
            yield first, second, flags, page[start + _NODE.size : value], value
        if taken != len(page) - high:
            raise _Damaged(f"page {number} has records in each other's place")


def _joined(first: int, second: int) -> int:
    """Return a number of 32 bits that was stored as two of 16."""
    return first | second << 16 if sys.byteorder == "little" else second | first << 16
