"""Milvus, a server of vectors that many people search: where it is, and the codes it has.

What lies there is whole and never changes: a collection for each generation, in whose description
stands of which, with a partition for each layer. The name that people know is an alias, which is
moved to the next collection when that one is complete.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter
from zounds.corpus.backend import LOCAL
from zounds.corpus.generation import Generation
from zounds.corpus.spaces import LIKE
from zounds.errors import BackendError
from zounds.index.codes import Packed, Searchable
from zounds.index.scan import ROWS, SHIFT, Keys

Mask = npt.NDArray[np.bool_]

PORT = 19530
COLLECTION = "zounds"
UNITS = ("clip", "segment")

_PATIENCE = 20  # s, for what is no matter of minutes
_LOADING = 300  # s
_MOST = 16384  # hits of one query that Milvus gives
_STATE = 1 << 18  # hits of one call; each is a Python object
_MORE = 64  # to see whether a distance is complete

_NO_COLLECTION = 100  # codes of Milvus' errors
_NOT_LOADED = 101


@dataclass(frozen=True)
class Address:
    """Where a corpus is published.

    Parameters
    ----------
    host : str
    port : int
    collection : str
        What it is called there.
    secure : bool
        Whether to speak TLS.

    Examples
    --------
    >>> print(Address.of("http://milvus:19530"), Address.of("milvus://[::1]/drums"))
    milvus://milvus:19530/zounds milvus://[::1]:19530/drums
    """

    host: str
    port: int = PORT
    collection: str = COLLECTION
    secure: bool = False

    @classmethod
    def of(cls, text: str, collection: str | None = None) -> Address:
        """Return the address that a text names.

        Parameters
        ----------
        text : str
            ``milvus://HOST:PORT/COLLECTION``, or the same with ``http`` or, for TLS, ``https``.
            The port is 19530 and the collection ``zounds``, where they are left out.
        collection : str or None
            For addresses without one.

        Raises
        ------
        InvalidParameter
            If it names none.
        """
        try:
            parts = urlsplit(text)
            port = parts.port or PORT
        except ValueError as error:
            raise InvalidParameter(f"{text!r} is no address ({error}): {_EXAMPLE}") from error
        if parts.scheme not in ("milvus", "http", "https") or not parts.hostname:
            raise InvalidParameter(f"{text!r} is no address of Milvus: {_EXAMPLE}")
        if parts.username or parts.query or parts.fragment:
            raise InvalidParameter(f"an address has no user and no query: {_EXAMPLE}")
        named = parts.path.strip("/")
        if collection and named and collection != named:
            raise InvalidParameter(
                f"{text!r} and collection={collection!r} name two collections: name one"
            )
        name = collection or named or COLLECTION
        if not re.fullmatch(r"[A-Za-z_]\w{0,199}", name, re.ASCII):
            raise InvalidParameter(
                f"{name!r} is no name of a collection: give letters, digits and underscores, a "
                "letter first"
            )
        return cls(parts.hostname, port, name, parts.scheme == "https")

    def __str__(self) -> str:
        return f"milvus://{self._place}/{self.collection}"

    @property
    def uri(self) -> str:
        """str : As the client knows it."""
        return f"{'https' if self.secure else 'http'}://{self._place}"

    @property
    def _place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_EXAMPLE = "give one such as milvus://localhost:19530/zounds"


@dataclass(frozen=True)
class Present:
    """A collection of ours, as its description says.

    Parameters
    ----------
    name : str
    identity : str
        Of the generation that it holds.
    """

    name: str
    identity: str


class Client:
    """Speaks to a Milvus; what goes wrong is a `BackendError` that names the address.

    Parameters
    ----------
    address : Address
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._made: Any = None
        self._lock = threading.Lock()

    def __call__(self, method: str, *args: Any, timeout: float = _PATIENCE, **options: Any) -> Any:
        """Call a method of ``pymilvus.MilvusClient``."""
        client = self._client()
        try:
            return getattr(client, method)(*args, timeout=timeout, **options)
        except Exception as error:  # of pymilvus, of gRPC, or of what these stand on
            raise self._failure(error) from error

    def present(self, name: str) -> Present | None:
        """Return what a collection or alias stands for; None if there is none.

        Raises
        ------
        BackendError
            If it is none of ours.
        """
        try:
            found = self("describe_collection", name)
        except BackendError as error:
            if code(error) == _NO_COLLECTION:
                return None
            raise
        try:
            about = json.loads(found["description"])
            return Present(found["collection_name"], about["identity"])
        except (ValueError, KeyError, TypeError):
            raise BackendError(
                f"{self.address}: a collection {name!r} is there that zounds did not make: give "
                "another name"
            ) from None

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                try:
                    import pymilvus
                except ImportError as error:
                    raise BackendError(
                        f"{self.address} needs {error.name}: pip install 'zounds[milvus]'"
                    ) from error
                # it would print each failure, with the lines of its own code
                logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
                try:
                    self._made = pymilvus.MilvusClient(uri=self.address.uri, timeout=_PATIENCE)
                except Exception as error:
                    raise self._failure(error) from error
            return self._made

    def _failure(self, error: Exception) -> BackendError:
        why = " ".join(str(getattr(error, "message", None) or error).split())
        if code(error) in (_NO_COLLECTION, _NOT_LOADED):
            return BackendError(f"{self.address}: {why}: publish the corpus there again")
        return BackendError(
            f"{self.address} does not answer, or not as it should ({why}): see that Milvus runs "
            "there, then do the same again"
        )


def code(error: BaseException) -> int | None:
    """Return the code of Milvus' error that one of ours is about."""
    found = getattr(error.__cause__ or error, "code", None)
    return found if isinstance(found, int) else None


class Milvus:
    """The codes of a corpus that was published; a `Backend`.

    It has one state of the corpus. Where the one at hand is another, codes are searched in the
    corpus' folder instead, with a warning: hits are the same.

    Parameters
    ----------
    address : Address
    """

    def __init__(self, address: Address) -> None:
        self._client = Client(address)
        self._present: Present | None = None

    def __repr__(self) -> str:
        return f"<Milvus {self._client.address}>"

    def codes(self, generation: Generation, unit: str, like: str) -> Searchable:
        """See `Backend.codes`.

        Raises
        ------
        BackendError
            If the server cannot be asked, or nothing was published there.
        """
        address = self._client.address
        if self._present is None or self._present.identity != generation.identity:
            self._present = self._client.present(address.collection)
        if self._present is None:
            raise BackendError(f"{address}: nothing is published there: zounds publish {address}")
        if self._present.identity != generation.identity:
            warnings.warn(
                f"{address} has another state of this corpus, so the index in its folder was "
                f"searched: zounds publish {address}",
                stacklevel=2,
            )
            return LOCAL.codes(generation, unit, like)

        def again() -> Searchable:
            self._present = None
            return self.codes(generation, unit, like)

        rows = len(generation.layers(unit)[like])
        return Codes(self._client, self._present.name, unit, like, rows, again)


class Codes(Searchable):
    """The codes of one layer, in a collection.

    Parameters
    ----------
    client : Client
    collection : str
    unit, like : str
    rows : int
    again : callable
        Returns the codes as they are to be had when the collection has been replaced.
    """

    def __init__(
        self,
        client: Client,
        collection: str,
        unit: str,
        like: str,
        rows: int,
        again: Callable[[], Searchable],
    ) -> None:
        self._client = client
        self._collection = collection
        self._partition = partition(unit, like)
        self._first = first_id(unit, like)
        self._again = again
        self.rows = rows

    def nearest(self, queries: Packed, k: int, live: Mask | None = None) -> Keys:
        """See `Searchable.nearest`."""
        k = min(k, self.rows if live is None else int(np.count_nonzero(live)))
        if not k:
            return np.empty((len(queries), 0), np.uint64)
        try:
            found = self._nearest(queries, k) if live is None else self._living(queries, k, live)
        except BackendError as error:
            if code(error) != _NO_COLLECTION:
                raise
            return self._again().nearest(queries, k, live)
        return np.array(found, np.uint64).reshape(len(queries), k)

    def _living(self, queries: Packed, k: int, live: Mask) -> list[Keys]:
        """Return the nearest of the rows that count."""
        rows = np.flatnonzero(live)
        many = min(2 * k * self.rows // len(rows), self.rows)
        if len(rows) <= _MOST < many:  # to name these few is less than to pass over the others
            only = f"id in {(rows + self._first).tolist()}"
            return [keys[:k] for keys in self._search(queries, only, len(rows))]
        while True:
            found = self._nearest(queries, many)
            best = [keys[live[(keys & ROWS).astype(np.intp)]][:k] for keys in found]
            if all(len(keys) == k for keys in best):
                return best
            many = min(4 * many, self.rows)

    def _nearest(self, queries: Packed, k: int) -> list[Keys]:
        """Return the nearest k rows of each query, as keys."""
        some = max(1, _STATE // min(k + _MORE, _MOST))
        found: list[Keys] = []
        for start in range(0, len(queries), some):
            found += self._best(queries[start : start + some], 0, self.rows, k, k + _MORE)
        return found

    def _best(self, queries: Packed, low: int, high: int, k: int, limit: int) -> list[Keys]:
        """Return the nearest k rows of a range for each query, as keys, in their order.

        Of rows that are equally far, Milvus gives any: so many are asked for that the distance of
        the last one that counts is complete. Where that are too many, it is asked for each half.
        """
        limit = min(limit, high - low, _MOST)
        if k > limit < high - low:
            found = [np.empty(0, np.uint64)] * len(queries)
        else:
            within = f"{self._first + low} <= id and id < {self._first + high}"
            found = self._search(queries, "" if high - low == self.rows else within, limit)
        for number, keys in enumerate(found):
            some = min(k, high - low)
            if len(keys) >= some and (
                limit == high - low or keys[some - 1] >> SHIFT < keys[-1] >> SHIFT
            ):
                found[number] = keys[:some]
                continue
            query = queries[number : number + 1]
            if k <= limit < _MOST:
                found[number] = self._best(query, low, high, k, 8 * limit)[0]
                continue
            middle = (low + high) // 2
            (left,) = self._best(query, low, middle, k, limit)
            if len(left) == k and len(keys) and left[-1] >> SHIFT == keys[0] >> SHIFT:
                found[number] = left  # none can be nearer, and the earlier rows come first
                continue
            (right,) = self._best(query, middle, high, k, limit)
            found[number] = np.sort(np.concatenate([left, right]))[:k]
        return found

    def _search(self, queries: Packed, only: str, limit: int) -> list[Keys]:
        """Return what Milvus finds of the rows that pass a filter, as keys, in their order."""
        options: dict[str, Any] = {
            "data": [query.tobytes() for query in queries],
            "filter": only,
            "limit": limit,
            "partition_names": [self._partition],
            # the collection is complete, and stays as it is: nothing has to be waited for
            "consistency_level": "Eventually",
        }
        try:
            answers = self._client("search", self._collection, **options)
        except BackendError as error:
            if code(error) != _NOT_LOADED:
                raise
            # the server was started anew
            self._client("load_collection", self._collection, timeout=_LOADING)
            answers = self._client("search", self._collection, **options)
        found = []
        for hits in answers:
            rows = np.array([hit["id"] for hit in hits], np.int64) - self._first
            distances = np.array([hit["distance"] for hit in hits]).astype(np.uint64)
            found.append(np.sort(distances << SHIFT | rows.astype(np.uint64) & ROWS))
        return found


def partition(unit: str, like: str) -> str:
    """Return what the partition of a layer is called."""
    return f"{unit}_{like}"


def first_id(unit: str, like: str) -> int:
    """Return the number that the first row of a layer has in a collection; the others follow."""
    return (UNITS.index(unit) * len(LIKE) + LIKE.index(like)) << 48
