"""What a corpus is asked once it is filled: what sounds like this, and how well that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zounds.corpus import care, search
from zounds.corpus.duplicates import Duplicate, duplicates
from zounds.corpus.evaluation import Evaluation, Labels, evaluate
from zounds.corpus.hits import Limits
from zounds.corpus.home import Home
from zounds.corpus.ingest import Tell
from zounds.corpus.pool import Pool
from zounds.corpus.search import Like, Unit
from zounds.corpus.where import Where
from zounds.index.results import SearchResults


class Searched:
    """What can be asked of a `Corpus`.

    Parameters
    ----------
    home : Home
    """

    def __init__(self, home: Home) -> None:
        self._home = home

    def search(
        self,
        query: Any,
        n_results: int = 10,
        start: float | None = None,
        duration: float | None = None,
        unit: Unit = "clip",
        per_file: int | None = 1,
        like: Like = "kind",
        rerank: bool = True,
        more: Sequence[Any] = (),
        less: Sequence[Any] = (),
        where: Where | None = None,
        others: bool = False,
        backend: Any = None,
    ) -> SearchResults:
        """Return what sounds most like something.

        The nearest codes are found first; where there are vectors, those are then ranked by their
        cosine, which tells more.

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
        like : str
            ``kind`` finds sounds of the same kind, by what their neighbours have in common.
            ``same`` finds copies and versions: it compares the sounds alone.
        rerank : bool
            False for the order of the codes alone.
        more, less : sequence of what `query` may be, but codes
            Further sounds that hits shall be like, and such that they shall not be like.
        where : Where or None
            Which sounds may be hit, by what was known when they were indexed; None for all.
        others : bool
            True to leave out the sounds that are searched with, where they are in the corpus.
        backend : str, Backend or None
            The address of a server that the corpus was published to; see `Corpus.publish`.

        Returns
        -------
        SearchResults
            Of `CorpusHit`, the most similar first; of equal ones, in the order of documents and of
            time. Their scores can be compared between queries.

        Raises
        ------
        SearchError
            If the query cannot be understood, a number is out of range, or there is no index.
        SourceError, AudioError
            If the sound cannot be read.
        """
        search.check_counts(n_results=n_results, per_file=per_file)
        asked = search.Asked(unit, like, start, duration)
        limits = Limits(n_results, per_file, where, others)
        return search.search(self._home, query, asked, limits, more, less, rerank, backend)

    def random(self, seed: int | None = None, where: Where | None = None) -> Any:
        """Return one of the documents, or of those wanted, each as likely as the others.

        Raises
        ------
        DocumentNotFound
            If there are none.
        """
        return care.random(self._home, seed, where)

    def passing(self, where: Where) -> list[str]:
        """Return the ids of the documents that are wanted, indexed or not, by their URIs."""
        return care.passing(self._home, where)

    def random_search(self, n_results: int = 10, seed: int | None = None) -> SearchResults:
        """Search with a sound of the corpus, each as likely as the others; see `search`."""
        return self.search(self.random(seed), n_results)

    def duplicates(self, distance: int = 0, like: Like = "same") -> list[tuple[Duplicate, ...]]:
        """Return which sounds are nearly the same. Nothing is deleted.

        Parameters
        ----------
        distance : int [unit=bits, range=[0, inf)]
            How far apart the codes of two sounds may be. Of 915 notes and samples, all different, 2
            are in a group at 0 bits, 34 at 2 and 92 at 4.
        like : str
            See `search`; a corpus that compares in one way only does that.

        Returns
        -------
        list of tuple of Duplicate
            Groups, in the order of their first URIs, and so are the sounds of each. A sound is
            in a group if any other of it is within the distance: of a chain, the ends may be
            farther apart.

        Raises
        ------
        SearchError
            If there is no index, or the distance is negative.
        """
        return duplicates(self._home, distance, like)

    def evaluate(
        self,
        labels: Labels = None,
        queries: int = 2000,
        seed: int = 0,
        workers: int | None = None,
        progress: Tell = None,
    ) -> Evaluation:
        """Measure how good the search of this corpus is, beside simpler ways.

        Each sound is searched for among the others; those of the same label are what should be
        found. The ways are chance, 20 MFCC, the article's pipeline, codes alone, and the codes
        with their vectors. What this corpus does not have of them is computed from the sounds,
        in a temporary folder.

        Parameters
        ----------
        labels : mapping, path or None
            By ids, paths or names of sounds; or a CSV file with a header that has ``label`` and
            one of ``id``, ``uri``, ``path``, ``name``. Sounds that are not named are left out.
            None for the names of the folders that the sounds lie in.
        queries : int [range=[1, inf)]
            How many sounds to search with, at most.
        seed : int
            Which, where there are more.
        workers, progress
            See `add`.

        Returns
        -------
        Evaluation

        Raises
        ------
        SearchError
            If there is no index, or no two sounds have the same label.
        InvalidParameter
            If `labels` name no sound of the corpus, or cannot be read.
        """
        search.check_counts(queries=queries)
        search.searchable(self._home)
        return evaluate(self._home, labels, queries, seed, Pool(workers), progress)
