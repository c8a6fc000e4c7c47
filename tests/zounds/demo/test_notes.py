import numpy as np
import pytest

from zounds.demo.notes import Note, bandpass, formants, lowpass, unit

RATE = 8000


def note(pitch=440.0, loudness=0.5, count=RATE, seed=0):
    return Note(pitch, loudness, count, RATE, seed)


def magnitudes(sound):
    """Those of 1, 2, ... Hz, for a second of sound."""
    return np.abs(np.fft.rfft(sound)) / (len(sound) / 2)


def test_a_drum_is_tuned_by_a_quarter_of_the_interval():
    assert note(440).tuned(100) == 100
    assert note(440 * 16).tuned(100) == pytest.approx(200)


def test_brightness_rises_evenly_in_octaves():
    rising = [note(loudness=loud).brightness(1000, 16000) for loud in (0.25, 0.5, 1)]
    assert rising == pytest.approx([2000, 4000, 16000])


@pytest.mark.parametrize(("pitch", "many"), [(1000.0, 3), (999.0, 4), (3900.0, 1)])
def test_harmonics_stay_below_nyquist(pitch, many):
    numbers, hertz = note(pitch).harmonics
    assert numbers.tolist() == list(range(1, many + 1))
    assert hertz.tolist() == [pitch * number for number in numbers]


def test_harmonics_that_nobody_hears_are_left_out():
    assert Note(1000, 0.5, 1, 96000, 0).harmonics[1].max() == 19_000


def test_a_tone_has_the_harmonics_asked_for():
    found = magnitudes(note(500).tone([1.0, 0.0, 0.25, 0.5]))
    assert np.flatnonzero(found > 1e-4).tolist() == [500, 1500, 2000]
    assert found[[500, 1500, 2000]] == pytest.approx([1, 0.25, 0.5], rel=1e-4)


def test_a_tone_has_no_harmonics_above_nyquist():
    found = magnitudes(note(1500).tone(np.ones(8)))
    assert np.flatnonzero(found > 1e-4).tolist() == [1500, 3000]


def test_rolloff_weakens_each_harmonic_by_a_power_more():
    found = magnitudes(note(500).tone(np.ones(4), rolloff=0.5))
    assert found[[500, 1000, 1500, 2000]] == pytest.approx([0.5, 0.25, 0.125, 0.0625], rel=1e-4)


def test_vibrato_bends_the_pitch():
    found = magnitudes(note(500).tone([1.0], vibrato=0.1))
    assert found.argmax() == 550


def test_vibrato_sets_in_and_stays_within_its_depth():
    wobble = note().vibrato(5, 0.01)
    assert np.abs(wobble[:80]).max() < 1e-5
    assert np.abs(wobble).max() == pytest.approx(0.01, rel=1e-3)


def test_modes_ring_and_die():
    ringing = note(count=40000)
    rung = ringing.modes([600.0, 1400.0, 4000.0], [1.0, 0.5, 9.0], [5.0, 0.1, 1.0])
    phases = 2 * np.pi * note().random.random(3)
    time = np.arange(40000) / RATE
    expected = sum(
        level * np.exp(-time / decay) * np.sin(2 * np.pi * hertz * time + phase)
        for hertz, level, decay, phase in zip(
            [600, 1400], [1, 0.5], [5.0, 0.1], phases[:2], strict=True
        )
    )
    assert np.allclose(rung, expected, atol=1e-5)


def test_noise_has_the_spectrum_of_its_filter_and_an_rms_of_one():
    sound = note(count=20 * RATE).noise(lambda hertz: np.where(hertz < 2000, 1.0, 0.1))
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(1, rel=1e-5)
    power = np.abs(np.fft.rfft(sound)) ** 2
    low, high = power[: len(power) // 2].mean(), power[len(power) // 2 :].mean()
    assert low / high == pytest.approx(100, rel=0.05)


def test_the_seed_chooses_the_noise():
    first, again, other = (note(seed=seed).noise(np.ones_like) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.05


def test_what_is_held_rises_stays_and_falls():
    envelope = note().held(0.25, 0.125)
    assert envelope[0] == 0
    assert np.all(np.diff(envelope[:2000]) > 0)
    assert envelope[2000:7000] == pytest.approx(1)
    assert np.all(np.diff(envelope[7001:]) < 0)
    assert envelope[-1] < 1e-3
    assert envelope[[1000, 7500]] == pytest.approx(0.5)


def test_a_note_too_short_to_be_held_is_all_rise_and_fall():
    envelope = note(count=300).held(10, 10)
    assert envelope[[50, 250]] == pytest.approx(0.5)


def test_a_decay_falls_to_one_over_e():
    assert note().decay(0.5)[[0, 4000]] == pytest.approx([1, 1 / np.e])


def test_silence_has_no_rms_to_make_one():
    assert unit(np.zeros(3)).tolist() == [0, 0, 0]
    assert unit(np.array([3.0, -3.0])).tolist() == [1, -1]


def test_filters_have_the_gains_of_butterworth():
    hertz = np.array([0.0, 1000.0, 4000.0])
    assert lowpass(hertz, 1000) == pytest.approx([1, 0.5**0.5, 1 / 257**0.5])
    assert lowpass(hertz, 1000, 1) == pytest.approx([1, 0.5**0.5, 1 / 17**0.5])
    middle = bandpass(np.array([0.0, 10.0, 100.0, 1000.0, 10000.0]), 100, 1000)
    assert middle == pytest.approx([0, 0.01, 0.5**0.5, 0.5**0.5, 0.01], rel=1e-3)


def test_a_formant_is_half_as_strong_in_power_at_the_ends_of_its_bandwidth():
    gains = formants(np.array([450.0, 500.0, 550.0]), [(500, 100, 2.0)])
    assert gains == pytest.approx([2**0.5, 2, 2**0.5])
