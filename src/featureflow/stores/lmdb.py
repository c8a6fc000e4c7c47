"""A store in one folder on disk: LMDB, a memory-mapped B+ tree with transactions."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import lmdb

from featureflow.errors import InvalidParameter, StoreError
from featureflow.stores.store import (
    FORMAT,
    FORMAT_KEY,
    StringDelimitedKeyBuilder,
    check_format,
)

T = TypeVar("T")

_FIRST_MAP = 64 << 20
_READERS = 1022
_PAGE = 1000


class LmdbDatabase:
    """Keeps its records in an LMDB environment: a folder with ``data.mdb`` and ``lock.mdb``.

    Many threads and processes may read while one writes. The map grows by itself. An instance
    may be used after a fork, and pickles by its path; two instances with one path are one store.

    Parameters
    ----------
    path : path
        The folder; made at the first use, with its parents.
    key_builder : StringDelimitedKeyBuilder or None
        How keys are put together.

    Raises
    ------
    StoreError
        At the first use, if the folder cannot be used.
    FormatError
        At the first use, if it holds a store of another kind or of a newer version.
    """

    def __init__(
        self, path: str | os.PathLike[str], key_builder: StringDelimitedKeyBuilder | None = None
    ) -> None:
        if not os.fspath(path):
            raise InvalidParameter("the path of an LmdbDatabase is empty: name a folder")
        self.path = Path(path)
        self.key_builder = key_builder or StringDelimitedKeyBuilder()
        self._environment = _environment_at(self.path)

    def __repr__(self) -> str:
        return f"LmdbDatabase(path={str(self.path)!r})"

    def __reduce__(self) -> Any:
        return LmdbDatabase, (str(self._environment.path), self.key_builder)

    def read(self, key: str) -> bytes:
        """See `Store.read`."""
        with self._environment.reading() as transaction:
            value = transaction.get(_bytes(key))
        if value is None:
            raise KeyError(key)
        return bytes(value)

    def write(self, records: Mapping[str, bytes]) -> None:
        """See `Store.write`; one transaction, on disk when it returns."""

        def put(transaction: lmdb.Transaction) -> None:
            for key, value in records.items():
                transaction.put(_bytes(key), value)

        self._environment.write(put)

    def delete(self, *prefixes: str) -> int:
        """See `Store.delete`; one transaction."""

        def drop(transaction: lmdb.Transaction) -> int:
            count = 0
            cursor = transaction.cursor()
            for prefix in map(_bytes, prefixes):
                found = cursor.set_range(prefix)
                while found and bytes(cursor.key()).startswith(prefix):
                    count += 1
                    # leaves the cursor at the next key, and nowhere after the last
                    cursor.delete()
                    found = bool(cursor.key())
            return count

        return self._environment.write(drop)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See `Store.keys`."""
        start = wanted = _bytes(prefix)
        while True:
            # by pages: a transaction held open while the caller writes would pin old pages
            page: list[bytes] = []
            with self._environment.reading() as transaction:
                cursor = transaction.cursor()
                if cursor.set_range(start):
                    for found in cursor.iternext(values=False):
                        key = bytes(found)
                        if not key.startswith(wanted) or len(page) == _PAGE:
                            break
                        page.append(key)
            yield from (key.decode("ascii") for key in page if key != FORMAT_KEY.encode())
            if len(page) < _PAGE:
                return
            start = page[-1] + b"\0"

    def __contains__(self, key: str) -> bool:
        with self._environment.reading() as transaction:
            return transaction.get(_bytes(key)) is not None

    def close(self) -> None:
        """See `Store.close`."""
        self._environment.close()


def _bytes(key: str) -> bytes:
    return key.encode("ascii")


class _Environment:
    """One LMDB environment: LMDB allows a process to open each only once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget()

    def _forget(self) -> None:
        self._opened: lmdb.Environment | None = None
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._readers = 0
        self._resizing = False
        self._writing = threading.Lock()

    def _open(self) -> lmdb.Environment:
        """Return the open environment; the caller holds `_changed`, or is alone."""
        if self._opened is None:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                opened = lmdb.open(str(self.path), map_size=_FIRST_MAP, max_readers=_READERS)
            except (lmdb.Error, OSError) as error:
                raise StoreError(
                    f"the store at {self.path} cannot be opened: {error}; give a folder that "
                    "can be written to, or one that holds a store"
                ) from error
            try:
                opened.reader_check()  # slots of processes that died
                self._check_format(opened)
            except BaseException:
                opened.close()
                raise
            self._opened = opened
        return self._opened

    def _check_format(self, opened: lmdb.Environment) -> None:
        key = FORMAT_KEY.encode()
        with opened.begin() as transaction:
            found = transaction.get(key)
            empty = transaction.stat()["entries"] == 0
        if found is None and empty:
            with opened.begin(write=True) as transaction:
                transaction.put(key, FORMAT, overwrite=False)
        else:
            check_format(bytes(found or b""), str(self.path))

    @contextmanager
    def reading(self) -> Iterator[lmdb.Transaction]:
        self._after_fork()
        with self._changed:
            self._changed.wait_for(lambda: not self._resizing)  # or readers would never be gone
            try:
                transaction = self._open().begin(buffers=True)
            except lmdb.MapResizedError:  # another process has let it grow
                self._resize(0)
                transaction = self._open().begin(buffers=True)
            self._readers += 1
        try:
            with transaction:
                yield transaction
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    def write(self, change: Callable[[lmdb.Transaction], T]) -> T:
        """Return what `change` returns, after what it did is on disk."""
        self._after_fork()
        with self._writing:
            while True:
                with self._changed:
                    opened = self._open()
                try:
                    with opened.begin(write=True) as transaction:
                        return change(transaction)
                except lmdb.MapFullError:
                    with self._changed:
                        self._resize(2 * opened.info()["map_size"])
                except lmdb.MapResizedError:
                    with self._changed:
                        self._resize(0)
                except lmdb.Error as error:
                    raise StoreError(
                        f"the store at {self.path} cannot be written: {error}"
                    ) from error

    def _resize(self, size: int) -> None:
        """Give the map another size, 0 for the one it has on disk; needs every reader gone."""
        self._resizing = True
        try:
            self._changed.wait_for(lambda: self._readers == 0)
            self._open().set_mapsize(size)
        finally:
            self._resizing = False
            self._changed.notify_all()

    def _after_fork(self) -> None:
        if self._process != os.getpid():
            if self._opened is not None:
                self._opened.close()  # LMDB leaves the parent's lock and readers alone
            self._forget()

    def close(self) -> None:
        self._after_fork()
        with self._writing, self._changed:
            self._changed.wait_for(lambda: self._readers == 0)
            if self._opened is not None:
                self._opened.close()
                self._opened = None


_environments: WeakValueDictionary[Path, _Environment] = WeakValueDictionary()
_guard = threading.Lock()


def _environment_at(path: Path) -> _Environment:
    real = Path(os.path.realpath(path))
    with _guard:
        environment = _environments.get(real)
        if environment is None:
            environment = _environments[real] = _Environment(real)
        return environment
