"""What the command prints on stdout: for people, for other programs as lines, and as JSON."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from zounds.corpus.evaluation import Evaluation
from zounds.corpus.outcome import Outcome, Report
from zounds.corpus.places import local_path, shown
from zounds.quality import Scores

_MOST_FAILURES = 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def to_terminal() -> bool:
    """Return whether somebody looks at stdout, and not another program."""
    return sys.stdout.isatty()


def line(text: str = "") -> None:
    """Print a line; names in it cannot control the terminal, or begin another line."""
    sys.stdout.write(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text) + "\n")


def fields(*values: object) -> None:
    """Print values for another program: a line, with tabs between them."""
    texts = (_CONTROL.sub(lambda odd: f"\\x{ord(odd[0]):02x}", str(value)) for value in values)
    sys.stdout.write("\t".join(texts) + "\n")


def document(record: Any) -> None:
    """Print a JSON document."""
    # with escapes only, so that it can be printed everywhere
    sys.stdout.write(json.dumps(record, indent=2) + "\n")


def content(file: Path) -> None:
    """Print the content of a file as it is."""
    sys.stdout.flush()
    with file.open("rb") as stream:
        shutil.copyfileobj(stream, sys.stdout.buffer)


def place(uri: str) -> str:
    """Return where a sound is: for a person, or for another program to open it."""
    path = local_path(uri)
    return shown(uri) if path is None or to_terminal() else os.fspath(path)


def hits(found: Iterable[Any], with_time: bool) -> None:
    """Print what a search has found.

    Parameters
    ----------
    found : iterable of CorpusHit
    with_time : bool
        Whether the place in the file says something; other programs are always told.
    """
    if not to_terminal():
        for hit in found:
            fields(f"{hit.score:.4f}", f"{hit.start:.3f}", f"{hit.duration:.3f}", place(hit.uri))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("score", justify="right")
    table.add_column("")
    table.add_column("bits", justify="right")
    if with_time:
        table.add_column("at", justify="right")
    table.add_column("sound", overflow="fold")
    for hit in found:
        cells: list[Any] = [
            f"{hit.score:.3f}",
            ProgressBar(total=1, completed=hit.score, width=12),
            str(hit.distance),
        ]
        if with_time:
            cells.append(clock(hit.start))
        table.add_row(*cells, _harmless(place(hit.uri)))
    Console().print(table)


def duplicates(groups: Sequence[Sequence[Any]]) -> None:
    """Print groups of sounds that are nearly the same.

    Parameters
    ----------
    groups : sequence of sequence of Duplicate
    """
    if not to_terminal():
        for number, group in enumerate(groups, start=1):
            for one in group:
                fields(number, one.distance, f"{one.seconds:.3f}", place(one.uri))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("bits", "seconds"):
        table.add_column(column, justify="right")
    table.add_column("sound", overflow="fold")
    for number, group in enumerate(groups):
        if number:
            table.add_row()
        for one in group:
            seconds = f"{one.seconds:.2f}"
            table.add_row(str(one.distance), seconds, _harmless(place(one.uri)))
    if groups:
        Console().print(table)
    line(f"{sum(map(len, groups))} sounds in {len(groups)} groups")


def _harmless(text: str) -> Text:
    """Return text for a table that cannot control the terminal."""
    return Text(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


def clock(seconds: float) -> str:
    """Return a time as people write it.

    Examples
    --------
    >>> clock(83.25), clock(3600)
    ('1:23.2', '60:00.0')
    """
    tenths = int(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def duration(seconds: float) -> str:
    """Return a duration as people write it.

    Examples
    --------
    >>> duration(2.5), duration(192), duration(7384)
    ('2.5 s', '3 min 12 s', '2 h 3 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def report(of: Report) -> None:
    """Print what became of all that was added."""
    read = ""
    if of.seconds:
        speed = of.seconds / of.elapsed
        read = (
            f"; {duration(of.seconds)} of audio in {duration(of.elapsed)}, {speed:.0f}x real time"
        )
    line(
        f"{len(of.ok)} ok, {len(of.skipped)} skipped, {len(of.partial)} partial, "
        f"{len(of.failed)} failed{read}"
    )
    if of.others:
        what = "file is no sound, and was" if of.others == 1 else "files are no sounds, and were"
        line(f"{of.others} other {what} passed over")
    for status, outcomes in (("partial", of.partial), ("failed", of.failed)):
        troubles(outcomes, status, "info --" + status)


def troubles(outcomes: Sequence[Outcome], status: str, command: str) -> None:
    """Print what is wrong with some sounds, a line each, unless there are too many."""
    for outcome in sorted(outcomes, key=lambda outcome: outcome.uri)[:_MOST_FAILURES]:
        line(f"{status}: {shown(outcome.uri)}: {why(outcome)}")
    if len(outcomes) > _MOST_FAILURES:
        line(f"… and {len(outcomes) - _MOST_FAILURES} more: zounds {command}")


def why(outcome: Outcome) -> str:
    """Return what is wrong with a sound, without its name where that comes first."""
    return outcome.why.removeprefix(f"{outcome.name}: ")


def size(count: float) -> str:
    """Return a number of bytes as people write it.

    Examples
    --------
    >>> size(900), size(2_300_000)
    ('900 B', '2.3 MB')
    """
    units = ["TB", "GB", "MB", "kB", "B"]
    while count >= 1000 and len(units) > 1:
        count /= 1000
        units.pop()
    return f"{count:.0f} B" if units[-1] == "B" else f"{count:.1f} {units[-1]}"


def about(info: dict[str, Any]) -> None:
    """Print what a corpus holds, a line for each thing."""
    roots = [shown(root) for root in info["roots"]]
    written = {
        "seconds": duration(info["seconds"]),
        "bytes": size(info["bytes"]),
        "up_to_date": "yes" if info["up_to_date"] else "no",
        "roots": ", ".join(roots) or "none",
    }
    labels = {"seconds": "audio", "bytes": "on disk"}
    for key, value in {**info, **written}.items():
        line(f"{labels.get(key, key.replace('_', ' ')):<13}{value}")


def quality(found: Evaluation, most_kinds: int) -> None:
    """Print how good a search is, as a table of ways and one of kinds."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "bytes", "P@10", "R-precision", "mAP"):
        table.add_column(column, justify="right" if column else "left")
    for way in found.ways:
        table.add_row(way.name, "" if way.bytes is None else str(way.bytes), *_figures(way.scores))
    kinds = sorted(found.kinds.items(), key=lambda item: item[1].precision)
    if len(kinds) > 1:
        table.add_section()
        shown_kinds = kinds[:most_kinds]
        for label, scores in shown_kinds:
            table.add_row(_harmless(f"  {label}"), "", *_figures(scores))
    alone = f"; {found.alone} are the only ones of their kind" if found.alone else ""
    searched = f"{found.queries} of them searched for{alone}"
    line(f"{found.sounds} sounds of {len(found.kinds)} kinds, {searched}")
    width = None if to_terminal() else 200
    Console(width=width).print(table)
    if len(kinds) > most_kinds:
        line(f"… and {len(kinds) - most_kinds} kinds that are found better: zounds eval --json")


def _figures(scores: Scores) -> tuple[str, ...]:
    return tuple(
        f"{figure:.3f}"
        for figure in (scores.precision, scores.r_precision, scores.average_precision)
    )
