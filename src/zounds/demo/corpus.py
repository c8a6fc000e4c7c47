"""The demo corpus: notes of every instrument, whose kinds are known, with nothing to download."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import product

import numpy as np

from featureflow.errors import InvalidParameter
from zounds.arrays import AudioSamples
from zounds.demo.instruments import INSTRUMENTS
from zounds.dsp.synthesis import generator
from zounds.units import Milliseconds, SampleRate

LOWEST_NOTE = 57
"""int [unit=semitones] : A3, where the two octaves of `demo_corpus` begin."""

_PITCHES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_DYNAMICS = {
    "pianissimo": 0.15,
    "piano": 0.3,
    "mezzopiano": 0.45,
    "mezzoforte": 0.6,
    "forte": 0.8,
    "fortissimo": 1.0,
}


def demo_corpus(
    samplerate: SampleRate | int = 44100, pitches: int = 9, loudnesses: int = 3, seed: int = 0
) -> Iterator[tuple[str, AudioSamples]]:
    """Return notes of every instrument, over two octaves from A3, of about a second each.

    Parameters
    ----------
    samplerate : SampleRate or int [unit=Hz]
    pitches : int [range=[1, 25]]
        How many, evenly spaced in semitones.
    loudnesses : int [range=[1, 6]]
        How many, evenly spaced from pianissimo to fortissimo.
    seed : int [range=[0, inf)]
        A note depends on this, its name and the sample rate, not on which others there are.

    Returns
    -------
    iterator of (str, AudioSamples)
        Names are ``kind/kind_pitch_dynamic.wav``; sounds are made as they are asked for.

    Raises
    ------
    InvalidParameter
        If a number is out of its range.
    UnitsError
        If `samplerate` is not one of audio.

    Examples
    --------
    >>> name, sound = next(demo_corpus(8000, loudnesses=2))
    >>> name, sound.samplerate
    ('plucked/plucked_A3_piano.wav', AudioSampleRate(8000))
    """
    for name, value, most in (("pitches", pitches, 25), ("loudnesses", loudnesses, 6)):
        if value not in range(1, most + 1):
            raise InvalidParameter(f"{name} is {value!r}: give a whole number from 1 to {most}")
    generator(seed)
    rate = AudioSamples([], samplerate).samplerate
    notes = [LOWEST_NOTE + 24 * i // max(pitches - 1, 1) for i in range(pitches)]
    # the middles of equal parts: one is mezzoforte, two are piano and forte
    dynamics = [list(_DYNAMICS)[(2 * i + 1) * 6 // (2 * loudnesses)] for i in range(loudnesses)]
    played = product(INSTRUMENTS, notes, dynamics)
    return (_played(kind, note, dynamic, rate, seed) for kind, note, dynamic in played)


def _played(
    kind: str, note: int, dynamic: str, rate: SampleRate, seed: int
) -> tuple[str, AudioSamples]:
    name = f"{kind}/{kind}_{pitch_name(note)}_{dynamic}.wav"
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    duration = Milliseconds(int(random.integers(900, 1300)))
    hertz = 440 * 2 ** ((note - 69) / 12)
    own_seed = int(random.integers(2**32))
    return name, INSTRUMENTS[kind](hertz, _DYNAMICS[dynamic], duration, rate, own_seed)


def pitch_name(note: int) -> str:
    """Return the scientific name of a pitch.

    Parameters
    ----------
    note : int [unit=semitones]
        As MIDI counts them: 60 is C4, 69 is A4.

    Returns
    -------
    str
        With flats: in a URL, a sharp would begin the fragment.

    Examples
    --------
    >>> [pitch_name(note) for note in (57, 60, 61)]
    ['A3', 'C4', 'Db4']
    """
    octave, step = divmod(note, 12)
    return f"{_PITCHES[step]}{octave - 1}"
