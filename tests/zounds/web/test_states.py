"""A corpus that is empty, is being filled, or has not learned: the page fills by itself."""

import json
import shutil
import time

import zounds
from zounds.corpus.outcome import Progress
from zounds.corpus.view import telling


def test_an_empty_corpus_fills_while_it_is_served(tmp_path, serving, wav_files):
    corpus = zounds.Corpus(tmp_path / "corpus")
    with serving(corpus.path) as server:
        info = server.json("/api/info")
        assert (info["documents"], info["searchable"], info["learned"]) == (0, False, False)
        assert str(corpus.path) in info["command"]
        for path in ("/api/map", "/api/search?id=x", "/api/search?query=" + "A" * 22):
            assert "no sounds" in server.refused(path, 409, "no_sounds")
        assert server.json("/api/documents")["total"] == 0
        assert server.json("/api/random")["documents"] == []
        assert server.get("/?query=AAAA").status_code == 200
        assert server.put("/api/collections/a", json={"ids": ["x"]}).status_code == 200
        assert not corpus.exists()

        corpus.add(wav_files, workers=1)
        waited = [server.json("/api/info") for _ in range(1)]
        assert waited[-1]["documents"] == 24
        assert waited[-1]["changes"] != info["changes"]
        (document, *_) = server.json("/api/documents")["documents"]
        assert document["code"] is None
        server.refused(f"/api/search?id={document['id']}", 409, "not_learned")
        corpus.learn()
        server.refused(f"/api/search?id={document['id']}", 409, "no_index")
        corpus.index()
        deadline = time.monotonic() + 20
        while not server.json("/api/info")["searchable"] and time.monotonic() < deadline:
            time.sleep(0.1)
        hits = server.json("/api/search", id=document["id"])["hits"]
        assert hits[0]["id"] == document["id"]
        corpus.remove(document["id"])
        while server.json("/api/info")["documents"] != 23 and time.monotonic() < deadline:
            time.sleep(0.1)
        server.refused(f"/api/documents/{document['id']}", 404, "not_found")
        assert document["id"] not in [
            hit["id"] for hit in server.json("/api/search", query=hits[0]["code"], n=50)["hits"]
        ]


def test_how_far_an_ingest_is_can_be_seen_from_outside(tmp_path, serving, wav_files):
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(wav_files / "odd_1.wav", workers=1)
    with serving(corpus.path) as server:
        assert server.json("/api/info")["ingest"] is None
        heard = []
        with telling(corpus._home, heard.append) as tell:
            tell(Progress("reading", 10, 40, 12.5, 1))
            time.sleep(0.6)
            tell(Progress("reading", 20, 40, 25.0, 1))
            ingest = server.json("/api/info")["ingest"]
            assert ingest.pop("rate") > 0
            assert 0 < ingest.pop("left") < 60
            assert ingest == {
                "task": "reading", "done": 20, "total": 40, "seconds": 25.0, "failed": 1
            }  # fmt: skip
        assert len(heard) == 2
        assert server.json("/api/info")["ingest"] is None
        # what a process left behind that was killed
        path = corpus.path / "progress.json"
        path.write_text(json.dumps({"pid": 2**22 + 1, "task": "reading"}))
        assert server.json("/api/info")["ingest"] is None
        path.write_text("{")
        assert server.json("/api/info")["ingest"] is None


def test_adding_tells_how_far_it_is(tmp_path, wav_files):
    corpus = zounds.Corpus(tmp_path / "corpus")
    told = []
    view = corpus.view()
    corpus.add(wav_files, workers=1, progress=lambda _: told.append(view.progress()))
    assert told
    assert {one["task"] for one in told} == {"reading"}
    assert view.progress() is None


def test_a_server_survives_a_corpus_that_vanishes(tmp_path, serving, filled):
    copy = tmp_path / "corpus"
    shutil.copytree(filled.path, copy)
    with serving(copy) as server:
        assert server.json("/api/info")["documents"] == 28
        shutil.rmtree(copy)
        assert server.get("/api/info").status_code in (200, 500)
        assert server.get("/").status_code == 200
