"""The map: a place in the plane for each sound, near to those that sound alike."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zounds.corpus.view import Coded
from zounds.web.facts import Facts
from zounds.web.library import Library
from zounds.web.refusal import Refused

Places = npt.NDArray[np.float32]

_BLOCK = 1 << 14
_REVISION = "2"
_MOST = 0.9  # of the sounds lie where distances are about as they are
_TIES = 0.004  # equal codes would hide each other


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
            "method": "pca",
            "folders": self.folders,
            "bytes": offset,
            "columns": described,
            "points": f"/api/map/points?version={self.version}",
            "names": f"/api/map/names?version={self.version}",
        }

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
        snapshot, facts = library.snapshot(library.units[0]), library.facts()
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
            "samplerate": facts.samplerates[rows],
            "folder": folder.astype(np.uint16 if few else np.uint32),
            "channels": facts.channels[rows],
        },
    )


def places_of(snapshot: Coded, tell: Callable[[float], None]) -> Places:
    """Return where documents lie: the two directions in which their codes differ most.

    Parameters
    ----------
    snapshot : Coded
    tell : callable
        Is told how much is done.

    Returns
    -------
    np.ndarray [shape=(2, documents), range=[-1, 1]]
    """
    firsts = np.minimum(snapshot.offsets[:-1], max(len(snapshot.codes) - 1, 0))
    codes, bits, count = snapshot.codes[firsts], snapshot.bits, len(firsts)
    if not count:
        return np.zeros((2, 0), np.float32)
    total, scatter = np.zeros(bits), np.zeros((bits, bits))
    for start in range(0, count, _BLOCK):
        block = _bits(codes[start : start + _BLOCK], bits)
        total += block.sum(axis=0)
        scatter += block.T @ block
        tell(0.5 * start / count)
    mean = total / count
    _, directions = np.linalg.eigh(scatter / count - np.outer(mean, mean))
    plane = directions[:, -1:-3:-1]
    # which way an axis points is not settled by the codes
    plane = plane * np.sign(plane[np.abs(plane).argmax(axis=0), range(plane.shape[1])])
    places: npt.NDArray[Any] = np.empty((2, count))
    for start in range(0, count, _BLOCK):
        centred = _bits(codes[start : start + _BLOCK], bits) - mean
        places[:, start : start + len(centred)] = (centred @ plane).T
        tell(0.5 + 0.5 * start / count)
    # a few sounds that are like no other would take all the room: the others have it
    places /= np.quantile(np.abs(places), _MOST, axis=1, keepdims=True).clip(1e-9)
    places = np.tanh(places)
    noise = np.random.default_rng(0).uniform(-_TIES, _TIES, places.shape)
    return (places * (1 - _TIES) + noise).astype(np.float32)


def _bits(codes: npt.NDArray[np.uint8], bits: int) -> npt.NDArray[np.float32]:
    return 2 * np.unpackbits(codes, axis=1)[:, :bits].astype(np.float32) - 1
