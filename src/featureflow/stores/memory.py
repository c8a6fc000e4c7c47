"""A store that lives as long as its process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from featureflow.stores.store import StringDelimitedKeyBuilder, as_bytes


class InMemoryDatabase:
    """Keeps its records in a dict: for trying things out, and for tests.

    Parameters
    ----------
    key_builder : StringDelimitedKeyBuilder or None
        How keys are put together.
    """

    def __init__(self, key_builder: StringDelimitedKeyBuilder | None = None) -> None:
        self.key_builder = key_builder or StringDelimitedKeyBuilder()
        self._records: dict[str, bytes] = {}

    def read(self, key: str) -> bytes:
        """See `Store.read`."""
        return self._records[key]

    def write(self, records: Mapping[str, bytes]) -> None:
        """See `Store.write`."""
        for key in records:
            as_bytes(key)
        self._records.update(records)

    def delete(self, *prefixes: str) -> int:
        """See `Store.delete`."""
        gone = [key for key in list(self._records) if key.startswith(prefixes)]
        for key in gone:
            self._records.pop(key, None)
        return len(gone)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See `Store.keys`."""
        return iter(sorted(key for key in list(self._records) if key.startswith(prefix)))

    def __contains__(self, key: str) -> bool:
        return key in self._records

    def close(self) -> None:
        """See `Store.close`; the records stay."""
