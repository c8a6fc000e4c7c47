"""Learns what to compare sounds by, and makes them searchable."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from featureflow.document import Document
from zounds.corpus import discover, ingest, worker
from zounds.corpus.generation import Sound, generation
from zounds.corpus.home import Home
from zounds.corpus.ingest import Tell
from zounds.corpus.outcome import Progress
from zounds.corpus.pool import Pool
from zounds.corpus.presets import preset
from zounds.corpus.remote import ahead
from zounds.corpus.view import telling
from zounds.errors import LearningError, NotTrained
from zounds.index.hamming import UNREADABLE
from zounds.learn.transforms import whole

_CODES = ("clip", "segments")


def learn(home: Home, sounds: Home, seed: int, pool: Pool, tell: Tell) -> None:
    """See `Corpus.learn`; the caller holds the lock.

    Parameters
    ----------
    home : Home
        Whose codes they will be.
    sounds : Home
        What is learned from.
    seed : int
    pool : Pool
    tell : callable or None
    """
    chosen = preset(home.card()["preset"])
    seed = whole("seed", seed, 0, 2**32 - 1)
    # by content: the same sounds are learned from in the same order, wherever they lie
    entries = sorted((entry["token"], entry["id"]) for entry in Document.entries(sounds.store))
    ids = [_id for _, _id in entries]
    job = replace(sounds.job, seed=seed)
    model = worker.model_of(job, sounds.store)
    far = sounds.remote is not None
    lacking = [name for name in model.features if name not in sounds.sounds.features]
    studied = [ids[place] for place in chosen.studied(len(ids), seed)]
    with telling(home, tell, "studying") as told:
        for _ in _completed(pool, job, model, lacking, studied, "studying", told, far):
            pass  # what cannot be read is told below
    with telling(home, None, "learning"):
        learned = chosen.learn(map(model, ids), seed)
    changes = home.catalogue.state().changes + 1
    home.catalogue.learn(learned, seed=seed, learned_from=len(ids), changes=changes)


def learn_from(home: Home, sources: object, seed: int, pool: Pool, tell: Tell) -> None:
    """Learn from sounds that do not become part of the corpus; the caller holds its lock."""
    with tempfile.TemporaryDirectory(prefix="learn-", dir=home.path) as folder:
        other = Home(Path(folder) / "corpus", home.card()["preset"])
        with other.changing(new=True), telling(other, tell) as told:
            discover.check(sources)
            report = ingest.add(other, [sources], pool, told)
        if not (report.ok or report.partial):
            raise LearningError(f"there is nothing to learn from in {sources}: {report}")
        learn(home, other, seed, pool, tell)


def index(home: Home, pool: Pool, tell: Tell) -> int:
    """See `Corpus.index`; the caller holds the lock."""
    state = home.catalogue.state()
    if not home.job.model:
        raise NotTrained(f"{home} has learned no codes yet: call learn()")
    indexed = Home(str(home), None).indexed()  # as it is on disk now
    if state.indexed == state.changes and indexed is not None:
        return len(indexed.ids)
    model, far = home.model, home.remote is not None
    ids = (document._id for document in model)
    for _id, why in _completed(pool, home.job, model, _CODES, ids, "coding", tell, far):
        warnings.warn(f"{model(_id)._name} is not indexed: {why}", stacklevel=3)
    made = generation(preset(home.card()["preset"]), home.fingerprint(), _sounds(model, far))
    home.publish(made)
    home.catalogue.update(indexed=state.changes)
    return len(made.ids)


def _completed(
    pool: Pool,
    job: worker.Job,
    model: Any,
    features: Sequence[str],
    ids: Iterable[str],
    stage: str,
    tell: Tell,
    is_far: bool,
) -> Iterator[tuple[str, str]]:
    """Let workers compute features; yield the documents where it was not possible, and why."""

    def is_complete(_id: str) -> bool:
        return all(map(model(_id)._is_stored, features))

    lacking = [_id for _id, whole in ahead(is_complete, ids, is_far) if not whole]
    complete = partial(worker.complete, job, features)
    done = 0
    for results in pool.run(complete, lacking, lambda _: 0.0, lambda _id, why: (_id, why)):
        yield from (result for result in results if result[1])
        done += len(results)
        if tell is not None:
            tell(Progress(stage, done, len(lacking)))


def _sounds(model: Any, is_far: bool) -> Iterator[Sound]:
    """Yield what is indexed of each document that can be read."""

    def sound(document: Any) -> Sound | None:
        try:
            seconds = document.facts["seconds"]
            return Sound(document._id, seconds, document.clip, document.segments)
        except UNREADABLE:
            return None  # the workers have told

    for _, found in ahead(sound, model, is_far):
        if found is not None:
            yield found
