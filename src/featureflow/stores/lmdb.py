"""A store in one folder on disk: LMDB, a memory-mapped B+ tree with transactions."""

from __future__ import annotations

import os
import subprocess
import sys
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
    as_bytes,
    check_format,
)

T = TypeVar("T")

_WALK = """
import lmdb, sys
with lmdb.open(sys.argv[1], readonly=True, lock=False).begin() as transaction:
    sys.exit(sum(1 for _ in transaction.cursor()) != transaction.stat()["entries"])
"""

_FORMAT_KEY = FORMAT_KEY.encode()
_FIRST_MAP = 64 << 20
_READERS = 1022
_PAGE = 1000
# What comes of a file that is not as LMDB wrote it, which py-lmdb does not always expect.
_DAMAGE = (
    *(lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError, lmdb.PanicError),
    *(lmdb.BadTxnError, lmdb.BadValsizeError, lmdb.IncompatibleError, lmdb.ProblemError),
    *(lmdb.VersionMismatchError, SystemError),
)


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
            value = transaction.get(as_bytes(key))
            if value is not None:
                return bytes(value)  # the buffer dies with its transaction
        raise KeyError(key)

    def write(self, records: Mapping[str, bytes]) -> None:
        """See `Store.write`; one transaction, on disk when it returns."""
        encoded = {as_bytes(key): value for key, value in records.items()}

        def put(transaction: lmdb.Transaction) -> None:
            cursor = transaction.cursor()
            last = bytes(cursor.key()) if cursor.last() else b""
            added: dict[bytes, bytes] = {}
            if last == _FORMAT_KEY and transaction.stat()["entries"] == 1:  # put it in its turn
                cursor.delete()
                last, added = b"", {_FORMAT_KEY: FORMAT}
            for key, value in sorted((added | encoded).items()):
                # what comes after all that is there fills its pages
                cursor.put(key, value, append=key > last)

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
            for key in page:
                if key < start or not key.isascii():
                    raise StoreError(_damaged(self.path, f"the key {key[:80]!r} cannot be there"))
                start = key + b"\0"
                if key != _FORMAT_KEY:
                    yield key.decode("ascii")
            if len(page) < _PAGE:
                return

    def __contains__(self, key: str) -> bool:
        with self._environment.reading() as transaction:
            return transaction.get(as_bytes(key)) is not None

    def close(self) -> None:
        """See `Store.close`."""
        self._environment.close()


def let_go_of_the_deleted() -> None:
    """Close the files of stores that were deleted, replaced or moved, unless they are in use.

    They would take up space as long as this process lives, or is asked for the store again.
    """
    for reference in _environments.valuerefs():
        environment = reference()
        # who is at work notices by itself
        if environment is not None and environment._changed.acquire(blocking=False):
            try:
                if not environment._writing.locked():
                    environment._let_go_of_the_deleted()
            finally:
                environment._changed.release()


def _bytes(key: str) -> bytes:
    return key.encode("ascii")


def _damaged(path: Path, why: object) -> str:
    return (
        f"the store at {path} is damaged ({why}): zounds rescan mends that of a corpus; bring back "
        "a copy of another"
    )


class _Environment:
    """One LMDB environment: LMDB allows a process to open each only once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.forget()

    def forget(self) -> None:
        """Be as new: nothing is open, and nobody waits."""
        self._opened: lmdb.Environment | None = None
        self._file: tuple[int, int] | None = None
        self._data = os.path.join(self.path, "data.mdb")  # text: before each read, it is looked at
        self._changed = threading.Condition()
        self._readers = 0
        self._closed_to_readers = False
        self._writing = threading.Lock()

    def _open(self) -> lmdb.Environment:
        """Return the open environment; the caller holds `_changed`."""
        if self._opened is None:
            let_go_of_the_deleted()  # LMDB knows files by what they are, and not by their places
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                opened = lmdb.open(str(self.path), map_size=_FIRST_MAP, max_readers=_READERS)
            except _DAMAGE as error:
                raise StoreError(_damaged(self.path, error)) from error
            except (lmdb.Error, OSError) as error:
                raise StoreError(
                    f"the store at {self.path} cannot be opened: {error}; give a folder that "
                    "can be written to, or one that holds a store"
                ) from error
            try:
                self._check(opened)
            except FileNotFoundError as error:  # deleted in this moment
                opened.close()
                raise StoreError(f"the store at {self.path} has vanished: {error}") from error
            except (*_DAMAGE, OSError) as error:
                opened.close()
                raise StoreError(_damaged(self.path, error)) from error
            except BaseException:
                opened.close()
                raise
            self._opened, self._file = opened, self._found()
        return self._opened

    def _let_go_of_the_deleted(self) -> None:
        """Close what was deleted, or replaced, since it was opened; unless somebody reads it."""
        if self._opened is not None and self._readers == 0 and self._file != self._found():
            self._close()

    def _found(self) -> tuple[int, int] | None:
        """Return what tells the file of the database from another one at the same place."""
        try:
            status = os.stat(self._data)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _check(self, opened: lmdb.Environment) -> None:
        """Raise unless the file is whole, and in a format that can be read."""
        opened.reader_check()  # slots of processes that died
        needed = (opened.info()["last_pgno"] + 1) * opened.stat()["psize"]
        length = (self.path / "data.mdb").stat().st_size
        if length < needed:
            self._lengthen(length, needed)
        with opened.begin() as transaction:
            found = transaction.get(_FORMAT_KEY)
            empty = transaction.stat()["entries"] == 0
        if found is None and empty:
            with opened.begin(write=True) as transaction:
                transaction.put(_FORMAT_KEY, FORMAT, overwrite=False)
        else:
            check_format(bytes(found or b""), str(self.path))

    def _lengthen(self, length: int, needed: int) -> None:
        """Make a file as long as its pages, unless some that are in use are missing.

        LMDB does not write pages at the end that were freed again. Touching a page beyond the end
        of the file ends a process, so another one touches all that are in use.
        """
        walk = [sys.executable, "-c", _WALK, str(self.path)]
        if subprocess.run(walk, capture_output=True, check=False).returncode != 0:  # noqa: S603
            raise StoreError(
                f"the store at {self.path} is cut short: bring back a copy, or delete the folder "
                "and process the documents again"
            )
        if hasattr(os, "posix_fallocate"):  # never shortens what another process has made longer
            with (self.path / "data.mdb").open("r+b") as file:
                os.posix_fallocate(file.fileno(), length, needed - length)

    @contextmanager
    def reading(self) -> Iterator[lmdb.Transaction]:
        """Give a transaction to read in."""
        try:
            transaction = self._begin_reading()
        except lmdb.Error as error:
            raise StoreError(f"the store at {self.path} cannot be read: {error}") from error
        try:
            with transaction:
                yield transaction
        except (lmdb.Error, *_DAMAGE) as error:
            raise StoreError(_damaged(self.path, error)) from error
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    def _begin_reading(self) -> lmdb.Transaction:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._closed_to_readers)
                if not self._writing.locked():
                    self._let_go_of_the_deleted()
                try:
                    transaction = self._open().begin(buffers=True)
                except lmdb.MapResizedError:
                    pass
                else:
                    self._readers += 1
                    return transaction
            # another process has let it grow; in a writer's place, since none may be at work
            with self._writing, self._changed:
                self._resize(0)

    def write(self, change: Callable[[lmdb.Transaction], T]) -> T:
        """Return what `change` returns, after what it did is on disk."""
        with self._writing:
            with self._changed:
                self._let_go_of_the_deleted()
            while True:
                with self._changed:
                    opened = self._open()
                try:
                    return self._changed_by(change, opened)
                except lmdb.MapFullError:
                    with self._changed:
                        self._resize(2 * opened.info()["map_size"])
                except lmdb.MapResizedError:
                    with self._changed:
                        self._resize(0)
                except _DAMAGE as error:
                    raise StoreError(_damaged(self.path, error)) from error
                except lmdb.Error as error:
                    raise StoreError(
                        f"the store at {self.path} cannot be written: {error}; is the disk full?"
                    ) from error

    def _changed_by(self, change: Callable[[lmdb.Transaction], T], opened: lmdb.Environment) -> T:
        transaction = opened.begin(write=True)
        try:
            result = change(transaction)
        except BaseException:
            # py-lmdb lets an abort wait until nobody reads, which with busy readers is never
            with self._changed:
                self._until_quiet()
                try:
                    transaction.abort()
                finally:
                    self._go_on()
            raise
        transaction.commit()
        return result

    def _resize(self, size: int) -> None:
        """Give the map another size, 0 for the one it has on disk; the caller holds `_changed`."""
        self._until_quiet()
        try:
            self._open().set_mapsize(size)
        finally:
            self._go_on()

    def _until_quiet(self) -> None:
        """Wait until nobody reads, and let nobody begin."""
        self._closed_to_readers = True
        self._changed.wait_for(lambda: self._readers == 0)

    def _go_on(self) -> None:
        self._closed_to_readers = False
        self._changed.notify_all()

    def close(self) -> None:
        """Close the environment, after everyone is done with it."""
        with self._writing, self._changed:
            self._until_quiet()
            self._close()
            self._go_on()

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def pause(self) -> None:
        """Wait until nobody is at work, and let nobody begin."""
        self._writing.acquire()
        self._changed.acquire()
        self._until_quiet()

    def resume(self) -> None:
        """Undo `pause`."""
        self._go_on()
        self._changed.release()
        self._writing.release()

    def after_fork(self) -> None:
        """Close what the parent has opened, whose lock and readers LMDB leaves alone."""
        self._close()
        self.forget()


_environments: WeakValueDictionary[Path, _Environment] = WeakValueDictionary()
_guard = threading.Lock()


def _environment_at(path: Path) -> _Environment:
    real = Path(os.path.realpath(path))
    with _guard:
        environment = _environments.get(real)
        if environment is None:
            environment = _environments[real] = _Environment(real)
        return environment


_paused: list[_Environment] = []


def _before_fork() -> None:
    # a child gets locks as they are at that moment, and nobody in it would release them
    _guard.acquire()
    _paused.extend(_environments.values())
    for environment in _paused:
        environment.pause()


def _after_fork_in_parent() -> None:
    for environment in _paused:
        environment.resume()
    _paused.clear()
    _guard.release()


def _after_fork_in_child() -> None:
    for environment in _paused:
        environment.after_fork()
    _paused.clear()
    _guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
