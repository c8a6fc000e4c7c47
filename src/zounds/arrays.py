"""Arrays that know what their axes mean.

Metadata is exact or dropped, never guessed: elementwise arithmetic, basic slicing, reductions,
transposition, `astype` and `copy` keep it; whatever else NumPy does returns a plain array. With
``out=`` and in place, an array keeps what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt

from featureflow.codec import storable
from zounds import display
from zounds.errors import UnitsError
from zounds.units import (
    AudioSampleRate,
    FrequencyScale,
    SampleRate,
    Unit,
    Units,
    indexed,
    is_basic,
    without_times,
)

Array = npt.NDArray[Any]

_SOUND = "fiu"  # kinds of dtypes that samples of audio have


@storable("zounds.ArrayWithUnits")
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

    _units: Units | None = None  # of what NumPy makes: nothing is known

    def __new__(cls, array: npt.ArrayLike, units: Sequence[Unit | None]) -> Self:
        """See the class."""
        view = np.asarray(array).view(cls)
        units = tuple(units)
        if len(units) != view.ndim:
            raise UnitsError(f"{len(units)} units for {view.ndim} axes: give one for each")
        for axis, unit in enumerate(units):
            size = view.shape[axis]
            if unit is not None and not hasattr(unit, "sliced"):
                raise UnitsError(f"axis {axis} has {unit!r}: give a SampleRate, a scale or None")
            if isinstance(unit, FrequencyScale) and len(unit) != size:
                raise UnitsError(f"a scale of {len(unit)} bands for axis {axis}, which has {size}")
        view.__dict__["_units"] = units
        return view

    @property
    def units(self) -> Units:
        """tuple of (Unit or None) : What each axis means."""
        return self._units if self._units is not None else (None,) * self.ndim

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        if out is not None:
            options["out"] = out
        result = getattr(ufunc, method)(*map(_plain, inputs), **_plain(options))
        results = result if isinstance(result, tuple) else (result,)
        marked = tuple(
            self._marked(array, ufunc, method, inputs, options) if given is None else given
            for array, given in zip(results, out or (None,) * len(results), strict=True)
        )
        return marked if isinstance(result, tuple) else marked[0]

    def _marked(
        self, array: Any, ufunc: np.ufunc, method: str, inputs: Any, options: dict[str, Any]
    ) -> Any:
        """Return what a ufunc has made, with the units that it has for certain."""
        if not isinstance(array, np.ndarray):
            return array
        if method == "__call__" and ufunc.signature is None:  # a matrix product has a signature
            return self._like(array, _agreed(inputs, array.shape))
        if method == "reduce":
            return self._like(array, self._reduced(options.get("axis", 0), array.ndim == self.ndim))
        return array

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in _BY_METHOD:
            return super().__array_function__(func, types, args, kwargs)
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
        if index is Ellipsis:
            view = np.asarray(self).view(type(self))
            view.__dict__["_units"] = self._units
            return view
        items = without_times(index, self.units)
        result = np.asarray(self)[items]
        if not isinstance(result, np.ndarray) or not is_basic(items):
            return result
        return self._like(result, indexed(items, self.units, self.shape))

    def __setitem__(self, index: Any, value: Any) -> None:
        np.asarray(self)[without_times(index, self.units)] = value

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in ("dtype", "shape", "strides"):
            self._units = None

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the values in another dtype, with the same units."""
        return self._like(np.asarray(self).astype(dtype, *args, **kwargs), self.units)

    def copy(self, order: Any = "C") -> Any:
        """Return a copy with the same units."""
        return self._like(np.asarray(self).copy(order), self.units)

    def round(self, decimals: Any = 0, out: Any = None) -> Any:
        """Return the rounded values, with the same units."""
        result = np.asarray(self).round(decimals, out)
        return self._like(result, self.units) if out is None else out

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

    @property
    def mT(self) -> Any:
        """ArrayWithUnits : The array with its last two axes in the opposite order."""
        return self.transpose(*range(self.ndim - 2), self.ndim - 1, self.ndim - 2)

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
        whole = np.concatenate([np.asarray(chunk) for chunk in chunks])
        first, *rest = chunks[0].units
        if any(chunk.units != chunks[0].units for chunk in chunks):
            return whole
        # time goes on; bands do not
        return chunks[0]._like(whole, (first if isinstance(first, SampleRate) else None, *rest))


def _plain(value: Any) -> Any:
    """Replace arrays with units by plain ones, in the arguments of a NumPy function."""
    if isinstance(value, ArrayWithUnits):
        return np.asarray(value)
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _agreed(operands: Iterable[Any], shape: tuple[int, ...]) -> Units:
    """Return what the axes of an elementwise result mean.

    An operand that is stretched along an axis has nothing to say about it; where others
    contradict each other, nothing is known.
    """
    said: list[set[Unit]] = [set() for _ in shape]
    for operand in operands:
        if isinstance(operand, ArrayWithUnits):
            for axis in range(-operand.ndim, 0):
                unit = operand.units[axis]
                if unit is not None and operand.shape[axis] == shape[axis]:
                    said[axis].add(unit)
    return tuple(units.pop() if len(units) == 1 else None for units in said)


def _plain_method(name: str) -> Callable[..., Any]:
    def method(self: Array, *args: Any, **kwargs: Any) -> Any:
        return getattr(np.asarray(self), name)(*args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"See `numpy.ndarray.{name}`; returns a plain array."
    return method


def _reduction(name: str) -> Callable[..., Any]:
    def method(self: ArrayWithUnits, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        result = getattr(np.asarray(self), name)(axis, *args, **kwargs)
        given = any(result is argument for argument in (*args, *kwargs.values()))  # as out=
        if given or not isinstance(result, np.ndarray):
            return result
        return self._like(result, self._reduced(axis, result.ndim == self.ndim))

    method.__name__ = name
    method.__doc__ = f"See `numpy.ndarray.{name}`; the axes that are left keep their units."
    return method


def _reordering(name: str) -> Callable[..., Any]:
    def method(self: ArrayWithUnits, *args: Any, **kwargs: Any) -> None:
        getattr(np.asarray(self), name)(*args, **kwargs)
        self._units = None

    method.__name__ = name
    method.__doc__ = f"See `numpy.ndarray.{name}`; what the axes meant is lost."
    return method


def _part(name: str) -> property:
    def read(self: ArrayWithUnits) -> Any:
        return self._like(getattr(np.asarray(self), name), self.units)

    def write(self: ArrayWithUnits, value: Any) -> None:
        setattr(np.asarray(self), name, value)

    return property(read, write, doc=f"See `numpy.ndarray.{name}`; the axes keep their units.")


_REDUCTIONS = ("all", "any", "argmax", "argmin", "max", "mean", "min", "prod", "std", "sum", "var")

# The plain methods move or merge axes: which unit belongs to which axis is not known afterwards.
_METHODS = {
    _reduction: _REDUCTIONS,
    _part: ("imag", "real"),
    _reordering: ("partition", "sort"),
    _plain_method: (
        *("argpartition", "argsort", "byteswap", "choose", "compress", "cumprod", "cumsum"),
        *("diagonal", "dot", "flatten", "getfield", "ravel", "repeat", "reshape", "squeeze"),
        *("swapaxes", "take", "trace", "view"),
    ),
}
for _make, _names in _METHODS.items():
    for _name in _names:
        setattr(ArrayWithUnits, _name, _make(_name))

# NumPy's functions that call the methods of the same names.
_BY_METHOD = {
    getattr(np, name)
    for name in (*_REDUCTIONS, "amax", "amin", "clip", "imag", "real", "round", "transpose")
}


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
        if not self.ndim or self.units[0] is None:
            return None
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
        If the samples of `samplerate` overlap, the array has another number of axes or no
        channels, or its elements are not real numbers.

    Examples
    --------
    >>> AudioSamples([[0.0, 1.0], [0.5, 0.5]], 44100).mono.tolist()
    [0.5, 0.5]
    """

    def __new__(cls, array: npt.ArrayLike, samplerate: SampleRate | int) -> Self:
        """See the class."""
        rate = samplerate if isinstance(samplerate, SampleRate) else AudioSampleRate(samplerate)
        plain = np.asarray(array)
        if plain.ndim not in (1, 2) or 0 in plain.shape[1:]:
            raise UnitsError(f"audio has shape (n,) or (n, channels): got {plain.shape}")
        if plain.dtype.kind not in _SOUND:
            raise UnitsError(f"audio is made of real numbers: got {plain.dtype}")
        if not rate.is_audio:
            raise UnitsError(f"the samples of {rate} overlap or leave gaps: they are not audio")
        return super().__new__(cls, plain, rate)

    @property
    def channels(self) -> int:
        """int : The number of channels."""
        return int(self.shape[1]) if self.ndim == 2 else 1

    @property
    def mono(self) -> AudioSamples:
        """AudioSamples [shape=(n,)] : The mean of the channels."""
        if self.ndim == 1:
            return self
        # channel by channel: mean(axis=1) is far slower, and a matrix product rounds otherwise
        # for another number of samples
        first, *others = np.asarray(self).T
        total = first.astype(np.result_type(first, np.float32))
        for channel in others:
            total += channel
        total /= total.dtype.type(self.channels)
        return AudioSamples(total, self.samplerate)

    def _repr_html_(self) -> str | None:
        if self.units[0] is None:
            return None
        return display.player(np.asarray(self), int(self.samplerate))


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
    channels = all(unit is None for unit in others) and array.ndim <= 2 and 0 not in array.shape[1:]
    if audio and rate.is_audio and channels and array.dtype.kind in _SOUND:
        return AudioSamples(array, rate)
    return cast(Array, ConstantRateTimeSeries(array, rate, others))
