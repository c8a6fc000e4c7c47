"""What has to be computed, and from what: a pure function of the graph."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from featureflow.errors import CyclicGraph, UnknownFeature
from featureflow.node import Transform, Whole, is_fitting, is_streaming


@dataclass(frozen=True)
class Spec:
    """One computation of a graph.

    Parameters
    ----------
    name : str
        What its output is called.
    node : callable, or object with ``stream`` or ``fit``
    needs : tuple of str
        The names of its inputs; empty for a root, whose input is handed over.
    """

    name: str
    node: Any
    needs: tuple[str, ...] = ()

    @cached_property
    def kind(self) -> Literal["fitting", "together", "streaming", "each"]:
        """str : How the node is run: of its whole inputs, as a stream, or for each chunk."""
        if is_fitting(self.node):
            return "fitting"
        if len(self.needs) > 1 or isinstance(self.node, Whole):
            return "together"
        return "streaming" if is_streaming(self.node) else "each"


Graph = Mapping[str, Spec]


@dataclass(frozen=True)
class Plan:
    """What to do for some features of a graph.

    Parameters
    ----------
    reads : tuple of str
        What is there already, and is needed.
    steps : tuple of Spec
        What to compute, each after what it needs.
    """

    reads: tuple[str, ...]
    steps: tuple[Spec, ...]

    @property
    def roots(self) -> tuple[str, ...]:
        """Tuple of str : The steps whose input has to be handed over."""
        return tuple(step.name for step in self.steps if not step.needs)

    @cached_property
    def consumers(self) -> dict[str, list[tuple[Spec, int]]]:
        """Dict : For each name the steps that need it, and as which of their inputs."""
        found: dict[str, list[tuple[Spec, int]]] = {}
        for spec in self.steps:
            for place, need in enumerate(spec.needs):
                found.setdefault(need, []).append((spec, place))
        return found


def plan(graph: Graph, want: Iterable[str], have: Callable[[str], bool]) -> Plan:
    """Return the least that has to be read and computed.

    Parameters
    ----------
    graph : mapping of str to Spec
    want : iterable of str
        The names that are asked for.
    have : callable, name -> bool
        Whether a feature is there already. It is asked about what is on the way only.

    Returns
    -------
    Plan

    Raises
    ------
    UnknownFeature
        If something is wanted or needed that the graph does not have.
    CyclicGraph
        If a feature needs itself.

    Examples
    --------
    >>> graph = {"a": Spec("a", str), "b": Spec("b", str, ("a",)), "c": Spec("c", str, ("b",))}
    >>> [step.name for step in plan(graph, ["c"], have="b".__eq__).steps]
    ['c']
    """
    graph = _with_examples(graph)
    reads: list[str] = []
    steps: list[Spec] = []
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " -> ".join((*path[path.index(name) :], name))
            raise CyclicGraph(
                f"{circle}: a feature cannot need itself; needs go by name, so change one of "
                "these needs, or give a feature that stands for another a name of its own"
            )
        if name in done:
            return
        if name not in graph:
            raise UnknownFeature(_unknown(name, path, graph))
        if have(name):
            reads.append(name)
        else:
            for need in graph[name].needs:
                visit(need, (*path, name))
            steps.append(graph[name])
        done.add(name)

    for name in want:
        visit(name, ())
    return Plan(tuple(reads), tuple(steps))


def _unknown(name: str, path: tuple[str, ...], graph: Graph) -> str:
    who = f"{path[-1]} needs {name!r}, which" if path else f"{name!r}"
    near = difflib.get_close_matches(name, graph, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(graph))}"
    return f"{who} is not a feature of this graph: {hint}"


def _with_examples(graph: Graph) -> Graph:
    """Let each fitting node that needs a fitted transform learn from what that one makes."""
    if not any(is_fitting(spec.node) for spec in graph.values()):
        return graph
    whole = dict(graph)

    def examples_of(name: str) -> str:
        """Return the name of the examples that the fitting node `name` hands on."""
        made = f"{name}.examples"
        if made not in whole:
            spec = graph[name]
            whole[made] = Spec(made, _transformed, (name, *map(source_of, spec.needs)))
        return made

    def source_of(need: str) -> str:
        fits = need in graph and is_fitting(graph[need].node)
        return examples_of(need) if fits else need

    for name, spec in graph.items():
        if is_fitting(spec.node):
            whole[name] = Spec(name, spec.node, tuple(map(source_of, spec.needs)))
    return whole


def _transformed(transform: Transform, examples: Any) -> Any:
    return transform.transform(examples)
