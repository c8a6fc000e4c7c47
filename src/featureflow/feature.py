"""Features: the named values of a document, declared in the body of a class."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Self, overload

import numpy as np

from featureflow.codec import decode, encode
from featureflow.errors import CodecError, Error, FingerprintError, GraphError, NodeError
from featureflow.fingerprint import identity, is_fixed
from featureflow.naming import node_name
from featureflow.node import is_fitting, is_streaming
from featureflow.sources import Source, SourceNode
from featureflow.spool import spooled

Needs = "Feature | str | Iterable[Feature | str] | None"


class Feature:
    """A named value of each document, and how it is computed.

    On a class it is the feature itself, to be needed by others; on an instance it is the value,
    read or computed when it is asked for.

    Parameters
    ----------
    node : class, function, or object with ``stream`` or ``fit``
        A class is called with `parameters`; see `featureflow.node` for what it has to be.
    needs : Feature, str, or several of them
        The features it is computed from, found by name in the class at hand: overriding one in
        a derived class changes what this one gets. None for a root, whose input is handed to
        `process`. A node with several needs is called once, with their whole values; one with
        one need gets its chunks, see `featureflow.Whole`.
    store : bool
        Whether the value is stored, whenever it is computed.
    **parameters
        Passed to `node`.

    Raises
    ------
    GraphError
        If `node` cannot be a node, or does not take `parameters`.
    InvalidParameter
        If it refuses the value of one.
    """

    kind: ClassVar[type] = object
    """What chunks have to be."""
    gathered: ClassVar[int] = 0
    """How many bytes of chunks share a record; 0 where each has its own."""

    def __init__(
        self, node: Any, needs: Any = None, store: bool = False, **parameters: Any
    ) -> None:
        self.node = _made(node, parameters)
        self.store = store
        self.name = ""
        self._identity: Any = None
        self._needs = _listed(needs)
        if len(self._needs) > 1 and is_streaming(self.node):
            raise GraphError(
                f"{node_name(self.node)} streams, and cannot have several needs: a node with "
                "several needs is a function of their whole values"
            )

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    @overload
    def __get__(self, document: None, owner: type) -> Self: ...
    @overload
    def __get__(self, document: object, owner: type) -> Any: ...
    def __get__(self, document: Any, owner: type) -> Any:
        if document is None:
            return self
        try:
            return document._value(self.name)
        except AttributeError as error:
            if isinstance(error, Error):
                raise
            # or Python would take it for a missing attribute, and lose it
            raise NodeError(f"{self.name}: AttributeError: {error}") from error

    def __set__(self, document: object, value: Any) -> None:
        raise AttributeError(f"{self.name} is computed: it cannot be set")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name or '(unnamed)'}: {node_name(self.node)}>"

    @property
    def needs(self) -> tuple[str, ...]:
        """Tuple of str : The names of the features it is computed from."""
        names = tuple(need if isinstance(need, str) else need.name for need in self._needs)
        if "" in names:
            raise GraphError(
                f"{self.name} needs a feature that has no name: declare it in a class first"
            )
        return names

    def identity(self) -> Any:
        """Return the `featureflow.fingerprint.identity` of the node, as it is at this moment."""
        if self._identity is not None:
            return self._identity
        try:
            found = identity(self.node)
        except FingerprintError as error:
            raise FingerprintError(f"{self.name} ({node_name(self.node)}): {error}") from None
        if is_fixed(self.node):
            self._identity = found
        return found

    @property
    def is_fixed(self) -> bool:
        """bool : Whether `identity` was asked for, and will always be the same."""
        return self._identity is not None

    def identify(self, given: Any) -> tuple[Any, dict[str, Any] | None]:
        """Return what to hand to the node of a root, and what is known of its content.

        Parameters
        ----------
        given : object
            What `process` was given for this root.

        Returns
        -------
        (object, dict or None)
            With at least the ``name`` and the ``digest`` of the content. None where there is no
            way to know: then nothing that was computed earlier is used again.
        """
        return given, None

    def check(self, chunk: Any) -> None:
        """Raise `CodecError` unless `chunk` is what this type of feature holds."""
        if not isinstance(chunk, self.kind):
            raise CodecError(
                f"{self.name} is a {type(self).__name__}, and its node ({node_name(self.node)}) "
                f"made a {type(chunk).__name__}: return a {self.kind.__name__}, or declare it as "
                "another type of feature"
            )

    def records(self, chunks: list[Any]) -> Iterator[bytes]:
        """Yield the records that store chunks."""
        return map(encode, chunks)

    def chunks(self, records: Iterable[bytes]) -> Iterator[Any]:
        """Yield the chunks that `records` store."""
        return map(decode, records)


class NumpyFeature(Feature):
    """A feature that is a `numpy.ndarray`; its chunks follow each other along the first axis."""

    kind: ClassVar[type] = np.ndarray
    gathered = 1 << 16  # a store fills whole pages, of which a small record wastes the most

    def records(self, chunks: list[Any]) -> Iterator[bytes]:
        """Yield a record with all the chunks, each still by itself."""
        yield encode(chunks[0] if len(chunks) == 1 else chunks)

    def chunks(self, records: Iterable[bytes]) -> Iterator[Any]:
        """Yield the chunks that `records` store."""
        for made in map(decode, records):
            yield from made if isinstance(made, list) else [made]


class ByteStreamFeature(Feature):
    """A feature that is `bytes`; its chunks follow each other."""

    kind = bytes

    def records(self, chunks: list[bytes]) -> Iterator[bytes]:
        """Yield the chunks as they are."""
        return iter(chunks)

    def chunks(self, records: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the records as they are."""
        return iter(records)


class TextFeature(Feature):
    """A feature that is a `str`."""

    kind = str


class JSONFeature(Feature):
    """A feature that JSON can express: numbers, text, lists and dicts."""

    def check(self, chunk: Any) -> None:
        """Raise `CodecError` unless `chunk` can be expressed in JSON."""
        try:
            json.dumps(chunk, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise CodecError(
                f"{self.name} is a JSONFeature, and its node ({node_name(self.node)}) made what "
                f"JSON cannot express: {error}"
            ) from error


class PickleFeature(Feature):
    """A feature that is an object, such as what a fitting node has learned.

    The name is that of the original; nothing is pickled. Objects of classes registered by
    `storable` are stored as plain values and arrays.
    """


class SourceFeature(Feature):
    """A feature that is a `Source`: a reference to its content, or the content itself.

    Parameters
    ----------
    node, needs, store, **parameters
        See `Feature`.
    keep : bool
        Whether the content is stored too. That of sources that cannot be opened again always is.
    """

    kind = Source

    def __init__(
        self,
        node: Any = SourceNode,
        needs: Any = None,
        store: bool = True,
        keep: bool = False,
        **parameters: Any,
    ) -> None:
        super().__init__(node, needs, store, **parameters)
        self.keep = keep

    def identify(self, given: Any) -> tuple[Source, dict[str, Any]]:
        """Return the source and its record."""
        source = Source.of(given)
        return source, source.record()

    def records(self, chunks: list[Source]) -> Iterator[bytes]:
        """Yield the reference, and the content in pieces where it is kept."""
        for source in chunks:
            kept = self.keep or not source.reopenable
            yield encode({"source": source.record(), "kept": kept})
            if kept:
                yield from source.pieces()

    def chunks(self, records: Iterable[bytes]) -> Iterator[Source]:
        """Yield the source."""
        rest = iter(records)
        for record in rest:  # the first; what it keeps is in the others
            reference = decode(record)
            content = spooled(_Pieces(rest), self.name) if reference["kept"] else None
            yield Source.from_record(reference["source"], content)


class _Pieces:
    """Records as a stream to read from."""

    def __init__(self, records: Iterator[bytes]) -> None:
        self._records = records

    def read(self, size: int) -> bytes:
        return next(self._records, b"")


def _made(node: Any, parameters: dict[str, Any]) -> Any:
    """Return the node itself: an instance where a class was given."""
    if isinstance(node, type):
        _check_parameters(node, parameters)
        node = node(**parameters)
    elif parameters:
        _check_parameters(node, parameters)
        node = functools.partial(node, **parameters)
    if not (callable(node) or is_streaming(node) or is_fitting(node)):
        raise GraphError(
            f"{node_name(node)} is no node: it has to be callable, or have stream() or fit()"
        )
    return node


def _check_parameters(node: Callable[..., Any], parameters: dict[str, Any]) -> None:
    """Raise `GraphError` for parameters that a class or function does not take."""
    try:
        signature = inspect.signature(node)
    except (TypeError, ValueError):
        return  # compiled, and does not say
    try:
        if isinstance(node, type):
            signature.bind(**parameters)
        else:
            signature.bind_partial(**parameters)
    except TypeError as error:
        raise GraphError(
            f"{node_name(node)} cannot take the parameters {parameters}: {error}; it takes "
            f"{signature}"
        ) from None


def _listed(needs: Any) -> tuple[Feature | str, ...]:
    if needs is None:
        return ()
    listed = tuple(needs) if isinstance(needs, tuple | list) else (needs,)
    for need in listed:
        if not isinstance(need, Feature | str):
            raise GraphError(
                f"needs={str(need)[:80]} is neither a feature nor the name of one: give a feature "
                "of a class, such as Model.feature, or several in a tuple"
            )
    return listed
