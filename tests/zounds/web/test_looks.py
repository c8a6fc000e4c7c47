"""What the page draws: waveforms, pictures, features, the map."""

import io
import struct
import time
import zlib

import numpy as np
import pytest

import zounds


def pixels(data):
    """An 8-bit grey PNG without filters, as an array; its checksums are those of the standard."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    stream, packed, size = io.BytesIO(data[8:]), b"", None
    while head := stream.read(8):
        length, kind = struct.unpack(">I4s", head)
        content = stream.read(length)
        assert stream.read(4) == struct.pack(">I", zlib.crc32(kind + content))
        if kind == b"IHDR":
            size = struct.unpack(">IIBBBBB", content)
        elif kind == b"IDAT":
            packed += content
    assert size[2:] == (8, 0, 0, 0, 0)
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(size[1], size[0] + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:]


@pytest.fixture(scope="module")
def sound(documents, filled):
    document = documents["odd_4.wav"]
    return document, np.asarray(filled[document["id"]].pcm)


def test_peaks_are_those_of_the_samples(server, sound):
    document, samples = sound
    path = f"/api/documents/{document['id']}/peaks"
    drawn = server.json(path, columns=4000)
    size = -(-len(samples) // 4000)
    blocks = [samples[start : start + size] for start in range(0, len(samples), size)]
    assert drawn["columns"] == len(drawn["low"]) == len(blocks)
    peak = np.abs(samples).max()
    assert abs(drawn["peak"] - peak) < 1e-6
    for name, reduce in (("low", np.min), ("high", np.max)):
        expected = [round(float(reduce(block)) / peak * 127) for block in blocks]
        assert np.abs(np.subtract(drawn[name], expected)).max() <= 1
    rms = [np.sqrt(np.mean(block.astype(float) ** 2)) / peak * 127 for block in blocks]
    assert np.abs(np.subtract(drawn["rms"], rms)).max() <= 1
    few = server.json(path, columns=7)
    assert len(few["low"]) == 7
    assert (min(few["low"]), max(few["high"])) == (min(drawn["low"]), max(drawn["high"]))
    cut = server.json(path, columns=4000, start=0.5, duration=0.05)
    assert (cut["start"], cut["duration"], cut["columns"]) == (0.5, 0.05, 2205)


def test_a_picture_shows_the_bark_bands(server, sound):
    document, samples = sound
    picture = pixels(server.get(f"/api/documents/{document['id']}/picture.png?width=2000").content)

    class Seen(zounds.stft()):
        bark = zounds.ConstantRateTimeSeriesFeature(zounds.BarkBands, needs="fft")

    content = zounds.encode(zounds.AudioSamples(samples, 44100), "wav")
    bark = np.asarray(Seen.compute("bark", meta=content))
    level = 10 * np.log10(np.maximum(bark / bark.max(), 1e-6))
    expected = np.rint((1 + level / 60) * 255).T[::-1]
    assert picture.shape == (100, len(bark))
    assert np.abs(picture - expected).max() <= 3
    narrow = pixels(server.get(f"/api/documents/{document['id']}/picture.png?width=9").content)
    assert narrow.shape == (100, 9)
    assert narrow.max() == 255


def test_other_features_are_drawn_and_read(server, sound, filled):
    document, _ = sound
    path = f"/api/documents/{document['id']}"
    listed = server.json(f"{path}/features")["features"]
    stored = [one["name"] for one in listed if one["stored"] and one["name"] != "facts"]
    for name in stored:
        value = getattr(filled[document["id"]], name)
        read = server.json(f"{path}/features/{name}")
        assert read["shape"] == list(value.shape)
        assert np.allclose(read["values"], np.asarray(value), atol=1e-5)
        assert abs(read["frequency"] - float(value.frequency)) < 1e-9
        assert pixels(server.get(f"{path}/picture.png?feature={name}").content).size
    assert server.json(f"{path}/features/facts")["value"]["channels"] == 1
    server.refused(f"{path}/features/clip_of_nobody", 404, "not_found")
    server.refused(f"{path}/features/meta", 404, "not_found")
    server.refused(f"{path}/picture.png?feature=__class__", 404, "not_found")


@pytest.mark.parametrize("query", ["columns=0", "columns=4001", "columns=x", "start=5"])
def test_peaks_that_cannot_be_are_refused(server, sound, query):
    answer = server.get(f"/api/documents/{sound[0]['id']}/peaks?{query}")
    assert answer.status_code == 400


def test_silence_is_drawn(tmp_path, serving):
    folder = tmp_path / "sounds"
    folder.mkdir()
    zounds.save(zounds.AudioSamples(np.zeros(44100, np.float32), 44100), folder / "silent.wav")
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(folder, workers=1)
    with serving(corpus.path) as server:
        (document,) = server.json("/api/documents")["documents"]
        path = f"/api/documents/{document['id']}"
        drawn = server.json(f"{path}/peaks")
        assert drawn["peak"] == 0
        assert set(drawn["low"] + drawn["high"] + drawn["rms"]) == {0}
        assert not pixels(server.get(f"{path}/picture.png").content).any()


def the_map(server):
    for _ in range(200):
        answer = server.get("/api/map")
        if answer.status_code == 200:
            return answer.json()
        assert answer.status_code == 202
        assert 0 <= answer.json()["done"] <= 1
        time.sleep(0.05)
    raise AssertionError("no map came")


def columns_of(server, described):
    data = server.get(described["points"]).content
    assert len(data) == described["bytes"]
    return {
        one["name"]: np.frombuffer(
            data, np.dtype(one["type"]).newbyteorder("<"), described["count"], one["offset"]
        )
        for one in described["columns"]
    }


def test_the_map_has_all_sounds_and_similar_ones_lie_near(server, documents):
    described = the_map(server)
    columns = columns_of(server, described)
    names = server.json(described["names"].partition("?")[0], version=described["version"])
    assert sorted(names["ids"]) == sorted(one["id"] for one in documents.values())
    assert described["count"] == len(names["names"]) == 28
    places = np.stack([columns["x"], columns["y"]], 1)
    assert np.abs(places).max() <= 1
    for at, name in enumerate(names["names"]):
        document = documents[name]
        assert described["folders"][columns["folder"][at]] == document["folder"]
        assert abs(columns["seconds"][at] - document["seconds"]) < 1e-4
        assert columns["samplerate"][at] == document["samplerate"]
        assert columns["channels"][at] == document["channels"]
    kinds = np.array([documents[name]["folder"] for name in names["names"]])
    some = np.isin(kinds, ["pure", "odd", "bright"])
    apart = np.linalg.norm(places[some][:, None] - places[some][None], axis=2)
    alike = kinds[some][:, None] == kinds[some][None]
    assert np.median(apart[alike]) < 0.8 * np.median(apart[~alike])


def test_the_map_is_drawn_once_and_kept(filled, serving):
    with serving(filled.path) as first:
        one = the_map(first)
        points = first.get(one["points"])
        assert "immutable" in points.headers["cache-control"]
        first.refused("/api/map/points?version=0", 404, "not_found")
    with serving(filled.path) as second:
        other = the_map(second)
        assert other == one
        assert second.get(other["points"]).content == points.content
