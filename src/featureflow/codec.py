"""Values to bytes and back, without running anything that was read.

A record is a length, a JSON head and raw array bytes::

    uint32 little-endian: length of the head | head, UTF-8 JSON, padded with spaces | payload

The head holds the value; each array in it is replaced by its dtype, shape and place in the
payload. Classes are written by the name under which `storable` registered them, and read only
if that name is registered: an unknown name is an error, never an import. Booleans take a bit.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
import re
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from featureflow.errors import CodecError, CorruptRecord, InvalidParameter
from featureflow.naming import qualified_name

T = TypeVar("T", bound=type)

_ALIGNMENT = 16
_HEAD = struct.Struct("<I")
_TAG = "$"
_FRACTION = re.compile(r"-?[0-9]{1,1000}/[0-9]{1,1000}")
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
_KINDS = "biufcSU"  # booleans, numbers, fixed-width text: dtypes without Python objects


class Storable(Protocol):
    """How a registered class becomes plain values, and comes back."""

    def __to_state__(self) -> dict[str, Any]: ...

    @classmethod
    def __from_state__(cls, state: dict[str, Any]) -> Any: ...


_registered: dict[str, type] = {}
_names: dict[type, str] = {}


def storable(name: str) -> Callable[[T], T]:
    """Register a class so that its instances can be stored.

    A dataclass is stored by its fields. Any other class defines ``__to_state__``, which returns
    a dict of storable values, and a class method ``__from_state__`` that takes it.

    Parameters
    ----------
    name : str
        The name it is stored under, for ever: it outlives a rename or a move of the class.

    Raises
    ------
    InvalidParameter
        If the class can be stored in neither way, or the name belongs to a class from elsewhere.

    Examples
    --------
    >>> @storable("example.Gain")
    ... @dataclasses.dataclass(frozen=True)
    ... class Gain:
    ...     factor: float
    >>> decode(encode(Gain(0.5)))
    Gain(factor=0.5)
    """

    def register(cls: T) -> T:
        if not dataclasses.is_dataclass(cls) and not hasattr(cls, "__from_state__"):
            raise InvalidParameter(
                f"{cls.__qualname__} is not a dataclass: make it one, or define "
                "__to_state__ and __from_state__"
            )
        other = _registered.get(name, cls)
        # the same class may be defined again: a notebook cell that is run twice
        if qualified_name(other) != qualified_name(cls):
            raise InvalidParameter(
                f"the name {name!r} is already taken by {qualified_name(other)}: store "
                f"{cls.__qualname__} under another"
            )
        _registered[name] = cls
        _names[cls] = name
        return cls

    return register


def encode(value: Any) -> bytes:
    """Return the record of a value.

    Parameters
    ----------
    value : object
        None, bool, int, float, str, bytes, Fraction, range, NumPy scalars and arrays, lists,
        tuples, dicts with str keys, instances of classes registered by `storable`, and these
        within each other.

    Returns
    -------
    bytes

    Raises
    ------
    CodecError
        If something in the value cannot be stored; the message says where and what to do.
    """
    payload = _Payload()
    try:
        tree = _pack(value, payload)
    except _Unstorable as error:
        raise CodecError(f"value{_place(value)} {error}") from None
    body = _ENCODER.encode(tree).encode()
    body += b" " * (-(len(body) + _HEAD.size) % _ALIGNMENT)
    return b"".join((_HEAD.pack(len(body)), body, *payload.pieces))


def decode(record: bytes) -> Any:
    """Return the value of a record.

    Raises
    ------
    CorruptRecord
        If the bytes are not a record.
    CodecError
        If the record holds an instance of a class that is not registered here.
    """
    try:
        (size,) = _HEAD.unpack_from(record)
        start = _HEAD.size + size
        if start > len(record):
            raise ValueError(f"a head of {size} bytes in a record of {len(record)}")
        tree = json.loads(record[_HEAD.size : start])
        return _unpack(tree, memoryview(record)[start:])
    except CodecError:
        raise
    except Exception as error:  # whatever a damaged head makes the parsers do
        raise CorruptRecord(
            f"a stored record cannot be read ({error}): delete its document and process it again"
        ) from error


def content_digest(*parts: bytes) -> str:
    """Return the BLAKE2b-128 digest of `parts` put together, in hexadecimal."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(part)
    return state.hexdigest()


class _Payload:
    """The raw arrays of a record, one after the other."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._size = 0

    def add(self, content: bytes) -> int:
        """Return the place of `content`, which is aligned."""
        padding = bytes(-self._size % _ALIGNMENT)
        place = self._size + len(padding)
        self.pieces += [padding, content]
        self._size = place + len(content)
        return place


class _Unstorable(Exception):
    """Something in a value cannot be stored."""


def _pack(value: Any, payload: _Payload) -> Any:
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {_TAG: "float", "is": repr(value)}
    if kind in _names:
        state = {key: _pack(item, payload) for key, item in _state(value).items()}
        return {_TAG: "object", "type": _names[kind], "state": state}
    if kind is list:
        return [_pack(item, payload) for item in value]
    if kind is tuple:
        return {_TAG: "tuple", "of": [_pack(item, payload) for item in value]}
    if kind is dict:
        for key in value:
            if type(key) is not str or key == _TAG:
                raise _Unstorable("has keys that are not plain str: store a list of pairs")
        return {key: _pack(item, payload) for key, item in value.items()}
    if isinstance(value, Fraction):
        return {_TAG: "fraction", "is": f"{value.numerator}/{value.denominator}"}
    if kind is range:
        return {_TAG: "range", "is": [value.start, value.stop, value.step]}
    if kind is bytes:
        return {_TAG: "bytes", "is": base64.b64encode(value).decode()}
    if kind is np.ndarray or isinstance(value, np.generic):
        return _pack_array(value, payload)
    raise _Unstorable(
        f"is a {kind.__module__}.{kind.__qualname__}, which cannot be stored: use numbers, "
        "text, arrays, lists and dicts, or register the class with featureflow.storable"
    )


def _place(value: Any) -> str:
    """Return where in a value the first thing is that cannot be stored."""
    kind = type(value)
    items: list[tuple[str, Any]] = []
    if kind in _names:
        items = [(f".{key}", item) for key, item in _state(value).items()]
    elif kind in (list, tuple):
        items = [(f"[{i}]", item) for i, item in enumerate(value)]
    elif kind is dict:
        items = [(f"[{key!r}]", item) for key, item in value.items()]
    for step, item in items:
        try:
            _pack(item, _Payload())
        except _Unstorable:
            return step + _place(item)
    return ""


def _state(value: Any) -> dict[str, Any]:
    if hasattr(value, "__to_state__"):
        return cast(Storable, value).__to_state__()
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _pack_array(value: Any, payload: _Payload) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in _KINDS:
        raise _Unstorable(
            f"is an array of {array.dtype}, which cannot be stored: convert it to numbers"
        )
    packed = np.packbits(array) if array.dtype.kind == "b" else np.ascontiguousarray(array)
    return {
        _TAG: "array" if isinstance(value, np.ndarray) else "scalar",
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "at": payload.add(packed.tobytes()),
    }


def _unpack(tree: Any, payload: memoryview) -> Any:
    if isinstance(tree, list):
        return [_unpack(item, payload) for item in tree]
    if not isinstance(tree, dict):
        return tree
    tag = tree.get(_TAG)
    if tag is None:
        return {key: _unpack(item, payload) for key, item in tree.items()}
    if tag == "float":
        return float(tree["is"])
    if tag == "tuple":
        return tuple(_unpack(tree["of"], payload))
    if tag == "fraction":
        if not _FRACTION.fullmatch(tree["is"]):
            raise ValueError("a fraction that is none")
        return Fraction(tree["is"])
    if tag == "range":
        return range(*tree["is"])
    if tag == "bytes":
        return base64.b64decode(tree["is"], validate=True)
    if tag == "object":
        name = tree["type"]
        if name not in _registered:
            raise CodecError(
                f"a stored value is a {name!r}, which is not known here: import the module that "
                "defines it (and registers it with featureflow.storable) before reading"
            )
        cls = _registered[name]
        state = {key: _unpack(item, payload) for key, item in tree["state"].items()}
        build = getattr(cls, "__from_state__", None)
        return build(state) if build is not None else cls(**state)
    if tag in ("array", "scalar"):
        array = _unpack_array(tree, payload)
        return array if tag == "array" else array[()]
    raise ValueError(f"an unknown tag {tag!r}")


def _unpack_array(tree: dict[str, Any], payload: memoryview) -> np.ndarray[Any, Any]:
    dtype, shape, at = np.dtype(tree["dtype"]), tuple(tree["shape"]), tree["at"]
    if dtype.kind not in _KINDS or any(size < 0 for size in shape) or at < 0:
        raise ValueError(f"an array of {dtype} with shape {shape} at {at}")
    count = math.prod(shape)
    if dtype.kind == "b":
        bits = np.frombuffer(payload, np.uint8, -(-count // 8), at)
        return np.unpackbits(bits, count=count).astype(bool).reshape(shape)
    return np.frombuffer(payload, dtype, count, at).reshape(shape).copy()
