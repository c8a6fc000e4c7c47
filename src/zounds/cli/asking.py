"""The commands that ask a corpus something, and leave it as it is."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from zounds.cli import options, printing
from zounds.cli.guard import say
from zounds.cli.options import (
    AsJson,
    Channels,
    CorpusPath,
    Count,
    Folders,
    Index,
    Lengths,
    Rates,
    Text,
    Workers,
)
from zounds.cli.progress import Meter
from zounds.corpus import export as exports
from zounds.corpus.outcome import Outcome
from zounds.corpus.places import shown
from zounds.corpus.search import Like, Unit

app = typer.Typer(rich_markup_mode="rich")


@app.command(
    epilog=options.examples(
        "zounds search kick.wav                      what sounds like this file?",
        "zounds search kick.wav -n 50 --json         for another program",
        "zounds search talk.mp3 --start 42 --duration 2.5",
        "zounds search talk.mp3 --start 42 --unit segment --per-file 0",
        "zounds search kick.wav --like same          copies and versions of it",
        "zounds search kick.wav --more a.wav --less b.wav",
        "zounds search kick.wav --others --folder drums --seconds ..0.5",
        "zounds search kick.wav --text 'loud snare' --samplerate 44100 --channels 1",
        "zounds search kick.wav | cut -f 4           the paths alone",
    )
)
def search(
    sound: Annotated[
        str,
        typer.Argument(
            metavar="SOUND",
            help="A file, also in an archive; a URL, the id of a document, or a code in base64.",
            callback=options.not_empty,
        ),
    ],
    corpus: CorpusPath = None,
    n: Count = 10,
    start: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="S",
            help="Where in SOUND to begin, in seconds.",
            show_default="the beginning",
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="How much of SOUND to take, in seconds.",
            show_default="the rest",
            callback=options.above_zero,
        ),
    ] = None,
    unit: Annotated[
        Unit, typer.Option(help="Compare whole sounds, or find the moments most like it.")
    ] = "clip",
    per_file: Annotated[
        int, typer.Option(min=0, metavar="N", help="How many hits from one file; 0: no limit.")
    ] = 1,
    like: Annotated[
        Like, typer.Option(help="Find sounds of the same kind, or copies of the same sound.")
    ] = "kind",
    more: Annotated[
        list[str] | None, typer.Option(metavar="SOUND", help="Like this one, too; again for more.")
    ] = None,
    less: Annotated[
        list[str] | None, typer.Option(metavar="SOUND", help="Unlike this one; again for more.")
    ] = None,
    bits_only: Annotated[
        bool, typer.Option("--bits-only", help="Compare codes alone, and no vectors.")
    ] = False,
    others: Annotated[
        bool, typer.Option("--others", help="Leave SOUND itself out, where it is in the corpus.")
    ] = False,
    folder: Folders = None,
    seconds: Lengths = None,
    samplerate: Rates = None,
    channels: Channels = None,
    text: Text = "",
    index: Index = None,
    as_json: AsJson = False,
) -> None:
    """Find what sounds like a sound.

    Prints a table. Another program gets lines of score (1 for what equals the
    query, 0 for what is no nearer than any sound), start and duration in
    seconds, and path, with tabs between them.
    """
    where = options.where(folder, seconds, samplerate, channels, text)
    chosen = options.existing(corpus)
    found = options.found(
        chosen,
        options.query(chosen, sound),
        n_results=n,
        start=start,
        duration=duration,
        unit=unit,
        per_file=per_file or None,
        like=like,
        rerank=not bits_only,
        more=[options.query(chosen, one) for one in more or ()],
        less=[options.query(chosen, one) for one in less or ()],
        where=where,
        others=others,
        backend=index,
    )
    if where and not found:
        say(f"no sound passes {where}")
    if as_json:
        code = base64.b64encode(found.query.tobytes()).decode()
        hits = [hit.record() for hit in found]
        printing.document({"query": sound, "code": code, "unit": unit, "hits": hits})
    else:
        printing.hits(found, with_time=unit == "segment")


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
    folder: Folders = None,
    seconds: Lengths = None,
    samplerate: Rates = None,
    channels: Channels = None,
    text: Text = "",
    as_json: AsJson = False,
) -> None:
    """Show a random sound of the corpus, and what is near it.

    To another program, the first line is the sound itself.
    """
    where = options.where(folder, seconds, samplerate, channels, text)
    chosen = options.existing(corpus)
    sound = chosen.random(seed, where)
    found = options.found(chosen, sound._id, n_results=n, where=where, others=True)
    uri, seconds = sound.meta.uri, sound.facts["seconds"]
    if as_json:
        about = {"id": sound._id, "name": sound._name, "uri": uri, "seconds": seconds}
        printing.document({"sound": about, "hits": [hit.record() for hit in found]})
        return
    if printing.to_terminal():
        printing.line(f"near {printing.place(uri)}:")
    else:
        printing.fields("1.0000", "0.000", f"{seconds:.3f}", printing.place(uri))
    printing.hits(found, with_time=False)


@app.command(
    epilog=options.examples(
        "zounds duplicates                           copies, also in other formats",
        "zounds duplicates --distance 3              more of them, and what is only much alike",
        "zounds duplicates | cut -f 4                the paths alone",
    )
)
def duplicates(
    corpus: CorpusPath = None,
    distance: Annotated[
        int, typer.Option(min=0, metavar="BITS", help="How many bits of two codes may differ.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """List sounds that are nearly the same, in groups; delete nothing.

    Prints a table. Another program gets lines of the number of the group, the
    bits that differ from its first sound, seconds, and path, with tabs between.
    """
    groups = options.existing(corpus).duplicates(distance)
    if as_json:
        listed = [[one.record() for one in group] for group in groups]
        printing.document({"distance": distance, "groups": listed})
    else:
        printing.duplicates(groups)


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
    name="eval",
    epilog=options.examples(
        "zounds eval                                 the folders' names are the labels",
        "zounds eval --labels kinds.csv              with the columns path and label",
        "zounds eval --json",
    ),
)
def evaluate(
    corpus: CorpusPath = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A CSV with the columns label and id, path or name.",
            show_default="the names of the folders",
        ),
    ] = None,
    queries: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many sounds to search for, at most.")
    ] = 2000,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Which, if there are more.")] = 0,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Measure how good the search is on your sounds, beside simpler ways.

    Each sound is searched for among the others, and should find those of its
    own kind. P@10 is the share of these in the first ten; R-precision the
    same in the first R, of which there are R; mAP 1 if they all come first.
    """
    chosen = options.existing(corpus)
    with Meter() as meter:
        found = chosen.evaluate(labels, queries, seed, workers, meter.tell)
    if as_json:
        printing.document(found.record())
    else:
        printing.quality(found, most_kinds=20)


@app.command(
    epilog=options.examples(
        "zounds export sounds.csv                    a table: csv or parquet",
        "zounds export sounds.m3u                    a playlist",
        "zounds export npz arrays                    codes, features: numpy.load",
        "zounds export csv - | head                  to another program",
        "zounds export kicks.m3u --text kick         some of the sounds",
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
        str | None,
        typer.Argument(metavar="FILE", help="What to write; - for stdout.", show_default=False),
    ] = None,
    corpus: CorpusPath = None,
    folder: Folders = None,
    seconds: Lengths = None,
    samplerate: Rates = None,
    channels: Channels = None,
    text: Text = "",
    as_json: AsJson = False,
) -> None:
    """Write what is known of the sounds to a file for other programs."""
    where = options.where(folder, seconds, samplerate, channels, text)
    format_, target = options.target(kind, file)
    to_stdout = target in options.STDOUT
    if to_stdout and as_json:
        raise typer.BadParameter("stdout has room for the export or the JSON: name a file")
    chosen = options.existing(corpus)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch, "stdout") if to_stdout else target
        done = exports.FORMATS[format_](chosen, place, chosen.passing(where) if where else None)
        if to_stdout:
            printing.content(place)
    for _id, why in done.unreadable.items():
        say(f"warning: {_id} is not whole in {target.name}: {why}")
    if as_json:
        printing.document(done.record())
    elif not to_stdout:
        left_out = f"; {done.left_out} have no place in it" if done.left_out else ""
        printing.line(f"{done.documents} sounds in {target}{left_out}")
