import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zounds import _native

HERE = Path(_native.__file__).parent
compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


@pytest.fixture
def package(tmp_path):
    """A copy of the sources, not compiled."""
    ignored = shutil.ignore_patterns("*.so", "*.dylib", "__pycache__")
    return Path(shutil.copytree(HERE, tmp_path / "native", ignore=ignored))


def build(package, **environment):
    return subprocess.run(
        [sys.executable, package / "build.py"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def loads(package):
    code = f"import sys; sys.path.insert(0, {str(package.parent)!r}); import native\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "print(native.library() is not None)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip() == "True"


@pytest.mark.skipif(not compiler, reason="needs a C compiler")
def test_the_sources_are_compiled_without_a_warning_and_loaded(package):
    warnings = ["-Wall", "-Wextra", "-Wno-maybe-uninitialized", "-Werror"]
    assert "not compiled" not in build(package, CC=" ".join([compiler, *warnings]))
    assert loads(package)


@pytest.mark.parametrize("broken", ["false", "/no/such/compiler"])
def test_without_a_compiler_there_is_no_library_and_no_error(package, broken):
    assert build(package, CC=broken) == "not compiled: NumPy will do the work\n"
    assert not loads(package)
    assert sorted(path.suffix for path in package.glob("*.*")) == [".c", ".h", ".py", ".py"]


@pytest.mark.skipif(not compiler, reason="needs a C compiler")
def test_a_library_of_other_sources_is_not_used(package):
    build(package)
    with (package / "scan.c").open("a") as file:
        file.write("/* changed */\n")
    assert not loads(package)


def test_a_library_that_is_none_is_not_used(package):
    (package / _native.LIBRARY.name).write_bytes(b"\x7fELF and no more")
    assert not loads(package)
