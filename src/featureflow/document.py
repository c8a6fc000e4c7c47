"""How a document lies in a store.

::

    documents/<id>/entry                                     what it is: id, name, token
    values/<id>/<token>/<feature>/<fingerprint>/<number>     the records of one value
    values/<id>/<token>/<feature>/<fingerprint>/header       their digests; written last

The token stands for the content the document was made from: what was computed from other content
has other keys. A value is there when its header is, and a document when its entry is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from featureflow.codec import content_digest, decode, encode
from featureflow.errors import CorruptRecord, DocumentNotFound
from featureflow.feature import Feature
from featureflow.stores import Store

_SPILL = 8 << 20


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

    @staticmethod
    def entries(store: Store) -> Iterator[dict[str, Any]]:
        """Yield the entry of each document of a store."""
        for key in store.keys(store.key_builder.prefix("documents")):
            try:
                yield decode(store.read(key))
            except KeyError:
                continue  # deleted meanwhile

    def entry(self) -> dict[str, Any]:
        """Return what the document is: ``id``, ``name``, ``token`` and ``roots``.

        Raises
        ------
        DocumentNotFound
            If nothing was processed under this id.
        """
        try:
            entry: dict[str, Any] = decode(self.store.read(self._entry_key))
        except KeyError:
            raise DocumentNotFound(
                f"there is no document {self.id!r} in {self.store!r}: process() returns the ids "
                "of those there are"
            ) from None
        return entry

    def exists(self) -> bool:
        """Return whether something was processed under this id."""
        return self._entry_key in self.store

    def delete(self) -> None:
        """Delete the entry and every value."""
        self.store.delete(
            self._keys.prefix("documents", self.id), self._keys.prefix("values", self.id)
        )

    def forget(self, token: str) -> None:
        """Delete the values that were computed from other content."""
        self.store.delete(self._keys.prefix("values", self.id, token))

    def has(self, value: Value) -> bool:
        """Return whether a value is stored."""
        return self._key(value, "header") in self.store

    def digest(self, value: Value) -> str:
        """Return the digest of the content of a stored value."""
        return content_digest(*map(str.encode, self._header(value)))

    def chunks(self, feature: Feature, value: Value) -> Iterator[Any]:
        """Yield the chunks of a stored value; raise `CorruptRecord` for what was not written so."""
        return feature.chunks(self._records(value))

    def _records(self, value: Value) -> Iterator[bytes]:
        for number, digest in enumerate(self._header(value)):
            try:
                record = self.store.read(self._key(value, _numbered(number)))
            except KeyError:
                record = b""
            if content_digest(record) != digest:
                raise CorruptRecord(
                    f"record {number} of {value.feature!r} of document {self.id!r} in "
                    f"{self.store!r} is not what was written: delete the document, and process "
                    "it again"
                )
            yield record

    def _header(self, value: Value) -> list[str]:
        header: dict[str, list[str]] = decode(self.store.read(self._key(value, "header")))
        return header["records"]

    @property
    def _entry_key(self) -> str:
        return self._keys.build("documents", self.id, "entry")

    def _key(self, value: Value, last: str) -> str:
        return self._keys.build(
            "values", self.id, value.token, value.feature, value.fingerprint, last
        )


@dataclass(frozen=True)
class Value:
    """Where a value lies within its document.

    Parameters
    ----------
    token : str
        Stands for the content that the document was made from.
    feature : str
        The name of the feature.
    fingerprint : str
        The identity of its computation.
    """

    token: str
    feature: str
    fingerprint: str


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
        self._records: dict[str, bytes] = {}
        self._size = 0
        self._digests: dict[str, list[str]] = {}
        self._may_spill = True
        self._spilled = False

    def begin(self, value: Value) -> None:
        """Announce a value, which may turn out to have no chunks."""
        if self._document.has(value):  # its records must stay until all of them are replaced
            self._may_spill = False
        self._digests[self._document._key(value, "header")] = []

    def add(self, feature: Feature, value: Value, chunk: Any) -> None:
        """Add a chunk to a value."""
        digests = self._digests[self._document._key(value, "header")]
        for record in feature.records(chunk):
            self._records[self._document._key(value, _numbered(len(digests)))] = record
            digests.append(hashlib.blake2b(record, digest_size=16).hexdigest())
            self._size += len(record)
            if self._size > _SPILL and self._may_spill:
                self._document.store.write(self._records)
                self._records, self._size, self._spilled = {}, 0, True

    def commit(self, entry: dict[str, Any] | None = None) -> None:
        """Make the values visible, and the document's entry with them."""
        for key, digests in self._digests.items():
            self._records[key] = encode({"records": digests})
        if entry is not None:
            self._records[self._document._entry_key] = encode(entry)
        if self._records:
            self._document.store.write(self._records)

    def abandon(self) -> None:
        """Take back what was written ahead."""
        if self._spilled:
            self._document.store.delete(*(key.removesuffix("header") for key in self._digests))


def _numbered(number: int) -> str:
    return f"{number:08d}"
