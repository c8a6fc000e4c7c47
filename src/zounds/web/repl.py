"""The REPL: Python in the page, for those who have the token."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import secrets
from collections import deque
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from zounds.web.answers import ANY, Json, ok
from zounds.web.kernels import Kernel
from zounds.web.refusal import Refused
from zounds.web.schemas import Code, CodeAt, Plain
from zounds.web.transcript import Transcript, event_of, plain_text

_HISTORY = 1000
_PATIENCE = 5  # s, for what is asked beside the cells
_ALIVE = 1  # s, from look to look
_READY = 60  # s


class Repl:
    """One kernel, and those who talk to it.

    Parameters
    ----------
    kernel : Kernel
    remote : bool
        Whether others than this machine may talk to it.
    token : str or None
        What they have to know; None for a random one.
    """

    def __init__(self, kernel: Kernel, remote: bool = False, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(24)
        self._kernel = kernel
        self._remote = remote
        self._client: Any = None
        self._state = "starting"
        self._banner = ""
        self._cells = 0
        self._running: dict[str, int] = {}
        self._asked: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._history: deque[str] = deque(maxlen=_HISTORY)
        self._said: Transcript
        self.router = _routes(self)

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        """Start the kernel with the server, and end it with it."""
        self._said = Transcript()
        self._say(state="starting")
        self._client = await self._kernel.start()
        tasks = [
            asyncio.create_task(one())
            for one in (self._listen, self._hear_replies, self._watch, self._begin)
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._client.stop_channels()
            await self._kernel.stop()

    def leave(self) -> None:
        """Let all who listen go: the server ends."""
        self._said.end()

    def check(self, request: Request) -> None:
        """Refuse whoever may not talk to the kernel."""
        given = request.headers.get("authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
            raise Refused(
                401,
                "bad_token",
                "The token of the REPL is missing or wrong: open the address that the server "
                "printed when it was started",
                WWW_Authenticate="Bearer",
            )
        client = request.client.host if request.client else ""
        if not (self._remote or _is_here(client)):
            raise Refused(403, "forbidden", "The REPL is for the machine that it runs on only")

    # ------------------------------------------------------------------ what the kernel says

    def _say(self, state: str) -> None:
        if state != self._state or state == "starting":
            self._state = state
            self._said.add(type="state", state=state)

    async def _begin(self) -> None:
        """Wait until the kernel answers, and give it what is to be there."""
        told = None
        while told is None:
            told = await self._ask("kernel_info", patience=_READY)
        self._banner = plain_text(str(told.get("banner", ""))).partition("\n")[0]
        await self._kernel.greet(self._client)
        self._say("idle")

    async def _listen(self) -> None:
        while True:
            message = await self._client.get_iopub_msg()
            parent = message["parent_header"].get("msg_id", "")
            cell, kind, content = self._running.get(parent), message["msg_type"], message["content"]
            if cell is None:
                continue
            if kind == "execute_input":
                code, count = content["code"], content["execution_count"]
                self._said.add(type="input", cell=cell, count=count, code=code)
            elif kind == "status" and content["execution_state"] == "busy":
                self._say("busy")
            elif kind == "status" and content["execution_state"] == "idle":
                reply = await self._reply(parent)
                self._finish(parent, str(reply.get("status", "ok")) if reply else "aborted")
            else:
                event = event_of(kind, content)
                if event is not None:
                    self._said.add(**{"type": event["type"], "cell": cell, **event})

    def _finish(self, message: str, status: str) -> None:
        cell = self._running.pop(message, None)
        self._asked.pop(message, None)
        if cell is not None:
            self._said.add(type="done", cell=cell, status=status)
        if not self._running and self._state == "busy":
            self._say("idle")

    async def _hear_replies(self) -> None:
        while True:
            message = await self._client.get_shell_msg()
            asked = self._asked.get(message["parent_header"].get("msg_id", ""))
            if asked is not None and not asked.done():
                asked.set_result(message["content"])

    async def _reply(self, message: str, patience: float = _PATIENCE) -> dict[str, Any] | None:
        try:
            return await asyncio.wait_for(asyncio.shield(self._asked[message]), patience)
        except (TimeoutError, KeyError):
            return None

    async def _ask(self, what: str, *said: Any, patience: float = _PATIENCE) -> Any:
        """Return what the kernel answers; None if it does not."""
        message = getattr(self._client, what)(*said)
        self._asked[message] = asyncio.get_running_loop().create_future()
        try:
            return await self._reply(message, patience)
        finally:
            self._asked.pop(message, None)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_ALIVE)
            if self._state not in ("dead", "starting") and not await self._kernel.alive():
                self._say("dead")
                self._give_up()

    def _give_up(self) -> None:
        for message in list(self._running):
            self._finish(message, "aborted")

    # ------------------------------------------------------------------ what the page asks

    def about(self) -> dict[str, Any]:
        """Return ``/api/repl``."""
        return {
            "state": self._state,
            "banner": self._banner,
            "names": self._kernel.names,
            "last": self._said.last,
        }

    def follow(self, after: int) -> AsyncIterator[bytes]:
        """Return the events after one."""
        return self._said.follow(after)

    def execute(self, code: str) -> int:
        """Run a cell, after those that wait; return its number."""
        if self._state == "dead":
            raise Refused(409, "bad_request", "The kernel stopped: restart it")
        self._cells += 1
        if code.strip():
            self._history.append(code)
        message = self._client.execute(code, allow_stdin=False, stop_on_error=False)
        self._running[message] = self._cells
        self._asked[message] = asyncio.get_running_loop().create_future()
        return self._cells

    async def complete(self, code: str, cursor: int) -> dict[str, Any]:
        """Return how code may go on."""
        told = await self._ask("complete", code, min(cursor, len(code))) or {}
        return {
            "matches": told.get("matches", []),
            "start": told.get("cursor_start", cursor),
            "end": told.get("cursor_end", cursor),
        }

    async def inspect(self, code: str, cursor: int) -> dict[str, Any]:
        """Return what there is to say about the name at a place."""
        told = await self._ask("inspect", code, min(cursor, len(code))) or {}
        text = plain_text(told.get("data", {}).get("text/plain", ""))
        return {"found": bool(told.get("found")), "text": text}

    async def is_complete(self, code: str) -> dict[str, Any]:
        """Return whether code can be run as it is."""
        told = await self._ask("is_complete", code) or {}
        return {"status": told.get("status", "unknown"), "indent": told.get("indent", "")}

    def history(self) -> dict[str, Any]:
        """Return what was run."""
        return {"entries": list(self._history)}

    async def interrupt(self) -> None:
        """Stop what runs."""
        if self._state == "busy":
            await self._kernel.interrupt()

    async def restart(self) -> None:
        """Begin anew."""
        if self._state == "busy":
            await self._kernel.interrupt()
        self._give_up()
        self._say("starting")
        await self._kernel.restart()
        await self._begin()


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _routes(repl: Repl) -> APIRouter:
    router = APIRouter(prefix="/api/repl", dependencies=[Depends(repl.check)])

    @router.get("", responses=ok(Plain))
    async def about() -> Response:
        """Say how the kernel is."""
        return Json(repl.about())

    @router.get("/events", responses=ANY)
    async def events(
        after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    ) -> Response:
        """Tell what happens, as it happens."""
        return StreamingResponse(
            repl.follow(after),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    @router.post("/execute", status_code=202, responses=ok(Plain, 202))
    async def execute(sent: Code) -> Response:
        """Run a cell."""
        return Json({"cell": repl.execute(sent.code)}, 202)

    @router.post("/complete", responses=ok(Plain))
    async def complete(sent: CodeAt) -> Response:
        """Say how code may go on."""
        return Json(await repl.complete(sent.code, sent.cursor))

    @router.post("/inspect", responses=ok(Plain))
    async def inspect(sent: CodeAt) -> Response:
        """Say what there is to say about a name."""
        return Json(await repl.inspect(sent.code, sent.cursor))

    @router.post("/is_complete", responses=ok(Plain))
    async def is_complete(sent: Code) -> Response:
        """Say whether code can be run as it is."""
        return Json(await repl.is_complete(sent.code))

    @router.get("/history", responses=ok(Plain))
    async def history() -> Response:
        """Return what was run."""
        return Json(repl.history())

    @router.post("/interrupt", status_code=204, responses=ANY)
    async def interrupt() -> Response:
        """Stop what runs."""
        await repl.interrupt()
        return Response(status_code=204)

    @router.post("/restart", status_code=204, responses=ANY)
    async def restart() -> Response:
        """Begin anew."""
        await repl.restart()
        return Response(status_code=204)

    return router
