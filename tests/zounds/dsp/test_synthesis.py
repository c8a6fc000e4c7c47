from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples
from zounds.dsp.synthesis import (
    NoiseSynthesizer,
    SilenceSynthesizer,
    SineSynthesizer,
    TickSynthesizer,
)
from zounds.errors import UnitsError
from zounds.units import SR11025, SR22050, SR44100, HalfLapped, Milliseconds, Seconds

MAKERS = {
    "sine": lambda rate, duration: SineSynthesizer(rate).synthesize(duration),
    "noise": lambda rate, duration: NoiseSynthesizer(rate).synthesize(duration),
    "ticks": lambda rate, duration: TickSynthesizer(rate).synthesize(duration, 0.1),
    "silence": lambda rate, duration: SilenceSynthesizer(rate).synthesize(duration),
}
each_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


@each_maker
@pytest.mark.parametrize("duration", [Seconds(1), Milliseconds(333), 0.5, 2, Fraction(1, 7)])
def test_a_sound_has_the_length_range_and_rate_asked_for(make, duration):
    sound = make(SR22050(), duration)
    assert isinstance(sound, AudioSamples)
    assert sound.samplerate == SR22050()
    assert sound.dtype == np.float32
    assert sound.shape == (round(Seconds(duration) * 22050),)
    assert np.abs(sound).max() <= 1


@each_maker
def test_the_rate_may_be_a_number_of_hertz(make):
    assert make(22050, 1).samplerate == SR22050()


@each_maker
@pytest.mark.parametrize("duration", [0, -1, Seconds(-0.5), 1e-9])
def test_a_duration_without_samples_is_refused(make, duration):
    with pytest.raises(InvalidParameter, match="duration"):
        make(SR22050(), duration)


@each_maker
def test_a_duration_that_is_no_number_is_refused(make):
    with pytest.raises(UnitsError, match="long"):
        make(SR22050(), "long")


@each_maker
def test_a_rate_of_overlapping_frames_is_refused(make):
    with pytest.raises(UnitsError, match="overlap"):
        make(HalfLapped(), 1)


@pytest.mark.parametrize("frequencies", [(440.0,), [100, 1000, 5000], np.array([220.0, 330.0])])
def test_sines_are_the_frequencies_asked_for(frequencies):
    sound = np.asarray(SineSynthesizer(SR22050()).synthesize(1, frequencies))
    magnitudes = np.abs(np.fft.rfft(sound)) / len(sound) * 2
    found = np.flatnonzero(magnitudes > 0.01)
    assert found.tolist() == [int(f) for f in frequencies]
    assert np.allclose(magnitudes[found], 1 / len(frequencies), atol=1e-3)


def test_a_sine_keeps_its_phase_far_into_the_sound():
    sound = np.asarray(SineSynthesizer(SR11025()).synthesize(100, [441]))
    assert np.allclose(sound[-25:], sound[:25], atol=1e-6)


@pytest.mark.parametrize("bad", [0, -440, 11025, 30000, float("nan")])
def test_a_frequency_that_the_rate_cannot_hold_is_refused(bad):
    with pytest.raises(InvalidParameter, match="11025 Hz, or a higher sample rate"):
        SineSynthesizer(SR22050()).synthesize(1, [440, bad])


@pytest.mark.parametrize("bad", [[], 440, [[440]]])
def test_frequencies_come_as_a_list(bad):
    with pytest.raises(InvalidParameter, match="give a list"):
        SineSynthesizer(SR22050()).synthesize(1, bad)


def test_noise_is_white():
    sound = np.asarray(NoiseSynthesizer(SR44100()).synthesize(10), np.float64)
    power = np.abs(np.fft.rfft(sound)[1:]) ** 2 / len(sound)
    bands = power[: len(power) // 20 * 20].reshape(20, -1).mean(axis=1)
    # uniform values in [-1, 1) have a variance of 1/3; each band averages 11,000 bins
    assert np.allclose(bands, 1 / 3, rtol=0.05)
    assert abs(sound.mean()) < 0.005
    assert sound.min() < -0.99
    assert sound.max() > 0.99


def test_noise_depends_on_its_seed_alone():
    first, again, other = (NoiseSynthesizer(SR22050(), seed).synthesize(1) for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.05


@pytest.mark.parametrize("seed", [-1, None, 0.5, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(InvalidParameter, match="seed"):
        NoiseSynthesizer(SR22050(), seed)


@given(
    period=st.fractions(min_value=Fraction(1, 50), max_value=2, max_denominator=999),
    rate=st.sampled_from([8000, 11025, 22050, 44100]),
)
def test_ticks_are_at_the_nearest_sample(period, rate):
    ticks = np.asarray(TickSynthesizer(rate).synthesize(3, period))
    expected = [round(k * period * rate) for k in range(int(3 / period) + 1)]
    assert np.flatnonzero(ticks == 1).tolist() == [n for n in expected if n < len(ticks)]


def test_ticks_do_not_drift():
    ticks = np.asarray(TickSynthesizer(SR44100()).synthesize(60, Fraction(1, 7)))
    assert ticks[round(Fraction(400, 7) * 44100)] == 1


def test_a_tick_is_over_in_five_milliseconds():
    ticks = np.asarray(TickSynthesizer(SR44100()).synthesize(1, 0.5))
    assert not ticks[221:22050].any()


def test_ticks_that_would_overlap_are_cut_short():
    ticks = np.asarray(TickSynthesizer(8000).synthesize(0.1, Milliseconds(1)))
    assert np.flatnonzero(ticks == 1).tolist() == list(range(0, 800, 8))
    assert np.abs(ticks).max() == 1


@pytest.mark.parametrize("period", [0, -1, 1e-5])
def test_ticks_are_at_least_a_sample_apart(period):
    with pytest.raises(InvalidParameter, match="tick_frequency"):
        TickSynthesizer(SR22050()).synthesize(1, period)


def test_silence_is_silent():
    assert not SilenceSynthesizer(SR22050()).synthesize(1).any()
