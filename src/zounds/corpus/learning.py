"""Learns what to compare sounds by, and makes them searchable."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from featureflow.document import Document
from zounds.corpus import discover, ingest, worker
from zounds.corpus.generation import Sound, generation
from zounds.corpus.home import Home
from zounds.corpus.ingest import Tell
from zounds.corpus.known import Fact
from zounds.corpus.outcome import Progress
from zounds.corpus.pool import Pool
from zounds.corpus.presets import preset
from zounds.corpus.stored import Stored
from zounds.corpus.view import telling
from zounds.errors import LearningError, NotTrained
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
    more = [name for name in model.features if name not in sounds.sounds.features]
    without = set(Stored(model, sounds, more).lacking())
    studied = [ids[place] for place in chosen.studied(len(ids), seed) if ids[place] in without]
    with telling(home, tell, "studying") as told:
        for _ in _completed(pool, job, more, studied, "studying", told):
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
    indexed = home.indexed()
    if state.indexed == state.changes and indexed is not None and not any(home.shelf.problems()):
        return len(indexed.known)
    model = home.model
    lacking = list(Stored(model, home, _CODES).lacking())
    for _id, why in _completed(pool, home.job, _CODES, lacking, "coding", tell):
        warnings.warn(f"{model(_id)._name} is not indexed: {why}", stacklevel=3)
    stored = Stored(model, home, ("facts", *_CODES))
    made = generation(preset(home.card()["preset"]), home.fingerprint(), _sounds(stored))
    home.publish(made)
    home.catalogue.update(indexed=state.changes)
    return len(made.known)


def _completed(
    pool: Pool,
    job: worker.Job,
    features: Sequence[str],
    lacking: Sequence[str],
    stage: str,
    tell: Tell,
) -> Iterator[tuple[str, str]]:
    """Let workers compute what documents lack; yield those where it was not possible, and why."""
    complete = partial(worker.complete, job, features)
    done = 0
    for results in pool.run(complete, lacking, lambda _: 0.0, lambda _id, why: (_id, why)):
        yield from (result for result in results if result[1])
        done += len(results)
        if tell is not None:
            tell(Progress(stage, done, len(lacking)))


def _sounds(stored: Stored) -> Iterator[Sound]:
    """Yield what is indexed of each document that can be read; the workers told of the others."""
    for entry, (facts, clip, segments) in stored:
        numbers = (facts["seconds"], facts["samplerate"], facts["channels"])
        uri = entry["roots"]["meta"]["uri"]
        yield Sound(Fact(entry["id"], entry["name"], uri, *numbers), clip, segments)
