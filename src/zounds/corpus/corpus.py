"""The facade: a collection of sounds, to be filled, learned from, indexed and searched."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import featureflow as ff
from zounds.corpus import care, discover, ingest, learning, publishing
from zounds.corpus.care import Check, Compacted, Info
from zounds.corpus.home import Home
from zounds.corpus.ingest import Tell
from zounds.corpus.outcome import Outcome, Report
from zounds.corpus.pool import Pool
from zounds.corpus.rescan import Changes
from zounds.corpus.rescan import rescan as rescan_home
from zounds.corpus.searched import Searched
from zounds.corpus.view import View, telling


class Corpus(Searched):
    """A folder of what is known of a collection of sounds: describe, learn, index, search.

    The sounds stay where they are; the corpus keeps references to them, features and codes. One
    process may change a corpus at a time, and any number may search it meanwhile. What was
    finished stays, whatever happens: add the same sources again to go on.

    Iterating over it gives its documents, with all features of its preset; ``corpus[_id]`` is one.

    Parameters
    ----------
    path : path or URL
        The folder, or a place in a bucket such as ``s3://bucket/prefix``, see
        `featureflow.ObjectStore`; made when the first sounds are added.
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
    >>> for number, (name, samples) in zip(range(60), demo_corpus()):
    ...     zounds.save(samples, folder / f"{number}.wav")
    >>> corpus = zounds.Corpus(folder / "corpus")
    >>> print(str(corpus.add(folder)).partition(";")[0])
    60 ok, 0 skipped, 0 partial, 0 failed
    >>> corpus.learn()
    >>> corpus.index()
    60
    >>> [(hit.name, hit.distance) for hit in corpus.search(folder / "7.wav", n_results=1)]
    [('7.wav', 0)]
    """

    def __init__(self, path: str | os.PathLike[str], preset: str | None = None) -> None:
        super().__init__(Home(path, preset))

    def __repr__(self) -> str:
        return f"Corpus({str(self)!r}, preset={self.preset!r})"

    def __str__(self) -> str:
        """Return where it is: the folder, or the URL."""
        return str(self._home)

    @property
    def path(self) -> Path:
        """Path : The folder; of a corpus in a bucket, the one for what is kept here of it."""
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
        return care.count(self._home)

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
            raise ff.DocumentNotFound(f"there is no document {_id!r} in {self._home}")
        return self._home.model(_id)

    def __contains__(self, _id: object) -> bool:
        known = isinstance(_id, str) and _id != "" and self.exists()
        return known and bool(self._home.model.exists(_id))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other processes from changing the corpus between several changes of one's own.

        Each method that changes it does so for itself; this is for what belongs together. The
        corpus is made, if it is a new one.

        Raises
        ------
        CorpusError
            If another process is changing it, or the folder cannot be written to.

        Examples
        --------
        >>> def fill(corpus, *sounds):
        ...     with corpus.changing():
        ...         corpus.add(*sounds)
        ...         corpus.learn()
        ...         corpus.index()
        """
        with self._home.changing(new=True):
            yield

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
            Takes the work instead; its workers see the same files and the same corpus. That of a
            cluster, ``distributed.Client(...).get_executor()``, may have workers anywhere.
        progress : callable or None
            Called with a `Progress` now and then.

        Returns
        -------
        Report
            What became of each. A file that cannot be read is an outcome, not an exception.

        Raises
        ------
        InvalidParameter
            If one of them can be no source, such as None, or is samples: `zounds.encode` them.
        CorpusError
            If another process is changing the corpus.
        StoreError
            If it cannot be written to, such as on a full disk; what was finished stays.
        """
        pool = Pool(workers, executor)
        for source in sources:
            discover.check(source)
        with self._home.changing(new=True), telling(self._home, progress) as tell:
            return ingest.add(self._home, sources, pool, tell)

    def rescan(
        self, forget: bool = False, workers: int | None = None, progress: Tell = None
    ) -> Changes:
        """Look again at all that was added, and read what is new or has changed; mend damage.

        A sound that lies elsewhere now keeps its document. One that is nowhere is kept as well,
        marked as missing: its disk may be unplugged. So is one that is no audio any more. What is
        damaged of what is stored is computed again; of codes, by `index`.

        Parameters
        ----------
        forget : bool
            Whether documents of missing sounds are removed; not those of a folder or archive that
            is not there itself: `remove` it.
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
        *things : str, path, document or hit
            Ids, files, folders, archives, their members or URLs.

        Returns
        -------
        tuple of Outcome
            What was known of those that were removed.

        Raises
        ------
        DocumentNotFound
            If nothing came from one of them; then nothing is removed.
        InvalidParameter
            If one is none of these.
        """
        with self._home.changing():
            return care.remove(self._home, things)

    def learn(
        self,
        sources: Any = None,
        seed: int = 0,
        workers: int | None = None,
        executor: Executor | None = None,
        progress: Tell = None,
    ) -> None:
        """Learn what to compare sounds by; what was indexed before has to be indexed again.

        Parameters
        ----------
        sources : path, URL or an iterable of these; or None
            Sounds to learn from, which do not become part of the corpus. None for its own.
        seed : int [range=[0, 2^32)]
            The same sounds and the same seed give the same codes.
        workers, executor, progress
            See `add`.

        Raises
        ------
        LearningError
            If there are too few sounds, or they are too much alike.
        """
        pool = Pool(workers, executor)
        with self._home.changing(new=sources is not None):
            if sources is None:
                learning.learn(self._home, self._home, seed, pool, progress)
            else:
                learning.learn_from(self._home, sources, seed, pool, progress)

    def index(
        self,
        workers: int | None = None,
        executor: Executor | None = None,
        progress: Tell = None,
    ) -> int:
        """Compute the codes that are missing, and make all of them searchable.

        Parameters
        ----------
        workers, executor, progress
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
        pool = Pool(workers, executor)
        with self._home.changing(), telling(self._home, progress, "coding") as tell:
            return learning.index(self._home, pool, tell)

    # ------------------------------------------------------------------ looking after it

    def publish(
        self, address: str, collection: str | None = None, progress: Tell = None
    ) -> publishing.Published:
        """Send the codes to a server that many people search.

        They find them by `search` with ``backend=address``. See `zounds.corpus.publishing.publish`.

        Parameters
        ----------
        address : str
            Of a Milvus, such as ``http://milvus:19530``, or with the name
            ``milvus://milvus:19530/drums``.
        collection : str or None
            What it is called there; None for ``zounds``.
        progress : callable or None
            See `add`.

        Returns
        -------
        Published

        Raises
        ------
        BackendError
            If the server does not answer. Nothing is lost there; the next call goes on.
        """
        with self._home.changing():
            return publishing.publish(self._home, address, collection, progress)

    def view(self, backend: Any = None) -> View:
        """Return what is cheap to ask again and again; for servers."""
        return View(self._home, backend)

    def app(self, **options: Any) -> Any:
        """Return the page as an ASGI application; see `zounds.web.serve.corpus_app`."""
        # by name: nothing here depends on the web
        return importlib.import_module("zounds.web.serve").corpus_app(self, **options)

    def info(self) -> Info:
        """Return what the corpus holds."""
        return care.info(self._home)

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return what became of every source that was ever added, in the order of their URIs."""
        return care.outcomes(self._home)

    def check(self) -> Check:
        """Verify every stored value.

        Returns
        -------
        Check
            With a line for each problem, and what mends it: nearly always `rescan`.
        """
        return care.check(self._home)

    def compact(self) -> Compacted:
        """Copy what is needed to a new store, and delete the old one.

        That leaves behind what earlier models and versions have computed, and what processes
        that were killed had begun to write.
        """
        with self._home.changing():
            return care.compact(self._home)
