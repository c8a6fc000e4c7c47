"""Views of a sound: what changes in it while its timbre stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar
from zlib import crc32

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples
from zounds.dsp.spectrum import power
from zounds.dsp.synthesis import generator
from zounds.dsp.timbre import TimbreClip, TimbreSegments
from zounds.dsp.timbre_frames import Spectra, TimbreFrames, mono_samples
from zounds.dsp.timbre_windows import HERTZ, LONG, PER_SEGMENT, RATE
from zounds.dsp.windows import Hann

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Complex64 = npt.NDArray[np.complex64]

SEMITONES = 7.0  # transposition at most, up or down
_KEPT = 0.7  # the share of transposed views that have the envelope of the original
_EXCERPT = (0.4, 2.0)  # s
_LONGEST = 6 * HERTZ
_SHORTEST = 256
_BEGINNINGS = 0.25  # the share of moments that are surely the first segment
_HEARD = 20 * HERTZ  # samples of a sound that there are views of

_WINDOW, _HOP = 2048, 512
_MARGIN = _WINDOW - _HOP  # of zeros at either end, so that all samples are in four windows
_OVERLAP = 1.5  # what the squares of Hann windows add up to, four of them overlapping
_LIFTER = 48  # cepstral coefficients that make an envelope: its formants, and no harmonics
_LARGEST_GAIN = 4.6  # nepers, 40 dB
_FLOOR = 4e-10  # -94 dB relative to the highest peak: added to each bin


@dataclass(frozen=True)
class TimbreViews:
    """Node: mono audio to descriptors of `views` of it, and of a moment.

    `AudioSamples` [shape=(n,)] at 44.1 kHz, of which the first 20 s are heard, to one
    `np.ndarray` [shape=(count + 1, 330), dtype=float32]. The last row is a segment of 0.70 s, any
    of them, the first a little more often: a moment, by which one may search, shall be like the
    whole. See `zounds.dsp.timbre.describe`.

    Parameters
    ----------
    count : int [range=[1, inf)]
        The number of views.
    seed : int [range=[0, inf)]
        The same samples and the same seed give the same views; other samples give other ones.

    Raises
    ------
    InvalidParameter
        When it is used, if `count` or `seed` are not such numbers.
    """

    count: int = 4
    seed: int = 0
    revision: ClassVar[int] = 1

    def stream(self) -> _Viewing:
        """Return a stage for one run."""
        generator(self.seed)  # refuses what is no seed
        return _Viewing(self)


class _Viewing:
    """The first 20 s of a sound."""

    def __init__(self, node: TimbreViews) -> None:
        self._node = node
        self._parts: list[Float32] = []
        self._left = _HEARD

    def step(self, chunk: AudioSamples, /) -> Iterable[Float32]:
        """Take samples."""
        part = mono_samples(chunk, "TimbreViews")[: self._left].astype(np.float32)
        self._left -= len(part)
        self._parts.append(part)
        return ()

    def flush(self) -> Iterable[Float32]:
        """Return the descriptors."""
        if self._left == _HEARD:
            return ()
        sound = np.concatenate(self._parts)
        # not the same for all sounds: what is drawn alike for all would not count as variation
        seed = int(self._node.seed) << 32 | crc32(sound.tobytes())
        samples = AudioSamples(sound, RATE)
        made = [_described(view) for view in views(samples, self._node.count, seed)]
        random = generator(seed)
        segments = -(-LONG.count(len(sound)) // PER_SEGMENT)
        number = 0 if random.random() < _BEGINNINGS else int(random.integers(segments))
        start = number * PER_SEGMENT * LONG.hop
        moment = TimbreSegments()(next(_spectra(AudioSamples(sound[start:], RATE))))
        return (np.concatenate([*made, np.asarray(moment)]),)


def _described(view: AudioSamples) -> Float32:
    clip = TimbreClip().stream()
    for spectra in _spectra(view):
        clip.step(spectra)
    (described,) = clip.flush()
    return np.asarray(described)


def _spectra(samples: AudioSamples) -> Iterator[Spectra]:
    frames = TimbreFrames().stream()
    yield from frames.step(samples)
    yield from frames.flush()


def views(samples: AudioSamples, count: int = 4, seed: int = 0) -> list[AudioSamples]:
    """Return versions of a sound that differ in what is not its timbre.

    The first one is at the original pitch, the others are transposed by resampling, uniformly
    within 7 semitones. Of these, 70 % have the spectral envelope of the original put back, so
    that their formants stay where they were. Every second one is an excerpt of .4 to 2 s, the
    others have the first 6 s. All go through a random smooth equaliser.

    Parameters
    ----------
    samples : AudioSamples [shape=(n,)]
        Mono audio at 44.1 kHz, n of 1 or more.
    count : int [range=[1, inf)]
        The number of views.
    seed : int [range=[0, inf)]
        The same samples and the same seed give the same views, to the bit.

    Returns
    -------
    list of AudioSamples [shape=(k,)]
        At 44.1 kHz in float32, at least 256 samples each. Finite, also for silence.

    Raises
    ------
    UnitsError
        If `samples` is not mono audio at 44.1 kHz.
    InvalidParameter
        If there are no samples, `count` is less than 1, or `seed` is no seed.

    References
    ----------
    Röbel & Rodet, "Efficient spectral envelope estimation and its application to pitch shifting
    and envelope preservation", DAFx 2005.

    Examples
    --------
    >>> from zounds import SineSynthesizer, SR44100
    >>> tone = SineSynthesizer(SR44100()).synthesize(1)
    >>> [view.samplerate == tone.samplerate for view in views(tone, count=3)]
    [True, True, True]
    """
    sound = mono_samples(samples, "views").astype(np.float32, copy=False)
    if not len(sound) or count < 1:
        raise InvalidParameter(
            f"views(count={count}) of {len(sound)} samples: give at least 1 sample, and ask for "
            "at least 1 view"
        )
    rng = generator(seed)
    made = []
    for number in range(count):
        excerpt = _excerpt(sound, rng, shorten=number % 2 == 1)
        semitones = float(rng.uniform(-SEMITONES, SEMITONES)) if number else 0.0
        kept = bool(rng.random() < _KEPT)
        made.append(AudioSamples(_view(excerpt, semitones, kept, _equaliser(rng)), RATE))
    return made


def _excerpt(sound: Float32, rng: np.random.Generator, shorten: bool) -> Float32:
    length = int(HERTZ * rng.uniform(*_EXCERPT))
    if not shorten or len(sound) <= length:
        return sound[:_LONGEST]
    start = rng.integers(0, len(sound) - length)
    excerpt = sound[start : start + length]
    if np.square(excerpt).mean() < 0.01 * np.square(sound).mean():  # 20 dB softer: a pause
        return sound[:length]
    return excerpt


def _view(sound: Float32, semitones: float, kept: bool, equaliser: Float32) -> Float32:
    """Return a sound transposed and equalised, its envelope kept or not."""
    ratio = 2 ** (semitones / 12)
    transposed = _resampled(sound, ratio)
    spectra = _stft(transposed)
    gains = equaliser
    if semitones and kept:
        original = _stft(sound)
        peak = max(float(power(original).max()), 1e-30)  # of silence, anything
        # the frame of the original that was at the same place, to its nearest earlier one
        frames = np.minimum((np.arange(len(spectra)) * ratio).astype(int), len(original) - 1)
        change = _envelope(original, peak)[frames] - _envelope(spectra, peak)
        gains = gains + np.clip(change, -_LARGEST_GAIN, _LARGEST_GAIN)
    return _inverse_stft(spectra * np.exp(gains), len(transposed))


def _resampled(sound: Float32, ratio: float) -> Float32:
    """Return a sound played at `ratio` times its speed; at least 256 samples."""
    import soxr

    if ratio != 1:
        sound = soxr.resample(sound, HERTZ * ratio, HERTZ, quality="MQ")
    return np.pad(sound, (0, max(0, _SHORTEST - len(sound))))


def _equaliser(rng: np.random.Generator) -> Float32:
    """Return a random smooth curve [shape=(1025,), unit=Np]: a slope, and six cosines."""
    place = np.linspace(0, 1, _WINDOW // 2 + 1)
    heights = rng.standard_normal(6)
    slope, amplitude = rng.normal(0, 3), rng.uniform(0, 3)  # dB over all of it; dB
    waves = sum(h * np.cos(np.pi * k * place) / k for k, h in enumerate(heights, start=1))
    decibels = slope * (place - 0.5) + amplitude * waves
    return np.asarray(decibels * (np.log(10) / 20), np.float32)


def _envelope(spectra: Complex64, peak: float) -> Float32:
    """Return cepstrally smoothed log magnitudes [unit=Np, reference=the square root of `peak`]."""
    from scipy.fft import irfft, rfft

    cepstra = irfft(np.log(power(spectra) / np.float32(peak) + np.float32(_FLOOR)), axis=1)
    cepstra[:, _LIFTER : 1 - _LIFTER] = 0
    return np.asarray(rfft(cepstra, axis=1).real / 2)


def _stft(sound: Float32) -> Complex64:
    from scipy.fft import rfft

    hops = max(0, -(-(len(sound) + 2 * _MARGIN - _WINDOW) // _HOP))
    padded = np.zeros(hops * _HOP + _WINDOW, np.float32)
    padded[_MARGIN : _MARGIN + len(sound)] = sound
    return np.asarray(rfft(sliding_window_view(padded, _WINDOW)[::_HOP] * _hann(), axis=1))


def _inverse_stft(spectra: Complex64, count: int) -> Float32:
    from scipy.fft import irfft

    windows = irfft(spectra, axis=1) * _hann()
    result = np.zeros((len(windows) - 1) * _HOP + _WINDOW, np.float32)
    for phase in range(_WINDOW // _HOP):  # every fourth window: they do not overlap
        row = windows[phase :: _WINDOW // _HOP].ravel()
        result[phase * _HOP : phase * _HOP + len(row)] += row
    return result[_MARGIN : _MARGIN + count] / np.float32(_OVERLAP)


@lru_cache(maxsize=1)
def _hann() -> Float32:
    return Hann()(_WINDOW)
