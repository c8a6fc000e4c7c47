"""Ready-made ways to describe sounds, to learn from them and to compare them, known by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Protocol

import numpy.typing as npt

import featureflow as ff
from featureflow.errors import InvalidParameter
from featureflow.node import Transform
from zounds.corpus.post import Post
from zounds.corpus.spaces import Space
from zounds.corpus.timbre import Timbre

DEFAULT = "timbre"


class Preset(Protocol):
    """What a corpus computes, learns and searches."""

    bits: int
    """The length of a code."""

    def sounds(self) -> type[ff.BaseModel]:
        """Return the model of sounds, without a database.

        Its root is ``meta``, `pcm` the samples, `facts` what `Facts` makes of them; stored are
        those features that learning and codes need.
        """
        ...

    def study(self, seed: int) -> type[ff.BaseModel]:
        """Return a model of the same sounds, with all that is learned from."""
        ...

    def studied(self, count: int, seed: int) -> Sequence[int]:
        """Return which of so many sounds are learned from by more than what is stored of each."""
        ...

    def learn(self, sounds: Iterable[Any], seed: int) -> Transform:
        """Return what is learned from documents of `study`.

        Raises
        ------
        LearningError
            If they are too few, or too much alike.
        """
        ...

    def coded(self, learned: Transform) -> type[ff.BaseModel]:
        """Return a model of the same sounds with what is compared: ``segments`` and ``clip``.

        `segments` is a time series [shape=(n, d)], `clip` the same with one row for the whole
        sound; both are stored.
        """
        ...

    def space(self, clips: npt.NDArray[Any]) -> Space:
        """Return where these clips [shape=(n, d)], and their segments, are compared."""
        ...


PRESETS: dict[str, type[Preset]] = {"post": Post, "timbre": Timbre}
"""dict of str to type : What there is, by name."""


@cache
def preset(name: str) -> Preset:
    """Return the preset of a name.

    Parameters
    ----------
    name : str
        ``timbre``, the best that this version has, see `Timbre`; or ``post``, the article's, see
        `Post`.

    Raises
    ------
    InvalidParameter
        If there is none of that name.
    """
    if name not in PRESETS:
        raise InvalidParameter(
            f"there is no preset {name!r}: choose from {', '.join(sorted(PRESETS))}"
        )
    return PRESETS[name]()
