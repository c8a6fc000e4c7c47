"""Where a corpus is published, and what is said where that is not possible."""

import socket
import sys

import pytest

import featureflow as ff
import zounds
from zounds.corpus.backend import backend_of
from zounds.corpus.milvus import Address


@pytest.fixture
def nobody():
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"milvus://127.0.0.1:{taken.getsockname()[1]}/drums"


@pytest.mark.parametrize(
    ("text", "shown", "uri"),
    [
        ("milvus://there", "milvus://there:19530/zounds", "http://there:19530"),
        ("milvus://there:1/drums", "milvus://there:1/drums", "http://there:1"),
        ("http://there:19530/", "milvus://there:19530/zounds", "http://there:19530"),
        ("https://there/_d1", "milvus://there:19530/_d1", "https://there:19530"),
        ("http://[::1]:7", "milvus://[::1]:7/zounds", "http://[::1]:7"),
    ],
)
def test_an_address_is_a_server_and_a_name(text, shown, uri):
    address = Address.of(text)
    assert (str(address), address.uri) == (shown, uri)


def test_the_name_may_be_given_by_itself():
    assert str(Address.of("http://there:1", "drums")) == "milvus://there:1/drums"
    assert str(Address.of("http://there:1/drums", "drums")) == "milvus://there:1/drums"
    with pytest.raises(ff.InvalidParameter, match="name two collections: name one"):
        Address.of("http://there:1/kicks", "drums")


@pytest.mark.parametrize(
    "text",
    [
        *("", "there", "there:19530", "ftp://there", "milvus://", "milvus:///drums"),
        *("http://there:x", "http://there:99999", "http://[::1", "http://me:secret@there"),
        *("http://there/a/b", "http://there/1a", "http://there/a-b", "http://there/a?b=c"),
    ],
)
def test_what_is_no_address_is_refused_with_one_that_is(text):
    with pytest.raises(ff.InvalidParameter) as refused:
        Address.of(text)
    assert "secret" not in str(refused.value)
    assert "give one such as milvus://" in str(refused.value) or "give letters" in str(
        refused.value
    )


@pytest.mark.parametrize("thing", [5, b"milvus://there", object()])
def test_what_cannot_search_is_refused(thing):
    with pytest.raises(ff.InvalidParameter, match="give an address, such as milvus://"):
        backend_of(thing)


def test_a_server_that_is_not_there_is_named_with_what_to_do(notes, nobody):
    pytest.importorskip("pymilvus")
    before = list(notes.search(next(iter(notes))))
    for ask in (
        lambda: notes.publish(nobody),
        lambda: notes.search(next(iter(notes)), backend=nobody),
    ):
        with pytest.raises(zounds.BackendError, match=f"{nobody} does not answer.*do the same"):
            ask()
    assert list(notes.search(next(iter(notes)))) == before


def test_what_has_to_be_installed_is_named(notes, nobody, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(zounds.BackendError, match=r"pip install 'zounds\[milvus\]'"):
        notes.publish(nobody)


def test_a_corpus_without_an_index_is_not_published(corpus, nobody, sounds):
    with pytest.raises(zounds.CorpusError, match="add some sounds first"):
        corpus.publish(nobody)
    corpus.add(sounds, workers=1)
    with pytest.raises(zounds.SearchError, match="has learned no codes yet"):
        corpus.publish(nobody)
