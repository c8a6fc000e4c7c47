"""What several commands are told, and the corpus they are told about."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Any

import typer

from zounds.corpus import export as exports
from zounds.corpus.corpus import Corpus
from zounds.errors import CorpusError, SearchError


class Unit(StrEnum):
    """What is compared."""

    CLIP = "clip"
    SEGMENT = "segment"


class Like(StrEnum):
    """In which way sounds are alike."""

    KIND = "kind"
    SAME = "same"


def examples(*lines: str) -> str:
    """Return what stands below the help of a command."""
    return "\n".join(["[bold]Examples[/bold]", *(line.replace("[", "\\[") for line in lines)])


def not_empty(values: Any) -> Any:
    """Refuse what a variable that is not set leaves behind."""
    for value in values if isinstance(values, list) else [values]:
        if not value:
            raise typer.BadParameter("one is empty, and would stand for the current folder")
    return values


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
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="How many processes.", show_default="one on each core"),
]
Count = Annotated[int, typer.Option("-n", min=1, metavar="N", help="How many sounds to show.")]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="Same seed, same codes.")
]


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
            f"there is no corpus in {corpus.path} yet: zounds index SOURCE makes one, --corpus "
            "names another"
        )
    return corpus


def found(corpus: Corpus, query: Any, **options: Any) -> Any:
    """Return what a search finds; say what to type, if there is nothing to search."""
    try:
        return corpus.search(query, **options)
    except SearchError as error:
        if not corpus.info().indexed:
            raise SearchError(
                f"{corpus.path} has no codes to search yet: zounds index SOURCE reads sounds, and "
                "learns codes once there are enough"
            ) from error
        raise
