"""Where what is searched lies: a file that is mapped, and a manifest that names it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from featureflow.codec import decode, encode
from featureflow.errors import CorruptRecord
from zounds.corpus.generation import Embedded, Generation
from zounds.corpus.known import Known
from zounds.corpus.spaces import Codes, Layer, Numbers, Vectors
from zounds.errors import CorpusError, DamagedIndex
from zounds.index import manifest as manifests
from zounds.index.codes import Codes as PreparedCodes
from zounds.index.columns import Columns, Texts, seal, texts
from zounds.index.manifest import Entry, Manifest

_SUFFIX = ".generation"
_BEFORE = ("data.mdb", "lock.mdb")  # what development versions have kept it in
_TEXTS = ("ids", "names", "uris", "folders")
_NUMBERS = ("folder_of", "seconds", "samplerates", "channels")
_PREPARED = ("groups", "starts", "postings")


class _Columns(Columns):
    def _corrupt(self, what: str) -> CorruptRecord:
        return DamagedIndex(f"{self.path} {what}: call index()")


class _Layer(Layer):
    """A layer in a file."""

    _columns: Columns
    _name: str

    def __init__(self, columns: Columns, name: str) -> None:
        vars(self).update(_columns=columns, _name=name)

    def __len__(self) -> int:
        return len(self._columns.raw(f"{self._name}.codes"))

    @cached_property
    def codes(self) -> Codes:
        return self._columns[f"{self._name}.codes"]

    @cached_property
    def vectors(self) -> Vectors | None:
        return self._columns[f"{self._name}.vectors"] if self.ranks else None

    @property
    def ranks(self) -> bool:
        return f"{self._name}.vectors" in self._columns

    def codes_of(self, rows: Numbers) -> Codes:
        return self._columns.rows(f"{self._name}.codes", rows)

    def vectors_of(self, rows: Numbers) -> Vectors:
        return self._columns.rows(f"{self._name}.vectors", rows)

    @cached_property
    def prepared(self) -> PreparedCodes:
        names = {name: f"{self._name}.{name}" for name in _PREPARED}
        there = {name: self._columns[of] for name, of in names.items() if of in self._columns}
        rows, width = self._columns.raw(f"{self._name}.codes").shape
        return PreparedCodes.of(width, rows, there)


class _Generation(Generation):
    """A generation in a file. What is used of it is read then."""

    _columns: Columns

    def __init__(self, columns: Columns, manifest: Manifest) -> None:
        head = decode(columns["head"].tobytes())
        layers = {
            unit: {like: _Layer(columns, f"{unit}.{like}") for like in head["likes"]}
            for unit in ("clip", "segment")
        }
        vars(self).update(
            fingerprint=manifest.fingerprint,
            bits=manifest.bits,
            rate=head["rate"],
            space=replace(head["space"], clips=layers["clip"]),
            segments=layers["segment"],
            typical=head["typical"],
            identity=manifest.segments[0].seal,
            _columns=columns,
        )

    @cached_property
    def known(self) -> Known:
        columns = self._columns
        read: dict[str, Any] = {name: Texts(columns, name) for name in _TEXTS}
        return Known(**read | {name: columns[name] for name in _NUMBERS})

    @cached_property
    def offsets(self) -> npt.NDArray[np.int64]:
        return self._columns["offsets"]

    @cached_property
    def embedded(self) -> Embedded | None:
        columns = self._columns
        if "raw.clips" not in columns:
            return None
        tokens = list(Texts(columns, "tokens"))
        return Embedded(tokens, columns["raw.clips"], columns["raw.segments"])


class Shelf:
    """Where generations are stored: the latest one, and none else.

    One process puts them there; any number has the latest one mapped, or the one before until it
    asks again.

    Parameters
    ----------
    folder : Path
        Made when something is put there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: tuple[Any, Generation | None] = None, None

    def put(self, generation: Generation) -> None:
        """Store a generation; readers have the one before until it is whole.

        Raises
        ------
        CorpusError
            If that is not possible, such as on a full disk.
        FormatError
            If a newer version has written what is there.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"{self._number() + 1:08d}{_SUFFIX}"
            draft = self.folder / f".{name}"
            try:
                sealed = seal(draft, _arrays(generation))
                draft.replace(self.folder / name)
            finally:
                draft.unlink(missing_ok=True)
            count = len(generation.segments[next(iter(generation.segments))])
            entry = Entry(name, sealed, len(generation.known), count)
            made = (generation.fingerprint, generation.bits, int(name[:8]), (entry,))
            manifests.write(self.folder, Manifest(*made))
        except OSError as error:
            raise CorpusError(
                f"{self.folder} cannot be written to ({error.strerror}): is the disk full?"
            ) from error
        self._sweep(name)

    def _number(self) -> int:
        """Return the highest number of a generation that there is."""
        with contextlib.suppress(CorruptRecord):
            manifests.read(self.folder)  # a newer one is refused
        return max((int(path.stem) for path in self.folder.glob(f"[0-9]*{_SUFFIX}")), default=0)

    def _sweep(self, used: str) -> None:
        """Delete what the manifest does not name, also what a process that died has left."""
        for path in self.folder.iterdir():
            ours = path.name.endswith(_SUFFIX) or path.name.startswith(f".{manifests.NAME}.")
            if path.name != used and (ours or path.name in _BEFORE):
                with contextlib.suppress(OSError):  # where files that are mapped stay
                    path.unlink()

    def latest(self) -> Generation | None:
        """Return what was put there last; None if there is nothing, or it is damaged.

        It is opened again only where another was put there. What is damaged of its content is told
        when it is used, by `DamagedIndex`.

        Raises
        ------
        FormatError
            If a newer version has written it.
        """
        while True:
            stamp = manifests.stamp(self.folder)
            if stamp is None:
                return None
            known, found = self._read
            if stamp == known:
                return found
            try:
                found = self._opened()
            except CorruptRecord:
                if manifests.stamp(self.folder) != stamp:
                    continue  # it was replaced meanwhile, and the file deleted
                found = None
            self._read = stamp, found
            return found

    def _opened(self) -> Generation | None:
        manifest = manifests.read(self.folder)
        if manifest is None:
            return None
        return _Generation(self._columns(manifest), manifest)

    def _columns(self, manifest: Manifest) -> Columns:
        (entry,) = manifest.segments
        return _Columns(self.folder / entry.file, entry.seal)

    def digest(self) -> str | None:
        """Return what tells the latest generation from others; None if there is none."""
        try:
            manifest = manifests.read(self.folder)
        except CorruptRecord:
            return None
        return manifest.segments[0].seal if manifest else None

    def problems(self) -> Iterator[str]:
        """Yield what is damaged, one line each, where something was put there."""
        while True:
            stamp, what = manifests.stamp(self.folder), manifests.NAME
            try:
                manifest = manifests.read(self.folder)
                if manifest is not None:
                    what = manifest.segments[0].file
                    self._columns(manifest).check()
                    return
            except CorruptRecord:
                if manifests.stamp(self.folder) != stamp:
                    continue  # it was replaced meanwhile
            gone = "" if (self.folder / what).exists() else " is gone"
            yield f"the index is damaged ({what}{gone}): run zounds rescan"
            return


def _arrays(generation: Generation) -> dict[str, Any]:
    known, layers = generation.known, generation.space.clips
    head = {
        "rate": generation.rate,
        "likes": list(layers),
        "space": replace(generation.space, clips={}),  # type: ignore[type-var]
        "typical": generation.typical,
    }
    arrays: dict[str, Any] = {"head": np.frombuffer(encode(head), np.uint8)}
    for name in _TEXTS:
        arrays |= texts(name, list(getattr(known, name)))
    arrays |= {name: getattr(known, name) for name in _NUMBERS}
    arrays["offsets"] = generation.offsets
    for unit in ("clip", "segment"):
        for like, layer in generation.layers(unit).items():
            arrays[f"{unit}.{like}.codes"] = layer.codes
            if layer.vectors is not None:
                arrays[f"{unit}.{like}.vectors"] = layer.vectors
            for name, array in layer.prepared.arrays().items():
                arrays[f"{unit}.{like}.{name}"] = array
    if generation.embedded is not None:
        arrays |= texts("tokens", list(generation.embedded.tokens))
        arrays["raw.clips"] = generation.embedded.clips
        arrays["raw.segments"] = generation.embedded.segments
    return arrays
