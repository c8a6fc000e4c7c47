"""Arrays that know what their axes mean.

Metadata is exact or dropped, never guessed: elementwise arithmetic, basic slicing, reductions,
transposition, `astype` and `copy` keep it; whatever else NumPy does returns a plain array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt

from featureflow.codec import storable
from featureflow.feature import Feature
from zounds import display
from zounds.errors import UnitsError
from zounds.units import AudioSampleRate, FrequencyScale, SampleRate, TimeSlice, Unit

Units = tuple[Unit | None, ...]
Array = npt.NDArray[Any]


class ArrayWithUnits(np.ndarray[Any, Any]):
    """A `numpy.ndarray` whose axes have units.

    Parameters
    ----------
    array : array_like [shape=(d_0, ..., d_n)]
        Not copied where it already is an array.
    units : sequence of Unit or None, one for each axis
        A `SampleRate` for time, a `FrequencyScale` for frequency, None for neither.

    Raises
    ------
    UnitsError
        If there is not one unit for each axis, or a scale has not one band for each column.
    """

    _units: Units | None

    def __new__(cls, array: npt.ArrayLike, units: Sequence[Unit | None]) -> Self:
        """See the class."""
        view = np.asarray(array).view(cls)
        units = tuple(units)
        if len(units) != view.ndim:
            raise UnitsError(f"{len(units)} units for {view.ndim} axes: give one for each")
        for axis, unit in enumerate(units):
            size = view.shape[axis]
            if isinstance(unit, FrequencyScale) and len(unit) != size:
                raise UnitsError(f"a scale of {len(unit)} bands for axis {axis}, which has {size}")
        view._units = units
        return view

    def __array_finalize__(self, source: Any) -> None:
        self._units = None

    @property
    def units(self) -> Units:
        """Tuple of Unit or None : What each axis means."""
        return self._units if self._units is not None else (None,) * self.ndim

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        plain = [np.asarray(x) if isinstance(x, ArrayWithUnits) else x for x in inputs]
        if out is not None:
            options["out"] = tuple(np.asarray(x) if isinstance(x, np.ndarray) else x for x in out)
        result = getattr(ufunc, method)(*plain, **options)
        if out is not None and len(out) == 1:
            return out[0]
        if method == "__call__" and isinstance(result, np.ndarray):
            full = [x for x in inputs if isinstance(x, ArrayWithUnits) and x.shape == result.shape]
            agreed = {x.units for x in full}
            # a smaller operand was broadcast over the rest: it has nothing to say about the axes
            return full[0]._like(result, agreed.pop()) if len(agreed) == 1 else result
        if method == "reduce" and isinstance(result, np.ndarray):
            kept = self._reduced(options.get("axis", 0), bool(options.get("keepdims")))
            return self._like(result, kept)
        return result

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return func(*_plain(args), **_plain(kwargs))

    def _reduced(self, axis: int | tuple[int, ...] | None, keepdims: bool) -> Units:
        axes = range(self.ndim) if axis is None else np.atleast_1d(np.asarray(axis))
        gone = {int(i) % self.ndim for i in axes}
        if keepdims:
            return tuple(None if i in gone else unit for i, unit in enumerate(self.units))
        return tuple(unit for i, unit in enumerate(self.units) if i not in gone)

    def _like(self, result: Array, units: Units) -> Array:
        """Return `result` with `units`, in the most specific class that holds them."""
        return with_units(result, units, audio=isinstance(self, AudioSamples))

    def __getitem__(self, index: Any) -> Any:
        items = list(index) if isinstance(index, tuple) else [index]
        items = self._without_times(items)
        plain = np.asarray(self)
        result = plain[tuple(items)]
        basic = all(isinstance(i, int | np.integer | slice | type(None) | type(...)) for i in items)
        if not isinstance(result, np.ndarray) or not basic:
            return result
        return self._like(result, self._indexed(items))

    def _without_times(self, items: list[Any]) -> list[Any]:
        """Replace each `TimeSlice` by the samples whose hop it touches."""
        if not any(isinstance(item, TimeSlice) for item in items):
            return items
        result, axis = [], 0
        for place, item in enumerate(items):
            if isinstance(item, TimeSlice):
                unit = self.units[axis]
                if not isinstance(unit, SampleRate):
                    raise UnitsError(f"axis {axis} is not time: it cannot be sliced by {item}")
                stop = None if item.end is None else ceil(item.end / unit.frequency)
                item = slice(floor(item.start / unit.frequency), stop)
            result.append(item)
            if item is ...:
                axis = self.ndim - sum(rest is not None for rest in items[place + 1 :])
            elif item is not None:
                axis += 1
        return result

    def _indexed(self, items: list[Any]) -> Units:
        spelled = sum(item is not None and item is not ... for item in items)
        if ... not in items:
            items = [*items, ...]
        units: list[Unit | None] = []
        axis = 0
        for item in items:
            if item is ...:
                rest = self.ndim - spelled
                units += self.units[axis : axis + rest]
                axis += rest
            elif item is None:
                units.append(None)
            else:
                unit = self.units[axis]
                if isinstance(item, slice):
                    units.append(unit.sliced(item, self.shape[axis]) if unit else None)
                axis += 1
        return tuple(units)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the values in another dtype, with the same units."""
        return self._like(np.asarray(self).astype(dtype, *args, **kwargs), self.units)

    def copy(self, order: Any = "C") -> Any:
        """Return a copy with the same units."""
        return self._like(np.asarray(self).copy(order), self.units)

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def transpose(self, *axes: Any) -> Any:
        """Return the array with its axes, and their units, in another order."""
        result = np.asarray(self).transpose(*axes)
        order = np.arange(self.ndim)[::-1]
        if axes and axes != (None,):
            order = np.asarray(axes[0] if len(axes) == 1 else axes).reshape(-1)
        return self._like(result, tuple(self.units[int(i)] for i in order))

    @property
    def T(self) -> Any:
        """ArrayWithUnits : The array with its axes in the opposite order."""
        return self.transpose()

    def __reduce__(self) -> Any:
        audio = isinstance(self, AudioSamples)
        return with_units, (np.asarray(self), self.units, audio)

    def __to_state__(self) -> dict[str, Any]:
        return {"array": np.asarray(self), "units": self.units}

    @classmethod
    def __from_state__(cls, state: dict[str, Any]) -> Any:
        return with_units(state["array"], state["units"], audio=issubclass(cls, AudioSamples))

    @classmethod
    def joined(cls, chunks: Sequence[Self]) -> Any:
        """Return chunks that follow each other along the first axis as one array."""
        units = {chunk.units for chunk in chunks}
        whole = np.concatenate([np.asarray(chunk) for chunk in chunks])
        return chunks[0]._like(whole, units.pop()) if len(units) == 1 else whole


def _plain(value: Any) -> Any:
    """Replace arrays with units by plain ones, in the arguments of a NumPy function."""
    if isinstance(value, ArrayWithUnits):
        return np.asarray(value)
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _plain_method(name: str) -> Callable[..., Any]:
    def method(self: Array, *args: Any, **kwargs: Any) -> Any:
        return getattr(np.asarray(self), name)(*args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"See `numpy.ndarray.{name}`; returns a plain array."
    return method


def _reduction(name: str) -> Callable[..., Any]:
    def method(self: ArrayWithUnits, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        result = getattr(np.asarray(self), name)(axis, *args, **kwargs)
        if not isinstance(result, np.ndarray):
            return result
        return self._like(result, self._reduced(axis, bool(kwargs.get("keepdims"))))

    method.__name__ = name
    method.__doc__ = f"See `numpy.ndarray.{name}`; the axes that are left keep their units."
    return method


for _name in ("all", "any", "max", "mean", "min", "prod", "std", "sum", "var"):
    setattr(ArrayWithUnits, _name, _reduction(_name))

# These reorder or reshape axes in ways whose units nobody could tell.
for _name in (
    *("argpartition", "argsort", "byteswap", "choose", "compress", "cumprod", "cumsum"),
    *("diagonal", "flatten", "ravel", "repeat", "reshape", "squeeze", "swapaxes", "take"),
):
    setattr(ArrayWithUnits, _name, _plain_method(_name))


@storable("zounds.ConstantRateTimeSeries")
class ConstantRateTimeSeries(ArrayWithUnits):
    """An array whose first axis is time.

    Parameters
    ----------
    array : array_like [shape=(n, ...)]
    samplerate : SampleRate
        The time from sample to sample, and the time each covers.
    units : sequence of Unit or None
        What the other axes mean; empty for no units.

    Raises
    ------
    UnitsError
        If the array has no axes, or `units` does not fit the others.

    Examples
    --------
    >>> from zounds import AudioSampleRate, Seconds, TimeSlice
    >>> series = ConstantRateTimeSeries([0, 1, 2, 3, 4, 5], AudioSampleRate(2))
    >>> series[TimeSlice(start=Seconds(1), duration=Seconds(1))].tolist()
    [2, 3]
    """

    def __new__(
        cls, array: npt.ArrayLike, samplerate: SampleRate, units: Sequence[Unit | None] = ()
    ) -> Self:
        """See the class."""
        if not isinstance(samplerate, SampleRate):
            raise UnitsError(f"samplerate is {samplerate!r}: give a zounds.SampleRate")
        plain = np.asarray(array)
        if plain.ndim == 0:
            raise UnitsError("a time series has at least one axis: got a single number")
        rest = tuple(units) or (None,) * (plain.ndim - 1)
        return super().__new__(cls, plain, (samplerate, *rest))

    @property
    def samplerate(self) -> SampleRate:
        """SampleRate : The time from sample to sample, and the time each covers."""
        rate = self.units[0] if self.ndim else None
        if not isinstance(rate, SampleRate):
            raise UnitsError("this array has lost its time axis: wrap it again with its samplerate")
        return rate

    @property
    def frequency(self) -> Fraction:
        """Fraction [unit=s] : The time from the start of one sample to the next."""
        return self.samplerate.frequency

    @property
    def duration(self) -> Fraction:
        """Fraction [unit=s] : The time that one sample covers."""
        return self.samplerate.duration

    @property
    def end(self) -> Fraction:
        """Fraction [unit=s] : Where the last sample ends, counted from the first one's start."""
        return (len(self) - 1) * self.frequency + self.duration if len(self) else Fraction(0)

    def _repr_html_(self) -> str | None:
        return display.picture(np.asarray(self), float(self.frequency), self._band_frequencies())

    def _band_frequencies(self) -> tuple[float, ...] | None:
        return getattr(self.units[1], "frequencies", None) if self.ndim == 2 else None


@storable("zounds.AudioSamples")
class AudioSamples(ConstantRateTimeSeries):
    """Audio: samples that follow each other without a gap.

    Parameters
    ----------
    array : array_like [shape=(n,) or (n, channels)]
    samplerate : SampleRate or int [unit=Hz]

    Raises
    ------
    UnitsError
        If the samples of `samplerate` overlap, or the array has another number of axes.

    Examples
    --------
    >>> AudioSamples([[0.0, 1.0], [0.5, 0.5]], 44100).mono.tolist()
    [0.5, 0.5]
    """

    def __new__(cls, array: npt.ArrayLike, samplerate: SampleRate | int) -> Self:
        """See the class."""
        rate = samplerate if isinstance(samplerate, SampleRate) else AudioSampleRate(samplerate)
        plain = np.asarray(array)
        if plain.ndim not in (1, 2):
            raise UnitsError(f"audio has shape (n,) or (n, channels): got {plain.shape}")
        if not rate.is_audio:
            raise UnitsError(f"the samples of {rate} overlap or leave gaps: they are not audio")
        return super().__new__(cls, plain, rate)

    @property
    def channels(self) -> int:
        """Int : The number of channels."""
        return int(self.shape[1]) if self.ndim == 2 else 1

    @property
    def mono(self) -> AudioSamples:
        """AudioSamples [shape=(n,)] : The mean of the channels."""
        if self.ndim == 1:
            return self
        # a matrix product: 12 times faster than mean(axis=1), and no different in float32
        weights = np.full(self.channels, 1 / self.channels, np.result_type(self.dtype, np.float32))
        return AudioSamples(np.asarray(self) @ weights, self.samplerate)

    def _repr_html_(self) -> str:
        return display.player(np.asarray(self), int(self.samplerate))


storable("zounds.ArrayWithUnits")(ArrayWithUnits)


def with_units(array: Array, units: Iterable[Unit | None], audio: bool = False) -> Array:
    """Return an array with units, in the most specific class that holds them.

    Parameters
    ----------
    array : np.ndarray
    units : iterable of Unit or None, one for each axis
    audio : bool
        Whether samples without gaps or overlap are `AudioSamples`.

    Returns
    -------
    AudioSamples, ConstantRateTimeSeries, ArrayWithUnits or np.ndarray
        A plain array where no axis has a unit.
    """
    units = tuple(units)
    if not any(unit is not None for unit in units):
        return array
    rate = units[0]
    if not isinstance(rate, SampleRate):
        return ArrayWithUnits(array, units)
    others = units[1:]
    if audio and rate.is_audio and array.ndim <= 2 and not any(others) and array.dtype.kind in "fi":
        return AudioSamples(array, rate)
    return cast(Array, ConstantRateTimeSeries(array, rate, others))


class ConstantRateTimeSeriesFeature(Feature):
    """A feature whose value is a `ConstantRateTimeSeries`."""

    kind = ConstantRateTimeSeries


class AudioSamplesFeature(Feature):
    """A feature whose value is `AudioSamples`."""

    kind = AudioSamples
