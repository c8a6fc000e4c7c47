"""The commands, and what they are told."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Annotated, Any

import typer

import zounds
from zounds.cli import demo as demonstration
from zounds.cli import filling, options, printing, serving
from zounds.cli.guard import FAILED, NOT_ALL, Commands, end_well_when_terminated, say
from zounds.cli.options import AsJson, CorpusPath, Count, Seed, Unit, Workers
from zounds.cli.progress import Meter
from zounds.corpus import export as exports
from zounds.corpus.corpus import Corpus
from zounds.corpus.outcome import Outcome
from zounds.corpus.places import shown

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
        "zounds search kick.wav                      what sounds like this file?",
        "zounds search kick.wav -n 50 --json         for another program",
        "zounds search talk.mp3 --start 42 --duration 2.5",
        "zounds search talk.mp3 --start 42 --unit segment --per-file 0",
        "zounds search kick.wav | cut -f 4           the paths alone",
    )
)
def search(
    sound: Annotated[
        str,
        typer.Argument(
            metavar="SOUND",
            help="A file, a URL, the id of a document, or a code in base64.",
            callback=options.not_empty,
        ),
    ],
    corpus: CorpusPath = None,
    n: Count = 10,
    start: Annotated[
        float | None,
        typer.Option(
            metavar="S", help="Where in SOUND to begin, in seconds.", show_default="the beginning"
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="S", help="How much of SOUND to take, in seconds.", show_default="the rest"
        ),
    ] = None,
    unit: Annotated[
        Unit, typer.Option(help="Compare whole sounds, or find the moments most like it.")
    ] = Unit.CLIP,
    per_file: Annotated[
        int, typer.Option(min=0, metavar="N", help="How many hits from one file; 0: no limit.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Find what sounds like a sound.

    Prints a table. Another program gets lines of score (1 for equal codes),
    start and duration in seconds, and path, with tabs between them.
    """
    chosen = options.existing(corpus)
    query: Any = Path(sound) if os.path.exists(sound) else sound
    found = options.found(
        chosen,
        query,
        n_results=n,
        start=start,
        duration=duration,
        unit=unit.value,
        per_file=per_file or None,
    )
    if as_json:
        code = base64.b64encode(found.query.tobytes()).decode()
        hits = [hit.record() for hit in found]
        printing.document({"query": sound, "code": code, "unit": unit.value, "hits": hits})
    else:
        printing.hits(found, with_time=unit.value == "segment")


@app.command(
    epilog=options.examples(
        "zounds random                               a sound, and what is near it",
        "zounds random --seed 7 -n 3                 the same every time",
    )
)
def random(
    corpus: CorpusPath = None,
    n: Count = 10,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Which sound.", show_default="any")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a random sound of the corpus, and what is near it.

    To another program, the first line is the sound itself.
    """
    chosen = options.existing(corpus)
    sound = chosen.random(seed)
    found = [
        hit for hit in options.found(chosen, sound._id, n_results=n + 1) if hit.id != sound._id
    ][:n]
    uri, seconds = sound.meta.uri, sound.facts["seconds"]
    if as_json:
        about = {"id": sound._id, "name": sound._name, "uri": uri, "seconds": seconds}
        printing.document({"sound": about, "hits": [hit.record() for hit in found]})
    elif printing.to_terminal():
        printing.line(f"near {printing.place(uri)}:")
        printing.hits(found, with_time=False)
    else:
        printing.fields("1.0000", "0.000", f"{seconds:.3f}", printing.place(uri))
        printing.hits(found, with_time=False)


@app.command(
    epilog=options.examples(
        "zounds info                                 how much there is",
        "zounds info --failed                        what could not be read, and why",
        "zounds info --json",
    )
)
def info(
    corpus: CorpusPath = None,
    failed: Annotated[bool, typer.Option("--failed", help="List what could not be read.")] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="List sounds of which a part is missing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what the corpus holds."""
    chosen = options.existing(corpus)
    about = chosen.info().record()
    lists: dict[str, list[Outcome]] = {}
    for status, key, wanted in (("failed", "failures", failed), ("partial", "partials", partial)):
        if wanted:
            lists[key] = [o for o in chosen.outcomes() if o.status == status]
    if as_json:
        printing.document(
            about | {key: [o.record() for o in outcomes] for key, outcomes in lists.items()}
        )
    elif lists:
        for outcome in (outcome for outcomes in lists.values() for outcome in outcomes):
            printing.line(f"{shown(outcome.uri)}: {printing.why(outcome)}")
    else:
        printing.about(about)


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
    with Meter() as meter:
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
    with Meter() as meter:
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
            printing.line(f"{done.damaged} damaged values were left out: index the sounds again")


@app.command(
    epilog=options.examples(
        "zounds export sounds.csv                    a table: csv or parquet",
        "zounds export sounds.m3u                    a playlist",
        "zounds export npz arrays                    codes, features: numpy.load",
    )
)
def export(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="[csv|m3u|npz|parquet]",
            help="The format; left out, the ending of FILE says it.",
            autocompletion=options.formats,
            show_default=False,
        ),
    ],
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="What to write.", show_default=False)
    ] = None,
    corpus: CorpusPath = None,
    as_json: AsJson = False,
) -> None:
    """Write what is known of the sounds to a file for other programs."""
    if file is None:
        target, format_ = Path(kind), Path(kind).suffix.removeprefix(".").lower()
    else:
        target, format_ = Path(file), kind
    if format_ not in exports.FORMATS:
        raise typer.BadParameter(
            f"{format_!r} is no format: give one of {', '.join(exports.FORMATS)}, and a FILE"
        )
    done = exports.FORMATS[format_](options.existing(corpus), target)
    for _id, why in done.unreadable.items():
        say(f"warning: {_id} is not whole in {target.name}: {why}")
    if as_json:
        printing.document(done.record())
    else:
        left_out = f"; {done.left_out} have no place in it" if done.left_out else ""
        printing.line(f"{done.documents} sounds in {target}{left_out}")


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
) -> None:
    """Make an orchestra of sounds, index it, and search it."""
    demonstration.show(folder, pitches, workers)


app.command(
    epilog=options.examples(
        "zounds serve --open                         the page, in your browser",
        "zounds serve --port 9000 --repl             with Python in it",
    )
)(serving.serve)


def run() -> None:
    """Run the command."""
    end_well_when_terminated()
    app(prog_name="zounds")
