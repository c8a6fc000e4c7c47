"""How far the work is, on stderr: a bar on a terminal, one line at the end elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from zounds.cli.guard import say
from zounds.corpus.outcome import Progress


class Meter(AbstractContextManager["Meter"]):
    """Shows the stages of the work, one after the other."""

    def __init__(self) -> None:
        self._bars: Bars | None = None
        self._task = ""
        self._first: tuple[float, int] | None = None
        self._read = ""

    def __enter__(self) -> Meter:
        if sys.stderr.isatty():
            self._bars = Bars(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[numbers]}", markup=False),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bars.add_task("", total=None, numbers="")
            self._bars.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._bars is not None:
            self._bars.stop()
        elif self._read:
            say(self._read)

    def stage(self, task: str) -> None:
        """Begin something of which nobody knows yet how much it is."""
        self._task, self._first = task, None
        if self._bars is not None:
            self._bars.reset(self._bars.task_ids[0], total=None, description=task, numbers="")

    def tell(self, progress: Progress) -> None:
        """Show how far it is; what a `Corpus` calls."""
        if self._task != progress.task:
            self.stage(progress.task)
        numbers = self._numbers(progress)
        if progress.task == "reading":
            self._read = f"reading: {numbers}"
        if self._bars is not None:
            self._bars.update(
                self._bars.task_ids[0],
                total=progress.total,
                completed=progress.done,
                numbers=numbers,
            )

    def _numbers(self, progress: Progress) -> str:
        now = time.monotonic()
        parts = [f"{progress.done}/{progress.total} files"]
        # what was skipped is done from the beginning, and says nothing of the speed
        began, before = self._first = self._first or (now, progress.done)
        if progress.done > before and now > began:
            parts.append(f"{(progress.done - before) / (now - began):.1f} files/s")
        if progress.seconds and now > began:
            parts.append(f"{progress.seconds / (now - began):.0f}x real time")
        parts.append(f"{progress.failed} failed")
        return ", ".join(parts)
