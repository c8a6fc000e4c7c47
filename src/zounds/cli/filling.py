"""Reads sounds into a corpus, learns from them and indexes them: what several commands do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import featureflow as ff
from zounds.cli.guard import Terminated
from zounds.cli.progress import Meter
from zounds.corpus.cluster import connected
from zounds.corpus.corpus import Corpus
from zounds.corpus.outcome import Report
from zounds.corpus.presets import preset
from zounds.errors import LearningError
from zounds.feature_types import ConstantRateTimeSeriesFeature
from zounds.learn.discriminant import FEW

_GROWN = 4


@dataclass(frozen=True)
class Filled:
    """What has become of a corpus.

    Attributes
    ----------
    report : Report
    indexed : int
        How many documents can be searched now.
    learned : bool
        Whether codes were learned, just now.
    notes : tuple of str
        What the user may want to do, a line each.
    """

    report: Report
    indexed: int = 0
    learned: bool = False
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            **self.report.record(),
            "indexed": self.indexed,
            "learned": self.learned,
            "notes": list(self.notes),
        }


def fill(
    corpus: Corpus,
    sources: Sequence[str],
    meter: Meter,
    learn: bool = False,
    seed: int = 0,
    workers: int | None = None,
    cluster: str | None = None,
) -> Filled:
    """Add sounds; learn, if that is wished, or was done from none or very few yet; and index.

    Raises
    ------
    KeyboardInterrupt, Terminated
        With what is kept as their message.
    """
    try:
        with corpus.changing(), _at_work(workers, cluster) as given:
            report = corpus.add(_told(sources, meter), **given, progress=meter.tell)
            filled = Filled(report)
            if not len(corpus):
                return filled
            learned_from = corpus.info().learned_from
            # what was learned from a first few is not worth keeping
            outgrown = learned_from < FEW and len(corpus) >= _GROWN * learned_from
            if learn or outgrown:
                filled = _learned(filled, corpus, meter, seed, given)
            return _indexed(filled, corpus, meter, given)
    except (KeyboardInterrupt, Terminated) as stop:
        kept = f"stopped: {len(corpus)} sounds are kept; run the same command to go on"
        raise type(stop)(kept) from None


@contextmanager
def _at_work(workers: int | None, cluster: str | None) -> Iterator[dict[str, Any]]:
    """Give what the methods of a corpus are told of who does the work."""
    if cluster is None:
        yield {"workers": workers}
        return
    if workers is not None:
        raise ff.InvalidParameter(
            f"--workers {workers} and --cluster {cluster}: a cluster has its own number"
        )
    with connected(cluster) as client:
        yield {"executor": client.get_executor()}


def index(corpus: Corpus, meter: Meter, **given: Any) -> int:
    """Make searchable what has changed, if codes were learned; return how many documents are."""
    info = corpus.info()
    if not (info.learned_from and info.documents):
        return 0
    meter.stage("coding")
    return corpus.index(**given, progress=meter.tell)


def _told(sources: Sequence[str], meter: Meter) -> Iterator[str]:
    """Yield the sources; each is looked at before the next one is asked for."""
    for source in sources:
        is_url = "://" in source
        meter.stage(f"downloading {source}" if is_url else f"looking into {source}")
        yield source
    meter.stage("reading")


def _learned(
    filled: Filled, corpus: Corpus, meter: Meter, seed: int, given: dict[str, Any]
) -> Filled:
    meter.stage("learning")
    try:
        corpus.learn(seed=seed, **given, progress=meter.tell)
    except LearningError:
        return replace(filled, notes=(_too_few(corpus),))
    return replace(filled, learned=True)


def _too_few(corpus: Corpus) -> str:
    """Return what a user can do about it."""
    documents, frames = len(corpus), sum(map(_frames, corpus))
    needed = getattr(preset(corpus.preset), "centroids", 0)
    if frames >= needed:
        before = (
            "what was learned before is used"
            if corpus.info().learned_from
            else ("nothing can be searched yet")
        )
        return (
            f"nothing was learned, and {before}: {documents} sounds are too few or too much alike; "
            "index more, and more different ones; what was read is kept"
        )
    more = math.ceil(documents * (needed - frames) / max(frames, 1))
    return (
        f"{documents} sounds are too few to learn from: index at least {more} more of their "
        "length; what was read is kept"
    )


def _frames(document: Any) -> int:
    """Return the length of what codes are learned from."""
    for name, feature in type(document).features.items():
        if feature.store and isinstance(feature, ConstantRateTimeSeriesFeature):
            with suppress(ff.Error):  # damaged: it cannot be learned from either
                return len(getattr(document, name))
    return 0


def _indexed(filled: Filled, corpus: Corpus, meter: Meter, given: dict[str, Any]) -> Filled:
    indexed = index(corpus, meter, **given)
    learned_from, documents = corpus.info().learned_from, len(corpus)
    notes = filled.notes
    if learned_from and documents >= _GROWN * learned_from:
        notes = (
            *notes,
            f"the codes were learned from {learned_from} sounds, and there are {documents} now: "
            "zounds index --learn SOURCE learns from all of them",
        )
    return replace(filled, indexed=indexed, notes=notes)
