"""The page itself: files that were built when zounds was installed."""

from __future__ import annotations

import mimetypes
from html import escape
from pathlib import Path
from typing import Annotated

import anyio.to_thread
from fastapi import FastAPI, Query, Request
from starlette.responses import FileResponse, HTMLResponse, Response

from zounds.web.desk import Desk, decoded
from zounds.web.refusal import Refused

STATIC = Path(__file__).parent / "static"

_FOREVER = "public, max-age=31536000, immutable"
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".map": "application/json",
}
_MISSING = """The page was not built when zounds was installed, since Node.js was not there.
Everything else works: the interface under /api, and the command zounds search.
For the page, install Node.js 20 or newer with npm, and install zounds again."""


def is_built() -> bool:
    """Return whether there is a page."""
    return (STATIC / "index.html").is_file()


def missing() -> str:
    """Return what to do where there is none."""
    return _MISSING


def add(app: FastAPI) -> None:
    """Add the page to the application; last, since it takes what nobody else does."""

    @app.get("/", include_in_schema=False)
    @app.head("/", include_in_schema=False)
    async def start(
        request: Request, query: Annotated[str | None, Query(max_length=10_000)] = None
    ) -> Response:
        if query:
            try:
                await anyio.to_thread.run_sync(_check, request.app.state.desk, query)
            except Refused as refused:
                return _plain("This address leads to no sound", refused.message, refused.status)
        return _html("index.html")

    @app.get("/repl", include_in_schema=False)
    async def repl() -> Response:
        return _html("repl.html")

    @app.get("/{path:path}", include_in_schema=False)
    @app.head("/{path:path}", include_in_schema=False)
    async def file(path: str) -> Response:
        found = _files().get(path)
        if found is None:
            raise Refused(404, "not_found", f"There is no /{path[:200]} here")
        kind = _TYPES.get(found.suffix) or mimetypes.guess_type(found.name)[0]
        headers = {"Cache-Control": _FOREVER if path.startswith("assets/") else "no-cache"}
        return FileResponse(found, media_type=kind, headers=headers)


def _check(desk: Desk, code: str) -> None:
    """Refuse a code that is none, once it is known what one is."""
    library = desk.library
    try:
        bits = library.snapshot(library.units[0]).bits
    except Refused:
        return
    decoded(code, bits)


def _files() -> dict[str, Path]:
    """Return the files of the page, by their addresses: nothing else is ever served."""
    if not STATIC.is_dir():
        return {}
    return {
        path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()
    }


def _html(name: str) -> Response:
    if not (STATIC / name).is_file():
        return _plain("zounds", _MISSING, 200 if name == "index.html" else 404)
    return FileResponse(
        STATIC / name, media_type="text/html", headers={"Cache-Control": "no-cache"}
    )


def _plain(title: str, text: str, status: int) -> Response:
    lines = "".join(f"<p>{escape(line)}</p>" for line in text.splitlines())
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<h1>{escape(title)}</h1>{lines}",
        status_code=status,
    )
