"""Answers what the page asks, as plain values: searches, documents, pictures."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

import featureflow as ff
from featureflow.sources import Source
from zounds.corpus.search import Like, Unit
from zounds.errors import SearchError
from zounds.index.hamming import packed_code
from zounds.web.facts import CodesOf, Facts, Filters, as_text
from zounds.web.landscape import Cartographer
from zounds.web.library import How, Kept, Library, Wanted, coded, stretch_of
from zounds.web.portrait import Portrait, grouped_picture, levels, png, portrait
from zounds.web.refusal import Refused
from zounds.web.sets import Sets
from zounds.web.sound import FilePart, Length, WavPart, counted, played_type, samples_of, size_of
from zounds.web.uploads import PREFIX, Uploads

_LONG = 10  # s; pictures of shorter sounds are drawn faster than they are read
_MOST_SECONDS = 600  # of a stretch that is played
_MOST_VALUES = 1_000_000


class Desk:
    """Takes questions about a library; may be asked by several threads.

    Parameters
    ----------
    library : Library
    longest : float [unit=s]
        Of sounds that are sent.
    """

    def __init__(self, library: Library, longest: float) -> None:
        self.library = library
        self.uploads = Uploads(longest)
        self.cartographer = Cartographer(library)
        self._codes: dict[tuple[str, Like], Kept] = {}
        self._overview = Kept(lambda: library.facts().overview())
        self._sets: Sets | None = None
        self._counted = lru_cache(maxsize=256)(self._count)

    # ------------------------------------------------------------------ what there is

    def warm(self) -> None:
        """Read what the first question needs, which takes seconds of a large corpus."""
        with contextlib.suppress(ff.Error, Refused):  # whoever asks is told
            self.info()
            self._coded(self.library.units[0], "kind")

    def info(self) -> dict[str, Any]:
        """Return ``/api/info``, as far as the library knows it."""
        library, changes = self.library, self.library.changes
        return {
            "name": library.name,
            "kind": library.kind,
            "documents": len(library.facts()),
            **library.state(),
            **self._overview.get(changes),
            "units": list(library.units),
            "likes": list(library.likes),
            "command": library.command,
            "n": library.shown,
            "changes": changes,
        }

    @property
    def sets(self) -> Sets:
        """Sets : The collections."""
        folder = getattr(self.library, "folder", None)
        if self._sets is None or (self._sets.folder is None and folder is not None):
            self._sets = Sets(folder)
        return self._sets

    def _code_of(self, _id: str) -> npt.NDArray[np.uint8] | None:
        known = self._coded(self.library.units[0], "kind")
        return None if known is None else known.of(_id)

    def _coded(self, unit: Unit, like: Like) -> CodesOf | None:
        kept = self._codes.get((unit, like)) or Kept(lambda: coded(self.library, unit, like))
        self._codes[unit, like] = kept
        found: CodesOf | None = kept.get(self.library.changes)
        return found

    def document(self, _id: str) -> dict[str, Any]:
        """Return a document or an upload."""
        if _id.startswith(PREFIX):
            return self.uploads.get(_id).record()
        facts = self.library.facts()
        return facts.record(self._row(facts, _id), self._code_of(_id))

    def _row(self, facts: Facts, _id: str) -> int:
        if _id not in facts.rows:
            raise Refused(404, "not_found", f"There is no document {_id!r}: it may be removed")
        return facts.rows[_id]

    def _records(self, facts: Facts, rows: Sequence[int]) -> list[dict[str, Any]]:
        return [facts.record(row, self._code_of(facts.ids[row])) for row in rows]

    def documents(self, filters: Filters, offset: int, limit: int, sort: str) -> dict[str, Any]:
        """Return a page of the documents that pass."""
        facts = self.library.facts()
        order = facts.order(sort)
        rows = order[facts.passing(filters)[order]]
        page = [int(row) for row in rows[offset : offset + limit]]
        return {"total": len(rows), "offset": offset, "documents": self._records(facts, page)}

    def passing(self, filters: Filters) -> list[dict[str, Any]]:
        """Return all documents that pass."""
        facts = self.library.facts()
        return self._records(facts, [int(row) for row in np.flatnonzero(facts.passing(filters))])

    def named(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return documents, those that are there."""
        facts = self.library.facts()
        return self._records(facts, [facts.rows[_id] for _id in ids if _id in facts.rows])

    def random(self, n: int, seed: int | None, filters: Filters) -> list[dict[str, Any]]:
        """Return some of the documents that pass."""
        facts = self.library.facts()
        rows = np.flatnonzero(facts.passing(filters))
        generator = np.random.default_rng(seed)
        chosen = generator.choice(rows, min(n, len(rows)), replace=False) if len(rows) else rows
        return self._records(facts, [int(row) for row in chosen])

    # ------------------------------------------------------------------ searching

    def search(
        self,
        _id: str | None,
        code: str | None,
        start: float | None,
        duration: float | None,
        how: How,
    ) -> dict[str, Any]:
        """Return what is near one sound, or a code."""
        one = {"id": _id, "query": code, "start": start, "duration": duration}
        wanted = self._wanted(one, how)
        document = None if _id is None else self.document(_id)
        query = {"start": start, "duration": duration, "document": document}
        return self._nearest([wanted], [], query, how)

    def mix(
        self, more: Sequence[dict[str, Any]], less: Sequence[dict[str, Any]], how: How
    ) -> dict[str, Any]:
        """Return what is near to some sounds, and far from others."""
        wanted, unwanted = ([self._wanted(one, how) for one in some] for some in (more, less))
        query = {"start": None, "duration": None, "document": None}
        return self._nearest(wanted, unwanted, query, how)

    def _nearest(
        self, wanted: list[Wanted], unwanted: list[Wanted], query: dict[str, Any], how: How
    ) -> dict[str, Any]:
        facts, among = self.library.facts(), None
        if not how.filters.empty:
            among = {facts.ids[row] for row in np.flatnonzero(facts.passing(how.filters))}
        code, hits = self.library.nearest(wanted, unwanted, how, among)
        passed = len(facts) if among is None else len(among)
        return self._answer({"code": as_text(code), **query}, hits, how, passed)

    def _wanted(self, one: dict[str, Any], how: How) -> Wanted:
        """Return what to search with; refuse what is none."""
        library, unit = self.library, how.unit
        _id, code = one.get("id"), one.get("query")
        start, duration = one.get("start"), one.get("duration")
        if (_id is None) == (code is None):
            raise Refused(400, "bad_request", "Search with an id or with a query: give one of them")
        if unit not in library.units:
            known = " or ".join(library.units)
            raise Refused(400, "bad_request", f"unit={unit!r}: there is {known} here")
        snapshot = library.snapshot(unit)
        if code is not None:
            if start is not None or duration is not None:
                raise Refused(
                    400, "bad_region", "A code has no start and no duration: leave them out"
                )
            return Wanted(decoded(code, snapshot.bits))
        _id = str(_id)
        if _id.startswith(PREFIX):
            upload = self.uploads.get(_id)
            upload.length.stretch(start, duration)
            return Wanted(upload.source, start, duration)
        facts = library.facts()
        row = self._row(facts, _id)
        if start is not None or duration is not None:
            rate = float(facts.samplerates[row]) or 1000.0
            Length(float(facts.seconds[row]), rate, 1).stretch(start, duration)
        return Wanted(_id, start, duration)

    def _answer(self, query: dict[str, Any], hits: Any, how: How, passed: int) -> dict[str, Any]:
        library, facts = self.library, self.library.facts()
        known = self._coded(how.unit, how.like or "kind")
        if known is None:
            raise Refused(409, "no_index", "The index is being replaced: search again")
        bits = library.snapshot(how.unit).bits
        found = []
        for hit in hits:
            if hit._id not in facts.rows:
                continue  # removed since it was indexed, or not read again yet
            record = facts.record(facts.rows[hit._id], known.at(hit._id, hit.time))
            record["start"] = float(hit.time.start)
            record["duration"] = float(hit.time.duration or 0)
            record["distance"] = int(hit.distance)
            record["score"] = float(getattr(hit, "score", 1 - hit.distance / bits))
            found.append(record)
        return {
            "query": query,
            "unit": how.unit,
            "hits": found,
            "passed": passed,
            "documents": len(facts),
        }

    # ------------------------------------------------------------------ one sound

    def sound(self, _id: str) -> tuple[Source, Length, bool]:
        """Return the audio of a document or an upload, its length, and whether it is whole."""
        if _id.startswith(PREFIX):
            upload = self.uploads.get(_id)
            return upload.source, upload.length, not upload.partial
        facts = self.library.facts()
        row = self._row(facts, _id)
        if self.library.kind == "model":
            return self._counted(_id)
        document = facts.record(row, None)
        length = Length(document["seconds"], document["samplerate"], document["channels"])
        return self.library.source(_id), length, not document["partial"]

    def _count(self, _id: str) -> tuple[Source, Length, bool]:
        source = self.library.source(_id)
        length, partial = counted(source, float("inf"))
        return source, length, not partial

    def audio(
        self, _id: str, start: float | None, duration: float | None
    ) -> tuple[FilePart | WavPart, str]:
        """Return the sound, or a stretch of it, as browsers play it; and its tag."""
        source, length, whole = self.sound(_id)
        if start is None and duration is None:
            kind = played_type(source) if whole else None
            if kind is not None:
                return FilePart(source, size_of(source), kind), source.digest
            first, count = 0, length.samples
        else:
            first, count = length.stretch(start, duration)
            count = min(count, round(_MOST_SECONDS * length.samplerate))
        part = WavPart(source, first, count, length.samplerate, length.channels)
        return part, f"{source.digest}-{first}-{count}"

    def file(self, _id: str) -> tuple[FilePart, str, str]:
        """Return the file as it is, what tells it from others, and its name."""
        source, _, _ = self.sound(_id)
        kind = played_type(source) or "application/octet-stream"
        return FilePart(source, size_of(source), kind), source.digest, self.document(_id)["name"]

    def peaks(
        self, _id: str, start: float | None, duration: float | None, columns: int
    ) -> dict[str, Any]:
        """Return the waveform in columns."""
        drawn, length, first, count = self._portrait(_id, start, duration)
        return {
            "seconds": length.seconds,
            "start": first / length.samplerate,
            "duration": count / length.samplerate,
            **drawn.peaks(columns),
        }

    def picture(
        self,
        _id: str,
        start: float | None,
        duration: float | None,
        width: int,
        feature: str | None,
    ) -> bytes:
        """Return a picture as PNG."""
        values = None
        if not _id.startswith(PREFIX):
            library = self.library
            self._row(library.facts(), _id)
            values = library.feature(_id, feature) if feature else library.picture(_id)
        elif feature:
            raise Refused(404, "not_found", "An upload has no stored features: leave feature out")
        if values is None:
            return self._portrait(_id, start, duration)[0].png(width)
        array = _numbers(values, feature or "the picture")
        if hasattr(values, "frequency"):
            array = _numbers(stretch_of(values, start, duration), feature or "the picture")
        return png(grouped_picture(levels(array, _is_spectral(values)), width))

    def _portrait(
        self, _id: str, start: float | None, duration: float | None
    ) -> tuple[Portrait, Length, int, int]:
        source, length, _ = self.sound(_id)
        first, count = length.stretch(start, duration)

        def make() -> bytes:
            chunks = samples_of(source, first, count)
            return portrait(chunks, count, length.samplerate).packed()

        keep = count == length.samples and length.seconds > _LONG and not _id.startswith(PREFIX)
        key = ("portrait", "3", source.digest, str(first), str(count))
        packed = self.library.shelf.get(*key, make=make, keep=keep)
        return Portrait.unpacked(packed), length, first, count

    def features(self, _id: str) -> dict[str, Any]:
        """Return the features of a document."""
        self._row(self.library.facts(), _id)
        return {"features": self.library.feature_names(_id)}

    def feature(
        self, _id: str, name: str, start: float | None, duration: float | None
    ) -> dict[str, Any]:
        """Return a feature of a document, as plain values."""
        self._row(self.library.facts(), _id)
        values: Any = self.library.feature(_id, name)
        if not isinstance(values, np.ndarray):
            return {"name": name, "value": values}
        hop = float(values.frequency) if hasattr(values, "frequency") else None
        array = np.asarray(values if hop is None else stretch_of(values, start, duration))
        if array.size > _MOST_VALUES:
            raise Refused(
                400,
                "bad_request",
                f"{name} is {array.size} numbers, and an answer holds {_MOST_VALUES}: ask for a "
                "stretch of it, with start and duration",
            )
        return {
            "name": name,
            "shape": list(array.shape),
            "dtype": str(array.dtype),
            "start": 0.0 if hop is None else int((start or 0) / hop + 1e-6) * hop,
            "frequency": hop,
            "duration": None if hop is None else float(getattr(values, "duration", hop)),
            "values": _plain(array),
        }


def decoded(code: str, bits: int) -> npt.NDArray[np.uint8]:
    """Return a code that stood in an address; refuse what is none."""
    if code.isascii() and "\0" not in code:
        try:
            return packed_code(code, bits)
        except SearchError:
            pass
    width = -(-bits // 8)
    raise Refused(
        400,
        "bad_code",
        f"{code[:80]!r} is no code of this corpus: its codes are {bits} bits, {width} bytes in "
        "base64",
    )


def _numbers(values: Any, name: str) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.ndim not in (1, 2) or not array.size or array.dtype.kind not in "biufc":
        raise Refused(
            400, "bad_request", f"{name} has the shape {array.shape}: only series can be drawn"
        )
    return array


def _is_spectral(values: Any) -> bool:
    units: Any = getattr(values, "units", ())
    return np.iscomplexobj(values) or (len(units) > 1 and hasattr(units[1], "frequencies"))


def _plain(array: npt.NDArray[Any]) -> Any:
    if np.iscomplexobj(array):
        array = np.abs(array)
    if array.dtype.kind != "f":
        return array.tolist()
    if np.isfinite(array).all():
        return array.astype(np.float64).round(8).tolist()
    return json.loads(json.dumps(array.tolist()), parse_constant=lambda _: None)
