"""What version 1 has written is read by every later version, and found under its key.

The golden values were written once. If a test here fails, people would lose what they have stored:
keep the old format readable, and the old fingerprints, or raise the number of the format.
"""

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np

import featureflow as ff
import zounds
from featureflow.codec import decode, encode
from zounds.corpus.generation import Generation
from zounds.corpus.known import Fact, Known
from zounds.corpus.shelf import Shelf
from zounds.corpus.spaces import Layer, Neighbourhoods
from zounds.index.segment import Coded
from zounds.index.segments import Segments
from zounds.learn.binary import Hyperplanes

INDEX = Path(__file__).parent / "v1" / "index"
GENERATION = Path(__file__).parent / "v1" / "generation"
GOLDEN = json.loads((Path(__file__).parent / "v1.json").read_text())

VALUES = {
    "plain": [
        None,
        True,
        1,
        -2.5,
        "grün",
        b"\0\1",
        (1, 2),
        {"a": [Fraction(1, 3)]},
        range(1, 9, 2),
    ],
    "array": np.arange(6, dtype="<f4").reshape(2, 3),
    "bits": np.array([True, False, True] * 5),
    "series": zounds.ConstantRateTimeSeries(np.ones((2, 2), "<f4"), zounds.HalfLapped()),
    "audio": zounds.AudioSamples(np.array([0.5, -0.5], "<f4"), 44100),
    "scales": [zounds.BarkScale(50.0, 11025.0, 100), zounds.LinearScale(Fraction(1, 3), 4)],
    "slice": zounds.TimeSlice(start=1, duration=Fraction(1, 2)),
}


class Sound(zounds.stft()):
    database = ff.InMemoryDatabase()
    bark = zounds.ConstantRateTimeSeriesFeature(zounds.BarkBands, needs="fft")
    bfcc = zounds.ConstantRateTimeSeriesFeature(zounds.BFCC, needs=bark)
    mel = zounds.ConstantRateTimeSeriesFeature(zounds.MelBands, needs="fft")
    mfcc = zounds.ConstantRateTimeSeriesFeature(zounds.MFCC, needs=mel)
    pooled = zounds.ConstantRateTimeSeriesFeature(zounds.Max, needs="windowed", axis=1)


class Learner(ff.BaseModel):
    database = ff.InMemoryDatabase()
    docs = ff.Feature(ff.IteratorNode)
    shuffle = ff.NumpyFeature(zounds.ReservoirSampler, nsamples=1e6, needs=docs)
    unitnorm = ff.PickleFeature(zounds.UnitNorm, needs=shuffle)
    kmeans = ff.PickleFeature(zounds.KMeans, centroids=128, needs=unitnorm)
    pipeline = ff.PickleFeature(zounds.PreprocessingPipeline, needs=(unitnorm, kmeans))


def fingerprints():
    return {
        f"{model.__name__}.{name}": model._fingerprint(name)
        for model in (Sound, Learner)
        for name in model.features
    }


def test_records_are_read():
    for name, value in VALUES.items():
        back = decode(bytes.fromhex(GOLDEN["records"][name]))
        assert type(back) is type(value), name
        if isinstance(value, np.ndarray):
            assert back.dtype == value.dtype
            np.testing.assert_array_equal(np.asarray(back), np.asarray(value))
            assert getattr(back, "units", None) == getattr(value, "units", None)
        else:
            assert back == value, name


def test_records_are_written_the_same():
    for name, value in VALUES.items():
        assert encode(value).hex() == GOLDEN["records"][name], name


def test_computations_have_the_same_fingerprints():
    assert fingerprints() == GOLDEN["fingerprints"]


def indexed(_id, packed):
    rate = zounds.SampleRate(Fraction(7, 10), Fraction(8, 10))
    return Coded(_id, f"{_id}.wav", "token", rate, np.array(packed, "u1"))


def write_index(folder):
    """One segment whose codes are collapsed and one where they differ; one document is removed."""
    index = Segments(folder)
    with index.changing() as writer:
        same = [[1, 2, 3]] * 5 + [[4, 5, 6]] * 4
        writer.replace("fingerprint", 24, [indexed("b", same), indexed("a", same[3:])])
        writer.change([indexed("gr\u00fcn", [[1, 2, 2], [0, 0, 0]])])
        writer.change(remove=["a"])
    return index


def test_an_index_is_read(tmp_path):
    folder = shutil.copytree(INDEX, tmp_path / "index")
    snapshot = Segments(folder).snapshot()
    snapshot.check()
    assert (snapshot.fingerprint, snapshot.bits, snapshot.generation) == ("fingerprint", 24, 3)
    assert snapshot.ids == ["b", "gr\u00fcn"]
    assert len(snapshot) == 11
    (hits,) = snapshot.search(np.array([[1, 2, 3]], "u1"), 100)
    assert [(hit._id, hit.name, hit.distance) for hit in hits] == [
        *[("b", "b.wav", 0)] * 5,
        ("gr\u00fcn", "gr\u00fcn.wav", 1),
        ("gr\u00fcn", "gr\u00fcn.wav", 4),
        *[("b", "b.wav", 7)] * 4,
    ]
    assert hits[4].time == zounds.TimeSlice(Fraction(28, 10), Fraction(8, 10))


def test_an_index_is_written_the_same(tmp_path):
    write_index(tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "lock"}
    assert written == {path.name: path.read_bytes() for path in INDEX.iterdir()}


def generation():
    """Three documents: codes that are collapsed and such that are not, with vectors and planes."""
    names = ("a.wav", "gr\u00fcn.wav", "c.wav")
    uris = ("file:///s/a.wav", "zip:file:///s/k.zip!/gr%C3%BCn.wav", "https://x.org/c.wav")
    facts = [
        Fact(f"id {n}", name, uri, 1.5 + n, 44100.0, n + 1)
        for n, (name, uri) in enumerate(zip(names, uris, strict=True))
    ]
    offsets = np.array([0, 4, 5, 9])
    same = np.array([[1, 2]] * 5 + [[3, 4]] * 4, "u1")
    other = np.arange(18, dtype="u1").reshape(9, 2)
    vectors = np.arange(27, dtype="i1").reshape(9, 3)
    segments = {"kind": Layer(same, vectors), "same": Layer(other, -vectors)}
    clips = {like: Layer(layer.codes[:3], layer.vectors[:3]) for like, layer in segments.items()}
    planes = Hyperplanes(np.array([0.5, 0.25, 0]), np.arange(48.0).reshape(3, 16) - 20)
    space = Neighbourhoods(clips, {"kind": planes, "same": planes})
    rate = zounds.SampleRate(Fraction(7, 10), Fraction(8, 10))
    return Generation("fingerprint", 16, Known.of(facts), rate, offsets, space, segments)


def test_what_a_corpus_has_indexed_is_read(tmp_path):
    shelf = Shelf(shutil.copytree(GENERATION, tmp_path / "index"))
    assert list(shelf.problems()) == []
    found, expected = shelf.latest(), generation()
    assert (found.fingerprint, found.bits, found.rate) == ("fingerprint", 16, expected.rate)
    assert found.typical == expected.typical
    for name in ("ids", "names", "uris", "folders", "seconds", "samplerates", "channels"):
        assert list(getattr(found.known, name)) == list(getattr(expected.known, name))
    assert found.known.passing(zounds.Where(folder="k.zip")).tolist() == [False, True, False]
    assert found.offsets.tolist() == [0, 4, 5, 9]
    for unit in ("clip", "segment"):
        for like, layer in expected.layers(unit).items():
            np.testing.assert_array_equal(found.layers(unit)[like].codes, layer.codes)
            np.testing.assert_array_equal(found.layers(unit)[like].vectors, layer.vectors)
    distances, rows = found.segments["kind"].prepared.search(np.array([[3, 4]], "u1"), 6)
    assert (distances.tolist(), rows.tolist()) == ([[0] * 4 + [3] * 2], [[5, 6, 7, 8, 0, 1]])
    query = np.eye(3, dtype="f4")
    for like in ("kind", "same"):
        ours, theirs = (one.space.queries(query, like, "clip") for one in (found, expected))
        np.testing.assert_array_equal(ours.codes, theirs.codes)


def test_what_a_corpus_has_indexed_is_written_the_same(tmp_path):
    Shelf(tmp_path).put(generation())
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in GENERATION.iterdir()}
