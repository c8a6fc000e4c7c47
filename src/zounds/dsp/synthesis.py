"""Sounds for tests and calibration, of exact length: sines, noise, ticks and silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples
from zounds.units import Number, SampleRate, Seconds


def sample_count(duration: Number, samplerate: SampleRate) -> int:
    """Return how many samples a sound has: the duration over the period, rounded once.

    Parameters
    ----------
    duration : int, float or Fraction [unit=s, range=(0, inf)]
    samplerate : SampleRate

    Returns
    -------
    int [unit=samples, range=[1, inf)]

    Raises
    ------
    InvalidParameter
        If `duration` is not positive, or rounds to no sample at all.

    Examples
    --------
    >>> from zounds import SR22050
    >>> sample_count(0.1, SR22050())
    2205
    """
    count = round(Seconds(duration) / samplerate.frequency)
    if count < 1:
        raise InvalidParameter(
            f"a duration of {duration} s has no samples at {samplerate}: "
            f"give at least {float(samplerate.frequency):.3g} s"
        )
    return count


def generator(seed: int) -> np.random.Generator:
    """Return the random numbers of a seed, always the same ones.

    Parameters
    ----------
    seed : int [range=[0, inf)]

    Returns
    -------
    np.random.Generator

    Raises
    ------
    InvalidParameter
        If `seed` is not a whole number from 0 on; None, too, which would differ at each call.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InvalidParameter(f"seed is {seed!r}: give a whole number from 0 on")
    return np.random.default_rng(int(seed))


@dataclass(frozen=True)
class _Synthesizer:
    """Base of those below, which takes the sample rates that `AudioSamples` takes."""

    samplerate: SampleRate

    def __post_init__(self) -> None:
        object.__setattr__(self, "samplerate", AudioSamples([], self.samplerate).samplerate)


@dataclass(frozen=True)
class SineSynthesizer(_Synthesizer):
    """Sine waves.

    Examples
    --------
    >>> SineSynthesizer(8).synthesize(1, [2]).round(3).tolist()
    [0.0, 1.0, 0.0, -1.0, -0.0, 1.0, 0.0, -1.0]
    """

    def synthesize(self, duration: Number, freqs_in_hz: Sequence[float] = (440.0,)) -> AudioSamples:
        """Return the mean of sines, ``x[t] = 1 / K * sum_k sin(2 pi f_k t)``.

        Parameters
        ----------
        duration : int, float or Fraction [unit=s, range=(0, inf)]
        freqs_in_hz : sequence of float [shape=(k,), unit=Hz, range=(0, nyquist)]

        Returns
        -------
        AudioSamples [shape=(n,), range=[-1, 1]]
            In float32.

        Raises
        ------
        InvalidParameter
            If the duration is not positive, there are no frequencies, or one cannot be
            represented at this rate.
        """
        count = sample_count(duration, self.samplerate)
        frequencies = np.asarray(freqs_in_hz, np.float64)
        if frequencies.ndim != 1 or not len(frequencies):
            raise InvalidParameter(f"freqs_in_hz is {freqs_in_hz!r}: give a list of frequencies")
        nyquist = float(self.samplerate.nyquist)
        for frequency in frequencies:
            if not 0 < frequency < nyquist:  # at nyquist itself, every sample of a sine is zero
                raise InvalidParameter(
                    f"{frequency:g} Hz at {self.samplerate}: give frequencies above 0 and "
                    f"below {nyquist:g} Hz, or a higher sample rate"
                )
        time = np.arange(count) / float(self.samplerate.samples_per_second)
        total = np.zeros(count)
        for frequency in frequencies:  # one at a time: memory stays that of one sine
            total += np.sin(2 * np.pi * frequency * time)
        return AudioSamples((total / len(frequencies)).astype(np.float32), self.samplerate)


@dataclass(frozen=True)
class NoiseSynthesizer(_Synthesizer):
    """White noise: independent samples, all values equally likely.

    Parameters
    ----------
    seed : int [range=[0, inf)]
        The same seed gives the same noise.

    Examples
    --------
    >>> len(NoiseSynthesizer(8000).synthesize(0.5))
    4000
    """

    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        generator(self.seed)

    def synthesize(self, duration: Number) -> AudioSamples:
        """Return noise.

        Parameters
        ----------
        duration : int, float or Fraction [unit=s, range=(0, inf)]

        Returns
        -------
        AudioSamples [shape=(n,), range=[-1, 1)]
            In float32; a longer noise begins with the shorter one of the same seed.

        Raises
        ------
        InvalidParameter
            If the duration is not positive.
        """
        count = sample_count(duration, self.samplerate)
        noise = 2 * generator(self.seed).random(count, dtype=np.float32) - 1
        return AudioSamples(noise, self.samplerate)


@dataclass(frozen=True)
class TickSynthesizer(_Synthesizer):
    """A metronome.

    Examples
    --------
    >>> ticks = TickSynthesizer(8000).synthesize(1, tick_frequency=0.25)
    >>> np.flatnonzero(ticks == 1).tolist()
    [0, 2000, 4000, 6000]
    """

    def synthesize(self, duration: Number, tick_frequency: Number) -> AudioSamples:
        """Return ticks of 5 ms: a decaying cosine of 2 kHz, whose first sample is 1.

        Parameters
        ----------
        duration : int, float or Fraction [unit=s, range=(0, inf)]
        tick_frequency : int, float or Fraction [unit=s, range=(0, inf)]
            The time from tick to tick. Tick k is at the sample nearest to k times it: rounding
            does not add up.

        Returns
        -------
        AudioSamples [shape=(n,), range=[-1, 1]]
            In float32. A tick ends where the next one begins.

        Raises
        ------
        InvalidParameter
            If the duration is not positive, or `tick_frequency` is shorter than a sample.
        """
        count = sample_count(duration, self.samplerate)
        step = Seconds(tick_frequency) / self.samplerate.frequency
        if step < 1:
            raise InvalidParameter(
                f"tick_frequency is {tick_frequency} s: give a time from tick to tick, of at "
                f"least one sample ({float(self.samplerate.frequency):.3g} s)"
            )
        rate = float(self.samplerate.samples_per_second)
        time = np.arange(max(1, round(0.005 * rate))) / rate
        click = np.append(np.cos(2 * np.pi * 2000 * time) * np.exp(-time / 0.001), 0.0)

        starts = np.array([round(k * step) for k in range(int(count / step) + 1)])
        samples = np.arange(count)
        since = samples - starts[np.searchsorted(starts, samples, side="right") - 1]
        ticks = click[np.minimum(since, len(click) - 1)]
        return AudioSamples(ticks.astype(np.float32), self.samplerate)


@dataclass(frozen=True)
class SilenceSynthesizer(_Synthesizer):
    """Silence.

    Examples
    --------
    >>> SilenceSynthesizer(4).synthesize(1).tolist()
    [0.0, 0.0, 0.0, 0.0]
    """

    def synthesize(self, duration: Number) -> AudioSamples:
        """Return zeros.

        Parameters
        ----------
        duration : int, float or Fraction [unit=s, range=(0, inf)]

        Returns
        -------
        AudioSamples [shape=(n,)]
            In float32.

        Raises
        ------
        InvalidParameter
            If the duration is not positive.
        """
        count = sample_count(duration, self.samplerate)
        return AudioSamples(np.zeros(count, np.float32), self.samplerate)
