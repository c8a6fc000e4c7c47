"""The rules that the packages keep: who may import whom, and what they make public."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
FILES = sorted(SOURCE.rglob("*.py"))

# From the bottom up. A module imports from lower layers only; those of one layer that are listed
# apart do not import each other.
LAYERS = [
    [["featureflow.errors"], ["featureflow.naming"]],
    [["featureflow.codec"], ["featureflow.stores"], ["featureflow.spool"], ["featureflow.node"]],
    [["featureflow.source"], ["featureflow.downloads"], ["featureflow.decompression"]],
    [["featureflow.archives"]],
    [["featureflow.sources"]],
    [["featureflow.fingerprint"], ["featureflow.plan"], ["featureflow.settings"]],
    [["featureflow.run"], ["featureflow.feature"]],
    [["featureflow.document"]],
    [["featureflow.computation"]],
    [["featureflow.model"], ["featureflow.upkeep"]],
    [["featureflow"]],
    [["zounds.errors"], ["zounds._native"]],
    [["zounds.units"], ["zounds.display"]],
    [["zounds.arrays"]],
    [["zounds.feature_types"]],
    [["zounds.audio"], ["zounds.dsp"], ["zounds.learn"], ["zounds.index"], ["zounds.quality"]],
    [["zounds.pipelines"], ["zounds.demo"]],
    [["zounds.corpus"]],
    [["zounds.web"]],
    [["zounds"]],
    [["zounds.cli"]],
    [["zounds_command"]],
    [["zounds.__main__"]],
]


def module_of(path):
    parts = list(path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def group_of(module):
    """The layer and the group of a module: those of the longest listed name it belongs to."""
    found = None
    for level, layer in enumerate(LAYERS):
        for place, group in enumerate(layer):
            for name in group:
                # the packages themselves stand for their __init__ only
                inside = module == name or (
                    name not in ("featureflow", "zounds") and module.startswith(name + ".")
                )
                if inside:
                    found = level, place
    assert found is not None, f"{module} has no layer: put it into LAYERS"
    return found


def imports_of(path):
    """Every module that a file imports from the two packages, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            # `from zounds import display` imports a module, not the package's face
            names = [
                inner if (inner := f"{node.module}.{alias.name}") in FILE_OF else node.module
                for alias in node.names
            ]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in ("featureflow", "zounds"))


FILE_OF = {module_of(path): path for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_point_down(path):
    mine = group_of(module_of(path))
    for imported in imports_of(path):
        theirs = group_of(imported)
        assert theirs[0] < mine[0] or theirs == mine, f"{module_of(path)} imports {imported}"


def every_import_of(module):
    """The modules that a module imports, and those that they import, and so on."""
    found, waiting = set(), [module]
    while waiting:
        path = FILE_OF[waiting.pop()]
        fresh = set(imports_of(path)) - found
        found |= fresh
        waiting.extend(fresh)
    return found


@pytest.mark.parametrize(
    "module",
    [name for name in FILE_OF if re.match(r"zounds\.(units|arrays|dsp|audio)\b", name)],
)
def test_signal_processing_never_imports_the_graph(module):
    graph = {f"featureflow.{name}" for name in ("feature", "document", "model", "plan", "run")}
    assert every_import_of(module) & {"featureflow", "zounds", *graph} == set()


def test_featureflow_knows_nothing_of_zounds():
    for path in (SOURCE / "featureflow").rglob("*.py"):
        assert "zounds" not in {name.split(".")[0] for name in imports_of(path)}, path


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_files_stay_readable(path):
    assert len(path.read_text().splitlines()) <= 450


@pytest.mark.parametrize("package", ["featureflow", "zounds"])
def test_the_public_names_are_sorted_complete_and_there(package):
    module = importlib.import_module(package)
    assert module.__all__ == sorted(set(module.__all__))
    tree = ast.parse(Path(module.__file__).read_text())
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(module.__all__) == imported
    for name in module.__all__:
        assert getattr(module, name).__doc__, f"{package}.{name} has no docstring"


def test_both_packages_are_typed():
    assert (SOURCE / "featureflow" / "py.typed").exists()
    assert (SOURCE / "zounds" / "py.typed").exists()


def test_importing_zounds_imports_nothing_heavy():
    code = "import sys, zounds; print(*sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    loaded = {name.split(".")[0] for name in printed.split()}
    heavy = {
        *("matplotlib", "sklearn", "scipy", "torch", "dask", "distributed", "pymilvus", "obstore"),
        *("fastapi", "starlette", "uvicorn", "IPython", "ipykernel", "librosa", "av", "pandas"),
        *("typer", "rich", "pyarrow", "loky", "pydantic", "anyio", "jupyter_client", "zmq"),
    }
    assert "zounds" in loaded
    assert loaded & heavy == set()


def every_error(base):
    yield base
    for derived in base.__subclasses__():
        yield from every_error(derived)


def test_all_exceptions_are_in_one_tree_and_public():
    import featureflow
    import zounds

    for error in every_error(featureflow.Error):
        package = error.__module__.split(".")[0]
        if package in ("featureflow", "zounds"):
            assert error.__name__ in {"featureflow": featureflow, "zounds": zounds}[package].__all__
            assert error.__module__ in ("featureflow.errors", "zounds.errors")


def test_every_node_of_zounds_declares_its_revision():
    import zounds

    for name in zounds.__all__:
        thing = getattr(zounds, name)
        is_node = isinstance(thing, type) and any(
            method in vars(base)
            for base in thing.__mro__
            for method in ("__call__", "stream", "fit")
        )
        if is_node and "Synthesizer" not in name:
            declared = [base for base in thing.__mro__ if "revision" in vars(base)]
            assert declared, f"{name} declares no revision"
