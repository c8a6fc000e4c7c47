"""The commands, and what they are told."""

from __future__ import annotations

import os
from typing import Annotated

import typer

import zounds
from zounds.cli import asking, keeping, options, printing, serving
from zounds.cli.guard import Commands, end_well_when_terminated
from zounds.cli.options import CorpusPath

app = typer.Typer(
    cls=Commands,
    name="zounds",
    help="Find sounds by timbre: index your files, and ask what else sounds like this.",
    epilog=options.examples(
        "zounds demo                                 sounds to try it on",
        "zounds index ~/sounds more.zip              read, learn, make searchable",
        "zounds search kick.wav                      what sounds like this file?",
        "zounds search talk.mp3 --start 42 --unit segment",
        "zounds info --failed                        what could not be read, and why",
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        printing.line(f"zounds {zounds.__version__}")
        raise typer.Exit


@app.callback()
def main(
    corpus: CorpusPath = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where errors come from; also ZOUNDS_DEBUG=1.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Take what concerns every command; `Commands` looks at it."""
    if corpus is not None:
        os.environ["ZOUNDS_CORPUS"] = corpus  # where commands look that are not told otherwise


# in the order of their use: a corpus is filled, asked, and looked after
_index, *_others = keeping.app.registered_commands
_asked, _served = asking.app.registered_commands, serving.app.registered_commands
app.registered_commands += [_index, *_asked, *_others, *_served]


def run() -> None:
    """Run the command."""
    end_well_when_terminated()
    app(prog_name="zounds")
