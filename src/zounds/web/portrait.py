"""How a sound looks: its waveform in columns, and its Bark bands as a grey picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

import featureflow as ff
from featureflow.codec import decode, encode
from featureflow.plan import plan
from featureflow.run import run
from zounds.arrays import AudioSamples
from zounds.dsp.features import BarkBands
from zounds.feature_types import AudioSamplesFeature, ConstantRateTimeSeriesFeature
from zounds.pipelines import stft

Picture = npt.NDArray[np.uint8]

_BLOCKS = 4000  # of a waveform, the most
_FRAMES = 2000  # of a picture, the most
_RANGE_DB = 60
_FULL = 127
_PARTS = ("low", "high", "rms", "picture", "peak")


@dataclass(frozen=True)
class Portrait:
    """A sound, as far as it is drawn.

    Attributes
    ----------
    low, high : np.ndarray [shape=(n,), dtype=int8]
        The least and the greatest sample of each block, of all channels; 127 is `peak`.
    rms : np.ndarray [shape=(n,), dtype=uint8]
        The root of the mean square of each block, on the same scale.
    picture : np.ndarray [shape=(bands, frames), dtype=uint8]
        The highest band first; 0 is 60 dB or more below the loudest, 255 the loudest.
    peak : float
        The loudest sample; 1 is full scale.
    """

    low: npt.NDArray[np.int8]
    high: npt.NDArray[np.int8]
    rms: npt.NDArray[np.uint8]
    picture: Picture
    peak: float

    def peaks(self, columns: int) -> dict[str, Any]:
        """Return the waveform in at most so many columns, as plain values."""
        return {
            "peak": float(self.peak),
            "columns": min(columns, len(self.low)),
            "low": _grouped(self.low, columns, np.minimum).tolist(),
            "high": _grouped(self.high, columns, np.maximum).tolist(),
            "rms": _grouped(self.rms, columns, np.maximum).tolist(),
        }

    def png(self, width: int) -> bytes:
        """Return the picture, at most so many pixels wide, as a PNG file."""
        return png(_grouped(self.picture.T, width, np.maximum).T)

    def packed(self) -> bytes:
        """Return it as bytes."""
        return zlib.compress(encode({name: getattr(self, name) for name in _PARTS}), 1)

    @staticmethod
    def unpacked(data: bytes) -> Portrait:
        """Return what was packed; raises `featureflow.CorruptRecord` for anything else."""
        try:
            return Portrait(**decode(zlib.decompress(data)))
        except (zlib.error, TypeError) as error:
            raise ff.CorruptRecord(f"a drawing of a sound cannot be read ({error})") from None


def portrait(chunks: Iterator[AudioSamples], count: int, samplerate: float) -> Portrait:
    """Draw a sound, in one pass and in little memory.

    Parameters
    ----------
    chunks : iterator of AudioSamples
    count : int [unit=samples]
        How many there are.
    samplerate : float [unit=Hz]

    Returns
    -------
    Portrait
    """
    waveform = _Waveform(-(-count // _BLOCKS))
    bands = _Bands(count / samplerate)
    graph = _seen().graph
    todo = plan(graph, ["bark"], have=lambda _: False)

    def emit(name: str, chunk: Any) -> None:
        if name == "pcm":
            waveform.add(np.asarray(chunk))
        elif name == "bark":
            bands.add(np.asarray(chunk))

    run(todo, {"pcm": [chunks]}, emit)
    low, high, rms = waveform.columns()
    peak = float(max(-low.min(), high.max(), 0))
    return Portrait(
        _scaled(low, peak).astype(np.int8),
        _scaled(high, peak).astype(np.int8),
        _scaled(rms, peak).astype(np.uint8),
        bands.picture(),
        peak,
    )


@cache
def _seen() -> Any:
    """Return the model whose Bark bands are shown, of samples."""
    base: Any = stft()

    class Seen(base):  # type: ignore[misc]
        meta = None
        pcm = AudioSamplesFeature(ff.IteratorNode)
        bark = ConstantRateTimeSeriesFeature(BarkBands, needs=base.fft)

    return Seen


class _Waveform:
    """Blocks of samples; what does not fill one waits.

    Parameters
    ----------
    size : int [unit=samples]
        Of a block.
    """

    def __init__(self, size: int) -> None:
        self._size = max(1, size)
        self._rest: npt.NDArray[Any] | None = None
        self._parts: list[tuple[npt.NDArray[Any], ...]] = []

    def add(self, chunk: npt.NDArray[Any]) -> None:
        samples = chunk.reshape(len(chunk), -1)
        if self._rest is not None and len(self._rest):
            samples = np.concatenate((self._rest, samples))
        whole = len(samples) - len(samples) % self._size
        self._rest = samples[whole:].copy()
        if whole:
            self._reduce(samples[:whole].reshape(whole // self._size, -1))

    def _reduce(self, blocks: npt.NDArray[Any]) -> None:
        rms = np.sqrt(np.einsum("ij,ij->i", blocks, blocks, dtype=np.float64) / blocks.shape[1])
        self._parts.append((blocks.min(axis=1), blocks.max(axis=1), rms))

    def columns(self) -> Any:
        if self._rest is not None and len(self._rest):
            self._reduce(self._rest.reshape(1, -1))
        return tuple(map(np.concatenate, zip(*self._parts, strict=True)))


def _scaled(values: npt.NDArray[Any], peak: float) -> npt.NDArray[Any]:
    scaled: npt.NDArray[Any] = np.rint(values * (_FULL / (peak or 1))).clip(-_FULL, _FULL)
    return scaled


class _Bands:
    """Spectra, of which the greatest of several make a column.

    Parameters
    ----------
    seconds : float [unit=s]
        How long the sound is.
    """

    def __init__(self, seconds: float) -> None:
        frames = seconds * 22050 / 512
        self._group = max(1, int(np.ceil(frames / _FRAMES)))
        self._rows: list[npt.NDArray[Any]] = []

    def add(self, chunk: npt.NDArray[Any]) -> None:
        # the groups of a chunk end with it: chunks are blocks of 512 frames, but for the last
        starts = np.arange(0, len(chunk), self._group)
        self._rows.append(np.maximum.reduceat(chunk, starts, axis=0))

    def picture(self) -> Picture:
        return levels(np.concatenate(self._rows), spectral=True)


def levels(values: npt.NDArray[Any], spectral: bool) -> Picture:
    """Return a time series as a grey picture.

    Parameters
    ----------
    values : np.ndarray [shape=(n,) or (n, columns)]
        Of spectra the powers.
    spectral : bool
        Whether to show decibels below the greatest, 60 at most; else from least to greatest.

    Returns
    -------
    np.ndarray [shape=(columns, n), dtype=uint8]
        The last column first: the highest stands at the top.
    """
    rows = np.abs(values) ** 2 if np.iscomplexobj(values) else values
    rows = np.asarray(rows, np.float64).reshape(len(values), -1)
    rows = np.where(np.isfinite(rows), rows, 0)
    least, greatest = rows.min(), rows.max()
    if spectral:
        floor = greatest * 10 ** (-_RANGE_DB / 10)
        grey = (
            1 + 10 * np.log10(np.maximum(rows, floor) / greatest) / _RANGE_DB if greatest else rows
        )
    else:
        grey = (rows - least) / ((greatest - least) or 1)
    picture: Picture = np.rint(grey.T[::-1].clip(0, 1) * 255).astype(np.uint8)
    return picture


def png(picture: Picture) -> bytes:
    """Return a grey picture [shape=(height, width)] as a PNG file."""
    height, width = picture.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = picture
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
            _part(b"IDAT", zlib.compress(rows.tobytes(), 6)),
            _part(b"IEND", b""),
        )
    )


def _part(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _grouped(values: npt.NDArray[Any], columns: int, reduce: np.ufunc) -> npt.NDArray[Any]:
    """Return values along the first axis, in at most so many groups of about the same size."""
    if len(values) <= columns:
        return values
    starts = np.arange(columns) * len(values) // columns
    grouped: npt.NDArray[Any] = reduce.reduceat(values, starts, axis=0)
    return grouped


def grouped_picture(picture: Picture, width: int) -> Picture:
    """Return a picture that is at most so many pixels wide."""
    return _grouped(picture.T, width, np.maximum).T
