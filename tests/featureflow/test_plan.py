import pytest

import featureflow as ff
from featureflow.plan import Spec, plan


def graph(**needs):
    return {name: Spec(name, str, tuple(need)) for name, need in needs.items()}


def names(todo):
    return todo.reads, tuple(step.name for step in todo.steps)


DIAMOND = graph(root=(), left=["root"], right=["root"], both=["left", "right"], other=["root"])


def test_everything_on_the_way_is_computed_once_after_what_it_needs():
    assert names(plan(DIAMOND, ["both"], lambda _: False)) == (
        (),
        ("root", "left", "right", "both"),
    )


def test_what_is_there_is_read_and_nothing_behind_it_is_touched():
    asked = []

    def have(name):
        asked.append(name)
        return name in ("left", "right")

    assert names(plan(DIAMOND, ["both"], have)) == (("left", "right"), ("both",))
    assert set(asked) == {"both", "left", "right"}


def test_what_is_wanted_and_there_is_only_read():
    assert names(plan(DIAMOND, ["both"], lambda _: True)) == (("both",), ())


def test_the_roots_of_a_plan_are_those_that_have_to_be_handed_over():
    assert plan(DIAMOND, ["left", "other"], lambda _: False).roots == ("root",)
    assert plan(DIAMOND, ["left"], "root".__eq__).roots == ()


def test_a_misspelt_dependency_is_named_with_what_needs_it_and_what_was_meant():
    with pytest.raises(ff.UnknownFeature, match="bfcc needs 'brak'.*did you mean 'bark'"):
        plan(graph(bark=(), bfcc=["brak"]), ["bfcc"], lambda _: False)


def test_an_unknown_wish_lists_what_there_is():
    with pytest.raises(ff.UnknownFeature, match="'zzz' is not a feature.*there are a, b"):
        plan(graph(a=(), b=()), ["zzz"], lambda _: False)


def test_a_cycle_is_shown_with_all_its_members():
    with pytest.raises(ff.CyclicGraph, match="a -> b -> c -> a"):
        plan(graph(a=["b"], b=["c"], c=["a"]), ["a"], lambda _: False)


def test_a_long_chain_is_planned():
    chain = graph(f0=(), **{f"f{i}": [f"f{i - 1}"] for i in range(1, 300)})
    assert len(plan(chain, ["f299"], lambda _: False).steps) == 300


class Fits:
    def fit(self, examples):
        return self


def test_a_fitting_node_gets_what_the_one_before_it_makes_of_its_examples():
    specs = [
        Spec("data", list),
        Spec("norm", Fits(), ("data",)),
        Spec("means", Fits(), ("norm",)),
        Spec("pipeline", list, ("norm", "means")),
    ]
    todo = plan({spec.name: spec for spec in specs}, ["pipeline"], lambda _: False)
    needs = {step.name: step.needs for step in todo.steps}
    assert needs["means"] == ("norm.examples",)
    assert needs["norm.examples"] == ("norm", "data")
    assert needs["pipeline"] == ("norm", "means")


def test_examples_come_from_stored_data_even_where_the_transform_is_stored():
    specs = [Spec("data", list), Spec("norm", Fits(), ("data",)), Spec("means", Fits(), ("norm",))]
    todo = plan({s.name: s for s in specs}, ["means"], lambda name: name in ("data", "norm"))
    assert set(todo.reads) == {"data", "norm"}
    assert [step.name for step in todo.steps] == ["norm.examples", "means"]
