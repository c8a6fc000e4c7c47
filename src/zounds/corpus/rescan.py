"""Looks again at where sounds came from: what is new, changed, moved or gone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import featureflow as ff
from featureflow.source import Source, located
from zounds.corpus import worker
from zounds.corpus.discover import discover, one_line
from zounds.corpus.home import Home
from zounds.corpus.ingest import (
    Tell,
    describe,
    is_unchanged,
    raise_changes,
    remember_failures,
    sweep,
)
from zounds.corpus.outcome import Outcome
from zounds.corpus.places import is_handed, is_within, local_path
from zounds.corpus.pool import Pool


@dataclass(frozen=True)
class Changes:
    """What `Corpus.rescan` has found.

    Attributes
    ----------
    new, changed, moved, missing, failed : tuple of Outcome
        Sounds that were not there before; whose content is another; that lie elsewhere now, and
        keep their ids; that are not there any more; that could not be read.
    unchanged : int
        How many sounds are as they were.
    """

    new: tuple[Outcome, ...]
    changed: tuple[Outcome, ...]
    moved: tuple[Outcome, ...]
    missing: tuple[Outcome, ...]
    failed: tuple[Outcome, ...]
    unchanged: int

    def __repr__(self) -> str:
        return f"<Changes: {self}>"

    def __str__(self) -> str:
        return (
            f"{len(self.new)} new, {len(self.changed)} changed, {len(self.moved)} moved, "
            f"{len(self.missing)} missing, {len(self.failed)} failed, {self.unchanged} unchanged"
        )

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        kinds = ("new", "changed", "moved", "missing", "failed")
        listed = {kind: [o.record() for o in getattr(self, kind)] for kind in kinds}
        return {**listed, "unchanged": self.unchanged}


def rescan(home: Home, pool: Pool, tell: Tell, forget: bool) -> Changes:
    """See `Corpus.rescan`; the caller holds the lock."""
    known = home.known()
    sweep(home, known)
    found = discover(local_path(root) or root for root in home.catalogue.state().roots)
    present = {source.uri: source for source in found.sources}
    fresh = [source for source in found.sources if source.uri not in known]
    gone, same, altered = [], [], []
    failing = {outcome.uri for outcome in found.failed}
    for outcome in known.values():
        source = present.get(outcome.uri) or _source_of(outcome)
        if source is None and not is_within(outcome.uri, failing):
            gone.append(outcome)
        elif source is None or outcome.status == "removed" or _is_settled(source, outcome):
            same.append(outcome)
        else:
            altered.append((source, outcome))
    # what had moved when an earlier rescan was interrupted is known at both places
    settled = {outcome.id for outcome in (*same, *(outcome for _, outcome in altered))}
    twice = {outcome.uri for outcome in gone if outcome.is_document and outcome.id in settled}
    home.catalogue.forget(twice)
    gone = [outcome for outcome in gone if outcome.uri not in twice]
    moved = _moved(home, fresh, [outcome for outcome in gone if outcome.is_document])
    digests = {outcome.uri: _digest(home, outcome) for _, outcome in altered}

    tasks = [worker.Task.of(source, outcome) for source, outcome in altered]
    tasks += [worker.Task.of(source, moved.get(source.uri)) for source in fresh]
    left = {outcome.uri for outcome in gone}
    kinds: dict[str, list[Outcome]] = {
        kind: [] for kind in ("new", "changed", "moved", "failed", "touched")
    }
    for outcome in describe(home, tasks, pool, tell):
        if not outcome.is_document:
            kind = "failed"
        elif outcome.uri in moved:
            kind = "moved"
            home.catalogue.forget([moved[outcome.uri].uri])
            left.discard(moved[outcome.uri].uri)
        elif digests.get(outcome.uri) is None:
            kind = "new"
        else:
            kind = "touched" if digests[outcome.uri] == _digest(home, outcome) else "changed"
        kinds[kind].append(outcome)
    remember_failures(home, found, known)
    absent = [outcome for outcome in found.absent if outcome.uri not in known]
    away = [outcome for outcome in gone if outcome.uri in left]
    return Changes(
        new=tuple(kinds["new"]),
        changed=tuple(kinds["changed"]),
        moved=tuple(kinds["moved"]),
        missing=_settled_as_missing(home, away, forget, {outcome.uri for outcome in absent}),
        failed=(*absent, *found.failed, *kinds["failed"]),
        unchanged=sum(outcome.is_document for outcome in same) + len(kinds["touched"]),
    )


def _source_of(outcome: Outcome) -> Source | None:
    """Return the source of what was not added by a folder or archive, if it is still there."""
    if not outcome.is_document:
        return None
    if is_handed(outcome.uri):
        return _Kept(outcome.uri, outcome.name)
    try:
        source = located(outcome.uri, fresh=False)
        if outcome.uri.startswith("http") or source.stamp() is not None:
            return source
    except ff.SourceError:
        pass
    return None


class _Kept(Source):
    """Content that the corpus keeps itself, and that cannot change."""


def _is_settled(source: Source, outcome: Outcome) -> bool:
    """Whether a source need not be read again."""
    if isinstance(source, _Kept):
        return True
    # what is no audio stays so; what could not be read at all may be readable now
    return outcome.stamp is not None and is_unchanged(source, outcome)


def _moved(home: Home, fresh: list[Source], gone: list[Outcome]) -> dict[str, Outcome]:
    """Return what the new sources were before, by their URIs: the same content elsewhere."""
    sizes = {outcome.stamp[0] for outcome in gone if outcome.stamp}
    by_digest: dict[str, list[Outcome]] = {}
    for outcome in gone:
        digest = _digest(home, outcome)
        if digest is not None:
            by_digest.setdefault(digest, []).append(outcome)
    moved = {}
    for source in fresh:
        try:
            stamp = source.stamp()
            if not stamp or stamp[0] not in sizes:
                continue  # not worth reading it
            candidates = by_digest.get(source.digest, [])
        except ff.SourceError:
            continue
        if candidates:
            named = [outcome for outcome in candidates if outcome.name == source.name]
            moved[source.uri] = (named or candidates)[0]
            candidates.remove(moved[source.uri])
    return moved


def _digest(home: Home, outcome: Outcome) -> str | None:
    """Return the digest of the content that a document was made of."""
    return None if outcome.id is None else worker.content_of(home.store, outcome.id)


def _settled_as_missing(
    home: Home, gone: list[Outcome], forget: bool, unplugged: set[str]
) -> tuple[Outcome, ...]:
    """Remember that sources are not there any more; or forget them, and their documents.

    What lies in a folder or archive that is not there itself is never forgotten.
    """
    documents = [replace(outcome, missing=True) for outcome in gone if outcome.is_document]
    dropped = {o.uri for o in gone if forget and not is_within(o.uri, unplugged)}
    home.catalogue.forget(o.uri for o in gone if o.uri in dropped or o.status == "failed")
    home.catalogue.write(o for o in documents if o.uri not in dropped)
    if dropped:
        raise_changes(home)
        roots = (root for root in home.catalogue.state().roots if root not in dropped)
        home.catalogue.update(roots=tuple(roots))
        home.delete(str(outcome.id) for outcome in documents if outcome.uri in dropped)
    why = "it is not there any more"
    return tuple(replace(o, why=one_line(f"{o.name}: {why}")) for o in documents)
