"""The folder of a corpus: what lies where, and who may change it."""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import featureflow as ff
from featureflow.document import Document
from featureflow.stores import Store
from zounds.corpus import worker
from zounds.corpus.catalogue import Catalogue
from zounds.corpus.generation import Generation
from zounds.corpus.outcome import Outcome
from zounds.corpus.presets import DEFAULT, preset
from zounds.corpus.remote import Remote
from zounds.corpus.shelf import Shelf
from zounds.errors import CorpusError

CARD = "corpus.json"

T = TypeVar("T")

_FORMAT = 1


class _Latest:
    """The store of a corpus, also after another process has compacted it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.key_builder = self._now.key_builder

    def __repr__(self) -> str:
        return repr(self._now)

    @property
    def _now(self) -> Store:
        return worker.open_store(self._home.place)

    def _settled(self, ask: Callable[[Store], T]) -> T:
        """Return an answer of a store that was not replaced meanwhile."""
        while True:
            store = self._now
            try:
                return ask(store)
            except (KeyError, ff.StoreError):
                if store is self._now:
                    raise

    def read(self, key: str) -> bytes:
        """See `Store.read`."""
        return self._settled(lambda store: store.read(key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See `Store.keys`."""
        while True:
            store = self._now
            found = list(store.keys(prefix))
            if store is self._now:
                return iter(found)

    def __contains__(self, key: str) -> bool:
        while True:
            store = self._now
            found = key in store
            if found or store is self._now:
                return found

    def write(self, records: Mapping[str, bytes]) -> None:
        """See `Store.write`."""
        self._now.write(records)

    def delete(self, *prefixes: str) -> int:
        """See `Store.delete`."""
        return self._now.delete(*prefixes)

    def close(self) -> None:
        """See `Store.close`."""
        self._now.close()


class Home:
    """A corpus' folder.

    ::

        corpus.json    the format, the preset, and which folder is the store
        store/         documents, their features, the catalogue and the model
        index/         what is searched, as it was when the index was built
        lock           held by the one process that changes something

    In a bucket there is the same; `path` then is a folder of this machine, for
    what can be made or fetched again. `str` says where the corpus is.

    Parameters
    ----------
    path : path or URL
    asked : str or None
        The preset that was asked for.
    """

    def __init__(self, path: str | os.PathLike[str], asked: str | None) -> None:
        if not os.fspath(path):
            raise ff.InvalidParameter("the path of a corpus is empty: name a folder")
        at = os.fspath(path)
        self.remote = Remote(at) if "://" in at else None
        folder = self.remote.folder if self.remote else os.path.expanduser(at)
        self.path = Path(os.path.abspath(folder))
        self._asked = asked
        self._card: tuple[Any, dict[str, Any]] | None = None
        self._models: dict[worker.Job, Any] = {}
        self._shelf: Shelf | None = None
        self._lock: Any = None
        if asked is not None:
            preset(asked)
        self.card()

    def __str__(self) -> str:
        return self.remote.url if self.remote else str(self.path)

    def exists(self) -> bool:
        """Return whether something was put into the corpus."""
        if self.remote:
            return self.remote.card() is not None
        return os.path.exists(self.path / CARD)

    def card(self) -> dict[str, Any]:
        """Return what ``corpus.json`` says, or will say."""
        stamp: Any
        try:
            if self.remote:
                stamp = self.remote.card()
            else:
                status = (self.path / CARD).stat()
                stamp = status.st_mtime_ns, status.st_ino
        except OSError:
            stamp = None
        if stamp is None:
            return {"format": _FORMAT, "preset": self._asked or DEFAULT, "store": "store"}
        if self._card is None or self._card[0] != stamp:
            self._card = stamp, self._read_card()
        return self._card[1]

    def _read_card(self) -> dict[str, Any]:
        try:
            if self.remote:
                card = json.loads(self.remote.card() or b"")
            else:
                card = json.loads((self.path / CARD).read_text("utf-8"))
            found, made_with = card["format"], card["preset"]
            if found == _FORMAT and not re.fullmatch(r"store(-\d+)?", card["store"]):
                raise ValueError(f"its store is {card['store']!r}")
            if not isinstance(made_with, str):
                raise TypeError(f"its preset is {made_with!r}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorpusError(
                f"{self}/{CARD} does not describe a corpus ({error}): give another folder, or "
                "bring back a copy of that file"
            ) from error
        if found != _FORMAT:
            raise CorpusError(
                f"{self} is a corpus of format {found}, and this version of zounds reads "
                f"format {_FORMAT}: upgrade zounds, or give another folder"
            )
        if self._asked not in (None, made_with):
            raise ff.InvalidParameter(
                f"{self} was made with the preset {made_with!r}, not {self._asked!r}: leave "
                "the preset out, or give another folder"
            )
        preset(made_with)
        return dict(card)

    def write_card(self, **changed: Any) -> None:
        """Change what ``corpus.json`` says, all or nothing."""
        if self.remote:
            card = json.dumps({**self.card(), **changed}, indent=1) + "\n"
            self.remote.write_card(card.encode())
            return
        draft = self.path / f".{CARD}.{secrets.token_hex(4)}"
        try:
            with draft.open("w", encoding="utf-8") as file:
                file.write(json.dumps({**self.card(), **changed}, indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path / CARD)
        except OSError as error:
            raise self._unwritable(error) from error

    @property
    def store_path(self) -> Path:
        """Path : The folder of the store."""
        return self.path / str(self.card()["store"])

    @property
    def place(self) -> str:
        """Str : Where the store is: its folder, or its URL."""
        return f"{self}/{self.card()['store']}" if self.remote else str(self.store_path)

    @property
    def store(self) -> Store:
        """Store : Where the documents are."""
        return _Latest(self)

    @property
    def catalogue(self) -> Catalogue:
        """Catalogue : What is known of each source."""
        return Catalogue(self.store)

    def known(self) -> dict[str, Outcome]:
        """Return what became of each source, by its URI."""
        return {outcome.uri: outcome for outcome in self.catalogue.outcomes()}

    def holds(self, _id: str | None) -> bool:
        """Return whether there is a document of an id."""
        return _id is not None and Document(self.store, _id).exists()

    def delete(self, ids: Iterable[str]) -> None:
        """Delete documents, all of them in one transaction."""
        keys = self.store.key_builder
        prefixes = [keys.prefix(area, _id) for _id in ids for area in ("documents", "values")]
        if prefixes:
            self.store.delete(*prefixes)

    @property
    def job(self) -> worker.Job:
        """Job : What a worker has to know."""
        return worker.Job(self.place, self.card()["preset"], self.catalogue.model_digest())

    @property
    def model(self) -> Any:
        """type : The model of the documents; with codes, once they were learned."""
        job = self.job
        if job not in self._models:
            self._models = {job: worker.model_of(job, self.store)}
        return self._models[job]

    @property
    def sounds(self) -> Any:
        """type : The model of the documents, without codes; for who holds the lock."""
        job = replace(self.job, model="")
        return worker.model_of(job, worker.open_store(job.place))

    @property
    def shelf(self) -> Shelf:
        """Shelf : Where what is searched lies; of a corpus in a bucket, as it was fetched."""
        folder = (self.remote.pull() if self.remote else None) or self.path / "index"
        if self._shelf is None or self._shelf.folder != folder:
            self._shelf = Shelf(folder)
        return self._shelf

    def fingerprint(self) -> str:
        """Return the identity of what is compared; of other identity, it has to be indexed anew."""
        model = self.model
        return " ".join(model._fingerprint(name) for name in ("clip", "segments"))

    def publish(self, generation: Generation) -> None:
        """Let searches have a generation, from now on."""
        if self.remote is None:
            self.shelf.put(generation)
            return
        with tempfile.TemporaryDirectory(prefix="index-", dir=self.path) as folder:
            Shelf(Path(folder)).put(generation)
            self.remote.push(Path(folder))

    def indexed(self) -> Generation | None:
        """Return what was indexed, up to date or not; None if there is nothing, or it is damaged.

        See `Shelf.latest`.
        """
        return self.shelf.latest()

    @contextmanager
    def changing(self, new: bool = False) -> Iterator[None]:
        """See `Corpus.changing`.

        Parameters
        ----------
        new : bool
            Whether to make one, where there is none.

        Raises
        ------
        CorpusError
            If another process does, the folder cannot be written to, or there is no corpus.
        """
        import filelock

        if not (new or self.exists()):
            raise CorpusError(f"there is no corpus in {self}: add some sounds first")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if self._lock is None:  # one for all, since the thread that holds it may take it again
                self._lock = filelock.FileLock(self.path / "lock", timeout=0)
            self._lock.acquire()
        except filelock.Timeout:
            raise CorpusError(
                f"another process is changing {self}: wait until it is done"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        lease = self.remote.lease if self.remote and self._lock.lock_counter == 1 else None
        try:
            if lease:
                lease.take()
            try:
                if not self.exists():
                    self._found()
                yield
            finally:
                if lease:
                    lease.give_back()
        finally:
            self._lock.release()

    def _found(self) -> None:
        """Make a corpus of an empty folder, or of a place in a bucket where nothing is."""
        if self.remote:
            if other := self.remote.others():
                raise CorpusError(
                    f"{self} is no corpus, and holds {other!r}: give a new place for the corpus"
                )
            self.write_card()
            return
        ours = ("lock", f".{CARD}.")  # of a process that was killed here
        others = sorted(p.name for p in self.path.iterdir() if not p.name.startswith(ours))
        if others:
            (self.path / "lock").unlink(missing_ok=True)
            raise CorpusError(
                f"{self.path} is no corpus, and holds {others[0]!r}: give a new folder for the "
                "corpus; sounds stay where they are"
            )
        self.write_card()

    def _unwritable(self, error: OSError) -> CorpusError:
        return CorpusError(
            f"{self.path} cannot be written to ({error.strerror}): give another folder"
        )
