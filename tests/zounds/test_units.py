import math
import pickle
from dataclasses import FrozenInstanceError, dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zounds
from featureflow.codec import decode, encode
from zounds import (
    AudioSampleRate,
    HalfLapped,
    Microseconds,
    Milliseconds,
    SampleRate,
    Seconds,
    Stride,
    TimeSlice,
    UnitsError,
)
from zounds.dsp.scales import BarkScale, LinearScale
from zounds.units import FrequencyScale

positive = st.fractions(min_value=Fraction(1, 10**6), max_value=10**6)
not_negative = st.fractions(min_value=0, max_value=10**6)
slices = st.slices(20)


@dataclass(frozen=True)
class Tens(FrequencyScale):
    count: int

    @property
    def all_frequencies(self):
        return tuple(10.0 * band for band in range(self.count))


# ---------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("number", "exact"),
    [
        (1, Fraction(1)),
        (0.1, Fraction(1, 10)),
        (1e-320, Fraction(1, 10**320)),
        (10**400, Fraction(10**400)),
        (Fraction(1, 3), Fraction(1, 3)),
        (-2.5, Fraction(-5, 2)),
        (np.float64(0.1), Fraction(1, 10)),
        (np.float32(0.1), Fraction(1, 10)),
        (np.float16(0.1), Fraction(1, 10)),
        (np.longdouble("0.1"), Fraction(1, 10)),
        (np.int64(3), Fraction(3)),
        (np.uint8(200), Fraction(200)),
    ],
)
def test_a_time_is_the_number_as_it_prints(number, exact):
    assert Seconds(number) == exact
    assert type(Seconds(number)) is Fraction
    assert Milliseconds(number) == exact / 1000
    assert Microseconds(number) == exact / 1_000_000


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_float_loses_anything(number):
    assert float(Seconds(number)) == number
    assert Seconds(np.float64(number)) == Seconds(number)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_no_small_float_loses_anything(number):
    small = np.float32(number)
    exact = Seconds(small)
    assert np.float32(float(exact)) == small
    with np.printoptions(legacy="1.13"):  # how arrays are shown is nothing to times
        assert Seconds(small) == exact


@pytest.mark.parametrize(
    "wrong",
    [
        math.nan,
        math.inf,
        -math.inf,
        np.float32("nan"),
        np.float64("inf"),
        True,
        np.True_,
        "1",
        None,
        1j,
        np.complex64(1),
        np.timedelta64(1, "s"),
        [1],
        np.array(1.0),
    ],
)
def test_what_is_not_a_finite_number_is_not_a_time(wrong):
    for unit in (Seconds, Milliseconds, Microseconds):
        with pytest.raises(UnitsError, match="is not a time: give a finite number of seconds"):
            unit(wrong)
    with pytest.raises(UnitsError, match="is not a sample rate: give a finite number of hertz"):
        AudioSampleRate(wrong)
    with pytest.raises(UnitsError, match="is not the frequency of a SampleRate"):
        SampleRate(wrong, 1)
    with pytest.raises(UnitsError, match="is not the duration of a SampleRate"):
        SampleRate(1, wrong)
    with pytest.raises(UnitsError, match="is not the start of a TimeSlice"):
        TimeSlice(wrong)
    with pytest.raises(UnitsError, match="is not the frequency of a Stride"):
        Stride(wrong, 1)


def test_a_million_hops_are_exactly_a_million_hops():
    hop = HalfLapped().frequency
    assert sum((hop for _ in range(10**6)), Fraction(0)) == Fraction(1024 * 10**6, 44100)


# ---------------------------------------------------------------------------- sample rates


@pytest.mark.parametrize(
    "hertz", [8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000]
)
def test_every_usual_rate_has_a_name(hertz):
    rate = getattr(zounds, f"SR{hertz}")()
    assert rate == AudioSampleRate(hertz) == SampleRate(Fraction(1, hertz), Fraction(1, hertz))
    assert hash(rate) == hash(AudioSampleRate(hertz))
    assert (int(rate), rate.samples_per_second, rate.nyquist) == (hertz, hertz, Fraction(hertz, 2))
    assert rate.is_audio
    assert rate.overlap == 0
    assert repr(rate) == f"AudioSampleRate({hertz})"


def test_the_rates_with_a_name_explain_themselves():
    assert repr(zounds.SR22050).startswith("<function SR22050 at ")
    assert zounds.SR22050.__doc__ == "Return the rate of audio of 22,050 samples per second."
    assert pickle.loads(pickle.dumps(zounds.SR22050)) is zounds.SR22050


def test_a_rate_need_not_be_whole():
    rate = AudioSampleRate(22050.5)
    assert rate.frequency == Fraction(2, 44101)
    assert int(rate) == 22050
    assert eval(repr(rate)) == rate


def test_half_lapped_is_a_kilosample_every_half_at_22050():
    scheme = HalfLapped()
    assert scheme.frequency * 22050 == 512
    assert scheme.duration * 22050 == 1024
    assert scheme.overlap == scheme.frequency
    assert not scheme.is_audio
    assert tuple(scheme) == (scheme.frequency, scheme.duration)
    assert eval(repr(scheme)) == scheme


def test_numbers_of_any_kind_make_the_same_rate():
    assert SampleRate(0.5, 1) == SampleRate(Fraction(1, 2), np.int16(1))
    assert SampleRate(frequency=np.float32(0.1), duration=0.1) == AudioSampleRate(10)
    assert type(SampleRate(0.5, 1).duration) is Fraction


def test_thirty_frames_span_thirty_hops_and_the_overlap():
    hop = HalfLapped()
    pooled = hop * Stride(frequency=30, duration=30)
    assert pooled.frequency == 30 * hop.frequency
    assert pooled.duration == 30 * hop.frequency + hop.overlap
    assert (hop * Stride(1, 1)) == hop


@given(positive, positive, st.integers(1, 99), st.integers(1, 99))
def test_a_stride_spans_from_the_first_sample_to_the_end_of_the_last(hop, window, step, count):
    rate = SampleRate(hop, window)
    strided = rate * Stride(step, count)
    assert strided.frequency == step * hop
    assert strided.duration == (count - 1) * hop + window


@pytest.mark.parametrize("value", [0, -1, -0.5, Fraction(0)])
def test_times_between_samples_are_positive(value):
    with pytest.raises(UnitsError, match="frequency=.*greater than zero"):
        SampleRate(value, 1)
    with pytest.raises(UnitsError, match="duration=.*greater than zero"):
        SampleRate(1, value)
    with pytest.raises(UnitsError, match="positive number of hertz"):
        AudioSampleRate(value)


def test_rates_are_multiplied_by_strides_only():
    for other in (2, HalfLapped(), None):
        with pytest.raises(TypeError):
            HalfLapped() * other


@pytest.mark.parametrize("count", [0, -1, 1.5])
def test_strides_count_whole_samples(count):
    with pytest.raises(UnitsError, match=r"Stride\(frequency=.*count whole samples"):
        Stride(count, 1)
    with pytest.raises(UnitsError, match=r"Stride\(duration=.*count whole samples"):
        Stride(1, count)


def test_strides_take_whole_numbers_of_any_kind():
    assert Stride(2.0, np.int32(3)) == Stride(2, 3)
    assert type(Stride(2.0, 3).frequency) is int


@given(slices)
def test_every_kth_sample_follows_k_times_later_and_covers_the_same(index):
    rate = HalfLapped()
    step = 1 if index.step is None else index.step
    sliced = rate.sliced(index, 20)
    if step < 0:
        assert sliced is None  # time does not run backwards
    else:
        assert sliced == SampleRate(step * rate.frequency, rate.duration)


# ---------------------------------------------------------------------------- stretches of time


def test_a_stretch_of_time_has_an_end_or_reaches_to_it():
    assert TimeSlice(start=1, duration=0.5).end == Fraction(3, 2)
    assert TimeSlice(start=1).end is None
    assert TimeSlice() == TimeSlice(0, None)
    assert TimeSlice(0.5) == TimeSlice(Fraction(1, 2)) == TimeSlice(np.float32(0.5))
    assert hash(TimeSlice(0.5)) == hash(TimeSlice(Fraction(1, 2)))
    assert repr(TimeSlice(0.5, 0.25)) == "TimeSlice(start=0.5s, duration=0.25s)"
    assert repr(TimeSlice(1)) == "TimeSlice(start=1s)"


def test_times_before_zero_are_refused():
    with pytest.raises(UnitsError, match=r"TimeSlice\(start=-1\): times are not negative"):
        TimeSlice(-1)
    with pytest.raises(UnitsError, match=r"TimeSlice\(duration=-0.5\): times are not negative"):
        TimeSlice(0, -0.5)


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(0, 3)), max_size=9))
def test_stretches_sort_by_start_then_end_with_open_ends_last(pairs):
    def key(pair):
        return pair[0], math.inf if pair[1] is None else pair[1]

    times = sorted(TimeSlice(*pair) for pair in pairs)
    assert times == [TimeSlice(*pair) for pair in sorted(pairs, key=key)]


def test_stretches_compare_with_stretches_only():
    assert TimeSlice(1, 1) < TimeSlice(1)
    assert TimeSlice(1) > TimeSlice(1, 1)
    assert TimeSlice(1) >= TimeSlice(1)
    with pytest.raises(TypeError):
        sorted([TimeSlice(1), 2])


# ---------------------------------------------------------------------------- scales


def test_a_slice_of_a_scale_is_the_frequencies_of_the_slice():
    scale = Tens(10)
    assert len(scale) == 10
    assert scale.sliced(slice(2, 5), 10).frequencies == (20, 30, 40)
    assert scale.sliced(slice(None, None, 4), 10).frequencies == (0, 40, 80)
    assert scale.sliced(slice(None, None, -5), 10).frequencies == (90, 40)
    empty = scale.sliced(slice(3, 3), 10)
    assert (len(empty), empty.frequencies) == (0, ())
    assert empty.sliced(slice(None), 0).frequencies == ()


@given(slices, slices)
def test_a_scale_is_sliced_as_often_as_one_likes(first, second):
    scale = LinearScale(Fraction(100, 7), 20)
    once = scale.sliced(first, 20)
    twice = once.sliced(second, len(once))
    assert twice.frequencies == scale.frequencies[first][second]
    assert len(twice) == len(twice.frequencies)
    assert decode(encode(twice)) == twice


def test_a_slice_of_all_bands_is_the_scale():
    scale = BarkScale(50, 5000, 10)
    assert scale.sliced(slice(None), 10) == scale
    assert scale.sliced(slice(None, None, -1), 10).sliced(slice(None, None, -1), 10) == scale
    assert scale.sliced(slice(1, None), 10) != scale


def test_a_scale_has_to_say_its_frequencies():
    with pytest.raises(NotImplementedError, match="FrequencyScale does not define"):
        FrequencyScale().frequencies


# ---------------------------------------------------------------------------- all of them


@pytest.mark.parametrize(
    "unit",
    [
        Seconds(0.1),
        AudioSampleRate(44100),
        HalfLapped() * Stride(30, 30),
        Stride(30, 31),
        TimeSlice(0.1),
        TimeSlice(0.1, Fraction(1, 3)),
        BarkScale(50, 5000, 10),
        LinearScale(Fraction(1, 3), 5).sliced(slice(1, None, 2), 5),
    ],
    ids=repr,
)
def test_units_are_stored_and_come_back_equal(unit):
    back = decode(encode(unit))
    assert back == unit
    assert hash(back) == hash(unit)
    assert type(back) is type(unit)


@pytest.mark.parametrize("unit", [HalfLapped(), Stride(1, 1), TimeSlice(1)], ids=repr)
def test_units_do_not_change(unit):
    with pytest.raises(FrozenInstanceError):
        unit.duration = 3


@given(not_negative, not_negative)
def test_equal_times_are_equal_units(start, duration):
    assert {TimeSlice(start, duration), TimeSlice(start, duration)} == {TimeSlice(start, duration)}
    assert (TimeSlice(start, duration) == TimeSlice(start, duration + 1)) is False
