"""What instruments are made of: harmonics, modes, noise, envelopes, and the gains of filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zounds.dsp.synthesis import generator

Array = npt.NDArray[Any]

_HIGHEST_PARTIAL = 20_000.0  # Hz: what is higher is not heard
_TWO_PI = 2 * np.pi


class Note:
    """What an instrument is to play, and the tools that it plays it with.

    All sounds and envelopes have ``shape=(count,)``. A sound is `tone`, `modes` or `noise`, or
    a mix of them; the same calls in the same order give the same sound.

    Parameters
    ----------
    pitch : float [unit=Hz, range=(0, rate / 2)]
    loudness : float [range=(0, 1]]
    count : int [unit=samples, range=[1, inf)]
    rate : float [unit=Hz]
    seed : int [range=[0, inf)]

    Examples
    --------
    >>> note = Note(pitch=440, loudness=0.5, count=8000, rate=8000, seed=0)
    >>> note.harmonics[1][:3].tolist()
    [440.0, 880.0, 1320.0]
    >>> np.abs(np.fft.rfft(note.tone([1, 0.1]))).argmax()
    np.int64(440)
    """

    def __init__(self, pitch: float, loudness: float, count: int, rate: float, seed: int) -> None:
        self.pitch = float(pitch)
        self.loudness = loudness
        self.rate = rate
        self.random = generator(seed)
        self.time = np.arange(count) / rate

    def tuned(self, hertz: float) -> float:
        """Return the frequency of a drum, by a quarter of the interval from A4.

        Parameters
        ----------
        hertz : float [unit=Hz]
            Its frequency when the pitch is 440 Hz.

        Returns
        -------
        float [unit=Hz]
        """
        return float(hertz * (self.pitch / 440) ** 0.25)

    def brightness(self, soft: float, loud: float) -> float:
        """Return a frequency that rises with the loudness, evenly in octaves.

        Parameters
        ----------
        soft, loud : float [unit=Hz]
            The frequencies at a loudness of 0 and 1.

        Returns
        -------
        float [unit=Hz]
        """
        return float(soft * (loud / soft) ** self.loudness)

    @property
    def harmonics(self) -> tuple[Array, Array]:
        """tuple of np.ndarray [shape=(k,)] : Numbers and frequencies [Hz] of all that are heard."""
        top = min(self.rate / 2, _HIGHEST_PARTIAL)
        numbers = np.arange(1, max(2, int(np.ceil(top / self.pitch))))
        return numbers, numbers * self.pitch

    def tone(
        self,
        amplitudes: npt.ArrayLike,
        vibrato: Array | float = 0.0,
        rolloff: Array | float = 1.0,
    ) -> Array:
        """Return harmonics, ``x[t] = sum_k a_k rolloff[t]^k sin(k phase[t])``.

        Parameters
        ----------
        amplitudes : array_like [shape=(k,)]
            Those of harmonics 1, 2, ...; what would be above nyquist is left out.
        vibrato : np.ndarray [shape=(count,)] or float
            By how much of itself the pitch deviates.
        rolloff : np.ndarray [shape=(count,)] or float [range=[0, 1]]
            How much weaker each harmonic is than the one below: a spectrum that opens and closes.

        Returns
        -------
        np.ndarray [shape=(count,)]
            In float32.
        """
        steps = np.broadcast_to(self.pitch / self.rate * (1 + np.asarray(vibrato)), self.time.shape)
        phase = np.cumsum(steps) % 1
        # the imaginary part of a polynomial in rolloff exp(i phase), by Horner's rule
        turn = (rolloff * np.exp(1j * _TWO_PI * phase)).astype(np.complex64)
        total = np.zeros_like(turn)
        heard = np.asarray(amplitudes, np.float32)[: len(self.harmonics[0])]
        for amplitude in heard[::-1]:
            total += amplitude
            total *= turn
        return np.asarray(total.imag)

    def modes(self, frequencies: npt.ArrayLike, amplitudes: Any, decays: Any) -> Array:
        """Return what rings, ``x[t] = sum_p a_p exp(-t / decay_p) sin(2 pi f_p t + phase_p)``.

        Parameters
        ----------
        frequencies : array_like [shape=(p,), unit=Hz]
            Those at nyquist and above stay silent.
        amplitudes : array_like [shape=(p,)]
        decays : array_like [shape=(p,) or (), unit=s]

        Returns
        -------
        np.ndarray [shape=(count,)]
            In float32; the phases are random.
        """
        hertz = np.asarray(frequencies, np.float64)
        exponents = (1j * _TWO_PI * hertz - 1 / np.asarray(decays, np.float64)) / self.rate
        phases = np.exp(1j * _TWO_PI * self.random.random(len(hertz)))
        heard = np.where(hertz < self.rate / 2, amplitudes, 0) * phases
        # a geometric series: each block of it is the first one times a number
        block = 256
        starts = np.exp(np.outer(np.arange(0, len(self.time), block), exponents)) * heard
        first = np.exp(np.outer(exponents, np.arange(block)))
        rung = starts.astype(np.complex64) @ first.astype(np.complex64)
        return np.asarray(rung.imag.ravel()[: len(self.time)])

    def noise(self, gain: Callable[[Array], Array]) -> Array:
        """Return Gaussian noise through a filter.

        Parameters
        ----------
        gain : callable, np.ndarray [unit=Hz] -> np.ndarray of the same shape
            The filter's gain at each frequency.

        Returns
        -------
        np.ndarray [shape=(count,)]
            In float32; its RMS is 1.
        """
        size = 1 << len(self.time).bit_length()  # an FFT of any other size may be slow
        spectrum = np.fft.rfft(self.random.standard_normal(size, np.float32))
        spectrum *= gain(np.fft.rfftfreq(size, 1 / self.rate))
        return unit(np.fft.irfft(spectrum)[: len(self.time)])

    def held(self, attack: float, release: float) -> Array:
        """Return an envelope that rises, stays and falls, with the halves of a cosine.

        Parameters
        ----------
        attack, release : float [unit=s, range=(0, inf)]
            At most a third of the note each.

        Returns
        -------
        np.ndarray [shape=(count,), range=[0, 1]]
        """
        end = len(self.time) / self.rate
        rise = np.minimum(self.time / min(attack, end / 3), 1)
        fall = np.minimum((end - self.time) / min(release, end / 3), 1)
        return np.asarray(np.sin(np.pi / 2 * rise) ** 2 * np.sin(np.pi / 2 * fall) ** 2)

    def decay(self, seconds: float) -> Array:
        """Return an envelope that falls from 1 to 1 / e in a time.

        Parameters
        ----------
        seconds : float [unit=s, range=(0, inf)]

        Returns
        -------
        np.ndarray [shape=(count,), range=(0, 1]]
        """
        return np.exp(-self.time / seconds)

    def vibrato(self, hertz: float, depth: float) -> Array:
        """Return a vibrato, which sets in over 0.4 s.

        Parameters
        ----------
        hertz : float [unit=Hz]
        depth : float
            The greatest deviation, over the pitch.

        Returns
        -------
        np.ndarray [shape=(count,), range=[-depth, depth]]
        """
        onset = np.minimum(self.time / 0.4, 1) ** 2
        return np.asarray(
            depth * onset * np.sin(_TWO_PI * (hertz * self.time + self.random.random()))
        )


def unit(sound: Array) -> Array:
    """Return a sound with an RMS of 1, to be mixed.

    Parameters
    ----------
    sound : np.ndarray [shape=(n,)]

    Returns
    -------
    np.ndarray [shape=(n,)]
    """
    return np.asarray(sound / max(float(np.sqrt(np.mean(sound**2))), 1e-12))


def lowpass(hertz: Array, cutoff: float, order: float = 2) -> Array:
    """Return the gain of a Butterworth low-pass filter, ``1 / sqrt(1 + (f / cutoff)^2n)``.

    Parameters
    ----------
    hertz : np.ndarray [unit=Hz]
    cutoff : float [unit=Hz]
    order : float [range=(0, inf)]
        n, which makes 6 n dB per octave.

    Returns
    -------
    np.ndarray [shape as of hertz, range=[0, 1]]
    """
    return np.asarray(1 / np.sqrt(1 + (hertz / cutoff) ** (2 * order)))


def bandpass(hertz: Array, low: float, high: float, order: float = 2) -> Array:
    """Return the gain of a Butterworth high-pass and a low-pass filter, one after the other.

    Parameters
    ----------
    hertz : np.ndarray [unit=Hz]
    low, high : float [unit=Hz]
    order : float [range=(0, inf)]

    Returns
    -------
    np.ndarray [shape as of hertz, range=[0, 1]]
    """
    return np.asarray(np.sqrt(1 - lowpass(hertz, low, order) ** 2) * lowpass(hertz, high, order))


def formants(hertz: Array, peaks: Sequence[tuple[float, float, float]]) -> Array:
    """Return the gain of resonances in parallel, which stay where they are at every pitch.

    Parameters
    ----------
    hertz : np.ndarray [unit=Hz]
    peaks : sequence of (float [unit=Hz], float [unit=Hz], float)
        The centre, the bandwidth and the gain of each.

    Returns
    -------
    np.ndarray [shape as of hertz]
    """
    return np.asarray(
        sum(gain / np.sqrt(1 + ((hertz - at) / (wide / 2)) ** 2) for at, wide, gain in peaks)
    )
