"""Looks after a corpus: says what it holds, verifies and mends it, takes out what is not wanted."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import featureflow as ff
from featureflow import upkeep
from featureflow.document import Document
from featureflow.source import FileSource
from featureflow.stores import Store
from featureflow.stores.salvage import Salvaged
from zounds.corpus import worker
from zounds.corpus.catalogue import Catalogue, State
from zounds.corpus.discover import one_line
from zounds.corpus.home import CARD, Home
from zounds.corpus.ingest import raise_changes
from zounds.corpus.known import Fact, Known
from zounds.corpus.outcome import Outcome
from zounds.corpus.places import around, is_handed, is_within
from zounds.corpus.where import Where
from zounds.errors import CorpusError

_RESCAN = "run zounds rescan"
_KEYS = re.compile(
    r"documents/[^/]+/entry|values/([^/]+/){4}(header|[^/]+/\d+)|corpus/(state|model)"
    r"|corpus/sources/[^/]+/outcome"
)


@dataclass(frozen=True)
class Info:
    """What a corpus holds; see `Corpus.info`.

    Attributes
    ----------
    path, preset : str
    documents, partial, failed, missing : int
        Sounds; those of them that are not whole; sources that could not be read; documents whose
        source was not there any more, or no audio, when somebody looked.
    indexed, segments, bits : int
        Documents and segments in the index, and the length of a code; 0 before there is one.
    learned_from : int
        How many documents the codes were learned from; 0 before.
    up_to_date : bool
        Whether everything that was added is in the index.
    seconds : float [unit=s]
        The duration of all sounds.
    bytes : int
        What the corpus takes on disk.
    roots : tuple of str
        The URIs that were added.
    """

    path: str
    preset: str
    documents: int
    partial: int
    failed: int
    missing: int
    indexed: int
    segments: int
    bits: int
    learned_from: int
    up_to_date: bool
    seconds: float
    bytes: int
    roots: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Check:
    """What `Corpus.check` has found.

    Attributes
    ----------
    documents : int
        How many were verified.
    problems : tuple of str
        One line each; none where everything is as it was written.
    """

    documents: int
    problems: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Compacted:
    """What `Corpus.compact` has done.

    Attributes
    ----------
    before, after : int [unit=bytes]
        What the store takes on disk.
    left : int
        How many records were left behind.
    damaged : int
        How many of the values could not be read; `Corpus.rescan` computes them again.
    """

    before: int
    after: int
    left: int
    damaged: int

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)


def info(home: Home) -> Info:
    """See `Corpus.info`."""
    there = home.exists()
    state = home.catalogue.state() if there else State()
    outcomes = list(home.catalogue.outcomes()) if there else []
    documents = [outcome for outcome in outcomes if outcome.is_document]
    index = home.indexed() if there else None
    # what was removed since then is not found any more
    ids = {outcome.id for outcome in documents}
    counts = []
    if index is not None:
        with suppress(ff.CorruptRecord):  # which `check` tells
            counts = np.diff(index.offsets)[[_id in ids for _id in index.ids]].tolist()
    return Info(
        path=str(home),
        preset=home.card()["preset"],
        documents=len(documents),
        partial=sum(outcome.status == "partial" for outcome in documents),
        failed=sum(outcome.status == "failed" for outcome in outcomes),
        missing=sum(outcome.missing for outcome in documents),
        indexed=len(counts),
        segments=sum(counts),
        bits=index.bits if index else 0,
        learned_from=state.learned_from,
        up_to_date=state.indexed == state.changes and index is not None,
        seconds=sum(outcome.seconds for outcome in documents),
        bytes=_bytes(home),
        roots=state.roots,
    )


def _bytes(home: Home) -> int:
    if home.remote:
        return home.remote.size()
    return sum(map(_size, home.path.rglob("*")))


def count(home: Home) -> int:
    """Return the number of documents."""
    return len(_documents(home))


def _documents(home: Home) -> list[str]:
    store = home.store
    return list(store.keys(store.key_builder.prefix("documents"))) if home.exists() else []


def outcomes(home: Home) -> tuple[Outcome, ...]:
    """See `Corpus.outcomes`."""
    known = home.known() if home.exists() else {}
    return tuple(known[uri] for uri in sorted(known) if known[uri].status != "removed")


def random(home: Home, seed: int | None, where: Where | None) -> Any:
    """See `Corpus.random`."""
    ids = passing(home, where) if where else [key.split("/")[1] for key in _documents(home)]
    if not ids:
        what = f"no sound that passes {where}" if where else "no sounds yet: add some first"
        raise ff.DocumentNotFound(f"{home} holds {what}")
    return home.model(Random(seed).choice(ids))  # noqa: S311


def passing(home: Home, where: Where) -> list[str]:
    """Return the ids of the documents that are wanted, in the order of their URIs."""
    known = Known.of(Fact.of(outcome) for outcome in outcomes(home) if outcome.is_document)
    return [_id for _id, passes in zip(known.ids, known.passing(where), strict=True) if passes]


def check(home: Home) -> Check:
    """See `Corpus.check`."""
    if not home.exists():
        return Check(0, ())
    if not (home.remote or (home.store_path / "data.mdb").exists()):
        return Check(0, (f"{home.store_path} is gone: bring back a copy, or add the sounds again",))
    store, problems = _readable(home)
    catalogue, sounds = Catalogue(store), _model(home, store, "")
    outcomes = [outcome for outcome in catalogue.outcomes() if outcome.is_document]
    names = {outcome.id: outcome.name for outcome in outcomes}
    for problem in upkeep.verify(store):
        what = one_line(f"{names.get(problem.id, problem.id)}: {problem.key}")
        problems.append(f"{what} is damaged: {_RESCAN}")
    problems += catalogue.problems()
    problems += filter(None, (_lack(outcome, sounds) for outcome in outcomes))
    if catalogue.state().indexed >= 0:
        problems += home.shelf.problems()
    count = sum(1 for _ in store.keys(store.key_builder.prefix("documents")))
    return Check(count, tuple(problems))


def _readable(home: Home) -> tuple[Store, list[str]]:
    """Return the store, or what can be read of it where its file is damaged; and how it is."""
    if home.remote:
        return home.store, []
    salvaged = _OfCorpus(home.store_path)
    if salvaged.problems:
        return salvaged, [f"{problem}: {_RESCAN}" for problem in salvaged.problems]
    return home.store, []


class _OfCorpus(Salvaged):
    """Leaves out what is under keys that a corpus does not have: damaged ones."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        return filter(_KEYS.fullmatch, super().keys(prefix))


def _model(home: Home, store: Store, learned: str) -> Any:
    """Return the model of the documents in a store; with codes, where something was learned."""
    return worker.model_of(worker.Job(str(store), home.card()["preset"], learned), store)


def _lack(outcome: Outcome, sounds: Any) -> str:
    """Return what there should be of a document, and is not."""
    try:
        lacks = sounds(outcome.id)._lacks()
    except ff.DocumentNotFound:
        lacks = ["document"]
    except (ff.CorruptRecord, ff.CodecError):
        return ""  # which was told
    if not lacks:
        return ""
    again = _RESCAN
    if outcome.missing:
        # what is known of a sound that was handed over begins with its name
        kept = outcome.why.removeprefix(f"{outcome.name}: ")
        again = kept if is_handed(outcome.uri) else f"bring it back and {_RESCAN}"
    return one_line(f"{outcome.name}: its {', '.join(lacks)} is not there any more: {again}")


def mend(home: Home) -> list[Outcome]:
    """Take out what is damaged, so that it is computed again; return what cannot be.

    The caller holds the lock.
    """
    if not home.remote and _OfCorpus(home.store_path).problems:
        compact(home)
    store, catalogue = home.store, home.catalogue
    problems = list(upkeep.verify(store))
    for problem in problems:
        upkeep.discard(store, problem)
    if catalogue.mend():
        _adopt(home)
    unmended = list(catalogue.problems())
    if problems:
        raise_changes(home)
    if any(home.shelf.problems()):
        shutil.rmtree(home.shelf.folder, ignore_errors=True)
    uri = FileSource(home.path).uri
    return [Outcome(uri, home.path.name, "failed", why) for why in unmended]


def _adopt(home: Home) -> None:
    """Tell of documents of which nothing is told; `rescan` will look at their sources."""
    known = home.known()
    ids = {outcome.id for outcome in known.values()}
    adopted = []
    for entry in Document.entries(home.store):
        source, facts = entry["roots"]["meta"], {}
        if entry["id"] in ids or source["uri"] in known:
            continue
        with suppress(ff.Error):  # will be computed, or told to be missing
            facts = {
                name: home.sounds(entry["id"]).facts[name]
                for name in ("seconds", "samplerate", "channels")
            }
        adopted.append(Outcome(source["uri"], entry["name"], "ok", id=entry["id"], **facts))
    home.catalogue.write(adopted)


def compact(home: Home) -> Compacted:
    """See `Corpus.compact`; the caller holds the lock."""
    if home.remote:
        raise CorpusError(
            f"{home} is in a bucket, where only folders are compacted: what is not needed any more "
            "stays there, and costs its space"
        )
    old = home.store_path
    number = int(old.name.rpartition("-")[2]) + 1 if "-" in old.name else 2
    new = home.path / f"store-{number}"
    _sweep(home)
    source, damage = _readable(home)
    if damage and not any(source.keys()):
        raise CorpusError(f"nothing in {old} can be read any more: bring back a copy")
    model = _model(home, source, Catalogue(source).model_digest())
    wanted = {(name, model._fingerprint(name)) for name, f in model.features.items() if f.store}
    target = ff.LmdbDatabase(new)
    copied = upkeep.copy(source, target, lambda *value: value in wanted)
    target.close()
    before = _size(old / "data.mdb")
    home.write_card(store=new.name)
    worker.open_store(str(old)).close()
    _sweep(home)
    if damage or copied.damaged:
        raise_changes(home)  # codes are computed again
    return Compacted(before, _size(new / "data.mdb"), copied.left, copied.damaged)


def _sweep(home: Home) -> None:
    """Delete stores that are not in use, and what processes that were killed have left."""
    for path in home.path.iterdir():
        ours = re.fullmatch(r"store(-\d+)?|learn-\w{8}", path.name) and path.is_dir()
        if ours and path != home.store_path and _is_of_a_corpus(path):
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.startswith(f".{CARD}.") and path.is_file():
            path.unlink(missing_ok=True)


def _is_of_a_corpus(folder: Path) -> bool:
    return (folder / "data.mdb").exists() or (folder / "corpus").exists()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0  # it was replaced meanwhile


def remove(home: Home, things: Sequence[Any]) -> tuple[Outcome, ...]:
    """See `Corpus.remove`; the caller holds the lock."""
    # of documents and hits, the id
    things = [getattr(thing, "_id", thing) for thing in things]
    known = home.known()
    state = home.catalogue.state()
    named = {_uri(thing): thing for thing in things}
    ids = {thing for thing in things if isinstance(thing, str)}
    chosen: dict[str, Outcome] = {}
    found: set[Any] = set()
    for outcome in known.values():
        if outcome.status == "removed":
            continue
        by = {named[place] for place in around(outcome.uri) if place in named}
        by |= {outcome.id} & ids
        if by:
            chosen[outcome.uri] = outcome
            found |= by
    for root in state.roots:  # of which nothing may be left, or ever have come
        found |= {named[place] for place in around(root) if place in named}
    for thing in named.values():
        if thing not in found:
            raise ff.DocumentNotFound(
                f"nothing in {home} came from {thing} or has that id: give an id, or a file, "
                "folder, archive or URL that was added"
            )
    raise_changes(home)
    roots = tuple(root for root in state.roots if not is_within(root, named))
    home.catalogue.update(roots=roots)
    home.delete(outcome.id for outcome in chosen.values() if outcome.id is not None)
    # what lies where rescan looks is not to come back by itself
    rooted = set(roots)
    kept = [outcome for outcome in chosen.values() if is_within(outcome.uri, rooted)]
    home.catalogue.forget(chosen.keys() - {outcome.uri for outcome in kept})
    home.catalogue.write(
        Outcome(outcome.uri, outcome.name, "removed", stamp=outcome.stamp) for outcome in kept
    )
    return tuple(chosen.values())


def _uri(thing: Any) -> str:
    if thing == "":
        raise ff.DocumentNotFound("an empty path would be the current folder: name what to remove")
    if isinstance(thing, str) and "://" in thing:
        return thing
    if not isinstance(thing, str | os.PathLike):
        raise ff.InvalidParameter(
            f"{thing!r} cannot be removed: give ids, paths, URLs, documents or hits"
        )
    return FileSource(Path(os.path.expanduser(os.fsdecode(thing)))).uri
