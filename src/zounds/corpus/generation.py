"""What is searched: the codes and vectors of a corpus at one moment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
from blake3 import blake3

import featureflow as ff
from featureflow.document import sealed, unsealed
from featureflow.stores import Store
from zounds.corpus.spaces import KIND, Layer, Space
from zounds.errors import SearchError
from zounds.units import SampleRate, Seconds, TimeSlice

_PAIRS = 4096
_ROWS = 4096


@ff.storable("zounds.corpus.Generation")
@dataclass(frozen=True, eq=False)
class Generation:
    """The documents of a corpus, as they can be searched.

    Parameters
    ----------
    fingerprint : str
        The identity of the computation of what is compared.
    bits : int
        The length of a code.
    ids : list of str, one for each document
    seconds : np.ndarray of float64 [shape=(n,), unit=s]
        How long the sounds are.
    rate : SampleRate
        The time from segment to segment, and the time each covers.
    offsets : np.ndarray of int64 [shape=(n + 1,)]
        The segments of document i are the rows from ``offsets[i]`` to ``offsets[i + 1]``.
    space : Space
        With the clips, one for each document.
    segments : dict of str to Layer
    """

    fingerprint: str
    bits: int
    ids: list[str] = field(repr=False)
    seconds: npt.NDArray[np.float64] = field(repr=False)
    rate: SampleRate
    offsets: npt.NDArray[np.int64] = field(repr=False)
    space: Space = field(repr=False)
    segments: dict[str, Layer] = field(repr=False)

    def layers(self, unit: str) -> dict[str, Layer]:
        """Return what is searched, clips or segments, in each way."""
        return self.space.clips if unit == "clip" else self.segments

    def owners(self, unit: str, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return the numbers of the documents that clips or segments belong to."""
        if unit == "clip":
            return rows
        return np.asarray(np.searchsorted(self.offsets, rows, side="right") - 1)

    def time(self, unit: str, document: int, row: int) -> TimeSlice:
        """Return where in its sound a clip or segment is."""
        whole = Seconds(float(self.seconds[document]))
        if unit == "clip":
            return TimeSlice(start=Seconds(0), duration=whole)
        start = self.rate.frequency * (row - int(self.offsets[document]))
        # the last one of a sound may reach beyond its end
        return TimeSlice(start=start, duration=min(self.rate.duration, whole - start))

    @cached_property
    def identity(self) -> str:
        """str : What tells it from other generations, whoever reads it."""
        about = [self.fingerprint, self.bits, repr(self.rate), list(self.ids)]
        hasher = blake3(json.dumps(about).encode())
        layers = [*self.layers("clip").items(), *self.layers("segment").items()]
        codes = [layer.codes for _, layer in sorted(layers, key=itemgetter(0))]
        for part in (self.offsets, *codes):
            hasher.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        return str(hasher.hexdigest(length=16))

    def typical(self, unit: str) -> float:
        """Return how far apart two codes are on average [unit=bits, range=(0, bits]]."""
        return self._typical[unit]

    @cached_property
    def _typical(self) -> dict[str, float]:
        found = {}
        for unit in ("clip", "segment"):
            codes = self.layers(unit)[KIND].codes
            one, other = np.random.default_rng(0).integers(len(codes), size=(2, _PAIRS))
            apart = np.bitwise_count(codes[one] ^ codes[other]).sum(axis=1)
            mean = float(apart[one != other].mean()) if len(codes) > 1 else 0.0
            found[unit] = mean or self.bits / 2
        return found


@dataclass(frozen=True)
class Sound:
    """What is indexed of a document.

    Parameters
    ----------
    id : str
    seconds : float
    clip : np.ndarray [shape=(1, d)]
    segments : ConstantRateTimeSeries [shape=(m, d)]
    """

    id: str
    seconds: float
    clip: Any = field(repr=False)
    segments: Any = field(repr=False)


def generation(preset: Any, fingerprint: str, sounds: Iterable[Sound]) -> Generation:
    """Return what is searched of documents.

    Parameters
    ----------
    preset : Preset
        Makes the space.
    fingerprint : str
    sounds : iterable of Sound

    Raises
    ------
    SearchError
        If there are none.
    """
    ids, seconds, clips, segments = [], [], [], []
    rate = None
    for sound in sounds:
        ids.append(sound.id)
        seconds.append(sound.seconds)
        clips.append(np.asarray(sound.clip))
        segments.append(np.asarray(sound.segments))
        rate = sound.segments.samplerate
    if rate is None:
        raise SearchError("there are no sounds to index: add some first")
    space: Space = preset.space(np.concatenate(clips))
    return Generation(
        fingerprint=fingerprint,
        bits=preset.bits,
        ids=ids,
        seconds=np.array(seconds),
        rate=rate,
        offsets=np.cumsum([0, *map(len, segments)], dtype=np.int64),
        space=space,
        segments=_layers(space, np.concatenate(segments)),
    )


def _layers(space: Space, rows: npt.NDArray[Any]) -> dict[str, Layer]:
    """Return segments as they are compared, made block by block."""
    made = [space.segments(rows[i : i + _ROWS]) for i in range(0, len(rows), _ROWS)]
    return {like: Layer.joined([layers[like] for layers in made]) for like in made[0]}


class Shelf:
    """Where generations are stored: the latest one, and none else.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._latest = store.key_builder.build("index", "latest")

    def put(self, generation: Generation) -> None:
        """Store a generation; readers have the one before until it is whole."""
        record = sealed(generation)
        digest = record[:32].decode("ascii")
        records = {self._key(digest): record, self._latest: sealed(digest)}
        self._store.write(records)
        others = set(self._store.keys()) - records.keys()
        if others:
            self._store.delete(*others)

    def digest(self) -> str | None:
        """Return what tells the latest generation from others; None if there is none."""
        try:
            return str(unsealed(self._store.read(self._latest), self._latest))
        except (KeyError, ff.CorruptRecord):
            return None

    def get(self, digest: str) -> Generation | None:
        """Return a generation; None if it is gone, or damaged."""
        key = self._key(digest)
        try:
            found: Generation = unsealed(self._store.read(key), key)
        except (KeyError, ff.CorruptRecord):
            return None
        return found

    def problems(self) -> Iterator[str]:
        """Yield what is damaged, one line each."""
        found = list(self._store.keys())
        for key in found:
            try:
                unsealed(self._store.read(key), key)
            except KeyError:
                continue  # replaced meanwhile
            except ff.CorruptRecord:
                yield f"the index is damaged ({key}): run zounds rescan"
        # a key may be what was damaged
        digest = self.digest()
        needed = [self._latest] if digest is None else [self._key(digest)]
        for key in needed if found else []:
            if key not in self._store and self.digest() == digest:
                yield f"the index is damaged ({key} is gone): run zounds rescan"

    def _key(self, digest: str) -> str:
        return self._store.key_builder.build("index", "generations", digest)
