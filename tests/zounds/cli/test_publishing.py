"""Publishing, and searching what was published, where there is no server."""

import socket

import pytest


@pytest.fixture
def nobody():
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"milvus://127.0.0.1:{taken.getsockname()[1]}/drums"


@pytest.mark.parametrize("command", [["publish"], ["search", "odd_2.wav", "--index"]])
def test_a_server_that_does_not_answer_is_named_in_one_line(
    call, indexed, sounds, nobody, command, monkeypatch
):
    pytest.importorskip("pymilvus")
    monkeypatch.chdir(sounds)
    done = call(*command, nobody, corpus=indexed)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"zounds: {nobody} does not answer")
    assert done.err.count("\n") == 1
    assert call("search", "odd_2.wav", corpus=indexed).code == 0


@pytest.mark.parametrize(
    "command", [["publish"], ["search", "x.wav", "--index"], ["serve", "--index"]]
)
def test_what_is_no_address_is_told_with_one_that_is(call, indexed, command):
    done = call(*command, "ftp://there", corpus=indexed)
    assert (done.code, done.out) == (1, "")
    assert "'ftp://there' is no address of Milvus: give one such as milvus://" in done.err
