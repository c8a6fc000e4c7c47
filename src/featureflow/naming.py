"""What classes and functions are called, wherever they are run from."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any


def qualified_name(thing: Any) -> str:
    """Return module and name of a class or function.

    A script has the name of its file, so that it is called the same when it is imported, and in
    the worker processes it starts.

    Examples
    --------
    >>> import pathlib
    >>> qualified_name(pathlib.Path.exists), qualified_name(str.upper)
    ('pathlib.Path.exists', 'builtins.str.upper')
    """
    module = str(getattr(getattr(thing, "__objclass__", thing), "__module__", None))
    if module in ("__main__", "__mp_main__"):
        main = sys.modules.get(module)
        spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
        module = spec.name if spec is not None else Path(file).stem if file else "__main__"
        module = module.removesuffix(".__main__")
    return f"{module}.{getattr(thing, '__qualname__', None) or getattr(thing, '__name__', thing)}"


def node_name(node: Any) -> str:
    """Return what people call a node: the name of its class or function."""
    while isinstance(node, functools.partial):
        node = node.func
    return getattr(node, "__qualname__", None) or type(node).__qualname__
