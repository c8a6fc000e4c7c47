"""The facade: a collection of sounds, to be filled, learned from, indexed and searched."""

from __future__ import annotations

import importlib
import os
import random
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any

import featureflow as ff
from featureflow.document import Document
from zounds.corpus import care, ingest, search, worker
from zounds.corpus.care import Check, Compacted, Info
from zounds.corpus.home import UNITS, Home
from zounds.corpus.ingest import Tell
from zounds.corpus.outcome import Outcome, Progress, Report
from zounds.corpus.pool import Pool
from zounds.corpus.presets import preset as preset_of
from zounds.corpus.rescan import Changes
from zounds.corpus.rescan import rescan as rescan_home
from zounds.corpus.search import Query, Unit
from zounds.corpus.view import View, telling
from zounds.errors import LearningError, NotTrained, SearchError
from zounds.index.results import SearchResults


class Corpus:
    """A folder of what is known of a collection of sounds: describe, learn, index, search.

    The sounds stay where they are; the corpus keeps references to them, features and codes. One
    process may change a corpus at a time, and any number may search it meanwhile. What was
    finished stays, whatever happens: add the same sources again to go on.

    Iterating over it gives its documents, with all features of its preset; ``corpus[_id]`` is one.

    Parameters
    ----------
    path : path
        The folder; made when the first sounds are added.
    preset : str or None
        ``timbre`` or ``post``, see `zounds.corpus.presets`; None for what the corpus was made
        with, and for ``timbre`` if it is a new one.

    Raises
    ------
    InvalidParameter
        If there is no such preset, or the corpus was made with another.
    CorpusError
        If the folder holds something else.

    Examples
    --------
    >>> import tempfile, zounds
    >>> from zounds.demo.corpus import demo_corpus
    >>> folder = Path(tempfile.mkdtemp())
    >>> for number, (name, samples) in zip(range(12), demo_corpus()):
    ...     zounds.save(samples, folder / f"{number}.wav")
    >>> corpus = zounds.Corpus(folder / "corpus")
    >>> print(str(corpus.add(folder, workers=1)).partition(";")[0])
    12 ok, 0 skipped, 0 partial, 0 failed
    >>> corpus.learn()
    >>> corpus.index()
    12
    >>> [(hit.name, hit.distance) for hit in corpus.search(folder / "7.wav", n_results=1)]
    [('7.wav', 0)]
    """

    def __init__(self, path: str | os.PathLike[str], preset: str | None = None) -> None:
        self._home = Home(path, preset)

    def __repr__(self) -> str:
        return f"Corpus({str(self.path)!r}, preset={self.preset!r})"

    @property
    def path(self) -> Path:
        """Path : The folder."""
        return self._home.path

    @property
    def preset(self) -> str:
        """str : The name of the preset."""
        return str(self._home.card()["preset"])

    def exists(self) -> bool:
        """Return whether there is a corpus in the folder yet."""
        return self._home.exists()

    def __len__(self) -> int:
        """Return the number of documents."""
        if not self.exists():
            return 0
        store = self._home.store
        return sum(1 for _ in store.keys(store.key_builder.prefix("documents")))

    def __iter__(self) -> Iterator[Any]:
        """Yield the documents, in the order of their ids."""
        if self.exists():
            yield from self._home.model

    def __getitem__(self, _id: str) -> Any:
        """Return a document.

        Raises
        ------
        DocumentNotFound
            If there is none of this id.
        """
        if _id not in self:
            raise ff.DocumentNotFound(f"there is no document {_id!r} in {self.path}")
        return self._home.model(_id)

    def __contains__(self, _id: object) -> bool:
        known = isinstance(_id, str) and _id != "" and self.exists()
        return known and bool(self._home.model.exists(_id))

    # ------------------------------------------------------------------ filling it

    def add(
        self,
        *sources: Any,
        workers: int | None = None,
        executor: Executor | None = None,
        progress: Tell = None,
    ) -> Report:
        """Describe sounds: those that are new here, or have changed.

        Parameters
        ----------
        *sources : path, URL, bytes, binary file, Source, or an iterable of these
            Folders with their subfolders, zip archives with their members, files of any format;
            http and https URLs of files and archives.
        workers : int or None
            How many processes; None for one on each core.
        executor : concurrent.futures.Executor or None
            Takes the work instead; its workers see the same files and the same corpus.
        progress : callable or None
            Called with a `Progress` now and then.

        Returns
        -------
        Report
            What became of each. A file that cannot be read is an outcome, not an exception.

        Raises
        ------
        CorpusError
            If another process is changing the corpus.
        StoreError
            If it cannot be written to, such as on a full disk; what was finished stays.
        """
        pool = Pool(workers, executor)
        with self._home.changing(new=True), telling(self._home, progress) as tell:
            return ingest.add(self._home, sources, pool, tell)

    def rescan(
        self, forget: bool = False, workers: int | None = None, progress: Tell = None
    ) -> Changes:
        """Look again at all that was added, and read what is new or has changed.

        A sound that lies elsewhere now keeps its document. One that is nowhere is kept as well,
        marked as missing: its disk may be unplugged.

        Parameters
        ----------
        forget : bool
            Whether documents of sounds that are not there any more are removed; not those of a
            folder or archive that is not there itself: `remove` it.
        workers, progress
            See `add`.

        Returns
        -------
        Changes
        """
        pool = Pool(workers)
        with self._home.changing(), telling(self._home, progress) as tell:
            return rescan_home(self._home, pool, tell, forget)

    def remove(self, *things: Any) -> tuple[Outcome, ...]:
        """Remove documents. The sounds themselves are left alone.

        What is removed does not come back by `rescan`, only if it is added again.

        Parameters
        ----------
        *things : str or path
            Ids, files, folders, archives or URLs.

        Returns
        -------
        tuple of Outcome
            What was known of those that were removed.

        Raises
        ------
        DocumentNotFound
            If nothing came from one of them; then nothing is removed.
        """
        with self._home.changing():
            return care.remove(self._home, things)

    # ------------------------------------------------------------------ learning, indexing

    def learn(self, sources: Any = None, seed: int = 0, workers: int | None = None) -> None:
        """Learn codes from sounds; what was indexed before has to be indexed again.

        Parameters
        ----------
        sources : path, URL or an iterable of these; or None
            Sounds to learn from, which do not become part of the corpus. None for its own.
        seed : int [range=[0, 2^32)]
            The same sounds and the same seed give the same codes.
        workers : int or None
            See `add`.

        Raises
        ------
        LearningError
            If there are too few sounds, or they are too much alike.
        """
        with self._home.changing(new=sources is not None):
            if sources is None:
                self._learn_from(self, seed)
                return
            with tempfile.TemporaryDirectory(prefix="learn-", dir=self.path) as folder:
                other = Corpus(Path(folder) / "corpus", self.preset)
                report = other.add(sources, workers=workers)
                if not len(other):
                    raise LearningError(f"there is nothing to learn from in {sources}: {report}")
                self._learn_from(other, seed)

    def _learn_from(self, corpus: Corpus, seed: int) -> None:
        sounds = corpus._home.sounds
        # by content: the same sounds are learned from in the same order, wherever they lie
        entries = sorted(
            (entry["token"], entry["id"]) for entry in Document.entries(corpus._home.store)
        )
        model = preset_of(self.preset).learn((sounds(_id) for _, _id in entries), seed)
        changes = self._home.catalogue.state().changes + 1
        self._home.catalogue.learn(model, seed=seed, learned_from=len(corpus), changes=changes)

    def index(self, workers: int | None = None, progress: Tell = None) -> int:
        """Compute the codes that are missing, and make all of them searchable.

        Parameters
        ----------
        workers, progress
            See `add`.

        Returns
        -------
        int
            How many documents are in the index.

        Raises
        ------
        NotTrained
            If no codes were learned.
        SearchError
            If there are no documents.
        """
        home, pool = self._home, Pool(workers)
        with home.changing(), telling(home, progress) as tell:
            state = home.catalogue.state()
            if not home.job.model:
                raise NotTrained(f"{self.path} has learned no codes yet: call learn()")
            readable = all(home.snapshot(unit) for unit in UNITS)
            if state.indexed != state.changes or not readable:
                self._code(pool, tell)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # what cannot be coded was told above
                    for unit in UNITS:
                        home.index(unit).build()
                home.catalogue.update(indexed=state.changes)
            snapshot = home.snapshot("clip")
            return len(snapshot.ids) if snapshot else 0

    def _code(self, pool: Pool, tell: Callable[[Progress], None]) -> None:
        """Let workers compute the codes that documents lack."""
        lacking = [d._id for d in self if not (d._is_stored("clip") and d._is_stored("segments"))]
        job, done = self._home.job, 0
        for failures in pool.run(
            partial(worker.code, job), lacking, lambda _: 0.0, lambda _id, why: (_id, why)
        ):
            for _id, why in failures:
                if why:
                    warnings.warn(f"{self[_id]._name} is not indexed: {why}", stacklevel=3)
            done += len(failures)
            tell(Progress("coding", done, len(lacking)))

    # ------------------------------------------------------------------ searching

    def search(
        self,
        query: Any,
        n_results: int = 10,
        start: float | None = None,
        duration: float | None = None,
        unit: Unit = "clip",
        per_file: int | None = 1,
    ) -> SearchResults:
        """Return what sounds most like something.

        Parameters
        ----------
        query : path, URL, bytes, `AudioSamples`, document, id, hit, or code
            A sound, in the corpus or not; or a packed code: bytes, base64 text, or bits.
        n_results : int [range=[1, inf)]
            More than there are gives all there are.
        start, duration : float or None [unit=s]
            The stretch of the sound to search with; None for the beginning, and for all the rest
            (with ``unit="segment"`` and a start: for one segment).
        unit : str
            ``clip`` compares whole sounds. ``segment`` finds the moments that are most like any
            moment of the query.
        per_file : int or None [range=[1, inf)]
            How many hits there may be from one sound; None for no limit.

        Returns
        -------
        SearchResults
            Of `CorpusHit`, the nearest first; of equal distance, in the order of documents and of
            time.

        Raises
        ------
        SearchError
            If the query cannot be understood, a number is out of range, or there is no index.
        SourceError, AudioError
            If the sound cannot be read.
        """
        for name, number in (("n_results", n_results), ("per_file", per_file)):
            if number is not None and not (_is_whole(number) and number >= 1):
                raise SearchError(f"{name}={number!r}: give a whole number, 1 or more")
        if unit not in UNITS:
            raise SearchError(f"unit={unit!r}: give one of {', '.join(UNITS)}")
        if isinstance(query, search.CorpusHit):
            if start is None and duration is None and unit == "segment":
                start, duration = query.start, query.duration
            query = query.id
        snapshot = self._snapshot(unit)
        model = self._home.model
        codes = Query(model, snapshot, unit, start, duration).codes(query)
        found = search.hits(snapshot, model, codes, n_results, per_file)
        return SearchResults(codes[0], list(found), lambda _id: self[_id].pcm)

    def _snapshot(self, unit: str) -> Any:
        if not len(self):
            raise SearchError(f"{self.path} holds no sounds yet: add some first")
        if not self._home.job.model:
            raise SearchError(f"{self.path} has learned no codes yet: call learn() and index()")
        try:
            return self._home.current(unit)
        except SearchError as error:
            raise SearchError(f"{self.path} has no index of its codes: call index()") from error
        except ff.CorruptRecord as error:
            raise SearchError(f"the index of {self.path} is damaged: call index()") from error

    def random(self, seed: int | None = None) -> Any:
        """Return one of the documents, each as likely as the others.

        Raises
        ------
        DocumentNotFound
            If there are none.
        """
        store = self._home.store
        ids = list(store.keys(store.key_builder.prefix("documents"))) if self.exists() else []
        if not ids:
            raise ff.DocumentNotFound(f"{self.path} holds no sounds yet: add some first")
        chosen = random.Random(seed).choice(ids)  # noqa: S311
        return self._home.model(chosen.split("/")[1])

    def random_search(self, n_results: int = 10, seed: int | None = None) -> SearchResults:
        """Search with a sound of the corpus, each as likely as the others; see `search`."""
        return self.search(self.random(seed), n_results)

    # ------------------------------------------------------------------ looking after it

    def view(self) -> View:
        """Return what is cheap to ask again and again; for servers."""
        return View(self._home)

    def app(self, **options: Any) -> Any:
        """Return the page and its interface as an ASGI application; see `zounds.web.app.app_of`."""
        # by name: nothing here depends on the web, and nothing of it is loaded before
        return importlib.import_module("zounds.web.serve").corpus_app(self, **options)

    def info(self) -> Info:
        """Return what the corpus holds."""
        return care.info(self._home)

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return what became of every source that was ever added, in the order of their URIs."""
        known = self._home.known() if self.exists() else {}
        return tuple(known[uri] for uri in sorted(known) if known[uri].status != "removed")

    def check(self) -> Check:
        """Verify every stored value.

        Returns
        -------
        Check
            With a line for each problem.
        """
        return care.check(self._home)

    def compact(self) -> Compacted:
        """Copy what is needed to a new store, and delete the old one.

        That leaves behind what earlier models and versions have computed, and what processes
        that were killed had begun to write.

        Returns
        -------
        Compacted
        """
        with self._home.changing():
            return care.compact(self._home)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
