"""A store in front of another, that makes one write of many."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from itertools import groupby

from featureflow.stores.store import Store, as_bytes


class Batch:
    """Collects what is written, and hands it to another store in one write.

    For those who process many documents: one transaction for a hundred of them, instead of one
    for each. What was collected is lost with the process, until `commit`; through the batch it is
    read as if it were in the store. A batch belongs to one thread.

    Parameters
    ----------
    store : Store
        Where everything goes in the end.
    limit : int
        In bytes, keys included: a write that brings more than this together commits.
    """

    def __init__(self, store: Store, limit: int = 8 << 20) -> None:
        self.key_builder = store.key_builder
        self._store = store
        self._limit = limit
        self._collected: dict[str, bytes] = {}
        self._size = 0

    def __repr__(self) -> str:
        return f"Batch({self._store!r})"

    def commit(self) -> None:
        """Write what was collected to the store; where that fails, it stays collected."""
        self._hand_over(self._collected)

    def abandon(self) -> None:
        """Forget what was collected."""
        self._collected, self._size = {}, 0

    def read(self, key: str) -> bytes:
        """See `Store.read`."""
        found = self._collected.get(key)
        return self._store.read(key) if found is None else found

    def write(self, records: Mapping[str, bytes]) -> None:
        """See `Store.write`; a write that fails is not collected, those before it stay so."""
        size = self._size
        for key, value in records.items():
            size += len(as_bytes(key)) + len(value)
            replaced = self._collected.get(key)
            if replaced is not None:
                size -= len(key) + len(replaced)
        if size > self._limit:
            self._hand_over({**self._collected, **records})
        else:
            self._collected.update(records)
            self._size = size

    def _hand_over(self, records: Mapping[str, bytes]) -> None:
        if records:
            self._store.write(records)
        self.abandon()

    def delete(self, *prefixes: str) -> int:
        """See `Store.delete`; commits first."""
        self.commit()
        return self._store.delete(*prefixes)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See `Store.keys`."""
        collected = sorted(key for key in self._collected if key.startswith(prefix))
        # what is in both, or is committed meanwhile, comes twice in a row
        for key, _ in groupby(heapq.merge(collected, self._store.keys(prefix))):
            yield key

    def __contains__(self, key: str) -> bool:
        return key in self._collected or key in self._store

    def close(self) -> None:
        """See `Store.close`; commits first."""
        self.commit()
        self._store.close()
