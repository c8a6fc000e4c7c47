"""A server whose index is with another one, that does not answer."""

import socket

import pytest
from starlette.testclient import TestClient


def test_a_server_of_codes_that_does_not_answer_is_told_with_its_address(filled):
    pytest.importorskip("pymilvus")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"milvus://127.0.0.1:{taken.getsockname()[1]}/drums"
        page = TestClient(filled.app(backend=address), base_url="http://localhost")
        found = page.get("/api/search", params={"id": next(iter(filled))._id})
        assert (found.status_code, found.json()["error"]["kind"]) == (503, "unavailable")
        assert f"{address} does not answer" in found.json()["error"]["message"]
        assert page.get("/api/info").status_code == 200
