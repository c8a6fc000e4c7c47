"""How the sounds of a corpus are compared: what is indexed of each, and what a query becomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

import featureflow as ff
from zounds.errors import SearchError
from zounds.learn.binary import ITQ, Hyperplanes, packed, quantised
from zounds.learn.smoothing import expanded, in_context, smoothed
from zounds.learn.transforms import UnitNorm

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.int8]
Numbers = npt.NDArray[np.intp]

KIND, SAME = "kind", "same"
LIKE = (KIND, SAME)

_AWAY = 0.5  # how strongly a query is driven from what it shall not be like (Rocchio's gamma)


@ff.storable("zounds.corpus.Layer")
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


class Space(Protocol):
    """Where the sounds of one collection are compared.

    A space is made of what was learned and of the clips of the collection. It may compare in
    more than one way: by ``kind``, and by whether it is the ``same`` sound.
    """

    @property
    def clips(self) -> dict[str, Layer]:
        """dict of str to Layer : The clips of the collection, as they are compared in each way."""
        ...

    def segments(
        self, rows: Array, owners: Numbers, late: npt.NDArray[np.bool_]
    ) -> dict[str, Layer]:
        """Return segments, as they are compared in each way.

        Parameters
        ----------
        rows : np.ndarray [shape=(m, d)]
            What documents have of each.
        owners : np.ndarray of int [shape=(m,), range=[0, clips)]
            The clips that they are of.
        late : np.ndarray of bool [shape=(m,)]
            Whether they lie behind the beginning, which is all that a clip is described by.
        """
        ...

    def queries(self, rows: Array, like: str, among: dict[str, Layer]) -> Layer:
        """Return what is searched with.

        Parameters
        ----------
        rows : np.ndarray [shape=(m, d)]
            What a document would have of it.
        like : str
        among : dict of str to Layer
            What is searched.
        """
        ...

    def mixed(self, wanted: list[Array], unwanted: list[Array], among: dict[str, Layer]) -> Layer:
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

    def segments(
        self, rows: Array, owners: Numbers, late: npt.NDArray[np.bool_]
    ) -> dict[str, Layer]:
        """See `Space.segments`."""
        return {KIND: Layer(packed(rows), None)}

    def queries(self, rows: Array, like: str, among: dict[str, Layer]) -> Layer:
        """See `Space.queries`."""
        return Layer(packed(rows), None)

    def mixed(self, wanted: list[Array], unwanted: list[Array], among: dict[str, Layer]) -> Layer:
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
    """Documents have small vectors; by kind, what the neighbours have made of them is compared.

    Parameters
    ----------
    clips : dict of str to Layer
        ``same``: as they are; ``kind``: `smoothed`.
    planes : dict of str to Hyperplanes
        What makes the codes in each way.
    """

    clips: dict[str, Layer] = field(repr=False)
    planes: dict[str, Hyperplanes] = field(repr=False)

    @classmethod
    def of(cls, clips: Array) -> Neighbourhoods:
        """Return the space of the vectors of clips [shape=(n, d), dtype=int8]."""
        ways = {KIND: quantised(smoothed(_unit(clips))), SAME: clips}
        planes = {like: ITQ().fit(_unit(vectors)) for like, vectors in ways.items()}
        return cls({like: _layer(planes[like], vectors) for like, vectors in ways.items()}, planes)

    def segments(
        self, rows: Array, owners: Numbers, late: npt.NDArray[np.bool_]
    ) -> dict[str, Layer]:
        """See `Space.segments`: those at the beginning are drawn to their clips, later ones not."""
        drawn = quantised(in_context(_unit(rows), _unit(self._vectors(KIND)[owners])))
        if late.any():
            drawn[late] = self._expanded(rows[late])
        return {KIND: _layer(self.planes[KIND], drawn), SAME: _layer(self.planes[SAME], rows)}

    def queries(self, rows: Array, like: str, among: dict[str, Layer]) -> Layer:
        """See `Space.queries`: what is in the collection is what it is there."""
        raw = _layer(self.planes[SAME], rows)
        if like == SAME:
            return raw
        found = _layer(self.planes[KIND], self._expanded(rows))
        for known, row in _equal(among[SAME], raw):
            found.codes[row] = among[KIND].codes[known]
            _vectors_of(found)[row] = _vectors_of(among[KIND])[known]
        return found

    def mixed(self, wanted: list[Array], unwanted: list[Array], among: dict[str, Layer]) -> Layer:
        """Return one vector, nearer to what is wanted and farther from what is not.

        References
        ----------
        Rocchio, "Relevance feedback in information retrieval", in: The SMART Retrieval System,
        1971.
        """

        def centre(sounds: list[Array]) -> Array:
            each = [_vectors_of(self.queries(rows, KIND, among)) for rows in sounds]
            return np.asarray(np.mean([_unit(vectors).mean(axis=0) for vectors in each], axis=0))

        mixture = centre(wanted)
        if unwanted:
            mixture = mixture - _AWAY * centre(unwanted)
        return _layer(self.planes[KIND], quantised(mixture[np.newaxis]))

    def _expanded(self, rows: Vectors) -> Vectors:
        known, drawn = _unit(self._vectors(SAME)), _unit(self._vectors(KIND))
        return quantised(expanded(_unit(rows), known, drawn))

    def _vectors(self, like: str) -> Vectors:
        return _vectors_of(self.clips[like])


def _layer(planes: Hyperplanes, vectors: Vectors) -> Layer:
    """Return vectors with their codes, which come of these bytes, so that equal ones are equal."""
    return Layer(packed(planes.transform(_unit(vectors))), vectors)


def _vectors_of(layer: Layer) -> Vectors:
    assert layer.vectors is not None  # noqa: S101  # a space of vectors has some
    return layer.vectors


def _unit(vectors: Vectors) -> npt.NDArray[np.float32]:
    return np.asarray(UnitNorm().transform(vectors), np.float32)


def _equal(layer: Layer, others: Layer) -> Iterator[tuple[int, int]]:
    """Yield which row of a layer equals which of another; of several equal ones, the first."""
    near = np.flatnonzero(np.isin(_as_one(layer.codes), _as_one(others.codes)))
    vectors = _vectors_of(layer)
    first = {vectors[place].tobytes(): int(place) for place in near[::-1]}
    for row, vector in enumerate(_vectors_of(others)):
        if vector.tobytes() in first:
            yield first[vector.tobytes()], row


def _as_one(codes: Codes) -> Array:
    """Return each code as a single value."""
    return np.ascontiguousarray(codes).view(np.dtype((np.void, codes.shape[1]))).ravel()
