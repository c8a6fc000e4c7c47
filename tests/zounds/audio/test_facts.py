import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zounds.arrays import AudioSamples
from zounds.audio.facts import Facts
from zounds.errors import UnitsError


def facts(chunks):
    stage = Facts().stream()
    return [*(fact for chunk in chunks for fact in stage.step(chunk)), *stage.flush()]


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=6),
    st.integers(1, 8),
    st.sampled_from([8000, 11025, 44100, 96000]),
)
def test_they_are_the_same_however_the_sound_is_cut(sizes, channels, rate):
    shape = (sum(sizes),) if channels == 1 else (sum(sizes), channels)
    sound = AudioSamples(np.zeros(shape, np.float32), rate)
    ends = np.cumsum(sizes)
    (found,) = facts([sound[end - size : end] for end, size in zip(ends, sizes, strict=True)])
    assert found == {
        "samplerate": float(rate),
        "channels": channels,
        "samples": sum(sizes),
        "seconds": sum(sizes) / rate,
    }
    assert list(map(type, found.values())) == [float, int, int, float]


def test_of_nothing_there_are_none():
    assert facts([]) == []
    assert facts([AudioSamples(np.zeros(0, np.float32), 44100)]) == []


@pytest.mark.parametrize("wrong", [np.zeros(10), [0.0], None, AudioSamples([0.0], 44100)[0]])
def test_samples_without_a_rate_are_refused(wrong):
    with pytest.raises(UnitsError, match="samples without a sample rate"):
        Facts().stream().step(wrong)
