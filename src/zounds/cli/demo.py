"""The demonstration: sounds that are made here, searched the way that one's own would be."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from zounds.audio.encode import save
from zounds.cli import printing
from zounds.cli.filling import fill
from zounds.cli.progress import Meter
from zounds.corpus.corpus import Corpus
from zounds.demo.corpus import demo_corpus
from zounds.errors import AudioError

_QUERIES = ("plucked", "snare")
_HITS = 5


def show(folder: Path, pitches: int, workers: int | None, as_json: bool) -> None:
    """Make sounds and a corpus of them; search it, and say what to type next."""
    sounds, corpus = folder / "sounds", Corpus(folder / "corpus")
    with Meter() as meter:
        meter.stage("making sounds")
        _write(sounds, pitches)
        filled = fill(corpus, [str(sounds)], meter, workers=workers)
    queries = [min((sounds / kind).iterdir()) for kind in _QUERIES]
    found: dict[Path, Any] = {query: corpus.search(query, n_results=_HITS) for query in queries}
    if as_json:
        searches = [
            {"query": str(query), "hits": [hit.record() for hit in hits]}
            for query, hits in found.items()
        ]
        places = {"sounds": str(sounds), "corpus": str(corpus.path)}
        printing.document({**filled.record(), **places, "searches": searches})
        return
    printing.line(f"Sounds of an orchestra that does not exist, in {sounds}:")
    printing.report(filled.report)
    for query, hits in found.items():
        printing.line()
        printing.line(f"What sounds like {query.name}?")
        printing.line()
        printing.hits(hits, with_time=False)
    named = f"--corpus {shlex.quote(str(corpus.path))}"
    program = _program()
    printing.line()
    printing.line("Now you:")
    printing.line()
    printing.line(f"    {program} search {shlex.quote(str(queries[-1]))} {named}")
    printing.line(f"    {program} random {named}")
    printing.line(f"    {program} index a/folder/of/your/own/sounds")
    printing.line()
    printing.line("To hear and see them, start the page and open http://127.0.0.1:8888/ :")
    printing.line()
    printing.line(f"    {program} serve --open {named}")


def _program() -> str:
    """Return how the command is called here: it may be in an environment that is not active."""
    beside = Path(sys.executable).with_name("zounds")
    return "zounds" if shutil.which("zounds") or not beside.exists() else shlex.quote(str(beside))


def _write(folder: Path, pitches: int) -> None:
    """Write the sounds that are not there yet."""
    for name, samples in demo_corpus(pitches=pitches):
        path = folder / name
        if path.exists():
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AudioError(
                f"{path.parent} cannot be made ({error.strerror}): give another folder"
            ) from error
        save(samples, path)
