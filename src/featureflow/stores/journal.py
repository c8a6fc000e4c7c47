"""The small records of an object store: a journal in the bucket, and what it says, on this disk.

Each write is an object, named by its number: who puts the next number first has written, since a
bucket takes a name only once. So all writers agree on one order, and a write is all or nothing.
Readers go through what is new, and keep what it comes to in a folder that the processes of a
machine share.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from filelock import FileLock

from featureflow.errors import StoreError
from featureflow.stores.bucket import Bucket, Outrun
from featureflow.stores.lmdb import LmdbDatabase
from featureflow.stores.pack import packed, unpacked

_FOLDER = "journal"
_AT = "at"
_RECORDS = "records/"
_TOGETHER = 16  # requests


class Journal:
    """Records that are written one after the other.

    Parameters
    ----------
    bucket : Bucket
    folder : Path
        Where what was read of it is kept: of this journal, and of no other.
    fresh : float [unit=s, range=[0, inf)]
        How old what is read may be, as far as others have written it.
    """

    def __init__(self, bucket: Bucket, folder: Path, fresh: float) -> None:
        self._bucket = bucket
        self._kept = LmdbDatabase(folder)
        self._fresh = fresh
        self._looked = float("-inf")
        folder.mkdir(parents=True, exist_ok=True)
        self._alone = FileLock(folder / "lock")
        self._mine = threading.Lock()

    def read(self, key: str) -> bytes:
        """Return a record; raise KeyError where there is none."""
        self.refresh()
        try:
            return self._kept.read(_RECORDS + key)
        except KeyError:
            raise KeyError(key) from None

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, in order."""
        self.refresh()
        return (key.removeprefix(_RECORDS) for key in self._kept.keys(_RECORDS + prefix))

    def __contains__(self, key: str) -> bool:
        self.refresh()
        return _RECORDS + key in self._kept

    def write(self, records: Mapping[str, bytes]) -> None:
        """Write records, all or none."""
        self._append(packed(records))

    def delete(self, prefixes: Sequence[str]) -> int:
        """Delete the records whose keys start with one of `prefixes`; return how many."""
        self.refresh(self._fresh / 2)
        count = len({key for prefix in prefixes for key in self._kept.keys(_RECORDS + prefix)})
        if count:
            self._append(packed({}, deleted=list(prefixes)))
        return count

    def close(self) -> None:
        """Let go of files."""
        self._kept.close()

    def _append(self, data: bytes) -> None:
        while True:
            number = self._at() + 1
            try:
                self._bucket.put(_name(number), data, None)
            except Outrun:
                self.refresh(0)
                continue
            with self._mine, self._alone:
                if self._at() == number - 1:
                    self._apply(number, data)
            if self._at() < number:
                self.refresh(0)
            return

    def refresh(self, fresh: float | None = None) -> None:
        """Read what others have written, unless that was done a moment ago."""
        if time.monotonic() - self._looked < (self._fresh if fresh is None else fresh):
            return
        with self._mine, self._alone, ThreadPoolExecutor(_TOGETHER) as threads:
            looked = time.monotonic()
            at = self._at()
            names = self._bucket.names(_FOLDER, _name(at))
            while some := list(islice(names, _TOGETHER)):
                for name, found in zip(some, threads.map(self._bucket.get, some), strict=True):
                    at += 1
                    if name != _name(at) or found is None:
                        raise StoreError(
                            f"{self._bucket.url} has lost {_name(at)}: bring it back, or begin "
                            "anew elsewhere"
                        )
                    self._apply(at, found[0])
            self._looked = looked

    def _at(self) -> int:
        """Return the number of the last write that is known here."""
        try:
            return int(self._kept.read(_AT))
        except KeyError:
            return 0

    def _apply(self, number: int, data: bytes) -> None:
        facts, records = unpacked(data, _name(number))
        if gone := [_RECORDS + prefix for prefix in facts.get("deleted", ())]:
            self._kept.delete(*gone)
        changed = {_RECORDS + key: record for key, record in records.items()}
        self._kept.write({**changed, _AT: b"%d" % number})


def _name(number: int) -> str:
    return f"{_FOLDER}/{number:012d}"
