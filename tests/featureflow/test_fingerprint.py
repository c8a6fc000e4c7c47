import collections
import dataclasses
import datetime
import enum
import functools
import importlib
import operator
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from enum import Enum
from fractions import Fraction

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import KDTree

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
        (
            "class S:\n  def step(self, c): return [c]\nclass node:\n  def stream(self): return S()",  # noqa: E501
            "class S:\n  def step(self, c): return []\nclass node:\n  def stream(self): return S()",
        ),
        ("K = [1]\ndef node(x): return x * K[0]", "K = [2]\ndef node(x): return x * K[0]"),
        ("K = {'a': 1}\ndef node(x): return K[x]", "K = {'a': 2}\ndef node(x): return K[x]"),
        (
            "class C:\n  gain = 1\nc = C()\ndef node(x): return x * c.gain",
            "class C:\n  gain = 2\nc = C()\ndef node(x): return x * c.gain",
        ),
        (
            "class C:\n  def __init__(self, g): self.g = g\nc = C(1)\ndef node(x): return x * c.g",
            "class C:\n  def __init__(self, g): self.g = g\nc = C(2)\ndef node(x): return x * c.g",
        ),
        (
            "import functools\n@functools.lru_cache\ndef h(x): return x\ndef node(x): return h(x)",
            "import functools\n@functools.lru_cache\ndef h(x): return -x\ndef node(x): return h(x)",
        ),
        (
            "import functools\n@functools.lru_cache\ndef node(x): return x",
            "import functools\n@functools.lru_cache\ndef node(x): return -x",
        ),
        (
            "import numpy\nnode = numpy.vectorize(lambda x: x)",
            "import numpy\nnode = numpy.vectorize(lambda x: -x)",
        ),
        (
            "class T:\n  def __getitem__(self, i): return i\ndef node(x): return T()[x]",
            "class T:\n  def __getitem__(self, i): return -i\ndef node(x): return T()[x]",
        ),
        (
            "class node:\n  K = [1]\n  def __call__(self, x): return x * self.K[0]",
            "class node:\n  K = [2]\n  def __call__(self, x): return x * self.K[0]",
        ),
        (
            "class node:\n  @property\n  def k(self): return 1\n  def __call__(self, x): return self.k",  # noqa: E501
            "class node:\n  @property\n  def k(self): return 2\n  def __call__(self, x): return self.k",  # noqa: E501
        ),
        (
            "import enum\nclass E(enum.Enum):\n  A = 1\ndef node(x, e=E.A): return x * e.value",
            "import enum\nclass E(enum.Enum):\n  A = 2\ndef node(x, e=E.A): return x * e.value",
        ),
        (
            "import numpy\nM = numpy.ma.array([1, 2], mask=[0, 1])\ndef node(x): return x * M",
            "import numpy\nM = numpy.ma.array([1, 2], mask=[0, 0])\ndef node(x): return x * M",
        ),
        (
            "import types\nc = types.SimpleNamespace(g=1)\ndef node(x): return x * c.g",
            "import types\nc = types.SimpleNamespace(g=2)\ndef node(x): return x * c.g",
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
            self.state = threading.Lock()

    with pytest.raises(ff.FingerprintError, match="revision.*__fingerprint__.*in 'state' of"):
        identity(Opaque())


def test_ordinary_things_have_identities_and_their_state_counts():
    @dataclasses.dataclass
    class Config:
        path: pathlib.Path

    class Slots:
        __slots__ = ("a",)

        def __init__(self, a):
            self.a = a

    for make in (
        lambda n: re.compile(f"a{n}"),
        lambda n: pathlib.Path(f"a{n}"),
        lambda n: Config(pathlib.Path(f"a{n}")),
        lambda n: datetime.timedelta(n),
        lambda n: np.dtype(f"f{4 * n}"),
        lambda n: collections.deque([n]),
        lambda n: collections.defaultdict(list, a=n),
        lambda n: operator.itemgetter(n),
        lambda n: random.Random(n),
        lambda n: slice(n),
        lambda n: list[int] if n == 1 else list[str],
        lambda n: Slots(n),
        lambda n: PCA(1).fit([[0, n], [1, 1.0]]),
        lambda n: KDTree([[0.0], [n]]),
        lambda n: enum.IntEnum("E", {"A": n}),
    ):
        assert same(make(1), make(1)), make(1)
        assert not same(make(1), make(2)), make(1)


def test_subclasses_of_plain_types_are_not_taken_for_them():
    class Louder(list):
        def __call__(self, x):
            return x * self[0]

    class Number(float):
        pass

    assert not same(Louder([1]), [1])
    assert not same(Number(1), 1.0)
    assert not same(collections.Counter("a"), {"a": 1})


def test_what_a_cached_property_remembers_does_not_count():
    class Node:
        @functools.cached_property
        def window(self):
            return np.ones(3)

        def __call__(self, chunk):
            return chunk * self.window[0]

    node = Node()
    before = identity(node)
    node(np.ones(2))
    assert identity(node) == before


def test_the_name_of_an_attribute_is_not_taken_for_a_variable():
    node = compiled("import threading\nmean = threading.Lock()\ndef node(x): return x.mean()")
    assert same(node, compiled("mean = 3\ndef node(x): return x.mean()"))


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


def test_a_helper_in_another_module_of_the_project_counts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def made(helper, uses):
        (tmp_path / "my_helpers.py").write_text(helper)
        sys.modules.pop("my_helpers", None)
        importlib.invalidate_caches()
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        return compiled(uses)

    for uses in (
        "import my_helpers\ndef node(x): return my_helpers.f(x)",
        "import my_helpers as h\ndef node(x): return h.f(x)",
        "from my_helpers import f\ndef node(x): return f(x)",
        "def node(x):\n  import my_helpers\n  return my_helpers.f(x)",
    ):
        one = fingerprint(identity(made("def f(x): return x", uses)))
        assert one == fingerprint(identity(made("def f(x): return x", uses)))
        assert one != fingerprint(identity(made("def f(x): return -x", uses)))
    sys.modules.pop("my_helpers", None)


def test_what_a_function_uses_and_nobody_can_tell_is_refused_by_name():
    node = compiled("import threading\nstate = threading.Lock()\ndef node(x): return (x, state)")
    with pytest.raises(ff.FingerprintError, match=r"as 'state', used by node"):
        identity(node)
    node.revision = 1
    assert identity(node)


def test_a_feature_says_which_node_cannot_be_identified():
    class Model(ff.BaseModel):
        text = ff.TextFeature(
            compiled("import threading\ns = threading.Lock()\ndef node(x): return s"), store=True
        )
        database = ff.InMemoryDatabase()

    with pytest.raises(ff.FingerprintError, match=r"text \(node\): .*revision"):
        Model.process(text="a")


def test_a_global_that_changes_later_changes_the_identity():
    node = compiled("K = [1]\ndef node(x): return x * K[0]")
    feature = ff.Feature(node)
    before = feature.identity()
    node.__globals__["K"][0] = 2
    assert feature.identity() != before


def test_a_diamond_of_many_calls_is_walked_in_no_time():
    source = "def f0(x): return x\n" + "".join(
        f"def g{i}(x): return f{i - 1}(x)\ndef f{i}(x): return f{i - 1}(x) + g{i}(x)\n"
        for i in range(1, 60)
    )
    assert identity(compiled(source, "f59"))


def test_a_closure_that_is_not_filled_yet():
    source = """
    def make():
        def node(x): return later(x)
        found = identity(node)
        def later(x): return x
        return found
    """
    namespace = {"identity": identity, "__name__": "somewhere"}
    exec(textwrap.dedent(source), namespace)
    assert namespace["make"]()


def test_a_model_class_used_by_a_function_is_refused_because_it_may_learn_anew():
    class Learner(ff.BaseModel):
        pass

    with pytest.raises(ff.FingerprintError, match="Learner.*Learned"):
        identity(lambda x: Learner().pipeline.transform(x))


def test_a_document_as_a_parameter_is_told_by_its_content():
    class Text(ff.BaseModel):
        text = ff.TextFeature(str.upper, store=True)
        database = ff.InMemoryDatabase()

    _id = Text.process(text="a")
    one = identity(functools.partial(max, Text(_id)))
    assert one == identity(functools.partial(max, Text(_id)))
    Text.process(_id=_id, text="b")
    assert one != identity(functools.partial(max, Text(_id)))


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_the_hash_seed_of_a_process_does_not_matter(seed):
    program = (
        "from featureflow.fingerprint import fingerprint, identity\n"
        "def node(w): return w in {'red', 'green', 'blue'}\n"
        "print(fingerprint(identity([node, {'x', 'y', 'z'}])))\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": s},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for s in ("0", seed)
    ]
    assert runs[0] == runs[1]


def test_worker_processes_that_are_spawned_agree(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "import multiprocessing\n"
        "from featureflow.fingerprint import fingerprint, identity\n"
        "def node(x): return x + 1\n"
        "def tell(_): return fingerprint(identity(node))\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        assert pool.map(tell, [0]) == [tell(0)]\n"
    )
    subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, check=True)


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
