"""The identity of a computation: change the computation, and its stored results have another key.

A node's identity is its type, its parameters, and its *revision*: a number its author declares
and raises when results change. A node without one is identified by its code, and that of the
functions of its module that it calls, so that editing it is enough. The fingerprint of a feature
is the digest of its node's identity and of the fingerprints of what it needs.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from featureflow.codec import content_digest
from featureflow.errors import FingerprintError

_CONSTANTS = (bool, int, float, str, bytes, Fraction, tuple, np.ndarray, np.generic)


def fingerprint(node: Any, needs: Sequence[str] = ()) -> str:
    """Return the fingerprint of a computation.

    Parameters
    ----------
    node : plain values
        The `identity` of the node.
    needs : sequence of str
        The fingerprints of its inputs, in their order.

    Returns
    -------
    str
        128 bits, in hexadecimal.
    """
    return content_digest(json.dumps([node, list(needs)]).encode())


def identity(thing: Any) -> Any:
    """Return a description of `thing` in plain values; equal for equal computations.

    Parameters
    ----------
    thing : object
        A node or one of its parameters: plain values, arrays, enums, dataclasses, functions,
        classes, and these within each other; or an object whose ``__fingerprint__()`` returns
        one of these. Fields of a dataclass with ``compare=False`` do not count.

    Raises
    ------
    FingerprintError
        If `thing` is none of these.
    """
    return _identity(thing, frozenset())


def may_change(thing: Any) -> bool:
    """Return whether the `identity` of `thing` may be another one later."""
    if hasattr(thing, "__fingerprint__"):
        return True
    parts: Iterable[Any] = ()
    if isinstance(thing, tuple | list):
        parts = thing
    elif isinstance(thing, Mapping):
        parts = thing.values()
    elif isinstance(thing, functools.partial):
        parts = (thing.func, *thing.args, *thing.keywords.values())
    elif dataclasses.is_dataclass(thing):
        parts = (getattr(thing, field.name, None) for field in dataclasses.fields(thing))
    return any(map(may_change, parts))


def _identity(thing: Any, inside: frozenset[int]) -> Any:
    if thing is None or isinstance(thing, bool | str):
        return thing
    if isinstance(thing, int | float | np.integer | np.floating):
        return _number(thing)
    if isinstance(thing, Enum):
        return [_name(type(thing)), thing.name]
    if id(thing) in inside:
        return "..."  # a function that refers to itself
    inside |= {id(thing)}
    if isinstance(thing, Fraction | range):
        return repr(thing)
    if isinstance(thing, bytes):
        return ["bytes", content_digest(thing)]
    if isinstance(thing, np.ndarray | np.generic):
        return _array(np.asarray(thing), inside)
    if isinstance(thing, tuple | list):
        return ["list", *(_identity(item, inside) for item in thing)]
    if isinstance(thing, set | frozenset):
        return ["set", *sorted(json.dumps(_identity(item, inside)) for item in thing)]
    if isinstance(thing, Mapping):
        return ["dict", *([_identity(k, inside), _identity(v, inside)] for k, v in thing.items())]
    if isinstance(thing, type | types.FunctionType):
        return _code(thing, inside)
    if isinstance(thing, functools.partial):
        arguments = _identity([thing.args, thing.keywords], inside)
        return ["partial", _identity(thing.func, inside), arguments]
    if isinstance(thing, types.MethodType):
        return ["method", _identity(thing.__self__, inside), thing.__name__]
    if hasattr(thing, "__fingerprint__"):
        return [_code(type(thing), inside), _identity(thing.__fingerprint__(), inside)]
    if dataclasses.is_dataclass(thing):
        fields = [
            [field.name, _identity(getattr(thing, field.name), inside)]
            for field in dataclasses.fields(thing)
            if field.compare
        ]
        return [_code(type(thing), inside), *fields]
    if callable(thing) and hasattr(thing, "__name__"):
        return [_name(thing)]  # compiled: str.upper, np.sin
    if type(thing).__module__ != "builtins" and getattr(thing, "__dict__", None) == {}:
        return [_code(type(thing), inside)]
    raise FingerprintError(
        f"{thing!r} (a {_name(type(thing))}) cannot be told from others like it: make its class a "
        "frozen dataclass, or give it a method __fingerprint__() that returns plain values"
    )


def _number(value: Any) -> Any:
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float) and not math.isfinite(number):
        return repr(number)
    return number


def _array(array: np.ndarray[Any, Any], inside: frozenset[int]) -> Any:
    if array.dtype.hasobject:
        return ["array", list(array.shape), _identity(array.tolist(), inside)]
    return ["array", array.dtype.str, list(array.shape), content_digest(array.tobytes())]


def _code(thing: Any, inside: frozenset[int]) -> Any:
    """Identify a class or function: by its revision, or by what it consists of."""
    if isinstance(thing, types.FunctionType):
        if _installed(thing):
            return [_name(thing), *_revision(thing)]
        return [_name(thing), *(_revision(thing) or _function(thing, inside))]
    parts: list[Any] = [_name(thing)]
    for base in thing.__mro__:
        if revision := _revision(base):
            parts += [_name(base), *revision]
            break  # it speaks for its own bases too
        if _installed(base):
            parts.append(_name(base))
            continue
        for name, value in sorted(vars(base).items()):
            function = _as_function(value)
            if function is not None and not _generated(name):
                parts.append([name, *_function(function, inside)])
            elif isinstance(value, _CONSTANTS) and not name.startswith("__"):
                parts.append([name, _identity(value, inside)])
    return parts


def _revision(thing: Any) -> list[Any]:
    """Return the revision that `thing` itself declares; what it inherits is not about it."""
    declared = vars(thing).get("revision")
    return [] if declared is None else ["revision", declared]


def _function(function: types.FunctionType, inside: frozenset[int]) -> list[Any]:
    """Identify a function by its code, its defaults, and the constants and functions it uses."""
    variables = dict(function.__globals__)
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    variables |= {name: cell.cell_contents for name, cell in cells}
    used = [
        [name, _identity(variables[name], inside | {id(function)})]
        for name in _names_in(function.__code__)
        if isinstance(variables.get(name), (*_CONSTANTS, types.FunctionType))
    ]
    defaults = _identity([function.__defaults__, function.__kwdefaults__], inside)
    return [_compiled(function.__code__), defaults, used]


def _names_in(code: types.CodeType) -> list[str]:
    names = {*code.co_names, *code.co_freevars}
    for item in code.co_consts:
        if isinstance(item, types.CodeType):
            names.update(_names_in(item))
    return sorted(names)


def _compiled(code: types.CodeType) -> str:
    constants = [
        _compiled(item) if isinstance(item, types.CodeType) else repr(item)
        for item in code.co_consts
    ]
    names = [code.co_names, code.co_varnames, code.co_freevars]
    return content_digest(code.co_code, repr([names, constants]).encode())


def _as_function(value: Any) -> types.FunctionType | None:
    """Return the function behind an attribute of a class, if there is one."""
    value = getattr(value, "fget", None) or getattr(value, "func", None) or value
    value = getattr(value, "__func__", value)
    return value if isinstance(value, types.FunctionType) else None


def _generated(name: str) -> bool:
    """Whether a method is one that dataclasses write, or that cannot change a result."""
    return name.startswith("__") and name not in ("__call__", "__post_init__")


def _installed(thing: type | types.FunctionType) -> bool:
    """Whether something belongs to Python or to a package, and not to the project at hand."""
    package = thing.__module__.partition(".")[0]
    if package in ("featureflow", "zounds") or package in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(thing.__module__), "__file__", None)
    return file is not None and bool({"site-packages", "dist-packages"} & set(Path(file).parts))


def _name(thing: Callable[..., Any] | type) -> str:
    """Return where something is defined; a script keeps its name when it is imported."""
    module = str(getattr(getattr(thing, "__objclass__", thing), "__module__", None))
    if module == "__main__":
        main = sys.modules["__main__"]
        spec = getattr(main, "__spec__", None)
        file = getattr(main, "__file__", None)
        module = spec.name if spec is not None else Path(file).stem if file else "__main__"
    return f"{module}.{getattr(thing, '__qualname__', None) or getattr(thing, '__name__', thing)}"
