"""Search for binary codes by Hamming distance."""

from __future__ import annotations

import base64
import binascii
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

import featureflow as ff
from zounds.arrays import AudioSamples
from zounds.errors import AudioError, SearchError
from zounds.feature_types import AudioSamplesFeature
from zounds.index.build import Build, Width
from zounds.index.places import folder_of
from zounds.index.results import SearchResults, stretches
from zounds.index.segment import Coded
from zounds.index.segments import Segments
from zounds.index.snapshot import Snapshot
from zounds.units import TimeSlice

Codes = npt.NDArray[np.uint8]

# what may be wrong with one document, and does not concern the others
UNREADABLE = (ff.SourceError, ff.UnavailableError, ff.CorruptRecord, AudioError)


class HammingIndex(ff.PersistenceSettings):
    """An index over the codes of every document of a model; made by `hamming_index`.

    Give the class settings of its own, as by `simple_settings`; ``build()`` makes the index, and
    an instance searches it. It lies in the folder of its database, as a folder of its own; with a
    database in memory it goes when that goes.

    Raises
    ------
    SearchError
        When it is used, if it was not built, or was built from codes that the model would
        compute otherwise now.
    CorruptRecord
        When it is used, if it is damaged: build it again.
    """

    model: ClassVar[type[ff.BaseModel]]
    code: ClassVar[str]
    """The name of the indexed feature."""

    @classmethod
    def build(cls) -> Build:
        """Index the documents of the model that are new or have changed; take out those gone.

        Codes that are missing are computed and stored. A document that cannot be read is left
        out, with a warning that says why. Readers have the index as it was until this is done.

        Returns
        -------
        Build

        Raises
        ------
        SearchError
            If there is nothing to index, a feature is no code, or another process is building.
        NotTrained
            If the model that makes the codes has not learned yet.
        """
        fingerprint = cls.model._fingerprint(cls.code)
        with cls._segments().changing() as writer:
            before = writer.read(fingerprint)
            known = before.contents() if before else {}
            kept: set[str] = set()
            width = Width(before.bits if before else None)
            fresh = list(cls._coded(known, kept, width))
            if not (fresh or kept):
                raise SearchError("there are no documents to index: process some sounds first")
            if cls.model._fingerprint(cls.code) != fingerprint:
                raise SearchError(
                    f"{cls.model.__name__} has learned anew meanwhile: call {cls.__name__}.build() "
                    "again"
                )
            gone = known.keys() - kept
            if before is None:
                writer.replace(fingerprint, width.bits or 0, fresh)
            elif fresh or gone:
                writer.change(fresh, gone)
        return Build(len(fresh), len(gone), len(kept), anew=before is None)

    @classmethod
    def _coded(
        cls, known: dict[str, tuple[str, str]], kept: set[str], width: Width
    ) -> Iterator[Coded]:
        """Yield the documents that are not in the index as they are; note those that are."""
        for document in cls.model:
            try:
                entry = document._document.entry()
                name, token = str(entry["name"]), str(entry["token"])
                if known.get(document._id) == (name, token):
                    kept.add(document._id)
                    continue
                codes = getattr(document, cls.code)
            except ff.DocumentNotFound:
                continue  # deleted meanwhile
            except UNREADABLE as error:
                warnings.warn(f"{document._name} is not indexed: {error}", stacklevel=3)
                continue
            width.check(name, codes)
            packed = np.packbits(np.asarray(codes, bool), axis=1)
            yield Coded(document._id, name, token, codes.samplerate, packed)

    @classmethod
    def _segments(cls) -> Segments:
        if cls.database is None:
            raise ff.GraphError(
                f"{cls.__name__} has no database: decorate it with simple_settings, or give it "
                "database = featureflow.LmdbDatabase(path=...)"
            )
        name = cls.key_builder.build(cls.id_provider.only or cls.__name__)
        return _segments_at(folder_of(cls.database) / name)

    def __len__(self) -> int:
        """Return the number of codes."""
        return len(self.current)

    @property
    def bits(self) -> int:
        """int : The length of a code."""
        return self.current.bits

    def search(
        self,
        query: Any,
        n_results: int = 5,
        only: Collection[str] | None = None,
        without: Collection[str] = (),
        per_document: int | None = None,
    ) -> SearchResults:
        """Return the nearest codes.

        Parameters
        ----------
        query : bytes, str or array
            A packed code (bytes, or uint8 [shape=(ceil(bits / 8),)]), its base64 text, or
            the bits themselves [shape=(bits,)].
        n_results : int [range=[1, inf)]
            More than there are gives all there are.
        only : collection of str or None
            The documents to search, by their ids; None for all.
        without : collection of str
            Documents to leave out, such as the query's own.
        per_document : int or None [range=[1, inf)]
            How many hits there may be from one document; None for no limit.

        Returns
        -------
        SearchResults
            The nearest first; of equal distance, in the order of documents and of time.

        Raises
        ------
        SearchError
            If the query is no code of this index, or a number is not positive.
        """
        return self.search_all([query], n_results, only, without, per_document)[0]

    def search_all(
        self,
        queries: Iterable[Any],
        n_results: int = 5,
        only: Collection[str] | None = None,
        without: Collection[str] = (),
        per_document: int | None = None,
    ) -> list[SearchResults]:
        """Return the nearest codes of each of many queries; see `search`."""
        count = _whole(n_results, "n_results")
        most = None if per_document is None else _whole(per_document, "per_document")
        snapshot = self.current
        packed = [packed_code(query, snapshot.bits) for query in queries]
        if not packed:
            return []
        found = snapshot.search(np.stack(packed), count, only, without, most)
        return [
            SearchResults(code, hits, self._stretches_of)
            for code, hits in zip(packed, found, strict=True)
        ]

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
        snapshot = self.current
        if not len(snapshot):
            raise SearchError(f"{type(self).__name__} holds no codes: process some sounds first")
        return snapshot.code(int(np.random.default_rng(seed).integers(len(snapshot))))

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
        snapshot = self._segments().snapshot()
        if snapshot is None:
            raise SearchError(f"{name} was not built yet: call {name}.build()")
        if snapshot.fingerprint != self.model._fingerprint(self.code):
            raise SearchError(
                f"{name} holds codes that {self.model.__name__} would compute otherwise now: its "
                f"graph has changed or its model has learned anew; call {name}.build()"
            )
        return snapshot

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
    >>> from zounds import ConstantRateTimeSeries, SampleRate
    >>> class Words(ff.BaseModel):
    ...     codes = ff.Feature(np.positive, store=True)
    ...     database = ff.InMemoryDatabase()
    >>> class WordIndex(hamming_index(Words, Words.codes)):
    ...     database = ff.InMemoryDatabase()
    ...     id_provider = ff.StaticIdProvider("WordIndex")
    >>> codes = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], np.uint8)
    >>> _id = Words.process(_id="a", codes=ConstantRateTimeSeries(codes, SampleRate(1, 1)))
    >>> print(WordIndex.build())
    a new generation: 1 added, 0 removed, 0 kept
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


def _whole(number: Any, name: str) -> int:
    known = isinstance(number, int | float | np.integer)
    if not known or number < 1 or not float(number).is_integer():
        raise SearchError(f"{name}={number!r}: ask for one result or more")
    return int(number)


@lru_cache(maxsize=64)
def _segments_at(folder: Path) -> Segments:
    return Segments(folder)
