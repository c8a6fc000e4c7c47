"""Learns what to compare sounds by, and makes them searchable."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from featureflow.document import Document
from zounds.arrays import ConstantRateTimeSeries
from zounds.corpus import worker
from zounds.corpus.generation import Generation, Sound, generation
from zounds.corpus.home import Home
from zounds.corpus.ingest import Tell
from zounds.corpus.known import Fact
from zounds.corpus.outcome import Progress
from zounds.corpus.pool import Pool
from zounds.corpus.presets import preset
from zounds.corpus.stored import Stored
from zounds.corpus.view import telling
from zounds.errors import NotTrained
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
    without = set(Stored(model, worker.open_store(job.place), more).lacking())
    studied = [ids[place] for place in chosen.studied(len(ids), seed) if ids[place] in without]
    with telling(home, tell, "studying") as told:
        for _ in _completed(pool, job, more, studied, "studying", told):
            pass  # what cannot be read is told below
    with telling(home, None, "learning"):
        learned = chosen.learn(map(model, ids), seed)
    changes = home.catalogue.state().changes + 1
    home.catalogue.learn(learned, seed=seed, learned_from=len(ids), changes=changes)


def index(home: Home, pool: Pool, tell: Tell) -> int:
    """See `Corpus.index`; the caller holds the lock."""
    state = home.catalogue.state()
    if not home.job.model:
        raise NotTrained(f"{home.path} has learned no codes yet: call learn()")
    before = None if any(home.shelf.problems()) else home.indexed()
    if state.indexed == state.changes and before is not None:
        return len(before.known)
    model, store = home.model, worker.open_store(home.job.place)
    lacking = list(Stored(model, store, _CODES).lacking())
    failed = dict(_completed(pool, home.job, _CODES, lacking, "coding", tell))
    for _id, why in failed.items():
        warnings.warn(f"{model(_id)._name} is not indexed: {why}", stacklevel=3)
    fingerprint = home.fingerprint()
    if before is not None and before.fingerprint != fingerprint:
        before = None
    stored = Stored(model, store, ("facts", *_CODES))
    made = generation(preset(home.card()["preset"]), fingerprint, _sounds(stored, before, failed))
    home.shelf.put(made)
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
    for entry in stored.entries():
        if entry["id"] in failed:
            continue
        values = indexed.read(entry) or stored.read(entry)
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
