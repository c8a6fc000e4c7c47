"""The routes of exports."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

import anyio.to_thread
from fastapi import FastAPI, Query, Request
from pydantic import ValidationError
from starlette.responses import Response, StreamingResponse

from zounds.web.answers import ANY
from zounds.web.asking import AnyDesk, Wanted
from zounds.web.desk import Desk
from zounds.web.exporting import MOST_FILES, archive, playlist, table
from zounds.web.ranges import disposition
from zounds.web.refusal import Refused
from zounds.web.schemas import Ids

Format = Literal["zip", "m3u", "csv"]
Name = Annotated[str, Query(max_length=200)]

_FORM = "application/x-www-form-urlencoded"
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Ids.model_json_schema()},
            _FORM: {
                "schema": {
                    "type": "object",
                    "properties": {"ids": {"type": "string"}},
                    "required": ["ids"],
                }
            },
        },
    }
}


def add(app: FastAPI) -> None:
    """Add the routes of exports to the application."""

    @app.get("/api/export", responses=ANY)
    async def export_passing(
        desk: AnyDesk,
        wanted: Wanted,
        format: Format,
        name: Name = "sounds",
    ) -> Response:
        """Return the sounds that pass filters, as a file."""
        found = await anyio.to_thread.run_sync(desk.passing, wanted)
        return await anyio.to_thread.run_sync(_file, desk, found, format, name)

    @app.post("/api/export", responses=ANY, openapi_extra=_BODY)
    async def export_set(
        request: Request,
        desk: AnyDesk,
        format: Format,
        name: Name = "sounds",
    ) -> Response:
        """Return a set of sounds, as a file."""
        ids = await _ids(request)
        found = await anyio.to_thread.run_sync(desk.named, ids)
        return await anyio.to_thread.run_sync(_file, desk, found, format, name)


async def _ids(request: Request) -> list[str]:
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _FORM:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
        lines = "\n".join(fields.get("ids", [])).splitlines()
        return [line for line in map(str.strip, lines) if line]
    if kind != "application/json":
        raise Refused(415, "bad_request", f"The body is {kind or 'of no type'}: send JSON")
    try:
        return Ids.model_validate_json(body).ids
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the body"
        raise Refused(400, "bad_request", f"{where}: {fault['msg']}") from error


def _file(desk: Desk, documents: list[dict[str, Any]], format: Format, name: str) -> Response:
    headers = {"Content-Disposition": disposition(f"{name or 'sounds'}.{format}")}
    if format == "csv":
        return Response(table(documents), media_type="text/csv; charset=utf-8", headers=headers)
    if format == "m3u":
        content, left_out = playlist(documents)
        headers["X-Left-Out"] = str(left_out)
        return Response(content, media_type="audio/x-mpegurl; charset=utf-8", headers=headers)
    if len(documents) > MOST_FILES:
        raise Refused(
            413,
            "too_large",
            f"{len(documents)} sounds are too many for one archive: export {MOST_FILES} at a time",
        )
    pieces = archive(documents, desk.library.source)
    first = next(pieces, b"")
    return StreamingResponse(
        itertools.chain((first,), pieces), media_type="application/zip", headers=headers
    )
