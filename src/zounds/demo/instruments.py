"""Instruments made of formulas, for demonstrations and tests.

Each is a function of pitch, loudness, duration, sample rate and seed, see `Instrument`, in
`INSTRUMENTS` under its kind. What changes with pitch and loudness is what changes in the real
ones: louder is brighter, and the resonances of a body stay where they are.

The acoustics are those of Fletcher & Rossing, The Physics of Musical Instruments, 2nd ed. 1998,
unless an instrument names another source.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples
from zounds.demo.notes import Note, bandpass, formants, lowpass, unit
from zounds.dsp.synthesis import sample_count
from zounds.units import Number, SampleRate

Array = npt.NDArray[Any]

LOWEST_PITCH = 20.0
"""float [unit=Hz] : What is slower is heard as a rhythm, not as a pitch."""


class Instrument(Protocol):
    """What plays a note; all instruments have this signature."""

    def __call__(
        self,
        pitch_hz: float,
        loudness: float,
        duration: Number,
        samplerate: SampleRate | int,
        seed: int = 0,
    ) -> AudioSamples:
        """Return a note.

        Parameters
        ----------
        pitch_hz : float [unit=Hz, range=[20, nyquist)]
            The fundamental. Drums and noises, which have none, are tuned by a quarter of its
            distance from A4: two octaves of notes move them by half an octave.
        loudness : float [range=(0, 1]]
            The peak of the samples over 0.9. The louder, the brighter.
        duration : int, float or Fraction [unit=s, range=(0, inf)]
        samplerate : SampleRate or int [unit=Hz]
        seed : int [range=[0, inf)]
            Chooses phases and noises. The same arguments give the same bytes.

        Returns
        -------
        AudioSamples [shape=(n,), range=[-0.9, 0.9]]
            In float32, without DC, and faded to silence.

        Raises
        ------
        InvalidParameter
            If one of the numbers is out of its range.
        UnitsError
            If `samplerate` is not one of audio.
        """
        ...


INSTRUMENTS: dict[str, Instrument] = {}
"""dict of str to Instrument : Every instrument, by its kind."""


def _finished(sound: Array, note: Note) -> Array:
    """Return `sound` faded at both ends, without DC, at the level of its loudness."""
    count = len(sound)
    index = np.arange(count) + 0.5
    begin, end = min(0.001 * note.rate, count / 4), min(0.04 * note.rate, count / 4)
    window = np.minimum(index / begin, 1) * np.minimum((count - index) / end, 1) ** 2
    # the mean under the window is what makes the mean of the result zero, and its ends as well
    sound = (sound - np.sum(sound * window) / np.sum(window)) * window
    peak = max(float(np.abs(sound).max()), 1e-12)
    return np.asarray(sound * (0.9 * note.loudness / peak), np.float32)


def _instrument(body: Callable[[Note], Array]) -> Instrument:
    """Make an instrument of what plays its bare notes, and enter it under its name."""

    def play(
        pitch_hz: float,
        loudness: float,
        duration: Number,
        samplerate: SampleRate | int,
        seed: int = 0,
    ) -> AudioSamples:
        rate = AudioSamples([], samplerate).samplerate
        if not LOWEST_PITCH <= pitch_hz < rate.nyquist:
            raise InvalidParameter(
                f"pitch_hz is {pitch_hz}: give {LOWEST_PITCH:g} Hz or more, and less than half "
                f"of the sample rate ({float(rate.nyquist):g} Hz)"
            )
        if not 0 < loudness <= 1:
            raise InvalidParameter(f"loudness is {loudness}: give more than 0, up to 1")
        hertz = float(rate.samples_per_second)
        note = Note(pitch_hz, loudness, sample_count(duration, rate), hertz, seed)
        return AudioSamples(_finished(body(note), note), rate)

    play.__name__ = play.__qualname__ = body.__name__
    play.__doc__ = body.__doc__
    INSTRUMENTS[body.__name__] = play
    return play


@_instrument
def plucked(note: Note) -> Array:
    """Play a plucked string: the partials of a Karplus-Strong loop, which averages two samples.

    Karplus & Strong 1983; their decays are those of Jaffe & Smith 1983: a period takes
    ``cos(pi f / rate)`` of a partial. In closed form the pitch is exact at every rate.
    """
    numbers, hertz = note.harmonics
    losses = 2 + note.pitch * -np.log(np.cos(np.pi * hertz / 44100))
    amplitudes = np.abs(np.sin(np.pi * 0.13 * numbers)) / numbers**0.6
    return note.modes(hertz, amplitudes * lowpass(hertz, note.brightness(1800, 6000)), 1 / losses)


_VIOLIN = ((280, 60, 1.0), (460, 80, 1.2), (700, 200, 0.7), (1100, 500, 0.8), (2600, 1200, 1.1))


@_instrument
def bowed(note: Note) -> Array:
    """Play a bowed string: Helmholtz's sawtooth through the body of a violin, with vibrato."""
    numbers, hertz = note.harmonics
    body = formants(hertz, _VIOLIN) * lowpass(hertz, note.brightness(2500, 7000))
    tone = unit(note.tone(body / numbers, note.vibrato(5.8, 0.005)))
    bow = note.noise(lambda f: bandpass(f, 2000, 8000))
    return (tone + 0.04 * bow) * note.held(0.16, 0.12)


@_instrument
def blown(note: Note) -> Array:
    """Play a flute: few harmonics, and the breath across the hole."""
    levels = np.array([1, 0.5, 0.2, 0.08, 0.04, 0.02])
    amplitudes = levels * (0.4 + 0.6 * note.loudness) ** np.arange(6)
    tone = unit(note.tone(amplitudes, note.vibrato(4.8, 0.002)))
    tremble = 1 + 0.12 * np.sin(2 * np.pi * 4.8 * note.time)
    breath = note.noise(lambda f: bandpass(f, 700, note.brightness(2500, 5000), 1))
    chiff = 0.12 + 0.5 * note.decay(0.03)
    return (tone * tremble + chiff * breath) * note.held(0.07, 0.08)


@_instrument
def reed(note: Note) -> Array:
    """Play a clarinet: a closed cylinder has odd harmonics, the even ones come higher up."""
    numbers, hertz = note.harmonics
    even = np.minimum(0.04 * (hertz / 1500) ** 2, 0.5)
    levels = np.where(numbers % 2, 1.0, even) / numbers**0.4
    return note.tone(levels * lowpass(hertz, note.brightness(1300, 3200))) * note.held(0.04, 0.06)


@_instrument
def brass(note: Note) -> Array:
    """Play a trumpet: the spectrum widens as the envelope rises.

    Risset, Computer Study of Trumpet Tones, 1966.
    """
    _, hertz = note.harmonics
    swell = note.held(0.09, 0.1) * (0.8 + 0.2 * note.decay(0.15))
    width = note.brightness(1200, 3500) * swell + 60
    bell = bandpass(hertz, 1300, 5000, 1)
    tone = unit(note.tone(bell, rolloff=np.exp(-note.pitch / width)))
    return swell * (tone + 0.004 * note.noise(lambda f: bandpass(f, 1000, 9000, 1)))


@_instrument
def organ(note: Note) -> Array:
    """Play a tonewheel organ: six drawbars, a contact's click and a rotating loudspeaker."""
    levels = np.zeros(8)
    levels[[0, 1, 2, 3, 5, 7]] = [1.0, 0.9, 0.8, 0.6, 0.3, 0.4]
    levels[1:] *= 0.4 + 0.6 * note.loudness
    turn = np.sin(2 * np.pi * (6.7 * note.time + note.random.random()))
    tone = unit(note.tone(levels, 0.002 * turn)) * (1 + 0.25 * turn)
    click = note.noise(lambda f: bandpass(f, 800, 4000)) * note.decay(0.004)
    return (tone + 0.4 * click) * note.held(0.006, 0.02)


@_instrument
def marimba(note: Note) -> Array:
    """Play a wooden bar, arched so that its modes are 1 : 3.9 : 9.2, under a soft mallet."""
    hertz = note.pitch * np.array([1, 3.9, 9.2])
    levels = np.array([1, 0.5, 0.35]) * lowpass(hertz, note.brightness(600, 4000), 1)
    bar = note.modes(hertz, levels, 0.3 / np.array([1, 2, 4]) * (440 / note.pitch) ** 0.5)
    knock = note.noise(lambda f: bandpass(f, 300, note.brightness(500, 1500)))
    return unit(bar) + 0.2 * knock * note.decay(0.01)


@_instrument
def glockenspiel(note: Note) -> Array:
    """Play a steel bar: the modes of a free bar, 1 : 2.76 : 5.40 : 8.93, under a hard mallet."""
    ratios = np.array([1, 2.756, 5.404, 8.933, 13.34, 18.64])
    hertz = note.pitch * ratios
    levels = np.array([1, 0.9, 0.7, 0.5, 0.4, 0.3]) * lowpass(hertz, note.brightness(2500, 9000))
    bar = note.modes(hertz, levels, 1.1 / ratios**0.6 * (440 / note.pitch) ** 0.3)
    return bar + note.modes(hertz[2:] * 1.37, 0.5 * levels[2:], 0.02)


@_instrument
def bell(note: Note) -> Array:
    """Play a church bell: hum, prime, minor third, fifth and nominal, each a beating pair.

    The ratios are Fletcher & Rossing's; that low partials last longest and come in
    pairs a little apart is Risset's, An Introductory Catalogue of Computer Synthesized Sounds,
    1969.
    """
    ratios = np.array([0.5, 1, 1.183, 1.506, 2, 2.514, 2.662, 3.011, 4.166, 5.433, 6.796, 8.215])
    levels = np.array([0.5, 1, 0.8, 0.4, 0.9, 0.4, 0.4, 0.5, 0.5, 0.35, 0.25, 0.2])
    pair = np.concatenate([ratios, ratios + 1.3 / note.pitch])
    hertz = note.pitch * pair
    levels = np.tile(levels, 2) * lowpass(hertz, note.brightness(1500, 6000), 1)
    return note.modes(hertz, levels, 2.2 / pair**0.8)


@_instrument
def piano(note: Note) -> Array:
    """Play a piano: three stiff strings to a note, which a hammer of felt strikes at an eighth.

    The strings are a little out of tune, and so die twice: Weinreich 1977.
    """
    numbers, _ = note.harmonics
    stiff = note.pitch * numbers * np.sqrt(1 + 4e-4 * numbers**2) / np.sqrt(1 + 4e-4)
    struck = np.abs(np.sin(np.pi * numbers / 8.3)) / numbers**0.8
    levels = struck * lowpass(stiff, note.brightness(900, 3200), 1.5)
    decays = 1 / (1.2 * (note.pitch / 440) ** 0.5 + stiff / 1500)
    strings = note.modes(
        np.concatenate([stiff * cents for cents in (0.9997, 1, 1.0004)]),
        np.concatenate([levels, levels, 0.5 * levels]),
        np.concatenate([decays, 0.4 * decays, 2.5 * decays]),
    )
    thump = note.noise(lambda f: bandpass(f, 60, note.brightness(250, 700))) * note.decay(0.03)
    return unit(strings) + 0.25 * thump


_VOWEL_A = ((730, 90, 1.0), (1090, 110, 0.8), (2440, 170, 0.5), (3400, 250, 0.4))


@_instrument
def voice(note: Note) -> Array:
    """Play a voice that sings a: glottal pulses through the formants of Peterson & Barney 1952."""
    numbers, hertz = note.harmonics
    tract = formants(hertz, _VOWEL_A) * lowpass(hertz, 4000, 4)
    glottis = numbers ** (-1.6 + 0.7 * note.loudness)
    sung = unit(note.tone(tract * glottis, note.vibrato(5.2, 0.01)))
    breath = note.noise(lambda f: formants(f, _VOWEL_A[2:]) * bandpass(f, 1500, 5000))
    return (sung + 0.03 * breath) * note.held(0.08, 0.1)


@_instrument
def buzz(note: Note) -> Array:
    """Play a synthesizer: two narrow pulse waves, out of tune, and a filter that closes."""
    numbers, _ = note.harmonics
    pulse = np.sin(np.pi * numbers / 8) / numbers
    width = note.brightness(5000, 12000) * (0.5 + 0.5 * note.decay(0.5))
    filtered = np.exp(-note.pitch / width)
    waves = note.tone(pulse, 0.0, filtered) + 0.6 * note.tone(pulse, 0.006, filtered)
    return waves * note.held(0.005, 0.03)


@_instrument
def kick(note: Note) -> Array:
    """Play a bass drum: a slack head, whose pitch falls by two octaves, and the beater's click."""
    bend = 0.03
    # the integral of 1 + 3 exp(-t / bend)
    fallen = note.time + 3 * bend * (1 - note.decay(bend))
    head = np.sin(2 * np.pi * note.tuned(52) * fallen) * note.decay(0.16)
    click = note.noise(lambda f: bandpass(f, 800, note.brightness(1500, 5000)))
    return head + 0.15 * note.loudness * click * note.decay(0.004)


_MEMBRANE = np.array([1, 1.594, 2.136, 2.296, 2.653, 2.918, 3.156, 3.501])


@_instrument
def snare(note: Note) -> Array:
    """Play a snare drum: a small head, and wires that rattle against it."""
    head = note.modes(note.tuned(190) * _MEMBRANE[:4], [1, 0.7, 0.4, 0.3], 0.06)
    wires = note.noise(lambda f: bandpass(f, 1200, note.brightness(4500, 11000)))
    return unit(head) + 1.5 * unit(wires * note.decay(0.09))


@_instrument
def tom(note: Note) -> Array:
    """Play a tom-tom: the modes of a round membrane, the zeros of Bessel functions."""
    levels = np.array([1, 0.6, 0.35, 0.25, 0.25, 0.15, 0.15, 0.1])
    hertz = note.tuned(130) * _MEMBRANE
    levels = levels * lowpass(hertz, note.brightness(180, 600), 1)
    head = note.modes(hertz, levels, 0.28 / _MEMBRANE)
    stick = note.noise(lambda f: bandpass(f, 300, note.brightness(900, 2500))) * note.decay(0.008)
    return unit(head) + 0.5 * stick


def _cymbal(note: Note, seconds: float) -> Array:
    """Return a sheet of metal: so many modes that they are almost, but not quite, a noise."""
    spread = np.random.default_rng(808).random((2, 150))  # the same cymbal at every stroke
    hertz = note.tuned(1.0) * 3000 * 5 ** spread[0]
    levels = (0.2 + spread[1]) * bandpass(hertz, 5500, note.brightness(7000, 14000))
    metal = note.modes(hertz, levels, seconds * (0.5 + spread[1]))
    hiss = note.noise(lambda f: bandpass(f, 7000, 15000)) * note.decay(seconds)
    return unit(metal) + 0.8 * unit(hiss)


@_instrument
def closed_hat(note: Note) -> Array:
    """Play two small cymbals, pressed together."""
    return _cymbal(note, 0.03)


@_instrument
def open_hat(note: Note) -> Array:
    """Play two small cymbals that ring."""
    return _cymbal(note, 0.35)


@_instrument
def clap(note: Note) -> Array:
    """Play hands: three bursts of noise 11 ms apart, and the room."""
    saw = np.exp(-(note.time % 0.011) / 0.004)
    burst = np.where(note.time < 0.033, saw, 0.7 * np.exp(-(note.time - 0.033) / 0.06))
    centre = note.tuned(1250)
    hands = note.noise(lambda f: bandpass(f, 0.7 * centre, 1.3 * centre * (0.7 + note.loudness)))
    return hands * burst


@_instrument
def wind(note: Note) -> Array:
    """Play wind around a house: three bands of noise that come and go, each in its own time."""
    total = np.zeros_like(note.time)
    for at, level in ((350, 1.0), (700, 0.8), (1500, 0.5 * note.loudness)):
        peak = ((note.tuned(at), note.tuned(at) / 4, 1.0),)
        band = note.noise(partial(formants, peaks=peak))
        start, hertz = note.random.random(2)
        gust = 0.6 + 0.4 * np.sin(2 * np.pi * (start + (0.5 + hertz) * note.time))
        total += level * band * gust
    return total * note.held(0.3, 0.3)
