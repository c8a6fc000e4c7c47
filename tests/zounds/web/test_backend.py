"""A server whose index is with another one, that does not answer."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest


def test_a_server_of_codes_that_does_not_answer_is_told_with_its_address(filled):
    pytest.importorskip("pymilvus")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"milvus://127.0.0.1:{taken.getsockname()[1]}/drums"
        transport = httpx.ASGITransport(app=filled.app(backend=address))

        async def asking(path, parameters):
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as page:
                return await page.get(path, params=parameters)

        def ask(path, **parameters):
            with ThreadPoolExecutor(1) as thread:  # a browser may have a loop in this one
                return thread.submit(asyncio.run, asking(path, parameters)).result()

        found = ask("/api/search", id=next(iter(filled))._id)
        assert (found.status_code, found.json()["error"]["kind"]) == (503, "unavailable")
        assert f"{address} does not answer" in found.json()["error"]["message"]
        assert ask("/api/info").status_code == 200
