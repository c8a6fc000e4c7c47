"""What is searched: the codes and vectors of a corpus at one moment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from zounds.corpus.known import Fact, Known
from zounds.corpus.spaces import KIND, Layer, Space
from zounds.errors import SearchError
from zounds.learn.threads import each
from zounds.units import SampleRate, Seconds, TimeSlice

_PAIRS = 4096
_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Embedded:
    """What documents have that the space is made of, so that the next one need not read it.

    Parameters
    ----------
    tokens : sequence of str
        What stands for the content of each document.
    clips : np.ndarray [shape=(n, d)]
    segments : np.ndarray [shape=(rows, d)]
    """

    tokens: Sequence[str]
    clips: npt.NDArray[Any]
    segments: npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Generation:
    """The documents of a corpus, as they can be searched.

    Parameters
    ----------
    fingerprint : str
        The identity of the computation of what is compared.
    bits : int
        The length of a code.
    known : Known
        What is known of each document.
    rate : SampleRate
        The time from segment to segment, and the time each covers.
    offsets : np.ndarray of int64 [shape=(n + 1,)]
        The segments of document i are the rows from ``offsets[i]`` to ``offsets[i + 1]``.
    space : Space
        With the clips, one for each document.
    segments : dict of str to Layer
    embedded : Embedded or None
        None where all is read anew.
    """

    fingerprint: str
    bits: int
    known: Known = field(repr=False)
    rate: SampleRate
    offsets: npt.NDArray[np.int64] = field(repr=False)
    space: Space = field(repr=False)
    segments: dict[str, Layer] = field(repr=False)
    embedded: Embedded | None = field(default=None, repr=False)

    @property
    def ids(self) -> Sequence[str]:
        """Sequence of str : The documents."""
        return self.known.ids

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
        whole = Seconds(float(self.known.seconds[document]))
        if unit == "clip":
            return TimeSlice(start=Seconds(0), duration=whole)
        start = self.rate.frequency * (row - int(self.offsets[document]))
        # the last one of a sound may reach beyond its end
        return TimeSlice(start=start, duration=min(self.rate.duration, whole - start))

    @cached_property
    def identity(self) -> str:
        """str : What tells it from other generations, whoever reads it."""
        known = self.known
        texts = [list(column) for column in (known.ids, known.names, known.uris)]
        about = [self.fingerprint, self.bits, repr(self.rate), *texts]
        hasher = blake3(json.dumps(about).encode())
        layers = [*self.layers("clip").items(), *self.layers("segment").items()]
        codes = [layer.codes for _, layer in sorted(layers, key=itemgetter(0))]
        facts = (known.seconds, known.samplerates, known.channels)
        for part in (*facts, self.offsets, *codes):
            hasher.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        return str(hasher.hexdigest())

    @cached_property
    def typical(self) -> dict[str, float]:
        """Dict of float : How far apart two codes are on average, by their unit.

        [unit=bits, range=(0, bits]]
        """
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
    fact : Fact
        What is known of it.
    clip : np.ndarray [shape=(1, d)]
    segments : ConstantRateTimeSeries [shape=(m, d)]
    token : str
        Stands for the content that it was made from.
    """

    fact: Fact
    clip: Any = field(repr=False)
    segments: Any = field(repr=False)
    token: str = ""


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
    facts, tokens, clips, segments = [], [], [], []
    rate = None
    for sound in sounds:
        facts.append(sound.fact)
        tokens.append(sound.token)
        clips.append(np.asarray(sound.clip))
        segments.append(np.asarray(sound.segments))
        rate = sound.segments.samplerate
    if rate is None:
        raise SearchError("there are no sounds to index: add some first")
    embedded = Embedded(tokens, np.concatenate(clips), np.concatenate(segments))
    space: Space = preset.space(embedded.clips)
    return Generation(
        fingerprint=fingerprint,
        bits=preset.bits,
        known=Known.of(facts),
        rate=rate,
        offsets=np.cumsum([0, *map(len, segments)], dtype=np.int64),
        space=space,
        segments=_layers(space, embedded.segments),
        embedded=embedded,
    )


def _layers(space: Space, rows: npt.NDArray[Any]) -> dict[str, Layer]:
    """Return segments as they are compared, made block by block."""
    blocks = [rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS)]
    made = each(space.segments, blocks)
    return {like: Layer.joined([layers[like] for layers in made]) for like in made[0]}
