"""Writes what a corpus knows to files that other programs read: tables, playlists and arrays."""

from __future__ import annotations

import csv
import os
import re
import secrets
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, field, fields
from itertools import islice
from pathlib import Path
from typing import Any

from zounds.corpus.corpus import Corpus
from zounds.corpus.npz import Codes, Features, write_texts
from zounds.corpus.outcome import Outcome
from zounds.corpus.places import local_path, shown
from zounds.errors import CorpusError

_ROWS_AT_ONCE = 4096


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
        every = [_id for _id, _ in chosen]
        features = Features(corpus, every, done.unreadable)
        with zipfile.ZipFile(draft, "w") as archive:
            write_texts(archive, "ids", every)
            write_texts(archive, "names", [_text(outcome.name) for _, outcome in chosen])
            write_texts(archive, "uris", [outcome.uri for _, outcome in chosen])
            Codes(corpus).write(archive, every)
            features.write(archive)
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
    codes = Codes(corpus)
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
