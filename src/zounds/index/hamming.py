"""Search for binary codes by Hamming distance."""

from __future__ import annotations

import base64
import binascii
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

import featureflow as ff
from zounds.arrays import AudioSamples, ConstantRateTimeSeries
from zounds.errors import AudioError, SearchError
from zounds.feature_types import AudioSamplesFeature
from zounds.index.results import Hit, SearchResults, stretches
from zounds.units import SampleRate, TimeSlice

Codes = npt.NDArray[np.uint8]

# what may be wrong with one document, and does not concern the others
UNREADABLE = (ff.SourceError, ff.UnavailableError, ff.CorruptRecord, AudioError)


@ff.storable("zounds.index.Snapshot")
@dataclass(frozen=True)
class Snapshot:
    """The codes of a corpus at one moment.

    Parameters
    ----------
    fingerprint : str
        The identity of the computation of the codes.
    bits : int
        The length of a code.
    ids, names : list of str, one for each document
    rates : list of SampleRate, one for each document
        The time from code to code, and the time each covers.
    offsets : np.ndarray [shape=(documents + 1,), dtype=int64]
        The codes of document i are ``codes[offsets[i]:offsets[i + 1]]``.
    codes : np.ndarray [shape=(n, ceil(bits / 8)), dtype=uint8]
        Packed, the most significant bit first.
    """

    fingerprint: str
    bits: int
    ids: list[str]
    names: list[str]
    rates: list[SampleRate]
    offsets: npt.NDArray[np.int64]
    codes: Codes

    def place(self, row: int) -> tuple[int, TimeSlice]:
        """Return the number of the document that a code belongs to, and the code's time in it."""
        document = int(np.searchsorted(self.offsets, row, side="right")) - 1
        rate = self.rates[document]
        start = rate.frequency * (row - int(self.offsets[document]))
        return document, TimeSlice(start=start, duration=rate.duration)


@dataclass(frozen=True)
class _Coded:
    """A document on its way into an index."""

    fingerprint: str
    id: str
    name: str
    codes: ConstantRateTimeSeries


@dataclass(frozen=True)
class _Collect:
    """Puts coded documents together, as one snapshot."""

    revision: ClassVar[int] = 1

    def stream(self) -> _Collecting:
        return _Collecting()


class _Collecting:
    """Holds packed codes only: unpacked, those of a whole corpus fill the memory."""

    def __init__(self) -> None:
        self._fingerprint = ""
        self._bits = 0
        self._ids: list[str] = []
        self._names: list[str] = []
        self._rates: list[SampleRate] = []
        self._packed: list[Codes] = []

    def step(self, document: _Coded, /) -> Iterable[Snapshot]:
        codes = document.codes
        timed = isinstance(codes, ConstantRateTimeSeries) and codes.ndim == 2
        if not timed or not np.isin(codes, (0, 1)).all():
            shape, dtype = getattr(codes, "shape", "none"), getattr(codes, "dtype", "none")
            raise SearchError(
                f"the codes of {document.name} are a {type(codes).__name__} of shape {shape} and "
                f"dtype {dtype}: an index takes a time series of (n, bits) zeros and ones"
            )
        if not self._ids:
            self._fingerprint, self._bits = document.fingerprint, codes.shape[1]
        if codes.shape[1] != self._bits:
            raise SearchError(
                f"the codes of {document.name} have {codes.shape[1]} bits, and those of "
                f"{self._names[0]} have {self._bits}: an index takes one length"
            )
        self._ids.append(document.id)
        self._names.append(document.name)
        self._rates.append(codes.samplerate)
        self._packed.append(np.packbits(np.asarray(codes, bool), axis=1))
        return ()

    def flush(self) -> Iterable[Snapshot]:
        if not self._ids:
            raise SearchError("there are no documents to index: process some sounds first")
        yield Snapshot(
            fingerprint=self._fingerprint,
            bits=self._bits,
            ids=self._ids,
            names=self._names,
            rates=self._rates,
            offsets=np.cumsum([0, *map(len, self._packed)], dtype=np.int64),
            codes=np.concatenate(self._packed),
        )


class HammingIndex(ff.BaseModel):
    """An index over the codes of every document of a model; made by `hamming_index`.

    Give the class settings of its own, as by `simple_settings`; ``build()`` makes the index, and
    an instance searches it.

    Raises
    ------
    SearchError
        When it is used, if it was not built, or was built from codes that the model would
        compute otherwise now.
    """

    model: ClassVar[type[ff.BaseModel]]
    code: ClassVar[str]
    """The name of the indexed feature."""

    documents = ff.Feature(ff.IteratorNode)
    snapshot = ff.PickleFeature(_Collect, needs=documents, store=True)

    @classmethod
    def build(cls) -> None:
        """Index every document of the model; compute and store the codes that are missing.

        A document that cannot be read is left out, with a warning that says why. Readers have
        the index as it was until this is done.

        Raises
        ------
        SearchError
            If there is nothing to index, or a feature that is no code.
        NotTrained
            If the model that makes the codes has not learned yet.
        """
        cls.process(documents=cls._coded())

    @classmethod
    def _coded(cls) -> Iterator[_Coded]:
        fingerprint = cls.model._fingerprint(cls.code)
        for document in cls.model:
            try:
                codes = getattr(document, cls.code)
            except ff.DocumentNotFound:
                continue  # deleted meanwhile
            except UNREADABLE as error:
                warnings.warn(f"{document._name} is not indexed: {error}", stacklevel=2)
                continue
            yield _Coded(fingerprint, document._id, document._name, codes)

    def __len__(self) -> int:
        """Return the number of codes."""
        return len(self.current.codes)

    @property
    def bits(self) -> int:
        """int : The length of a code."""
        return self.current.bits

    def search(self, query: Any, n_results: int = 5) -> SearchResults:
        """Return the nearest codes.

        Parameters
        ----------
        query : bytes, str or array
            A packed code (bytes, or uint8 [shape=(ceil(bits / 8),)]), its base64 text, or
            the bits themselves [shape=(bits,)].
        n_results : int [range=[1, inf)]
            More than there are gives all there are.

        Returns
        -------
        SearchResults
            The nearest first; of equal distance, in the order of documents and of time.

        Raises
        ------
        SearchError
            If the query is no code of this index, or `n_results` is not positive.
        """
        number = isinstance(n_results, int | float | np.integer)
        if not number or n_results < 1 or not float(n_results).is_integer():
            raise SearchError(f"n_results={n_results!r}: ask for one result or more")
        snapshot = self.current
        packed = packed_code(query, snapshot.bits)
        distances = distances_to(snapshot.codes, packed[np.newaxis])
        rows = _smallest(distances, int(n_results))
        hits = [self._hit(snapshot, int(row), int(distances[row])) for row in rows]
        return SearchResults(packed, hits, self._stretches_of)

    def random_search(self, n_results: int = 5, seed: int | None = None) -> SearchResults:
        """Search for a code of the index; see `random_query` and `search`."""
        return self.search(self.random_query(seed), n_results)

    def random_query(self, seed: int | None = None) -> Codes:
        """Return one of the codes, each as likely as the others.

        Returns
        -------
        np.ndarray [shape=(ceil(bits / 8),), dtype=uint8]

        Raises
        ------
        SearchError
            If there are none.
        """
        codes = self.current.codes
        if not len(codes):
            raise SearchError(f"{type(self).__name__} holds no codes: process some sounds first")
        chosen: Codes = codes[np.random.default_rng(seed).integers(len(codes))].copy()
        return chosen

    def encode_query(self, query: Any) -> str:
        """Return a code as base64 text, the way it stands in the address of the search page.

        Parameters
        ----------
        query : bytes, str or array
            See `search`.

        Returns
        -------
        str
            In the standard alphabet; percent-encode it to put it into an address.
        """
        return base64.b64encode(packed_code(query, self.bits).tobytes()).decode()

    def decode_query(self, text: str) -> Codes:
        """Return the code of a base64 text.

        Parameters
        ----------
        text : str
            In the standard or the URL-safe alphabet; may be percent-encoded, even twice.

        Returns
        -------
        np.ndarray [shape=(ceil(bits / 8),), dtype=uint8]

        Raises
        ------
        SearchError
            If it is not base64, or not of the length of this index's codes.
        """
        return packed_code(_from_base64(text), self.bits)

    @property
    def current(self) -> Snapshot:
        """Snapshot : The codes as they were when the index was built; to search.

        Raises
        ------
        SearchError
            If it was not built, or from other codes than the model computes now.
        """
        name = type(self).__name__
        try:
            snapshot: Snapshot = self.snapshot
        except ff.DocumentNotFound as error:
            raise SearchError(f"{name} was not built yet: call {name}.build()") from error
        if snapshot.fingerprint != self.model._fingerprint(self.code):
            raise SearchError(
                f"{name} holds codes that {self.model.__name__} would compute otherwise now: its "
                f"graph has changed or its model has learned anew; call {name}.build()"
            )
        return snapshot

    def _hit(self, snapshot: Snapshot, row: int, distance: int) -> Hit:
        document, time = snapshot.place(row)
        return Hit(snapshot.ids[document], time, distance, snapshot.names[document])

    def _stretches_of(self, _id: str, times: Sequence[TimeSlice]) -> list[AudioSamples]:
        """Return stretches of a sound, from the feature nearest to the code that is audio."""
        waiting = [self.code]
        for name in waiting:
            if isinstance(self.model.features[name], AudioSamplesFeature):
                return stretches(self.model(_id), name, times)
            waiting.extend(self.model.graph[name].needs)
        raise SearchError(f"{self.code} of {self.model.__name__} is not computed from audio")


def hamming_index(model: type[ff.BaseModel], feature: ff.Feature) -> type[HammingIndex]:
    """Return a class of indexes over one feature of a model.

    Parameters
    ----------
    model : type
        Its documents are indexed.
    feature : Feature
        ``model``'s: (n, bits) zeros and ones, with a time axis.

    Returns
    -------
    type
        Derive from it and give it settings, as by `simple_settings`.

    Raises
    ------
    SearchError
        If `feature` is not one of `model`.

    Examples
    --------
    >>> class Words(ff.BaseModel):
    ...     codes = ff.Feature(np.positive, store=True)
    ...     database = ff.InMemoryDatabase()
    >>> class WordIndex(hamming_index(Words, Words.codes)):
    ...     database = ff.InMemoryDatabase()
    ...     id_provider = ff.StaticIdProvider("WordIndex")
    >>> codes = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], np.uint8)
    >>> _id = Words.process(_id="a", codes=ConstantRateTimeSeries(codes, SampleRate(1, 1)))
    >>> WordIndex.build()
    >>> [(hit.distance, float(hit.time.start)) for hit in WordIndex().search([0, 1, 1, 1])]
    [(1, 0.0), (1, 1.0)]
    """
    name = getattr(feature, "name", None)
    features = getattr(model, "features", {})
    if name not in features:
        raise SearchError(f"{feature!r} is not a feature of {model!r}: give one of its own")
    if features[name] is not feature:
        raise SearchError(
            f"{feature!r} is another class's, and {model.__name__} computes {name} otherwise: "
            f"give {model.__name__}.{name}"
        )
    return type("Index", (HammingIndex,), {"model": model, "code": name})


def packed_code(query: Any, bits: int) -> Codes:
    """Return a code, however it is given, as packed bits.

    Parameters
    ----------
    query : bytes, str or array
        See `HammingIndex.search`.
    bits : int
        The length of a code.

    Returns
    -------
    np.ndarray [shape=(ceil(bits / 8),), dtype=uint8]

    Raises
    ------
    SearchError
        If it is no code of this length.
    """
    if isinstance(query, str):
        query = _from_base64(query)
    width = -(-bits // 8)
    try:
        array = np.frombuffer(query, np.uint8) if isinstance(query, bytes) else np.asarray(query)
        if array.shape == (bits,) and np.isin(array, (0, 1)).all():
            return np.packbits(array.astype(bool))
    except (TypeError, ValueError) as error:
        raise SearchError(f"{query!r} is no code: give bits, bytes or base64 text") from error
    if array.shape == (width,) and array.dtype == np.uint8:
        if np.unpackbits(array)[bits:].any():
            raise SearchError(f"a query of {width} bytes has bits set beyond the {bits} of a code")
        return array.copy()
    raise SearchError(
        f"a query of shape {array.shape} and dtype {array.dtype} is no code of this index: "
        f"give {bits} bits, or the {width} bytes they are packed into"
    )


def _from_base64(text: str) -> bytes:
    plain = unquote(unquote(text)).replace("-", "+").replace("_", "/").replace(" ", "+")
    plain = plain.rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SearchError(f"{text!r} is not a code in base64: {error}") from error


def distances_to(codes: Codes, queries: Codes) -> npt.NDArray[np.uint16]:
    """Return how far each code is from the nearest query.

    Parameters
    ----------
    codes : np.ndarray [shape=(n, ceil(bits / 8)), dtype=uint8]
    queries : np.ndarray [shape=(q, ceil(bits / 8)), dtype=uint8]

    Returns
    -------
    np.ndarray [shape=(n,), unit=bits, dtype=uint16]
    """
    nearest = np.full(len(codes), np.iinfo(np.uint16).max, np.uint16)
    for query in np.unique(queries, axis=0):
        counts = np.bitwise_count(codes ^ query).sum(axis=1, dtype=np.uint16)
        np.minimum(nearest, counts, out=nearest)
    return nearest


def _smallest(distances: npt.NDArray[np.uint16], count: int) -> npt.NDArray[np.intp]:
    """Return the places of the smallest distances, in their order; of equal ones, the first."""
    if count < len(distances):
        histogram = np.bincount(distances)
        limit = int(np.searchsorted(np.cumsum(histogram), count))
        near = np.flatnonzero(distances <= limit)
    else:
        near = np.arange(len(distances))
    return near[np.argsort(distances[near], kind="stable")][:count]
