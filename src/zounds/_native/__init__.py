"""The compiled part of zounds: loops that NumPy cannot express without memory between its steps.

It is one shared library of plain C, compiled when the package is installed where there is a
compiler. It has no interface to Python but `ctypes`, which lets other threads run meanwhile, so
that one library serves every version of Python. Whoever uses it has a way without it.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = ("scan.c", "kernel.h")
# the second dot tells it from modules of Python, which also end in .so
LIBRARY = HERE / ("zounds.native.dylib" if sys.platform == "darwin" else "zounds.native.so")


def digest_of_sources() -> str:
    """Return what tells the sources of the library from those of other versions."""
    state = hashlib.blake2b(digest_size=8)
    for name in SOURCES:
        state.update((HERE / name).read_bytes())
    return state.hexdigest()


@cache
def library() -> ctypes.CDLL | None:
    """Return the library; None if it was not compiled here, or from other sources than these."""
    try:
        loaded = ctypes.CDLL(str(LIBRARY))
        loaded.zounds_sources.restype = ctypes.c_char_p
        made_of = loaded.zounds_sources().decode()
    except (OSError, AttributeError):
        return None
    return loaded if made_of == digest_of_sources() else None
