"""What the page is answered when it searches."""

import base64
from urllib.parse import quote

import numpy as np
import pytest


def names(answer):
    return [hit["name"] for hit in answer["hits"]]


def test_a_search_by_id_finds_what_the_corpus_finds(server, filled, documents):
    query = documents["odd_4.wav"]
    answer = server.json("/api/search", id=query["id"], n=5)
    found = filled.search(query["id"], n_results=5)
    assert [hit["id"] for hit in answer["hits"]] == [hit.id for hit in found]
    assert [hit["distance"] for hit in answer["hits"]] == [hit.distance for hit in found]
    assert [hit["score"] for hit in answer["hits"]] == [hit.score for hit in found]
    assert answer["query"]["document"] == query
    assert (answer["passed"], answer["documents"]) == (28, 28)


def test_the_code_of_an_answer_finds_the_same_again(server, documents):
    answer = server.json("/api/search", id=documents["odd_4.wav"]["id"], n=5)
    again = server.json("/api/search", query=answer["query"]["code"], n=5)
    assert names(again) == names(answer)
    assert again["query"] == {**answer["query"], "document": None}


def test_the_code_of_each_hit_is_the_link_of_the_next_query(server, documents):
    answer = server.json("/api/search", id=documents["odd_4.wav"]["id"], unit="segment", per_file=0)
    for hit in answer["hits"][:8]:
        following = server.json(
            "/api/search", query=hit["code"], unit="segment", per_file=0, n=1000
        )
        equal = [one for one in following["hits"] if one["distance"] == 0]
        assert (hit["id"], hit["start"]) in {(one["id"], one["start"]) for one in equal}


@pytest.mark.parametrize("alphabet", ["standard", "safe"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("padded", [True, False])
def test_a_code_in_an_address_is_read_in_every_spelling(server, alphabet, times, padded):
    code = bytes([251, 255, 62] * 5 + [1])
    encode = base64.urlsafe_b64encode if alphabet == "safe" else base64.b64encode
    text = encode(code).decode()
    text = text if padded else text.rstrip("=")
    for _ in range(times):
        text = quote(text, safe="")
    assert server.get(f"/?query={text}").status_code == 200
    answer = server.get(f"/api/search?query={text}")
    assert base64.b64decode(answer.json()["query"]["code"]) == code


@pytest.mark.parametrize("code", ["abc", "A" * 23, "*" * 24, "é" * 24, "\0", "A" * 5000])
def test_what_is_no_code_is_refused_on_the_page_and_below_it(server, code):
    assert "128 bits" in server.refused("/api/search", 400, "bad_code", params={"query": code})
    page = server.get("/", params={"query": code})
    assert page.status_code == 400
    assert "128 bits" in page.text
    assert page.headers["content-type"].startswith("text/html")


def test_a_region_is_searched_with_as_the_corpus_does(server, filled, documents):
    query = documents["bright_3.wav"]["id"]
    answer = server.json("/api/search", id=query, start=0.2, duration=0.4, n=4)
    found = filled.search(query, start=0.2, duration=0.4, n_results=4)
    assert [hit["id"] for hit in answer["hits"]] == [hit.id for hit in found]
    segment = server.json("/api/search", id=query, start=0.8, unit="segment", n=1)
    hit = segment["hits"][0]
    assert hit["distance"] == 0
    assert 0 < hit["start"] <= 0.8 < hit["start"] + hit["duration"]


@pytest.mark.parametrize(
    "region",
    [{"start": 1.3}, {"start": 1e8}, {"start": 0.1, "duration": 1e-9, "query": "x"}],
)
def test_a_region_that_is_not_there_is_refused(server, documents, region):
    if "query" in region:
        region["query"] = "A" * 22
        server.refused("/api/search", 400, "bad_region", params=region)
        return
    region["id"] = documents["odd_4.wav"]["id"]
    assert "1.2" in server.refused("/api/search", 400, "bad_region", params=region)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 0},
        {"n": 1001},
        {"n": "x"},
        {"unit": "bar"},
        {"per_file": -1},
        {"start": "nan"},
        {"start": -1},
        {"duration": 0},
        {"duration": "inf"},
        {"like": "nothing"},
        {"min_seconds": "nan"},
        {"query": "AAAA"},
    ],
)
def test_parameters_that_cannot_be_are_named(server, documents, wrong):
    params = {"id": documents["odd_4.wav"]["id"], **wrong}
    message = server.refused("/api/search", 400, "bad_request", params=params)
    assert next(iter(wrong)) in message


@pytest.mark.parametrize(
    "_id", ["../../etc/passwd", "..%2f", "\0", "ſ𝔞", "upload-0", "x" * 900, "; rm -rf"]
)
def test_ids_that_are_none_are_not_found(server, _id):
    server.refused("/api/search", 404, "not_found", params={"id": _id})
    for path in ("", "/audio", "/file", "/peaks", "/picture.png", "/features"):
        server.refused(f"/api/documents/{quote(_id, safe='')}{path}", 404, "not_found")


def test_filters_leave_out_and_keep_the_order(server, documents):
    query = documents["odd_4.wav"]["id"]
    everything = server.json("/api/search", id=query, n=100)["hits"]

    def kept(**filters):
        answer = server.json("/api/search", id=query, n=100, **filters)
        assert answer["passed"] == len(answer["hits"])
        return names(answer)

    pure = [hit["name"] for hit in everything if hit["folder"] == "pure"]
    assert kept(folder="pure") == pure
    assert len(pure) == 8
    assert kept(folder=["pure", "bright"]) == [
        hit["name"] for hit in everything if hit["folder"] in ("pure", "bright")
    ]
    assert kept(folder="more.zip") == ["pure.wav"]
    assert kept(folder="pur") == []
    assert kept(text="ODD 3") == ["odd_3.wav"]
    assert kept(text="odd", max_seconds=1) == []
    assert kept(channels=1, samplerate=44100, min_seconds=1.2) == [
        hit["name"] for hit in everything
    ]
    assert kept(channels=2) == []


def test_codes_find_again_in_the_way_they_were_compared(server, documents):
    query = documents["odd_4.wav"]["id"]
    assert server.json("/api/info")["likes"] == ["kind", "same"]
    codes = {}
    for like in ("kind", "same"):
        answer = server.json("/api/search", id=query, like=like, n=4)
        codes[like] = answer["query"]["code"]
        for hit in answer["hits"]:
            again = server.json("/api/search", query=hit["code"], like=like, n=28)["hits"]
            assert {one["id"]: one["distance"] for one in again}[hit["id"]] == 0
    assert codes["kind"] != codes["same"]
    assert documents["odd_4.wav"]["code"] == codes["kind"]


def test_mixes_are_near_to_all_and_far_from_others(server, documents):
    more = [{"id": documents[name]["id"]} for name in ("odd_4.wav", "odd_5.wav")]
    found = server.post("/api/search?n=28", json={"more": more}).json()
    assert set(names(found)[:2]) <= {name for name in documents if name.startswith("odd")} | {
        name for name in documents if "ve" in name or "img" in name
    }
    less = [{"id": documents["odd_4.wav"]["id"]}]
    mixed = server.post("/api/search?n=28", json={"more": more, "less": less}).json()
    place = names(found).index("odd_4.wav"), names(mixed).index("odd_4.wav")
    assert place[0] <= place[1]
    filtered = server.post("/api/search?n=28&folder=pure", json={"more": more}).json()
    assert {hit["folder"] for hit in filtered["hits"]} == {"pure"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"more": []},
        {"more": [{}]},
        {"more": [{"id": "x", "query": "y"}]},
        {"more": [{"id": 3}]},
        {"more": [{"id": "x", "other": 1}]},
        {"more": [{"id": "x"}] * 101},
        [],
        "text",
        None,
    ],
)
def test_mixes_that_cannot_be_are_refused(server, body):
    server.refused("/api/search", 400, "bad_request", "POST", json=body)


def test_broken_json_is_refused(server):
    headers = {"content-type": "application/json"}
    for body in (b"{", b"\xff", b"[" * 100_000, b'{"more": ' + b"9" * 5000 + b"}"):
        answer = server.post("/api/search", content=body, headers=headers)
        assert answer.status_code == 400, body[:20]


def test_a_file_that_is_sent_is_searched_with(server, wav_files, documents):
    content = (wav_files / "bright_6.wav").read_bytes()
    sent = server.post("/api/uploads?name=my <kick>.wav", content=content)
    assert sent.status_code == 201
    upload = sent.json()
    assert (upload["name"], upload["channels"], upload["samplerate"]) == ("my <kick>.wav", 1, 44100)
    assert abs(upload["seconds"] - 1.2) < 1e-6
    answer = server.json("/api/search", id=upload["id"], n=3)
    assert names(answer)[0] == "bright_6.wav"
    assert answer["hits"][0]["distance"] == 0
    assert answer["query"]["document"] == upload
    region = server.json("/api/search", id=upload["id"], start=0.1, duration=0.5, n=3)
    same = server.json(
        "/api/search", id=documents["bright_6.wav"]["id"], start=0.1, duration=0.5, n=3
    )
    assert names(region) == names(same)
    assert server.get(f"/api/documents/{upload['id']}/file").content == content
    again = server.post("/api/uploads", content=content).json()
    assert again["id"] == upload["id"]


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (b"", 415, "no_audio"),
        (b"no sound at all" * 100, 415, "not_audio"),
        (b"\0" * (3 << 20), 413, "too_large"),
        (b"\0" * (20 << 20), 413, "too_large"),
    ],
)
def test_what_cannot_be_searched_with_is_refused(server, content, status, kind):
    server.refused("/api/uploads", status, kind, "POST", content=content)
    pieces = (content[start : start + 65536] for start in range(0, len(content), 65536))
    if len(content) < 8 << 20:
        server.refused("/api/uploads", status, kind, "POST", content=pieces)


def test_a_sound_of_hours_is_refused(server, tmp_path):
    import soundfile

    path = tmp_path / "long.ogg"
    with soundfile.SoundFile(path, "w", 8000, 1, format="OGG", subtype="VORBIS") as file:
        for _ in range(11 * 60):
            file.write(np.zeros(8000, np.float32))
    assert path.stat().st_size < 2 << 20
    message = server.refused(
        "/api/uploads", 413, "too_long", "POST", content=path.read_bytes(), params={"name": "l.ogg"}
    )
    assert "10 minutes" in message


def test_documents_come_in_pages(server):
    pages = [server.json("/api/documents", offset=at, limit=10) for at in (0, 10, 20, 30)]
    assert [len(page["documents"]) for page in pages] == [10, 10, 8, 0]
    assert {page["total"] for page in pages} == {28}
    ids = [one["id"] for page in pages for one in page["documents"]]
    assert len(set(ids)) == 28
    by_name = server.json("/api/documents", sort="name", limit=100)["documents"]
    lowered = [one["name"].casefold() for one in by_name]
    assert lowered == sorted(lowered)
    named = server.post("/api/documents", json={"ids": [ids[5], "none", ids[2]]}).json()
    assert [one["id"] for one in named["documents"]] == [ids[5], ids[2]]


def test_random_sounds_are_different_and_the_same_for_a_seed(server):
    one, other = (server.json("/api/random", n=6, seed=3)["documents"] for _ in range(2))
    assert one == other
    assert len({sound["id"] for sound in one}) == 6
    drawn = {server.json("/api/random", seed=seed)["documents"][0]["id"] for seed in range(40)}
    assert len(drawn) > 15
    assert len(server.json("/api/random", n=100, folder="pure")["documents"]) == 8
    assert server.json("/api/random", folder="nowhere")["documents"] == []


def test_names_are_text_that_can_be_sent(server, documents):
    assert "<img src=x onerror=alert(1)>.wav" in documents
    odd = next(name for name in documents if "ve " in name)
    assert odd == "na�ve �.wav"
    assert documents[odd]["path"].endswith(odd)
    assert documents["pure.wav"]["folder"] == "more.zip/set/inner"
    assert documents["pure.wav"]["path"] is None


def test_info_says_how_much_there_is(server, filled):
    info = server.json("/api/info")
    assert (info["documents"], info["indexed"], info["failed"]) == (28, 28, 1)
    assert (info["learned"], info["searchable"], info["up_to_date"]) == (True, True, True)
    assert info["bits"] == 128
    assert info["max_upload"] == 2 << 20
    folders = {one["folder"]: one["documents"] for one in info["folders"]}
    assert folders["pure"] == folders["odd"] == folders["bright"] == 8
    assert (folders["more.zip"], folders["more.zip/set/inner"], folders[""]) == (0, 1, 3)
    assert sum(info["durations"]["counts"]) == 28
    assert len(info["durations"]["edges"]) == len(info["durations"]["counts"]) + 1
    assert info["samplerates"] == [{"samplerate": 44100.0, "documents": 28}]
    assert abs(info["seconds"] - filled.info().seconds) < 1e-6
    assert info["repl"] is False
    assert [one["name"] for one in server.json("/api/failures")["failures"]] == ["broken.wav"]
