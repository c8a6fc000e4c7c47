"""What a search returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
        What people call the document.
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
    query : np.ndarray [shape=(bits // 8,), dtype=uint8]
        The code that was searched for.
    hits : sequence of Hit
    audio : callable, Hit -> AudioSamples
        Finds the sound of a hit.
    """

    def __init__(
        self,
        query: npt.NDArray[np.uint8],
        hits: Sequence[Hit],
        audio: Callable[[Hit], AudioSamples],
    ) -> None:
        self.query = query
        self._hits = tuple(hits)
        self._audio = audio

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> SearchResults: ...
    def __getitem__(self, index: int | slice) -> Hit | SearchResults:
        if isinstance(index, slice):
            return SearchResults(self.query, self._hits[index], self._audio)
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
        """
        return self._audio(hit)

    def _repr_html_(self) -> str:
        return display.sound_list((_caption(hit), self._player(hit)) for hit in self._hits)

    def _player(self, hit: Hit) -> str:
        try:
            return self._audio(hit)._repr_html_() or display.message("not a sound")
        except Error as error:  # one missing file must not hide the other results
            return display.message(str(error))


def _caption(hit: Hit) -> str:
    return f"{hit.distance:4d}  {float(hit.time.start):8.2f} s  {hit.name}"
