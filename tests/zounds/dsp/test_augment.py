from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest
from scipy.signal import lfilter

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples
from zounds.dsp.augment import TimbreViews, views
from zounds.dsp.timbre import TimbreClip, TimbreSegments
from zounds.dsp.timbre_frames import TimbreFrames
from zounds.errors import UnitsError

SECOND = 44100
SEEDS = range(12)


def buzz(seconds=1.5, hertz=147.0, formant=1500.0):
    """A harmonic tone with one formant."""
    t = np.arange(round(seconds * SECOND)) / SECOND
    pulses = np.diff(np.floor(hertz * t), prepend=0.0)
    angle, radius = 2 * np.pi * formant / SECOND, 0.985
    tone = lfilter([1], [1, -2 * radius * np.cos(angle), radius**2], pulses)
    return AudioSamples((0.3 * tone / np.abs(tone).max()).astype("f4"), SECOND)


def pitch(samples):
    """In Hz, from the highest value of the autocorrelation."""
    x = np.asarray(samples, np.float64)
    lags = np.fft.irfft(np.abs(np.fft.rfft(x, 2 * len(x))) ** 2)[:1000]
    return SECOND / (80 + lags[80:].argmax())


def formant_of(samples):
    """In Hz, the centroid of the spectrum around the formants of `buzz`."""
    powers = np.abs(np.fft.rfft(np.asarray(samples, np.float64))) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / SECOND)
    return np.average(hertz, weights=powers * (hertz > 700) * (hertz < 3000))


def test_a_seed_gives_the_same_views_to_the_bit_and_another_seed_others():
    once, again, other = (views(buzz(), seed=seed) for seed in (1, 1, 2))
    assert len(once) == len(again) == len(other) == 4
    for a, b, c in zip(once, again, other, strict=True):
        assert a.dtype == np.float32
        assert a.samplerate == buzz().samplerate
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
        assert np.asarray(a).tobytes() != np.asarray(c).tobytes()


def test_the_first_view_keeps_the_pitch_and_the_others_go_up_to_7_semitones_away():
    shifts = []
    for seed in SEEDS:
        first, *others = (12 * np.log2(pitch(view) / 147.0) for view in views(buzz(), seed=seed))
        assert abs(first) < 0.1
        shifts.extend(others)
    assert -7.1 < min(shifts) < -5
    assert 5 < max(shifts) < 7.1
    assert abs(np.mean(shifts)) < 2


def test_the_formants_of_most_transposed_views_stay_where_they_were():
    stayed = []
    for seed in SEEDS:
        for view in views(buzz(), seed=seed)[1:]:
            moved = pitch(view) / 147.0
            if abs(np.log2(moved)) > 3 / 12:
                change = abs(np.log2(formant_of(view) / 1500))
                stayed.append(change < 0.5 * abs(np.log2(moved)))
    assert len(stayed) >= 10
    assert 0.5 < np.mean(stayed) < 0.95


def test_what_a_sound_goes_through_stays_in_its_place():
    bright, dark = buzz(0.8, formant=2300.0), buzz(0.8, formant=900.0)
    sound = AudioSamples(np.r_[np.asarray(bright), np.asarray(dark)], SECOND)
    for seed in SEEDS:
        for view in views(sound, seed=seed)[::2]:
            _, second, third, _ = np.array_split(np.asarray(view)[: len(view) // 4 * 4], 4)
            assert formant_of(second) > 1.5 * formant_of(third)


def test_every_second_view_of_a_long_sound_is_a_short_excerpt_and_the_others_have_6_seconds():
    for seed in SEEDS[:3]:
        lengths = [len(view) / SECOND for view in views(buzz(9), count=6, seed=seed)]
        assert lengths[0] == 6
        assert all(3.9 < length < 9.1 for length in lengths[2::2])  # 7 semitones: times 1.5
        assert all(0.26 < length < 3.1 for length in lengths[1::2])


def test_an_excerpt_is_not_a_pause():
    sound = np.asarray(buzz(1))
    gaps = AudioSamples(np.r_[sound, np.zeros(30 * SECOND, "f4"), sound], SECOND)
    for seed in SEEDS:
        assert np.abs(views(gaps, count=2, seed=seed)[1]).max() > 0.01


def test_a_view_is_equalised_smoothly_and_not_much():
    noise = np.random.default_rng(0).standard_normal(3 * SECOND).astype("f4")
    first = views(AudioSamples(noise, SECOND), count=1, seed=4)[0]
    assert len(first) == len(noise)
    before, after = (np.abs(np.fft.rfft(np.asarray(x, np.float64))) ** 2 for x in (noise, first))
    bands = [
        20 * np.log10(a.sum() / b.sum()) / 2
        for a, b in zip(np.array_split(after, 60), np.array_split(before, 60), strict=True)
    ]
    assert 0.5 < np.ptp(bands) < 20
    assert abs(np.mean(bands)) < 4
    assert np.abs(np.diff(bands)).max() < 2


def test_a_gain_of_a_power_of_two_changes_no_bit():
    for loud, soft in zip(views(buzz()), views(buzz() * np.float32(2**-9)), strict=True):
        np.testing.assert_array_equal(np.asarray(loud), np.asarray(soft) * 2**9)


@pytest.mark.parametrize("count", [1, 2, 10, 255, 300, 5000])
@pytest.mark.parametrize("value", [0.0, 0.5, 1e-30])
def test_views_of_next_to_nothing_are_finite(count, value):
    for view in views(AudioSamples(np.full(count, value, "f4"), SECOND), count=6):
        assert len(view) >= 256
        assert np.isfinite(np.asarray(view)).all()


def test_the_sound_itself_is_not_changed():
    sound = buzz()
    np.asarray(sound).setflags(write=False)
    for view in views(sound):
        assert not np.shares_memory(np.asarray(view), np.asarray(sound))


@pytest.mark.parametrize(
    ("samples", "options", "error", "message"),
    [
        (AudioSamples([0.0], 22050), {}, UnitsError, "views was given .*44.1 kHz"),
        (AudioSamples([[0.0, 0.0]], 44100), {}, UnitsError, "mono"),
        (AudioSamples([], 44100), {}, InvalidParameter, "0 samples"),
        (AudioSamples([0.0], 44100), {"count": 0}, InvalidParameter, "count=0"),
        (AudioSamples([0.0], 44100), {"seed": -1}, InvalidParameter, "seed"),
    ],
)
def test_what_cannot_be_done_is_told(samples, options, error, message):
    with pytest.raises(error, match=message):
        views(samples, **options)


# ---------------------------------------------------------------------------- TimbreViews


def described(node, *chunks):
    """What a node makes of samples, in one or several chunks."""
    stage = node.stream()
    made = [row for chunk in chunks for row in stage.step(AudioSamples(chunk, SECOND))]
    made += stage.flush()
    return np.concatenate(made) if made else np.zeros((0, 330))


def timbre_of(samples, node):
    """The descriptors of a sound: of its clip, or of its segments."""
    frames = TimbreFrames().stream()
    spectra = [*frames.step(AudioSamples(samples, SECOND)), *frames.flush()]
    if isinstance(node, TimbreSegments):
        return np.concatenate([np.asarray(node(part)) for part in spectra])
    stage = node.stream()
    for part in spectra:
        assert list(stage.step(part)) == []
    (row,) = stage.flush()
    return np.asarray(row)


@pytest.mark.parametrize(("count", "seed"), [(4, 0), (1, 0), (3, 7)])
def test_views_are_described_as_clips_and_a_moment_as_a_segment(count, seed):
    sound = buzz(1.5)
    made = described(TimbreViews(count, seed), sound)
    assert (made.shape, made.dtype) == ((count + 1, 330), np.float32)
    own = seed << 32 | crc32(np.asarray(sound).tobytes())
    expected = [timbre_of(view, TimbreClip()) for view in views(sound, count, own)]
    np.testing.assert_array_equal(made[:-1], np.concatenate(expected))
    assert any((made[-1] == moment).all() for moment in moments(sound))


def moments(sound):
    """The descriptors of what a sound is from one of its segments on, in the first 0.7 s."""
    starts = range(0, len(sound), 30 * 1024)
    return [timbre_of(sound[start:], TimbreSegments())[0] for start in starts]


def test_the_moment_is_any_of_a_sound():
    sound = np.asarray(buzz(2.5)) * np.linspace(1, 0.1, round(2.5 * SECOND), dtype="f4")
    last = [described(TimbreViews(1, seed), sound)[-1] for seed in SEEDS]
    drawn = [{i for i, one in enumerate(moments(sound)) if (one == row).all()} for row in last]
    assert all(len(places) == 1 for places in drawn)
    assert set.union(*drawn) == {0, 1, 2, 3}


@pytest.mark.parametrize("size", [1000, 44100, 65536])
def test_descriptors_of_views_do_not_depend_on_the_chunks(size):
    sound = np.asarray(buzz(2.2))
    whole = described(TimbreViews(2), sound)
    parts = [sound[start : start + size] for start in range(0, len(sound), size)]
    np.testing.assert_array_equal(described(TimbreViews(2), *parts), whole)
    np.testing.assert_array_equal(described(TimbreViews(2), sound[:0], sound), whole)


def test_other_seeds_and_other_sounds_have_other_views():
    sound = np.asarray(buzz(1))
    once, again, other = (described(TimbreViews(2, seed), sound) for seed in (0, 0, 1))
    np.testing.assert_array_equal(once, again)
    assert (once[:2] != other[:2]).any(axis=1).all()
    # the same sound with another sample at its end is transposed by something else
    changed = described(TimbreViews(2), np.r_[sound, np.float32(0)])
    assert np.abs(once[1] - changed[1]).max() > 1


def test_of_a_long_sound_there_are_views_of_the_first_20_seconds():
    sound = np.asarray(buzz(21))
    expected = described(TimbreViews(2), sound[: 20 * SECOND])
    np.testing.assert_array_equal(described(TimbreViews(2), sound), expected)


def test_views_of_no_samples_are_none():
    assert described(TimbreViews()).shape == (0, 330)
    assert described(TimbreViews(), np.zeros(0, "f4")).shape == (0, 330)


@pytest.mark.parametrize("count", [1, 10, 255, 5000])
@pytest.mark.parametrize("value", [0.0, 0.5, 1e-30])
def test_descriptors_of_views_of_next_to_nothing_are_finite(count, value):
    made = described(TimbreViews(2), np.full(count, value, "f4"))
    assert made.shape == (3, 330)
    assert np.isfinite(made).all()


@pytest.mark.parametrize("seed", [-1, 0.5, "1", None, True])
def test_what_is_no_seed_is_refused_when_it_is_used(seed):
    with pytest.raises(InvalidParameter, match="seed is"):
        described(TimbreViews(seed=seed), np.asarray(buzz(0.3)))
    with pytest.raises(InvalidParameter, match="count=0"):
        described(TimbreViews(count=0), np.asarray(buzz(0.3)))
