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
PLAYED = 120
"""int [unit=s] : How much of a long sound a player has; 10 MB of HTML."""
_NUMBERS = "biufc"
_RANGE_DB = 80


def player(samples: Array, samplerate: int, seconds: float | None = None) -> str:
    """Return an HTML audio element that plays `samples`.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,) or (n, channels), range=[-1, 1]]
        Whatever is louder is clipped.
    samplerate : int [unit=Hz]
    seconds : float or None [unit=s]
        How long the sound is, where `samples` are only its beginning.

    Returns
    -------
    str
        The sound is in it: of long ones only the beginning, and it says so. A message instead,
        for rates and numbers of channels that no WAV file has.
    """
    import soundfile

    buffer = io.BytesIO()
    played = samples[: PLAYED * samplerate]
    played = np.nan_to_num(np.asarray(played, np.float32)).clip(-1, 1)
    try:
        soundfile.write(buffer, played, samplerate, format="WAV", subtype="PCM_16")
    except (soundfile.LibsndfileError, OverflowError):
        shape = " × ".join(map(str, samples.shape))
        return message(f"{shape} samples at {samplerate} Hz cannot be played")
    data = base64.b64encode(buffer.getvalue()).decode()
    audio = f'<audio controls preload="metadata" src="data:audio/wav;base64,{data}"></audio>'
    whole = max(len(samples) / samplerate, seconds or 0)
    if whole <= PLAYED:
        return audio
    return audio + message(f"the first {PLAYED} of {whole:,.0f} seconds")


def picture(values: Array, hop: float, frequencies: Sequence[float] | None = None) -> str | None:
    """Return an HTML picture of a time series, with time to the right.

    Parameters
    ----------
    values : np.ndarray [shape=(n,) or (n, columns)]
        One curve, or an image with the first column at the bottom. Spectra (complex numbers,
        columns with frequencies, and whatever is not negative and spans more than 60 dB) are
        drawn in decibels below their maximum: complex ones by their square, others as powers.
    hop : float [unit=s]
        The time from row to row.
    frequencies : sequence of float or None [unit=Hz]
        What the columns stand for.

    Returns
    -------
    str or None
        None for arrays that are empty, have more than two axes, or are not numbers.
    """
    if values.ndim not in (1, 2) or 0 in values.shape or values.dtype.kind not in _NUMBERS:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    seconds = len(values) * hop
    figure = Figure(figsize=(8, 2.4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    if values.ndim == 1:
        _draw_curve(axes, values, hop)
    else:
        _draw_image(axes, values, hop, frequencies)
    axes.set_xlim(0, seconds)
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


def _draw_curve(axes: Any, values: Array, hop: float) -> None:
    step = -(-len(values) // _MAX_COLUMNS)
    curve = _finite(np.abs(values) if np.iscomplexobj(values) else values)
    starts = np.arange(0, len(curve), step)
    times = starts * hop
    if step > 1:  # from the least to the greatest of each group, so that no peak is lost
        curve = np.stack([np.fmin.reduceat(curve, starts), np.fmax.reduceat(curve, starts)], 1)
        curve, times = curve.ravel(), times.repeat(2)
    axes.plot(times, curve, linewidth=0.8, marker="." if len(values) == 1 else None)


def _draw_image(axes: Any, values: Array, hop: float, frequencies: Sequence[float] | None) -> None:
    step = -(-len(values) // _MAX_COLUMNS)
    groups = (values[start : start + step] for start in range(0, len(values), step))
    rows = np.array([_greatest(group) for group in groups])
    levels, style, unit = _levels(rows, np.iscomplexobj(values) or frequencies is not None)
    image = axes.imshow(
        levels.T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(0, len(rows) * step * hop, -0.5, rows.shape[1] - 0.5),
        **style,
    )
    if unit is not None:
        axes.figure.colorbar(image, ax=axes, label=unit)
    if frequencies is None:
        axes.yaxis.get_major_locator().set_params(integer=True)
    else:
        ticks = np.unique(np.linspace(0, len(frequencies) - 1, 5).astype(int))
        axes.set_yticks(ticks, [f"{frequencies[tick]:,.0f} Hz" for tick in ticks])


def _greatest(rows: Array) -> Array:
    """Return the greatest value of each column; of complex numbers, the greatest square."""
    rows = _finite(np.abs(rows).astype(np.float64) ** 2 if np.iscomplexobj(rows) else rows)
    greatest: Array = np.fmax.reduce(rows, axis=0)
    return greatest


def _finite(values: Array) -> Array:
    """Return numbers as floats, with NaN, of which nothing is drawn, for infinity."""
    floats = np.asarray(values, np.float64)
    return np.where(np.isfinite(floats), floats, np.nan)


def _levels(image: Array, spectral: bool) -> tuple[Array, dict[str, Any], str | None]:
    """Return what to draw of `image`, in which colours, and the unit of a bar that explains them.

    None stands for no bar: zeros and ones, and all that are constant, have nothing to explain.
    """
    shown = image[np.isfinite(image)]
    if not shown.size or shown.min() == shown.max() or np.isin(shown, (0, 1)).all():
        return image, {"cmap": "gray_r", "vmin": 0, "vmax": 1}, None
    if shown.min() < 0:
        # a few columns are often far greater than all others, as the first of a cepstrum
        limit = np.percentile(np.abs(shown), 98) or np.abs(shown).max()
        return image, {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}, ""
    top = shown.max()
    if not spectral and shown[shown > 0].min() > top * 1e-6:
        return image, {"cmap": "magma"}, ""
    floor = 10 ** (-_RANGE_DB / 10)
    return 10 * np.log10(np.maximum(image / top, floor)), {"cmap": "magma"}, "dB"
