"""What a worker process does: describe sounds, and store what it computes, a batch at a time."""

from __future__ import annotations

import platform
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from typing import Any, TypeVar

import featureflow as ff
from featureflow.document import Document
from featureflow.errors import CodecError, CorruptRecord, Error, NodeError, SourceError, StoreError
from featureflow.source import Source
from featureflow.stores import Batch, Store
from zounds.audio.decode import Decode, open_audio, partial_audio
from zounds.corpus.catalogue import Catalogue
from zounds.corpus.discover import one_line
from zounds.corpus.outcome import Outcome
from zounds.corpus.presets import preset
from zounds.errors import AudioError, CorpusError

Item = TypeVar("Item")

_NAMESPACE = uuid.UUID("5b0a3c0e-54a3-4f0a-8e2c-0f6f5a7f6a11")

# What was finished is on disk soon after; a process that is killed loses no more than this.
_COMMIT_EVERY = 0.5  # s
_LONG = 1 << 20  # bytes of a file that may take longer than that


def _machine() -> str:
    return platform.node()


@dataclass(frozen=True)
class Job:
    """What a worker has to know of a corpus.

    Parameters
    ----------
    place : str
        The folder of its store, or the URL.
    preset : str
    model : str
        The digest of what was learned; empty before.
    seed : int or None
        With which sounds are studied, so that something is learned from them.
    machine : str
        The one that the folder is on.
    """

    place: str
    preset: str
    model: str
    seed: int | None = None
    machine: str = field(default_factory=_machine)


@dataclass(frozen=True)
class Task:
    """A source to describe.

    Parameters
    ----------
    source : Source
    before : Outcome or None
        What became of the same content before, here or at another place.
    """

    source: Source
    before: Outcome | None = None

    @property
    def id(self) -> str | None:
        """Str or None : The document that was made of it before."""
        return None if self.before is None else self.before.id

    @property
    def missing(self) -> str | None:
        """Str or None : What was missing of the audio of that document; None if it is unknown."""
        if self.before is None or self.before.status != "partial":
            return ""
        if self.before.missing:
            return None
        return self.before.why.removeprefix(one_line(f"{self.before.name}: ") + " ")

    def failed(self, why: str) -> Outcome:
        """Return the outcome where nothing came of it."""
        return Outcome(self.source.uri, self.source.name, "failed", one_line(why))

    def lost(self, why: str, stamp: list[int] | None = None) -> Outcome:
        """Return the outcome where there is content, and no sound: what was one is kept."""
        if self.before is None or not self.before.is_document:
            return replace(self.failed(why), stamp=stamp)
        return replace(
            self.before,
            uri=self.source.uri,
            name=self.source.name,
            missing=True,
            why=one_line(f"{why} (what was known of it is kept)"),
        )


def add(job: Job, tasks: Sequence[Task]) -> list[Outcome]:
    """Describe sources; store the documents and the outcomes.

    Raises
    ------
    StoreError
        If the store cannot be written to. What was committed stays.
    """
    batch, model = _bench(job, threading.get_ident())
    catalogue = Catalogue(batch)

    def describe(task: Task) -> Outcome:
        outcome = _described(model, task)
        if outcome.is_document or task.id is None or not model.exists(task.id):
            catalogue.write([outcome])
        return outcome  # else what is known of the document still holds

    return _each(batch, tasks, describe, lambda task: weight(task.source) > _LONG)


def complete(job: Job, features: Sequence[str], ids: Sequence[str]) -> list[tuple[str, str]]:
    """Compute features that documents lack; return each id with why it was not possible, if so."""
    batch, model = _bench(job, threading.get_ident())

    def completed(_id: str) -> tuple[str, str]:
        try:
            document: Any = model(_id)
            with partial_audio():  # it was told when the sound was added
                for name in features:
                    getattr(document, name)
        except ff.DocumentNotFound:
            return _id, ""  # removed meanwhile
        except Error as error:
            if _is_of_the_store(error):
                raise
            return _id, one_line(error)
        return _id, ""

    return _each(batch, ids, completed, lambda _: False)


def _each(
    batch: Batch, items: Sequence[Item], do: Callable[[Item], Any], is_long: Callable[[Item], bool]
) -> list[Any]:
    """Return what `do` makes of each item; commit in between, and at the end."""
    made, committed = [], time.monotonic()
    try:
        for item in items:
            if is_long(item):
                batch.commit()
                committed = time.monotonic()
            made.append(do(item))
            if time.monotonic() - committed > _COMMIT_EVERY:
                batch.commit()
                committed = time.monotonic()
        batch.commit()
    except BaseException:
        batch.abandon()
        raise
    return made


@lru_cache(maxsize=4)
def open_store(place: str) -> Store:
    """Return the store in a folder or a bucket; the same one each time, while it is used."""
    return ff.ObjectStore(place) if "://" in place else ff.LmdbDatabase(place)


@lru_cache(maxsize=64)
def _bench(job: Job, thread: int) -> tuple[Batch, Any]:
    # a batch belongs to one thread, and an executor that was given may have several
    if "://" not in job.place and job.machine != _machine():
        raise CorpusError(
            f"{job.place} is a folder on {job.machine}, and this is {_machine()}: a database "
            "takes writers of one machine only; give workers of others a corpus in a bucket, "
            "such as s3://bucket/corpus"
        )
    batch = Batch(open_store(job.place))
    return batch, model_of(job, batch)


def model_of(job: Job, store: Store) -> Any:
    """Return the model of a corpus' documents: to study, or with codes if some were learned."""
    chosen = preset(job.preset)
    learned = Catalogue(store).model() if job.model and job.seed is None else None
    if job.seed is not None:
        base = chosen.study(job.seed)
    else:
        base = chosen.sounds() if learned is None else chosen.coded(learned)
    return type(base.__name__, (base,), {"database": store, "__doc__": base.__doc__})


def weight(source: Source) -> int:
    """Return the size of a source, 0 where it is not known [unit=bytes]."""
    try:
        return int(getattr(source, "size", None) or (source.stamp() or [0])[0])
    except SourceError:
        return 0


def _described(model: Any, task: Task) -> Outcome:
    source = task.source
    try:
        stamp = source.stamp()
        if weight(source) > _LONG:
            open_audio(source).close()  # what is no audio need not be read to its end
        _id = task.id or _new_id(model.database, source)
        made_of = made_of_source(model.database, _id)
        same = made_of is not None and made_of["digest"] == source.digest
        if same and task.id is None:
            model.delete(_id)  # of a worker that died before it could say what it has found
        known = task.missing if same else ""
        with partial_audio() as reasons:
            model.process(_id=_id, meta=source)
            told_of = task.before and task.before.stamp
            if task.id and same and (known is None or (made_of or {}).get("stamp") != told_of):
                # stored by a worker that died before it could say whether it is whole
                for _ in Decode().stream().step(source):
                    pass
        # what is stored already is not decoded again
        missing = reasons[0] if reasons else known or ""
        if _stamp(source) != stamp:
            outcome = task.lost(f"{source.name} changed while it was read: add it again")
            return outcome if outcome.is_document else _undone(model, _id, outcome)
        facts = model(_id).facts
        return Outcome(
            source.uri,
            source.name,
            "partial" if missing else "ok",
            one_line(f"{source.name}: {missing}" if missing else ""),
            _id,
            stamp,
            facts["seconds"],
            facts["samplerate"],
            facts["channels"],
        )
    except AudioError as error:
        return task.lost(str(error), stamp)
    except MemoryError:
        return task.failed(f"{source.name} needs more memory than there is: free some")
    except Error as error:
        if _is_of_the_store(error):
            raise
        return task.failed(_reason(source, error))


def _stamp(source: Source) -> list[int] | None:
    """Return the stamp of a source; none of one that has vanished meanwhile."""
    try:
        return source.stamp()
    except SourceError:
        return None


def _undone(model: Any, _id: str, outcome: Outcome) -> Outcome:
    """Delete a document, if there is one; not before it is known what became of it."""
    Catalogue(model.database).write([outcome])
    Document(model.database, _id).delete()
    return outcome


def _reason(source: Source, error: Error) -> str:
    cause = error.__cause__
    if isinstance(error, NodeError) and isinstance(cause, MemoryError):
        return f"{source.name} needs more memory than there is: free some"
    text = str(error)
    return text if source.name in text else f"{source.name}: {text}"


def _is_of_the_store(error: Error) -> bool:
    """Whether the store, and not what is described, is to blame."""
    return isinstance(error, StoreError) and not isinstance(error, CodecError | CorruptRecord)


def is_whole(sounds: Any, _id: str | None) -> bool:
    """Return whether there is a document of an id, with all that is stored of one."""
    try:
        return _id is not None and not sounds(_id)._lacks()
    except (ff.DocumentNotFound, CorruptRecord):
        return False


def made_of_source(store: Store, _id: str) -> dict[str, Any] | None:
    """Return the record of the source that a document was made of; None where it is unknown."""
    try:
        return dict(Document(store, _id).entry()["roots"]["meta"])
    except (ff.DocumentNotFound, CorruptRecord):
        return None


def content_of(store: Store, _id: str) -> str | None:
    """Return the digest of the content that a document was made of; None where that is unknown."""
    made_of = made_of_source(store, _id)
    return None if made_of is None else str(made_of["digest"])


def _new_id(store: Store, source: Source) -> str:
    """Return the id of a new document, which is not that of one that has moved elsewhere."""

    def is_free(_id: str) -> bool:
        made_of = made_of_source(store, _id)
        return made_of is None or made_of["uri"] == source.uri

    return next(filter(is_free, (document_id(source, number) for number in count())))


def document_id(source: Source, number: int = 0) -> str:
    """Return an id for a document: the same for the same content at the same place."""
    again = f"\0{number}" if number else ""
    return str(uuid.uuid5(_NAMESPACE, f"{source.uri}\0{source.digest}{again}"))
