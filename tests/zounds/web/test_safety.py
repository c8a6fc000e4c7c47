"""Who is served, and what never is."""

import concurrent.futures
import http.client
import re
import socket
import threading
import time

import httpx
import pytest

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:; font-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/api/info", 200), ("/api/nothing", 404), ("/?query=x", 400), ("/nothing", 404)],
)
def test_every_answer_has_the_policies(server, path, status):
    answer = server.get(path)
    assert answer.status_code == status
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8888", "localhost.evil.example", "", "a@localhost", "a b"],
)
def test_a_name_that_was_pointed_here_is_not_served(server, host):
    server.refused("/api/info", 421, "bad_host", headers={"Host": host})


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:8888"])
def test_this_machine_is_served_by_its_names(server, host):
    assert server.get("/api/info", headers={"Host": host}).status_code == 200


def test_a_name_that_was_told_is_served(filled, serving):
    with serving(filled.path, "--name", "studio.local") as server:
        assert server.get("/api/info", headers={"Host": "studio.local:80"}).status_code == 200
        server.refused("/api/info", 421, "bad_host", headers={"Host": "studio"})


CHANGING = [
    ("POST", "/api/uploads"),
    ("POST", "/api/search"),
    ("PUT", "/api/collections/x"),
    ("DELETE", "/api/collections/x"),
    ("POST", "/api/export?format=csv"),
]


@pytest.mark.parametrize(("method", "path"), CHANGING)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_others_change_nothing(server, method, path, headers):
    server.refused(path, 403, "forbidden", method, headers=headers, content=b"{}")


def test_the_page_itself_may_ask(server):
    headers = {"Origin": server.url.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert server.post("/api/documents", json={"ids": []}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/assets/../../app.py",
        "/assets/..%2f..%2fapp.py",
        "/assets/%00",
        "//etc/passwd",
        "/app.py",
        "/static/index.html",
        "/api/documents/..%2f..%2fetc%2fpasswd/file",
    ],
)
def test_nothing_else_is_served(server, path):
    connection = http.client.HTTPConnection(server.url[7:-1])  # it does not tidy paths up
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status in (400, 404), path
    assert b"root:" not in answer.read()
    connection.close()


def test_a_body_that_is_too_large_is_refused(server):
    ids = {"ids": ["x" * 999] * 10_000}
    server.refused("/api/documents", 413, "too_large", "POST", json=ids)

    def pieces():
        yield b'{"ids": ["'
        for _ in range(10):
            yield b"x" * (1 << 20)

    headers = {"content-type": "application/json"}
    answer = server.post("/api/documents", content=pieces(), headers=headers)
    assert answer.status_code == 413


def test_hundreds_of_searches_at_once_are_answered(server, documents):
    _id = documents["odd_4.wav"]["id"]
    limits = httpx.Limits(max_connections=500)
    with httpx.Client(base_url=server.url, timeout=120, limits=limits) as client:
        with concurrent.futures.ThreadPoolExecutor(500) as threads:
            asked = [
                threads.submit(client.get, "/api/search", params={"id": _id, "n": 5})
                for _ in range(500)
            ]
        answers = [one.result() for one in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert server.get("/api/info").status_code == 200


def test_slow_clients_keep_nobody_waiting(server, documents):
    host, port = re.match(r"http://(.*):(\d+)/", server.url).groups()
    path = f"/api/documents/{documents['odd_4.wav']['id']}/audio"
    slow = []
    try:
        for number in range(60):
            one = socket.create_connection((host, int(port)))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            if number % 3 == 0:
                one.sendall(b"GET /api/info HTT")
            elif number % 3 == 1:
                one.sendall(b"POST /api/uploads HTTP/1.1\r\nHost: localhost\r\n")
                one.sendall(b"Content-Length: 1000\r\n\r\nabc")
            else:
                one.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            slow.append(one)
        begun = time.monotonic()
        for _ in range(5):
            assert server.get(path).status_code == 200
        assert time.monotonic() - begun < 20
    finally:
        for one in slow:
            one.close()
    assert server.get("/api/info").status_code == 200


def test_a_client_that_leaves_leaves_nothing_open(server, documents):
    path = f"/api/documents/{documents['odd_4.wav']['id']}/audio"
    before = threading.active_count()
    for _ in range(20):
        with server.client.stream("GET", path) as answer:
            next(answer.iter_raw(100))
    assert threading.active_count() == before
    assert server.get("/api/info").status_code == 200
