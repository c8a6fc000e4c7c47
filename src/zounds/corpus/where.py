"""Which sounds are wanted, of all there are: by where they lie, and by what they are."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from featureflow.errors import InvalidParameter
from zounds.corpus.places import shown

Some = Any  # one of them, or several


@dataclass(frozen=True)
class Where:
    """Which sounds are wanted; all that is given must hold.

    Parameters
    ----------
    folder : path, URL, or several of these
        Folders or archives: what lies in one of them, however deep. A name, such as ``kicks`` or
        ``drums/kicks``, stands for all folders of that name; a path that is absolute, or begins
        with ``~`` or ``.``, for this one.
    seconds : tuple of float or None [unit=s, shape=(2,)]
        How long they are, at least and at most; None for no limit.
    samplerate : float, or several [unit=Hz]
        One of these.
    channels : int, or several
        One of these numbers.
    text : str
        Words that are all in the name, or in that of the folder as seen from where all sounds are;
        in upper or lower case.

    Raises
    ------
    InvalidParameter
        If one of them is something else.

    Examples
    --------
    >>> Where(folder="drums", seconds=(None, 0.5), text="loud kick")
    Where(folder='drums', seconds=(None, 0.5), text='loud kick')
    >>> bool(Where())
    False
    """

    folder: Some = ()
    seconds: Any = (None, None)
    samplerate: Some = ()
    channels: Some = ()
    text: str = ""

    def __post_init__(self) -> None:
        for name in ("folder", "samplerate", "channels"):
            object.__setattr__(self, name, _several(getattr(self, name)))
        object.__setattr__(self, "folder", tuple(map(_place, self.folder)))
        lowest, highest = _pair(self.seconds)
        object.__setattr__(self, "seconds", (lowest, highest))
        for rate in self.samplerate:
            if not _is(rate, Real) or not 0 <= rate < math.inf:
                raise InvalidParameter(f"samplerate={rate!r}: give a number [Hz]")
        for count in self.channels:
            if not _is(count, Integral) or count < 0:
                raise InvalidParameter(f"channels={count!r}: give a whole number")
        if not isinstance(self.text, str):
            raise InvalidParameter(f"text={self.text!r}: give words, in one string")

    def __repr__(self) -> str:
        given = {name: _plainly(value) for name, value in vars(self).items()}
        default = {name: _plainly(value) for name, value in vars(_ALL).items()}
        said = (f"{k}={v!r}" for k, v in given.items() if v != default[k])
        return f"Where({', '.join(said)})"

    def __bool__(self) -> bool:
        return vars(self) != vars(_ALL)

    def holds_folder(self, folder: str) -> bool:
        """Return whether a folder, written as `shown` does, is one of those wanted."""
        return not self.folder or any(
            f"{folder}/".startswith(f"{one.rstrip('/')}/")
            if _is_place(one)
            else f"/{one.strip('/')}/" in f"/{folder}/"
            for one in self.folder
        )

    @property
    def words(self) -> list[str]:
        """List of str : What has to be in the name, casefolded."""
        return self.text.casefold().split()


def _several(value: Some) -> tuple[Any, ...]:
    one = isinstance(value, str | os.PathLike) or not isinstance(value, Iterable)
    return (value,) if one else tuple(value)


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _place(given: Any) -> str:
    if not isinstance(given, str | os.PathLike) or not os.fspath(given):
        raise InvalidParameter(f"folder={given!r}: give the name or the path of a folder")
    text = os.fspath(given)
    if "://" in text:
        return shown(text)
    text = os.path.expanduser(text)
    if text.startswith((os.curdir, os.sep)) or not isinstance(given, str):
        text = os.path.abspath(text)
    # as `shown` writes what is no text
    return os.fsencode(text).decode(errors="replace")


def _is_place(folder: str) -> bool:
    return folder.startswith("/") or "://" in folder


def _pair(seconds: Any) -> tuple[float | None, float | None]:
    try:
        lowest, highest = seconds
    except (TypeError, ValueError):
        raise InvalidParameter(
            f"seconds={seconds!r}: give two, at least and at most; None for no limit"
        ) from None
    for limit in (lowest, highest):
        if limit is not None and not (_is(limit, Real) and limit >= 0):
            raise InvalidParameter(f"seconds={seconds!r}: give numbers of 0 or more, or None")
    if None not in (lowest, highest) and lowest > highest:
        raise InvalidParameter(f"seconds={seconds!r}: none is that long; give the lower one first")
    return lowest, highest


def _plainly(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


_ALL = Where()
