from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import get_window

from featureflow.errors import InvalidParameter
from zounds.dsp.windows import Hamming, Hann, Vorbis

WINDOWS = [Hann(), Hamming(), Vorbis()]


@pytest.mark.parametrize("n", [1, 2, 7, 1024, 2229])
@pytest.mark.parametrize(("window", "name"), [(Hann(), "hann"), (Hamming(), "hamming")])
def test_cosine_windows_equal_scipys(window, name, n):
    weights = window(n)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, get_window(name, n), atol=1e-7)


def test_vorbis_window_by_its_formula():
    k = np.arange(9)
    expected = np.sin(np.pi / 2 * np.sin(np.pi * (k + 0.5) / 9) ** 2)
    assert Vorbis()(9).dtype == np.float32
    np.testing.assert_allclose(Vorbis()(9), expected, atol=1e-7)


def test_half_lapped_hann_windows_add_up_to_one():
    weights = Hann()(1024)
    np.testing.assert_allclose(weights[:512] + weights[512:], 1, atol=1e-6)


def test_squares_of_half_lapped_vorbis_windows_add_up_to_one():
    weights = Vorbis()(1024)
    np.testing.assert_allclose(weights[:512] ** 2 + weights[512:] ** 2, 1, atol=1e-6)


@pytest.mark.parametrize("window", WINDOWS)
def test_one_sample_is_not_silenced(window):
    assert window(1).tolist() == [1.0]


@pytest.mark.parametrize("window", WINDOWS)
def test_no_samples_are_refused(window):
    with pytest.raises(InvalidParameter, match="n=0 samples: give at least 1"):
        window(0)
