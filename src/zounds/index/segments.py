"""An index on disk: a folder of immutable segments, and a manifest that says which count.

Documents are added as a new segment, removed by a note in the manifest, and segments are merged
when they become too many. Whatever is done becomes visible by replacing the manifest, and what was
killed before that has left files which nobody reads. One process may change an index at a time;
those that search it hold the files of the moment they began at, and never wait.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from featureflow.errors import CorruptRecord
from zounds.errors import SearchError
from zounds.index import manifest as manifests
from zounds.index import segment as segments
from zounds.index.manifest import Entry, Manifest
from zounds.index.segment import Coded, Segment, Table
from zounds.index.snapshot import Part, Snapshot

_SUFFIX = ".segment"
_FACTOR = 4  # a segment is small unless it is that many times as large as those after it
_MANY = 8  # small segments are merged when there are so many


class Segments:
    """A folder that holds an index.

    Parameters
    ----------
    folder : Path
        Made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[tuple[str, str], Segment] = {}
        self._read: tuple[Any, Snapshot | None] = None, None

    def snapshot(self) -> Snapshot | None:
        """Return the index as it is at this moment; None where there is none.

        Raises
        ------
        CorruptRecord
            If the manifest is damaged, or a segment it names is, or is missing.
        FormatError
            If a newer version has written it.
        """
        while True:
            stamp = manifests.stamp(self.folder)
            known, snapshot = self._read
            if stamp is not None and stamp == known:
                return snapshot
            manifest = manifests.read(self.folder)
            if manifest is None:
                return None
            try:
                snapshot = self.opened(manifest)
            except CorruptRecord:
                if manifests.stamp(self.folder) != stamp:
                    continue  # it was replaced meanwhile, and the segment deleted
                raise
            self._read = stamp, snapshot
            return snapshot

    def opened(self, manifest: Manifest) -> Snapshot:
        """Return the snapshot that a manifest describes; what is open already stays so."""
        keys = [(entry.file, entry.seal) for entry in manifest.segments]
        known = self._open
        width = -(-manifest.bits // 8)
        self._open = {
            key: known.get(key) or Segment(self.folder / key[0], key[1], width) for key in keys
        }
        parts = tuple(
            Part(self._open[key], _without(entry.documents, entry.removed))
            for key, entry in zip(keys, manifest.segments, strict=True)
        )
        return Snapshot(
            manifest.fingerprint,
            manifest.bits,
            manifest.generation,
            parts,
            documents=sum(entry.documents - len(entry.removed) for entry in manifest.segments),
            codes=sum(entry.codes - entry.dead for entry in manifest.segments),
        )

    @contextmanager
    def changing(self) -> Iterator[Writer]:
        """Let this process alone change the index, meanwhile.

        Raises
        ------
        SearchError
            If another one does, or the folder cannot be written to.
        """
        import filelock

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.folder / "lock", timeout=0)
            lock.acquire()
        except filelock.Timeout:
            raise SearchError(
                f"another process is changing the index in {self.folder}: wait until it is done"
            ) from None
        except OSError as error:
            raise SearchError(
                f"{self.folder} cannot be written to ({error.strerror}): give another folder"
            ) from error
        try:
            yield Writer(self)
        finally:
            lock.release()


class Writer:
    """Changes an index; made by `Segments.changing`.

    Parameters
    ----------
    index : Segments
    """

    def __init__(self, index: Segments) -> None:
        self._index = index
        self._folder = index.folder

    def read(self, fingerprint: str) -> Snapshot | None:
        """Return the index as it is, verified; None if it is of other codes, or damaged."""
        try:
            snapshot = self._index.snapshot()
            if snapshot is None or snapshot.fingerprint != fingerprint:
                return None
            snapshot.check()
        except CorruptRecord:
            return None
        return snapshot

    def replace(self, fingerprint: str, bits: int, documents: Iterable[Coded]) -> None:
        """Begin anew with some documents, whatever there was; all or nothing.

        Parameters
        ----------
        fingerprint : str
            The identity of the computation of the codes.
        bits : int
            The length of a code.
        documents : iterable of Coded
        """
        try:
            before = manifests.read(self._folder)
        except CorruptRecord:
            before = None
        generation = 0 if before is None else before.generation
        table = Table.of(documents, -(-bits // 8))
        self._commit(Manifest(fingerprint, bits, generation), table, ())

    def change(self, add: Iterable[Coded] = (), remove: Collection[str] = ()) -> None:
        """Add and remove documents; all or nothing.

        Parameters
        ----------
        add : iterable of Coded
            They take the place of those of the same id.
        remove : collection of str
            Ids; those that are not there do not matter.

        Raises
        ------
        SearchError
            If there is no index yet.
        CorruptRecord
            If it is damaged.
        """
        before = self._before()
        table = Table.of(add, -(-before.bits // 8))
        self._commit(before, table, {*remove, *table.ids})

    def compact(self) -> None:
        """Put all documents into one segment, without those that were removed.

        Raises
        ------
        SearchError, CorruptRecord
            See `change`.
        """
        before = self._before()
        if len(before.segments) > 1 or any(entry.removed for entry in before.segments):
            self._commit(before, None, ())

    def _before(self) -> Manifest:
        before = manifests.read(self._folder)
        if before is None:
            raise SearchError(f"there is no index in {self._folder} yet: build one")
        return before

    def _commit(self, before: Manifest, added: Table | None, gone: Collection[str]) -> None:
        """Write the next generation: with what is `added`, or of one segment if that is None."""
        opened = [part.segment for part in self._index.opened(before).parts]
        entries = [
            _buried(entry, segment, gone)
            for entry, segment in zip(before.segments, opened, strict=True)
        ]
        count = len(entries) if added is None else _to_merge(entries, len(added.packed))
        last = len(entries) - count
        tables = [] if added is None else [added]
        for entry, segment in zip(entries[last:], opened[last:], strict=True):
            tables.append(segment.table(_alive(entry)))
        after = [entry for entry in entries[:last] if len(entry.removed) < entry.documents]
        if any(table.ids for table in tables):
            after.append(self._written(Table.joined(tables), before.generation + 1))
        manifests.write(self._folder, before.next(*after))
        self._sweep({entry.file for entry in after})

    def _written(self, table: Table, generation: int) -> Entry:
        name = f"{generation:08d}{_SUFFIX}"
        draft = self._folder / f".{name}"
        try:
            seal = segments.write(draft, table)
            draft.replace(self._folder / name)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise SearchError(
                f"{self._folder} cannot be written to ({error.strerror}): is the disk full?"
            ) from error
        return Entry(name, seal, len(table.ids), len(table.packed))

    def _sweep(self, used: set[str]) -> None:
        """Delete what no manifest names any more, also what was left by a process that died."""
        for path in self._folder.iterdir():
            draft = path.name.startswith((f".{manifests.NAME}.",)) or (
                path.name.startswith(".") and path.name.endswith(_SUFFIX)
            )
            if draft or (path.name.endswith(_SUFFIX) and path.name not in used):
                with contextlib.suppress(OSError):  # where files that are mapped stay
                    path.unlink()


def _buried(entry: Entry, segment: Segment, gone: Collection[str]) -> Entry:
    """Return the entry of a segment after some documents are gone."""
    found = segment.find(gone)
    if not found:
        return entry
    removed = np.union1d(np.array(entry.removed, np.int64), found)
    counts = np.diff(segment.offsets)
    return replace(
        entry, removed=tuple(removed.tolist()), dead=int(counts[removed.astype(np.int64)].sum())
    )


def _to_merge(entries: list[Entry], size: int) -> int:
    """Return how many of the last segments are written again, together with `size` new codes.

    Those that are small beside what comes after them, once there are many; and from the first on
    that holds more codes of removed documents than others.
    """
    for place, entry in enumerate(entries):
        if 2 * entry.dead > entry.codes:
            return len(entries) - place
    small = 0
    for entry in reversed(entries):
        if entry.codes >= _FACTOR * max(size, 1):
            break
        small, size = small + 1, size + entry.codes
    return small if small >= _MANY else 0


def _without(documents: int, removed: tuple[int, ...]) -> npt.NDArray[np.bool_] | None:
    if not removed:
        return None
    live = np.ones(documents, bool)
    live[list(removed)] = False
    return live


def _alive(entry: Entry) -> npt.NDArray[np.bool_]:
    live = _without(entry.documents, entry.removed)
    return np.ones(entry.documents, bool) if live is None else live
