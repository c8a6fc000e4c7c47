from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples, ConstantRateTimeSeries
from zounds.dsp.frames import SlidingWindow, samplerate_of
from zounds.dsp.scales import BarkScale
from zounds.dsp.windows import Hann
from zounds.errors import UnitsError
from zounds.units import AudioSampleRate, HalfLapped, SampleRate, Seconds, Stride

CHUNKS = [1, 7, 512, 997, 44100, 10**9]


def noise(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def counted(hop, window, rate=8000):
    """A scheme of whole samples of audio."""
    return SampleRate(Fraction(hop, rate), Fraction(window, rate))


def streamed(node, series, size):
    stage = node.stream()
    blocks = []
    for start in range(0, len(series), size):
        blocks += stage.step(series[start : start + size])
    return [*blocks, *stage.flush()]


def oracle(samples, hop, window):
    """Every frame that holds a sample which no earlier one holds, one by one."""
    starts = [0] if len(samples) else []
    while starts and max(starts[-1] + hop, starts[-1] + window) < len(samples):
        starts.append(starts[-1] + hop)
    padded = np.concatenate([samples, np.zeros((window, *samples.shape[1:]), samples.dtype)])
    return np.array([padded[s : s + window] for s in starts]).reshape(
        len(starts), window, *samples.shape[1:]
    )


@settings(deadline=None, max_examples=150)
@given(
    length=st.integers(0, 3000),
    hop=st.integers(1, 40),
    window=st.integers(1, 40),
    size=st.integers(1, 700),
)
def test_frames_equal_the_oracle(length, hop, window, size):
    samples = np.arange(1, length + 1, dtype=np.float32)
    node = SlidingWindow(counted(hop, window))
    series = AudioSamples(samples, 8000)
    expected = oracle(samples, hop, window)
    np.testing.assert_array_equal(node(series), expected)
    blocks = streamed(node, series, size)
    assert [len(block) for block in blocks[:-1]] == [128] * (len(blocks) - 1)
    assert sum(map(len, blocks)) == len(expected)
    if blocks:
        assert 0 < len(blocks[-1]) <= 128
        np.testing.assert_array_equal(np.concatenate(blocks), expected)


@settings(deadline=None, max_examples=50)
@given(length=st.integers(1, 3000), hop=st.integers(1, 40), extra=st.integers(0, 40))
def test_number_of_frames_without_gaps(length, hop, extra):
    window = hop + extra
    expected = 1 if length <= window else -(-(length - window) // hop) + 1
    frames = SlidingWindow(counted(hop, window))(AudioSamples(np.ones(length), 8000))
    assert len(frames) == expected
    assert np.asarray(frames).any(axis=1).all()


@pytest.mark.parametrize("wfunc", [None, Hann()])
@pytest.mark.parametrize(("hop", "window"), [(1, 3), (5, 5), (9, 4), (3, 1000)])
def test_blocks_are_the_same_to_the_bit_for_every_chunk_size(hop, window, wfunc):
    series = AudioSamples(noise(12_345), 8000)
    node = SlidingWindow(counted(hop, window), wfunc)
    whole = streamed(node, series, len(series))
    expected = oracle(np.asarray(series), hop, window)
    assert len(expected) > 2 * 128
    weights = 1 if wfunc is None else wfunc(window)
    np.testing.assert_array_equal(np.concatenate(whole), expected * np.float32(weights))
    for size in CHUNKS:
        blocks = streamed(node, series, size)
        assert [b.shape for b in blocks] == [b.shape for b in whole]
        assert [b.tobytes() for b in blocks] == [b.tobytes() for b in whole]
        assert {b.units for b in blocks} == {whole[0].units}


def test_blocks_do_not_share_memory_with_what_comes_later():
    series = AudioSamples(noise(600 * 4), 8000)
    stage = SlidingWindow(counted(2, 4)).stream()
    first, *_ = stage.step(series[:1100])
    before = first.copy()
    rest = [*stage.step(series[1100:]), *stage.flush()]
    assert rest
    np.testing.assert_array_equal(first, before)


@pytest.mark.parametrize(("seconds", "frames"), [(5, 215), (600, 25_839)])
def test_half_lapped_frames_at_22050_hz(seconds, frames):
    series = AudioSamples(np.zeros(seconds * 22050, np.float32), 22050)
    stage = SlidingWindow(HalfLapped()).stream()
    blocks = [*stage.step(series), *stage.flush()]
    assert sum(map(len, blocks)) == frames
    assert {block.shape[1] for block in blocks} == {1024}


@pytest.mark.parametrize(
    ("hertz", "hop", "window"),
    [
        (8000, 186, 372),
        (11025, 256, 512),
        (22050, 512, 1024),
        (44100, 1024, 2048),
        (48000, 1115, 2229),
    ],
)
def test_half_lapped_at_every_rate(hertz, hop, window):
    frames = SlidingWindow(HalfLapped())(AudioSamples(noise(3 * hertz), hertz))
    assert frames.shape[1] == window
    # from the counts: exact, even where 1024 / 44100 s is no whole number of samples
    assert frames.samplerate == SampleRate(Fraction(hop, hertz), Fraction(window, hertz))
    assert frames.units == (frames.samplerate, AudioSampleRate(hertz))
    pooled = SlidingWindow(HalfLapped() * Stride(frequency=30, duration=30))(frames)
    assert pooled.shape[1:] == (30, window)
    assert pooled.frequency == 30 * frames.frequency
    assert pooled.duration == 29 * frames.frequency + frames.duration
    assert pooled.units[1:] == frames.units


def test_five_seconds_of_frames_make_eight_windows_of_thirty():
    frames = ConstantRateTimeSeries(noise(215, 13), HalfLapped())
    pooled = SlidingWindow(HalfLapped() * Stride(frequency=30, duration=30))(frames)
    assert pooled.shape == (8, 30, 13)
    assert pooled.samplerate == HalfLapped() * Stride(30, 30)
    np.testing.assert_array_equal(pooled[7, :5], frames[210:])
    assert not pooled[7, 5:].any()


def test_other_axes_keep_their_units():
    scale = BarkScale(50, 11025, 4)
    bands = ConstantRateTimeSeries(noise(10, 4), HalfLapped(), (scale,))
    windows = SlidingWindow(HalfLapped() * Stride(2, 3), Hann())(bands)
    assert windows.shape == (5, 3, 4)
    assert windows.units[1:] == (HalfLapped(), scale)


@pytest.mark.parametrize("dtype", [bool, np.int16, np.uint8, np.float32, np.float64])
def test_dtype_is_kept(dtype):
    series = ConstantRateTimeSeries(noise(50, 2).astype(dtype), AudioSampleRate(8000))
    windows = SlidingWindow(counted(3, 5))(series)
    assert windows.dtype == dtype
    np.testing.assert_array_equal(windows, oracle(np.asarray(series), 3, 5))


@pytest.mark.parametrize("shape", [(100,), (100, 2)])
def test_window_function_weights_the_second_axis(shape):
    samples = noise(*shape)
    windows = SlidingWindow(counted(4, 8), Hann())(AudioSamples(samples, 8000))
    assert windows.dtype == np.float32
    weights = Hann()(8).reshape(8, *(1,) * (len(shape) - 1))
    np.testing.assert_array_equal(windows, oracle(samples, 4, 8) * weights)


@pytest.mark.parametrize("wfunc", [None, Hann()])
def test_input_is_not_modified_nor_shared(wfunc):
    series = AudioSamples(noise(5000), 8000)
    before = series.tobytes()
    windows = SlidingWindow(counted(4, 8), wfunc)(series)
    windows[:] = 7
    assert series.tobytes() == before


def test_nothing_gives_no_frames():
    nothing = AudioSamples(np.zeros(0, np.float32), 22050)
    assert streamed(SlidingWindow(HalfLapped()), nothing, 10) == []
    assert [*SlidingWindow(HalfLapped()).stream().flush()] == []
    stage = SlidingWindow(HalfLapped()).stream()
    assert [*stage.step(nothing), *stage.flush()] == []
    whole = SlidingWindow(HalfLapped())(nothing)
    assert whole.shape == (0, 1024)
    assert whole.dtype == np.float32
    assert whole.units == (HalfLapped(), AudioSampleRate(22050))


def test_samples_in_gaps_make_no_frame():
    node = SlidingWindow(counted(10, 2))
    assert len(node(AudioSamples(np.ones(10), 8000))) == 1
    assert node(AudioSamples(np.ones(11), 8000))[1].tolist() == [1, 0]


def test_buffer_stays_as_small_as_a_block():
    stage = SlidingWindow(counted(4, 8)).stream()
    samples = AudioSamples(noise(100_000), 8000)
    sizes = set()
    for start in range(0, len(samples), 1000):
        list(stage.step(samples[start : start + 1000]))
        sizes.add(len(stage._buffer))
    assert sizes == {127 * 4 + 8}


def test_each_run_starts_afresh():
    node = SlidingWindow(counted(4, 8))
    list(node.stream().step(AudioSamples(np.ones(5), 8000)))
    assert streamed(node, AudioSamples(np.full(5, 2.0), 16000), 5)[0].tolist() == [
        [2] * 5 + [0] * 11
    ]


@pytest.mark.parametrize("size", [1, 7, 997, 10**9])
@pytest.mark.parametrize("first", [0, 5])
@pytest.mark.parametrize(("hop", "window"), [(8, 10), (10, 8), (9, 400)])
def test_blocks_of_long_frames_are_bounded_however_one_reads(hop, window, size, first, monkeypatch):
    monkeypatch.setattr(SlidingWindow, "block_bytes", 2000)
    samples = noise(900, 2)
    series = AudioSamples(samples, 8000)
    stage = SlidingWindow(counted(hop, window)).stream()
    blocks = [*stage.step(series[:first])]  # the first chunk, too, may be empty
    for start in range(first, len(series), size):
        blocks += stage.step(series[start : start + size])
    blocks += stage.flush()
    full = max(1, 2000 // (8 * max(hop, window)))
    assert {len(block) for block in blocks[:-1]} == {full}
    assert len(blocks[-1]) <= full
    np.testing.assert_array_equal(np.concatenate(blocks), oracle(samples, hop, window))


def test_usual_frames_come_in_blocks_of_128():
    frames = ConstantRateTimeSeries(np.zeros((16000, 1024), np.float32), HalfLapped())
    pooling = SlidingWindow(HalfLapped() * Stride(frequency=30, duration=30))
    assert [len(block) for block in streamed(pooling, frames, 1000)] == [128] * 4 + [22]
    assert pooling(frames[:31, :0]).shape == (2, 30, 0)  # of nothing, too


@pytest.mark.parametrize(
    "other",
    [
        AudioSamples(np.zeros(5, np.float32), 16000),
        AudioSamples(np.zeros((5, 2), np.float32), 8000),
        AudioSamples(np.zeros(5, np.float64), 8000),
    ],
)
def test_a_change_within_a_run_is_refused(other):
    stage = SlidingWindow(counted(4, 8)).stream()
    list(stage.step(AudioSamples(np.zeros(5, np.float32), 8000)))
    with pytest.raises(UnitsError, match="all the chunks of a run are alike"):
        list(stage.step(other))


@pytest.mark.parametrize(
    ("wscheme", "name"),
    [
        (SampleRate(Seconds(1e-6), Seconds(1)), "frequency"),
        (SampleRate(Seconds(1), Seconds(1e-6)), "duration"),
    ],
)
def test_a_scheme_without_a_sample_is_refused(wscheme, name):
    with pytest.raises(InvalidParameter, match=f"make wscheme.{name} longer"):
        SlidingWindow(wscheme)(AudioSamples(np.zeros(5), 8000))


def test_a_window_shorter_than_the_overlap_of_frames_is_refused():
    with pytest.raises(InvalidParameter, match="duration"):
        SlidingWindow(SampleRate(Seconds(1), Fraction(1024, 44100)))(
            ConstantRateTimeSeries(np.zeros(9), HalfLapped())
        )


def test_a_scheme_that_is_no_sample_rate_is_refused():
    with pytest.raises(InvalidParameter, match=r"wscheme=1024\): give a zounds.SampleRate"):
        SlidingWindow(1024)


def test_a_window_function_of_the_wrong_length_is_refused():
    @dataclass(frozen=True)
    class Short:
        def __call__(self, n):
            return np.ones(n - 1)

    with pytest.raises(InvalidParameter, match=r"Short\(\) returned shape \(7,\) for 8 samples"):
        SlidingWindow(counted(4, 8), Short())(AudioSamples(np.zeros(5), 8000))


def test_plain_arrays_are_refused_with_the_remedy():
    with pytest.raises(UnitsError, match=r"ndarray without a time axis: wrap it as zounds\.Audio"):
        SlidingWindow(HalfLapped())(np.zeros(5))
    lost = ConstantRateTimeSeries(np.zeros((5, 2)), HalfLapped())[0]
    with pytest.raises(UnitsError, match="FFT was given ndarray"):
        samplerate_of(lost, "FFT")
