"""Runs a plan: pushes each chunk down the graph once, and keeps none that nobody waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import numpy as np

from featureflow.errors import Error, GraphError, NodeError, UnavailableError
from featureflow.naming import node_name
from featureflow.node import Stage
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
    consumers = plan.consumers

    def push(name: str, chunk: Any) -> None:
        for spec, place in consumers.get(name, ()):
            hand_on(spec, stages[spec.name].step, (place, chunk))

    def hand_on(spec: Spec, call: Callable[..., Iterable[Any]], *given: Any) -> None:
        try:
            chunks = iter(call(*given))
        except Exception as error:
            _blame(error, spec)
        while True:
            try:  # not around the rest: what consumers raise is theirs
                chunk = next(chunks, _END)
            except Exception as error:
                _blame(error, spec)
            if chunk is _END:
                return
            chunk = locked(chunk)
            emit(spec.name, chunk)
            push(spec.name, chunk)

    for name in plan.reads:
        for chunk in inputs[name]:
            push(name, locked(chunk))
    for spec in plan.steps:
        if not spec.needs:
            for thing in inputs[spec.name]:
                hand_on(spec, stages[spec.name].step, (0, thing))
    for spec in plan.steps:  # each after what it needs: nothing reaches a stage that has flushed
        hand_on(spec, stages[spec.name].flush)


def join(chunks: list[Any]) -> Any:
    """Return the chunks of a feature as one value.

    A single chunk is the value. Arrays follow each other along the first axis, keeping what a
    ``joined`` class method of theirs keeps; bytes and text are put together.

    Raises
    ------
    GraphError
        If there are no chunks, or several of another type.
    """
    if not chunks:
        raise GraphError("there is nothing: no chunks were made")
    first = chunks[0]
    if len(chunks) == 1:
        return first
    if all(type(chunk) is type(first) for chunk in chunks) and hasattr(first, "joined"):
        return type(first).joined(chunks)
    if all(isinstance(chunk, np.ndarray) and chunk.ndim for chunk in chunks):
        return np.concatenate([np.asarray(chunk) for chunk in chunks])
    if isinstance(first, bytes | str):
        return type(first)().join(chunks)
    raise GraphError(
        f"{len(chunks)} chunks of {type(first).__name__} cannot be put together: wrap the node "
        "that makes them in featureflow.Whole, to make one of all of its input"
    )


def locked(value: Any) -> Any:
    """Return an array as a view that cannot be written to, with its units; else `value` itself.

    Several nodes get the same chunk, and every reader the same value: none may change it.
    """
    if isinstance(value, np.ndarray):
        value = value[...]
        value.flags.writeable = False
    return value


def _stage(spec: Spec) -> Stage:
    """Return what runs a node, whatever kind it is; its steps take (place of the input, chunk)."""
    node = spec.node
    if spec.kind == "each":
        return _EachChunk(node)
    if spec.kind == "streaming":
        return _Streamed(node.stream())
    return _Together(node.fit if spec.kind == "fitting" else node, spec.needs)


class _EachChunk:
    """Calls a node with each chunk."""

    def __init__(self, node: Callable[[Any], Any]) -> None:
        self._node = node

    def step(self, given: Any, /) -> Iterable[Any]:
        _, chunk = given
        made = self._node(chunk)
        if isinstance(chunk, np.ndarray) and isinstance(made, np.ndarray | np.generic):
            _check_rows(chunk, made)
        return (made,)

    def flush(self) -> Iterable[Any]:
        return ()


def _check_rows(chunk: np.ndarray[Any, Any], made: Any) -> None:
    """Refuse what would depend on how its input is cut into chunks."""
    if made.ndim == 0 or (chunk.ndim and len(made) != len(chunk)):
        raise GraphError(
            f"a chunk of shape {chunk.shape} became {made.shape}: a function is given a piece of "
            "its input at a time, and returns as many rows; wrap it in featureflow.Whole if it has "
            "to see all of them, or write a node with stream()"
        )


class _Streamed:
    """Passes chunks to the stage of a streaming node."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def step(self, given: Any, /) -> Iterable[Any]:
        return _several(self._stage.step(given[1]))

    def flush(self) -> Iterable[Any]:
        return _several(self._stage.flush())


def _several(chunks: Any) -> Iterable[Any]:
    """Return the chunks that a stage has returned; None stands for none."""
    if chunks is None:
        return ()
    if isinstance(chunks, np.ndarray | bytes | str | dict):
        raise GraphError(
            f"a stage returned a {type(chunks).__name__}: return a list of chunks, or yield them"
        )
    return chunks  # type: ignore[no-any-return]


class _Together:
    """Calls a node once, with the whole value of each of its inputs."""

    def __init__(self, node: Callable[..., Any], needs: tuple[str, ...]) -> None:
        self._node = node
        self._needs = needs or ("its input",)
        self._chunks: list[list[Any]] = [[] for _ in self._needs]

    def step(self, given: Any, /) -> Iterable[Any]:
        place, chunk = given
        self._chunks[place].append(chunk)
        return ()

    def flush(self) -> Iterable[Any]:
        for need, chunks in zip(self._needs, self._chunks, strict=True):
            if not chunks:
                raise UnavailableError(f"{need} is empty: there is nothing to compute from")
        values = [locked(join(chunks)) for chunks in self._chunks]
        self._chunks = []
        return (self._node(*values),)


def _blame(error: Exception, spec: Spec) -> NoReturn:
    """Say in which node an exception came up; our own say enough by themselves."""
    name, node = spec.name, node_name(spec.node)
    if isinstance(error, Error):
        error.add_note(f"while computing {name!r} ({node})")
        raise error
    message = f"computing {name!r} ({node}) failed: {type(error).__name__}: {error}"
    raise NodeError(message) from error
