"""Writes what a corpus has of its sounds as arrays, for `numpy.load`, piece by piece."""

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
from zounds.corpus.generation import Generation
from zounds.corpus.spaces import KIND
from zounds.errors import CorpusError
from zounds.feature_types import ConstantRateTimeSeriesFeature

Array = npt.NDArray[Any]

_CODED = ("clip", "segments")  # what the index has codes of


class Codes:
    """The codes of documents, as far as they are indexed.

    Parameters
    ----------
    corpus : Corpus
    """

    def __init__(self, corpus: Corpus) -> None:
        found = corpus._home.indexed()
        self._indexed = found if found and found.fingerprint == corpus._home.fingerprint() else None
        ids = self._indexed.ids if self._indexed else ()
        self._places = {_id: place for place, _id in enumerate(ids)}

    def clip(self, _id: str) -> Array:
        """Return the code of a whole sound [shape=(ceil(bits / 8),)]; empty if there is none."""
        if self._indexed is None or _id not in self._places:
            return np.zeros(0, np.uint8)
        return np.asarray(self._indexed.layers("clip")[KIND].codes[self._places[_id]])

    def write(self, archive: zipfile.ZipFile, ids: Sequence[str]) -> None:
        """Write the codes of documents, and when their segments are."""
        indexed = self._indexed
        if indexed is None:
            return
        there = [self._places.get(_id) for _id in ids]
        known = indexed.layers("clip")[KIND].codes
        clips = np.zeros((len(ids), known.shape[1]), np.uint8)
        for number, place in enumerate(there):
            if place is not None:
                clips[number] = known[place]
        rows = [_segments(indexed, place) for place in there]
        of_all = np.concatenate([np.arange(0), *rows]).astype(np.intp)
        owners = indexed.owners("segment", of_all)
        times = [
            indexed.time("segment", int(document), int(row))
            for document, row in zip(owners, of_all, strict=True)
        ]
        _write_whole(archive, "bits", np.array(indexed.bits))
        _write_whole(archive, "has_code", np.array([place is not None for place in there], bool))
        _write_whole(archive, "clip_codes", clips)
        _write_whole(archive, "segment_codes", indexed.segments[KIND].codes[of_all])
        _write_whole(archive, "segment_offsets", np.cumsum([0, *map(len, rows)]))
        _write_whole(archive, "segment_starts", np.array([float(time.start) for time in times]))
        durations = np.array([float(time.duration or 0) for time in times])
        _write_whole(archive, "segment_durations", durations)


def _segments(indexed: Generation, place: int | None) -> Array:
    """Return the rows of a document's segments."""
    if place is None:
        return np.arange(0)
    return np.arange(indexed.offsets[place], indexed.offsets[place + 1])


class Features:
    """The stored features of documents, as arrays of which there is only a piece in memory.

    Parameters
    ----------
    corpus : Corpus
    ids : sequence of str
    unreadable : dict of str
        Gets, by ids, what cannot be read.
    """

    def __init__(self, corpus: Corpus, ids: Sequence[str], unreadable: dict[str, str]) -> None:
        self._ids = ids
        self._corpus = corpus
        features = corpus._home.model.features
        self._measured = {
            name: _Measure()
            for name, feature in features.items()
            if feature.store
            and isinstance(feature, ConstantRateTimeSeriesFeature)
            and name not in _CODED
        }
        for _id in ids:
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
        for _id, length in zip(self._ids, self._measured[name].lengths, strict=True):
            found = 0
            for chunk in self._chunks(_id, name) if length else ():
                found += len(chunk)
                yield np.asarray(chunk)
            if found != length:
                raise CorpusError(f"{_id} has changed while it was exported: export again")

    def write(self, archive: zipfile.ZipFile) -> None:
        """Write all of them."""
        for name, measure in self._measured.items():
            _write(archive, name, measure.shape, measure.dtype, self._stored(name))
            _write_whole(archive, f"{name}_offsets", measure.offsets)
            _write_whole(archive, f"{name}_frequency", np.array(measure.frequencies))
            _write_whole(archive, f"{name}_duration", np.array(measure.durations))


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


def write_texts(archive: zipfile.ZipFile, name: str, texts: Sequence[str]) -> None:
    """Write texts as a member of an archive."""
    kind = np.dtype(f"U{max(map(len, texts), default=1) or 1}")
    pieces = (np.array([text], kind) for text in texts)
    _write(archive, name, (len(texts),), kind, pieces)


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
