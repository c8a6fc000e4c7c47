"""How the sounds of a corpus are compared: what is indexed of each, and what a query becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

import featureflow as ff
from zounds.errors import SearchError
from zounds.index.codes import Codes as PreparedCodes
from zounds.learn.binary import ITQ, Hyperplanes, packed, quantised
from zounds.learn.smoothing import EXPANSION, smoothed, towards
from zounds.learn.transforms import UnitNorm

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.int8]
Numbers = npt.NDArray[np.intp]

KIND, SAME = "kind", "same"
LIKE = (KIND, SAME)

_CANDIDATES = 100  # clips, among which the nearest ones are looked for
_EQUAL = 0.9999  # the cosine of what differs by a gain, or by rounding
_ROWS = 256
_AWAY = 0.5  # how strongly a query is driven from what it shall not be like (Rocchio's gamma)


@dataclass(frozen=True, eq=False)
class Layer:
    """Codes to search by and, where there are some, vectors to rank the nearest ones by.

    Parameters
    ----------
    codes : np.ndarray of uint8 [shape=(n, ceil(bits / 8))]
    vectors : np.ndarray of int8 [shape=(n, d)] or None
    """

    codes: Codes = field(repr=False)
    vectors: Vectors | None = field(repr=False)

    @staticmethod
    def joined(layers: list[Layer]) -> Layer:
        """Return the rows of several, one after the other."""
        vectors = [layer.vectors for layer in layers if layer.vectors is not None]
        return Layer(
            np.concatenate([layer.codes for layer in layers]),
            np.concatenate(vectors) if vectors else None,
        )

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def ranks(self) -> bool:
        """bool : Whether there are vectors."""
        return self.vectors is not None

    def codes_of(self, rows: Numbers) -> Codes:
        """Return the codes of some rows [shape=(*rows.shape, ceil(bits / 8))]."""
        return self.codes[rows]

    def vectors_of(self, rows: Numbers) -> Vectors:
        """Return the vectors of some rows, which there are [shape=(*rows.shape, d)]."""
        return _vectors(self)[rows]

    @cached_property
    def prepared(self) -> PreparedCodes:
        """zounds.index.Codes : The codes, to be searched."""
        return PreparedCodes(self.codes)


class Space(Protocol):
    """Where the sounds of one collection are compared.

    A space is made of what was learned and of the clips of the collection. It may compare in
    more than one way: by ``kind``, and by whether it is the ``same`` sound.
    """

    @property
    def clips(self) -> dict[str, Layer]:
        """dict of str to Layer : The clips of the collection, as they are compared in each way."""
        ...

    def segments(self, rows: Array) -> dict[str, Layer]:
        """Return segments, of which documents have these rows, as they are compared in each way."""
        ...

    def queries(self, rows: Array, like: str, unit: str) -> Layer:
        """Return what is searched with.

        Parameters
        ----------
        rows : np.ndarray [shape=(m, d)]
            What a document would have of it.
        like : str
        unit : str
            Whether they are clips or segments.
        """
        ...

    def mixed(self, wanted: list[Array], unwanted: list[Array], unit: str) -> Layer:
        """Return what is like some sounds, and unlike others, by ``kind``."""
        ...


@ff.storable("zounds.corpus.BitSpace")
@dataclass(frozen=True, eq=False)
class BitSpace:
    """Documents have codes, and these are compared; there is no other way.

    Parameters
    ----------
    clips : dict of str to Layer
    """

    clips: dict[str, Layer] = field(repr=False)

    @classmethod
    def of(cls, clips: Array) -> BitSpace:
        """Return the space of the codes of clips [shape=(n, bits)]."""
        return cls({KIND: Layer(packed(clips), None)})

    def segments(self, rows: Array) -> dict[str, Layer]:
        """See `Space.segments`."""
        return {KIND: Layer(packed(rows), None)}

    def queries(self, rows: Array, like: str, unit: str) -> Layer:
        """See `Space.queries`."""
        return Layer(packed(rows), None)

    def mixed(self, wanted: list[Array], unwanted: list[Array], unit: str) -> Layer:
        """Return the codes of all that is wanted: what is near to one of them is found."""
        if unwanted:
            raise SearchError(
                "the codes of this corpus cannot say what a sound shall not be like: leave it "
                "out, or make a corpus with the preset 'timbre'"
            )
        return Layer(packed(np.concatenate(wanted)), None)


@ff.storable("zounds.corpus.Neighbourhoods")
@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """Documents have vectors; by kind, what their neighbours make of them is compared.

    Clips are `smoothed` along the graph of all clips. Segments and queries are drawn towards their
    nearest clips, both in the same way: the same moment is the same vector. A query that is one of
    the clips is what this clip is.

    Parameters
    ----------
    clips : dict of str to Layer
        ``same``: as they are; ``kind``: smoothed.
    planes : dict of str to Hyperplanes
        What makes the codes in each way.
    """

    clips: dict[str, Layer] = field(repr=False)
    planes: dict[str, Hyperplanes] = field(repr=False)

    @classmethod
    def of(cls, clips: Array) -> Neighbourhoods:
        """Return the space of clips [shape=(n, d), dtype=float32], of norm 1 or 0."""
        ways = {KIND: smoothed(clips), SAME: clips}
        planes = {like: ITQ().fit(rows) for like, rows in ways.items()}
        return cls({like: _layer(planes[like], rows) for like, rows in ways.items()}, planes)

    def segments(self, rows: Array) -> dict[str, Layer]:
        """See `Space.segments`."""
        return {like: self.queries(rows, like, "segment") for like in LIKE}

    def queries(self, rows: Array, like: str, unit: str) -> Layer:
        """See `Space.queries`."""
        raw = _layer(self.planes[SAME], rows)
        if like == SAME:
            return raw
        places, near = self._nearest(raw, rows)
        kinds = self.clips[KIND]
        drawn = towards(rows, _unit(kinds.vectors_of(places)), near)
        found = _layer(self.planes[KIND], drawn)
        if unit == "clip" and len(rows):
            # both are rounded in the same way
            nearest = _unit(self.clips[SAME].vectors_of(places[:, 0]))
            (known,) = np.nonzero((nearest * _unit(_vectors(raw))).sum(axis=1) >= _EQUAL)
            found.codes[known] = kinds.codes_of(places[known, 0])
            _vectors(found)[known] = kinds.vectors_of(places[known, 0])
        return found

    def mixed(self, wanted: list[Array], unwanted: list[Array], unit: str) -> Layer:
        """Return one vector, nearer to what is wanted and farther from what is not.

        References
        ----------
        Rocchio, "Relevance feedback in information retrieval", in: The SMART Retrieval System,
        1971.
        """

        def centre(sounds: list[Array]) -> Array:
            each = [_vectors(self.queries(rows, KIND, unit)) for rows in sounds]
            return np.asarray(np.mean([_unit(vectors).mean(axis=0) for vectors in each], axis=0))

        mixture = centre(wanted)
        if unwanted:
            mixture = mixture - _AWAY * centre(unwanted)
        return _layer(self.planes[KIND], mixture[np.newaxis])

    def _nearest(self, raw: Layer, rows: Array) -> tuple[Numbers, Array]:
        """Return the nearest clips of each row, and their cosines [shape=(m, k) each].

        They are chosen from those that have the nearest codes.
        """
        clips = self.clips[SAME]
        _, candidates = clips.prepared.search(raw.codes, _CANDIDATES)
        places, cosines = [], []
        for start in range(0, len(rows), _ROWS):
            block = candidates[start : start + _ROWS]
            vectors = _unit(clips.vectors_of(block))
            near = np.matmul(vectors, rows[start : start + _ROWS, :, np.newaxis])[..., 0]
            best = np.argsort(-near, axis=1, kind="stable")[:, :EXPANSION]
            places.append(np.take_along_axis(block, best, axis=1))
            cosines.append(np.take_along_axis(near, best, axis=1))
        return np.concatenate(places), np.concatenate(cosines)


def _layer(planes: Hyperplanes, rows: Array) -> Layer:
    return Layer(packed(planes.transform(rows)), quantised(rows))


def _vectors(layer: Layer) -> Vectors:
    assert layer.vectors is not None  # noqa: S101  # a space of vectors has some
    return layer.vectors


def _unit(vectors: Array) -> npt.NDArray[np.float32]:
    """Return vectors of norm 1, along the last axis."""
    flat = np.reshape(vectors, (-1, vectors.shape[-1]))
    return np.asarray(UnitNorm().transform(flat), np.float32).reshape(vectors.shape)
