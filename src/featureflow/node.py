"""What a node of a graph is: protocols, not base classes.

A node is one of three things, and never imports the graph:

- a callable ``chunk -> chunk``, for what looks at one row at a time; of an array it returns one
  with as many rows. Wrap it in `Whole` if it has to see all of them;
- an object with ``stream()``, for what remembers, or makes several chunks of one;
- an object with ``fit()``, for what learns from all of its input.

Chunks are whatever nodes hand on: arrays, bytes, any object. A node must not modify its input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from featureflow.errors import InvalidParameter


class Stage(Protocol):
    """The state of a streaming node during one run."""

    def step(self, chunk: Any, /) -> Iterable[Any]:
        """Take a chunk; return the chunks that are ready, if any: a list, or be a generator."""
        ...

    def flush(self) -> Iterable[Any]:
        """Return what is left: there is no more input."""
        ...


@runtime_checkable
class StreamingNode(Protocol):
    """A node with memory: each run gets a fresh stage."""

    def stream(self) -> Stage:
        """Return a stage for one run."""
        ...


@runtime_checkable
class Transform(Protocol):
    """What a fitting node has learned."""

    def transform(self, examples: Any, /) -> Any:
        """Return the transformed examples, one for each."""
        ...


@runtime_checkable
class FittingNode(Protocol):
    """A node that needs all its input, and returns a fitted transform.

    A fitting node that needs the feature of another one learns from what that one's transform
    makes of its examples.
    """

    def fit(self, examples: Any, /) -> Transform:
        """Return a transform learned from `examples`."""
        ...


def is_streaming(node: object) -> bool:
    """Return whether a node is a `StreamingNode`."""
    return hasattr(node, "stream")  # much faster than isinstance with a protocol


def is_fitting(node: object) -> bool:
    """Return whether a node is a `FittingNode`."""
    return hasattr(node, "fit")


@dataclass(frozen=True)
class Whole:
    """Calls a function once, with the whole value of what it needs, and not chunk by chunk.

    Chunks are pieces of any size. What depends on more than a row at a time, such as a mean over
    time or a division by the loudest moment, has to see the whole; it is then held in memory.

    Parameters
    ----------
    function : callable

    Examples
    --------
    >>> Whole(max)([3, 1])
    3
    """

    function: Callable[..., Any]
    revision: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InvalidParameter(f"Whole({self.function!r}): give a function")

    def __call__(self, *values: Any) -> Any:
        """Return what the function makes of whole values."""
        return self.function(*values)


@dataclass(frozen=True)
class IteratorNode:
    """Hands on the items of an iterable, one chunk each; the root of learning graphs.

    The iterable is read once, item by item: a generator over a large corpus stays small.
    """

    revision = 1

    def stream(self) -> _Items:
        """Return a stage for one run."""
        return _Items()


class _Items:
    def step(self, items: Any, /) -> Iterator[Any]:
        if isinstance(items, str | bytes) or not hasattr(items, "__iter__"):
            raise InvalidParameter(
                f"{items!r} is not an iterable of examples: give a list or a generator of arrays"
            )
        return iter(items)

    def flush(self) -> Iterable[Any]:
        return ()
