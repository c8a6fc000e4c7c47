"""What was computed for the page, kept for the next time: in memory, and in a folder."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import featureflow as ff

_IN_MEMORY = 32 << 20


class Shelf:
    """Bytes under keys; nothing is lost with it but time.

    Parameters
    ----------
    folder : path or None
        Where they are kept; in memory only, if it is None or cannot be written to.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._store = None if folder is None else ff.LmdbDatabase(folder / "cache")
        self._lock = threading.Lock()
        self._recent: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    def get(self, *key: str, make: Callable[[], bytes], keep: bool = True) -> bytes:
        """Return what is under a key; make it where it is not there.

        Parameters
        ----------
        *key : str
        make : callable
        keep : bool
            Whether the next process is to find it too.
        """
        name = ff.StringDelimitedKeyBuilder().build(*key)
        with self._lock:
            if name in self._recent:
                self._recent.move_to_end(name)
                return self._recent[name]
        found = self._read(name) if keep else None
        if found is None:
            found = make()
            if keep:
                self._write(name, found)
        self._remember(name, found)
        return found

    def _remember(self, name: str, value: bytes) -> None:
        with self._lock:
            self._size += len(value) - len(self._recent.pop(name, b""))
            self._recent[name] = value
            while self._size > _IN_MEMORY and len(self._recent) > 1:
                _, oldest = self._recent.popitem(last=False)
                self._size -= len(oldest)

    def _read(self, name: str) -> bytes | None:
        if self._store is not None:
            with contextlib.suppress(KeyError, ff.StoreError):
                return self._store.read(name)
        return None

    def _write(self, name: str, value: bytes) -> None:
        if self._store is not None:
            with contextlib.suppress(ff.StoreError):  # a full or read-only disk costs time only
                self._store.write({name: value})
