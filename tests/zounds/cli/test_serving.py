"""The command that serves the page, where it cannot."""

import socket

from zounds.web import page


def test_the_repl_is_not_opened_to_others_by_accident(call, indexed):
    done = call("serve", "--repl", "--host", "0.0.0.0", corpus=indexed)
    assert done.code == 1
    assert "--remote-repl" in done.err


def test_a_port_that_is_taken_is_told(call, indexed):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = call("serve", "--port", port, corpus=indexed)
    assert done.code == 1
    assert str(port) in done.err
    assert "--port" in done.err


def test_without_a_page_it_is_said_what_to_do(call, indexed, monkeypatch, tmp_path):
    monkeypatch.setattr(page, "STATIC", tmp_path)
    assert not page.is_built()
    assert "Node.js" in page.missing()


def test_the_demo_ends_by_saying_what_to_open(call, in_folder):
    done = call("demo", "here", "--pitches", 1, "--workers", 1)
    assert "http://127.0.0.1:8888/" in done.out
    assert "serve --open --corpus" in done.out.splitlines()[-1]
