"""The care of a whole store: find what is damaged, copy what is of use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import unquote

from featureflow.document import Document, Value, read_entry
from featureflow.errors import CodecError, CorruptRecord, InvalidParameter
from featureflow.stores import Batch, Store

_UNREADABLE = (CorruptRecord, CodecError)


@dataclass(frozen=True)
class Problem:
    """Something in a store that cannot be read.

    Parameters
    ----------
    id : str
        Of the document. Where its entry cannot be read, as its keys have it: a long one is cut.
    key : str
        What the damage is under.
    message : str
        What is wrong, and what to do.
    """

    id: str
    key: str
    message: str


@dataclass(frozen=True)
class Copied:
    """What `copy` did.

    Parameters
    ----------
    documents : int
        How many were copied.
    values : int
        How many were copied.
    bytes : int
        The size of all keys and records that were copied.
    left : int
        How many records were left behind, for whatever reason.
    damaged : int
        How many values were left behind because they cannot be read.
    """

    documents: int
    values: int
    bytes: int
    left: int
    damaged: int


def verify(store: Store) -> Iterator[Problem]:
    """Yield what cannot be read: entries, and values that an entry leads to.

    Each record is read and compared with its digest. There is one problem for each value: that of
    its first damaged record. What no entry leads to is no damage: it is never read, and `copy`
    leaves it behind. The store may be written to meanwhile.

    Parameters
    ----------
    store : Store

    Yields
    ------
    Problem
    """
    for key in store.keys(store.key_builder.prefix("documents")):
        try:
            _id = read_entry(store, key)["id"]
        except KeyError:
            continue  # deleted meanwhile
        except _UNREADABLE as error:
            yield Problem(_decoded(store, _part(key)), key, str(error))
        else:
            if Document(store, _id).entry_key != key:
                yield Problem(_decoded(store, _part(key)), key, f"{key} holds the entry of {_id!r}")
    for place in _places(store, store.keys(store.key_builder.prefix("values"))):
        problem = None if place.document is None else _problem(place.document, place.value)
        if problem is not None:
            yield problem


def discard(store: Store, problem: Problem) -> None:
    """Delete what a problem was found in: an entry, or a value with all its records.

    The rest of the document stays, and is used when the same content is processed again.
    """
    is_value = problem.key.startswith(store.key_builder.prefix("values"))
    place = "/".join(problem.key.split("/", 5)[:5]) + "/" if is_value else problem.key
    store.delete(place)


def copy(source: Store, target: Store, wanted: Callable[[str, str], bool]) -> Copied:
    """Copy documents and what is of use of their values to an empty store, in the order of keys.

    Every entry is copied as it is, and so is what does not belong to a document. Of the values,
    those are copied that the entry leads to, that are wanted, and that can be read; where the
    entry is damaged, those of any content, since they are found again when the same content is
    processed. Nobody may write to either store meanwhile. If anything fails, what the target has
    by then stays there.

    Parameters
    ----------
    source : Store
    target : Store
    wanted : callable
        Takes the name of a feature and a fingerprint of its computation; whether to copy such
        values. A name that is too long for a key is given as it is cut there.

    Returns
    -------
    Copied

    Raises
    ------
    InvalidParameter
        If the target is not empty.
    """
    if next(target.keys(), None) is not None:
        raise InvalidParameter(f"{target!r} is not empty: copy to a new store")
    documents = values = size = left = damaged = 0
    batch = Batch(target)
    entries, prefix = (source.key_builder.prefix(area) for area in ("documents", "values"))
    for are_values, keys in groupby(source.keys(), lambda key: key.startswith(prefix)):
        if not are_values:
            for key in keys:
                size += _put(batch, key, source.read(key))
                documents += key.startswith(entries)
            continue
        for place in _places(source, keys):
            left += place.keys
            if place.document is None or not wanted(place.feature, place.fingerprint):
                continue
            try:
                records, added = _copy_value(place.document, place.value, batch)
            except KeyError:
                continue  # no header: a writer was killed
            except CorruptRecord:
                batch.delete(place.value.place)
                damaged += 1
            else:
                values, size, left = values + 1, size + added, left - records
    batch.commit()
    return Copied(documents, values, size, left, damaged)


@dataclass(frozen=True)
class _Place:
    """Where a value lies, or what is left of one: how many keys, and of what."""

    document: Document | None  # if its entry leads here
    value: Value
    feature: str
    fingerprint: str
    keys: int


def _places(store: Store, keys: Iterable[str]) -> Iterator[_Place]:
    """Yield the places that `keys`, which are of values and in order, belong to."""
    for part, of_document in groupby(keys, _part):
        document, reach = _owner(store, part)
        for start, of_value in groupby(of_document, lambda key: key.split("/", 5)[:5]):
            value = Value("/".join(start) + "/")
            names = [_decoded(store, name) for name in start[3:]]
            is_one = len(names) == 2 and value.place.startswith(reach)
            feature, fingerprint = names if is_one else ("", "")
            count = sum(1 for _ in of_value)
            yield _Place(document if is_one else None, value, feature, fingerprint, count)


def _owner(store: Store, part: str) -> tuple[Document | None, str]:
    """Return the document with `part` in its keys, and what the keys it leads to start with."""
    builder = store.key_builder
    try:
        entry = read_entry(store, f"{builder.prefix('documents')}{part}/entry")
    except KeyError:
        return None, ""
    except _UNREADABLE:
        return Document(store, _decoded(store, part)), f"{builder.prefix('values')}{part}/"
    return Document(store, entry["id"]), builder.prefix("values", entry["id"], entry["token"])


def _part(key: str) -> str:
    """Return what stands for the id in the key of an entry or a value."""
    return key.split("/", 2)[1]


def _decoded(store: Store, part: str) -> str:
    """Return what a part of a key was made of, or the part where that cannot be told."""
    text = unquote(part)
    return text if text and store.key_builder.build(text) == part else part


def _problem(document: Document, value: Value) -> Problem | None:
    """Return what is wrong with a value; None if it is nothing, or the value is gone."""
    seen: dict[str, Any] | None = None
    found: Problem | None = None
    while True:
        try:
            header = document.header(value)
        except KeyError:
            return None  # deleted meanwhile, or never completed
        except CorruptRecord as error:
            return Problem(document.id, value.header, str(error))
        if header == seen:  # else the value was replaced while its records were read
            return found
        seen, whole = header, 0
        try:
            for _ in document.parts(value, header):
                whole += 1
            return None
        except CorruptRecord as error:
            found = Problem(document.id, value.record(header["run"], whole), str(error))


def _copy_value(document: Document, value: Value, batch: Batch) -> tuple[int, int]:
    """Copy a value; return how many keys it has, and the size of it all."""
    parts = document.parts(value, document.header(value))
    sizes = [_put(batch, key, part) for key, part in parts]
    sizes.append(_put(batch, value.header, document.store.read(value.header)))
    return len(sizes), sum(sizes)


def _put(batch: Batch, key: str, record: bytes) -> int:
    """Write a record; return its size."""
    batch.write({key: record})
    return len(key) + len(record)
