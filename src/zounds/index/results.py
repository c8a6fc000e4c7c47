"""What a search returns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from featureflow.errors import Error
from zounds import display
from zounds.arrays import AudioSamples
from zounds.units import TimeSlice


@dataclass(frozen=True)
class Hit:
    """A stretch of a document that a search has found; unpacks as ``(_id, time)``.

    Parameters
    ----------
    _id : str
        The document.
    time : TimeSlice [unit=s]
        Where in the document.
    distance : int [unit=bits, range=[0, bits]]
        How many bits of the codes differ.
    name : str
        The display name of the document, such as the name of its file.
    """

    _id: str
    time: TimeSlice
    distance: int
    name: str

    def __iter__(self) -> Iterator[Any]:
        return iter((self._id, self.time))


class SearchResults(Sequence[Hit]):
    """The hits of a search, the nearest first.

    In a notebook it shows itself as a list of players.

    Parameters
    ----------
    query : np.ndarray [shape=(ceil(bits / 8),), dtype=uint8]
        The code that was searched for.
    hits : sequence of Hit
    stretches_of : callable, (str, sequence of TimeSlice) -> list of AudioSamples
        Returns stretches of the sound of the document with that id; see `stretches`.

    Examples
    --------
    >>> from zounds import SR8000, NoiseSynthesizer
    >>> hits = [Hit("a", TimeSlice(0.5, 0.25), distance=3, name="a.wav")]
    >>> noise = NoiseSynthesizer(SR8000()).synthesize(1)
    >>> def stretches_of(_id, times):
    ...     return [noise[time] for time in times]
    >>> results = SearchResults(np.zeros(2, np.uint8), hits, stretches_of)
    >>> results
       3      0.50 s  a.wav
    >>> for _id, time in results:
    ...     print(_id, time)
    a TimeSlice(start=0.5s, duration=0.25s)
    >>> len(results.audio(results[0]))
    2000
    """

    def __init__(
        self,
        query: npt.NDArray[np.uint8],
        hits: Sequence[Hit],
        stretches_of: Callable[[str, Sequence[TimeSlice]], list[AudioSamples]],
    ) -> None:
        self.query = query
        self._hits = tuple(hits)
        self._stretches_of = stretches_of

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> SearchResults: ...
    def __getitem__(self, index: int | slice) -> Hit | SearchResults:
        if isinstance(index, slice):
            return SearchResults(self.query, self._hits[index], self._stretches_of)
        return self._hits[index]

    def __len__(self) -> int:
        return len(self._hits)

    def __repr__(self) -> str:
        return "\n".join(map(_caption, self._hits)) or "no results"

    def audio(self, hit: Hit) -> AudioSamples:
        """Return the sound of a hit.

        Raises
        ------
        featureflow.SourceError
            If the file it was computed from cannot be read any more.
        featureflow.UnavailableError
            If the sound was not kept, and what it was computed from cannot be had again.
        AudioError
            If the file cannot be decoded any more.
        SearchError
            If the codes were not computed from audio.
        """
        return self._stretches_of(hit._id, [hit.time])[0]

    def _repr_html_(self) -> str:
        players = self._players()
        return display.sound_list((_caption(hit), players[hit]) for hit in self._hits)

    def _players(self) -> dict[Hit, str]:
        """Return the player of each hit; each document is decoded once, one after the other."""
        by_document: dict[str, list[Hit]] = {}
        for hit in self._hits:
            by_document.setdefault(hit._id, []).append(hit)
        players = {}
        for _id, hits in by_document.items():
            try:
                parts = self._stretches_of(_id, [_played(hit.time) for hit in hits])
                for hit, part in zip(hits, parts, strict=True):
                    seconds = None if hit.time.duration is None else float(hit.time.duration)
                    rate = int(part.samplerate)
                    players[hit] = display.player(np.asarray(part), rate, seconds)
            except Error as error:  # one missing file must not hide the other results
                players.update(dict.fromkeys(hits, display.message(str(error))))
        return players


def stretches(document: Any, feature: str, times: Sequence[TimeSlice]) -> list[AudioSamples]:
    """Return stretches of a sound, which is decoded up to the end of the last one only.

    Parameters
    ----------
    document : document of a model
    feature : str
        Its feature that is audio.
    times : sequence of TimeSlice [unit=s]

    Returns
    -------
    list of AudioSamples, one for each time
        Shorter where the sound ends before.
    """
    parts: list[list[AudioSamples]] = [[] for _ in times]
    count = 0

    def take(chunk: AudioSamples) -> bool:
        nonlocal count
        hop = chunk.frequency
        for time, stretch in zip(times, parts, strict=True):
            first = math.floor(time.start / hop) - count
            stop = None if time.end is None else max(math.ceil(time.end / hop) - count, 0)
            part = chunk[max(first, 0) : stop]
            if len(part) or not stretch:
                stretch.append(part)
        count += len(chunk)
        return any(time.end is None or time.end > count * hop for time in times)

    document._computation().hand_out(feature, take)
    return [AudioSamples.joined(stretch) for stretch in parts]


def _played(time: TimeSlice) -> TimeSlice:
    """Return as much of a stretch as a player has."""
    if time.duration is None:
        return time
    return TimeSlice(time.start, min(time.duration, Fraction(display.PLAYED)))


def _caption(hit: Hit) -> str:
    return f"{hit.distance:4d}  {float(hit.time.start):8.2f} s  {hit.name}"
