"""What a request asks for: who answers it, in which thread, and which sounds are wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import Depends, Query, Request

from zounds.web.desk import Desk
from zounds.web.facts import Filters
from zounds.web.library import How
from zounds.web.refusal import Refused
from zounds.web.schemas import Like, Time, UnitName

T = TypeVar("T")

_SEARCHES = 4  # at the same time; the others wait
_WAITING = 1000  # searches; more are turned away
_PICTURES = 2


class Lanes:
    """Threads for what takes time, so that one kind does not wait for another."""

    def __init__(self) -> None:
        self._search = CapacityLimiter(_SEARCHES)
        self._picture = CapacityLimiter(_PICTURES)
        self._waiting = 0

    async def search(self, ask: Callable[..., T], *arguments: Any) -> T:
        """Return what a search finds; turn it away where too many wait."""
        if self._waiting >= _WAITING:
            raise Refused(
                503,
                "busy",
                f"{_WAITING} searches are waiting already: try again in a second",
                Retry_After="1",
            )
        self._waiting += 1
        try:
            return await anyio.to_thread.run_sync(ask, *arguments, limiter=self._search)
        finally:
            self._waiting -= 1

    async def picture(self, ask: Callable[..., T], *arguments: Any) -> T:
        """Return what is computed from a whole sound."""
        return await anyio.to_thread.run_sync(ask, *arguments, limiter=self._picture)


def desk_of(request: Request) -> Desk:
    """Return who answers."""
    desk: Desk = request.app.state.desk
    return desk


def lanes_of(request: Request) -> Lanes:
    """Return the threads."""
    lanes: Lanes = request.app.state.lanes
    return lanes


def filters(
    folder: Annotated[list[str], Query(max_length=1000)] = [],  # noqa: B006
    min_seconds: Time | None = None,
    max_seconds: Time | None = None,
    samplerate: Annotated[list[Time], Query(max_length=100)] = [],  # noqa: B006
    channels: Annotated[list[Annotated[int, Query(ge=0, le=255)]], Query(max_length=100)] = [],  # noqa: B006
    text: Annotated[str, Query(max_length=1000)] = "",
) -> Filters:
    """Return which sounds are wanted."""
    return Filters(folder, min_seconds, max_seconds, samplerate, channels, text)


def how(
    filters: Annotated[Filters, Depends(filters)],
    unit: UnitName | None = None,
    n: Annotated[int | None, Query(ge=1, le=1000)] = None,
    per_file: Annotated[int, Query(ge=0, le=1000)] = 1,
    like: Like | None = None,
) -> tuple[UnitName | None, int | None, int, Like | None, Filters]:
    """Return how to search."""
    return unit, n, per_file, like, filters


AnyDesk = Annotated[Desk, Depends(desk_of)]
AnyLanes = Annotated[Lanes, Depends(lanes_of)]
Wanted = Annotated[Filters, Depends(filters)]
Manner = Annotated[Any, Depends(how)]


def manner_of(desk: Desk, manner: Any) -> How:
    """Return how to search, with what the library at hand knows."""
    unit, n, per_file, like, wanted = manner
    if like is not None and like not in desk.library.likes:
        raise Refused(400, "bad_request", f"like={like!r}: this corpus knows one way to search")
    library = desk.library
    return How(unit or library.units[0], n or library.shown, per_file, like, wanted)
