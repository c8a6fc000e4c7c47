"""How a document lies in a store.

::

    documents/<id>/entry                                       what it is: id, name, token, roots
    values/<id>/<token>/<feature>/<fingerprint>/header         small records, digests of others
    values/<id>/<token>/<feature>/<fingerprint>/<run>/<number> the others, or parts of them

The token stands for the content the document was made from: what was computed from other content
has other keys. A value is there when its header is, and a document when its entry is. Each writer
has a run of its own, so that those who write the same at the same time do not disturb each other.

LMDB puts small records side by side, and each larger one on pages of its own. So what is small, or
would fill the last page by little, is put into the header, which is there anyway.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from featureflow.codec import content_digest, decode, encode
from featureflow.errors import CorruptRecord, DocumentNotFound
from featureflow.feature import Feature
from featureflow.stores import Store

_SPILL = 8 << 20
_SEAL = 32
_PAGE, _PAGE_HEAD = 4096, 16
_HELD = 1500  # bytes of a header, with which it is a small record
_MARK = 60  # bytes that it takes to say that a part is held
_LEAST = 1000  # bytes that are small by themselves


class Document:
    """The entry and the values of one id in a store.

    Parameters
    ----------
    store : Store
    _id : str
    """

    def __init__(self, store: Store, _id: str) -> None:
        self.store = store
        self.id = _id
        self._keys = store.key_builder
        self.entry_key = self._keys.build("documents", _id, "entry")

    @staticmethod
    def entries(store: Store) -> Iterator[dict[str, Any]]:
        """Yield the entry of each document of a store; warn of those that cannot be read."""
        for key in store.keys(store.key_builder.prefix("documents")):
            try:
                yield read_entry(store, key)
            except KeyError:
                continue  # deleted meanwhile
            except CorruptRecord as error:
                warnings.warn(f"a document of {store!r} is left out: {error}", stacklevel=3)

    def entry(self) -> dict[str, Any]:
        """Return what the document is: ``id``, ``name``, ``token`` and ``roots``.

        Raises
        ------
        DocumentNotFound
            If nothing was processed under this id.
        CorruptRecord
            If the entry is not what was written.
        """
        try:
            return read_entry(self.store, self.entry_key)
        except KeyError:
            raise DocumentNotFound(
                f"there is no document {self.id!r} in {self.store!r}: process() returns the ids "
                "of those there are"
            ) from None

    def exists(self) -> bool:
        """Return whether something was processed under this id."""
        return self.entry_key in self.store

    def delete(self) -> None:
        """Delete the entry and every value."""
        self.store.delete(
            self._keys.prefix("documents", self.id), self._keys.prefix("values", self.id)
        )

    def forget(self, token: str) -> None:
        """Delete the values that were computed from other content."""
        self.store.delete(self._keys.prefix("values", self.id, token))

    def value(self, token: str, feature: str, fingerprint: str) -> Value:
        """Return where a value lies, if it is there.

        Parameters
        ----------
        token : str
            Stands for the content that the document was made from.
        feature : str
            The name of the feature.
        fingerprint : str
            The identity of its computation.
        """
        return Value(self._keys.prefix("values", self.id, token, feature, fingerprint))

    def has(self, value: Value) -> bool:
        """Return whether a value is stored."""
        return value.header in self.store

    def digest(self, value: Value) -> str:
        """Return the digest of the content of a stored value."""
        parts = [part for record in self.header(value)["records"] for part in record]
        names = (content_digest(part) if isinstance(part, bytes) else part for part in parts)
        return content_digest(*map(str.encode, names))

    def chunks(self, feature: Feature, value: Value) -> Iterator[Any]:
        """Yield the chunks of a stored value; raise `CorruptRecord` for what was not written so."""
        for chunk in feature.chunks(self.records(value, self.header(value))):
            feature.check(chunk)
            yield chunk

    def records(self, value: Value, header: dict[str, Any]) -> Iterator[bytes]:
        """Yield the records that a header names; raise `CorruptRecord` at the first damaged one."""
        parts = self.parts(value, header)
        for record in header["records"]:
            found = [part if isinstance(part, bytes) else next(parts)[1] for part in record]
            yield found[0] if len(found) == 1 else b"".join(found)

    def parts(self, value: Value, header: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
        """Yield each key beside the header's with what is there; raise `CorruptRecord` likewise."""
        elsewhere = (part for record in header["records"] for part in record)
        digests = (part for part in elsewhere if isinstance(part, str))
        for number, digest in enumerate(digests):
            key = value.record(header["run"], number)
            try:
                part = self.store.read(key)
            except KeyError:
                part = b""
            if content_digest(part) != digest:
                raise _corrupt(key)
            yield key, part

    def header(self, value: Value) -> dict[str, Any]:
        """Return the ``run`` and the ``records`` of a stored value.

        Each record is a list of parts: bytes, or the digest of what lies under a key of its own.
        """
        header = unsealed(self.store.read(value.header), value.header)
        try:
            records = [list(map(_part, record)) for record in header["records"]]
            return {"run": str(header["run"]), "records": records}
        except (TypeError, LookupError):
            raise _corrupt(value.header) from None


def _part(stored: Any) -> str | bytes:
    """Return a part of a record, as a header has it: an array, or a digest."""
    return stored if isinstance(stored, str) else np.asarray(stored, np.uint8).tobytes()


@dataclass(frozen=True)
class Value:
    """Where a value lies; made by `Document.value`.

    Parameters
    ----------
    place : str
        What all of its keys start with.
    """

    place: str

    @property
    def header(self) -> str:
        """str : The key of the header."""
        return f"{self.place}header"

    def run(self, run: str) -> str:
        """Return what the keys of the records of a run start with."""
        return f"{self.place}{run}/"

    def record(self, run: str, number: int) -> str:
        """Return the key of a record."""
        return f"{self.place}{run}/{number:08d}"


class Writer:
    """Writes values of a document: nothing of them can be read before `commit`.

    Usually everything goes into one transaction. Records of long documents are written ahead, to
    keep memory bounded; their headers, which make them visible, still come together at the end.

    Parameters
    ----------
    document : Document
    is_new : bool
        Whether there was no such document: as long as there is none, it is not asked for values.
    """

    def __init__(self, document: Document, is_new: bool = False) -> None:
        self._document = document
        self._is_new = is_new
        self._run = os.urandom(8).hex()
        self._records: dict[str, bytes] = {}
        self._size = 0
        self._placed: dict[Value, _Placed] = {}
        self._waiting: dict[Value, tuple[Feature, list[Any]]] = {}
        self._replacing: set[Value] = set()
        self._spilled = False

    def begin(self, value: Value, replace: bool = False) -> None:
        """Announce a value; unless it is to `replace` what is there, that will stay."""
        self._placed[value] = _Placed([])
        if replace:
            self._replacing.add(value)

    def add(self, feature: Feature, value: Value, chunk: Any) -> None:
        """Add a chunk to a value."""
        _, chunks = self._waiting.setdefault(value, (feature, []))
        chunks.append(chunk)
        if sum(getattr(chunk, "nbytes", 0) for chunk in chunks) >= feature.gathered:
            self._put(value)

    def _put(self, value: Value) -> None:
        """Make records of the chunks that wait."""
        feature, chunks = self._waiting.pop(value)
        placed = self._placed[value]
        for record in feature.records(chunks):
            parts: list[Any] = []
            for part, is_held in _cut(record, _HELD - placed.held):
                if is_held:
                    parts.append(np.frombuffer(part, np.uint8))
                    placed.held += len(part) + _MARK
                    continue
                parts.append(content_digest(part))
                self._records[value.record(self._run, placed.elsewhere)] = part
                placed.elsewhere += 1
                self._size += len(part)
                if self._size > _SPILL:
                    self._document.store.write(self._records)
                    self._records, self._size, self._spilled = {}, 0, True
            placed.records.append(parts)

    def commit(self, entry: dict[str, Any] | None = None) -> None:
        """Make the values visible, and the document's entry with them."""
        for value in list(self._waiting):
            self._put(value)
        needless = []
        alone = self._is_new and not self._document.exists()  # nobody else was faster with it
        for value, placed in self._placed.items():
            if not alone and self._document.has(value):
                if value not in self._replacing:  # somebody else was faster with the same
                    needless += [value.run(self._run)] if placed.elsewhere else []
                    continue
                with contextlib.suppress(KeyError, CorruptRecord):  # gone, or damaged
                    run = self._document.header(value)["run"]
                    needless += [value.run(run)] if run else []
            header = {"run": self._run * bool(placed.elsewhere), "records": placed.records}
            self._records[value.header] = sealed(header)
        if entry is not None:
            self._records[self._document.entry_key] = sealed(entry)
        if self._records:
            self._document.store.write(self._records)
        if needless:
            self._document.store.delete(*needless)

    def abandon(self) -> None:
        """Take back what was written ahead."""
        if self._spilled:
            self._document.store.delete(*(value.run(self._run) for value in self._placed))


@dataclass
class _Placed:
    """Where the records of a value go."""

    records: list[list[Any]]
    held: int = 0  # bytes of the header
    elsewhere: int = 0  # parts


def _cut(record: bytes, room: int) -> Iterator[tuple[bytes, bool]]:
    """Yield the parts of a record, and whether the header holds them.

    One is of whole pages, without their head; where little more is left than that, it is held, as
    far as there is room. What is beyond is either small, or worth another page.
    """
    pages = (len(record) + _PAGE_HEAD) // _PAGE
    full = max(0, pages * _PAGE - _PAGE_HEAD)
    room = max(0, room)
    small = max(0, len(record) - full - room)
    if small > _LEAST:
        full, small, room = len(record), 0, 0
    if full:
        yield record[:full], False
    if small:
        yield record[full : full + small], False
    if full + small < len(record) or not record:
        yield record[full + small :], True


def sealed(value: Any) -> bytes:
    """Return a record behind its digest."""
    record = encode(value)
    return content_digest(record).encode() + record


def unsealed(record: bytes, key: str) -> Any:
    """Return what was sealed; raise `CorruptRecord` if it is not what was written."""
    if record[:_SEAL] != content_digest(record[_SEAL:]).encode():
        raise _corrupt(key)
    return decode(record[_SEAL:])


def read_entry(store: Store, key: str) -> dict[str, Any]:
    """Return the entry under `key`; raise KeyError, or `CorruptRecord`."""
    found = unsealed(store.read(key), key)
    if not (isinstance(found, dict) and {"id", "name", "token", "roots"} <= found.keys()):
        raise CorruptRecord(f"an entry has other parts than it should: {str(found)[:80]}")
    return found


def _corrupt(key: str) -> CorruptRecord:
    return CorruptRecord(
        f"what is stored under {key} is not what was written: delete the document, and process it "
        "again"
    )
