"""Who may ask, and what every answer says: hosts, origins, sizes, policies."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from zounds.web.refusal import Refused

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": POLICY,
}
_READING = ("GET", "HEAD", "OPTIONS")
MOST_BODY = 8 << 20  # bytes of JSON
UPLOADS = "/api/uploads"


class Guard:
    """Lets requests through to an application that come from where they should.

    Parameters
    ----------
    app : callable
        An ASGI application.
    hosts : set of str
        The names this server has, besides ``localhost`` and any number: a page of another site
        whose name leads here cannot have one of these.
    """

    def __init__(self, app: Any, hosts: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._hosts = frozenset(host.casefold().rstrip(".") for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        answering = _Answering(send)
        try:
            self._check(scope, headers)
            await self._app(scope, _Limited(receive, scope), answering.send)
        except Refused as refused:
            await answering.refuse(refused)

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        host = headers.get("host", "")
        if not self._is_known(host):
            raise Refused(
                421,
                "bad_host",
                f"This server is not {host[:80]!r}: open it by the address that it printed",
            )
        if scope["method"] not in _READING or scope["path"].startswith("/api/repl"):
            _check_origin(headers, host)
        size = headers.get("content-length", "0")
        if scope["path"] != UPLOADS and size.isdigit() and int(size[:20]) > MOST_BODY:
            raise _too_large()

    def _is_known(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name = (parts.hostname or "").rstrip(".")
            _ = parts.port
        except ValueError:
            return False
        if parts.path or parts.username is not None or not name:
            return False
        if name == "localhost" or name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _check_origin(headers: dict[str, str], host: str) -> None:
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None:
        same = origin.casefold() in (f"http://{host}".casefold(), f"https://{host}".casefold())
    else:
        same = site in (None, "same-origin", "none")
    if not same:
        raise Refused(
            403,
            "forbidden",
            f"A page of {(origin or 'another site')[:80]} may not ask this of the server",
        )


def _too_large() -> Refused:
    return Refused(
        413, "too_large", f"The body is over {MOST_BODY >> 20} MB: send fewer ids at a time"
    )


class _Limited:
    """Receives a body, as far as it is not too large; uploads have a limit of their own."""

    def __init__(self, receive: Receive, scope: Scope) -> None:
        self._receive = receive
        self._scope = scope
        self._size = 0

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > MOST_BODY and self._scope["path"] != UPLOADS:
            self._scope["zounds.refused"] = _too_large()
            raise self._scope["zounds.refused"]
        return message


class _Answering:
    """Sends an answer with the headers that all have."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            given = {name.decode("latin-1").lower() for name, _ in message.get("headers", ())}
            message["headers"] = [
                *message.get("headers", ()),
                *(
                    (name.encode(), value.encode())
                    for name, value in _HEADERS.items()
                    if name not in given
                ),
            ]
        await self._send(message)

    async def refuse(self, refused: Refused) -> None:
        if self._begun:
            return
        body = json.dumps(refused.body()).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        headers |= {name.lower(): value for name, value in refused.headers.items()}
        await self.send(
            {
                "type": "http.response.start",
                "status": refused.status,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await self.send({"type": "http.response.body", "body": body})
