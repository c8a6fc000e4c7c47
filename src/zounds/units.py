"""Times, sample rates and frequency scales: what the axes of an array mean.

A time is a `fractions.Fraction` of a second, so that it is exact: a million hops of
512 / 22050 s are 512000000 / 22050 s, whatever was added up on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache, total_ordering
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from featureflow.codec import storable
from zounds.errors import UnitsError

Number = int | float | Fraction | np.integer[Any] | np.floating[Any]
_NUMBERS = (int, float, Fraction, np.integer, np.floating)
_NO_NUMBERS = (bool, np.timedelta64)  # though they are integers to Python and to NumPy


def Seconds(value: Number) -> Fraction:
    """Return an exact time.

    Parameters
    ----------
    value : int, float or Fraction [unit=s]
        A float stands for the decimal it prints as: ``Seconds(0.1)`` is one tenth.

    Returns
    -------
    Fraction [unit=s]

    Raises
    ------
    UnitsError
        If `value` is not a finite number.

    Examples
    --------
    >>> Seconds(0.1)
    Fraction(1, 10)
    """
    return _exact(value, "a time", "seconds")


def Milliseconds(value: Number) -> Fraction:
    """Return an exact time from a number of milliseconds; see `Seconds`."""
    return Seconds(value) / 1000


def Microseconds(value: Number) -> Fraction:
    """Return an exact time from a number of microseconds; see `Seconds`."""
    return Seconds(value) / 1_000_000


def _exact(value: Number, what: str, unit: str) -> Fraction:
    """Return the fraction that a number stands for: of a float, the decimal it prints as."""
    if type(value) is Fraction:
        return value
    known = isinstance(value, _NUMBERS) and not isinstance(value, _NO_NUMBERS)
    floating = isinstance(value, float | np.floating)
    if not known or (floating and not math.isfinite(value)):
        raise UnitsError(f"{value!r} is not {what}: give a finite number of {unit}")
    if isinstance(value, np.integer):
        return Fraction(int(value))
    if isinstance(value, float):  # float64 of NumPy is one, too
        return Fraction(float.__repr__(value))
    if isinstance(value, np.floating):
        return Fraction(np.format_float_scientific(value))
    return Fraction(value)


class Unit(Protocol):
    """What one axis of an array means."""

    def sliced(self, index: slice, size: int) -> Unit | None:
        """Return the unit of ``axis[index]`` for an axis of `size`; None where it has none."""
        ...


Units = tuple[Unit | None, ...]


@storable("zounds.SampleRate")
@dataclass(frozen=True, init=False)
class SampleRate:
    """How often samples follow each other, and how much time each of them covers.

    One class describes audio samples (`frequency` equals `duration`), overlapping frames
    (`frequency` is the hop and `duration` the window) and whatever is pooled from them.

    Parameters
    ----------
    frequency : int, float or Fraction [unit=s, range=(0, inf)]
        Time from the start of one sample to the start of the next: a period, or hop.
    duration : int, float or Fraction [unit=s, range=(0, inf)]
        Time that one sample covers: the window.

    Raises
    ------
    UnitsError
        If either is not a finite number, or not positive.

    Examples
    --------
    >>> SR44100().samples_per_second
    Fraction(44100, 1)
    >>> (HalfLapped() * Stride(frequency=30, duration=30)).frequency == 30 * HalfLapped().frequency
    True
    """

    frequency: Fraction
    duration: Fraction
    revision: ClassVar[int] = 1

    def __init__(self, frequency: Number, duration: Number) -> None:
        for name, value in (("frequency", frequency), ("duration", duration)):
            exact = _exact(value, f"the {name} of a SampleRate", "seconds")
            if exact.numerator <= 0:
                raise UnitsError(f"SampleRate({name}={value!r}): give a time greater than zero")
            object.__setattr__(self, name, exact)

    def __iter__(self) -> Iterator[Fraction]:
        return iter((self.frequency, self.duration))

    def __mul__(self, stride: Stride) -> SampleRate:
        """Return the rate of windows of `stride.duration` samples, `stride.frequency` apart."""
        if not isinstance(stride, Stride):
            return NotImplemented
        span = self.frequency * stride.duration + self.overlap
        return SampleRate(self.frequency * stride.frequency, span)

    def __int__(self) -> int:
        """Return the samples per second, rounded."""
        return round(self.samples_per_second)

    def __repr__(self) -> str:
        if self.is_audio and self.samples_per_second.denominator == 1:
            return f"AudioSampleRate({int(self)})"
        return f"SampleRate(frequency={self.frequency!r}, duration={self.duration!r})"

    @property
    def samples_per_second(self) -> Fraction:
        """Fraction [unit=Hz] : The inverse of `frequency`."""
        return 1 / self.frequency

    @property
    def nyquist(self) -> Fraction:
        """Fraction [unit=Hz] : Half of the samples per second."""
        return self.samples_per_second / 2

    @property
    def overlap(self) -> Fraction:
        """Fraction [unit=s] : The time a sample shares with the next; negative for a gap."""
        return self.duration - self.frequency

    @property
    def is_audio(self) -> bool:
        """bool : Whether samples neither overlap nor leave gaps."""
        # fractions do not look whether they are the same object
        return self.frequency is self.duration or self.frequency == self.duration

    def sliced(self, index: slice, size: int) -> SampleRate | None:
        """Return the rate of every k-th sample; None for a reversed axis."""
        step = index.indices(size)[2]
        return replace(self, frequency=self.frequency * step) if step > 0 else None


def AudioSampleRate(hertz: Number) -> SampleRate:
    """Return the rate of audio samples.

    Parameters
    ----------
    hertz : int, float or Fraction [unit=Hz, range=(0, inf)]

    Returns
    -------
    SampleRate

    Raises
    ------
    UnitsError
        If `hertz` is not a positive finite number.

    Examples
    --------
    >>> AudioSampleRate(8000).frequency
    Fraction(1, 8000)
    """
    rate = _exact(hertz, "a sample rate", "hertz")
    if rate.numerator <= 0:
        raise UnitsError(f"a sample rate of {hertz} Hz: give a positive number of hertz")
    return _audio_rate(rate.numerator, rate.denominator)


@lru_cache(maxsize=64)
def _audio_rate(numerator: int, denominator: int) -> SampleRate:
    period = Fraction(denominator, numerator)
    return SampleRate(period, period)


def _rate_of(hertz: int) -> Callable[[], SampleRate]:
    """Return a function that returns one rate; it goes by the name ``SR<hertz>``."""

    def rate() -> SampleRate:
        return AudioSampleRate(hertz)

    rate.__name__ = rate.__qualname__ = f"SR{hertz}"
    rate.__doc__ = f"Return the rate of audio of {hertz:,} samples per second."
    return rate


SR8000 = _rate_of(8000)
SR11025 = _rate_of(11025)
SR16000 = _rate_of(16000)
SR22050 = _rate_of(22050)
SR32000 = _rate_of(32000)
SR44100 = _rate_of(44100)
SR48000 = _rate_of(48000)
SR88200 = _rate_of(88200)
SR96000 = _rate_of(96000)
SR192000 = _rate_of(192000)


def HalfLapped() -> SampleRate:
    """Return the windowing scheme of 2048 samples every 1024, at 44,100 Hz.

    At another rate the same times are used: 1024 samples every 512 at 22,050 Hz.

    Returns
    -------
    SampleRate
    """
    return SampleRate(Fraction(1024, 44100), Fraction(2048, 44100))


@storable("zounds.Stride")
@dataclass(frozen=True)
class Stride:
    """Windows counted in samples: `duration` of them, every `frequency` of them.

    Multiplies a `SampleRate`.

    Parameters
    ----------
    frequency : int [unit=samples, range=[1, inf)]
    duration : int [unit=samples, range=[1, inf)]

    Raises
    ------
    UnitsError
        If either is not a positive whole number.
    """

    frequency: int
    duration: int

    def __post_init__(self) -> None:
        for name in ("frequency", "duration"):
            value = getattr(self, name)
            count = _exact(value, f"the {name} of a Stride", "samples")
            if count.denominator != 1 or count < 1:
                raise UnitsError(f"Stride({name}={value!r}): count whole samples, at least one")
            object.__setattr__(self, name, int(count))


@storable("zounds.TimeSlice")
@total_ordering
@dataclass(frozen=True, init=False)
class TimeSlice:
    """A stretch of time; sorts by its start, then by its end.

    Parameters
    ----------
    start : int, float or Fraction [unit=s, range=[0, inf)]
    duration : int, float, Fraction or None [unit=s, range=[0, inf)]
        None reaches to the end, wherever that is.

    Raises
    ------
    UnitsError
        If either is negative, or not a finite number.

    Examples
    --------
    >>> TimeSlice(start=Seconds(1), duration=Milliseconds(500)).end
    Fraction(3, 2)
    """

    start: Fraction
    duration: Fraction | None

    def __init__(self, start: Number = 0, duration: Number | None = None) -> None:
        object.__setattr__(self, "start", self._not_negative("start", start))
        if duration is not None:
            duration = self._not_negative("duration", duration)
        object.__setattr__(self, "duration", duration)

    @staticmethod
    def _not_negative(name: str, value: Number) -> Fraction:
        exact = _exact(value, f"the {name} of a TimeSlice", "seconds")
        if exact < 0:
            raise UnitsError(f"TimeSlice({name}={value!r}): times are not negative")
        return exact

    def __lt__(self, other: TimeSlice) -> bool:
        if not isinstance(other, TimeSlice):
            return NotImplemented
        ends = [math.inf if time.end is None else time.end for time in (self, other)]
        return (self.start, ends[0]) < (other.start, ends[1])

    @property
    def end(self) -> Fraction | None:
        """Fraction or None [unit=s] : Where it stops; None for the end of whatever is sliced."""
        return None if self.duration is None else self.start + self.duration

    def __repr__(self) -> str:
        if self.duration is None:
            return f"TimeSlice(start={float(self.start):.4g}s)"
        return f"TimeSlice(start={float(self.start):.4g}s, duration={float(self.duration):.4g}s)"


@dataclass(frozen=True)
class FrequencyScale:
    """The frequencies that the columns of a spectrum stand for; base of the scales in `dsp`.

    Parameters
    ----------
    bands : range or None
        Which of the scale's bands are meant; None for all. Slicing an axis slices this, so
        that the frequencies stay exact.
    """

    bands: range | None = field(default=None, kw_only=True)

    @property
    def all_frequencies(self) -> tuple[float, ...]:
        """tuple of float [unit=Hz] : The centre of every band of the whole scale."""
        raise NotImplementedError(f"{type(self).__name__} does not define its frequencies")

    @property
    def frequencies(self) -> tuple[float, ...]:
        """tuple of float [unit=Hz] : The centre of each band, in the order of the axis."""
        whole = self.all_frequencies
        return whole if self.bands is None else tuple(whole[band] for band in self.bands)

    def __len__(self) -> int:
        """Return the number of bands."""
        return len(self.all_frequencies if self.bands is None else self.bands)

    def sliced(self, index: slice, size: int) -> Self:
        """Return the scale of the chosen bands."""
        chosen = (range(size) if self.bands is None else self.bands)[index]
        whole = range(len(self.all_frequencies))
        return replace(self, bands=None if chosen == whole else chosen)


def without_times(index: Any, units: Units) -> tuple[Any, ...]:
    """Return the items of an index, with slices of samples in place of those of time.

    Parameters
    ----------
    index : object
        Whatever NumPy takes, and any `TimeSlice`: it stands for the samples whose hop it touches.
    units : sequence of Unit or None, one for each axis

    Raises
    ------
    UnitsError
        If a `TimeSlice` stands for an axis that is not time.
    """
    items = index if isinstance(index, tuple) else (index,)
    result, axis = [], 0
    for place, item in enumerate(items):
        if isinstance(item, TimeSlice):
            unit = units[axis] if axis < len(units) else None
            if not isinstance(unit, SampleRate):
                raise UnitsError(f"axis {axis} is not time: it cannot be sliced by {item}")
            stop = None if item.end is None else math.ceil(item.end / unit.frequency)
            item = slice(math.floor(item.start / unit.frequency), stop)
        result.append(item)
        if item is ...:
            axis = len(units) - sum(map(_axes_taken, items[place + 1 :]))
        else:
            axis += _axes_taken(item)
    return tuple(result)


def is_basic(items: tuple[Any, ...]) -> bool:
    """Return whether an index is what NumPy calls a basic one: its axes are those of a view."""
    kinds = int | np.integer | slice | type(None) | type(...)
    return all(isinstance(item, kinds) and not isinstance(item, bool) for item in items)


def indexed(items: tuple[Any, ...], units: Units, shape: tuple[int, ...]) -> Units:
    """Return what the axes of a part of an array mean.

    Parameters
    ----------
    items : tuple
        A basic index.
    units : sequence of Unit or None, one for each axis
    shape : tuple of int
    """
    if ... not in items:
        items = (*items, ...)
    result: list[Unit | None] = []
    axis = 0
    for item in items:
        if item is ...:
            rest = len(units) - sum(map(_axes_taken, items)) + 1
            result += units[axis : axis + rest]
            axis += rest
        elif item is None:
            result.append(None)
        else:
            unit = units[axis]
            if isinstance(item, slice):
                result.append(None if unit is None else unit.sliced(item, shape[axis]))
            axis += 1
    return tuple(result)


def _axes_taken(item: Any) -> int:
    """Return the number of axes that an item of an index is about."""
    if item is None:
        return 0
    mask = isinstance(item, bool | np.bool_ | np.ndarray | list) and np.asarray(item).dtype == bool
    return np.ndim(item) if mask else 1
