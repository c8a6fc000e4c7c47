"""A store in a bucket: S3, and what is like it."""

from __future__ import annotations

import heapq
import os
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from featureflow.errors import InvalidParameter
from featureflow.stores.bucket import Bucket, Outrun, Version
from featureflow.stores.journal import Journal
from featureflow.stores.pack import packed, unpacked
from featureflow.stores.store import (
    FORMAT,
    StringDelimitedKeyBuilder,
    as_bytes,
    check_format,
)

T = TypeVar("T")

_FORMAT = "format"
_VALUES = "values/"
_FRESH = 1.0  # s
_BULK = 4 << 20  # bytes of a write that get an object of their own
_REMEMBERED = 64 << 20  # bytes
_TOGETHER = 16  # requests


class ObjectStore:
    """Keeps its records in a bucket, where any number of machines may read and write them.

    The values of a document, ``values/<id>/...``, lie in one object: one request reads them, or
    writes them. All other records are small, and are written to a journal, one object for each
    write, which every machine follows in a cache of its own. A write that concerns at most one of
    both is all or nothing; else the journal comes last, so that whose entry can be read has
    its values. Of two who write the same document at once, both succeed one after the other, and
    no record is lost or of both. What other processes write is seen a second later at the latest.

    A request that fails is tried again as long as there is patience. Then whatever was to be done
    can be done again: what was finished is there, and the rest is not.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix``, and likewise ``gs://`` and ``az://``. The environment says where
        the server is and who one is: `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`,
        `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`; `AWS_ALLOW_HTTP` for a server without TLS.
        ``memory://`` is for trying things out: of this instance alone.
    key_builder : StringDelimitedKeyBuilder or None
        How keys are put together.
    cache : path or None
        The folder for what is kept on this machine; it may be deleted at any time. None for
        ``featureflow`` in `$XDG_CACHE_HOME` or ``~/.cache``.
    patience : float [unit=s, range=(0, inf)]
        How long a request is tried again.

    Raises
    ------
    InvalidParameter
        If the URL or the patience is none.
    StoreError
        At the first use, if the bucket cannot be used.
    FormatError
        At the first use, if it holds a store of a newer version.
    """

    def __init__(
        self,
        url: str,
        key_builder: StringDelimitedKeyBuilder | None = None,
        cache: str | os.PathLike[str] | None = None,
        patience: float = 60.0,
    ) -> None:
        if not patience > 0:
            raise InvalidParameter(f"patience is {patience!r}: give seconds above 0")
        self.url = url.rstrip("/") if not url.endswith("://") else url
        self.key_builder = key_builder or StringDelimitedKeyBuilder()
        self._cache, self._patience = cache, patience
        self._bucket = Bucket(self.url, patience)
        self._known = _Remembered()
        self._journal_opened: Journal | None = None
        self._opening = threading.Lock()

    def __repr__(self) -> str:
        return f"ObjectStore({self.url!r})"

    def __reduce__(self) -> Any:
        return ObjectStore, (self.url, self.key_builder, self._cache, self._patience)

    # ------------------------------------------------------------------ as every store

    def read(self, key: str) -> bytes:
        """See `Store.read`."""
        _id = _document(key)
        if _id is None:
            return self._journal.read(key)
        values = self._values(_id)
        if key in values.records:
            return values.records[key]
        if key not in values.elsewhere:
            raise KeyError(key)
        name, start, size = values.elsewhere[key]
        return self._bulk(name)[start : start + size]

    def write(self, records: Mapping[str, bytes]) -> None:
        """See `Store.write`; of several documents, each is written all or nothing."""
        documents: dict[str, dict[str, bytes]] = {}
        rest: dict[str, bytes] = {}
        for key, record in records.items():
            as_bytes(key)
            _id = _document(key)
            (rest if _id is None else documents.setdefault(_id, {}))[key] = bytes(record)
        journal = self._journal  # whatever is wrong with the bucket is told first
        _together([partial(self._put, _id, some) for _id, some in documents.items()])
        if rest:
            journal.write(rest)

    def delete(self, *prefixes: str) -> int:
        """See `Store.delete`; of several documents, each is deleted all or nothing."""
        count = self._journal.delete(prefixes) if prefixes else 0
        ids = dict.fromkeys(_id for prefix in prefixes for _id in self._ids(prefix))
        return count + sum(_together([partial(self._drop, _id, prefixes) for _id in ids]))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See `Store.keys`."""
        return heapq.merge(self._journal.keys(prefix), self._value_keys(prefix))

    def __contains__(self, key: str) -> bool:
        _id = _document(key)
        return key in (self._journal if _id is None else self._values(_id).names())

    def close(self) -> None:
        """See `Store.close`."""
        with self._opening:
            if self._journal_opened is not None:
                self._journal_opened.close()
                self._journal_opened = None

    # ------------------------------------------------------------------ the journal

    @property
    def _journal(self) -> Journal:
        if self._journal_opened is None:
            with self._opening:
                if self._journal_opened is None:
                    folder = Path(self._cache or _caches()) / "objects" / self._identity()
                    self._journal_opened = Journal(self._bucket, folder, _FRESH)
        return self._journal_opened

    def _identity(self) -> str:
        """Return what tells this store from another that was at the same place; make a new one."""
        while (found := self._bucket.get(_FORMAT)) is None:
            try:
                self._bucket.put(_FORMAT, b"%s\n%s\n" % (FORMAT, uuid.uuid4().hex.encode()), None)
            except Outrun:
                continue
        version, _, name = found[0].partition(b"\n")
        check_format(version, self.url)
        return name.strip().decode()

    # ------------------------------------------------------------------ the values of documents

    def _values(self, _id: str) -> _Values:
        """Return what is there of a document, as of a moment ago."""
        found = self._known.get(_id)
        if not isinstance(found, _Values) or time.monotonic() - found.read > _FRESH:
            found = self._read(_id)
        return found

    def _read(self, _id: str) -> _Values:
        name, read = _name(_id), time.monotonic()
        found = self._bucket.get(name)
        if found is None:
            return self._known.put(_id, _Values(read=read))
        facts, records = unpacked(found[0], name)
        elsewhere = {key: (str(n), int(s), int(size)) for key, n, s, size in facts["elsewhere"]}
        return self._known.put(_id, _Values(found[1], records, elsewhere, read))

    def _put(self, _id: str, records: dict[str, bytes]) -> None:
        """Write records of a document: beside what is there, whoever writes meanwhile."""
        elsewhere: dict[str, tuple[str, int, int]] = {}
        if sum(map(len, records.values())) > _BULK:
            records, elsewhere = self._put_bulk(_id, records)
        # what is not known is most likely not there
        before: Any = self._known.get(_id) or _Values()
        while True:
            others = {key: at for key, at in before.elsewhere.items() if key not in records}
            inline = {key: r for key, r in before.records.items() if key not in elsewhere}
            now = _Values(None, {**inline, **records}, {**others, **elsewhere}, time.monotonic())
            try:
                self._replace(_id, before, now)
            except Outrun:
                before = self._read(_id)
                continue
            return

    def _put_bulk(
        self, _id: str, records: dict[str, bytes]
    ) -> tuple[dict[str, bytes], dict[str, tuple[str, int, int]]]:
        """Write the larger ones of records to an object of their own; return where they are."""
        name = f"{_VALUES}{_id}/{uuid.uuid4().hex}"
        content, at, elsewhere = bytearray(), 0, {}
        for key, record in records.items():
            elsewhere[key] = name, at, len(record)
            content += record
            at += len(record)
        self._bucket.put(name, bytes(content), None)
        return {}, elsewhere

    def _replace(self, _id: str, before: _Values, now: _Values) -> None:
        """Write what is there of a document in place of what was; raise `Outrun`."""
        name = _name(_id)
        needless = before.bulks() - now.bulks()
        if now.names():
            places = [[key, *at] for key, at in now.elsewhere.items()]
            data = packed(now.records, elsewhere=places)
            now.version = self._bucket.put(name, data, before.version)
            self._bucket.delete(needless)
        else:
            self._bucket.delete([name, *needless])
        self._known.put(_id, now)

    def _drop(self, _id: str, prefixes: tuple[str, ...]) -> int:
        """Delete the records of a document that start with one of `prefixes`; return how many."""
        while True:
            before = self._read(_id)
            gone = {key for key in before.names() if key.startswith(prefixes)}
            if not gone:
                return 0
            records = {key: record for key, record in before.records.items() if key not in gone}
            elsewhere = {key: at for key, at in before.elsewhere.items() if key not in gone}
            now = _Values(None, records, elsewhere, time.monotonic())
            try:
                self._replace(_id, before, now)
            except Outrun:
                continue
            return len(gone)

    def _bulk(self, name: str) -> bytes:
        found = self._known.get(name)
        if not isinstance(found, bytes):
            read = self._bucket.get(name)
            if read is None:  # replaced or deleted meanwhile
                raise KeyError(name)
            found = self._known.put(name, read[0])
        return found

    def _ids(self, prefix: str) -> Iterator[str]:
        """Yield the documents that may have keys that start with `prefix`, in their order."""
        if prefix.count("/") >= 2:
            if prefix.startswith(_VALUES):
                yield prefix.split("/")[1]
            return
        if not (prefix.startswith(_VALUES) or _VALUES.startswith(prefix)):
            return
        for name in self._bucket.names(_VALUES.rstrip("/")):
            _, _id, last = name.split("/")
            if last == _LAST and f"{_VALUES}{_id}/".startswith(prefix):
                yield _id

    def _value_keys(self, prefix: str) -> Iterator[str]:
        ids = self._ids(prefix)
        while some := list(islice(ids, _TOGETHER)):
            found = _together([partial(self._values, _id) for _id in some])
            for values in found:
                yield from sorted(key for key in values.names() if key.startswith(prefix))


@dataclass
class _Values:
    """What is there of a document."""

    version: Version | None = None
    records: dict[str, bytes] = field(default_factory=dict)
    elsewhere: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    """In which other object, from where on, how many bytes."""
    read: float = 0.0

    def names(self) -> set[str]:
        return self.records.keys() | self.elsewhere.keys()

    def bulks(self) -> set[str]:
        return {name for name, _, _ in self.elsewhere.values()}

    def __len__(self) -> int:
        keys = sum(map(len, self.names()))
        return keys + sum(map(len, self.records.values()))


_Kept = TypeVar("_Kept", _Values, bytes)


class _Remembered:
    """The latest objects, as far as there is room for them."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, _Values | bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, name: str) -> _Values | bytes | None:
        with self._lock:
            if name in self._found:
                self._found.move_to_end(name)
            return self._found.get(name)

    def put(self, name: str, content: _Kept) -> _Kept:
        with self._lock:
            before = self._found.pop(name, None)
            self._size -= 0 if before is None else len(before)
            self._found[name] = content
            self._size += len(content)
            while self._size > _REMEMBERED and len(self._found) > 1:
                _, oldest = self._found.popitem(last=False)
                self._size -= len(oldest)
        return content


_LAST = "records"


def _name(_id: str) -> str:
    # with a slash, so that names are in the order of the keys
    return f"{_VALUES}{_id}/{_LAST}"


def _document(key: str) -> str | None:
    """Return whose value is under a key; None if it is no value."""
    if not key.startswith(_VALUES):
        return None
    parts = key.split("/", 2)
    return parts[1] if len(parts) == 3 else None


def _together(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Return what several calls return, some of which are made at once."""
    waiting = list(calls)
    if len(waiting) < 2:
        return [call() for call in waiting]
    with ThreadPoolExecutor(_TOGETHER) as threads:
        return list(threads.map(lambda call: call(), waiting))


def _caches() -> Path:
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    return Path(chosen if os.path.isabs(chosen) else os.path.expanduser("~/.cache"), "featureflow")
