"""The sounds of a corpus, as the page sees them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from featureflow.sources import Source
from zounds.arrays import AudioSamples
from zounds.corpus.corpus import Corpus
from zounds.corpus.known import Fact
from zounds.corpus.outcome import Outcome
from zounds.corpus.search import Asked, Like, Unit
from zounds.corpus.view import Coded
from zounds.errors import SearchError
from zounds.index.results import Hit
from zounds.web.facts import Facts
from zounds.web.library import How, Kept, Wanted, counts_of, names_of, value_of
from zounds.web.refusal import Refused
from zounds.web.shelf import Shelf
from zounds.web.sound import counted, samples_of


class CorpusLibrary:
    """The sounds of a `Corpus`.

    Parameters
    ----------
    corpus : Corpus
        It may be empty yet, and change meanwhile.
    backend : str, Backend or None
        See `Corpus.search`.
    """

    kind = "corpus"
    shown = 50
    units: Sequence[Unit] = ("clip", "segment")

    def __init__(self, corpus: Corpus, backend: Any = None) -> None:
        self.corpus = corpus
        self._view = corpus.view(backend)
        place = Path(str(corpus))  # or a URL, which ends in a name as well
        self.name = place.parent.name if place.name == "corpus" else place.name
        self.command = f"zounds --corpus {shlex.quote(str(corpus))} index SOURCE"
        self._known = Kept(self._read_known)
        self._counts = Kept(self._count)
        self._evaluation = Kept(lambda: corpus.evaluate(workers=1).record())
        self._shelf: Shelf | None = None

    @property
    def likes(self) -> Sequence[str]:
        """Sequence of str : See `Library`."""
        likes = self._view.likes
        return likes if len(likes) > 1 else ()

    @property
    def changes(self) -> str:
        """See `Library`."""
        return self._view.changes

    @property
    def folder(self) -> Path | None:
        """Path or None : See `Library`; there is one once there is a corpus."""
        return self._view.folder if self.corpus.exists() else None

    @property
    def shelf(self) -> Shelf:
        """Shelf : See `Library`."""
        folder = self.folder
        if self._shelf is None or self._shelf.folder != folder:
            self._shelf = Shelf(folder)
        return self._shelf

    def facts(self) -> Facts:
        """See `Library`."""
        facts: Facts = self._known.get(self.changes)[0]
        return facts

    def _read_known(self) -> tuple[Facts, int]:
        """Return what is known of the sounds, and how many could not be read, in one pass."""
        failed = 0

        def outcomes() -> Iterator[Outcome]:
            nonlocal failed
            for outcome in self._view.outcomes():
                failed += outcome.status == "failed"
                yield outcome

        facts = Facts(Fact.of(o) for o in outcomes() if o.is_document)
        return facts, failed

    def snapshot(self, unit: Unit, like: Like = "kind") -> Coded:
        """See `Library`."""
        try:
            return self._view.snapshot(unit, like)
        except SearchError:
            raise self._unsearchable() from None

    def _unsearchable(self) -> Refused:
        if not self.facts().ids:
            return Refused(
                409, "no_sounds", f"There are no sounds in this corpus yet: {self.command}"
            )
        if not self._view.learned:
            return Refused(
                409,
                "not_learned",
                "The corpus has learned no codes yet, so nothing can be searched: index more "
                f"sounds, {self.command}",
            )
        return Refused(
            409,
            "no_index",
            f"The sounds of this corpus are not in its index yet: {self.command}",
        )

    def nearest(
        self,
        wanted: Sequence[Wanted],
        unwanted: Sequence[Wanted],
        how: How,
        among: Set[str] | None,
    ) -> tuple[npt.NDArray[np.uint8], Sequence[Hit]]:
        """See `Library`."""
        self.snapshot(how.unit)
        first = wanted[0]
        like: Like = how.like or "kind"
        if len(wanted) == 1 and not unwanted:
            asked = Asked(how.unit, like, first.start, first.duration)
            things, others = [first.thing], []
        else:
            asked = Asked(how.unit, like)
            things, others = ([self._heard(one) for one in some] for some in (wanted, unwanted))
        per_file = how.per_file or None
        found = self._view.search(asked, things, others, how.n, per_file, among)
        return np.atleast_2d(found.query)[0], list(found)

    def _heard(self, one: Wanted) -> Any:
        """Return a sound to search with among others: none is a code, each may be a stretch."""
        if isinstance(one.thing, np.ndarray):
            clips = self.snapshot("clip")
            equal = np.flatnonzero((clips.codes == one.thing).all(axis=1))
            if not len(equal):
                raise Refused(
                    400,
                    "bad_code",
                    "Among several sounds, a code has to be that of a sound of the corpus",
                )
            return clips.ids[equal[0]]
        if one.whole:
            return one.thing
        source = one.thing if isinstance(one.thing, Source) else self.source(one.thing)
        length, _ = counted(source, float("inf"))
        return AudioSamples.joined(
            list(samples_of(source, *length.stretch(one.start, one.duration)))
        )

    def source(self, _id: str) -> Source:
        """See `Library`."""
        source: Source = self.corpus[_id].meta
        return source

    def feature_names(self, _id: str) -> list[dict[str, Any]]:
        """See `Library`."""
        return names_of(self.corpus[_id])

    def feature(self, _id: str, name: str) -> Any:
        """See `Library`."""
        return value_of(self.corpus[_id], name)

    def picture(self, _id: str) -> Any:
        """See `Library`."""
        return None

    def state(self) -> dict[str, Any]:
        """See `Library`."""
        counts = self._counts.get(self.changes)
        return {**counts, "ingest": self._view.progress()}

    def _count(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "learned": self._view.learned,
            "up_to_date": self._view.up_to_date,
            "failed": self._known.get(self.changes)[1],
            **counts_of(self),
            "evaluation": True,
        }
        return state

    def failures(self) -> list[dict[str, Any]]:
        """See `Library`."""
        return [
            {"name": o.name, "uri": o.uri, "status": o.status, "why": o.why}
            for o in sorted(self._view.outcomes(), key=lambda outcome: outcome.uri)
            if o.status in ("failed", "partial")
        ]

    def evaluation(self) -> dict[str, Any] | None:
        """See `Library`."""
        self.snapshot("clip")
        record: dict[str, Any] = self._evaluation.get(self.changes)
        return record
