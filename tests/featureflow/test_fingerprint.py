import dataclasses
import functools
import subprocess
import sys
import textwrap
from enum import Enum
from fractions import Fraction

import numpy as np
import pytest

import featureflow as ff
from featureflow.fingerprint import fingerprint, identity


@dataclasses.dataclass(frozen=True)
class Declared:
    gain: float = 1.0
    read_size: int = dataclasses.field(default=10, compare=False)
    revision = 1

    def __call__(self, chunk):
        return chunk * self.gain


class Color(Enum):
    RED = 1


def compiled(source, name="node"):
    namespace = {"__name__": "somewhere"}
    exec(textwrap.dedent(source), namespace)
    return namespace[name]


def same(a, b):
    return fingerprint(identity(a)) == fingerprint(identity(b))


def test_parameters_count_except_those_that_change_no_result():
    assert same(Declared(), Declared(1.0))
    assert not same(Declared(), Declared(2.0))
    assert same(Declared(read_size=1), Declared(read_size=2))


def test_what_a_node_needs_counts_and_so_does_its_order():
    node = identity(Declared())
    assert fingerprint(node, ["a", "b"]) != fingerprint(node, ["b", "a"])
    assert fingerprint(node, ["a"]) != fingerprint(node)


def test_a_new_revision_is_another_computation_and_the_code_is_not_asked():
    one = "class node:\n  revision = {}\n  def __call__(self, x): return x + {}"
    assert same(compiled(one.format(1, 1))(), compiled(one.format(1, 2))())
    assert not same(compiled(one.format(1, 1))(), compiled(one.format(2, 1))())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def node(x): return x + 1", "def node(x): return x + 2"),
        ("def node(x): return x + 1", "def node(x): return x - 1"),
        ("def node(x, k=1): return x + k", "def node(x, k=2): return x + k"),
        ("node = lambda x: [y for y in x]", "node = lambda x: [-y for y in x]"),
        (
            "def h(x): return x\ndef node(x): return h(x)",
            "def h(x): return -x\ndef node(x): return h(x)",
        ),
        ("K = 1\ndef node(x): return x * K", "K = 2\ndef node(x): return x * K"),
        (
            "def make(k):\n  def node(x): return x * k\n  return node\nnode = make(1)",
            "def make(k):\n  def node(x): return x * k\n  return node\nnode = make(2)",
        ),
        (
            "class node:\n  def __call__(self, x): return x + 1",
            "class node:\n  def __call__(self, x): return x + 2",
        ),
        (
            "class node:\n  K = 1\n  def __call__(self, x): return x + self.K",
            "class node:\n  K = 2\n  def __call__(self, x): return x + self.K",
        ),
        (
            "class B:\n  def f(self): return 1\nclass node(B):\n  def __call__(self, x): return x",
            "class B:\n  def f(self): return 2\nclass node(B):\n  def __call__(self, x): return x",
        ),
        (
            "class B:\n  revision = 1\nclass node(B):\n  def __call__(self, x): return x",
            "class B:\n  revision = 1\nclass node(B):\n  def __call__(self, x): return -x",
        ),
        (
            "class B:\n  revision = 1\nclass node(B):\n  def __call__(self, x): return x",
            "class B:\n  revision = 2\nclass node(B):\n  def __call__(self, x): return x",
        ),
    ],
)
def test_editing_a_node_without_a_revision_is_another_computation(before, after):
    def made(source):
        node = compiled(source)
        return node() if isinstance(node, type) else node

    sys.modules["somewhere"] = sys.modules[__name__]
    try:
        assert same(made(before), made(before))
        assert not same(made(before), made(after))
    finally:
        del sys.modules["somewhere"]


def test_a_function_that_calls_itself_has_an_identity():
    assert same(
        compiled("def node(x): return node(x - 1) if x else 0"),
        compiled("def node(x): return node(x - 1) if x else 0"),
    )


@pytest.mark.parametrize(
    "different",
    [
        [1, 1.5, "1", None, True, b"1", Fraction(1, 2), (1,), {"1": 1}, {1}, range(1)],
        [np.arange(3), np.arange(3.0), np.arange(4), np.arange(3)[:, None]],
        [np.float32, np.float64, np.sin, np.cos, len, sorted],
        [functools.partial(sorted, reverse=True), functools.partial(sorted, reverse=False)],
        [float("nan"), float("inf"), Color.RED],
    ],
)
def test_parameters_that_differ_have_different_identities(different):
    prints = [fingerprint(identity(value)) for value in different]
    assert len(set(prints)) == len(prints)
    assert prints == [fingerprint(identity(value)) for value in different]


def test_what_cannot_be_told_apart_is_refused_with_a_remedy():
    class Opaque:
        def __init__(self):
            self.state = object()

    with pytest.raises(ff.FingerprintError, match="frozen dataclass.*__fingerprint__"):
        identity(Opaque())


def test_an_object_may_say_what_it_is():
    class Model:
        def __init__(self, digest):
            self.digest = digest

        def __fingerprint__(self):
            return self.digest

    assert same(Model("a"), Model("a"))
    assert not same(Model("a"), Model("b"))


def test_what_holds_something_that_may_change_may_change():
    class Model:
        digest = "a"

        def __fingerprint__(self):
            return self.digest

    model = Model()
    for node in (model, [model], {"k": model}, functools.partial(len, model), Declared(model)):
        feature = ff.Feature(lambda chunk, held: chunk, held=node)
        model.digest = "a"
        before = feature.identity()
        assert feature.identity() == before
        model.digest = "b"
        assert feature.identity() != before


def test_what_belongs_to_a_package_is_known_by_its_name_wherever_it_is_installed():
    assert identity(ff.Source.of) == ["featureflow.sources.Source.of"]
    assert "code" not in str(identity(Fraction))


def test_a_script_and_its_import_and_another_process_agree(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "from featureflow.fingerprint import fingerprint, identity\n"
        "def node(x): return x + 1\n"
        "class Other:\n    def __call__(self, x): return {'b', 'a'}\n"
        "print(fingerprint(identity([node, Other(), {'x', 'y', 'z'}])))\n"
    )
    runs = [["mine.py"], ["-m", "mine"], ["-c", "import mine"]]
    printed = {
        subprocess.run(
            [sys.executable, *run], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        for run in runs
    }
    assert len(printed) == 1
