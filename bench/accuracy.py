"""Accuracy: BFCC and MFCC of real sounds beside references in double precision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import scipy.fft
import scipy.signal
import soxr

import zounds

RATE, WINDOW, HOP = 22050, 1024, 512


def measure(data: Path | None) -> Iterator[str]:
    """Yield Markdown lines."""
    if data is None:
        yield "No real sounds here: give `--data`."
        return
    files = sorted(path for path in data.rglob("*") if path.suffix in (".mp3", ".flac", ".wav"))
    errors: dict[str, list[float]] = {"BFCC": [], "MFCC": []}
    windows = zounds.SlidingWindow(zounds.HalfLapped(), zounds.Hann())
    for path in files:
        samples = zounds.decode(path)
        mono = np.asarray(samples.mono)
        resampled = soxr.resample(mono, int(samples.samplerate), RATE, quality="HQ")
        spectrum = zounds.FFT()(windows(zounds.AudioSamples(resampled, RATE)))
        powers = _powers(resampled.astype(np.float64), len(spectrum))
        ours = np.asarray(zounds.BFCC()(zounds.BarkBands()(spectrum)))
        errors["BFCC"].append(_error(ours, _bfcc(powers)))
        ours = np.asarray(zounds.MFCC()(zounds.MelBands()(spectrum)))
        errors["MFCC"].append(_error(ours, _mfcc(powers)))
    yield f"{len(files)} files. The greatest difference within a file, relative to its greatest"
    yield "coefficient; wanted: 1e-4."
    yield ""
    yield "| | median | 99 % of files | worst file | files beyond 1e-4 |"
    yield "|---|---|---|---|---|"
    for name, found in errors.items():
        middle, most = np.percentile(found, [50, 99])
        beyond = sum(error > 1e-4 for error in found)
        yield f"| {name} | {middle:.1e} | {most:.1e} | {max(found):.1e} | {beyond} |"


def _error(ours: np.ndarray, reference: np.ndarray) -> float:
    return float(np.abs(ours - reference).max() / max(np.abs(reference).max(), 1e-12))


def _powers(samples: np.ndarray, frames: int) -> np.ndarray:
    """Power spectra in double precision, of frames cut and padded another way than ours."""
    padded = np.zeros((frames - 1) * HOP + WINDOW)
    padded[: len(samples)] = samples[: len(padded)]
    cut = np.stack([padded[i * HOP : i * HOP + WINDOW] for i in range(frames)])
    return np.abs(np.fft.rfft(cut * scipy.signal.get_window("hann", WINDOW))) ** 2


def _bfcc(powers: np.ndarray, bands: int = 100, start: float = 50.0) -> np.ndarray:
    hz = np.arange(powers.shape[1]) * RATE / WINDOW
    edges = 6 * np.arcsinh(np.array([start, RATE / 2]) / 600)
    edges = 600 * np.sinh(np.linspace(*edges, bands + 2) / 6)
    step = RATE / WINDOW
    filters = []
    for lower, centre, upper in zip(edges, edges[1:], edges[2:], strict=False):
        lower, upper = min(lower, centre - step), max(upper, centre + step)
        triangle = np.interp(hz, [lower, centre, upper], [0, 1, 0], left=0, right=0)
        filters.append(triangle / triangle.sum())
    decibels = 10 * np.log10(np.maximum(powers @ np.array(filters).T, zounds.BFCC.floor))
    return scipy.fft.dct(decibels, norm="ortho", axis=1)[:, 1:14]


def _mfcc(powers: np.ndarray) -> np.ndarray:
    filters = librosa.filters.mel(sr=RATE, n_fft=WINDOW, n_mels=128, dtype=np.float64)
    decibels = librosa.power_to_db(filters @ powers.T, top_db=None)
    return librosa.feature.mfcc(S=decibels, n_mfcc=20).T
