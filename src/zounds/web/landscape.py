"""The map: a place in the plane for each sound, near to those that sound alike."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zounds.corpus.search import Like
from zounds.corpus.view import Coded
from zounds.web.facts import Facts
from zounds.web.layout import laid_out
from zounds.web.library import Library
from zounds.web.refusal import Refused

Places = npt.NDArray[np.float32]

_REVISION = "3"


@dataclass(frozen=True)
class Landscape:
    """All indexed sounds, as columns.

    Parameters
    ----------
    version : str
    ids, names, folders : list of str
    columns : dict of str to np.ndarray [shape=(n,)]
    """

    version: str
    ids: list[str]
    names: list[str]
    folders: list[str]
    columns: dict[str, npt.NDArray[Any]]

    def record(self) -> dict[str, Any]:
        """Return what stands where, for JSON."""
        described, offset = [], 0
        for name, column in self.columns.items():
            offset += -offset % column.itemsize
            described.append({"name": name, "type": str(column.dtype), "offset": offset})
            offset += column.nbytes
        return {
            "ready": True,
            "version": self.version,
            "count": len(self.ids),
            "method": "neighbours",
            "folders": self.folders,
            "bytes": offset,
            "columns": described,
            "points": f"/api/map/points?version={self.version}",
            "names": f"/api/map/names?version={self.version}",
        }

    def called(self) -> bytes:
        """Return the ids and names, as JSON."""
        return json.dumps({"ids": self.ids, "names": self.names}).encode("ascii")

    def points(self) -> bytes:
        """Return the columns one after another, little endian."""
        data = bytearray()
        for column in self.columns.values():
            data += bytes(-len(data) % column.itemsize)
            data += column.astype(column.dtype.newbyteorder("<")).tobytes()
        return bytes(data)


class Cartographer:
    """Draws the map, in a thread of its own, once for each index.

    Parameters
    ----------
    library : Library
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._made: Landscape | None = None
        self._of = ""
        self._failed: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._done = 0.0

    def ask(self, patience: float = 0.0) -> Landscape | float:
        """Return the map; or how much of it is done, if that takes longer than `patience` [s]."""
        changes = self._library.changes
        with self._lock:
            if self._made is not None and self._of == changes:
                return self._made
            self._library.snapshot(self._library.units[0])  # refuses, where there is none
            if self._thread is None or not self._thread.is_alive():
                if self._failed is not None:
                    failed, self._failed = self._failed, None
                    raise failed
                self._done = 0.0
                self._thread = threading.Thread(target=self._draw, args=(changes,), daemon=True)
                self._thread.start()
            thread = self._thread
        thread.join(patience)
        with self._lock:
            if self._made is not None and self._of == changes:
                return self._made
            return self._done

    def version(self, version: str) -> Landscape:
        """Return the map of a version; refuse any but the last."""
        made = self._made
        if made is None or made.version != version:
            raise Refused(404, "not_found", f"The map {version!r} is past: ask /api/map again")
        return made

    def _draw(self, changes: str) -> None:
        try:
            landscape = self._drawn()
        except BaseException as error:  # told to whoever asks next
            with self._lock:
                self._failed = error
            return
        with self._lock:
            self._made, self._of = landscape, changes

    def _drawn(self) -> Landscape:
        library = self._library
        # as sounds are, not as their neighbours make them: on the map, those draw them anyway
        like: Like = "same" if "same" in library.likes else "kind"
        snapshot, facts = library.snapshot(library.units[0], like), library.facts()
        digest = hashlib.blake2b(snapshot.codes.tobytes(), digest_size=8)
        digest.update("\n".join(snapshot.ids).encode("utf-8", "surrogatepass"))
        version = digest.hexdigest()
        stored = library.shelf.get(
            "map",
            _REVISION,
            version,
            make=lambda: places_of(snapshot, self._tell).astype("<f4").tobytes(),
        )
        places = np.frombuffer(stored, "<f4").reshape(2, -1)
        rows = [(at, facts.rows[_id]) for at, _id in enumerate(snapshot.ids) if _id in facts.rows]
        at, of = np.array(rows, np.intp).reshape(-1, 2).T
        return landscape_of(version, places[:, at], facts, of)

    def _tell(self, done: float) -> None:
        self._done = done


def landscape_of(
    version: str, places: Places, facts: Facts, rows: npt.NDArray[np.intp]
) -> Landscape:
    """Return a map of some of the sounds, which stand in these rows of `facts`."""
    folder = facts.folder_of[rows]
    few = len(facts.folders) <= np.iinfo(np.uint16).max
    return Landscape(
        version,
        [facts.ids[row] for row in rows],
        [facts.names[row] for row in rows],
        facts.folders,
        {
            "x": places[0].astype(np.float32),
            "y": places[1].astype(np.float32),
            "seconds": facts.seconds[rows].astype(np.float32),
            "samplerate": facts.samplerates[rows].astype(np.float32),
            "folder": folder.astype(np.uint16 if few else np.uint32),
            "channels": facts.channels[rows],
        },
    )


def places_of(snapshot: Coded, tell: Callable[[float], None]) -> Places:
    """Return where documents lie: beside those that sound alike.

    Parameters
    ----------
    snapshot : Coded
        Of a document, the first code or vector counts.
    tell : callable
        Is told how much is done.

    Returns
    -------
    np.ndarray [shape=(2, documents), range=[-1, 1]]
    """
    firsts = np.minimum(snapshot.offsets[:-1], max(len(snapshot.codes) - 1, 0))
    rows = snapshot.vectors
    if rows is None:
        rows = 2 * np.unpackbits(snapshot.codes, axis=1)[:, : snapshot.bits].astype(np.int8) - 1
    return np.ascontiguousarray(laid_out(rows[firsts], tell).T)
