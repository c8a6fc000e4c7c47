"""The identity of a computation: change the computation, and its stored results have another key.

A node's identity is its type, its parameters, and its *revision*: a number its author declares and
raises when results change. A node without one is identified by its code, and by all that the code
uses: the functions, classes and values of the project at hand, wherever they are. What belongs to
Python or to an installed package is known by its name. So editing is enough; and what cannot be
identified is an error that asks for a revision, never a guess.
"""

from __future__ import annotations

import copyreg
import dataclasses
import dis
import functools
import importlib
import importlib.util
import inspect
import json
import logging
import math
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np

from featureflow.codec import content_digest
from featureflow.errors import FingerprintError
from featureflow.naming import qualified_name

_STANDARD_LIBRARY = sysconfig.get_paths()["stdlib"]

_LOADS = ("LOAD_GLOBAL", "LOAD_NAME")

# What is told by how it is written.
_WRITTEN = (
    *(Fraction, range, complex, slice, type(Ellipsis), type(NotImplemented)),
    *(types.GenericAlias, types.UnionType),
)

_known_by_name = {__name__.partition(".")[0]}

# What the dataclass decorator writes; its fields say as much.
_GENERATED = frozenset(
    f"__{name}__"
    for name in (
        *("init", "repr", "eq", "lt", "le", "gt", "ge", "hash"),
        *("replace", "setattr", "delattr", "getstate", "setstate"),
    )
)


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
        classes, objects with a ``__dict__``, and these within each other; or an object whose
        ``__fingerprint__()`` returns one of these. Fields of a dataclass with ``compare=False``
        do not count.

    Raises
    ------
    FingerprintError
        If something in it cannot be told from others like it; the message says what.
    """
    return _Identifier().identify(thing)


def known_by_name(package: str) -> None:
    """Let what belongs to a package be known by its name, wherever the package lies.

    For libraries of nodes, whose nodes declare revisions: what uses them has the same identity
    with an installed library and with one that is being worked on.

    Parameters
    ----------
    package : str
        The name of the top-level package.
    """
    _known_by_name.add(package)


def is_fixed(thing: Any) -> bool:
    """Return whether the `identity` of `thing` will always be the same, so that it may be kept."""
    if thing is None or isinstance(thing, bool | int | float | str | bytes | Fraction | Enum):
        return True
    if isinstance(thing, tuple):
        return all(map(is_fixed, thing))
    if _telling_method(thing) or not dataclasses.is_dataclass(thing):
        return False
    cls = thing if isinstance(thing, type) else type(thing)
    frozen = cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    known = frozen and any("revision" in vars(base) for base in cls.__mro__)
    return known and all(is_fixed(getattr(thing, f.name, None)) for f in dataclasses.fields(thing))


class _Identifier:
    """Walks through a thing and all that it uses, each once."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}
        self._alive: list[Any] = []  # ids are only good as long as their objects live

    def identify(self, thing: Any) -> Any:
        kind = type(thing)
        if thing is None or kind in (bool, str):
            return thing
        if kind in (int, float) or isinstance(thing, np.integer | np.floating):
            return _number(thing)
        if kind in _WRITTEN:
            return repr(thing)
        if id(thing) not in self._known:
            self._known[id(thing)] = f"recursion {len(self._known)}"
            self._alive.append(thing)
            # a digest: what is used in many places would be written out in each
            found = json.dumps(self._compound(thing)).encode()
            self._known[id(thing)] = content_digest(found)
        return self._known[id(thing)]

    def _compound(self, thing: Any) -> Any:
        kind = type(thing)
        if kind in (bytes, bytearray):
            return ["bytes", content_digest(thing)]
        if kind in (tuple, list):
            return ["list", *map(self.identify, thing)]
        if kind in (set, frozenset):
            return ["set", *sorted(json.dumps(self.identify(item)) for item in thing)]
        if kind is dict:
            return ["dict", *([self.identify(k), self.identify(v)] for k, v in thing.items())]
        if kind is np.ndarray or isinstance(thing, np.generic):
            return self._array(np.asarray(thing))
        if tells := _telling_method(thing):
            cls = qualified_name(kind) if _telling_method(kind) else self._code(kind)
            return [cls, self.identify(tells(thing))]
        if isinstance(thing, Enum):
            methods = [] if _installed(kind.__module__) else list(self._methods(kind))
            return [qualified_name(kind), thing.name, self.identify(thing.value), *methods]
        if isinstance(thing, type | types.FunctionType):
            return self._code(thing)
        if isinstance(thing, functools.partial):
            return ["partial", *map(self.identify, (thing.func, thing.args, thing.keywords))]
        if isinstance(thing, types.MethodType):
            return ["method", self.identify(thing.__self__), self.identify(thing.__func__)]
        if isinstance(thing, types.ModuleType | logging.Logger):
            return kind.__name__  # what is used of a module is identified by itself
        if callable(thing) and _is_found_by_name(thing):
            return [qualified_name(thing)]  # compiled: str.upper, np.sin
        if isinstance(thing, functools._lru_cache_wrapper):
            return ["cached", self.identify(thing.__wrapped__)]
        if hasattr(thing, "py_func"):  # compiled from it
            return [qualified_name(kind), self.identify(thing.py_func)]
        if dataclasses.is_dataclass(thing):
            fields = [field.name for field in dataclasses.fields(thing) if field.compare]
            inside = {name: getattr(thing, name) for name in fields}
            return [self._code(kind), self._state(kind, inside)]
        return self._object(thing)

    def _object(self, thing: Any) -> Any:
        """Identify any other object by what it would be copied from."""
        kind = type(thing)
        try:
            reduce = copyreg.dispatch_table.get(kind)
            copied = reduce(thing) if reduce is not None else thing.__reduce_ex__(2)
        except Exception:  # whatever objects do that cannot be copied
            raise FingerprintError(
                f"{thing!r} (a {qualified_name(kind)}) cannot be told from others like it: give "
                "the node that uses it a revision (revision = 1, to be raised when results "
                "change), or the object a method __fingerprint__() that returns plain values"
            ) from None
        if isinstance(copied, str):
            return [qualified_name(kind), copied]
        make, arguments, state, items, pairs = (*copied, None, None, None)[:5]
        return [
            self._code(kind),
            self.identify(make),
            *map(self.identify, arguments),
            *([self._state(kind, part) for part in (state if type(state) is tuple else [state])]),
            *map(self.identify, items or ()),
            *map(self.identify, pairs or ()),
        ]

    def _state(self, kind: type, state: Any) -> Any:
        """Identify the attributes of an object, but for those that a property has remembered."""
        if state is not None and type(state) is not dict:
            return self.identify(state)
        parts: list[Any] = []
        for name, value in (state or {}).items():
            if not isinstance(getattr(kind, str(name), None), functools.cached_property):
                with _located(f"in {name!r} of {kind.__qualname__}"):
                    parts.append([self.identify(name), self.identify(value)])
        return parts

    def _array(self, array: np.ndarray[Any, Any]) -> Any:
        shape = list(array.shape)
        if array.dtype.hasobject:
            return ["array", shape, self.identify(array.tolist())]
        return ["array", array.dtype.str, shape, content_digest(array.tobytes())]

    def _code(self, thing: Any) -> Any:
        """Identify a class or function: by its revision, or by what it consists of."""
        if isinstance(thing, types.FunctionType):
            if revision := _revision(thing):
                return [qualified_name(thing), *revision]
            if not _installed(thing.__globals__.get("__name__")):
                return [qualified_name(thing), *self._function(thing)]
            # made by a decorator of a package, around what it holds
            held = [] if _is_found_by_name(thing) else self._cells(thing).values()
            return [qualified_name(thing), *map(self.identify, held)]
        parts: list[Any] = [qualified_name(thing)]
        for base in thing.__mro__:
            if revision := _revision(base):
                parts += [qualified_name(base), *revision]
                break  # it speaks for its own bases too
            parts.append(qualified_name(base))
            if not _installed(base.__module__):
                parts += self._methods(base)
                parts += self._attributes(base)
        return parts

    def _methods(self, cls: type) -> Iterator[Any]:
        generated = _GENERATED if dataclasses.is_dataclass(cls) else frozenset()
        for name, value in sorted(vars(cls).items()):
            function = _as_function(value)
            if function is not None and (
                name not in generated or function.__code__.co_filename != "<string>"
            ):
                yield [name, *self._function(function)]

    def _attributes(self, cls: type) -> Iterator[Any]:
        if issubclass(cls, Enum):
            yield from ([member.name, self.identify(member.value)] for member in cls)
            return
        for name, value in sorted(vars(cls).items()):
            hidden = name.startswith("__") or name == "_abc_impl" or _is_slot(value)
            if not hidden and _as_function(value) is None:
                with _located(f"in {cls.__qualname__}.{name}"):
                    yield [name, self.identify(value)]

    def _cells(self, function: types.FunctionType) -> dict[str, Any]:
        """Return what a function holds of the functions around it."""
        names = function.__code__.co_freevars
        cells = zip(names, function.__closure__ or (), strict=True)
        empty = types.CellType()  # not filled yet
        return {name: cell.cell_contents for name, cell in cells if cell != empty}

    def _function(self, function: types.FunctionType) -> list[Any]:
        """Identify a function by its code, its defaults, and all that it uses."""
        code, cells = function.__code__, self._cells(function)
        with _located(f"used by {function.__qualname__}"):
            defaults = self.identify([function.__defaults__, function.__kwdefaults__])
        variables = {name: function.__globals__[name] for name in _variables_in(code)
                     if name in function.__globals__} | cells  # fmt: skip
        for module in _imports_in(code):
            if not _installed(module):
                variables.setdefault(module.partition(".")[0], importlib.import_module(module))
        used = self._used(sorted(variables), variables, code, function.__qualname__, set())
        return [_compiled(code), defaults, *used]

    def _used(
        self,
        names: list[str],
        variables: Mapping[str, Any],
        code: types.CodeType,
        by: str,
        modules: set[str],
    ) -> Iterator[Any]:
        for name in names:
            value = variables.get(name)
            if isinstance(value, types.ModuleType):
                if not _installed(value.__name__) and value.__name__ not in modules:
                    modules.add(value.__name__)
                    inside = [other for other in _names_in(code) if other in vars(value)]
                    yield from self._used(inside, vars(value), code, by, modules)
            elif not name.startswith("__"):
                with _located(f"as {name!r}, used by {by}"):
                    yield [name, self.identify(value)]


class _located:  # noqa: N801  # reads as a verb
    """Say in a `FingerprintError` where it came up, from the inside out."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, FingerprintError):
            error.args = (f"{error.args[0]}; it is {self._where}",)


def _telling_method(thing: Any) -> Any:
    """Return the ``__fingerprint__`` of the class of `thing`; a class has that of its metaclass."""
    found = (vars(base).get("__fingerprint__") for base in type(thing).__mro__)
    return next(filter(None, found), None)


def _number(value: Any) -> Any:
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float) and not math.isfinite(number):
        return repr(number)
    return number if isinstance(number, int | float) else repr(number)


def _revision(thing: Any) -> list[Any]:
    """Return the revision that `thing` itself declares; what it inherits is not about it."""
    declared = vars(thing).get("revision")
    return ["revision", declared] if isinstance(declared, int | str) else []


def _installed(module: Any) -> bool:
    """Whether a module belongs to Python or to a package, and not to the project at hand."""
    if not isinstance(module, str):
        return False
    package = module.partition(".")[0]
    if package in ("__main__", "__mp_main__"):
        return False
    if package in _known_by_name or package in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None and module not in sys.modules:
        spec = importlib.util.find_spec(package)
        file = spec.origin if spec is not None else None
    return file is not None and (file.startswith(_STANDARD_LIBRARY) or "-packages" in file)


def _is_found_by_name(thing: Any) -> bool:
    """Whether a callable is compiled, and can be found in its package under its name."""
    if isinstance(thing, types.BuiltinFunctionType | types.MethodDescriptorType):
        return True
    module, name = getattr(thing, "__module__", None), getattr(thing, "__name__", None)
    if not (isinstance(module, str) and isinstance(name, str) and _installed(module)):
        return False
    return getattr(sys.modules.get(module), name, None) is thing


@functools.lru_cache(maxsize=1024)
def _names_in(code: types.CodeType) -> tuple[str, ...]:
    """Return all names in a function: variables, attributes and modules."""
    return tuple(sorted({*code.co_names, *(n for inner in _inner(code) for n in _names_in(inner))}))


@functools.lru_cache(maxsize=1024)
def _variables_in(code: types.CodeType) -> frozenset[str]:
    """Return the global variables that a function reads."""
    own = {i.argval for i in dis.get_instructions(code) if i.opname in _LOADS}
    return frozenset(own.union(*map(_variables_in, _inner(code))))


@functools.lru_cache(maxsize=1024)
def _imports_in(code: types.CodeType) -> frozenset[str]:
    """Return the modules that a function imports when it is called."""
    own = {i.argval for i in dis.get_instructions(code) if i.opname == "IMPORT_NAME"}
    return frozenset(own.union(*map(_imports_in, _inner(code))))


def _inner(code: types.CodeType) -> list[types.CodeType]:
    return [item for item in code.co_consts if isinstance(item, types.CodeType)]


def _compiled(code: types.CodeType) -> str:
    names = [code.co_names, code.co_varnames, code.co_freevars]
    return content_digest(code.co_code, repr([names, _constant(code.co_consts)]).encode())


def _constant(value: Any) -> Any:
    """Return a constant of compiled code, independent of hash seeds and addresses."""
    if isinstance(value, types.CodeType):
        return _compiled(value)
    if isinstance(value, tuple):
        return [_constant(item) for item in value]
    if isinstance(value, frozenset):
        return ["set", *sorted(repr(_constant(item)) for item in value)]
    return [type(value).__name__, repr(value)]


def _as_function(value: Any) -> types.FunctionType | None:
    """Return the function behind an attribute of a class, if there is one."""
    if isinstance(value, property | functools.cached_property):
        value = value.fget if isinstance(value, property) else value.func
    value = getattr(value, "__func__", value)
    return value if isinstance(value, types.FunctionType) else None


def _is_slot(value: Any) -> bool:
    return inspect.isdatadescriptor(value) and not hasattr(value, "__dict__")
