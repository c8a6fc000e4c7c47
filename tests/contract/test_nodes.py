"""What every streaming or frame-by-frame node has to do: results do not depend on the chunks.

Audio is read in pieces of several sizes; every feature of every piece of the graph has to come
out the same to the bit, and no node may modify what it is given.
"""

import numpy as np
import pytest

import featureflow as ff
import zounds
from zounds.dsp.augment import TimbreViews
from zounds.learn.binary import Quantisation

READS = [997, 44_100, 441_000, 10**9]


def sound(seconds=7.3, rate=44100, channels=2):
    rng = np.random.default_rng(0)
    t = np.arange(int(seconds * rate)) / rate
    wave = np.sin(2 * np.pi * 220 * t * (1 + 0.1 * t)) * np.exp(-t / 3)
    return zounds.AudioSamples(
        (0.4 * wave[:, None] + 0.05 * rng.standard_normal((len(t), channels))).astype("f4"), rate
    )


@pytest.fixture(scope="module")
def centroids():
    examples = np.random.default_rng(1).standard_normal((2000, 13)).astype("f4")
    unitnorm = zounds.UnitNorm()
    kmeans = zounds.KMeans(centroids=64).fit(unitnorm.transform(examples))
    return zounds.PreprocessingPipeline()(unitnorm, kmeans)


def model(read_size, learned, analysed_at):
    windowing = zounds.HalfLapped()
    stft = zounds.stft(resample_to=analysed_at, wscheme=windowing)

    class Everything(stft):
        database = ff.InMemoryDatabase()
        pcm = zounds.AudioSamplesFeature(
            zounds.Decode, needs=stft.meta, read_size=read_size, store=True
        )
        ogg = ff.ByteStreamFeature(zounds.OggVorbis, needs=pcm, store=True)
        resampled = zounds.AudioSamplesFeature(
            zounds.Resample, needs="mono", samplerate=analysed_at, store=True
        )
        bark = zounds.ConstantRateTimeSeriesFeature(zounds.BarkBands, needs=stft.fft, store=True)
        bfcc = zounds.ConstantRateTimeSeriesFeature(zounds.BFCC, needs=bark, store=True)
        mel = zounds.ConstantRateTimeSeriesFeature(
            zounds.MelBands, n_bands=40, needs=stft.fft, store=True
        )
        mfcc = zounds.ConstantRateTimeSeriesFeature(zounds.MFCC, needs=mel, store=True)
        codes = zounds.ConstantRateTimeSeriesFeature(
            zounds.Learned, learned=learned, needs=bfcc, store=True
        )
        sliding = zounds.ConstantRateTimeSeriesFeature(
            zounds.SlidingWindow, needs=codes, wscheme=windowing * zounds.Stride(30, 30)
        )
        pooled = zounds.ConstantRateTimeSeriesFeature(zounds.Max, needs=sliding, axis=1, store=True)
        loudness = zounds.ConstantRateTimeSeriesFeature(
            zounds.SlidingWindow, needs=bark, wscheme=windowing * zounds.Stride(10, 20)
        )
        mean = zounds.ConstantRateTimeSeriesFeature(zounds.Mean, needs=loudness, axis=1, store=True)
        at_44100 = zounds.AudioSamplesFeature(
            zounds.Resample, needs="mono", samplerate=zounds.SR44100()
        )
        frames = ff.Feature(zounds.TimbreFrames, needs=at_44100)
        segments = zounds.ConstantRateTimeSeriesFeature(
            zounds.TimbreSegments, needs=frames, store=True
        )
        clip = zounds.ConstantRateTimeSeriesFeature(zounds.TimbreClip, needs=frames, store=True)
        views = ff.NumpyFeature(TimbreViews, needs=at_44100, count=2, store=True)
        small = zounds.ConstantRateTimeSeriesFeature(
            zounds.Learned, learned=Quantisation(), needs=segments, store=True
        )

    return Everything


STORED = [
    *("pcm", "ogg", "resampled", "bark", "bfcc", "mel", "mfcc", "codes", "pooled", "mean"),
    *("segments", "clip", "views", "small"),
]


@pytest.mark.parametrize(
    ("rate", "channels", "analysed_at"),
    [(44100, 2, 22050), (48000, 1, 22050), (8000, 3, 16000), (22050, 1, 22050)],
)
def test_stored_features_are_the_same_to_the_bit_for_every_read_size(
    rate, channels, analysed_at, centroids
):
    content = zounds.encode(sound(rate=rate, channels=channels), "wav")
    results = []
    for read_size in READS:
        graph = model(read_size, centroids, zounds.AudioSampleRate(analysed_at))
        document = graph(graph.process(meta=content))
        results.append({name: getattr(document, name) for name in STORED})
    for name in STORED:
        first = results[0][name]
        assert len(first) > 0
        for other in results[1:]:
            if name == "ogg":
                assert other[name] == first
            else:
                if name != "views":
                    assert other[name].units == first.units
                assert other[name].dtype == first.dtype
                assert np.asarray(other[name]).tobytes() == np.asarray(first).tobytes()


def test_what_is_computed_from_stored_chunks_is_what_is_computed_on_the_way(centroids):
    content = zounds.encode(sound(seconds=30), "wav")
    graph = model(44100, centroids, zounds.SR22050())
    _id = graph.process(meta=content)

    class Later(graph):
        again = zounds.ConstantRateTimeSeriesFeature(zounds.BFCC, needs="bark")

    np.testing.assert_array_equal(Later(_id).again, graph(_id).bfcc)


def spectra():
    stage = zounds.TimbreFrames().stream()
    return [*stage.step(zounds.AudioSamples(sound(1)[:, 0], 44100)), *stage.flush()]


def chunk_of(rows, width=None, dtype="f4"):
    rng = np.random.default_rng(2)
    shape = (rows,) if width is None else (rows, width)
    return np.abs(rng.standard_normal(shape)).astype(dtype)


@pytest.mark.parametrize(
    ("node", "chunk"),
    [
        (zounds.Mono(), zounds.AudioSamples(chunk_of(100, 3), 44100)),
        (zounds.Resample(zounds.SR22050()), zounds.AudioSamples(chunk_of(1000), 44100)),
        (zounds.OggVorbis(), zounds.AudioSamples(chunk_of(1000) / 10, 44100)),
        (
            zounds.SlidingWindow(zounds.HalfLapped(), zounds.Hann()),
            zounds.AudioSamples(chunk_of(5000), 22050),
        ),
        (
            zounds.FFT(),
            zounds.SlidingWindow(zounds.HalfLapped())(zounds.AudioSamples(chunk_of(5000), 22050)),
        ),
        (
            zounds.BarkBands(),
            zounds.FFT()(
                zounds.SlidingWindow(zounds.HalfLapped())(
                    zounds.AudioSamples(chunk_of(5000), 22050)
                )
            ),
        ),
        (zounds.BFCC(), zounds.ConstantRateTimeSeries(chunk_of(9, 100), zounds.HalfLapped())),
        (zounds.MFCC(), zounds.ConstantRateTimeSeries(chunk_of(9, 128), zounds.HalfLapped())),
        (zounds.Max(), zounds.ConstantRateTimeSeries(chunk_of(9, 128), zounds.HalfLapped())),
        (zounds.TimbreFrames(), zounds.AudioSamples(chunk_of(50_000), 44100)),
        (TimbreViews(count=2), zounds.AudioSamples(chunk_of(50_000), 44100)),
        (
            zounds.Learned(learned=Quantisation()),
            zounds.ConstantRateTimeSeries(chunk_of(9, 13), zounds.HalfLapped()),
        ),
        (
            zounds.Learned(learned=zounds.UnitNorm()),
            zounds.ConstantRateTimeSeries(chunk_of(9, 13), zounds.HalfLapped()),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nodes_do_not_modify_their_input(node, chunk):
    before = np.asarray(chunk).copy()
    np.asarray(chunk).setflags(write=False)
    if isinstance(node, ff.StreamingNode):
        stage = node.stream()
        made = [*stage.step(chunk), *stage.flush()]
    else:
        made = [node(chunk)]
    assert len(made) > 0
    np.testing.assert_array_equal(np.asarray(chunk), before)


@pytest.mark.parametrize("node", [zounds.TimbreSegments(), zounds.TimbreClip()])
def test_nodes_do_not_modify_the_spectra_that_they_are_given(node):
    before, after = spectra(), spectra()
    if isinstance(node, ff.StreamingNode):
        stage = node.stream()
        made = [row for chunk in after for row in stage.step(chunk)] + [*stage.flush()]
    else:
        made = [node(chunk) for chunk in after]
    assert len(made) > 0
    for one, other in zip(before, after, strict=True):
        for name, array in vars(one).items():
            np.testing.assert_array_equal(array, vars(other)[name])
