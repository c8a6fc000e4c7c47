"""Frequency scales, and the filters that gather the bins of a spectrum into their bands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from featureflow.codec import storable
from featureflow.errors import InvalidParameter
from zounds.units import FrequencyScale

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

_GROUP = 12  # bands that are filtered together: fastest of 4..100 for 513 bins and 100 bands


def hz_to_bark(hertz: npt.ArrayLike) -> Float64:
    """Return critical-band rates, ``6 asinh(f / 600)``.

    Parameters
    ----------
    hertz : array_like [unit=Hz, range=[0, inf)]

    Returns
    -------
    np.ndarray [unit=Bark]

    References
    ----------
    Wang, Sekey & Gersho, "An objective measure for predicting subjective quality of speech
    coders", IEEE J. Sel. Areas Commun. 10(5), 1992; the form is that of Schroeder, Atal & Hall,
    JASA 66(6), 1979, whose constants are 7 and 650.

    Examples
    --------
    >>> print(hz_to_bark([100, 1000, 10000]).round(2))
    [ 1.    7.7  21.04]
    """
    return np.asarray(6 * np.arcsinh(np.asarray(hertz, np.float64) / 600))


def bark_to_hz(bark: npt.ArrayLike) -> Float64:
    """Return frequencies, ``600 sinh(z / 6)``: the inverse of `hz_to_bark`.

    Parameters
    ----------
    bark : array_like [unit=Bark]

    Returns
    -------
    np.ndarray [unit=Hz]
    """
    return np.asarray(600 * np.sinh(np.asarray(bark, np.float64) / 6))


_MEL_HZ = 200 / 3  # below the break, a mel is so many hertz
_MEL_BREAK_HZ = 1000.0
_MEL_BREAK = _MEL_BREAK_HZ / _MEL_HZ
_MEL_LOG_STEP = math.log(6.4) / 27  # above it, a mel is this factor's logarithm


def hz_to_mel(hertz: npt.ArrayLike) -> Float64:
    """Return mels: linear below 1 kHz, logarithmic above.

    Parameters
    ----------
    hertz : array_like [unit=Hz, range=[0, inf)]

    Returns
    -------
    np.ndarray [unit=mel]

    References
    ----------
    Slaney, "Auditory Toolbox, version 2", Interval Research Corporation TR 1998-010, 1998.

    Examples
    --------
    >>> print(hz_to_mel([100, 1000, 6400]).round(2))
    [ 1.5 15.  42. ]
    """
    hz = np.asarray(hertz, np.float64)
    above = _MEL_BREAK + np.log(np.maximum(hz, _MEL_BREAK_HZ) / _MEL_BREAK_HZ) / _MEL_LOG_STEP
    return np.where(hz < _MEL_BREAK_HZ, hz / _MEL_HZ, above)


def mel_to_hz(mel: npt.ArrayLike) -> Float64:
    """Return frequencies: the inverse of `hz_to_mel`.

    Parameters
    ----------
    mel : array_like [unit=mel]

    Returns
    -------
    np.ndarray [unit=Hz]
    """
    mels = np.asarray(mel, np.float64)
    above = _MEL_BREAK_HZ * np.exp(_MEL_LOG_STEP * (np.maximum(mels, _MEL_BREAK) - _MEL_BREAK))
    return np.where(mels < _MEL_BREAK, mels * _MEL_HZ, above)


@storable("zounds.LinearScale")
@dataclass(frozen=True)
class LinearScale(FrequencyScale):
    """The bins of a discrete Fourier transform: multiples of one frequency, from 0 Hz.

    Parameters
    ----------
    step_hz : Fraction [unit=Hz, range=(0, inf)]
        From bin to bin: the sample rate over the number of samples transformed.
    size : int [range=[1, inf)]
        The number of bins.

    Raises
    ------
    InvalidParameter
        If either is not positive.

    Examples
    --------
    >>> LinearScale(Fraction(22050, 1024), 513).frequencies[-1]
    11025.0
    """

    step_hz: Fraction
    size: int

    def __post_init__(self) -> None:
        if not (self.step_hz > 0 and self.size >= 1):
            raise InvalidParameter(
                f"LinearScale(step_hz={self.step_hz}, size={self.size}): "
                "give a positive frequency and at least 1 bin"
            )
        object.__setattr__(self, "step_hz", Fraction(self.step_hz))

    def __len__(self) -> int:
        """Return the number of bins."""
        return self.size if self.bands is None else len(self.bands)

    @property
    def all_frequencies(self) -> tuple[float, ...]:
        """tuple of float [unit=Hz] : The frequency of every bin, correctly rounded."""
        return _bin_frequencies(self.step_hz, self.size)


@dataclass(frozen=True)
class BandScale(FrequencyScale):
    """Overlapping bands, equally spaced on a perceptual scale; base of `BarkScale` and `MelScale`.

    Parameters
    ----------
    start_hz : float [unit=Hz, range=[0, stop_hz)]
        Where the first band begins.
    stop_hz : float [unit=Hz]
        Where the last band ends. Each band reaches from the centre of the one before it to the
        centre of the one after it.
    n_bands : int [range=[1, inf)]

    Raises
    ------
    InvalidParameter
        If the parameters do not make a band.
    """

    start_hz: float
    stop_hz: float
    n_bands: int

    def __post_init__(self) -> None:
        check_bands(type(self).__name__, self.n_bands, self.start_hz, self.stop_hz)

    @property
    def edges(self) -> Float64:
        """np.ndarray [shape=(n_bands + 2,), unit=Hz] : The start, the centres and the stop."""
        raise NotImplementedError(f"{type(self).__name__} does not define its edges")

    @property
    def all_frequencies(self) -> tuple[float, ...]:
        """tuple of float [unit=Hz] : The centre of every band of the whole scale."""
        return _centre_frequencies(self)

    def filters(self, bins: LinearScale) -> Float64:
        """Return the weight of each bin in each band.

        Parameters
        ----------
        bins : LinearScale

        Returns
        -------
        np.ndarray [shape=(bins.size, n_bands), range=[0, inf)]
        """
        raise NotImplementedError(f"{type(self).__name__} does not define its filters")


@storable("zounds.BarkScale")
@dataclass(frozen=True)
class BarkScale(BandScale):
    """Bands that are equally spaced in Bark; see `hz_to_bark`.

    Parameters
    ----------
    start_hz : float [unit=Hz, range=[0, stop_hz)]
    stop_hz : float [unit=Hz]
    n_bands : int [range=[1, inf)]

    Examples
    --------
    >>> [round(hz) for hz in BarkScale(50.0, 11025.0, 3).frequencies]
    [672, 1849, 4555]
    """

    @property
    def edges(self) -> Float64:
        """np.ndarray [shape=(n_bands + 2,), unit=Hz] : The start, the centres and the stop."""
        start, stop = hz_to_bark([self.start_hz, self.stop_hz])
        return bark_to_hz(np.linspace(start, stop, self.n_bands + 2))

    def filters(self, bins: LinearScale) -> Float64:
        """Return triangles, each a weighted mean of the bins: its weights add up to one.

        Low bands are narrower than the bins of short windows. A triangle reaches at least one
        bin to either side, so that such a band is the spectrum interpolated linearly at its
        centre: no band is empty, and none jumps from bin to bin.

        Parameters
        ----------
        bins : LinearScale

        Returns
        -------
        np.ndarray [shape=(bins.size, n_bands), range=[0, 1]]
        """
        edges, step = self.edges, float(bins.step_hz)
        centres = edges[1:-1]
        lower = np.minimum(edges[:-2], centres - step)
        upper = np.maximum(edges[2:], centres + step)
        weights = triangular_filters(bins.all_frequencies, lower, centres, upper)
        return np.asarray(weights / weights.sum(axis=0))


@storable("zounds.MelScale")
@dataclass(frozen=True)
class MelScale(BandScale):
    """Bands that are equally spaced in mels; see `hz_to_mel`.

    Parameters
    ----------
    start_hz : float [unit=Hz, range=[0, stop_hz)]
    stop_hz : float [unit=Hz]
    n_bands : int [range=[1, inf)]
    """

    @property
    def edges(self) -> Float64:
        """np.ndarray [shape=(n_bands + 2,), unit=Hz] : The start, the centres and the stop."""
        start, stop = hz_to_mel([self.start_hz, self.stop_hz])
        return mel_to_hz(np.linspace(start, stop, self.n_bands + 2))

    def filters(self, bins: LinearScale) -> Float64:
        """Return triangles of equal area in hertz (Slaney 1998), as `librosa.filters.mel` has them.

        Parameters
        ----------
        bins : LinearScale

        Returns
        -------
        np.ndarray [shape=(bins.size, n_bands), unit=1/Hz]

        Raises
        ------
        InvalidParameter
            If a band is so narrow that no bin falls into it.
        """
        edges = self.edges
        lower, centres, upper = edges[:-2], edges[1:-1], edges[2:]
        weights = triangular_filters(bins.all_frequencies, lower, centres, upper)
        empty = np.flatnonzero(~weights.any(axis=0))
        if len(empty):
            raise InvalidParameter(
                f"{self.n_bands} mel bands from {self.start_hz:g} to {self.stop_hz:g} Hz: "
                f"{len(empty)} of them, the first at {centres[empty[0]]:.1f} Hz, fall between the "
                f"bins, which are {float(bins.step_hz):.1f} Hz apart: "
                "ask for fewer bands, or use longer windows"
            )
        return np.asarray(weights * (2 / (upper - lower)))


def triangular_filters(
    frequencies: npt.ArrayLike, lower: Float64, centres: Float64, upper: Float64
) -> Float64:
    """Return triangles that rise from `lower` to one at `centres`, and fall to `upper`.

    Parameters
    ----------
    frequencies : array_like [shape=(bins,), unit=Hz]
        Where the triangles are sampled.
    lower, centres, upper : np.ndarray [shape=(bands,), unit=Hz]

    Returns
    -------
    np.ndarray [shape=(bins, bands), range=[0, 1]]
    """
    hz = np.asarray(frequencies, np.float64)[:, np.newaxis]
    rising = (hz - lower) / (centres - lower)
    falling = (upper - hz) / (upper - centres)
    return np.maximum(0, np.minimum(rising, falling))


class FilterBank:
    """The filters of a scale, ready to be applied; made by `filter_bank`.

    Parameters
    ----------
    weights : np.ndarray [shape=(bins, bands)]

    Attributes
    ----------
    weights : np.ndarray [shape=(bins, bands), dtype=float32]
    """

    def __init__(self, weights: Float64) -> None:
        self.weights = weights.astype(np.float32)
        self.weights.setflags(write=False)
        # Nearly all weights are zero: matrix products of the bins that a group of neighbouring
        # bands uses are 5 times as fast as the whole product, and twice as fast as a CSR matrix.
        self._parts = []
        for start in range(0, self.weights.shape[1], _GROUP):
            group = slice(start, start + _GROUP)
            used = np.flatnonzero(self.weights[:, group].any(axis=1))
            bins = slice(int(used[0]), int(used[-1]) + 1)
            self._parts.append((bins, group, np.ascontiguousarray(self.weights[bins, group])))

    def __call__(self, powers: Array, /) -> Array:
        """Return the power of each band.

        Parameters
        ----------
        powers : np.ndarray [shape=(m, bins), range=[0, inf)]

        Returns
        -------
        np.ndarray [shape=(m, bands), range=[0, inf)]
            Equal to ``powers @ weights``, of the dtype of `powers`.
        """
        result = np.empty((len(powers), self.weights.shape[1]), powers.dtype)
        for bins, group, weights in self._parts:
            np.matmul(powers[:, bins], weights, out=result[:, group])
        return result


@lru_cache(maxsize=64)
def filter_bank(scale: BandScale, bins: LinearScale) -> FilterBank:
    """Return the filters that gather `bins` into the bands of `scale`, computed once for each.

    Parameters
    ----------
    scale : BarkScale or MelScale
    bins : LinearScale

    Returns
    -------
    FilterBank

    Raises
    ------
    InvalidParameter
        If a band has no bin, or reaches beyond the bins.
    """
    # of an odd number of samples, the Nyquist frequency lies half a bin above the last bin
    if scale.stop_hz > bins.step_hz * (bins.size - Fraction(1, 2)):
        raise InvalidParameter(
            f"stop_hz={scale.stop_hz:g}: the spectrum ends at {bins.all_frequencies[-1]:g} Hz: "
            "stop there at the latest, or leave stop_hz out"
        )
    return FilterBank(scale.filters(bins))


def check_bands(owner: str, n_bands: int, start_hz: float, stop_hz: float) -> None:
    """Check the parameters that make bands.

    Raises
    ------
    InvalidParameter
        In the name of `owner`, if there is no band, or it does not go up from 0 Hz or more.
    """
    if n_bands < 1:
        raise InvalidParameter(f"{owner}(n_bands={n_bands}): give at least 1 band")
    if not 0 <= start_hz < stop_hz:
        raise InvalidParameter(
            f"{owner}(start_hz={start_hz}, stop_hz={stop_hz}): "
            "give a start of 0 Hz or more, below the stop"
        )


@lru_cache(maxsize=64)
def _bin_frequencies(step_hz: Fraction, size: int) -> tuple[float, ...]:
    return tuple(k * step_hz.numerator / step_hz.denominator for k in range(size))


@lru_cache(maxsize=64)
def _centre_frequencies(scale: BandScale) -> tuple[float, ...]:
    return tuple(scale.edges[1:-1].tolist())
