"""The page and its interface, as an ASGI application."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from importlib.metadata import version
from typing import Annotated, Any

import anyio.to_thread
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

import featureflow as ff
from featureflow.spool import TemporaryFile
from zounds.web import exports, page
from zounds.web.answers import ANY, Json, ok
from zounds.web.asking import AnyDesk, AnyLanes, Lanes, Manner, Wanted, manner_of
from zounds.web.desk import Desk
from zounds.web.guard import Guard
from zounds.web.library import Library
from zounds.web.ranges import respond
from zounds.web.refusal import Refused, refusal
from zounds.web.schemas import (
    Answer,
    Collection,
    Collections,
    Document,
    Documents,
    Duration,
    Ids,
    Mix,
    Page,
    Peaks,
    Plain,
    SomeIds,
    Sort,
    Time,
)

MAX_UPLOAD = 50 << 20
MAX_UPLOAD_SECONDS = 600

_SILENCE = 30  # s without a byte of an upload
_DRAINED = 4  # times the limit of an upload are read, so that the answer arrives
_log = logging.getLogger("zounds.web")


def app_of(
    library: Library,
    max_upload: int = MAX_UPLOAD,
    hosts: frozenset[str] = frozenset(),
    repl: Any = None,
) -> Any:
    """Return the page and its interface, for a library.

    Parameters
    ----------
    library : Library
    max_upload : int [unit=bytes]
        The size of sounds that are sent to search with.
    hosts : frozenset of str
        The names of this server, besides ``localhost`` and numbers.
    repl : Repl or None
        The REPL, where there is one.

    Returns
    -------
    callable
        An ASGI application.
    """
    app = FastAPI(
        title="zounds",
        version=version("zounds"),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        default_response_class=Json,
        lifespan=None if repl is None else repl.lifespan,
    )
    app.state.desk = Desk(library, MAX_UPLOAD_SECONDS)
    app.state.lanes = Lanes()
    app.state.max_upload = max_upload
    app.state.has_repl = repl is not None
    _add_errors(app)
    _add_corpus(app)
    _add_searches(app)
    _add_sounds(app)
    _add_collections(app)
    exports.add(app)
    if repl is None:
        app.add_api_route("/api/repl", _no_repl, include_in_schema=False)
        app.add_api_route(
            "/api/repl/{rest:path}",
            _no_repl,
            methods=["GET", "POST"],
            include_in_schema=False,
        )
    else:
        app.include_router(repl.router)
    page.add(app)
    return Guard(app, hosts)


def _add_corpus(app: FastAPI) -> None:
    @app.get("/api/info", responses=ok(Plain))
    async def info(request: Request, desk: AnyDesk) -> Response:
        """Say what there is."""
        about = await anyio.to_thread.run_sync(desk.info)
        rest = {
            "version": app.version,
            "max_upload": app.state.max_upload,
            "max_upload_seconds": MAX_UPLOAD_SECONDS,
            "max_upload_option": "--max-upload",
            "repl": app.state.has_repl,
        }
        return Json({**about, **rest})

    @app.get("/api/failures", responses=ok(Plain))
    async def failures(desk: AnyDesk) -> Response:
        """Say what could not be read, or not to its end."""
        return Json({"failures": await anyio.to_thread.run_sync(desk.library.failures)})

    @app.get("/api/documents", responses=ok(Page))
    async def documents(
        desk: AnyDesk,
        wanted: Wanted,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        sort: Sort = "folder",
    ) -> Response:
        """Return sounds that pass filters, a page of them."""
        found = await anyio.to_thread.run_sync(desk.documents, wanted, offset, limit, sort)
        return Json(found)

    @app.post("/api/documents", responses=ok(Documents))
    async def named(desk: AnyDesk, wanted: SomeIds) -> Response:
        """Return sounds by their ids."""
        return Json({"documents": await anyio.to_thread.run_sync(desk.named, wanted.ids)})

    @app.get("/api/random", responses=ok(Documents))
    async def random(
        desk: AnyDesk,
        wanted: Wanted,
        n: Annotated[int, Query(ge=1, le=100)] = 1,
        seed: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    ) -> Response:
        """Return some sounds, any."""
        return Json({"documents": await anyio.to_thread.run_sync(desk.random, n, seed, wanted)})

    @app.get("/api/map", responses={**ok(Plain), 202: {"description": "It is being drawn"}})
    async def landscape(desk: AnyDesk) -> Response:
        """Say where the map is; draw it, the first time."""
        found = await anyio.to_thread.run_sync(desk.cartographer.ask, 0.25)
        if isinstance(found, float):
            return Json({"ready": False, "done": found}, status_code=202)
        return Json(found.record())

    @app.get("/api/map/points", responses=ANY)
    async def points(desk: AnyDesk, version: str = "") -> Response:
        """Return where the sounds are, as columns of numbers."""
        made = desk.cartographer.version(version)
        return Response(
            await anyio.to_thread.run_sync(made.points),
            media_type="application/octet-stream",
            headers={"Cache-Control": "private, max-age=31536000, immutable"},
        )

    @app.get("/api/map/names", responses=ok(Plain))
    async def names(desk: AnyDesk, version: str = "") -> Response:
        """Return the ids and names of the sounds on the map."""
        made = desk.cartographer.version(version)
        headers = {"Cache-Control": "private, max-age=31536000, immutable"}
        return Json({"ids": made.ids, "names": made.names}, headers=headers)

    @app.get("/api/evaluation", responses=ok(Plain))
    async def evaluation(desk: AnyDesk, lanes: AnyLanes) -> Response:
        """Say how well searches find sounds of the same folder."""
        found = await lanes.picture(desk.library.evaluation)
        if found is None:
            raise Refused(404, "not_found", "This corpus cannot say how well searches find")
        return Json(found)


def _add_searches(app: FastAPI) -> None:
    @app.get("/api/search", responses=ok(Answer))
    async def search(
        desk: AnyDesk,
        lanes: AnyLanes,
        manner: Manner,
        id: Annotated[str | None, Query(max_length=1000)] = None,
        query: Annotated[str | None, Query(max_length=10_000)] = None,
        start: Time | None = None,
        duration: Duration | None = None,
    ) -> Response:
        """Return what is near a sound, a stretch of one, or a code."""
        wanted = manner_of(desk, manner)
        found = await lanes.search(desk.search, id, query, start, duration, wanted)
        return Json(found)

    @app.post("/api/search", responses=ok(Answer))
    async def mix(desk: AnyDesk, lanes: AnyLanes, manner: Manner, sounds: Mix) -> Response:
        """Return what is near some sounds, and far from others."""
        wanted = manner_of(desk, manner)
        more, less = ([one.model_dump() for one in some] for some in (sounds.more, sounds.less))
        return Json(await lanes.search(desk.mix, more, less, wanted))

    @app.post(
        "/api/uploads",
        status_code=201,
        responses={**ok(Document, 201), 413: {}, 415: {}},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
                },
            }
        },
    )
    async def upload(
        request: Request,
        desk: AnyDesk,
        lanes: AnyLanes,
        name: Annotated[str, Query(max_length=1000)] = "upload",
    ) -> Response:
        """Take a sound to search with."""
        file, digest = await _received(request, app.state.max_upload, name)
        taken = await lanes.picture(desk.uploads.add, file, name or "upload", digest)
        return Json(taken.record(), status_code=201)


async def _received(request: Request, most: int, name: str) -> tuple[TemporaryFile, str]:
    """Return the body of an upload and its digest; refuse it where it is too large."""
    declared = request.headers.get("content-length", "0")
    declared_size = int(declared[:20]) if declared.isdigit() else 0
    if declared_size > most * _DRAINED:
        raise _over(name, declared_size, most)
    file, size, digest = TemporaryFile(), 0, hashlib.blake2b(digest_size=16)
    chunks = request.stream().__aiter__()
    with file.path.open("wb") as target:
        while True:
            try:
                chunk = await asyncio.wait_for(anext(chunks), _SILENCE)
            except StopAsyncIteration:
                break
            except TimeoutError:
                raise Refused(
                    408, "bad_request", f"Nothing came for {_SILENCE} s: send the sound again"
                ) from None
            size += len(chunk)
            if size > most * _DRAINED:
                break
            if max(size, declared_size) <= most:
                target.write(chunk)
                digest.update(chunk)
    if max(size, declared_size) > most:
        raise _over(name, max(size, declared_size), most)
    return file, digest.hexdigest()


def _over(name: str, size: int, most: int) -> Refused:
    return Refused(
        413,
        "too_large",
        f"{name} is {size / 2**20:.0f} MB, and this server takes up to {most / 2**20:g} MB: cut "
        "out the second you mean, or start zounds serve with a higher --max-upload",
    )


def _add_sounds(app: FastAPI) -> None:
    @app.get("/api/documents/{id:path}/audio", responses=ANY)
    @app.head("/api/documents/{id:path}/audio", include_in_schema=False)
    async def audio(
        request: Request,
        desk: AnyDesk,
        id: str,
        start: Time | None = None,
        duration: Duration | None = None,
    ) -> Response:
        """Return a sound, or a stretch of it, to play."""

        def answer() -> Response:
            part, tag = desk.audio(id, start, duration)
            return respond(request, part, tag)

        return await anyio.to_thread.run_sync(answer)

    @app.get("/api/documents/{id:path}/file", responses=ANY)
    @app.head("/api/documents/{id:path}/file", include_in_schema=False)
    async def file(request: Request, desk: AnyDesk, id: str) -> Response:
        """Return the file of a sound, to keep."""

        def answer() -> Response:
            part, tag, name = desk.file(id)
            return respond(request, part, tag, name)

        return await anyio.to_thread.run_sync(answer)

    @app.get("/api/documents/{id:path}/peaks", responses=ok(Peaks))
    async def peaks(
        desk: AnyDesk,
        lanes: AnyLanes,
        id: str,
        columns: Annotated[int, Query(ge=1, le=4000)] = 400,
        start: Time | None = None,
        duration: Duration | None = None,
    ) -> Response:
        """Return the waveform of a sound."""
        return Json(await lanes.picture(desk.peaks, id, start, duration, columns), headers=_WHILE)

    @app.get("/api/documents/{id:path}/picture.png", responses=ANY)
    async def picture(
        desk: AnyDesk,
        lanes: AnyLanes,
        id: str,
        width: Annotated[int, Query(ge=1, le=2000)] = 300,
        start: Time | None = None,
        duration: Duration | None = None,
        feature: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        """Return a grey picture of a sound."""
        made = await lanes.picture(desk.picture, id, start, duration, width, feature)
        return Response(made, media_type="image/png", headers=_WHILE)

    @app.get("/api/documents/{id:path}/features", responses=ok(Plain))
    async def features(desk: AnyDesk, id: str) -> Response:
        """Say which features a sound has."""
        return Json(await anyio.to_thread.run_sync(desk.features, id))

    @app.get("/api/documents/{id:path}/features/{name}", responses=ok(Plain))
    async def feature(
        desk: AnyDesk,
        lanes: AnyLanes,
        id: str,
        name: str,
        start: Time | None = None,
        duration: Duration | None = None,
    ) -> Response:
        """Return a feature of a sound."""
        return Json(await lanes.picture(desk.feature, id, name, start, duration))

    @app.get("/api/documents/{id:path}", responses=ok(Document))
    async def document(desk: AnyDesk, id: str) -> Response:
        """Describe a sound."""
        return Json(await anyio.to_thread.run_sync(desk.document, id))


_WHILE = {"Cache-Control": "private, max-age=600"}


def _add_collections(app: FastAPI) -> None:
    @app.get("/api/collections", responses=ok(Collections))
    async def collections(desk: AnyDesk) -> Response:
        """Return all collections."""
        return Json(await anyio.to_thread.run_sync(desk.sets.record))

    @app.put("/api/collections/{name:path}", responses=ok(Collection))
    async def keep(desk: AnyDesk, name: str, wanted: Ids) -> Response:
        """Make or replace a collection."""
        return Json(await anyio.to_thread.run_sync(desk.sets.put, name, wanted.ids))

    @app.delete("/api/collections/{name:path}", status_code=204, responses=ANY)
    async def drop(desk: AnyDesk, name: str) -> Response:
        """Delete a collection."""
        await anyio.to_thread.run_sync(desk.sets.delete, name)
        return Response(status_code=204)


async def _no_repl() -> Response:
    raise Refused(404, "no_repl", "This server has no REPL: start it with zounds serve --repl")


def _add_errors(app: FastAPI) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)  # noqa: S101  # for mypy: it is registered for these
        return Json(error.body(), error.status, headers=error.headers)

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, ff.Error)  # noqa: S101
        found = refusal(error)
        if found.status == 500:
            _log.error("%s %s", request.method, request.url.path, exc_info=error)
        return Json(found.body(), found.status)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        told = request.scope.get("zounds.refused")
        if told is None:
            told = Refused(400, "bad_request", _first_fault(error))
        return Json(told.body(), told.status)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        told = request.scope.get("zounds.refused")
        if told is None:
            kind = "not_found" if error.status_code == 404 else "bad_request"
            message = f"{request.method} {request.url.path}: {error.detail}"
            told = Refused(error.status_code, kind, message, **dict(error.headers or {}))
        return Json(told.body(), told.status, headers=told.headers)

    async def unforeseen(request: Request, error: Exception) -> Response:
        message = "Something is wrong in the server: its terminal says what"
        return Json(Refused(500, "internal", message).body(), 500)

    async def left(request: Request, error: Exception) -> Response:
        return Json(Refused(400, "bad_request", "The body did not come to its end").body(), 400)

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(ClientDisconnect, left)
    app.add_exception_handler(ff.Error, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)


def _first_fault(error: RequestValidationError) -> str:
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"][1:]) or "the body"
    return f"{where}: {fault['msg']}"
