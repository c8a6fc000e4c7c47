"""What the page plays: files and stretches of them, with the ranges that browsers ask for."""

import io
import re
import zipfile

import numpy as np
import pytest
import soundfile
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import zounds


def read(answer):
    samples, rate = soundfile.read(io.BytesIO(answer.content), dtype="float32")
    assert rate == 44100
    return samples


def test_a_sound_is_played_as_it_is(server, documents, filled):
    for name in ("odd_4.wav", "other.flac"):
        answer = server.get(f"/api/documents/{documents[name]['id']}/audio")
        kind = name.rpartition(".")[2]
        assert answer.headers["content-type"] == f"audio/{kind}"
        assert answer.content == filled[documents[name]["id"]].meta.read()
        assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("name", ["odd_4.wav", "other.flac", "pure.wav"])
@pytest.mark.parametrize(("start", "duration"), [(0, 0.1), (0.25, 0.5), (1.1, 5), (0.7, None)])
def test_a_stretch_is_cut_to_the_sample(server, documents, filled, name, start, duration):
    document = documents[name]
    times = {"start": start} | ({} if duration is None else {"duration": duration})
    answer = server.get(f"/api/documents/{document['id']}/audio", params=times)
    assert answer.headers["content-type"] == "audio/wav"
    whole = np.asarray(filled[document["id"]].pcm)
    end = None if duration is None else round(start * 44100) + round(duration * 44100)
    expected = whole[round(start * 44100) : end]
    assert np.abs(read(answer) - expected).max() < 1e-4


def test_a_late_stretch_of_a_long_sound_is_the_same_as_when_it_is_read_to_there(tmp_path, serving):
    rng = np.random.default_rng(0)
    noise = zounds.AudioSamples(rng.uniform(-0.5, 0.5, 44100 * 14).astype(np.float32), 44100)
    (tmp_path / "sounds").mkdir()
    for name in ("long.wav", "long.flac", "long.ogg", "long.mp3"):
        zounds.save(noise, tmp_path / "sounds" / name)
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(tmp_path / "sounds", workers=1)
    with serving(corpus.path) as server:
        for document in server.json("/api/documents")["documents"]:
            times = {"start": 12.5, "duration": 0.5}
            answer = server.get(f"/api/documents/{document['id']}/audio", params=times)
            first = round(12.5 * 44100)
            expected = np.asarray(corpus[document["id"]].pcm)[first : first + 22050]
            assert np.abs(read(answer) - expected).max() < 1e-3, document["name"]


def test_what_browsers_do_not_play_becomes_wav(tmp_path, serving, filled, documents):
    samples = np.asarray(filled[documents["odd_4.wav"]["id"]].pcm)
    folder = tmp_path / "sounds"
    folder.mkdir()
    soundfile.write(folder / "a.aiff", samples, 44100)
    soundfile.write(folder / "b.wav", samples, 44100, subtype="IMA_ADPCM")
    soundfile.write(folder / "many.wav", np.tile(samples[:, None], (1, 12)), 44100)
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(folder, workers=1)
    with serving(corpus.path) as server:
        for document in server.json("/api/documents")["documents"]:
            path = f"/api/documents/{document['id']}"
            answer = server.get(f"{path}/audio")
            assert answer.headers["content-type"] == "audio/wav"
            heard = read(answer)
            assert len(heard) == round(document["seconds"] * 44100)
            expected = np.asarray(corpus[document["id"]].pcm)
            assert np.abs(heard - expected).max() < 1e-4
            cut = server.get(f"{path}/audio", params={"start": 0.1, "duration": 0.1})
            assert read(cut).ndim == 1  # twelve channels are mixed to one
            assert server.get(f"{path}/file").content == corpus[document["id"]].meta.read()
            part = server.get(f"{path}/audio", headers={"Range": "bytes=1001-2000"})
            assert part.content == answer.content[1001:2001]


RANGES = st.one_of(
    st.text(max_size=30),
    st.from_regex(r"bytes=[0-9]{0,9}-[0-9]{0,9}", fullmatch=True),
    st.from_regex(r"[a-z]{1,6} ?= ?[0-9, -]{0,20}", fullmatch=True),
    st.sampled_from(
        ["bytes=0-0", "bytes=-1", "bytes=-0", "bytes=0-", "bytes=5-2", "bytes=0-1,3-4", "bytes="]
    ),
    st.sampled_from(["-", "items=0-5", "bytes=a-b", "bytes=--1", "bytes=٣-٤", f"bytes={10**26}-"]),
    st.just(f"bytes={'9' * 5000}-"),
)


def oracle(header, size):
    """What RFC 9110 lets a server do that takes one range."""
    kind, _, spec = header.strip(" \t").partition("=")
    first, dash, last = spec.strip(" \t").partition("-")
    digits = all(part == "" or (part.isascii() and part.isdigit()) for part in (first, last))
    if kind.lower() != "bytes" or not dash or not digits or first + last == "":
        return 200, 0, size
    if first == "":
        count = min(int(last[:30]), size)
        return (206, size - count, size) if count else (416, 0, 0)
    if last and int(last[:30]) < int(first[:30]):
        return 200, 0, size
    if int(first[:30]) >= size:
        return 416, 0, 0
    return 206, int(first[:30]), size if not last else min(int(last[:30]) + 1, size)


@settings(max_examples=150, deadline=None)
@given(header=RANGES, stretch=st.booleans())
def test_every_range_gets_what_the_standard_says(server, documents, header, stretch):
    value = header.encode("utf-8", "replace")
    assume(re.fullmatch(rb"(?! )[\x20-\x7e\x80-\xff]*(?<! )", value))  # else it is no header
    params = {"start": 0.1, "duration": 0.01} if stretch else {}
    path = f"/api/documents/{documents['odd_4.wav']['id']}/audio"
    whole = server.get(path, params=params).content
    answer = server.get(path, params=params, headers={"Range": value})
    status, begin, end = oracle(value.decode("latin-1"), len(whole))
    assert answer.status_code == status
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(whole)}"
        assert answer.json()["error"]["kind"] == "unsatisfiable"
    else:
        assert answer.content == whole[begin:end]
        assert int(answer.headers["content-length"]) == end - begin
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {begin}-{end - 1}/{len(whole)}"


def test_what_has_not_changed_is_not_sent_again(server, documents):
    path = f"/api/documents/{documents['odd_4.wav']['id']}/audio"
    first = server.get(path)
    tag = first.headers["etag"]
    for value in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = server.get(path, headers={"If-None-Match": value})
        assert (again.status_code, again.content) == (304, b"")
    assert server.get(path, headers={"If-None-Match": '"other"'}).content == first.content
    ranged = {"Range": "bytes=0-9", "If-Range": tag}
    assert len(server.get(path, headers=ranged).content) == 10
    ranged["If-Range"] = '"other"'
    assert server.get(path, headers=ranged).content == first.content


@pytest.mark.parametrize("path", ["audio", "file", "audio?start=0.1"])
def test_head_says_how_much_would_come(server, documents, path):
    address = f"/api/documents/{documents['odd_4.wav']['id']}/{path}"
    head, got = server.head(address), server.get(address)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag", "content-type"):
        assert head.headers[name] == got.headers[name]


def test_a_download_has_its_name_whatever_that_is(server, documents):
    for name, document in documents.items():
        answer = server.head(f"/api/documents/{document['id']}/file")
        header = answer.headers["content-disposition"]
        assert header.startswith("attachment; ")
        assert header.isascii()
        if name.startswith("<img"):
            assert "filename*=UTF-8''%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E.wav" in header


def test_a_sound_that_is_gone_is_told(tmp_path, serving, wav_files):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name in ("odd_1.wav", "odd_2.wav"):
        (folder / name).write_bytes((wav_files / name).read_bytes())
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(folder, workers=1)
    (folder / "odd_1.wav").unlink()
    (folder / "odd_2.wav").write_bytes(b"something else")
    with serving(corpus.path) as server:
        for document in server.json("/api/documents")["documents"]:
            path = f"/api/documents/{document['id']}"
            for what in ("audio", "audio?start=0.1", "file", "peaks", "picture.png"):
                assert document["name"] in server.refused(f"{path}/{what}", 410, "gone")
            assert server.json(path) == document
        ids = [one["id"] for one in server.json("/api/documents")["documents"]]
        archive = server.post("/api/export?format=zip", json={"ids": ids})
        with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
            assert opened.namelist() == ["not-here.txt"]
