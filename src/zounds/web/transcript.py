"""What was said in the REPL, as events: kept for those who come later, and told as it happens."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

_EVENTS = 2000
_BYTES = 64 << 20  # of all events that are kept
_MOST = 10 << 20  # characters of one output
_BEAT = 15  # s

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")


class Transcript:
    """Events with numbers that grow; of one event loop."""

    def __init__(self) -> None:
        self._events: deque[tuple[int, str]] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self.last = 0
        self._over = False

    def end(self) -> None:
        """Let all who listen go."""
        self._over = True
        self._changed.set()

    def add(self, **event: Any) -> None:
        """Add an event, and tell it to all who listen."""
        self.last += 1
        text = json.dumps(event)
        self._events.append((self.last, text))
        self._size += len(text)
        while self._events and (len(self._events) > _EVENTS or self._size > _BYTES):
            self._size -= len(self._events.popleft()[1])
        self._changed.set()
        self._changed = asyncio.Event()

    async def follow(self, after: int) -> AsyncIterator[bytes]:
        """Yield the events after one, as they come, the way of server-sent events."""
        yield b": here\n\n"
        while not self._over:
            changed = self._changed
            for number, text in list(self._events):
                if number > after:
                    after = number
                    yield f"id: {number}\ndata: {text}\n\n".encode()
            try:
                await asyncio.wait_for(changed.wait(), _BEAT)
            except TimeoutError:
                yield b": still here\n\n"


def event_of(kind: str, content: dict[str, Any]) -> dict[str, Any] | None:
    """Return the event of a message of a kernel; None for those that the page does not show.

    Examples
    --------
    >>> event_of("stream", {"name": "stdout", "text": "hello"})
    {'type': 'stream', 'name': 'stdout', 'text': 'hello'}
    """
    if kind == "stream":
        return {"type": "stream", "name": content["name"], "text": _cut(content["text"])}
    if kind == "execute_result":
        return {
            "type": "result",
            "count": content["execution_count"],
            "data": _shown(content["data"]),
        }
    if kind in ("display_data", "update_display_data"):
        return {"type": "display", "data": _shown(content["data"])}
    if kind == "clear_output":
        return {"type": "clear", "wait": bool(content.get("wait"))}
    if kind == "error":
        lines = "\n".join(content["traceback"]).split("\n")
        return {
            "type": "error",
            "name": content["ename"],
            "value": plain_text(content["evalue"]),
            "traceback": [plain_text(line) for line in lines],
        }
    return None


def plain_text(text: str) -> str:
    r"""Return text without the colours of a terminal.

    Examples
    --------
    >>> plain_text("\x1b[31mred\x1b[0m")
    'red'
    """
    return _COLOUR.sub("", text)


def _shown(data: dict[str, Any]) -> dict[str, Any]:
    shown = {
        kind: value if isinstance(value, str) else json.dumps(value) for kind, value in data.items()
    }
    if sum(map(len, shown.values())) > _MOST:
        return {"text/plain": _cut(shown.get("text/plain", ""), too_large=True)}
    return shown


def _cut(text: str, too_large: bool = False) -> str:
    text = plain_text(text)
    if len(text) <= _MOST and not too_large:
        return text
    return f"{text[:_MOST]}\n(the output is over {_MOST >> 20} MB: the rest is left out)"
