from __future__ import annotations

import tracemalloc
from itertools import pairwise

import librosa
import numpy as np
import pytest
from scipy.fft import dct
from scipy.stats import gmean

from zounds.arrays import AudioSamples
from zounds.dsp.timbre import TimbreClip, TimbreSegments
from zounds.dsp.timbre_frames import TimbreFrames
from zounds.errors import UnitsError

SECOND = 44100
SEGMENT = 30 * 1024
LEVELS = [0, 98]  # the columns that have the level
BLOCKS = np.cumsum([20, 20, 29, 29, 22, 19, 19, 19, 19, 5, 27, 27, 27, 12, 12, 12, 12])


def note(seconds=2.0, hertz=220.0, noise=0.01):
    """A plucked note with vibrato in a little noise, after some digital silence."""
    t = np.arange(round(seconds * SECOND)) / SECOND
    phase = 2 * np.pi * (hertz * t - 0.3 * np.cos(2 * np.pi * 5 * t))
    tone = sum(np.sin(k * phase) * np.exp(-k * t) / k for k in range(1, 20))
    rough = noise * np.random.default_rng(3).standard_normal(len(t))
    return (0.3 * (tone + rough) * np.clip((t - 0.05) / 0.02, 0, 1)).astype("f4")


def sweep(seconds=2.0):
    t = np.arange(round(seconds * SECOND)) / SECOND
    rough = np.random.default_rng(4).standard_normal(len(t))
    return (0.2 * np.sin(2 * np.pi * 300 * t * (1 + t)) + 0.02 * rough).astype("f4")


def noise(seconds=2.0):
    rough = np.random.default_rng(5).standard_normal(round(seconds * SECOND))
    return (0.1 * rough * np.linspace(1, 0, len(rough)) ** 2).astype("f4")


def rumble(seconds=0.8):
    t = np.arange(round(seconds * SECOND)) / SECOND
    rough = np.random.default_rng(6).standard_normal(len(t))
    return (0.5 * np.sin(2 * np.pi * 9 * t) + 0.001 * rough).astype("f4")


def dip():
    """A tone that is louder the further from its middle: its autocorrelation exceeds 1."""
    n = np.arange(8192)
    gain = 1 / (1.1 - np.cos(2 * np.pi * n / 4096))
    rough = 0.001 * np.random.default_rng(7).standard_normal(len(n))
    return (0.1 * gain * np.sin(2 * np.pi * n / 64) + rough).astype("f4")


def described(samples, read_size=10**9):
    """The descriptors of the clip and of the segments."""
    audio = AudioSamples(samples, SECOND)
    frames, clip, segments = TimbreFrames().stream(), TimbreClip().stream(), []
    for start in range(0, len(audio), read_size):
        for spectra in frames.step(audio[start : start + read_size]):
            segments.append(TimbreSegments()(spectra))
            assert not list(clip.step(spectra))
    for spectra in frames.flush():
        segments.append(TimbreSegments()(spectra))
        assert not list(clip.step(spectra))
    (whole,) = clip.flush()
    return whole, segments


def reference(samples, n_long=None, n_short=None):
    """The descriptor in double precision, frame by frame and straight from its definition."""
    x = np.asarray(samples, np.float64)

    def spectra(n, hop, count):
        count = count or 1 + max(0, -(-(len(x) - n) // hop))
        padded = np.append(x, np.zeros(count * hop + n))
        frames = [padded[i * hop : i * hop + n] for i in range(count)]
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
        return np.array([np.abs(np.fft.rfft(f * window)) ** 2 * (4 / n) ** 2 for f in frames])

    def decibels(powers, n, bands):
        filters = librosa.filters.mel(
            sr=SECOND, n_fft=n, n_mels=bands, fmin=40, fmax=18000, htk=True, norm=1
        )
        mel = powers @ filters.astype(np.float64).T
        return 10 * np.log10(np.maximum(mel, 1e-8 * mel.max()))

    long = spectra(4096, 1024, n_long)
    energy = long.sum(axis=1)
    active = energy > 1e-5 * energy.max()
    weight = np.sqrt(energy[active]) / np.sqrt(energy[active]).sum()

    bands = decibels(long, 4096, 128)
    mfcc = dct(bands, norm="ortho", axis=1)
    target = bands[active]
    highest = target
    for _ in range(6):
        coeffs = dct(highest, norm="ortho", axis=1)
        coeffs[:, 22:] = 0
        highest = np.maximum(target, dct(coeffs, type=3, norm="ortho", axis=1))

    hz = np.fft.rfftfreq(4096, 1 / SECOND)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(4096) / 4096)
    own = np.fft.ifft(np.abs(np.fft.fft(hann)) ** 2).real
    edges = [0, 10, 20, 40, 80, 160, 320, 640, 1025, 1600, 2049]
    rows = []
    for i in np.flatnonzero(active):
        p = long[i] + 1e-9 * energy[i]
        centroid = np.average(hz, weights=np.sqrt(p))
        spread = np.sqrt(np.average((hz - centroid) ** 2, weights=np.sqrt(p)))
        rolloffs = [hz[np.searchsorted(p.cumsum(), share * p.sum())] for share in (0.85, 0.5)]
        pairs = np.signbit(x[i * 1024 : i * 1024 + 4097]).astype(int)
        crossings = np.abs(np.diff(pairs)).sum() / 4096
        lags = np.fft.irfft(p)
        lags = lags[:1500] / lags[0] / np.maximum(own[:1500] / own[0], 0.1)
        best = lags[29:].max()
        period = 29 + np.flatnonzero(lags[29:] > 0.9 * best)[0]
        steps = 0
        while steps < 12 and period < 1499 and lags[period + 1] > lags[period]:
            period, steps = period + 1, steps + 1
        contrasts, flatnesses = [], []
        for a, b in pairwise(edges):
            logs, k = np.log(np.sort(p[a:b])), (b - a) // 5
            contrasts.append(logs[-k:].mean() - logs[:k].mean())
            flatnesses.append(np.log(p[a:b].mean() / gmean(p[a:b])))
        logs = np.log(np.array([centroid, spread, *rolloffs]) + 20)
        rows.append(
            [*logs, crossings, min(max(best, 0), 1), lags[period // 2], *contrasts, *flatnesses]
        )
    stats = np.array(rows)

    short = spectra(1024, 256, n_short)
    power = short.sum(axis=1)
    there = np.flatnonzero(power > 1e-5 * power.max())
    there = slice(there[0], there[-1] + 1)
    cepstra = dct(decibels(short, 1024, 64), norm="ortho", axis=1)[there, 1:20]
    amplitude = np.sqrt(power[there])
    n, peak = len(cepstra), amplitude.argmax()
    begin = np.flatnonzero(amplitude > 0.2 * amplitude.max())[0]
    sustained = np.average(cepstra, axis=0, weights=amplitude)

    def between(start, stop):
        start = np.clip(start, 0, n - 1)
        return cepstra[start : max(start + 1, stop)].mean(axis=0)

    times = [
        max(1, peak - begin) * 256 / SECOND,
        np.average(np.arange(n), weights=amplitude) * 256 / SECOND + 0.01,
        (amplitude > amplitude.max() / 2).mean() + 0.01,
        n * 256 / SECOND,
        (amplitude > amplitude.max() / 10).mean() + 0.01,
    ]
    onset = [(-2, 1), (1, 5), (5, 15), (15, 40)]
    return np.concatenate(
        [
            mfcc[:, :20].mean(axis=0),
            mfcc[:, :20].std(axis=0),
            mfcc[active, 1:30].mean(axis=0),
            mfcc[active, 1:30].std(axis=0),
            weight @ coeffs[:, :22],
            between(begin - 4, begin + 18),
            sustained,
            between(peak + 18, n) - sustained,
            cepstra.std(axis=0),
            np.log(times),
            stats.mean(axis=0),
            stats.std(axis=0),
            weight @ stats,
            *[(between(begin + a, begin + b) - sustained)[:12] for a, b in onset],
        ]
    )


def assert_close(actual, expected, relative=1e-3):
    """Within a thousandth of each number, or of a tenth of what is usual in its block."""
    usual = [np.abs(block).mean() for block in np.split(expected, BLOCKS)[:-1]]
    scale = np.maximum(np.abs(expected), 0.1 * np.repeat(usual, np.diff(BLOCKS, prepend=0)))
    wrong = np.flatnonzero(~(np.abs(actual - expected) <= relative * scale))
    assert not len(wrong), (wrong, actual[wrong], expected[wrong])


@pytest.mark.parametrize(
    "samples",
    [note(), sweep(), noise(), note(0.5), note(0.06, 900.0), note(0.5, 1700.0), rumble(), dip()],
)
def test_a_clip_is_described_as_defined(samples):
    clip, _ = described(samples)
    assert clip.shape == (1, 330)
    assert clip.dtype == np.float32
    assert_close(np.asarray(clip)[0], reference(samples))


@pytest.mark.parametrize("samples", [note(), sweep(), noise(), noise()[:33_792], rumble()])
def test_a_segment_is_described_as_its_samples_alone_would_be(samples):
    _, segments = described(samples)
    for number, row in enumerate(segments):
        alone = samples[number * SEGMENT : (number + 1) * SEGMENT + 3073]
        n_long = min(30, 1 + -(-(len(alone) - 4096) // 1024))
        n_short = min(120, 1 + -(-(len(alone) - 1024) // 256))
        assert_close(np.asarray(row)[0], reference(alone, n_long, n_short))


@pytest.mark.parametrize("read_size", [1, 256, 997, 33_793, 44_100])
def test_chunks_do_not_change_a_bit(read_size):
    samples = note(0.9) if read_size == 1 else note(2.5)
    clip, segments = described(samples)
    other, others = described(samples, read_size)
    assert np.asarray(clip).tobytes() == np.asarray(other).tobytes()
    assert [np.asarray(s).tobytes() for s in segments] == [np.asarray(s).tobytes() for s in others]


@pytest.mark.parametrize(
    ("samples", "count"),
    [(1, 1), (4096, 1), (33_792, 1), (33_793, 2), (SEGMENT + 33_792, 2), (SEGMENT + 33_793, 3)],
)
def test_a_segment_begins_every_30_frames_as_long_as_there_are_new_samples(samples, count):
    clip, segments = described(noise()[:samples])
    assert len(segments) == count
    assert len({segment.units for segment in segments}) == 1
    assert segments[0].frequency * SECOND == SEGMENT
    assert segments[0].duration * SECOND == 29 * 1024 + 4096
    assert 0 <= clip.end * SECOND - samples < 4096


def test_a_clip_is_its_first_20_seconds():
    long = np.tile(note(2.5), 10)
    clip, segments = described(long)
    beginning, _ = described(long[: 857 * 1024 + 4096])
    np.testing.assert_array_equal(clip, beginning)
    assert 19.9 < clip.end <= 20
    assert len(segments) == 36


def test_memory_does_not_grow_with_the_length_of_a_file():
    minute = AudioSamples(noise(30), SECOND)
    described(np.asarray(minute)[:SECOND])  # what is made once
    peaks = []
    for repeats in (1, 4):
        tracemalloc.start()
        frames, clip = TimbreFrames().stream(), TimbreClip().stream()
        for _ in range(repeats):
            for spectra in frames.step(minute):
                TimbreSegments()(spectra)
                clip.step(spectra)
        clip.flush()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]


@pytest.mark.parametrize("exponent", [-12, -1, 3])
def test_a_gain_of_a_power_of_two_changes_no_bit_but_the_level(exponent):
    loud = described(note())
    soft = described(note() * np.float32(2.0**exponent))
    others = np.setdiff1d(np.arange(330), LEVELS)
    for before, after in zip([loud[0], *loud[1]], [soft[0], *soft[1]], strict=True):
        np.testing.assert_array_equal(np.asarray(before)[:, others], np.asarray(after)[:, others])
        expected = np.full((1, 2), exponent * 20 * np.log10(2) * np.sqrt(128))
        moved = np.asarray(after)[:, LEVELS] - np.asarray(before)[:, LEVELS]
        np.testing.assert_allclose(moved, expected, atol=1e-3)


@pytest.mark.parametrize("samples", [note(), noise(), sweep()])
def test_20_decibels_change_nothing_but_the_level(samples):
    loud, loud_segments = described(samples)
    soft, soft_segments = described(samples * np.float32(0.1))
    for before, after in zip([loud, *loud_segments], [soft, *soft_segments], strict=True):
        expected = np.asarray(before, np.float64)[0]
        expected[LEVELS] -= 20 * np.sqrt(128)
        assert_close(np.asarray(after)[0], expected, 2e-4)


SILENCE = np.zeros(2 * SECOND, np.float32)


@pytest.mark.parametrize(
    "samples",
    [
        SILENCE,
        SILENCE[:1],
        SILENCE + np.float32(0.5),
        np.float32(1e-30) * noise(),
        noise()[:10],
        np.ones(1, np.float32),
        noise()[:1023],
        noise()[:4095],
        np.r_[SILENCE, noise()[:10], SILENCE],
        np.r_[noise(0.3), SILENCE],
        np.r_[SILENCE, np.float32(0.9) * np.sign(note())],
        np.sin(np.pi * np.arange(SECOND)).astype("f4"),
        np.sin(2 * np.pi * 20_000 / SECOND * np.arange(SECOND)).astype("f4"),
        np.full(SECOND, 3e4, "f4") * noise(1),
    ],
    ids=[
        *("silence", "a silent sample", "DC", "next to nothing", "a click", "a sample"),
        *("less than a short frame", "less than a long frame", "a click in silence"),
        *("silence at the end", "clipped", "rounding errors", "ultrasound", "far too loud"),
    ],
)
def test_whatever_comes_in_the_numbers_are_finite(samples):
    clip, segments = described(samples)
    for row in [clip, *segments]:
        assert np.isfinite(np.asarray(row)).all()
        assert np.abs(np.asarray(row)).max() < 1e4


def test_silence_has_no_shape_and_the_level_of_silence():
    clip, (segment, *_) = described(SILENCE)
    mfcc = np.asarray(clip)[0, :40]
    np.testing.assert_allclose(mfcc[0], -140 * np.sqrt(128), rtol=1e-6)
    np.testing.assert_allclose(mfcc[1:], 0, atol=1e-2)
    np.testing.assert_allclose(np.asarray(clip)[:, :98], np.asarray(segment)[:, :98], atol=1e-2)


def test_rounding_errors_have_no_shape():
    clip, _ = described(np.full(20 * 1024 + 4096, 0.5, "f4"))  # no frame has an edge in it
    assert np.asarray(clip)[0, 0] > -140 * np.sqrt(128)
    np.testing.assert_allclose(np.asarray(clip)[0, 1:98], 0, atol=1e-2)


def test_no_samples_make_no_descriptors():
    frames, clip = TimbreFrames().stream(), TimbreClip().stream()
    assert [*frames.step(AudioSamples(SILENCE[:0], SECOND)), *frames.flush()] == []
    assert list(clip.flush()) == []


@pytest.mark.parametrize(
    "samples",
    [AudioSamples(SILENCE, 48000), AudioSamples(SILENCE.reshape(-1, 2), SECOND), SILENCE],
    ids=["48 kHz", "stereo", "no rate"],
)
def test_anything_but_mono_at_44100_hz_is_refused(samples):
    with pytest.raises(UnitsError, match=r"TimbreFrames was given .*44.?1"):
        list(TimbreFrames().stream().step(samples))
