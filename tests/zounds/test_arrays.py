import copy
import operator
import pickle
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from featureflow.codec import decode, encode
from featureflow.run import join
from zounds import (
    ArrayWithUnits,
    AudioSampleRate,
    AudioSamples,
    ConstantRateTimeSeries,
    LinearScale,
    SampleRate,
    TimeSlice,
    UnitsError,
)
from zounds.arrays import with_units

RATE = SampleRate(Fraction(1, 10), Fraction(1, 5))  # frames that overlap by half
OTHER = SampleRate(Fraction(1, 7), Fraction(1, 7))
SCALE = LinearScale(Fraction(100), 4)


@pytest.fixture
def spectra():
    """Five frames of four bands."""
    return ConstantRateTimeSeries(np.arange(20.0).reshape(5, 4), RATE, (SCALE,))


@pytest.fixture
def square():
    return ConstantRateTimeSeries(np.arange(16.0).reshape(4, 4), RATE, (SCALE,))


@pytest.fixture
def sound():
    return AudioSamples(np.linspace(-1, 1, 10), 10)


def same(result, expected, units, kind):
    """Check values, units and class: whatever has no units is a plain array."""
    assert type(result) is kind
    np.testing.assert_array_equal(np.asarray(result), expected)
    assert np.asarray(result).dtype == np.asarray(expected).dtype
    assert getattr(result, "units", None) == units
    return True


def plain(result, expected=None):
    assert type(result) is np.ndarray
    if expected is not None:
        np.testing.assert_array_equal(result, expected)
    return True


# ---------------------------------------------------------------------------- making


def test_a_series_knows_its_times(spectra):
    assert spectra.samplerate == RATE
    assert (spectra.frequency, spectra.duration) == (Fraction(1, 10), Fraction(1, 5))
    assert spectra.end == Fraction(6, 10)  # the fifth frame begins at .4 and lasts .2
    assert spectra[:0].end == 0
    assert spectra.units == (RATE, SCALE)
    assert ConstantRateTimeSeries([[1, 2]], RATE).units == (RATE, None)


def test_a_million_hops_do_not_drift():
    hop = Fraction(512, 22050)
    series = ConstantRateTimeSeries(np.zeros(10**6 + 1, bool), SampleRate(hop, 2 * hop))
    assert series.end == (10**6 + 2) * hop
    last = series[TimeSlice(start=10**6 * hop)]
    assert len(last) == 1
    assert len(series[TimeSlice(start=0, duration=10**6 * hop)]) == 10**6


def test_an_array_is_not_copied_when_it_is_wrapped():
    values = np.zeros(3)
    AudioSamples(values, 10)[0] = 1
    assert values[0] == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConstantRateTimeSeries(1, RATE), "at least one axis: got a single number"),
        (lambda: ConstantRateTimeSeries([1], 10), "samplerate is 10: give a zounds.SampleRate"),
        (lambda: ConstantRateTimeSeries([1], RATE, (None,)), "2 units for 1 axes"),
        (lambda: ConstantRateTimeSeries([[1]], RATE, (SCALE,)), "scale of 4 bands for axis 1.*1"),
        (lambda: ConstantRateTimeSeries([[1]], RATE, (3,)), "axis 1 has 3: give a SampleRate"),
        (lambda: ArrayWithUnits([1], ()), "0 units for 1 axes"),
        (lambda: AudioSamples(1, 10), r"shape \(n,\) or \(n, channels\): got \(\)"),
        (lambda: AudioSamples(np.zeros((1, 1, 1)), 10), r"got \(1, 1, 1\)"),
        (lambda: AudioSamples(np.zeros((5, 0)), 10), r"got \(5, 0\)"),
        (lambda: AudioSamples([1], RATE), "overlap or leave gaps: they are not audio"),
        (lambda: AudioSamples([1], "CD"), "'CD' is not a sample rate: give .* hertz"),
        (lambda: AudioSamples([1], 0), "a sample rate of 0 Hz"),
        (lambda: AudioSamples([1j], 10), "audio is made of real numbers: got complex128"),
        (lambda: AudioSamples([True], 10), "real numbers: got bool"),
        (lambda: AudioSamples(["a"], 10), "real numbers: got <U1"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(UnitsError, match=message):
        make()


def test_audio_from_lists_and_integers():
    assert same(AudioSamples([1, -2], 10), np.array([1, -2]), (AudioSampleRate(10),), AudioSamples)
    assert same(AudioSamples([], 10), np.zeros(0), (AudioSampleRate(10),), AudioSamples)
    halves = AudioSamples(np.array([1, 2, 3], np.int16), 10) * 0.5
    assert same(halves, np.array([0.5, 1, 1.5]), (AudioSampleRate(10),), AudioSamples)
    assert AudioSamples(np.zeros(3, np.uint8), 10)[:2].samplerate == AudioSampleRate(10)


def test_mono_is_the_mean_of_the_channels():
    random = np.random.default_rng(0)
    channels = random.integers(-99, 99, (50, 8)).astype(np.float32)
    mono = AudioSamples(channels, 8000).mono
    assert same(mono, channels.mean(axis=1), (AudioSampleRate(8000),), AudioSamples)
    assert AudioSamples(channels, 8000).channels == 8
    assert mono.channels == 1
    assert mono.mono is mono
    for count in (1, 2, 4, 6):
        sound = AudioSamples(np.repeat(random.random((9, 1), np.float32), count, 1), 8000)
        np.testing.assert_allclose(sound.mono, sound[:, 0], rtol=2e-7)
    assert AudioSamples([[1, 2], [3, 4]], 10).mono.tolist() == [1.5, 3.5]
    assert AudioSamples(np.zeros((0, 2)), 10).mono.shape == (0,)


# ---------------------------------------------------------------------------- arithmetic


@pytest.mark.parametrize(
    "calculate",
    [
        lambda x: x + 1,
        lambda x: 1 - x,
        lambda x: -x,
        lambda x: abs(x),
        lambda x: x**2,
        lambda x: x // 3,
        lambda x: x > 3,
        lambda x: x == x,
        lambda x: np.log1p(x),
        lambda x: np.isnan(x),
        lambda x: x * np.arange(4),
        lambda x: np.arange(5)[:, None] + x,
        lambda x: np.maximum(x, np.float32(2)),
        lambda x: x + x,
        lambda x: x * x[:1],
        lambda x: x - x[:, 1:2],
        lambda x: x * (1 + 1j),
        lambda x: (x * 1j).imag,
        lambda x: (x * 1j).real,
        lambda x: x.conj(),
        lambda x: x.clip(2, 5),
        lambda x: x.round(),
        lambda x: x.round(1),
        lambda x: np.clip(x, 2, 5),
        lambda x: np.round(x, 1),
        lambda x: np.real(x),
        lambda x: np.exp(x, dtype=np.float64),
        lambda x: np.add(x, 1, where=np.ones(4, bool), out=np.zeros((5, 4))) * x,
    ],
)
def test_arithmetic_element_by_element_keeps_the_units(spectra, calculate):
    assert same(
        calculate(spectra), calculate(np.asarray(spectra)), spectra.units, ConstantRateTimeSeries
    )


@pytest.mark.parametrize("split", [lambda x: np.divmod(x, 3), np.modf, np.frexp])
def test_functions_with_two_results_keep_the_units_of_both(spectra, split):
    for part, expected in zip(split(spectra), split(np.asarray(spectra)), strict=True):
        assert same(part, expected, spectra.units, ConstantRateTimeSeries)


def test_series_of_different_rates_have_no_time_together(spectra):
    other = ConstantRateTimeSeries(np.ones((5, 4)), OTHER, (SCALE,))
    for total in (spectra + other, other + spectra, np.hypot(other, spectra)):
        assert type(total) is ArrayWithUnits
        assert total.units == (None, SCALE)
    loudness = other.mean(axis=1, keepdims=True)
    assert (spectra / loudness).units == (None, SCALE)
    assert plain(AudioSamples(np.ones(5), 7) + AudioSamples(np.ones(5), 10), np.full(5, 2))


def test_an_operand_speaks_for_the_axes_it_is_not_stretched_along(spectra):
    row = ArrayWithUnits(np.ones(4), (SCALE,))
    column = ConstantRateTimeSeries(np.ones((5, 1)), RATE)
    assert (column * row).units == (RATE, SCALE)
    assert type(row * column) is ConstantRateTimeSeries
    assert (np.ones((3, 5, 4)) + spectra).units == (None, RATE, SCALE)
    assert (np.ones((5, 4)) + spectra[:1]).units == (None, SCALE)
    assert (spectra[:1] + spectra[:1]).units == (RATE, SCALE)
    low = ConstantRateTimeSeries(np.ones((5, 4)), RATE, (LinearScale(Fraction(1), 4),))
    assert (spectra + low).units == (RATE, None)
    time = ConstantRateTimeSeries(np.ones(4), RATE)  # lies along the bands
    assert (spectra + time).units == (RATE, None)


def test_audio_stays_audio_while_it_is(sound):
    rate = (AudioSampleRate(10),)
    assert type(sound * 0.5) is type(0.5 * sound) is type(sound + sound) is AudioSamples
    envelope = ConstantRateTimeSeries(np.ones(10), AudioSampleRate(10))
    assert type(envelope * sound) is type(sound * envelope) is AudioSamples
    for changed in (sound > 0, sound * 1j, sound.astype(complex), sound.astype(bool)):
        assert type(changed) is ConstantRateTimeSeries
        assert changed.units == rate
    assert type(sound.astype(np.int16)) is AudioSamples
    stereo = AudioSamples(np.ones((10, 2)), 10)
    assert type(stereo[:, 0]) is type(stereo[:, :1]) is type(stereo.mean(axis=1)) is AudioSamples
    assert type(stereo[:, :0]) is ConstantRateTimeSeries
    assert type(sound[::2]) is ConstantRateTimeSeries  # there are gaps now
    assert (sound[::2].frequency, sound[::2].duration) == (Fraction(1, 5), Fraction(1, 10))


def test_in_place_an_array_keeps_what_it_has(spectra):
    before = spectra
    spectra += ConstantRateTimeSeries(np.ones((5, 4)), OTHER)
    spectra *= 2
    assert spectra is before
    assert same(spectra, 2 * (np.arange(20.0).reshape(5, 4) + 1), (RATE, SCALE), type(before))
    np.add.at(spectra, 0, 1)
    assert spectra[0, 0] == 3


def test_out_is_what_comes_back(spectra):
    for out in (np.zeros((5, 4)), ConstantRateTimeSeries(np.zeros((5, 4)), OTHER)):
        units = getattr(out, "units", None)
        assert np.add(spectra, 1, out=out) is out
        assert same(out, np.asarray(spectra) + 1, units, type(out))
        assert np.add(np.asarray(spectra), 1, out=out) is out
    first, second = np.zeros((5, 4)), spectra.copy()
    results = np.divmod(spectra, 3, out=(first, second))
    assert results[0] is first
    assert results[1] is second
    assert np.divmod(spectra, 3, out=(None, second))[0].units == (RATE, SCALE)
    for call in (spectra.sum, spectra.max, spectra.mean):
        total = np.zeros(5)
        assert call(axis=1, out=total) is total
    assert np.sum(spectra, axis=1, out=total) is total
    assert np.add.reduce(spectra, axis=1, out=total) is total
    np.testing.assert_array_equal(total, np.asarray(spectra).sum(axis=1))


def test_a_mask_may_have_units_too(spectra):
    mask = spectra > 5
    expected = np.asarray(spectra).sum(axis=1, where=np.asarray(mask))
    assert same(spectra.sum(axis=1, where=mask), expected, (RATE,), ConstantRateTimeSeries)
    assert spectra.mean(where=mask) == np.arange(6, 20).mean()
    out = np.zeros((5, 4))
    assert np.add(spectra, 1, where=mask, out=out) is out
    assert np.count_nonzero(out) == 14


def test_a_matrix_product_has_other_columns(spectra, square):
    mixed = np.asarray(spectra) @ np.eye(4)
    assert plain(spectra @ np.eye(4), mixed)
    assert plain(np.asarray(square) @ square)
    assert plain(square @ square)
    assert plain(np.dot(spectra, np.eye(4)), mixed)
    assert plain(spectra.dot(np.eye(4)), mixed)
    assert plain(np.vecdot(spectra, spectra))


@pytest.mark.parametrize(
    "function",
    [
        np.add.accumulate,
        lambda x: np.add.outer(x, x),
        lambda x: np.add.reduceat(x, [0, 2]),
        np.sort,
        np.cumsum,
        lambda x: np.concatenate([x, x]),
        lambda x: np.stack([x, x]),
        lambda x: np.where(x > 3, x, 0),
        np.flip,
        lambda x: np.roll(x, 1),
        np.squeeze,
        lambda x: np.expand_dims(x, 0),
        lambda x: np.swapaxes(x, 0, 1),
        lambda x: np.moveaxis(x, 0, 1),
        np.copy,
        np.zeros_like,
        np.diff,
        lambda x: np.median(x, axis=1),
        lambda x: np.percentile(x, 50, axis=1),
        lambda x: np.fft.rfft(x),
        lambda x: np.linalg.norm(x, axis=1),
        lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, axis=0),
        lambda x: np.broadcast_to(x, (2, 5, 4)),
        lambda x: np.pad(x, 1),
        lambda x: np.repeat(x, 2),
        lambda x: x.cumsum(0),
        lambda x: x.cumprod(0),
        lambda x: x.ravel(),
        lambda x: x.flatten(),
        lambda x: x.reshape(4, 5),
        lambda x: x.reshape(5, 4),
        lambda x: x.repeat(2),
        lambda x: x.squeeze(),
        lambda x: x.swapaxes(0, 1),
        lambda x: x.take([0, 1], axis=0),
        lambda x: x.compress([True, False], axis=0),
        lambda x: x.diagonal(),
        lambda x: x[:, :, None].trace(),
        lambda x: x.argsort(axis=1),
        lambda x: x.argpartition(1, axis=1),
        lambda x: x.byteswap(),
        lambda x: x.view(),
        lambda x: x.view(np.int64),
        lambda x: x.getfield(np.float32),
        lambda x: x.searchsorted([3.0]) if x.ndim == 1 else np.asarray(x),
        lambda x: np.ascontiguousarray(x),
        np.asarray,
        np.array,
        lambda x: np.split(x, 5)[0],
    ],
)
def test_whatever_else_numpy_does_gives_a_plain_array(spectra, function):
    assert plain(function(spectra), function(np.asarray(spectra)))


def test_nothing_that_a_method_returns_is_a_series_without_time(square):
    """All methods of arrays, called in the ways that work, so that none is forgotten."""
    called = 0
    for name in dir(np.ndarray):
        if name.startswith("_") or name in ("base", "dump", "flat", "resize", "tofile"):
            continue
        attribute = getattr(square.copy(), name)
        results = [attribute]
        for arguments in ((), (0,), (1,), ([0, 1],), (1, 0), (2.0,), (np.eye(4),), (np.float32,)):
            if callable(attribute):
                try:
                    results.append(attribute(*arguments))
                except (AttributeError, IndexError, TypeError, ValueError):
                    continue
                called += 1
        for result in results:
            if isinstance(result, ArrayWithUnits):
                assert any(result.units), name
                assert len(result.units) == result.ndim, name
    assert called > 100


def test_arrays_that_numpy_makes_without_asking_have_lost_their_time_and_say_so(spectra):
    lost = np.array(spectra, subok=True)
    assert lost.units == (None, None)
    with pytest.raises(UnitsError, match="lost its time axis: wrap it again"):
        lost.samplerate
    with pytest.raises(UnitsError, match="axis 0 is not time"):
        lost[TimeSlice(0)]
    assert lost._repr_html_() is None
    assert np.array(AudioSamples([1.0], 10), subok=True)._repr_html_() is None
    assert np.asanyarray(spectra) is spectra


def test_sorting_in_place_or_giving_another_shape_takes_the_units_away(sound, spectra):
    sound[:] = np.arange(10)[::-1]
    sound.sort()
    assert np.asarray(sound).tolist() == list(range(10))
    assert sound.units == (None,)
    spectra.partition(1)
    assert spectra.units == (None, None)


# NumPy 2.5 discourages it, and it works
@pytest.mark.filterwarnings("ignore:Setting the (shape|dtype):DeprecationWarning")
def test_another_shape_or_dtype_in_place_takes_the_units_away(sound, square):
    sound.shape = (5, 2)
    assert sound.units == (None, None)
    square.dtype = np.int64
    assert square.units == (None, None)


def test_parts_of_complex_numbers_can_be_set(spectra):
    waves = spectra * 1j
    waves.real = 1
    waves.imag[:] = 2
    assert (np.asarray(waves) == 1 + 2j).all()


# ---------------------------------------------------------------------------- reductions

NAMES = ("all", "any", "argmax", "argmin", "max", "mean", "min", "prod", "std", "sum", "var")
AXIS = (None, 0, 1, 2, -1, -3, np.int64(1))
AXES = ((0,), (1, 2), (0, -1), (-2,), (), (2, 0, 1))
CASES = [
    (name, axis) for name in NAMES for axis in (AXIS if name.startswith("arg") else (*AXIS, *AXES))
]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("name", "axis"), CASES, ids=str)
def test_the_axes_that_a_reduction_leaves_keep_their_units(name, axis, keepdims):
    cube = with_units(np.arange(24.0).reshape(3, 2, 4), (RATE, None, SCALE))
    expected = getattr(np.asarray(cube), name)(axis=axis, keepdims=keepdims)
    gone = range(3) if axis is None else [i % 3 for i in np.atleast_1d(axis).astype(int)]
    kept = [None if i in gone else unit for i, unit in enumerate(cube.units)]
    if not keepdims:
        kept = [unit for i, unit in enumerate(cube.units) if i not in gone]
    method = getattr(cube, name)(axis=axis, keepdims=keepdims)
    function = getattr(np, name)(cube, axis=axis, keepdims=keepdims)
    for result in (method, function):
        np.testing.assert_array_equal(result, expected)
        if any(kept):
            assert result.units == tuple(kept)
            timed = kept[0] is not None
            assert type(result) is (ConstantRateTimeSeries if timed else ArrayWithUnits)
        else:
            assert not isinstance(result, ArrayWithUnits)


def test_reductions_take_their_arguments_by_position_too(spectra):
    assert spectra.sum(1).units == (RATE,)
    assert spectra.sum(0, None, None, True).units == (None, SCALE)
    assert spectra.max(0, None, True).units == (None, SCALE)
    assert spectra.std(0, None, None, 1).units == (SCALE,)
    assert np.add.reduce(spectra, 1).units == (RATE,)
    assert np.add.reduce(spectra).units == (SCALE,)
    assert np.logical_or.reduce(spectra, axis=(0,), keepdims=True).units == (None, SCALE)
    assert np.add.reduce(spectra, axis=None) == 190
    assert np.amax(spectra, axis=1).units == (RATE,)


def test_reductions_to_one_number_are_numbers(spectra, sound):
    for number in (spectra.sum(), spectra.mean(), np.max(spectra), sound.std()):
        assert isinstance(number, np.float64)
    assert sound.any() is np.True_
    with pytest.raises(ValueError, match="axis 5 is out of bounds"):
        spectra.sum(axis=5)


# ---------------------------------------------------------------------------- slicing


@given(st.data())
def test_a_slice_has_the_values_and_the_times_that_it_says(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6))
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    units = [RATE, *(None,) * (len(shape) - 1)]
    if len(shape) > 1 and shape[-1]:
        units[-1] = LinearScale(Fraction(10), shape[-1])
    times = RATE.frequency * np.broadcast_to(
        np.arange(shape[0]).reshape(-1, *(1,) * (len(shape) - 1)), shape
    ).astype(object)
    bands = np.broadcast_to(10.0 * np.arange(shape[-1]), shape)

    result = ConstantRateTimeSeries(values, RATE, units[1:])[index]

    np.testing.assert_array_equal(result, values[index])
    if not isinstance(result, ArrayWithUnits):
        return
    assert np.shares_memory(result, values) or not result.size
    for axis, unit in enumerate(result.units):
        if isinstance(unit, SampleRate):
            assert unit.duration == RATE.duration
            expected = np.moveaxis(times[index], axis, 0)
            for place in range(len(expected)):
                here = expected[place] - expected[0]
                assert np.all(here == place * unit.frequency)
        elif unit is not None:
            along = np.moveaxis(bands[index], axis, -1)
            assert np.all(along == np.array(unit.frequencies))


@pytest.mark.parametrize(
    ("index", "units"),
    [
        (slice(1, 3), (RATE, SCALE)),
        (slice(None, None, 2), (SampleRate(Fraction(1, 5), Fraction(1, 5)), SCALE)),
        (slice(3, 3), (RATE, SCALE)),
        (slice(None, None, -1), (None, SCALE)),
        (..., (RATE, SCALE)),
        ((), (RATE, SCALE)),
        (0, (SCALE,)),
        (np.int64(-1), (SCALE,)),
        ((slice(None), 0), (RATE,)),
        ((..., 0), (RATE,)),
        ((0, ...), (SCALE,)),
        (None, (None, RATE, SCALE)),
        ((slice(None), None), (RATE, None, SCALE)),
        ((..., None), (RATE, SCALE, None)),
        ((slice(None), slice(1, 3)), (RATE, SCALE.sliced(slice(1, 3), 4))),
        ((slice(None), slice(None, None, -1)), (RATE, SCALE.sliced(slice(None, None, -1), 4))),
        ((slice(None), slice(2, 2)), (RATE, SCALE.sliced(slice(2, 2), 4))),
    ],
    ids=str,
)
def test_slices_keep_what_the_axes_mean(spectra, index, units):
    result = spectra[index]
    np.testing.assert_array_equal(result, np.asarray(spectra)[index])
    assert result.units == units


@pytest.mark.parametrize(
    "index",
    [
        [0, 1],
        np.array([0, 1]),
        np.array(1),
        True,
        False,
        np.True_,
        (True, slice(None)),
        np.arange(5) > 2,
        np.ones((5, 4), bool),
        (slice(None), [0, 1]),
        ([0, 1], slice(None)),
        (np.arange(5) > 2, None),
        ([0, 1], [0, 1]),
    ],
    ids=str,
)
def test_masks_and_lists_of_indexes_give_plain_arrays(spectra, index):
    assert plain(spectra[index], np.asarray(spectra)[index])


def test_a_mask_with_units_is_a_mask(spectra):
    assert plain(spectra[spectra > 5], np.arange(6, 20))
    spectra[spectra > 5] = 0
    assert spectra.sum() == 15


def test_an_empty_slice_of_bands_can_be_sliced_again(spectra):
    nothing = spectra[:, 2:2]
    assert nothing[:].units == nothing.units == (RATE, SCALE.sliced(slice(2, 2), 4))
    assert nothing[:, :].shape == (5, 0)


not_negative = st.fractions(min_value=0, max_value=3, max_denominator=100)


@given(st.integers(0, 12), not_negative, st.none() | not_negative)
def test_a_stretch_of_time_is_the_samples_whose_hop_it_touches(size, start, duration):
    series = ConstantRateTimeSeries(np.arange(size), RATE)
    stop = size if duration is None else ceil((start + duration) * 10)
    expected = [i for i in range(size) if floor(start * 10) <= i < stop]
    result = series[TimeSlice(start, duration)]
    assert np.asarray(result).tolist() == expected
    assert result.samplerate == RATE


def test_stretches_of_time_stand_wherever_time_does(spectra):
    half = TimeSlice(0.2, 0.2)
    values = np.asarray(spectra)
    for result, expected in [
        (spectra[half], values[2:4]),
        (spectra[half, 1], values[2:4, 1]),
        (spectra[half, ..., 1], values[2:4, 1]),
        (spectra[None, half], values[None, 2:4]),
        (spectra.T[:, half], values.T[:, 2:4]),
        (spectra.T[..., half], values.T[..., 2:4]),
        (spectra.T[..., half, None], values.T[..., 2:4, None]),
        (spectra[half, [0, 1]], values[2:4, [0, 1]]),
        (spectra.T[1, half], values.T[1, 2:4]),
        (spectra.T[np.arange(4) > 1, half], values.T[np.arange(4) > 1, 2:4]),
        (spectra[True, half], values[True, 2:4]),
        (spectra[TimeSlice(9)], values[9:]),
        (spectra[TimeSlice(0.2, 0)], values[2:2]),
        (spectra[TimeSlice(0, 99)], values),
    ]:
        np.testing.assert_array_equal(result, expected)
    blocks = with_units(np.arange(24).reshape(2, 3, 4), (None, None, RATE))
    mask = np.ones((2, 3), bool)
    np.testing.assert_array_equal(blocks[mask, half], np.asarray(blocks)[mask, 2:4])


@pytest.mark.parametrize(
    ("index", "axis"),
    [
        ((slice(None), TimeSlice(0)), 1),
        ((..., TimeSlice(0)), 1),
        ((0, TimeSlice(0)), 1),
        ((TimeSlice(0), TimeSlice(0)), 1),
        ((0, 0, TimeSlice(0)), 2),
    ],
    ids=str,
)
def test_axes_that_are_not_time_are_not_sliced_by_time(spectra, index, axis):
    with pytest.raises(UnitsError, match=f"axis {axis} is not time: it cannot be sliced by Time"):
        spectra[index]
    with pytest.raises(UnitsError, match=f"axis {axis} is not time"):
        spectra[index] = 0


def test_values_are_assigned_to_slices_of_any_kind(spectra):
    expected = np.arange(20.0).reshape(5, 4)
    for index, plain_index, value in [
        (0, 0, -1),
        ((1, 2), (1, 2), -2),
        (TimeSlice(0.2, 0.2), slice(2, 4), np.arange(4)),
        ((TimeSlice(0.4), [0, 3]), (slice(4, None), [0, 3]), spectra[0, :2]),
        ([0, 1], [0, 1], 7),
        (..., ..., 3),
        ((slice(None), slice(1, 2)), (slice(None), slice(1, 2)), spectra[:, :1] * 2),
    ]:
        spectra[index] = value
        expected[plain_index] = np.asarray(value)
        assert same(spectra, expected, (RATE, SCALE), ConstantRateTimeSeries)
    spectra[TimeSlice(0.2, 0.2)] *= 2
    expected[2:4] *= 2
    np.testing.assert_array_equal(spectra, expected)


def test_rows_are_iterated_over_like_those_of_an_array(spectra, sound):
    rows = list(spectra)
    assert [row.units for row in rows] == [(SCALE,)] * 5
    np.testing.assert_array_equal(rows[4], [16, 17, 18, 19])
    assert list(sound) == np.asarray(sound).tolist()
    assert -1.0 in sound
    assert operator.length_hint(iter(sound)) in (0, 10)


# ---------------------------------------------------------------------------- transposition


@pytest.mark.parametrize(
    "turn",
    [
        lambda x: x.T,
        lambda x: x.mT,
        lambda x: x.transpose(),
        lambda x: x.transpose(None),
        lambda x: x.transpose(1, 0),
        lambda x: x.transpose((1, 0)),
        lambda x: x.transpose([-1, 0]),
        np.transpose,
        lambda x: np.transpose(x, (1, 0)),
    ],
)
def test_turning_an_array_turns_its_units(spectra, square, turn):
    for array in (spectra, square):
        assert same(turn(array), np.asarray(array).T, (SCALE, RATE), ArrayWithUnits)
        assert same(turn(turn(array)), np.asarray(array), (RATE, SCALE), ConstantRateTimeSeries)


def test_every_order_of_three_axes():
    cube = with_units(np.arange(24).reshape(3, 2, 4), (RATE, None, SCALE))
    assert cube.T.units == (SCALE, None, RATE)
    assert cube.mT.units == (RATE, SCALE, None)
    assert cube.transpose(2, 0, 1).units == (SCALE, RATE, None)
    assert cube.transpose(-2, -1, -3).units == (None, SCALE, RATE)
    with pytest.raises(ValueError, match="axis"):
        cube.transpose(0, 1, 5)


# ---------------------------------------------------------------------------- copies and chunks


@pytest.mark.parametrize(
    "duplicate",
    [
        lambda x: x.copy(),
        lambda x: x.copy("F"),
        copy.copy,
        copy.deepcopy,
        lambda x: x.astype(x.dtype),
        lambda x: pickle.loads(pickle.dumps(x)),
        lambda x: decode(encode(x)),
        lambda x: x[:],
    ],
)
def test_a_copy_is_the_same_thing(duplicate, spectra, sound):
    waves = spectra * 1j
    for array in (spectra, sound, spectra.T, sound[:0], waves, sound > 0, spectra[:, 1:2]):
        assert same(duplicate(array), np.asarray(array), array.units, type(array))


def test_changing_a_copy_leaves_the_original(spectra):
    for changed in (spectra.copy(), copy.deepcopy(spectra), spectra.astype(np.float64)):
        changed[:] = -1
    assert spectra.min() == 0
    assert spectra.astype(np.float64, copy=False).base is not None
    spectra.astype(np.float64, copy=False)[0, 0] = 9
    assert spectra[0, 0] == 9


def test_chunks_that_follow_each_other_are_one_series(spectra, sound):
    whole = join([spectra[:2], spectra[2:2], spectra[2:]])
    assert same(whole, np.asarray(spectra), (RATE, SCALE), ConstantRateTimeSeries)
    assert same(join([sound[:3], sound[3:]]), np.asarray(sound), sound.units, AudioSamples)
    assert join([sound]) is sound


def test_chunks_that_do_not_belong_together_have_no_units(sound, spectra):
    slower = AudioSamples(np.zeros(3), 5)
    assert plain(join([sound, slower]), [*sound, 0, 0, 0])
    low = spectra[:, :2]
    assert plain(join([low, spectra[:, 2:]]))
    bands = join([spectra.T, spectra.T])  # no scale has eight bands that begin anew
    assert same(bands, np.vstack([spectra.T] * 2), (None, RATE), ArrayWithUnits)


def test_arrays_without_any_axis():
    point = ArrayWithUnits(3.0, ())
    assert point.units == ()
    assert point + 1 == 4
    assert float(point) == 3
    assert point[()] == 3
    with pytest.raises(TypeError):
        list(point)
    assert plain(pickle.loads(pickle.dumps(point)), 3)


def test_an_array_prints_like_one(spectra, sound):
    assert str(sound[:2]) == str(np.asarray(sound)[:2])
    assert repr(sound[:0]) == "AudioSamples([], dtype=float64)"
    assert repr(spectra[:1]) == "ConstantRateTimeSeries([[0., 1., 2., 3.]])"
    assert f"{sound[0]:.1f}" == "-1.0"


def test_with_units_finds_the_class_that_fits():
    audio = AudioSampleRate(10)
    for array, units, kind in [
        (np.ones(3), (audio,), AudioSamples),
        (np.ones((3, 2)), (audio, None), AudioSamples),
        (np.ones((3, 4)), (audio, SCALE), ConstantRateTimeSeries),
        (np.ones((3, 4))[:, :0], (audio, SCALE.sliced(slice(0), 4)), ConstantRateTimeSeries),
        (np.ones((3, 2, 2)), (audio, None, None), ConstantRateTimeSeries),
        (np.ones(3), (RATE,), ConstantRateTimeSeries),
        (np.ones((4, 3)), (SCALE, RATE), ArrayWithUnits),
        (np.ones((4, 3)), (None, None), np.ndarray),
        (np.ones(3, complex), (audio,), ConstantRateTimeSeries),
    ]:
        assert type(with_units(array, units, audio=True)) is kind
    assert type(with_units(np.ones(3), (audio,))) is ConstantRateTimeSeries
