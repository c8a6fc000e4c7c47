"""Collections, and sets of sounds as files."""

import csv
import io
import os
import zipfile

import pytest

import zounds


def ids_of(documents, *names):
    return [documents[name]["id"] for name in names]


def test_collections_are_kept_replaced_and_deleted(tmp_path, serving, wav_files):
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(wav_files / "odd_1.wav", workers=1)
    with serving(corpus.path) as server:
        assert server.json("/api/collections") == {"collections": [], "writable": True}
        kept = server.put("/api/collections/Kicks %2F <b>", json={"ids": ["b", "a", "b"]})
        assert kept.json() == {"name": "Kicks / <b>", "ids": ["b", "a"]}
        server.put("/api/collections/Favourites", json={"ids": []})
    with serving(corpus.path) as server:
        names = [one["name"] for one in server.json("/api/collections")["collections"]]
        assert names == ["Kicks / <b>", "Favourites"]
        assert server.delete("/api/collections/Favourites").status_code == 204
        server.refused("/api/collections/Favourites", 404, "not_found", "DELETE")
        for name in ("%20", "x" * 101, "a%00b", "%0a"):
            path = f"/api/collections/{name}"
            server.refused(path, 400, "bad_request", "PUT", json={"ids": []})
        odd = {"content": b'{"ids": ["\\ud800"]}', "headers": {"content-type": "application/json"}}
        assert server.put("/api/collections/odd", **odd).status_code == 400
        assert len(server.json("/api/collections")["collections"]) == 1
    assert len(corpus) == 1
    assert corpus.check().problems == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_corpus_that_cannot_be_written_to_says_so(tmp_path, serving, wav_files):
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(wav_files / "odd_1.wav", workers=1)
    corpus.path.chmod(0o500)
    try:
        with serving(corpus.path) as server:
            assert server.json("/api/collections")["writable"] is False
            server.refused("/api/collections/x", 409, "bad_request", "PUT", json={"ids": []})
    finally:
        corpus.path.chmod(0o700)


def test_a_table_has_what_the_page_shows(server, documents):
    answer = server.get("/api/export?format=csv&folder=pure&name=pure+ones")
    assert 'filename="pure ones.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert sorted(row["name"] for row in rows) == [f"pure_{number}.wav" for number in range(8)]
    for row in rows:
        document = documents[row["name"]]
        assert {name: str(document[name]) for name in row} == row


def test_a_playlist_leaves_out_what_is_in_archives(server, documents):
    ids = ids_of(documents, "odd_3.wav", "pure.wav", "pure_1.wav")
    answer = server.post("/api/export?format=m3u", json={"ids": ids})
    lines = answer.text.splitlines()
    paths = [line for line in lines if not line.startswith("#")]
    assert paths == [documents[name]["path"] for name in ("odd_3.wav", "pure_1.wav")]
    assert answer.headers["x-left-out"] == "1"


@pytest.mark.parametrize("form", [True, False])
def test_an_archive_has_the_files_in_their_folders(server, documents, filled, form):
    ids = ids_of(documents, "odd_3.wav", "pure.wav", "<img src=x onerror=alert(1)>.wav")
    sent = {"data": {"ids": "\r\n".join(ids)}} if form else {"json": {"ids": ids}}
    answer = server.post("/api/export?format=zip&name=a%22b", **sent)
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names[:2] == ["odd/odd_3.wav", "more.zip/set/inner/pure.wav"]
        assert names[2] == "_img src=x onerror=alert(1)_.wav"
        for _id, name in zip(ids, names, strict=True):
            assert archive.read(name) == filled[_id].meta.read()


def test_names_in_an_archive_are_their_own(server, documents):
    ids = ids_of(documents, "odd_3.wav") * 2
    archive = server.post("/api/export?format=zip", json={"ids": ids})
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert opened.namelist() == ["odd/odd_3.wav", "odd/odd_3 (2).wav"]


def test_exports_that_cannot_be_are_refused(server):
    server.refused("/api/export?format=exe", 400, "bad_request")
    server.refused("/api/export", 400, "bad_request")
    server.refused("/api/export?format=zip", 400, "bad_request", "POST", json={"ids": 3})
    text = {"content": b"a", "headers": {"content-type": "text/plain"}}
    server.refused("/api/export?format=zip", 415, "bad_request", "POST", **text)
    ids = {"ids": []}
    empty = server.post("/api/export?format=zip", json=ids)
    with zipfile.ZipFile(io.BytesIO(empty.content)) as archive:
        assert archive.namelist() == []
