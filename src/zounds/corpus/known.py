"""What is known of many sounds at once, in columns, to choose among them without a store."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from featureflow.errors import InvalidParameter
from zounds.corpus.outcome import Outcome
from zounds.corpus.places import shown
from zounds.corpus.where import Where

Mask = npt.NDArray[np.bool_]

_PRINTED = 1e-6  # s; a duration that was printed is not exact


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of one sound.

    Parameters
    ----------
    id, name, uri : str
    seconds, samplerate : float [unit=s, Hz]
    channels : int
    partial, missing : bool
    """

    id: str
    name: str
    uri: str
    seconds: float
    samplerate: float
    channels: int
    partial: bool = False
    missing: bool = False

    @staticmethod
    def of(outcome: Outcome) -> Fact:
        """Return what is known of a source, of which there is a document."""
        return Fact(
            id=outcome.id or "",
            name=outcome.name,
            uri=outcome.uri,
            seconds=outcome.seconds,
            samplerate=outcome.samplerate,
            channels=outcome.channels,
            partial=outcome.status == "partial",
            missing=outcome.missing,
        )


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of sounds, in columns.

    Parameters
    ----------
    ids, names, uris : sequence of str
        Of each sound; of names, what comes after the last slash.
    folders : sequence of str
        All different, as `shown` writes them.
    folder_of : np.ndarray of int32 [shape=(n,)]
        In which of the folders each lies.
    seconds, samplerates : np.ndarray of float64 [shape=(n,), unit=s, Hz]
    channels : np.ndarray of uint16 [shape=(n,)]
    """

    ids: Sequence[str] = field(repr=False)
    names: Sequence[str] = field(repr=False)
    uris: Sequence[str] = field(repr=False)
    folders: Sequence[str] = field(repr=False)
    folder_of: npt.NDArray[np.int32] = field(repr=False)
    seconds: npt.NDArray[np.float64] = field(repr=False)
    samplerates: npt.NDArray[np.float64] = field(repr=False)
    channels: npt.NDArray[np.uint16] = field(repr=False)

    @staticmethod
    def of(facts: Iterable[Fact]) -> Known:
        """Return the columns of facts, in their order."""
        facts = list(facts)
        found = _folders(fact.uri for fact in facts)
        folders = sorted(set(found))
        places = {folder: place for place, folder in enumerate(folders)}
        return Known(
            ids=[fact.id for fact in facts],
            names=[posixpath.basename(fact.name.rstrip("/")) or fact.name for fact in facts],
            uris=[fact.uri for fact in facts],
            folders=folders,
            folder_of=np.array([places[folder] for folder in found], np.int32),
            seconds=np.array([fact.seconds for fact in facts], np.float64),
            samplerates=np.array([fact.samplerate for fact in facts], np.float64),
            channels=np.array([fact.channels for fact in facts], np.uint16),
        )

    def __len__(self) -> int:
        return len(self.seconds)

    @cached_property
    def _common(self) -> list[str]:
        return list(posixpath.commonprefix([folder.split("/") for folder in self.folders]))

    @cached_property
    def inner(self) -> list[str]:
        """List of str : The folders as seen from where all sounds lie."""
        return ["/".join(folder.split("/")[len(self._common) :]) for folder in self.folders]

    def passing(self, where: Where) -> Mask:
        """Return which sounds are wanted [shape=(n,)]."""
        if not isinstance(where, Where):
            raise InvalidParameter(f"where={where!r}: give a zounds.Where")
        passed = np.ones(len(self), bool)
        if where.folder:
            within = np.array([where.holds_folder(folder) for folder in self.folders], bool)
            passed &= within[self.folder_of]
        shortest, longest = where.seconds
        if shortest is not None:
            passed &= self.seconds >= shortest - _PRINTED
        if longest is not None:
            passed &= self.seconds <= longest + _PRINTED
        if where.samplerate:
            passed &= np.isin(self.samplerates, np.array(where.samplerate, np.float64))
        if where.channels:
            passed &= np.isin(self.channels, np.array(where.channels, np.int64))
        for word in where.words:
            passed &= np.fromiter((word in line for line in self._lines), bool, len(self))
        return passed

    @cached_property
    def _lines(self) -> list[str]:
        folders: Any = [folder.casefold() for folder in self.inner]
        return [
            f"{folders[place]}/{name.casefold()}"
            for place, name in zip(self.folder_of.tolist(), self.names, strict=True)
        ]


def _folders(uris: Iterable[str]) -> list[str]:
    """Return the folder of each sound."""
    known: dict[str, str] = {}
    found = []
    for uri in uris:
        # an archive is a folder, and a member's slashes are encoded in no other way
        parent = uri.rpartition("/")[0]
        if parent not in known:
            known[parent] = posixpath.dirname(shown(f"{parent}/x"))
        found.append(known[parent])
    return found
