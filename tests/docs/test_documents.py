"""The documents are true: their code runs as it stands."""

import code
import doctest
import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import featureflow
import zounds

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    module.name
    for package in (featureflow, zounds)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
)


def python_in(document):
    return "\n".join(re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL))


class Pasting(code.InteractiveConsole):
    """Takes lines as they are pasted into Python; stops at the first error."""

    def showtraceback(self):
        raise AssertionError("the pasted code failed") from sys.exc_info()[1]

    def showsyntaxerror(self, *args, **kwargs):
        raise AssertionError("the pasted code is not what Python takes") from sys.exc_info()[1]


PASTED = """
import re, sys
sys.path.insert(0, {tests!r})
from test_documents import Pasting, python_in
from pathlib import Path
console = Pasting()
for line in python_in(Path({document!r})).split("\\n"):
    console.push(line)
assert console.buffer == [], console.buffer
"""

AGAIN = """
import zounds
def computed(self, *args): raise AssertionError("it was computed again")
zounds.BarkBands.__call__ = zounds.BFCC.__call__ = zounds.Decode.stream = computed
"""


def python(program, folder):
    return subprocess.run(
        # of sounds there are few here, which is told
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore:learned from views of 24 clips",
            "-c",
            program,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_the_tutorial_pasted_into_a_session_and_continued_in_another(in_folder, sounds_zip):
    shutil.copy(sounds_zip, in_folder / "sounds.zip")
    tutorial = ROOT / "docs" / "tutorial.md"
    paste = PASTED.format(tests=str(Path(__file__).parent), document=str(tutorial))
    first = python(paste, in_folder)
    assert first.returncode == 0, first.stderr
    assert "set/" in first.stdout  # names of sounds that were found
    assert {path.name for path in in_folder.iterdir()} == {
        *("sounds.zip", "timbre", "BfccKmeans", "BfccKmeansIndex")
    }

    # a second session: the classes as before, and every stored feature is found
    declared = python_in(tutorial)
    classes = "\n".join(
        re.findall(
            r"^(?:(?:import|windowing|STFT|BaseIndex).*|(?:@.*\n)?class .*\n(?:    .*\n)+)",
            declared[: declared.index("import numpy")],
            re.MULTILINE,
        )
    )
    second = python(
        AGAIN
        + classes
        + "documents = list(WithCodes)\n"
        + "assert len(documents) == 24\n"
        + "for doc in documents: doc.bark, doc.bfcc, doc.bfcc_kmeans, doc.bfcc_kmeans_pooled\n"
        + "for zf in ff.iter_zip('sounds.zip'): WithTimbre.process(meta=zf)\n"
        + "assert len(list(WithCodes)) == 24\n"
        + "print(BfccKmeansIndex().random_search())\n",
        in_folder,
    )
    assert second.returncode == 0, second.stderr
    assert "set/" in second.stdout


def test_the_code_of_the_readme_pasted_into_a_session(in_folder, sounds_zip):
    shutil.copy(sounds_zip, in_folder / "sounds.zip")
    paste = PASTED.format(tests=str(Path(__file__).parent), document=str(ROOT / "README.md"))
    done = python(paste, in_folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(51, 13)") == 24


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name):
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")))
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_readme_names_the_two_commands():
    readme = (ROOT / "README.md").read_text()
    for command in ("make demo", "make test"):
        assert command in readme
    assert "make test" in (ROOT / ".ci" / "run").read_text()
