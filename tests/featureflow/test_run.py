import numpy as np
import pytest

import featureflow as ff
from featureflow.plan import Spec, plan
from featureflow.run import join, run


class Pairs:
    """Puts two chunks together; what is left over comes at the end."""

    def stream(self):
        return PairsStage()


class PairsStage:
    def __init__(self):
        self.waiting = []

    def step(self, chunk):
        self.waiting.append(chunk)
        if len(self.waiting) == 2:
            yield sum(self.waiting)
            self.waiting = []

    def flush(self):
        return self.waiting


class Mean:
    def fit(self, examples):
        return Minus(np.mean(examples))


class Minus:
    def __init__(self, mean):
        self.mean = mean

    def transform(self, examples):
        return np.asarray(examples) - self.mean


def compute(*specs, give, want=None):
    graph = {spec.name: spec for spec in specs}
    made = {}
    todo = plan(graph, want or [specs[-1].name], lambda _: False)
    run(todo, {specs[0].name: [give]}, lambda name, chunk: made.setdefault(name, []).append(chunk))
    return made


ITEMS = Spec("items", ff.IteratorNode())


def test_chunks_go_down_one_by_one_and_the_rest_at_the_end():
    made = compute(ITEMS, Spec("pairs", Pairs(), ("items",)), give=[1, 2, 3, 4, 5])
    assert made["pairs"] == [3, 7, 5]


def test_what_is_flushed_passes_through_the_stages_behind():
    made = compute(
        ITEMS, Spec("a", Pairs(), ("items",)), Spec("b", Pairs(), ("a",)), give=[1, 2, 3, 4, 5]
    )
    assert made["b"] == [10, 5]


def test_a_generator_is_read_as_far_as_needed_before_the_next_chunk_is_made():
    order = []

    def items():
        for i in range(3):
            order.append(("read", i))
            yield i

    def seen(chunk):
        order.append(("seen", chunk))
        return chunk

    compute(ITEMS, Spec("seen", seen, ("items",)), give=items())
    assert order == [(what, i) for i in range(3) for what in ("read", "seen")]


def test_a_diamond_gives_a_node_with_several_needs_their_whole_values_in_order():
    made = compute(
        ITEMS,
        Spec("double", lambda x: x * 2, ("items",)),
        Spec("both", lambda a, b: (a.tolist(), b.tolist()), ("double", "items")),
        give=[np.array([1]), np.array([2])],
    )
    assert made["both"] == [([2, 4], [1, 2])]


def test_a_fitting_node_sees_all_of_its_input_and_the_next_what_it_made_of_it():
    seen = []

    class Spy(Mean):
        def fit(self, examples):
            seen.append(examples.tolist())
            return self

    compute(
        ITEMS,
        Spec("mean", Mean(), ("items",)),
        Spec("spy", Spy(), ("mean",)),
        give=[np.array([1.0, 2.0]), np.array([6.0])],
    )
    assert seen == [[-2.0, -1.0, 3.0]]


def test_stages_are_fresh_in_each_run():
    specs = ITEMS, Spec("pairs", Pairs(), ("items",))
    assert compute(*specs, give=[1])["pairs"] == [1]
    assert compute(*specs, give=[2])["pairs"] == [2]


def failing(chunk):
    raise KeyError("boo")


def test_a_failure_names_the_feature_and_the_node_and_keeps_the_cause():
    with pytest.raises(ff.NodeError, match=r"'bad' \(failing\).*KeyError.*boo") as caught:
        compute(ITEMS, Spec("bad", failing, ("items",)), Spec("c", len, ("bad",)), give=[1])
    assert isinstance(caught.value.__cause__, KeyError)


def test_the_failure_of_a_generator_that_was_handed_over_is_the_roots():
    def items():
        yield 1
        raise OSError("unplugged")

    with pytest.raises(ff.NodeError, match=r"'items' \(IteratorNode\).*unplugged"):
        compute(ITEMS, Spec("same", abs, ("items",)), give=items())


def test_our_own_errors_pass_and_are_noted_once():
    def refuse(chunk):
        raise ff.InvalidParameter("no")

    with pytest.raises(ff.InvalidParameter) as caught:
        compute(ITEMS, Spec("a", abs, ("items",)), Spec("b", refuse, ("a",)), give=[1])
    assert len(caught.value.__notes__) == 1
    assert "'b'" in caught.value.__notes__[0]


def test_what_is_not_iterable_is_refused_by_the_iterator_node():
    for wrong in (3, "text", b"bytes"):
        with pytest.raises(ff.InvalidParameter, match="not an iterable of examples"):
            compute(ITEMS, give=wrong)


def test_join():
    assert join([1]) == 1
    assert join([b"a", b"b"]) == b"ab"
    assert join(["a", "b"]) == "ab"
    np.testing.assert_array_equal(join([np.arange(2), np.arange(3)]), [0, 1, 0, 1, 2])
    with pytest.raises(ff.GraphError, match="no chunks"):
        join([])
    with pytest.raises(ff.GraphError, match="2 chunks of dict.*Whole"):
        join([{"a": 1}, {"b": 2}])
