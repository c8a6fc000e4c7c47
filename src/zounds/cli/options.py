"""What several commands are told, and the corpus they are told about."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Annotated, Any

import typer

import featureflow as ff
from zounds.corpus import export as exports
from zounds.corpus.corpus import Corpus
from zounds.corpus.places import shown
from zounds.corpus.where import Where
from zounds.errors import CorpusError, SearchError

STDOUT = (Path("-"), Path("/dev/stdout"))
_TEXT = ("csv", "m3u")


def examples(*lines: str) -> str:
    """Return what stands below the help of a command."""
    return "\n".join(["[bold]Examples[/bold]", *(line.replace("[", "\\[") for line in lines)])


def not_empty(values: Any) -> Any:
    """Refuse what a variable that is not set leaves behind."""
    for value in values if isinstance(values, list) else [values]:
        if not value:
            raise typer.BadParameter("one is empty, and would stand for the current folder")
    return values


def above_zero(value: float | None) -> float | None:
    """Refuse a duration of nothing."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value:g} is no duration: give seconds above 0")
    return value


def target(kind: str, file: str | None) -> tuple[str, Path]:
    """Return the format and the file of an export, of which the format may be left out."""
    named = ", ".join(exports.FORMATS)
    if file is None and kind in exports.FORMATS:
        raise typer.BadParameter(f"there is no FILE: give one after {kind}, or - for stdout")
    format_ = kind if file is not None else Path(kind).suffix.removeprefix(".").lower()
    path = Path(kind if file is None else file)
    if path in STDOUT and format_ not in _TEXT:
        raise typer.BadParameter(f"stdout takes {' or '.join(_TEXT)}: zounds export csv {path}")
    if not format_:
        raise typer.BadParameter(f"{kind} has no ending: name the format before it ({named})")
    if format_ not in exports.FORMATS:
        raise typer.BadParameter(f"{format_!r} is no format: give one of {named}, and a FILE")
    return format_, path


def formats(incomplete: str) -> list[str]:
    """Complete the name of a format."""
    return [name for name in exports.FORMATS if name.startswith(incomplete)]


CorpusPath = Annotated[
    str | None,
    typer.Option(
        "--corpus",
        metavar="PATH",
        envvar="ZOUNDS_CORPUS",
        help="The folder of the corpus.",
        show_default="zounds/corpus in $XDG_DATA_HOME or ~/.local/share",
    ),
]
Index = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="URL",
        help="Where the corpus was published, such as milvus://milvus:19530/zounds.",
        show_default="the index in its folder",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="How many processes.", show_default="one on each core"),
]
Count = Annotated[int, typer.Option("-n", min=1, metavar="N", help="How many sounds to show.")]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="Same seed, same codes.")
]
Folders = Annotated[
    list[str] | None,
    typer.Option(
        "--folder",
        metavar="FOLDER",
        help="Only sounds in this folder or archive: a path, or a name such as kicks; again for "
        "more.",
        callback=lambda values: values and not_empty(values),
    ),
]
Lengths = Annotated[
    str | None,
    typer.Option(
        "--seconds",
        metavar="MIN..MAX",
        help="Only sounds that are so long: 0.5..2, ..2 or 0.5..",
        show_default="any",
    ),
]
Rates = Annotated[
    list[float] | None,
    typer.Option("--samplerate", min=0, metavar="HZ", help="Only sounds of this sample rate."),
]
Channels = Annotated[
    list[int] | None,
    typer.Option("--channels", min=0, metavar="N", help="Only sounds of so many channels."),
]
Text = Annotated[
    str, typer.Option("--text", metavar="WORDS", help="Only sounds with these words in the name.")
]


def where(
    folders: list[str] | None,
    lengths: str | None,
    rates: list[float] | None,
    channels: list[int] | None,
    text: str,
) -> Where:
    """Return which sounds are wanted."""
    try:
        return Where(folders or (), _range(lengths), rates or (), channels or (), text)
    except ff.InvalidParameter as error:
        raise typer.BadParameter(str(error)) from error


def _range(given: str | None) -> tuple[float | None, float | None]:
    if given is None:
        return None, None
    lowest, dots, highest = given.partition("..")
    try:
        if not dots or not lowest + highest:
            raise ValueError
        return float(lowest) if lowest else None, float(highest) if highest else None
    except ValueError:
        raise typer.BadParameter(
            f"--seconds {given}: give the shortest and the longest, such as 0.5..2, ..2 or 0.5.."
        ) from None


def corpus_path(given: str | None) -> str:
    """Return the folder of the corpus."""
    if given is not None:
        return given
    data = os.environ.get("XDG_DATA_HOME", "")
    folder = data if os.path.isabs(data) else os.path.expanduser("~/.local/share")
    return os.path.join(folder, "zounds", "corpus")


def existing(given: str | None) -> Corpus:
    """Return the corpus, which is there."""
    corpus = Corpus(corpus_path(given))
    if not corpus.exists():
        raise CorpusError(
            f"there is no corpus in {corpus} yet: zounds index SOURCE makes one, --corpus "
            "names another"
        )
    return corpus


def query(corpus: Corpus, sound: str) -> Any:
    """Return what to search with; members of archives on the web are named as printed."""
    if os.path.exists(sound):
        return Path(sound)
    if "://" in sound:
        for outcome in corpus.outcomes():
            if outcome.is_document and outcome.uri != sound == shown(outcome.uri):
                return outcome.id
    return sound


def found(corpus: Corpus, query: Any, **options: Any) -> Any:
    """Return what a search finds; say what to type, if there is nothing to search."""
    try:
        return corpus.search(query, **options)
    except SearchError as error:
        if not corpus.info().indexed:
            raise SearchError(
                f"{corpus} has no codes to search yet: zounds index SOURCE reads sounds, and "
                "learns codes once there are enough"
            ) from error
        raise
