"""From what people search with to codes and vectors."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import featureflow as ff
from featureflow.document import Document
from featureflow.source import Source
from zounds.arrays import AudioSamples, ConstantRateTimeSeries
from zounds.audio.decode import check_sound, open_audio
from zounds.corpus.backend import backend_of
from zounds.corpus.generation import Generation
from zounds.corpus.hits import CorpusHit, Limits, hits
from zounds.corpus.home import Home
from zounds.corpus.places import into_archive
from zounds.corpus.spaces import KIND, LIKE, Layer, Space
from zounds.errors import SearchError
from zounds.feature_types import AudioSamplesFeature
from zounds.index.hamming import packed_code
from zounds.index.results import SearchResults, stretches
from zounds.units import Seconds

Unit = Literal["clip", "segment"]
Like = Literal["kind", "same"]
UNITS = ("clip", "segment")

_PIECE = 1 << 16
_ROUNDING = Fraction(1, 10**6)  # segments; a time that was printed is not exact


@dataclass(frozen=True)
class Asked:
    """What is compared, and the stretch of a sound to search with; see `Corpus.search`."""

    unit: Unit = "clip"
    like: Like = "kind"
    start: Any = None
    duration: Any = None


def check_counts(**counts: Any) -> None:
    """Refuse numbers that count nothing; None is no limit, where it is no number of results."""
    for name, number in counts.items():
        whole = isinstance(number, Integral) and not isinstance(number, bool) and int(number) >= 1
        if not (whole or (number is None and name == "per_file")):
            raise SearchError(f"{name}={number!r}: give a whole number, 1 or more")


def searchable(home: Home) -> Generation:
    """Return what can be searched of a corpus.

    Raises
    ------
    SearchError
        If there is nothing, with what to do about it.
    """
    found = home.indexed() if home.exists() and home.job.model else None
    if found is not None and found.fingerprint == home.fingerprint():
        return found
    _check_sounds(home)
    if not home.job.model:
        raise SearchError(f"{home} has learned no codes yet: call learn() and index()")
    if found is None:
        raise SearchError(f"{home} has no index, or a damaged one: call index()")
    raise SearchError(f"the index of {home} is of codes that were learned before: call index()")


def _check_sounds(home: Home) -> None:
    # not before every search: it takes a while for many
    if not home.exists() or next(Document.entries(home.store), None) is None:
        raise SearchError(f"{home} holds no sounds yet: add some first")


def search(
    home: Home,
    query: Any,
    asked: Asked,
    limits: Limits,
    more: Sequence[Any] = (),
    less: Sequence[Any] = (),
    rerank: bool = True,
    backend: Any = None,
) -> SearchResults:
    """See `Corpus.search`."""
    if asked.unit not in UNITS:
        raise SearchError(f"unit={asked.unit!r}: give one of {', '.join(UNITS)}")
    server = backend_of(backend)
    whole = asked.start is None and asked.duration is None
    if isinstance(query, CorpusHit) and whole and asked.unit == "segment":
        asked = replace(asked, start=query.start, duration=query.duration)
    generation, model = searchable(home), home.model
    what = Query(model, generation, asked)
    layer = what.of(query, more, less)
    if not rerank:
        layer = replace(layer, vectors=None)
    if limits.others:
        limits = replace(limits, without=what.named(query, *more, *less))
    codes = server.codes(generation, asked.unit, asked.like)
    best = list(hits(generation, codes, layer, asked.unit, asked.like, model, limits))
    if not best:
        _check_sounds(home)
    return SearchResults(
        layer.codes[0], best, lambda _id, times: stretches(model(_id), "pcm", times)
    )


class Query:
    """What is searched with, as codes and vectors.

    Parameters
    ----------
    model : type
        Describes sounds, and makes of them what is compared.
    generation : Generation
        Where it will be looked for.
    asked : Asked
    """

    def __init__(self, model: Any, generation: Generation, asked: Asked) -> None:
        unit, like, start, duration = asked.unit, asked.like, asked.start, asked.duration
        self._model = model
        self._generation = generation
        self._layers = generation.layers(unit)
        if like not in self._layers:
            known = like in LIKE
            why = f"this corpus compares by {KIND} only" if known else f"give one of {LIKE}"
            raise SearchError(f"like={like!r}: {why}")
        self._unit = unit
        self._like = like
        self._whole = start is None and duration is None
        self._start = Seconds(0 if start is None else start)
        self._duration = None if duration is None else Seconds(duration)
        if self._start < 0 or (self._duration is not None and self._duration <= 0):
            raise SearchError(
                f"start={start}, duration={duration}: give a start of 0 s or more, and a "
                "duration above 0 s"
            )

    def of(self, thing: Any, more: Sequence[Any] = (), less: Sequence[Any] = ()) -> Layer:
        """Return what stands for a thing, and more things, and less of others.

        Parameters
        ----------
        thing, more, less
            See `Corpus.search`.
        """
        for name, several in (("more", more), ("less", less)):
            if not isinstance(several, list | tuple):
                raise SearchError(f"{name} is a {type(several).__name__}: give a list of sounds")
        thing, *rest = map(_resolved, (thing, *more, *less))
        more, less = rest[: len(more)], rest[len(more) :]
        if not rest:
            code = self._code(thing)
            if code is not None:
                return self._known(code)
            return self._space.queries(self._rows(thing), self._like, self._unit)
        if self._like != KIND:
            raise SearchError("several sounds are compared by kind: leave like out")
        for one in (thing, *rest):
            if self._code(one) is not None:
                raise SearchError(f"{one!r} is a code: several sounds are given as sounds or ids")
        # the stretch is that of the first one
        others = Query(self._model, self._generation, Asked(self._unit, self._like))
        wanted = [self._rows(thing), *map(others._rows, more)]
        return self._space.mixed(wanted, [others._rows(one) for one in less], self._unit)

    def named(self, *things: Any) -> frozenset[str]:
        """Return the ids and URIs of things, as far as they have some."""
        found = set()
        for thing in map(_resolved, things):
            if isinstance(thing, AudioSamples) or self._code(thing) is not None:
                continue
            if isinstance(thing, ff.BaseModel):
                found.add(thing._id)
            elif isinstance(thing, str) and self._model.exists(thing):
                found.add(thing)
            else:
                found.add(_source(thing).uri)
        return frozenset(found)

    @property
    def _space(self) -> Space:
        return self._generation.space

    def _code(self, thing: Any) -> npt.NDArray[np.uint8] | None:
        """Return a thing that is a code, packed."""
        sound = isinstance(thing, AudioSamples | ff.BaseModel)
        if sound or (isinstance(thing, str) and thing and self._model.exists(thing)):
            return None
        if not self._is_code(thing):
            return None
        if not self._whole:
            raise SearchError("a code has no start and no duration: leave them out")
        return packed_code(thing, self._generation.bits)

    def _known(self, code: npt.NDArray[np.uint8]) -> Layer:
        """Return a code, with the vector of the first one that has it, if there is any."""
        layer, vectors = self._layers[self._like], None
        distances, rows = layer.prepared.search(code[np.newaxis], 1)
        if layer.ranks and not distances.any():
            vectors = layer.vectors_of(rows[0])
        return Layer(code[np.newaxis], vectors)

    def _rows(self, thing: Any) -> npt.NDArray[Any]:
        """Return what a document would have of a thing [shape=(m, d)]."""
        if isinstance(thing, AudioSamples):
            check_sound(thing, "what is searched with", 0, thing.samplerate)
            return self._heard(iter([thing]), "the samples")
        if isinstance(thing, ff.BaseModel):
            return self._of_document(thing._id)
        if isinstance(thing, str) and thing and self._model.exists(thing):
            return self._of_document(thing)
        source = _source(thing)
        return self._heard(self._samples(source), source.name)

    def _is_code(self, thing: Any) -> bool:
        if isinstance(thing, bytes | bytearray):
            return len(thing) == -(-self._generation.bits // 8)
        if isinstance(thing, str):
            if "://" in thing or (thing and os.path.exists(os.path.expanduser(thing))):
                return False
            try:
                packed_code(thing, self._generation.bits)
            except SearchError:
                raise SearchError(
                    f"{thing!r} is no sound to search with: there is no such file, no document of "
                    f"this id, and it is not a code of {self._generation.bits} bits in base64"
                ) from None
            return True
        plain = isinstance(thing, np.ndarray | list | tuple)
        if plain and np.asarray(thing).dtype.kind == "f":
            raise SearchError(
                "samples without a sample rate cannot be searched for: wrap them as "
                "zounds.AudioSamples(samples, samplerate)"
            )
        return plain

    def _of_document(self, _id: str) -> npt.NDArray[Any]:
        document = self._model(_id)
        if self._unit == "clip" and not self._whole:
            return self._heard(self._samples(document.meta), document._name)
        if self._unit == "clip":
            return np.asarray(document.clip)
        return np.asarray(self._stretch(document.segments, document.facts["seconds"]))

    def _heard(self, chunks: Iterator[AudioSamples], name: str) -> npt.NDArray[Any]:
        """Return what a document would have of audio that is not in the corpus."""
        pcm = AudioSamplesFeature(ff.IteratorNode)
        heard: Any = type(
            "Heard", (self._model,), {"meta": None, "pcm": pcm, "__doc__": "A query."}
        )
        feature = "clip" if self._unit == "clip" else "segments"
        return np.asarray(heard.compute(feature, pcm=self._cut(chunks, name)))

    def _samples(self, source: Source) -> Iterator[AudioSamples]:
        with open_audio(source) as reader:
            while len(chunk := reader.read(_PIECE)):
                yield AudioSamples(
                    chunk[:, 0] if reader.channels == 1 else chunk, reader.samplerate
                )

    def _cut(self, chunks: Iterator[AudioSamples], name: str) -> Iterator[AudioSamples]:
        """Yield the stretch of audio to search with, and read no further."""
        position, found = Fraction(0), False
        stop = None if self._length is None else self._start + self._length
        for chunk in chunks:
            begin, end = position, position + len(chunk) * chunk.frequency
            position = end
            if end <= self._start:
                continue
            first = max(0, round((self._start - begin) / chunk.frequency))
            last = len(chunk) if stop is None else round((stop - begin) / chunk.frequency)
            part = np.asarray(chunk)[first : max(last, first + 1)]
            if len(part):
                found = True
                yield AudioSamples(part, chunk.samplerate)
            if stop is not None and end >= stop:
                return
        if not position:
            raise SearchError(f"{name} hold no sound: there is nothing to search with")
        if not found:
            raise SearchError(
                f"start={float(self._start):g} s is beyond the end of {name}, "
                f"{float(position):.3f} s: give an earlier one"
            )

    @property
    def _length(self) -> Fraction | None:
        """Fraction or None [unit=s] : How much to search with; a segment has one by itself."""
        if self._unit == "segment" and self._duration is None and not self._whole:
            return self._generation.rate.duration
        return self._duration

    def _stretch(self, segments: ConstantRateTimeSeries, end: float) -> ConstantRateTimeSeries:
        """Return the segments that cover the stretch to search with."""
        if self._whole:
            return segments
        if self._start >= Seconds(end):
            raise SearchError(
                f"start={float(self._start):g} s is beyond the end, {end:.3f} s: "
                "give an earlier one"
            )
        hop = segments.frequency
        # the last segment may be shorter than its hop, and end later than the sum of hops
        first = min(int(self._start / hop + _ROUNDING), len(segments) - 1)
        last = first + 1
        if self._duration is not None:
            rest = self._start + self._duration - segments.duration
            last = max(last, 1 + math.ceil(rest / hop - _ROUNDING))
        stretch: ConstantRateTimeSeries = segments[first:last]
        return stretch


def _source(thing: Any) -> Source:
    if isinstance(thing, str | os.PathLike) and "://" not in os.fsdecode(thing):
        thing = os.path.expanduser(thing)
    return Source.of(thing)


def _resolved(thing: Any) -> Any:
    """Return what a path into an archive, a hit, or a series of one row stands for.

    Anything else stands for itself.
    """
    if isinstance(thing, CorpusHit):
        return thing.id
    if isinstance(thing, str | os.PathLike):
        path = Path(os.path.abspath(os.path.expanduser(os.fsdecode(thing))))
        return into_archive(path) or thing
    one_row = isinstance(thing, ConstantRateTimeSeries) and len(thing) == 1 and thing.ndim == 2
    return thing[0] if one_row else thing
