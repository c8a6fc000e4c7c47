"""How a document lies in a store.

::

    documents/<id>/entry                                       what it is: id, name, token, roots
    values/<id>/<token>/<feature>/<fingerprint>/header         names a run, digests of its records
    values/<id>/<token>/<feature>/<fingerprint>/<run>/<number> the records

The token stands for the content the document was made from: what was computed from other content
has other keys. A value is there when its header is, and a document when its entry is. Each writer
has a run of its own, so that those who write the same at the same time do not disturb each other.
"""

from __future__ import annotations

import contextlib
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from featureflow.codec import content_digest, decode, encode
from featureflow.errors import CorruptRecord, DocumentNotFound
from featureflow.feature import Feature
from featureflow.stores import Store

_SPILL = 8 << 20
_SEAL = 32


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
        return content_digest(*map(str.encode, self.header(value)["records"]))

    def chunks(self, feature: Feature, value: Value) -> Iterator[Any]:
        """Yield the chunks of a stored value; raise `CorruptRecord` for what was not written so."""
        for chunk in feature.chunks(self.records(value, self.header(value))):
            feature.check(chunk)
            yield chunk

    def records(self, value: Value, header: dict[str, Any]) -> Iterator[bytes]:
        """Yield the records that a header names; raise `CorruptRecord` at the first damaged one."""
        for number, digest in enumerate(header["records"]):
            key = value.record(header["run"], number)
            try:
                record = self.store.read(key)
            except KeyError:
                record = b""
            if content_digest(record) != digest:
                raise _corrupt(key)
            yield record

    def header(self, value: Value) -> dict[str, Any]:
        """Return the ``run`` and the digests of the ``records`` of a stored value."""
        header = unsealed(self.store.read(value.header), value.header)
        if not (
            isinstance(header, dict)
            and isinstance(header.get("run"), str)
            and isinstance(header.get("records"), list)
        ):
            raise _corrupt(value.header)
        return header


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
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._run = uuid.uuid4().hex[:16]
        self._records: dict[str, bytes] = {}
        self._size = 0
        self._digests: dict[Value, list[str]] = {}
        self._waiting: dict[Value, tuple[Feature, list[Any]]] = {}
        self._replacing: set[Value] = set()
        self._spilled = False

    def begin(self, value: Value, replace: bool = False) -> None:
        """Announce a value; unless it is to `replace` what is there, that will stay."""
        self._digests[value] = []
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
        digests = self._digests[value]
        for record in feature.records(chunks):
            self._records[value.record(self._run, len(digests))] = record
            digests.append(content_digest(record))
            self._size += len(record)
            if self._size > _SPILL:
                self._document.store.write(self._records)
                self._records, self._size, self._spilled = {}, 0, True

    def commit(self, entry: dict[str, Any] | None = None) -> None:
        """Make the values visible, and the document's entry with them."""
        for value in list(self._waiting):
            self._put(value)
        needless = []
        for value, digests in self._digests.items():
            if self._document.has(value):
                if value not in self._replacing:  # somebody else was faster with the same
                    needless.append(value.run(self._run))
                    continue
                with contextlib.suppress(KeyError, CorruptRecord):  # gone, or damaged
                    needless.append(value.run(self._document.header(value)["run"]))
            self._records[value.header] = sealed({"run": self._run, "records": digests})
        if entry is not None:
            self._records[self._document.entry_key] = sealed(entry)
        if self._records:
            self._document.store.write(self._records)
        if needless:
            self._document.store.delete(*needless)

    def abandon(self) -> None:
        """Take back what was written ahead."""
        if self._spilled:
            self._document.store.delete(*(value.run(self._run) for value in self._digests))


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
