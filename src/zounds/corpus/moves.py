"""Finds out whether a source is still there, and where else its content is now."""

from __future__ import annotations

from collections.abc import Iterable

import featureflow as ff
from featureflow.source import Source, located
from zounds.corpus import worker
from zounds.corpus.discover import Handed
from zounds.corpus.home import Home
from zounds.corpus.outcome import Outcome
from zounds.corpus.places import is_handed


def source_of(home: Home, outcome: Outcome) -> Source | None:
    """Return the source of a document, if it is still there; what was handed over is kept."""
    if not outcome.is_document:
        return None
    try:
        if is_handed(outcome.uri):
            return Handed(home.sounds(outcome.id).meta, outcome.uri)
        source = located(outcome.uri, fresh=False)
        if outcome.uri.startswith("http") or source.stamp() is not None:
            return source
    except ff.Error:
        pass
    return None


def gone(home: Home, known: Iterable[Outcome], fresh: Iterable[Source]) -> list[Outcome]:
    """Return the documents whose source is not there any more, and may be among new ones."""
    sizes = {size for source in fresh if (size := _size(source)) is not None}
    return [
        outcome
        for outcome in known
        if outcome.is_document
        and outcome.stamp
        and outcome.stamp[0] in sizes
        and not is_handed(outcome.uri)
        and source_of(home, outcome) is None
    ]


def moved(home: Home, fresh: Iterable[Source], gone: Iterable[Outcome]) -> dict[str, Outcome]:
    """Return what new sources were before, by their URIs: the same content elsewhere."""
    by_digest: dict[str, list[Outcome]] = {}
    for outcome in gone:
        digest = digest_of(home, outcome)
        if digest is not None:
            by_digest.setdefault(digest, []).append(outcome)
    sizes = {o.stamp[0] for outcomes in by_digest.values() for o in outcomes if o.stamp}
    found = {}
    for source in fresh:
        if _size(source) not in sizes:
            continue  # not worth reading it
        try:
            candidates = by_digest.get(source.digest, [])
        except ff.SourceError:
            continue
        if candidates:
            named = [outcome for outcome in candidates if outcome.name == source.name]
            found[source.uri] = (named or candidates)[0]
            candidates.remove(found[source.uri])
    return found


def digest_of(home: Home, outcome: Outcome) -> str | None:
    """Return the digest of the content that a document was made of."""
    return None if outcome.id is None else worker.content_of(home.store, outcome.id)


def _size(source: Source) -> int | None:
    """Return what begins a stamp; None where there is nothing, or no stamp."""
    try:
        stamp = source.stamp()
    except ff.SourceError:
        return None
    return stamp[0] if stamp else None
