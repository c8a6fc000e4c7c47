"""The commands that fill a corpus, and look after it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zounds.cli import demo as demonstration
from zounds.cli import filling, options, printing
from zounds.cli.guard import FAILED, NOT_ALL
from zounds.cli.options import AsJson, CorpusPath, Seed, Workers
from zounds.cli.progress import Meter
from zounds.corpus.corpus import Corpus

app = typer.Typer(rich_markup_mode="rich")


@app.command(
    epilog=options.examples(
        "zounds index ~/sounds                       a folder, with its subfolders",
        "zounds index drums.zip kick.wav             archives, files",
        "zounds index https://example.org/set.zip    URLs",
        "zounds index ~/sounds                       again: what is new or has changed",
        "zounds index ~/sounds --learn               learn codes anew, from all there is",
    )
)
def index(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Folders, files, zip archives, URLs.",
            callback=options.not_empty,
        ),
    ],
    corpus: CorpusPath = None,
    learn: Annotated[
        bool, typer.Option("--learn", help="Learn anew, from everything in the corpus.")
    ] = False,
    seed: Seed = 0,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What to compute: timbre or post.",
            autocompletion=lambda: ["timbre", "post"],
            show_default="that of the corpus, or timbre",
        ),
    ] = None,
    workers: Workers = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 if a sound could not be read.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read sounds, learn codes from them, and make them searchable.

    What is there already, unchanged, is skipped. A sound that cannot be read
    is reported, and does not keep the others from being read.
    """
    with Meter() as meter:
        chosen = Corpus(options.corpus_path(corpus), preset)
        filled = filling.fill(chosen, sources, meter, learn, seed, workers)
    report = filled.report
    if as_json:
        printing.document(filled.record())
    else:
        printing.report(report)
        if filled.indexed:
            printing.line(f"{filled.indexed} sounds can be searched")
        for note in filled.notes:
            printing.line(f"note: {note}")
    if report.failed and not (report.ok or report.partial or report.skipped):
        raise typer.Exit(FAILED)
    if report.failed and strict:
        raise typer.Exit(NOT_ALL)


@app.command(
    epilog=options.examples(
        "zounds rescan                               what is new, changed, moved, gone?",
        "zounds rescan --forget                      and take out what is gone",
    )
)
def rescan(
    corpus: CorpusPath = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Remove sounds that are not there any more.")
    ] = False,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Look again at all that was indexed, and read what is new or has changed."""
    chosen = options.existing(corpus)
    with Meter() as meter, chosen.changing():
        meter.stage("looking again")
        changes = chosen.rescan(forget, workers, meter.tell)
        indexed = filling.index(chosen, meter, workers)
    if as_json:
        printing.document({**changes.record(), "indexed": indexed})
        return
    printing.line(str(changes))
    printing.troubles(changes.missing, "missing", "rescan --json")
    printing.troubles(changes.failed, "failed", "info --failed")


@app.command(
    epilog=options.examples(
        "zounds remove ~/sounds/old                  all that came from this folder",
        "zounds remove kick.wav drums.zip            files, archives, URLs, ids",
    )
)
def remove(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="WHAT...",
            help="Files, folders, archives, URLs, ids.",
            callback=options.not_empty,
        ),
    ],
    corpus: CorpusPath = None,
    as_json: AsJson = False,
) -> None:
    """Take sounds out of the corpus; the files themselves are left alone."""
    chosen = options.existing(corpus)
    with Meter() as meter, chosen.changing():
        removed = chosen.remove(*what)
        indexed = filling.index(chosen, meter)
    if as_json:
        removed_records = [outcome.record() for outcome in removed]
        printing.document({"removed": removed_records, "indexed": indexed})
    else:
        documents = sum(outcome.is_document for outcome in removed)
        printing.line(f"{documents} sounds removed from the corpus; their files are left alone")


@app.command(epilog=options.examples("zounds check && echo all is well"))
def check(corpus: CorpusPath = None, as_json: AsJson = False) -> None:
    """Verify all that is stored; exit with 1 if something is damaged."""
    found = options.existing(corpus).check()
    if as_json:
        printing.document(found.record())
    else:
        for problem in found.problems:
            printing.line(problem)
        printing.line(f"{found.documents} sounds, {len(found.problems)} problems")
    if found.problems:
        raise typer.Exit(FAILED)


@app.command(epilog=options.examples("zounds compact"))
def compact(corpus: CorpusPath = None, as_json: AsJson = False) -> None:
    """Give back the space of what is not needed any more."""
    done = options.existing(corpus).compact()
    if as_json:
        printing.document(done.record())
    else:
        printing.line(f"{printing.size(done.before)} before, {printing.size(done.after)} now")
        if done.damaged:
            printing.line(f"{done.damaged} damaged values were left out: run zounds rescan")


@app.command(
    epilog=options.examples(
        "zounds publish milvus://milvus:19530        under the name zounds",
        "zounds publish milvus://milvus:19530/drums",
    )
)
def publish(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A Milvus server, and the name to have there.")
    ],
    corpus: CorpusPath = None,
    as_json: AsJson = False,
) -> None:
    """Send the codes to a server that many people search.

    They find them with --index URL. Searches have the old codes or the new
    ones, whole; a call that was interrupted is gone on with by the next.
    """
    chosen = options.existing(corpus)
    with Meter() as meter:
        done = chosen.publish(url, progress=meter.tell)
    if as_json:
        printing.document(done.record())
    else:
        printing.line(f"{done.documents} sounds are at {done.address}; {done.sent} codes were sent")


@app.command(
    epilog=options.examples(
        "zounds demo                                 makes the folder demo",
        "zounds demo /tmp/try --pitches 2            a small one",
    )
)
def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to put the sounds and their corpus.")
    ] = Path("demo"),
    pitches: Annotated[
        int, typer.Option(min=1, max=25, metavar="N", help="How many of each instrument.")
    ] = 9,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Make an orchestra of sounds, index it, and search it."""
    demonstration.show(folder, pitches, workers, as_json)
