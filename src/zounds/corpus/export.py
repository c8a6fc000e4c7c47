"""Writes what a corpus knows to files that other programs read: tables, playlists and arrays."""

from __future__ import annotations

import csv
import os
import re
import secrets
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, field, fields
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import featureflow as ff
from zounds.corpus.corpus import Corpus
from zounds.corpus.generation import Generation
from zounds.corpus.outcome import Outcome
from zounds.corpus.places import local_path, shown
from zounds.corpus.spaces import KIND
from zounds.errors import CorpusError
from zounds.feature_types import ConstantRateTimeSeriesFeature

Array = npt.NDArray[Any]

_ROWS_AT_ONCE = 4096
_CODED = ("clip", "segments")  # which the index has


@dataclass(frozen=True)
class Row:
    """What a table says of a document.

    Parameters
    ----------
    id, name, uri : str
        The URI is exact; names and paths have a replacement character for what is no text.
    path : str
        Where it is, as people write it.
    status : str
        ``ok`` or ``partial``.
    seconds, samplerate : float [unit=s, Hz]
    channels : int
    code : str
        The packed code of the whole sound, in hexadecimal; empty where there is none.
    """

    id: str
    name: str
    uri: str
    path: str
    status: str
    seconds: float
    samplerate: float
    channels: int
    code: str


@dataclass
class Exported:
    """What was written.

    Attributes
    ----------
    path : Path
    documents : int
        How many are in the file.
    left_out : int
        How many have no place in a file of this kind: in a playlist, members of archives.
    unreadable : dict of str
        By their ids, documents of which something is damaged or missing in the corpus; and what.
    """

    path: Path
    documents: int = 0
    left_out: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {**asdict(self), "path": str(self.path)}


def export_csv(
    corpus: Corpus, path: str | os.PathLike[str], ids: Iterable[str] | None = None
) -> Exported:
    """Write a row for each document, as comma-separated values in UTF-8 below a header.

    Parameters
    ----------
    corpus : Corpus
    path : path
        A file that was there is replaced, once the new one is whole.
    ids : iterable of str or None
        The documents to write, in this order; None for all, in the order of their URIs.

    Returns
    -------
    Exported

    Raises
    ------
    CorpusError
        If the file cannot be written.
    DocumentNotFound
        If there is no document of one of the ids.
    """
    done = Exported(Path(path))
    with _draft(done.path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(column.name for column in fields(Row))
        table.writerows(astuple(row) for row in _rows(corpus, ids, done))
    return done


def export_parquet(
    corpus: Corpus, path: str | os.PathLike[str], ids: Iterable[str] | None = None
) -> Exported:
    """Write a row for each document as Parquet; see `export_csv`.

    Raises
    ------
    CorpusError
        If pyarrow is not installed, or as for `export_csv`.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise CorpusError(
            "Parquet is written by pyarrow, which is not installed: pip install 'zounds[parquet]'"
        ) from error
    kinds = {"float": pyarrow.float64(), "int": pyarrow.int64(), "str": pyarrow.string()}
    schema = pyarrow.schema([(column.name, kinds[str(column.type)]) for column in fields(Row)])
    done = Exported(Path(path))
    with (
        _draft(done.path) as draft,
        draft.open("wb") as file,
        pyarrow.parquet.ParquetWriter(file, schema) as writer,
    ):
        rows = _rows(corpus, ids, done)
        while batch := list(islice(rows, _ROWS_AT_ONCE)):
            writer.write_table(pyarrow.Table.from_pylist([asdict(r) for r in batch], schema))
    return done


def export_m3u(
    corpus: Corpus, path: str | os.PathLike[str], ids: Iterable[str] | None = None
) -> Exported:
    """Write a playlist with duration and name of each sound; see `export_csv`.

    Files stand there by their absolute paths, URLs as they are. Members of archives and what was
    handed over as bytes cannot be played from a list: they are left out, and counted.
    """
    done = Exported(Path(path))
    with (
        _draft(done.path) as draft,
        # paths are bytes: those that are no text are written as they are
        draft.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as file,
    ):
        file.write("#EXTM3U\n")
        for _id, outcome in _chosen(corpus, ids, done):
            entry = _playable(outcome.uri)
            if entry is None:
                done.left_out += 1
                continue
            name = " ".join(_text(outcome.name).split())
            file.write(f"#EXTINF:{outcome.seconds:.3f},{name}\n{entry}\n")
            done.documents += 1
    return done


def export_npz(
    corpus: Corpus, path: str | os.PathLike[str], ids: Iterable[str] | None = None
) -> Exported:
    """Write names, codes and stored features as arrays, for `numpy.load`; see `export_csv`.

    The memory it takes does not depend on the number of sounds, but for their names. With n
    documents, the arrays are

    - ``ids``, ``names``, ``uris`` [shape=(n,)], text;
    - ``bits``, the length of a code, and ``has_code`` [shape=(n,)];
    - ``clip_codes`` [shape=(n, ceil(bits / 8)), dtype=uint8], packed codes of whole sounds;
    - ``segment_codes`` [shape=(m, ceil(bits / 8)), dtype=uint8], those of their segments;
      ``segment_starts`` and ``segment_durations`` [shape=(m,), unit=s];
    - each stored feature that is a time series, such as ``clip_timbre`` [shape=(n, 330)] or
      ``bfcc`` [shape=(frames, 13)], with ``bfcc_frequency`` and ``bfcc_duration`` [shape=(n,),
      unit=s], the time from row to row and that which each covers;
    - ``segment_offsets``, ``bfcc_offsets`` [shape=(n + 1,)]: what belongs to document i are the
      rows from ``offsets[i]`` to ``offsets[i + 1]``. None, where it could not be read.

    Codes are those of the index; there are none, where it is not up to date with what was learned.

    Raises
    ------
    CorpusError
        If a document changes meanwhile, or as for `export_csv`.
    """
    done = Exported(Path(path))
    with _draft(done.path) as draft:
        chosen = list(_chosen(corpus, ids, done))
        done.documents = len(chosen)
        arrays = _Arrays(corpus, [_id for _id, _ in chosen], done)
        with zipfile.ZipFile(draft, "w") as archive:
            _write_texts(archive, "ids", arrays.ids)
            _write_texts(archive, "names", [_text(outcome.name) for _, outcome in chosen])
            _write_texts(archive, "uris", [outcome.uri for _, outcome in chosen])
            _Codes(corpus).write(archive, arrays.ids)
            arrays.write(archive)
    return done


FORMATS: dict[str, Callable[..., Exported]] = {
    "csv": export_csv,
    "m3u": export_m3u,
    "npz": export_npz,
    "parquet": export_parquet,
}
"""dict of str to callable : How each format is written, by its name, which is also its ending."""


def _chosen(
    corpus: Corpus, ids: Iterable[str] | None, done: Exported
) -> Iterator[tuple[str, Outcome]]:
    """Yield the ids of documents, and what is known of them."""
    known = {o.id: o for o in corpus.outcomes() if o.is_document and o.id is not None}
    if ids is not None:
        for _id in dict.fromkeys(ids):
            yield _id, known.get(_id) or _outcome_of(corpus[_id])
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those that cannot be opened are named below
        there = {document._id: document for document in corpus}
    for _id in known.keys() - there.keys():
        done.unreadable[str(_id)] = f"{known[_id].name} cannot be opened"
    for _id in there.keys() - known.keys():
        known[_id] = _outcome_of(there[_id])
    yield from sorted(known.items(), key=lambda item: (item[1].uri, item[0]))


def _outcome_of(document: Any) -> Outcome:
    """Return what is known of a document that shares its URI with another, as bytes do."""
    facts = document.facts
    return Outcome(
        document.meta.uri,
        document._name,
        "ok",
        id=document._id,
        seconds=facts["seconds"],
        samplerate=facts["samplerate"],
        channels=facts["channels"],
    )


def _rows(corpus: Corpus, ids: Iterable[str] | None, done: Exported) -> Iterator[Row]:
    codes = _Codes(corpus)
    for _id, outcome in _chosen(corpus, ids, done):
        done.documents += 1
        yield Row(
            _id,
            _text(outcome.name),
            _text(outcome.uri),
            _text(shown(outcome.uri)),
            outcome.status,
            outcome.seconds,
            outcome.samplerate,
            outcome.channels,
            codes.clip(_id).tobytes().hex(),
        )


def _playable(uri: str) -> str | None:
    """Return what stands for a sound in a playlist."""
    path = local_path(uri)
    entry = uri if path is None else os.fspath(path)
    plays = path is not None or uri.startswith(("http:", "https:"))
    return entry if plays and len(entry.splitlines()) == 1 else None


def _text(name: str) -> str:
    """Return a name as text that every encoding of Unicode has."""
    return re.sub("[\ud800-\udfff]", "\ufffd", name)


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """Have a file written beside its place, and put there once it is whole."""
    target = Path(os.path.realpath(target))
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        if target.exists() and not target.is_file():
            raise CorpusError(f"{target} is a folder or device: name a file")
        yield draft
        draft.replace(target)
    except OSError as error:
        why = error.strerror or error
        raise CorpusError(f"{target} cannot be written ({why}): name another file") from error
    finally:
        draft.unlink(missing_ok=True)


class _Codes:
    """The codes of documents, as far as they are indexed."""

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
        empty = np.zeros((1, indexed.segments[KIND].codes.shape[1]), np.uint8)
        clips = [empty[0] if place is None else self.clip(ids[i]) for i, place in enumerate(there)]
        rows = [_segments(indexed, place) for place in there]
        of_all = np.concatenate([np.arange(0), *rows]).astype(np.intp)
        owners = indexed.owners("segment", of_all)
        times = [
            indexed.time("segment", int(document), int(row))
            for document, row in zip(owners, of_all, strict=True)
        ]
        _write_whole(archive, "bits", np.array(indexed.bits))
        _write_whole(archive, "has_code", np.array([place is not None for place in there]))
        _write_whole(archive, "clip_codes", np.array(clips))
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


class _Arrays:
    """The stored features of documents, as arrays of which there is only a piece in memory.

    Parameters
    ----------
    corpus : Corpus
    ids : sequence of str
    done : Exported
        Is told what cannot be read.
    """

    def __init__(self, corpus: Corpus, ids: Sequence[str], done: Exported) -> None:
        self.ids = ids
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
                    done.unreadable.setdefault(_id, str(error))

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


def _write_texts(archive: zipfile.ZipFile, name: str, texts: Sequence[str]) -> None:
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
