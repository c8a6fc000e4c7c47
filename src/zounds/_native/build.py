"""Compiles the native library, beside its sources; also a program: ``python build.py``.

It imports nothing of zounds, since it runs before zounds is installed.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

FLAGS = ("-O3", "-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden")


def build() -> Path | None:
    """Compile the library.

    Returns
    -------
    Path or None
        None where there is no compiler, or it does not take the sources: then NumPy does the work.
    """
    here = Path(__file__).parent
    spec = importlib.util.spec_from_file_location("zounds_native_names", here / "__init__.py")
    if spec is None or spec.loader is None:
        return None
    names = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(names)
    target: Path = names.LIBRARY
    target.unlink(missing_ok=True)
    asked = shlex.split(os.environ.get("CC", ""))
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    compiler = asked or ([found] if found else [])
    if not compiler:
        return None
    draft = target.with_suffix(f".{os.getpid()}")
    made_of = f'-DSOURCES="{names.digest_of_sources()}"'
    command = [*compiler, *FLAGS, made_of, "-o", str(draft), str(here / names.SOURCES[0])]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        draft.replace(target)
    except (OSError, subprocess.CalledProcessError):
        draft.unlink(missing_ok=True)
        return None
    return target


if __name__ == "__main__":
    built = build()
    sys.stdout.write(f"{built}\n" if built else "not compiled: NumPy will do the work\n")
