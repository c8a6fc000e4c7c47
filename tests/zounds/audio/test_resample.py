from fractions import Fraction

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples
from zounds.audio.resample import Mono, Resample
from zounds.errors import AudioError, UnitsError
from zounds.units import SR22050, SR44100, AudioSampleRate, HalfLapped


def noise(n, channels=1, seed=0):
    shape = n if channels == 1 else (n, channels)
    return np.random.default_rng(seed).uniform(-0.9, 0.9, shape).astype(np.float32)


def resampled(samples, rate, target, size):
    """The chunks that come out when `samples` go in by `size`."""
    stage = Resample(AudioSampleRate(target)).stream()
    chunks = []
    for start in range(0, len(samples), size):
        chunks += stage.step(AudioSamples(samples[start : start + size], rate))
    return [*chunks, *stage.flush()]


def joined(chunks, channels=1):
    rest = () if channels == 1 else (channels,)
    return np.concatenate([np.zeros((0, *rest), np.float32), *map(np.asarray, chunks)])


# ---- resampling


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 37500, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("target", [8000, 22050, 44100, 192000])
@pytest.mark.parametrize("size", [7, 997, 44100, 10**9])
def test_chunks_give_what_soxr_gives_at_once(rate, target, size):
    sound = noise(20000)
    chunks = resampled(sound, rate, target, size)
    assert {chunk.samplerate for chunk in chunks} == {AudioSampleRate(target)}
    assert {chunk.dtype for chunk in chunks} == {np.dtype(np.float32)}
    assert all(isinstance(chunk, AudioSamples) and len(chunk) for chunk in chunks)
    expected = soxr.resample(sound, rate, target, quality="HQ")
    assert np.array_equal(joined(chunks), expected)


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_sample_by_sample(channels):
    sound = noise(2500, channels)
    found = joined(resampled(sound, 44100, 22050, 1), channels)
    assert found.ndim == sound.ndim
    assert np.array_equal(found, soxr.resample(sound, 44100, 22050, quality="HQ"))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.integers(1, 3),
    st.sampled_from([8000, 22050, 44100, 48000]),
    st.sampled_from([11025, 22050, 44100, 96000]),
)
def test_any_length_in_any_chunks(n, size, channels, rate, target):
    sound = noise(n, channels)
    found = joined(resampled(sound, rate, target, size), channels)
    assert np.array_equal(found, soxr.resample(sound, rate, target, quality="HQ"))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_very_short_sounds(n):
    assert len(joined(resampled(noise(n), 22050, 44100, 1))) == 2 * n


def test_a_tone_keeps_its_pitch_and_level():
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(88200) / 44100)
    found = joined(resampled(tone.astype(np.float32), 44100, 22050, 5000))
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(44100) / 22050)
    assert np.abs(found - expected)[500:-500].max() < 1e-4


def test_what_is_above_the_new_nyquist_is_gone():
    tone = 0.5 * np.sin(2 * np.pi * 15000 * np.arange(88200) / 44100)
    found = joined(resampled(tone.astype(np.float32), 44100, 22050, 5000))
    assert np.abs(found[500:-500]).max() < 1e-4


def test_equal_rates_pass_untouched():
    for dtype in (np.float32, np.float64):
        sound = AudioSamples(noise(100, 2).astype(dtype), 44100)
        stage = Resample(SR44100()).stream()
        (out,) = stage.step(sound)
        assert out is sound
        assert list(stage.flush()) == []


def test_rates_that_are_no_whole_number():
    rate = AudioSampleRate(Fraction(44100, 3) * 2 + Fraction(1, 7))
    sound = noise(30000)
    stage = Resample(rate).stream()
    chunks = [*stage.step(AudioSamples(sound, 44100)), *stage.flush()]
    assert chunks[0].samplerate == rate
    expected = soxr.resample(sound, 44100, float(rate.samples_per_second), quality="HQ")
    assert np.array_equal(joined(chunks), expected)


def test_doubles_become_floats():
    sound = noise(5000)
    doubles = resampled(sound.astype(np.float64), 44100, 22050, 700)
    assert np.array_equal(joined(doubles), joined(resampled(sound, 44100, 22050, 700)))


def test_channels_that_lie_apart_in_memory():
    sound = noise(5000, 2)
    apart = np.asfortranarray(sound)
    expected = soxr.resample(sound, 44100, 22050, quality="HQ")
    assert np.array_equal(joined(resampled(apart, 44100, 22050, 700), 2), expected)


def test_the_input_is_not_changed():
    sound = noise(5000)
    before = sound.copy()
    resampled(sound, 44100, 22050, 700)
    assert np.array_equal(sound, before)


def test_nothing_gives_nothing():
    assert list(Resample(SR22050()).stream().flush()) == []
    stage = Resample(SR22050()).stream()
    assert list(stage.step(AudioSamples(noise(0), 44100))) == []
    assert joined(stage.flush()).shape == (0,)


def test_empty_chunks_change_nothing():
    sound = noise(3000)
    stage = Resample(SR22050()).stream()
    chunks = []
    for part in (sound[:0], sound[:1000], sound[:0], sound[1000:], sound[:0]):
        chunks += stage.step(AudioSamples(part, 44100))
    found = joined([*chunks, *stage.flush()])
    assert np.array_equal(found, soxr.resample(sound, 44100, 22050, quality="HQ"))


def test_chunks_without_units_are_refused():
    with pytest.raises(UnitsError, match=r"wrap them as zounds\.AudioSamples"):
        list(Resample(SR22050()).stream().step(noise(10)))


@pytest.mark.parametrize(
    "second", [AudioSamples(noise(10), 48000), AudioSamples(noise(10, 2), 44100)]
)
@pytest.mark.parametrize("target", [22050, 44100])
def test_a_stream_stays_what_it_is(second, target):
    stage = Resample(AudioSampleRate(target)).stream()
    list(stage.step(AudioSamples(noise(10), 44100)))
    with pytest.raises(AudioError, match="follows audio at AudioSampleRate"):
        list(stage.step(second))


@pytest.mark.parametrize("rate", [HalfLapped(), 22050, "22050", None])
def test_rates_that_are_not_of_audio(rate):
    with pytest.raises(InvalidParameter, match="samplerate is"):
        Resample(rate)


def test_streams_of_one_node_do_not_meet():
    node = Resample(SR22050())
    first, second = node.stream(), node.stream()
    a, b = noise(3000, seed=1), noise(3000, seed=2)
    parts = list(first.step(AudioSamples(a, 44100))), list(second.step(AudioSamples(b, 44100)))
    found = joined([*parts[0], *first.flush()])
    assert np.array_equal(found, soxr.resample(a, 44100, 22050, quality="HQ"))


# ---- mono


@pytest.mark.parametrize("channels", [2, 3, 5, 8])
def test_mono_is_the_mean_of_all_channels(channels):
    sound = AudioSamples(noise(1000, channels), 44100)
    mono = Mono()(sound)
    assert isinstance(mono, AudioSamples)
    assert mono.samplerate == SR44100()
    assert mono.dtype == np.float32
    assert mono.shape == (1000,)
    assert np.abs(np.asarray(mono) - np.asarray(sound, np.float64).mean(axis=1)).max() < 1e-6
    assert np.allclose(np.asarray(mono), np.asarray(sound.mono), atol=1e-6)


def test_mono_of_equal_channels_is_the_channel():
    sound = noise(1000)
    for channels in (1, 2):
        copies = AudioSamples(np.repeat(sound[:, None], channels, axis=1), 44100)
        assert np.array_equal(np.asarray(Mono()(copies)), sound)


def test_mono_of_mono_is_itself():
    sound = AudioSamples(noise(10), 44100)
    assert Mono()(sound) is sound


def test_mono_keeps_doubles_and_its_input():
    sound = AudioSamples(noise(10, 2).astype(np.float64), 44100)
    before = np.asarray(sound).copy()
    assert Mono()(sound).dtype == np.float64
    assert np.array_equal(np.asarray(sound), before)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 300), st.integers(1, 300))
def test_mono_is_the_same_for_every_chunking(channels, n, size):
    sound = np.random.default_rng(n).uniform(-1, 1, (n, channels)).astype(np.float32)
    whole = np.asarray(Mono()(AudioSamples(sound, 44100)))
    parts = [Mono()(AudioSamples(sound[i : i + size], 44100)) for i in range(0, n, size)]
    assert np.array_equal(np.concatenate([np.asarray(part) for part in parts]), whole)


def test_mono_of_chunks_without_units_is_refused():
    with pytest.raises(UnitsError, match="AudioSamples"):
        Mono()(noise(10, 2))


def test_a_filter_that_was_used_before_gives_the_same_samples():
    sounds = [noise(n, seed=n) for n in (30000, 7, 44100)]
    expected = [soxr.resample(sound, 44100, 22050, quality="HQ") for sound in sounds]
    for _ in range(2):
        left_behind = Resample(SR22050()).stream()  # is never flushed
        list(left_behind.step(AudioSamples(sounds[2], 44100)))
        stages = [Resample(SR22050()).stream() for _ in sounds]  # at work at the same time
        chunks = [
            list(stage.step(AudioSamples(sound, 44100)))
            for stage, sound in zip(stages, sounds, strict=True)
        ]
        for stage, found, wanted in zip(stages, chunks, expected, strict=True):
            assert np.array_equal(joined([*found, *stage.flush()]), wanted)
