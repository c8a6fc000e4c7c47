"""Learns what to compare sounds by, and makes them searchable."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from featureflow.document import Document
from zounds.arrays import ConstantRateTimeSeries
from zounds.corpus import discover, ingest, worker
from zounds.corpus.generation import Generation, Sound, generation
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
    before = None if any(home.shelf.problems()) else home.indexed()
    if state.indexed == state.changes and before is not None:
        return len(before.known)
    model = home.model
    lacking = list(Stored(model, home, _CODES).lacking())
    failed = dict(_completed(pool, home.job, _CODES, lacking, "coding", tell))
    for _id, why in failed.items():
        warnings.warn(f"{model(_id)._name} is not indexed: {why}", stacklevel=3)
    fingerprint = home.fingerprint()
    if before is not None and before.fingerprint != fingerprint:
        before = None
    stored = Stored(model, home, ("facts", *_CODES))
    made = generation(preset(home.card()["preset"]), fingerprint, _sounds(stored, before, failed))
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


def _sounds(stored: Stored, before: Generation | None, failed: Container[str]) -> Iterator[Sound]:
    """Yield what is indexed of each document that can be read; the workers told of the others."""
    indexed = _Indexed(before)

    def read(entry: dict[str, Any]) -> list[Any] | None:
        if entry["id"] in failed:
            return None
        return indexed.read(entry) or stored.read(entry)

    for entry, values in stored.each(read):
        if values is not None:
            facts, clip, segments = values
            numbers = (facts["seconds"], facts["samplerate"], facts["channels"])
            uri = entry["roots"]["meta"]["uri"]
            fact = Fact(entry["id"], entry["name"], uri, *numbers)
            yield Sound(fact, clip, segments, entry["token"])


class _Indexed:
    """What was indexed before: of the same content, it need not be read from the store again.

    Parameters
    ----------
    generation : Generation or None
        Of what would be computed in the same way now.
    """

    def __init__(self, generation: Generation | None) -> None:
        self._places: dict[str, int] = {}
        if generation is not None and generation.embedded is not None:
            known = generation.known
            self._places = {_id: row for row, _id in enumerate(known.ids)}
            self._embedded, self._rate = generation.embedded, generation.rate
            self._offsets = generation.offsets.tolist()
            self._facts = {
                "seconds": known.seconds.tolist(),
                "samplerate": known.samplerates.tolist(),
                "channels": known.channels.tolist(),
            }

    def read(self, entry: dict[str, Any]) -> list[Any] | None:
        """Return the facts, the clip and the segments of a document; None if it is another now."""
        row = self._places.get(entry["id"])
        if row is None or self._embedded.tokens[row] != entry["token"]:
            return None
        segments = self._embedded.segments[self._offsets[row] : self._offsets[row + 1]]
        return [
            {name: column[row] for name, column in self._facts.items()},
            self._embedded.clips[row : row + 1],
            ConstantRateTimeSeries(segments, self._rate),
        ]
