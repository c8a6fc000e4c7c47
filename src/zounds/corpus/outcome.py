"""What became of sources: one by one, and in sum."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from zounds.corpus.places import local_path

Status = Literal["ok", "partial", "failed", "skipped", "removed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a source.

    Parameters
    ----------
    uri, name : str
        Where it is, and what people call it.
    status : str
        ``ok``; ``partial``: its true audio was kept, though some is missing; ``failed``;
        ``skipped``: it is there already, unchanged; ``removed`` by the user.
    why : str
        In one line, what is missing or wrong; of a sound that is `missing`, what became of it.
    id : str or None
        The document that was made of it.
    stamp : list of int or None
        What changes when the content does.
    seconds, samplerate : float [unit=s, Hz]
    channels : int
        Of its audio, as far as there is any.
    missing : bool
        Whether there is a document of it that nothing stands for any more: its file has vanished,
        or is no audio now. Kept until it comes back, or is forgotten.
    """

    uri: str
    name: str
    status: Status
    why: str = ""
    id: str | None = None
    stamp: list[int] | None = None
    seconds: float = 0.0
    samplerate: float = 0.0
    channels: int = 0
    missing: bool = False

    @property
    def path(self) -> Path | None:
        """Path or None : The file on this machine, where it is one."""
        return local_path(self.uri)

    @property
    def is_document(self) -> bool:
        """bool : Whether there is a document of it."""
        return self.status in ("ok", "partial")

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Report:
    """What became of all that was added, or looked at again.

    Parameters
    ----------
    outcomes : tuple of Outcome
        In no particular order.
    elapsed : float [unit=s]
        How long it took.
    others : int
        How many files were passed over, since they are no sounds.

    Examples
    --------
    >>> report = Report((Outcome("file:///a.wav", "a.wav", "ok", seconds=2.0),), elapsed=0.5)
    >>> print(report)
    1 ok, 0 skipped, 0 partial, 0 failed; 2.0 s of audio in 0.5 s
    """

    outcomes: tuple[Outcome, ...]
    elapsed: float = 0.0
    others: int = 0

    def _of(self, status: str) -> tuple[Outcome, ...]:
        return tuple(
            outcome
            for outcome in self.outcomes
            if ("failed" if outcome.missing else outcome.status) == status
        )

    @property
    def ok(self) -> tuple[Outcome, ...]:
        """Tuple of Outcome : What was read whole."""
        return self._of("ok")

    @property
    def skipped(self) -> tuple[Outcome, ...]:
        """Tuple of Outcome : What was there already."""
        return self._of("skipped")

    @property
    def partial(self) -> tuple[Outcome, ...]:
        """Tuple of Outcome : What was read as far as it goes."""
        return self._of("partial")

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Tuple of Outcome : What could not be read; each says why.

        Also what was a sound once, and is `Outcome.missing` now.
        """
        return self._of("failed")

    @property
    def seconds(self) -> float:
        """Float [unit=s] : The duration of the audio that was read."""
        return sum(outcome.seconds for outcome in (*self.ok, *self.partial))

    def __repr__(self) -> str:
        return f"<Report: {self._head}>"

    def __str__(self) -> str:
        lines = [f"{o.status}: {o.why}" for o in (*self.partial, *self.failed)]
        return "\n".join([self._head, *sorted(lines)])

    @property
    def _head(self) -> str:
        return (
            f"{len(self.ok)} ok, {len(self.skipped)} skipped, {len(self.partial)} partial, "
            f"{len(self.failed)} failed; {self.seconds:.1f} s of audio in {self.elapsed:.1f} s"
        )

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "ok": len(self.ok),
            "skipped": len(self.skipped),
            "partial": [outcome.record() for outcome in self.partial],
            "failed": [outcome.record() for outcome in self.failed],
            "seconds": self.seconds,
            "elapsed": self.elapsed,
            "others": self.others,
        }


@dataclass(frozen=True)
class Progress:
    """How far the work is.

    Parameters
    ----------
    task : str
        What is done: ``reading``, ``indexing``, ...
    done, total : int [unit=files]
    seconds : float [unit=s]
        The duration of the audio that was read.
    failed : int [unit=files]
    """

    task: str
    done: int
    total: int
    seconds: float = 0.0
    failed: int = 0
