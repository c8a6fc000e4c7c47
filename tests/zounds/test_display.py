import base64
import io
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.image import imread

from zounds import (
    FFT,
    SR22050,
    AudioSamples,
    BarkBands,
    ConstantRateTimeSeries,
    HalfLapped,
    Hann,
    SampleRate,
    SlidingWindow,
    display,
)
from zounds.learn.kmeans import Centroids

RATE = SampleRate(Fraction(1, 10), Fraction(1, 5))


def heard(html):
    """Decode the sound of a player as another program does."""
    (data,) = re.findall(r'<audio controls[^>]* src="data:audio/wav;base64,([^"]+)">', html)
    return soundfile.read(io.BytesIO(base64.b64decode(data, validate=True)), always_2d=True)


def seen(html):
    """Decode a picture: (height, width, rgb) between 0 and 1."""
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return imread(io.BytesIO(base64.b64decode(data, validate=True)))[:, :, :3]


@pytest.fixture
def titles(monkeypatch):
    """What is written on the pictures, from matplotlib itself."""
    from matplotlib.figure import Figure

    figures = []
    original = Figure.savefig

    def savefig(self, *args, **kwargs):
        figures.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return figures


# ---------------------------------------------------------------------------- players


@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("rate", [8000, 22050, 44100, 192000])
def test_a_player_plays_the_sound(rate, channels):
    samples = np.random.default_rng(0).uniform(-1, 1, (rate // 100, channels)).astype(np.float32)
    values, found = heard(AudioSamples(samples, rate)._repr_html_())
    assert found == rate
    np.testing.assert_allclose(values, samples, atol=2**-15)


def test_mono_is_one_channel():
    values, rate = heard(AudioSamples(np.linspace(-1, 1, 50), 11025)._repr_html_())
    assert values.shape == (50, 1)
    assert rate == 11025


def test_what_is_louder_than_possible_is_clipped_and_what_is_no_number_is_silent():
    loud = AudioSamples([2.0, -3.0, np.inf, -np.inf, np.nan, 0.5], 8000)
    values, _ = heard(loud._repr_html_())
    np.testing.assert_allclose(values[:, 0], [1, -1, 1, -1, 0, 0.5], atol=2**-14)
    assert np.isnan(loud[4])  # the sound itself is left alone


def test_nothing_plays_for_no_time():
    values, rate = heard(AudioSamples([], 8000)._repr_html_())
    assert (len(values), rate) == (0, 8000)


@pytest.mark.parametrize("rate", [Fraction(1, 3), 10**10])
def test_a_rate_that_no_file_has_is_said_instead(rate):
    html = AudioSamples(np.zeros(5), rate)._repr_html_()
    assert html == f"<em>5 samples at {round(rate)} Hz cannot be played</em>"


def test_too_many_channels_are_said_instead():
    assert "4 × 5000 samples" in AudioSamples(np.zeros((4, 5000)), 8000)._repr_html_()


# ---------------------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    "values",
    [
        np.sin(np.arange(100)),
        np.arange(100) > 50,
        np.exp(1j * np.arange(100)),
        np.full(100, np.nan),
        np.array([1.0]),
        np.random.default_rng(0).random((100, 30)),
        np.random.default_rng(0).standard_normal((100, 13)),
        np.random.default_rng(0).random((100, 30)) * 1j,
        np.random.default_rng(0).random((100, 30)).astype(np.float16),
        np.arange(3000).reshape(100, 30),
        np.eye(100, 30, dtype=bool),
        np.zeros((100, 30)),
        np.full((100, 30), -3.0),
        np.full((100, 30), np.nan),
        np.where(np.eye(100, 30), np.inf, -np.inf),
        np.full((1, 1), 5),
        np.zeros((100, 1)),
        np.geomspace(1e-12, 1, 3000).reshape(100, 30),
    ],
    ids=lambda values: f"{values.dtype}{values.shape}",
)
def test_a_series_is_a_picture_of_a_size_that_fits_a_notebook(values):
    html = ConstantRateTimeSeries(values, RATE)._repr_html_()
    shape = " × ".join(map(str, values.shape))
    assert f'alt="{shape} over {len(values) / 10:.2f} s"' in html
    height, width, _ = seen(html).shape
    assert 600 <= width <= 1000
    assert 150 <= height <= 400
    assert len(html) < 200_000


@settings(deadline=None)  # matplotlib takes its time
@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.int8, np.bool_, np.complex64]),
        hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=4),
    )
)
def test_whatever_the_numbers_there_is_a_picture(values):
    assert seen(display.picture(values, 0.1)).size


@pytest.mark.parametrize(
    "values", [np.zeros((0, 4)), np.zeros((4, 0)), np.zeros(0), np.zeros((2, 2, 2)), ["a", "b"]]
)
def test_what_cannot_be_drawn_shows_itself_as_text(values):
    assert ConstantRateTimeSeries(values, RATE)._repr_html_() is None


def test_the_axis_is_time_in_seconds(titles):
    ConstantRateTimeSeries(np.ones(50), RATE)._repr_html_()
    ConstantRateTimeSeries(np.ones((50, 3)), RATE)._repr_html_()
    ConstantRateTimeSeries(np.ones((4001, 3)), RATE)._repr_html_()
    for figure, end in zip(titles, (5, 5, 400.1), strict=True):
        assert figure.axes[0].get_xlabel() == "time [s]"
        assert figure.axes[0].get_xlim() == pytest.approx((0, end))


@pytest.mark.parametrize(("columns", "lowest"), [(100, "71 Hz"), (3, "290 Hz"), (1, "290 Hz")])
def test_bands_are_labelled_by_their_frequencies(titles, columns, lowest):
    tone = AudioSamples(np.sin(np.arange(22050.0)), SR22050())
    bark = BarkBands()(FFT()(SlidingWindow(HalfLapped(), Hann())(tone)))
    bark[:, slice(None) if columns == 100 else slice(10, 10 + columns)]._repr_html_()
    labels = [label.get_text() for label in titles[0].axes[0].get_yticklabels()]
    assert labels[0] == lowest
    assert len(labels) == len(set(labels)) == min(columns, 5)
    assert titles[0].axes[1].get_ylabel() == "dB"


def test_spectra_are_drawn_in_decibels_of_power(titles):
    amplitudes = np.array([[1.0, 0.1], [0.01, 0.0]])
    display.picture(amplitudes * 1j, 0.1)
    display.picture(amplitudes**2, 0.1, (100.0, 200.0))
    display.picture(np.array([[1.0, 1e-2], [1e-4, 0]]) * 7e-3 + 7e-11, 0.1)
    for figure in titles:
        drawn = figure.axes[0].images[0].get_array()
        np.testing.assert_allclose(drawn, [[0, -40], [-20, -80]], atol=0.01)


def test_numbers_of_both_signs_are_drawn_around_zero_and_others_as_they_are(titles):
    display.picture(np.array([[-1.0, 3.0]]), 0.1)
    display.picture(np.array([[1.0, 3.0]]), 0.1)
    low, high = titles[0].axes[0].images[0].get_clim()
    assert low == -high
    assert titles[1].axes[0].images[0].get_clim() == (1, 3)
    assert len(titles[1].axes) == 2  # with a colour bar
    assert titles[1].axes[1].get_ylabel() == ""


def test_codes_are_black_on_white_and_need_no_colour_bar(titles):
    codes = Centroids(np.eye(8)).transform(ConstantRateTimeSeries(np.eye(8), RATE))
    pixels = seen(codes._repr_html_())
    assert len(titles[0].axes) == 1
    black, white = (np.mean((pixels == value).all(axis=2)) for value in (0, 1))
    assert 0.05 < black < 0.2  # an eighth of the drawn area
    assert white > 0.7


def test_what_is_no_number_leaves_a_hole_and_the_rest_visible(titles):
    values = np.random.default_rng(0).random((4, 4))
    values[1, 2], values[2, 2], values[3, 3] = np.nan, np.inf, -np.inf
    display.picture(values, 0.1)
    drawn = titles[0].axes[0].images[0].get_array()
    assert np.ma.getmaskarray(drawn).T.tolist() == (~np.isfinite(values)).tolist()
    low, high = titles[0].axes[0].images[0].get_clim()
    assert 0 <= low < high <= 1


@pytest.mark.parametrize("rows", [2001, 123_457])
def test_in_long_series_no_peak_is_lost(titles, rows):
    curve = np.zeros(rows)
    curve[rows // 3], curve[rows // 2] = 1, -2
    codes = np.zeros((rows, 3), bool)
    codes[rows // 3, 1] = True
    display.picture(curve, 0.1)
    display.picture(codes, 0.1)
    line = titles[0].axes[0].lines[0]
    assert (line.get_ydata().min(), line.get_ydata().max()) == (-2, 1)
    assert len(line.get_ydata()) <= 4000
    assert line.get_xdata()[line.get_ydata().argmax()] == pytest.approx(rows // 3 / 10, rel=0.01)
    image = titles[1].axes[0].images[0]
    assert image.get_array().shape[1] <= 2000
    assert image.get_array().sum(axis=1).tolist() == [0, 1, 0]
    place = image.get_array()[1].argmax() / image.get_array().shape[1] * image.get_extent()[1]
    assert place == pytest.approx(rows // 3 / 10, rel=0.01)


# ---------------------------------------------------------------------------- lists and text


def test_names_are_text_whatever_they_contain():
    name = """<b>"Tom" & 'Ann'</b>"""
    html = display.sound_list([(name, "<audio></audio>"), ("plain", "<em></em>")])
    escaped = "&lt;b&gt;&quot;Tom&quot; &amp; &#x27;Ann&#x27;&lt;/b&gt;"
    assert html == (
        f"<ol><li><div>{escaped}</div><audio></audio></li><li><div>plain</div><em></em></li></ol>"
    )
    assert display.message(name) == f"<em>{escaped}</em>"
    assert display.sound_list([]) == "<ol></ol>"


# ---------------------------------------------------------------------------- imports

HEAVY = ["matplotlib", "sklearn", "torch", "fastapi", "dask", "av", "IPython", "numba", "soundfile"]


def test_importing_zounds_is_quick_and_pictures_import_matplotlib():
    script = f"""
import sys, zounds
heavy = [name for name in {HEAVY} if name in sys.modules]
assert not heavy, heavy
series = zounds.ConstantRateTimeSeries([1.0, 2.0], zounds.SR8000())
assert "matplotlib" not in sys.modules
assert series._repr_html_().startswith("<img")
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_of_a_long_sound_the_beginning_is_played_and_said_so():
    html = display.player(np.zeros(8000 * 300, np.float32), 8000)
    assert "the first 120 of 300 seconds" in html
    assert len(html) < 120 * 8000 * 2 * 4 / 3 + 1000
    assert "seconds" not in display.player(np.zeros(8000 * 120, np.float32), 8000)
