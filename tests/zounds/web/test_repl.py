"""The REPL, as the page talks to it."""

import json
import os
import time

import httpx
import pytest

WRONG = ["", "Bearer", "Bearer x", "Basic {token}", "{token}", "Bearer {token}x", "Bearer é"]


@pytest.fixture(scope="module")
def served(filled, serving):
    with serving(filled.path, "--repl") as server:
        yield server


@pytest.fixture(scope="module")
def talk(served, talk_to):
    return talk_to(served)


@pytest.mark.parametrize("given", WRONG)
@pytest.mark.parametrize("path", ["", "/events", "/history"])
def test_without_the_token_nothing_is_told(served, path, given):
    headers = {"Authorization": given.format(token=served.token).encode()}
    served.refused(f"/api/repl{path}", 401, "bad_token", headers=headers)
    served.refused("/api/repl/execute", 401, "bad_token", "POST", headers=headers, json={})


def test_pages_of_others_may_not_even_look(served):
    token = {"Authorization": f"Bearer {served.token}"}
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        served.refused("/api/repl", 403, "forbidden", headers={**token, **headers})
    served.refused("/api/repl", 421, "bad_host", headers={**token, "Host": "evil.example"})


def test_a_server_without_it_has_none(server):
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/execute")):
        server.refused(f"/api/repl{path}", 404, "no_repl", method)


def test_it_computes_prints_and_fails_in_order(talk):
    assert [event["type"] for event in talk.run("x = 1")] == ["done"]
    assert talk.result("x + 1") == "2"
    printed, done = talk.run("print('hi <b>')")
    assert (printed["type"], printed["name"], printed["text"]) == ("stream", "stdout", "hi <b>\n")
    error, done = talk.run("def f():\n    return 1 / 0\nf()")
    assert (error["name"], done["status"]) == ("ZeroDivisionError", "error")
    assert any("return 1 / 0" in line for line in error["traceback"])
    assert "\x1b" not in json.dumps(error)
    assert talk.result("x") == "1"


def test_a_random_search_shows_players(talk):
    *_, result, done = talk.run("index.random_search()")
    html = result["data"]["text/html"]
    assert done["status"] == "ok"
    assert html.count("<audio") == 10
    assert ".wav" in result["data"]["text/plain"]
    picture = talk.run("next(iter(corpus)).facts, list(corpus)[0].pcm")[0]
    assert "samplerate" in picture["data"]["text/plain"]


def test_it_helps_with_typing(talk):
    found = talk.ask("complete", code="index.rand", cursor=10)
    assert "random_search" in found["matches"]
    assert (found["start"], found["end"]) == (6, 10)
    about = talk.ask("inspect", code="index.search", cursor=8)
    assert about["found"]
    assert "What sounds most like" in about["text"] or "sounds most like" in about["text"]
    assert talk.ask("is_complete", code="for x in y:") == {"status": "incomplete", "indent": "    "}
    assert talk.ask("is_complete", code="1 + 1")["status"] == "complete"
    talk.run("'remembered'")
    assert "'remembered'" in talk.client.get("/api/repl/history").json()["entries"]


def test_what_runs_can_be_stopped_and_what_waits_goes_on(talk):
    cell = talk.started("import time\nfor _ in range(600): time.sleep(0.1)")
    waiting = talk.started("'still here'")
    talk.until(lambda: talk.of(cell, "input") and talk.state == "busy")
    talk.ask("interrupt")
    talk.until(lambda: talk.of(cell, "done"))
    assert talk.of(cell, "error")[0]["name"] == "KeyboardInterrupt"
    talk.until(lambda: talk.of(waiting, "done"))
    assert talk.of(waiting, "result")
    talk.ask("interrupt")  # of nothing: it does no harm
    assert talk.result("3") == "3"


def test_events_that_were_missed_are_told_again(talk):
    talk.run("'for latecomers'")
    headers = talk.client.headers
    url = f"{talk.server.url}api/repl/events"
    with httpx.stream("GET", url, headers=headers, timeout=30) as answer:
        lines = []
        for line in answer.iter_lines():
            lines.append(line)
            if "'for latecomers'" in line and '"result"' in line:
                break
    numbers = [int(line[4:]) for line in lines if line.startswith("id: ")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_restarting_begins_anew_with_the_names(talk):
    talk.run("y = 5")
    talk.ask("restart")
    talk.until(lambda: talk.state == "idle")
    error, _ = talk.run("y")
    assert error["name"] == "NameError"
    assert "Corpus(" in talk.result("index")


def test_a_kernel_that_dies_is_told_and_can_be_started_again(talk):
    talk.started("import os; os._exit(3)")
    talk.until(lambda: talk.state == "dead")
    assert talk.client.get("/api/info").status_code == 200
    answer = talk.client.post("/api/repl/execute", json={"code": "1"})
    assert answer.status_code == 409
    talk.ask("restart")
    talk.until(lambda: talk.state == "idle")
    assert talk.result("1") == "1"


def test_large_outputs_are_cut(talk):
    *_, result, _ = talk.run(
        "class Large:\n    def __repr__(self): return 'x' * 11_000_000\nLarge()"
    )
    assert len(result["data"]["text/plain"]) < 10_600_000
    assert "left out" in result["data"]["text/plain"]


@pytest.mark.parametrize("body", [{}, {"code": 3}, {"code": "x" * 1_000_001}])
def test_what_is_no_code_is_refused(talk, body):
    answer = talk.client.post("/api/repl/execute", json=body)
    assert answer.status_code == 400


def test_the_kernel_ends_with_the_server(filled, serving, talk_to):
    with serving(filled.path, "--repl") as server:
        pid = int(talk_to(server).result("import os; os.getpid()"))
        os.kill(pid, 0)
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("the kernel is still there")


def test_it_is_not_opened_to_others_by_accident(filled, serving):
    started = serving(filled.path, "--repl", "--host", "0.0.0.0")
    with pytest.raises(AssertionError, match="remote-repl"), started:
        pass
