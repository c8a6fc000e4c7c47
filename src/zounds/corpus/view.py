"""A corpus as somebody sees it who stays: what is cheap to ask again and again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zounds.corpus.backend import backend_of
from zounds.corpus.hits import Limits
from zounds.corpus.home import CARD, Home
from zounds.corpus.outcome import Outcome, Progress
from zounds.corpus.search import Asked, Like, Unit, search, searchable
from zounds.errors import CorpusError, SearchError
from zounds.index import manifest as manifests
from zounds.index.results import SearchResults
from zounds.units import SampleRate, TimeSlice

_TOLD = "progress.json"
_EVERY = 0.5  # s


@dataclass(frozen=True)
class Coded:
    """The codes of documents at one moment, to be looked at.

    Parameters
    ----------
    bits : int
        The length of a code.
    ids, names : list of str, one for each document
    rates : list of SampleRate, one for each document
        The time from code to code, and the time each covers.
    offsets : np.ndarray [shape=(documents + 1,), dtype=int64]
        The codes of document i are ``codes[offsets[i]:offsets[i + 1]]``.
    codes : np.ndarray [shape=(n, ceil(bits / 8)), dtype=uint8]
        Packed, the most significant bit first.
    vectors : np.ndarray [shape=(n, d), dtype=int8] or None
        What the codes were made of, where that is compared too.
    """

    bits: int
    ids: list[str]
    names: list[str]
    rates: list[SampleRate]
    offsets: npt.NDArray[np.int64]
    codes: npt.NDArray[np.uint8]
    vectors: npt.NDArray[np.int8] | None = None

    def place(self, row: int) -> tuple[int, TimeSlice]:
        """Return the number of the document that a code belongs to, and the code's time in it."""
        document = int(np.searchsorted(self.offsets, row, side="right")) - 1
        rate = self.rates[document]
        start = rate.frequency * (row - int(self.offsets[document]))
        return document, TimeSlice(start=start, duration=rate.duration)


class View:
    """What a server asks of a corpus; see `Corpus.view`.

    Parameters
    ----------
    home : Home
    backend : str, Backend or None
        Who searches; see `Corpus.search`.
    """

    def __init__(self, home: Home, backend: Any = None) -> None:
        self._home = home
        self._backend = backend_of(backend)
        self._snapshots: dict[tuple[str, str], tuple[str, Coded]] = {}

    @property
    def folder(self) -> Path:
        """Path : Where a server may keep what it has computed."""
        return self._home.path / "page"

    @property
    def changes(self) -> str:
        """str : Differs when the documents or the index have changed."""
        if not self._home.exists():
            return ""
        if self._home.remote:
            return f"{self._home.remote.stamp()}-{self._home.catalogue.state().changes}"
        files = (
            self._home.path / CARD,
            self._home.store_path / "data.mdb",
            self._home.shelf.folder / manifests.NAME,
        )
        return "-".join(map(_stamp, files))

    @property
    def learned(self) -> bool:
        """bool : Whether codes were learned."""
        return self._home.exists() and bool(self._home.job.model)

    @property
    def up_to_date(self) -> bool:
        """bool : Whether all that was added is in the index."""
        if not self._home.exists():
            return False
        state = self._home.catalogue.state()
        return state.indexed == state.changes

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what became of each source, in no particular order."""
        if self._home.exists():
            yield from self._home.catalogue.outcomes()

    def snapshot(self, unit: Unit, like: Like = "kind") -> Coded:
        """Return the codes that are searched.

        Raises
        ------
        SearchError
            If there are none, or they are those of another model.
        """
        changes = self.changes
        key = (unit, like)
        if key not in self._snapshots or self._snapshots[key][0] != changes:
            if not self._home.exists():  # to look into its store would make one
                raise SearchError(f"{self._home} holds no sounds yet: add some first")
            found = searchable(self._home)
            ids = list(found.ids)
            rates = [found.rate] * len(ids)
            offsets = np.arange(len(ids) + 1) if unit == "clip" else found.offsets
            layer = found.layers(unit)[like]
            made = Coded(found.bits, ids, ids, rates, offsets, layer.codes, layer.vectors)
            self._snapshots[key] = changes, made
        return self._snapshots[key][1]

    def search(
        self,
        asked: Asked,
        wanted: Sequence[Any],
        unwanted: Sequence[Any],
        n: int,
        per_file: int | None,
        among: Container[str] | None,
    ) -> SearchResults:
        """Return what is like some things, and unlike others.

        Parameters
        ----------
        asked : Asked
            Its stretch is that of the first thing.
        wanted, unwanted : sequence
            See `Corpus.search`.
        n : int
        per_file : int or None
        among : container of str or None
            The ids of the documents that may be hit; None for all.
        """
        first, *more = wanted
        limits = Limits(n, per_file, among=among)
        return search(self._home, first, asked, limits, more, list(unwanted), backend=self._backend)

    @property
    def likes(self) -> Sequence[str]:
        """Sequence of str : In which ways the corpus compares; empty before there is an index."""
        found = self._home.indexed() if self._home.exists() else None
        return list(found.layers("clip")) if found else []

    def progress(self) -> dict[str, Any] | None:
        """Return what a process that changes the corpus at this moment has told.

        Returns
        -------
        dict or None
            The parts of `Progress`, ``rate`` [files / s] and ``left`` [s], None where unknown.
        """
        try:
            told = json.loads((self._home.path / _TOLD).read_text("utf-8"))
            os.kill(told["pid"], 0)
            elapsed = told["time"] - told["begun"]
            rate = (told["done"] - told["first"]) / elapsed if elapsed > 0 else 0.0
            parts = {name: told[name] for name in asdict(Progress("", 0, 0))}
        except PermissionError:
            return None  # a process of somebody else has the number now
        except (OSError, ValueError, KeyError, TypeError):
            return None
        left = (parts["total"] - parts["done"]) / rate if rate > 0 else None
        return {**parts, "rate": rate, "left": left}


@contextmanager
def telling(
    home: Home, tell: Callable[[Progress], None] | None, task: str = "reading"
) -> Iterator[Any]:
    """Let other processes know how far the work is, besides whoever is told.

    Parameters
    ----------
    home : Home
        Of a corpus that this process is changing.
    tell : callable or None
    task : str
        What is done, before it is known how much there is of it.

    Yields
    ------
    callable
        To be called with each `Progress`.
    """
    path, begun = home.path / _TOLD, time.time()
    last = 0.0
    first: tuple[str, int] = ("", 0)

    def write(progress: Progress) -> None:
        nonlocal last, first, begun
        now = time.time()
        if first[0] != progress.task:
            first, begun, last = (progress.task, progress.done), now, 0.0
        if now - last > _EVERY:
            last = now
            parts = {"pid": os.getpid(), "begun": begun, "time": now, "first": first[1]}
            _write(path, {**asdict(progress), **parts})

    def told(progress: Progress) -> None:
        write(progress)
        if tell is not None:
            tell(progress)

    write(Progress(task, 0, 0))
    try:
        yield told
    finally:
        path.unlink(missing_ok=True)


def _write(path: Path, value: Any) -> None:
    draft = path.with_name(f".{path.name}")
    try:
        draft.write_text(json.dumps(value), "utf-8")
        draft.replace(path)
    except OSError as error:
        raise CorpusError(
            f"{path.parent} cannot be written to ({error.strerror}): free some space"
        ) from error


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return "0"
    return f"{status.st_mtime_ns:x}.{status.st_ino:x}"
