"""From what people search with to codes, and from codes to hits."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import featureflow as ff
from featureflow.document import Document
from featureflow.source import Source
from zounds.arrays import AudioSamples, ConstantRateTimeSeries
from zounds.audio.decode import check_sound, open_audio
from zounds.corpus.places import into_archive, local_path
from zounds.errors import SearchError
from zounds.feature_types import AudioSamplesFeature
from zounds.index.hamming import Codes, Snapshot, distances_to, packed_code
from zounds.index.results import Hit
from zounds.units import Seconds, TimeSlice

Unit = Literal["clip", "segment"]
UNITS = ("clip", "segment")

_PIECE = 1 << 16
_ROUNDING = Fraction(1, 10**6)  # segments; a time that was printed is not exact


@dataclass(frozen=True)
class CorpusHit(Hit):
    """A sound, or a stretch of one, that a search of a corpus has found.

    Parameters
    ----------
    _id, time, distance, name
        See `Hit`.
    uri : str
        Where the sound came from.
    bits : int
        The length of a code.
    """

    uri: str
    bits: int

    @property
    def id(self) -> str:
        """str : The document."""
        return self._id

    @property
    def path(self) -> Path | None:
        """Path or None : The file, where it is one on this machine."""
        return local_path(self.uri)

    @property
    def start(self) -> float:
        """Float [unit=s] : Where in the sound it begins."""
        return float(self.time.start)

    @property
    def duration(self) -> float:
        """Float [unit=s] : How long it is."""
        return float(self.time.duration or 0)

    @property
    def score(self) -> float:
        """Float [range=[0, 1]] : 1 for equal codes, 0 for opposite ones."""
        return 1 - self.distance / self.bits

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "path": None if self.path is None else str(self.path),
            "uri": self.uri,
            "start": self.start,
            "duration": self.duration,
            "distance": self.distance,
            "score": self.score,
        }


class Query:
    """What is searched for, as codes.

    Parameters
    ----------
    model : type
        Makes the codes.
    index : Snapshot
        Where they will be looked for.
    unit : str
    start, duration : number or None [unit=s]
        The stretch of the sound to search with.
    """

    def __init__(self, model: Any, index: Snapshot, unit: Unit, start: Any, duration: Any) -> None:
        self._model = model
        self._index = index
        self._unit = unit
        self._whole = start is None and duration is None
        self._start = Seconds(0 if start is None else start)
        self._duration = None if duration is None else Seconds(duration)
        if self._start < 0 or (self._duration is not None and self._duration <= 0):
            raise SearchError(
                f"start={start}, duration={duration}: give a start of 0 s or more, and a "
                "duration above 0 s"
            )

    def codes(self, thing: Any) -> Codes:
        """Return the codes of whatever is searched with.

        Parameters
        ----------
        thing
            See `Corpus.search`.

        Returns
        -------
        np.ndarray [shape=(q, ceil(bits / 8)), dtype=uint8]
        """
        if isinstance(thing, AudioSamples):
            check_sound(thing, "what is searched with", 0, thing.samplerate)
            return self._heard(iter([thing]), "the samples")
        if isinstance(thing, ConstantRateTimeSeries) and len(thing) == 1:
            thing = thing[0]  # a document's code of the whole sound
        if isinstance(thing, ff.BaseModel):
            return self._of_document(thing._id)
        if isinstance(thing, str) and thing and self._model.exists(thing):
            return self._of_document(thing)
        if isinstance(thing, str | os.PathLike):
            path = Path(os.path.abspath(os.path.expanduser(os.fsdecode(thing))))
            thing = into_archive(path) or thing
        if self._is_code(thing):
            if not self._whole:
                raise SearchError("a code has no start and no duration: leave them out")
            return packed_code(thing, self._index.bits)[np.newaxis]
        if isinstance(thing, str | os.PathLike) and "://" not in os.fsdecode(thing):
            thing = os.path.expanduser(thing)
        source = Source.of(thing)
        return self._heard(self._samples(source), source.name)

    def _is_code(self, thing: Any) -> bool:
        if isinstance(thing, bytes | bytearray):
            return len(thing) == -(-self._index.bits // 8)
        if isinstance(thing, str):
            if "://" in thing or (thing and os.path.exists(os.path.expanduser(thing))):
                return False
            try:
                packed_code(thing, self._index.bits)
            except SearchError:
                raise SearchError(
                    f"{thing!r} is no sound to search with: there is no such file, no document of "
                    f"this id, and it is not a code of {self._index.bits} bits in base64"
                ) from None
            return True
        plain = isinstance(thing, np.ndarray | list | tuple)
        if plain and np.asarray(thing).dtype.kind == "f":
            raise SearchError(
                "samples without a sample rate cannot be searched for: wrap them as "
                "zounds.AudioSamples(samples, samplerate)"
            )
        return plain

    def _of_document(self, _id: str) -> Codes:
        document = self._model(_id)
        if self._unit == "clip" and not self._whole:
            return self._heard(self._samples(document.meta), document._name)
        if self._unit == "clip":
            return _packed(document.clip)
        return _packed(self._stretch(document.segments, document.facts["seconds"]))

    def _heard(self, chunks: Iterator[AudioSamples], name: str) -> Codes:
        """Return the codes of audio that is not in the corpus."""
        pcm = AudioSamplesFeature(ff.IteratorNode)
        heard: Any = type(
            "Heard", (self._model,), {"meta": None, "pcm": pcm, "__doc__": "A query."}
        )
        feature = "clip" if self._unit == "clip" else "segments"
        return _packed(heard.compute(feature, pcm=self._cut(chunks, name)))

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
            return self._index.rates[0].duration
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


def _packed(codes: npt.NDArray[Any]) -> Codes:
    return np.packbits(np.asarray(codes, bool), axis=1)


def hits(
    index: Snapshot, model: Any, codes: Codes, n_results: int, per_file: int | None
) -> Iterator[CorpusHit]:
    """Yield the best hits for any of some codes, at most `per_file` from one document."""
    distances = distances_to(index.codes, codes)
    taken: dict[int, int] = {}
    known: dict[int, dict[str, Any] | None] = {}
    found = 0
    for row in np.argsort(distances, kind="stable"):
        document, time = index.place(int(row))
        if per_file is not None and taken.get(document, 0) >= per_file:
            continue
        if document not in known:
            known[document] = _entry(model, index.ids[document])
        entry = known[document]
        taken[document] = taken.get(document, 0) + 1
        if entry is None:
            continue  # removed since it was indexed
        yield CorpusHit(
            index.ids[document],
            _within(time, model, index.ids[document]),
            int(distances[row]),
            entry["name"],
            entry["roots"]["meta"]["uri"],
            index.bits,
        )
        found += 1
        if found == n_results:
            return


def _within(time: TimeSlice, model: Any, _id: str) -> TimeSlice:
    """Return a time that ends with the sound, which may be shorter than the window of a code."""
    try:
        end = Seconds(model(_id).facts["seconds"])
    except ff.Error:  # damaged, or removed meanwhile
        return time
    if time.duration is None or not time.start < end < time.start + time.duration:
        return time
    return TimeSlice(time.start, end - time.start)


def _entry(model: Any, _id: str) -> dict[str, Any] | None:
    try:
        return Document(model.database, _id).entry()
    except (ff.DocumentNotFound, ff.CorruptRecord):
        return None
