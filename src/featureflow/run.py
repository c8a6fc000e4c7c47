"""Runs a plan: pushes each chunk down the graph once, and keeps none that nobody waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from featureflow.errors import Error, NodeError
from featureflow.node import FittingNode, Stage, StreamingNode
from featureflow.plan import Plan, Spec

Emit = Callable[[str, Any], None]

_END = object()


def run(plan: Plan, inputs: Mapping[str, Iterable[Any]], emit: Emit) -> None:
    """Compute every step of a plan.

    Parameters
    ----------
    plan : Plan
    inputs : mapping of str to iterable
        The chunks of each name in ``plan.reads``; for each root among the steps, what is handed
        to its node. Each is iterated once, as far as possible one chunk at a time.
    emit : callable, (name, chunk)
        Receives each chunk of each step as it is made.

    Raises
    ------
    NodeError
        If a node fails with an exception that is not an `Error`; it becomes the `__cause__`.
    """
    stages = {spec.name: _stage(spec) for spec in plan.steps}
    consumers: dict[str, list[tuple[Spec, int]]] = {}
    for spec in plan.steps:
        for place, need in enumerate(spec.needs):
            consumers.setdefault(need, []).append((spec, place))

    def push(name: str, chunk: Any) -> None:
        for spec, place in consumers.get(name, ()):
            hand_on(spec, partial(stages[spec.name].step, (place, chunk)))

    def hand_on(spec: Spec, call: Callable[[], Iterable[Any]]) -> None:
        with _blaming(spec):
            chunks = iter(call())
        while True:
            with _blaming(spec):  # not around the rest: what consumers raise is theirs
                chunk = next(chunks, _END)
            if chunk is _END:
                return
            emit(spec.name, chunk)
            push(spec.name, chunk)

    for name in plan.reads:
        for chunk in inputs[name]:
            push(name, chunk)
    for spec in plan.steps:
        if not spec.needs:
            for thing in inputs[spec.name]:
                hand_on(spec, partial(stages[spec.name].step, (0, thing)))
    for spec in plan.steps:  # each after what it needs: nothing reaches a stage that has flushed
        hand_on(spec, stages[spec.name].flush)


def join(chunks: list[Any]) -> Any:
    """Return the chunks of a feature as one value.

    A single chunk is the value. Arrays follow each other along the first axis, keeping what a
    ``joined`` class method of theirs keeps; bytes and text are put together; a value of any
    other type is the list of its chunks.

    Raises
    ------
    ValueError
        If there are no chunks.
    """
    if not chunks:
        raise ValueError("no chunks: nothing was made")
    first = chunks[0]
    if len(chunks) == 1:
        return first
    if all(type(chunk) is type(first) for chunk in chunks) and hasattr(first, "joined"):
        return type(first).joined(chunks)
    if all(isinstance(chunk, np.ndarray) for chunk in chunks):
        return np.concatenate([np.asarray(chunk) for chunk in chunks])
    if isinstance(first, bytes | str):
        return type(first)().join(chunks)
    return chunks


def _stage(spec: Spec) -> Stage:
    """Return what runs a node, whatever kind it is; its steps take (place of the input, chunk)."""
    node = spec.node
    if isinstance(node, FittingNode):
        return _Whole(node.fit, len(spec.needs))
    if len(spec.needs) > 1:
        return _Whole(node, len(spec.needs))
    if isinstance(node, StreamingNode):
        return _Streamed(node.stream())
    return _EachChunk(node)


class _EachChunk:
    """Calls a node with each chunk."""

    def __init__(self, node: Callable[[Any], Any]) -> None:
        self._node = node

    def step(self, given: Any, /) -> Iterable[Any]:
        return (self._node(given[1]),)

    def flush(self) -> Iterable[Any]:
        return ()


class _Streamed:
    """Passes chunks to the stage of a streaming node."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def step(self, given: Any, /) -> Iterable[Any]:
        return self._stage.step(given[1])

    def flush(self) -> Iterable[Any]:
        return self._stage.flush()


class _Whole:
    """Calls a node once, with the whole value of each of its inputs."""

    def __init__(self, node: Callable[..., Any], count: int) -> None:
        self._node = node
        self._chunks: list[list[Any]] = [[] for _ in range(max(count, 1))]

    def step(self, given: Any, /) -> Iterable[Any]:
        place, chunk = given
        self._chunks[place].append(chunk)
        return ()

    def flush(self) -> Iterable[Any]:
        values = [join(chunks) for chunks in self._chunks]
        self._chunks = []
        return (self._node(*values),)


@contextmanager
def _blaming(spec: Spec) -> Iterator[None]:
    """Say in which node an exception came up; our own say enough by themselves."""
    node = getattr(spec.node, "__qualname__", None) or type(spec.node).__qualname__
    try:
        yield
    except Error as error:
        error.add_note(f"while computing {spec.name!r} ({node})")
        raise
    except Exception as error:
        message = f"computing {spec.name!r} ({node}) failed: {type(error).__name__}: {error}"
        raise NodeError(message) from error
