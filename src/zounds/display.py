"""How sounds and features show themselves in a notebook: HTML that needs nothing else.

Plain arrays and numbers in, HTML out. Matplotlib and soundfile are imported when a picture or a
player is asked for, not before.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_MAX_COLUMNS = 2000


def player(samples: Array, samplerate: int) -> str:
    """Return an HTML audio element that plays `samples`.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,) or (n, channels), range=[-1, 1]]
        Whatever is louder is clipped.
    samplerate : int [unit=Hz]

    Returns
    -------
    str
    """
    import soundfile

    buffer = io.BytesIO()
    samples = np.nan_to_num(np.asarray(samples, np.float32)).clip(-1, 1)
    soundfile.write(buffer, samples, samplerate, format="WAV", subtype="PCM_16")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<audio controls preload="metadata" src="data:audio/wav;base64,{data}"></audio>'


def picture(values: Array, hop: float, frequencies: Sequence[float] | None = None) -> str | None:
    """Return an HTML picture of a time series, with time to the right.

    Parameters
    ----------
    values : np.ndarray [shape=(n,) or (n, columns)]
        One curve, or an image with the first column at the bottom. Non-negative numbers that
        span more than 60 dB are drawn on a logarithmic scale, complex ones by magnitude.
    hop : float [unit=s]
        The time from row to row.
    frequencies : sequence of float or None [unit=Hz]
        What the columns stand for.

    Returns
    -------
    str or None
        None for arrays that are empty or have more than two axes.
    """
    if values.ndim not in (1, 2) or 0 in values.shape:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    step = -(-len(values) // _MAX_COLUMNS)
    seconds = len(values) * hop
    shown = np.abs(values[::step]) if np.iscomplexobj(values) else values[::step]
    figure = Figure(figsize=(8, 2.4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    if shown.ndim == 1:
        axes.plot(np.arange(len(shown)) * hop * step, shown, linewidth=0.8)
        axes.set_xlim(0, seconds)
    else:
        image, unit = _levels(np.asarray(shown, np.float64))
        bar = axes.imshow(
            image.T,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            extent=(0, seconds, -0.5, image.shape[1] - 0.5),
            cmap="magma",
        )
        figure.colorbar(bar, ax=axes, label=unit)
        if frequencies is not None:
            ticks = np.linspace(0, len(frequencies) - 1, 5).astype(int)
            axes.set_yticks(ticks, [f"{frequencies[tick]:,.0f} Hz" for tick in ticks])
    axes.set_xlabel("time [s]")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    data = base64.b64encode(buffer.getvalue()).decode()
    shape = " × ".join(map(str, values.shape))
    label = escape(f"{shape} over {seconds:.2f} s", quote=True)
    return f'<img alt="{label}" title="{label}" src="data:image/png;base64,{data}">'


def sound_list(items: Iterable[tuple[str, str]]) -> str:
    """Return an HTML list of players, each under its caption.

    Parameters
    ----------
    items : iterable of (str, str)
        A caption, as plain text, and the HTML of its player.

    Returns
    -------
    str
    """
    rows = (f"<li><div>{escape(caption)}</div>{sound}</li>" for caption, sound in items)
    return f"<ol>{''.join(rows)}</ol>"


def message(text: str) -> str:
    """Return plain text as HTML that stands where something is missing."""
    return f"<em>{escape(text)}</em>"


def _levels(image: Array) -> tuple[Array, str]:
    """Return what to draw of `image`, and its unit: decibels where it spans several decades."""
    finite = np.nan_to_num(image)
    top = finite.max()
    if finite.min() < 0 or top <= 0 or (finite[finite > 0].min() > top * 1e-6):
        return finite, ""
    return 10 * np.log10(np.maximum(finite, top * 1e-8) / top), "dB"
