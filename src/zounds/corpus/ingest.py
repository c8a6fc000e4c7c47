"""Reads sounds into a corpus: what is new or has changed, in several processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from featureflow.errors import SourceError
from featureflow.source import Source
from zounds.corpus import moves, worker
from zounds.corpus.discover import Found, discover
from zounds.corpus.home import Home
from zounds.corpus.outcome import Outcome, Progress, Report
from zounds.corpus.pool import Pool
from zounds.corpus.remote import ahead

Tell = Callable[[Progress], None] | None

_FULL_BATCH = 32 << 20  # bytes of files


def add(home: Home, sources: Iterable[object], pool: Pool, tell: Tell) -> Report:
    """See `Corpus.add`; the caller holds the lock."""
    begun = time.monotonic()
    found = discover(sources)
    known = sweep(home)
    _remember(home, found.roots)
    tasks, skipped = _news(home, found.sources, known)
    read = describe(home, tasks, pool, tell, done=len(skipped))
    remember_failures(home, found, known)
    outcomes = (*skipped, *found.absent, *found.failed, *read)
    return Report(outcomes, time.monotonic() - begun, found.others)


def remember_failures(home: Home, found: Found, known: dict[str, Outcome]) -> None:
    """Remember what could not be looked into; forget it of what could be, this time."""
    mended = [uri for uri in found.opened if uri in known and not known[uri].is_document]
    home.catalogue.forget(mended)
    kept = {outcome.uri for outcome in known.values() if outcome.is_document}
    home.catalogue.write(outcome for outcome in found.failed if outcome.uri not in kept)


def describe(
    home: Home, tasks: Sequence[worker.Task], pool: Pool, tell: Tell, done: int = 0
) -> list[Outcome]:
    """Let workers describe sources, and remember what becomes of them.

    Parameters
    ----------
    home : Home
    tasks : sequence of Task
    pool : Pool
    tell : callable or None
        Is told of the progress.
    done : int
        How many others are done already.
    """
    outcomes: list[Outcome] = []
    if not tasks:
        return outcomes
    raise_changes(home)

    def lost(task: worker.Task, cause: str) -> Outcome:
        name = task.source.name
        outcome = task.failed(f"{name}: the process that read it died ({cause}): leave it out")
        if not home.holds(task.id):
            home.catalogue.write([outcome])
        return outcome

    # what is stored already is not decoded again
    stored = {task.source.uri: worker.content_of(home.store, task.id) for task in tasks if task.id}

    def is_decoded(outcome: Outcome) -> bool:
        before = stored.get(outcome.uri)
        failed = outcome.id is None
        return before is None or failed or before != worker.content_of(home.store, str(outcome.id))

    places = [
        (task.before.uri, task.source.uri)
        for task in tasks
        if task.before is not None and task.before.uri != task.source.uri
    ]
    progress = Progress("reading", done, done + len(tasks))
    if tell is not None:
        tell(progress)
    for batch in pool.run(partial(worker.add, home.job), tasks, _weight, lost):
        outcomes += batch
        moved = {o.uri for o in batch if o.is_document}
        home.catalogue.forget(old for old, new in places if new in moved)
        progress = replace(
            progress,
            done=progress.done + len(batch),
            seconds=progress.seconds + sum(o.seconds for o in batch if is_decoded(o)),
            failed=progress.failed + len(Report(tuple(batch)).failed),
        )
        if tell is not None:
            tell(progress)
    return outcomes


def raise_changes(home: Home) -> None:
    """Let the index know that it will not be up to date, before anything changes."""
    home.catalogue.update(changes=home.catalogue.state().changes + 1)


def _news(
    home: Home, sources: Sequence[Source], known: dict[str, Outcome]
) -> tuple[list[worker.Task], list[Outcome]]:
    """Return what has to be read, and what is there already."""
    tasks, skipped, sounds = [], [], home.sounds
    fresh = [source for source in sources if source.uri not in known]
    moved = moves.moved(home, fresh, moves.gone(home, known.values(), fresh))

    def is_there(source: Source) -> bool:
        before = known.get(source.uri)
        return (
            before is not None
            and before.is_document
            and is_unchanged(source, before)
            and worker.is_whole(sounds, before.id)
        )

    for source, there in ahead(is_there, sources, home.remote is not None):
        before = known.get(source.uri)
        if before is not None and there:
            skipped.append(replace(before, status="skipped"))
        else:
            tasks.append(worker.Task(source, before or moved.get(source.uri)))
    return tasks, skipped


def sweep(home: Home) -> dict[str, Outcome]:
    """Return what became of each source, by its URI, after what a killed process left undone.

    A document of which there was no time to tell the outcome is deleted; of one that has moved,
    the place where it was is forgotten.
    """
    known = home.known()
    by_id: dict[str, list[Outcome]] = {}
    for outcome in known.values():
        if outcome.id is not None:
            by_id.setdefault(outcome.id, []).append(outcome)
    for _id, outcomes in by_id.items():
        made_of = worker.made_of_source(home.store, _id) if len(outcomes) > 1 else None
        if made_of is not None:
            old = [outcome.uri for outcome in outcomes if outcome.uri != made_of["uri"]]
            home.catalogue.forget(old)
            known = {uri: outcome for uri, outcome in known.items() if uri not in old}
    keys = home.store.key_builder.prefix("documents")
    left = {key.split("/")[1] for key in home.store.keys(keys)} - by_id.keys()
    # a damaged outcome must not cost its document
    if left and next(home.catalogue.problems(), None) is None:
        home.delete(left)
    return known


def is_unchanged(source: Source, before: Outcome) -> bool:
    """Return whether a source is as it was, as far as can be told without reading it."""
    try:
        return before.stamp is not None and not before.missing and source.stamp() == before.stamp
    except SourceError:
        return False


def _remember(home: Home, roots: Sequence[str]) -> None:
    known = home.catalogue.state().roots
    both = tuple(dict.fromkeys((*known, *roots)))
    if len(both) > len(known):
        home.catalogue.update(roots=both)


def _weight(task: worker.Task) -> float:
    return worker.weight(task.source) / _FULL_BATCH
