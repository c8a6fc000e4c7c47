"""Writes the stored features and codes of documents as arrays, a piece at a time."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

import featureflow as ff
from zounds.corpus.corpus import Corpus
from zounds.corpus.outcome import Outcome
from zounds.errors import CorpusError
from zounds.feature_types import ConstantRateTimeSeriesFeature

Array = npt.NDArray[Any]

_CODES = ("clip", "segments")


class Arrays:
    """The stored features of documents, as arrays of which there is only a piece in memory.

    Parameters
    ----------
    corpus : Corpus
    chosen : sequence of (str, Outcome)
        The ids of documents, and what is known of them.
    unreadable : dict of str
        Is told of which documents something cannot be read, and what.
    """

    def __init__(
        self,
        corpus: Corpus,
        chosen: Sequence[tuple[str, Outcome]],
        unreadable: dict[str, str],
    ) -> None:
        self.ids = [_id for _id, _ in chosen]
        self._ends = [outcome.seconds for _, outcome in chosen]
        self._corpus = corpus
        features = corpus._home.model.features
        self._measured = {
            name: _Measure()
            for name, feature in features.items()
            if feature.store and isinstance(feature, ConstantRateTimeSeriesFeature)
        }
        for _id in self.ids:
            for name, measure in self._measured.items():
                try:
                    measure.add(self._chunks(_id, name))
                except ff.Error as error:
                    measure.add(())
                    unreadable.setdefault(_id, str(error))

    def _chunks(self, _id: str, name: str) -> Iterator[Any]:
        """Yield a feature in the pieces it was stored in."""
        document = self._corpus[_id]
        value = document._computation().value_of(name)
        if not document._document.has(value):
            raise ff.UnavailableError(f"{document._name} has no {name} yet: index the corpus")
        yield from document._document.chunks(type(document).features[name], value)

    def _stored(self, name: str) -> Iterator[Array]:
        """Yield what was measured, of all documents."""
        for _id, length in zip(self.ids, self._measured[name].lengths, strict=True):
            found = 0
            for chunk in self._chunks(_id, name) if length else ():
                found += len(chunk)
                yield np.asarray(chunk)
            if found != length:
                raise CorpusError(f"{_id} has changed while it was exported: export again")

    def write(self, archive: zipfile.ZipFile) -> None:
        """Write all of them."""
        for name, measure in self._measured.items():
            if name not in _CODES:
                _write(archive, name, measure.shape, measure.dtype, self._stored(name))
                _write_whole(archive, f"{name}_offsets", measure.offsets)
                _write_whole(archive, f"{name}_frequency", np.array(measure.frequencies))
                _write_whole(archive, f"{name}_duration", np.array(measure.durations))
        if "clip" in self._measured:
            self._write_codes(archive, self._measured["clip"], self._measured["segments"])

    def _write_codes(self, archive: zipfile.ZipFile, clip: _Measure, segments: _Measure) -> None:
        bits = clip.width[0]
        width, byte = -(-bits // 8), np.dtype(np.uint8)
        codes = self._stored("clip")
        clips = (packed(next(codes)) if n else np.zeros((1, width), byte) for n in clip.lengths)
        _write_whole(archive, "bits", np.array(bits))
        _write_whole(archive, "has_code", np.array(clip.lengths, bool))
        _write(archive, "clips", (len(self.ids), width), byte, clips)
        count, seconds = segments.shape[0], np.dtype(np.float64)
        codes = map(packed, self._stored("segments"))
        _write(archive, "segments", (count, width), byte, codes)
        _write_whole(archive, "segment_offsets", segments.offsets)
        starts = map(_times, segments.lengths, segments.frequencies)
        _write(archive, "segment_starts", (count,), seconds, starts)
        starts = map(_times, segments.lengths, segments.frequencies)
        rests = (end - start for end, start in zip(self._ends, starts, strict=True))
        durations = map(np.minimum, segments.durations, rests)
        _write(archive, "segment_durations", (count,), seconds, durations)


@dataclass
class _Measure:
    """What has to be known of a feature before it is written."""

    lengths: list[int] = field(default_factory=list)
    frequencies: list[float] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    width: tuple[int, ...] = (0,)
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))

    def add(self, chunks: Iterable[Any]) -> None:
        """Measure the feature of one more document."""
        length, frequency, duration = 0, 0.0, 0.0
        for chunk in chunks:
            length += len(chunk)
            frequency, duration = float(chunk.frequency), float(chunk.duration)
            self.width, self.dtype = chunk.shape[1:], chunk.dtype
        self.lengths.append(length)
        self.frequencies.append(frequency)
        self.durations.append(duration)

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(self.lengths), *self.width)

    @property
    def offsets(self) -> Array:
        return np.fromiter(accumulate(self.lengths, initial=0), np.int64)


def _times(count: int, frequency: float) -> Array:
    return np.arange(count) * frequency


def packed(codes: Array) -> Array:
    """Return codes with eight bits in a byte."""
    return np.packbits(codes.astype(bool), axis=1)


def write_texts(archive: zipfile.ZipFile, name: str, texts: Sequence[str]) -> None:
    """Write text as a member of an archive."""
    kind = np.dtype(f"U{max(map(len, texts), default=1) or 1}")
    _write(archive, name, (len(texts),), kind, (np.array([text], kind) for text in texts))


def _write_whole(archive: zipfile.ZipFile, name: str, array: Array) -> None:
    _write(archive, name, array.shape, array.dtype, [array])


def _write(
    archive: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    pieces: Iterable[Array],
) -> None:
    """Write an array as a member of an archive, piece by piece."""
    entry = zipfile.ZipInfo(f"{name}.npy")  # with a date that is always the same
    texts = dtype.kind == "U"  # which are mostly zeros
    entry.compress_type = zipfile.ZIP_DEFLATED if texts else zipfile.ZIP_STORED
    descr = np.lib.format.dtype_to_descr(dtype)
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    with archive.open(entry, "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, dtype).tobytes())
