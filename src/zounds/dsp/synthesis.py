"""Sounds from formulas, of exact length.

First four synthesizers for tests and calibration: sines, noise, ticks and silence. Then what
`zounds.dsp.instruments` makes its notes with: a `Note` and the gains of a few filters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples
from zounds.errors import UnitsError
from zounds.units import AudioSampleRate, Number, SampleRate, Seconds

Array = npt.NDArray[Any]

LOWEST_PITCH = 20.0
"""float [unit=Hz] : What is slower is heard as a rhythm, not as a pitch."""

_HIGHEST_PARTIAL = 20_000.0  # Hz: what is higher is not heard
_TWO_PI = 2 * np.pi


def audio_rate(samplerate: SampleRate | int) -> SampleRate:
    """Return the rate that audio is to be made at.

    Parameters
    ----------
    samplerate : SampleRate or int [unit=Hz, range=(0, inf)]

    Returns
    -------
    SampleRate

    Raises
    ------
    UnitsError
        If its samples overlap or leave gaps, or it is not a rate.

    Examples
    --------
    >>> audio_rate(8000).nyquist
    Fraction(4000, 1)
    """
    rate = samplerate if isinstance(samplerate, SampleRate) else AudioSampleRate(samplerate)
    if not rate.is_audio:
        raise UnitsError(
            f"the samples of {rate} overlap or leave gaps: give the rate of audio, as SR44100()"
        )
    return rate


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
    >>> sample_count(0.1, AudioSampleRate(22050))
    2205
    """
    exact = Seconds(duration)
    count = round(exact / samplerate.frequency)
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
    """Base of those below: a rate of audio, or as an int its hertz; anything else raises."""

    samplerate: SampleRate

    def __post_init__(self) -> None:
        object.__setattr__(self, "samplerate", audio_rate(self.samplerate))


@dataclass(frozen=True)
class SineSynthesizer(_Synthesizer):
    """Sine waves.

    Examples
    --------
    >>> SineSynthesizer(AudioSampleRate(8)).synthesize(1, [2]).round(3).tolist()
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
    >>> len(NoiseSynthesizer(AudioSampleRate(8000)).synthesize(0.5))
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
    >>> ticks = TickSynthesizer(AudioSampleRate(8000)).synthesize(1, tick_frequency=0.25)
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
    >>> SilenceSynthesizer(AudioSampleRate(4)).synthesize(1).tolist()
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


class Note:
    """What an instrument is to play, and what it plays it with.

    Parameters
    ----------
    pitch : float [unit=Hz, range=[20, nyquist)]
    loudness : float [range=(0, 1]]
    count : int [unit=samples, range=[1, inf)]
    rate : float [unit=Hz]
    seed : int [range=[0, inf)]

    All its sounds and envelopes have ``shape=(count,)``, in float64; times are in seconds.
    """

    def __init__(self, pitch: float, loudness: float, count: int, rate: float, seed: int) -> None:
        self.pitch = pitch
        self.loudness = loudness
        self.rate = rate
        self.random = generator(seed)
        self.time = np.arange(count) / rate

    def tuned(self, hertz: float) -> float:
        """Return the frequency of a drum that has `hertz` when the note is A4."""
        return hertz * math.pow(self.pitch / 440, 0.25)

    def brightness(self, soft: float, loud: float) -> float:
        """Return a frequency between `soft` and `loud`, as the loudness is, in octaves."""
        return soft * math.pow(loud / soft, self.loudness)

    def harmonics(self) -> tuple[Array, Array]:
        """Return the numbers and frequencies of the harmonics that are heard, from the first."""
        top = min(self.rate / 2, _HIGHEST_PARTIAL)
        numbers = np.arange(1, max(2, int(np.ceil(top / self.pitch))))
        return numbers, numbers * self.pitch

    def voice(self, amplitudes: Sequence[Any] | Array, wobble: Array | float = 0.0) -> Array:
        """Return harmonics 1, 2, ... of these amplitudes: numbers, or curves over time.

        `wobble` is by how much of itself the pitch deviates. The sum is a polynomial in
        exp(i phase), by Horner's rule: one sine for all harmonics.
        """
        steps = np.broadcast_to(self.pitch / self.rate * (1 + np.asarray(wobble)), self.time.shape)
        turn = np.exp(1j * _TWO_PI * (np.cumsum(steps) - steps[0]))
        total = np.zeros_like(turn)
        for amplitude in amplitudes[::-1]:
            total += amplitude
            total *= turn
        return np.asarray(total.imag)

    def modes(self, frequencies: Sequence[float] | Array, amplitudes: Any, decays: Any) -> Array:
        """Return ``sum_p a_p exp(-t / decay_p) sin(2 pi f_p t + phase_p)``, phases random.

        Each mode is a geometric series, so that of a block is that of the first block times
        one number: the sum over modes is a product of two matrices.
        """
        hertz = np.asarray(frequencies, np.float64)
        exponents = (1j * _TWO_PI * hertz - 1 / np.asarray(decays, np.float64)) / self.rate
        phases = np.exp(1j * _TWO_PI * self.random.random(len(hertz)))
        heard = np.where(hertz < self.rate / 2, amplitudes, 0) * phases
        block = 256
        starts = np.arange(0, len(self.time), block)
        blocks = np.exp(np.outer(starts, exponents)) * heard
        rung = blocks @ np.exp(np.outer(exponents, np.arange(block)))
        return np.asarray(rung.imag.ravel()[: len(self.time)])

    def noise(self, gain: Callable[[Array], Array]) -> Array:
        """Return Gaussian noise whose spectrum has this gain at each frequency; its RMS is 1."""
        size = 1 << len(self.time).bit_length()  # an FFT of any other size may be slow
        spectrum = np.fft.rfft(self.random.standard_normal(size))
        spectrum *= gain(np.fft.rfftfreq(size, 1 / self.rate))
        return unit(np.fft.irfft(spectrum)[: len(self.time)])

    def held(self, attack: float, release: float) -> Array:
        """Return an envelope that rises, stays and falls, with the halves of a cosine."""
        end = len(self.time) / self.rate
        rise = np.minimum(self.time / min(attack, end / 3), 1)
        fall = np.minimum((end - self.time) / min(release, end / 3), 1)
        return np.asarray((0.5 - 0.5 * np.cos(np.pi * rise)) * (0.5 - 0.5 * np.cos(np.pi * fall)))

    def decay(self, seconds: float) -> Array:
        """Return an envelope that falls to 1 / e in `seconds`."""
        return np.exp(-self.time / seconds)

    def vibrato(self, hertz: float, depth: float) -> Array:
        """Return a wobble of the pitch, which begins after a moment, as players do it."""
        onset = np.minimum(self.time / 0.4, 1) ** 2
        phase = self.random.random()
        return np.asarray(depth * onset * np.sin(_TWO_PI * (hertz * self.time + phase)))


def unit(sound: Array) -> Array:
    """Return `sound` with an RMS of 1, to be mixed."""
    return np.asarray(sound / max(float(np.sqrt(np.mean(sound**2))), 1e-12))


def lowpass(hertz: Array, cutoff: float, order: float = 2) -> Array:
    """Return the gain of a Butterworth low-pass filter, ``1 / sqrt(1 + (f / cutoff)^2n)``."""
    return np.asarray(1 / np.sqrt(1 + (hertz / cutoff) ** (2 * order)))


def bandpass(hertz: Array, low: float, high: float, order: float = 2) -> Array:
    """Return the gain of a Butterworth high-pass and low-pass filter, one after the other."""
    return (1 - lowpass(hertz, low, order) ** 2) ** 0.5 * lowpass(hertz, high, order)


def formants(hertz: Array, peaks: Sequence[tuple[float, float, float]]) -> Array:
    """Return the gain of resonances in parallel: (centre [Hz], bandwidth [Hz], gain) each."""
    return np.asarray(
        sum(gain / np.sqrt(1 + ((hertz - at) / (wide / 2)) ** 2) for at, wide, gain in peaks)
    )
