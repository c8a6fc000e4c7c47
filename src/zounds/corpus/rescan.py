"""Looks again at where sounds came from: what is new, changed, moved or gone; mends damage."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from featureflow.source import Source
from zounds.corpus import moves, worker
from zounds.corpus.care import mend
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
        keep their ids; that are not there any more, or are no audio; that could not be read.
    unchanged : int
        How many sounds are as they were.
    mended : tuple of Outcome
        Sounds of which something that was stored was damaged, and is computed again.
    """

    new: tuple[Outcome, ...]
    changed: tuple[Outcome, ...]
    moved: tuple[Outcome, ...]
    missing: tuple[Outcome, ...]
    failed: tuple[Outcome, ...]
    unchanged: int
    mended: tuple[Outcome, ...]

    def __repr__(self) -> str:
        return f"<Changes: {self}>"

    def __str__(self) -> str:
        mended = f", {len(self.mended)} mended" if self.mended else ""
        return (
            f"{len(self.new)} new, {len(self.changed)} changed, {len(self.moved)} moved, "
            f"{len(self.missing)} missing, {len(self.failed)} failed, {self.unchanged} "
            f"unchanged{mended}"
        )

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        kinds = ("new", "changed", "moved", "missing", "failed", "mended")
        listed = {kind: [o.record() for o in getattr(self, kind)] for kind in kinds}
        return {**listed, "unchanged": self.unchanged}


def rescan(home: Home, pool: Pool, tell: Tell, forget: bool) -> Changes:
    """See `Corpus.rescan`; the caller holds the lock."""
    unmended = mend(home)
    known, sounds = sweep(home), home.sounds
    found = discover(local_path(root) or root for root in home.catalogue.state().roots)
    present = {source.uri: source for source in found.sources}
    fresh = [source for source in found.sources if source.uri not in known]
    gone: list[Outcome] = []
    same: list[Outcome] = []
    altered: list[tuple[Source, Outcome]] = []
    broken: set[str] = set()
    failing = {outcome.uri for outcome in found.failed}
    for outcome in known.values():
        source = present.get(outcome.uri) or moves.source_of(home, outcome)
        if outcome.is_document and not worker.is_whole(sounds, outcome.id):
            broken.add(outcome.uri)
        if source is None and not is_within(outcome.uri, failing):
            gone.append(outcome)
        elif (
            source is None
            or outcome.status == "removed"
            or (outcome.uri not in broken and _is_settled(source, outcome))
        ):
            same.append(outcome)
        else:
            altered.append((source, outcome))
    moved = moves.moved(home, fresh, [outcome for outcome in gone if outcome.is_document])
    digests = {outcome.uri: moves.digest_of(home, outcome) for _, outcome in altered}

    tasks = [worker.Task(source, outcome) for source, outcome in altered]
    tasks += [worker.Task(source, moved.get(source.uri)) for source in fresh]
    left = {outcome.uri: _vanished(outcome) for outcome in gone}
    kinds: dict[str, list[Outcome]] = {
        kind: [] for kind in ("new", "changed", "moved", "mended", "failed", "touched")
    }
    for outcome in describe(home, tasks, pool, tell):
        if outcome.is_document and outcome.uri in moved:
            del left[moved[outcome.uri].uri]
        if outcome.missing:
            left[outcome.uri] = outcome
            continue
        if not outcome.is_document:
            kind = "failed"
        elif outcome.uri in moved:
            kind = "moved"
        elif outcome.uri not in digests or not known[outcome.uri].is_document:
            kind = "new"
        elif digests[outcome.uri] not in (None, moves.digest_of(home, outcome)):
            kind = "changed"
        else:
            kind = "mended" if outcome.uri in broken else "touched"
        kinds[kind].append(outcome)
    remember_failures(home, found, known)
    absent = [outcome for outcome in found.absent if outcome.uri not in known]
    unplugged = {outcome.uri for outcome in absent}
    missing = _settled_as_missing(home, left.values(), forget, unplugged)
    if forget:
        # a file that is still there, and no sound, is known as that and not found anew each time
        describe(
            home, [worker.Task(present[o.uri]) for o in missing if o.uri in present], pool, tell
        )
    return Changes(
        new=tuple(kinds["new"]),
        changed=tuple(kinds["changed"]),
        moved=tuple(kinds["moved"]),
        missing=missing,
        failed=(*unmended, *absent, *found.failed, *kinds["failed"]),
        unchanged=sum(outcome.is_document for outcome in same) + len(kinds["touched"]),
        mended=tuple(kinds["mended"]),
    )


def _is_settled(source: Source, outcome: Outcome) -> bool:
    """Whether a source need not be read again."""
    if outcome.status == "removed" or is_handed(outcome.uri):
        return True  # not wanted, or it cannot change
    # what is no audio stays so; what could not be read at all may be readable now
    return outcome.stamp is not None and is_unchanged(source, outcome)


def _vanished(outcome: Outcome) -> Outcome:
    """Return what is known of a source that is not there any more."""
    if not outcome.is_document:
        return outcome
    why = "it is not there any more"
    if is_handed(outcome.uri):
        why = "it was handed over, and what was kept of it is damaged: add it again"
    return replace(outcome, missing=True, why=one_line(f"{outcome.name}: {why}"))


def _settled_as_missing(
    home: Home,
    left: Collection[Outcome],
    forget: bool,
    unplugged: set[str],
) -> tuple[Outcome, ...]:
    """Remember that sources are no sounds any more; or forget them, and their documents.

    What lies in a folder or archive that is not there itself is never forgotten.
    """
    documents = [outcome for outcome in left if outcome.is_document]
    dropped = {o.uri for o in left if forget and not is_within(o.uri, unplugged)}
    home.catalogue.forget(o.uri for o in left if o.uri in dropped or o.status == "failed")
    home.catalogue.write(outcome for outcome in documents if outcome.uri not in dropped)
    if dropped:
        raise_changes(home)
        roots = (root for root in home.catalogue.state().roots if root not in dropped)
        home.catalogue.update(roots=tuple(roots))
        home.delete(str(outcome.id) for outcome in documents if outcome.uri in dropped)
    return tuple(documents)
