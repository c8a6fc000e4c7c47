"""A server whose index is with another one, that does not answer."""

import socket

import anyio
import httpx
import pytest


def test_a_server_of_codes_that_does_not_answer_is_told_with_its_address(filled):
    pytest.importorskip("pymilvus")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"milvus://127.0.0.1:{taken.getsockname()[1]}/drums"
        transport = httpx.ASGITransport(app=filled.app(backend=address))

        async def ask(path, **parameters):
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as page:
                return await page.get(path, params=parameters)

        document = next(iter(filled))._id
        found = anyio.run(lambda: ask("/api/search", id=document))
        assert (found.status_code, found.json()["error"]["kind"]) == (503, "unavailable")
        assert f"{address} does not answer" in found.json()["error"]["message"]
        assert anyio.run(lambda: ask("/api/info")).status_code == 200
