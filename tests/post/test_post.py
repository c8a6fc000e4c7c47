"""The article's own calls, one by one, on Python 3.

The classes stand here as they stand in the article; what it only shows or says is checked call
by call.
"""

import gc
import zipfile

import numpy as np
import pytest

import featureflow as ff
import zounds
from zounds import AudioSamples, encode


def stereo(seconds=5, rate=44100, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(seconds * rate) / rate
    wave = np.sin(2 * np.pi * (110 + 20 * seed) * t * (1 + 0.02 * t))
    noise = 0.1 * rng.standard_normal((len(t), 2))
    return AudioSamples((0.3 * wave[:, None] + noise).clip(-1, 1).astype("f4"), rate)


@pytest.fixture
def archive(in_folder):
    path = in_folder / "FlavioGaete22.zip"
    with zipfile.ZipFile(path, "w") as file:
        for seed in range(4):
            file.writestr(f"FlavioGaete22/{seed}.wav", encode(stereo(seed=seed), "wav"))
            file.writestr(f"__MACOSX/FlavioGaete22/._{seed}.wav", b"")
    return path.name


def declare():
    """Run the article's declarations, as a session would; return its names."""

    class Settings(ff.PersistenceSettings):
        id_provider = ff.UuidProvider()
        key_builder = ff.StringDelimitedKeyBuilder()
        database = ff.LmdbDatabase(path="timbre", key_builder=key_builder)

    windowing = zounds.HalfLapped()
    STFT = zounds.stft(resample_to=zounds.SR22050(), wscheme=windowing)

    class WithTimbre(STFT, Settings):
        bark = zounds.ConstantRateTimeSeriesFeature(zounds.BarkBands, needs=STFT.fft, store=True)

        bfcc = zounds.ConstantRateTimeSeriesFeature(zounds.BFCC, needs=bark, store=True)

    @zounds.simple_settings
    class BfccKmeans(ff.BaseModel):
        docs = ff.Feature(ff.IteratorNode, store=False)

        shuffle = ff.NumpyFeature(zounds.ReservoirSampler, nsamples=1e6, needs=docs, store=True)

        unitnorm = ff.PickleFeature(zounds.UnitNorm, needs=shuffle, store=False)

        kmeans = ff.PickleFeature(zounds.KMeans, centroids=128, needs=unitnorm, store=False)

        pipeline = ff.PickleFeature(
            zounds.PreprocessingPipeline, needs=(unitnorm, kmeans), store=True
        )

    class WithCodes(WithTimbre):
        bfcc_kmeans = zounds.ConstantRateTimeSeriesFeature(
            zounds.Learned, learned=BfccKmeans(), needs=WithTimbre.bfcc, store=True
        )

        sliding_bfcc_kmeans = zounds.ConstantRateTimeSeriesFeature(
            zounds.SlidingWindow,
            needs=bfcc_kmeans,
            wscheme=windowing * zounds.Stride(frequency=30, duration=30),
            store=False,
        )

        bfcc_kmeans_pooled = zounds.ConstantRateTimeSeriesFeature(
            zounds.Max, needs=sliding_bfcc_kmeans, axis=1, store=True
        )

    BaseIndex = zounds.hamming_index(WithCodes, WithCodes.bfcc_kmeans_pooled)

    @zounds.simple_settings
    class BfccKmeansIndex(BaseIndex):
        pass

    return WithTimbre, BfccKmeans, WithCodes, BfccKmeansIndex


@pytest.fixture
def session(archive):
    return declare()


@pytest.fixture
def processed(session, archive):
    for zf in ff.iter_zip(archive):
        if "._" in zf.filename:
            continue
        session[0].process(meta=zf)
    return session


@pytest.fixture
def learned(processed):
    WithTimbre, BfccKmeans, _, _ = processed
    BfccKmeans.process(docs=(wt.bfcc for wt in WithTimbre))
    return processed


@pytest.fixture
def indexed(learned):
    learned[3].build()
    return learned


def test_process_returns_an_id_that_opens_the_document(session, archive):
    WithTimbre = session[0]
    some_file_like_object = next(ff.iter_zip(archive))
    _id = WithTimbre.process(meta=some_file_like_object)
    assert isinstance(_id, str)
    assert WithTimbre(_id).bark.shape[1] == 100


@pytest.mark.parametrize("kind", ["path", "file", "bytes", "member"])
def test_process_takes_whatever_has_content(session, archive, in_folder, kind):
    WithTimbre = session[0]
    content = encode(stereo(), "wav")
    (in_folder / "a.wav").write_bytes(content)
    with (in_folder / "a.wav").open("rb") as file:
        meta = {
            "path": "a.wav",
            "file": file,
            "bytes": content,
            "member": next(ff.iter_zip(archive)),
        }[kind]
        assert WithTimbre(WithTimbre.process(meta=meta)).bfcc.shape == (215, 13)


def test_the_shapes_of_five_seconds_of_stereo(learned):
    _, _, WithCodes, _ = learned
    doc = next(iter(WithCodes))
    assert doc.pcm.shape == (220500, 2)
    assert doc.resampled.shape == (110250,)
    assert doc.windowed.shape == (215, 1024)
    assert doc.fft.shape == (215, 513)
    assert doc.bark.shape == (215, 100)
    assert doc.bfcc.shape == (215, 13)
    assert doc.bfcc_kmeans.shape == (215, 128)
    assert doc.bfcc_kmeans_pooled.shape == (8, 128)
    np.testing.assert_array_equal(doc.bfcc_kmeans.sum(axis=1), np.ones(215))
    pooled = np.asarray(doc.bfcc_kmeans_pooled)
    assert pooled.any(axis=1).all()  # none is all zeros, not even at the end
    assert pooled.sum(axis=1).max() <= 30
    assert np.packbits(pooled, axis=1).shape == (8, 16)


def test_bark_is_a_constant_rate_time_series(processed):
    doc = next(iter(processed[0]))
    assert isinstance(doc.bark, zounds.ConstantRateTimeSeries)
    assert isinstance(doc.bark, np.ndarray)
    assert isinstance(doc.bfcc, zounds.ConstantRateTimeSeries)
    assert doc.bark.frequency == zounds.HalfLapped().frequency
    assert doc.bark.duration == zounds.HalfLapped().duration
    piece = doc.bark[zounds.TimeSlice(start=zounds.Seconds(1), duration=zounds.Seconds(1))]
    assert piece.frequency == doc.bark.frequency
    assert abs(len(piece) - 43) <= 2


def test_iter_zip_streams_the_files(session, archive):
    names = [zf.filename for zf in ff.iter_zip(archive)]
    assert names == [f"FlavioGaete22/{seed}.wav" for seed in range(4)]


def test_iterating_over_the_class_gives_every_document(processed):
    assert sorted(doc._name for doc in processed[0]) == [
        f"FlavioGaete22/{seed}.wav" for seed in range(4)
    ]


def test_learning_gives_a_pipeline_that_makes_one_hot_codes(learned):
    WithTimbre, BfccKmeans, _, _ = learned
    bfcc = next(iter(WithTimbre)).bfcc
    codes = BfccKmeans().pipeline.transform(bfcc)
    assert codes.shape == (215, 128)
    np.testing.assert_array_equal(codes.sum(axis=1), 1)
    assert BfccKmeans().shuffle.shape == (4 * 215, 13)
    back = BfccKmeans().pipeline.inverse_transform(codes)
    assert back.shape == (215, 13)
    unit = bfcc / np.linalg.norm(bfcc, axis=1, keepdims=True)
    assert np.linalg.norm(unit - back, axis=1).mean() < 0.5


def test_the_codes_are_declared_before_anything_was_learned(processed):
    WithTimbre, BfccKmeans, WithCodes, _ = processed
    doc = next(iter(WithCodes))
    with pytest.raises(zounds.NotTrained, match=r"BfccKmeans\.process\(docs=\.\.\.\)"):
        doc.bfcc_kmeans_pooled
    BfccKmeans.process(docs=(wt.bfcc for wt in WithTimbre))
    assert doc.bfcc_kmeans_pooled.shape == (8, 128)


def test_asking_for_the_pooled_codes_stores_what_they_depend_on(learned, monkeypatch):
    WithCodes = learned[2]
    doc = WithCodes.random()
    doc.bfcc_kmeans_pooled
    gone = AssertionError("it was computed again")

    def computed(self, *args):
        raise gone

    for node, method in ((zounds.BFCC, "__call__"), (zounds.Learned, "stream")):
        monkeypatch.setattr(node, method, computed)
    again = WithCodes(doc._id)
    assert again.bfcc_kmeans.shape == (215, 128)
    assert again.bfcc_kmeans_pooled.shape == (8, 128)


def test_learning_again_leaves_no_stale_codes(learned):
    WithTimbre, BfccKmeans, WithCodes, BfccKmeansIndex = learned
    BfccKmeansIndex.build()
    doc = next(iter(WithCodes))
    before = np.asarray(doc.bfcc_kmeans).copy()
    BfccKmeans.process(docs=(wt.bfcc[::2] for wt in WithTimbre))
    after = np.asarray(WithCodes(doc._id).bfcc_kmeans)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(doc.bfcc_kmeans, after)  # this very instance knows, too
    with pytest.raises(zounds.SearchError, match=r"BfccKmeansIndex\.build\(\)"):
        BfccKmeansIndex().random_search()
    BfccKmeansIndex.build()
    assert len(BfccKmeansIndex().random_search()) == 5


def test_random_search(indexed):
    index = indexed[3]()
    results = index.random_search()
    assert len(results) == 5
    for _id, ts in results:
        assert indexed[0].exists(_id)
        assert isinstance(ts, zounds.TimeSlice)
    assert [hit.distance for hit in results] == sorted(hit.distance for hit in results)
    assert results[0].distance == 0
    assert results[0].name.startswith("FlavioGaete22/")
    assert len(index.random_search(n_results=7)) == 7
    assert len(index.random_search(n_results=1000)) == 4 * 8


def test_the_query_of_an_address(indexed):
    index = indexed[3]()
    text = "AIAAAAAAAAAAQAAAAAAAEA=="
    for address in (text, "AIAAAAAAAAAAQAAAAAAAEA%3D%3D", "AIAAAAAAAAAAQAAAAAAAEA%253D%253D"):
        code = index.decode_query(address)
        assert len(code.tobytes()) == 16
        assert np.flatnonzero(np.unpackbits(code)).tolist() == [8, 73, 123]
        assert index.encode_query(code) == text
        assert len(index.search(code, n_results=5)) == 5
    with pytest.raises(zounds.SearchError, match="16 bytes"):
        index.decode_query("AIAAAAA=")


def test_a_second_session_computes_nothing_again(indexed, archive, monkeypatch):
    found = indexed[3]().search(indexed[3]().random_query(seed=1), n_results=5)
    counted = []
    for node, method in (
        *((zounds.Decode, "stream"), (zounds.BarkBands, "__call__"), (zounds.BFCC, "__call__")),
        *((zounds.Learned, "stream"), (zounds.KMeans, "fit")),
    ):
        original = getattr(node, method)

        def counting(self, *args, original=original, name=node.__name__):
            counted.append(name)
            return original(self, *args)

        monkeypatch.setattr(node, method, counting)
    del indexed
    gc.collect()
    WithTimbre, _, WithCodes, BfccKmeansIndex = declare()
    for zf in ff.iter_zip(archive):
        WithTimbre.process(meta=zf)
    assert len(list(WithTimbre)) == 4
    for doc in WithCodes:
        doc.bark, doc.bfcc, doc.bfcc_kmeans, doc.bfcc_kmeans_pooled
    again = BfccKmeansIndex().search(BfccKmeansIndex().random_query(seed=1), n_results=5)
    assert list(again) == list(found)
    assert counted == []
    doc.resampled
    assert counted == ["Decode"]  # counting works
