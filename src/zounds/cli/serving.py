"""The command that serves the page."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from zounds.cli import options, printing
from zounds.cli.options import CorpusPath, Index, corpus_path
from zounds.corpus.corpus import Corpus
from zounds.errors import CorpusError

_MEGABYTE = 1 << 20

app = typer.Typer(rich_markup_mode="rich")


@app.command(
    epilog=options.examples(
        "zounds serve --open                         the page, in your browser",
        "zounds serve --port 9000 --repl             with Python in it",
        "zounds serve --index milvus://milvus:19530  search where it was published",
    )
)
def serve(
    corpus: CorpusPath = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="The port; 0: any that is free.")
    ] = 8888,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Who can reach it: 127.0.0.1 is this machine only.")
    ] = "127.0.0.1",
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page.")] = False,
    repl: Annotated[
        bool, typer.Option("--repl", help="Python in the page, for whoever has its address.")
    ] = False,
    remote_repl: Annotated[
        bool,
        typer.Option(
            "--remote-repl", help="Let other machines use the REPL: they can do anything."
        ),
    ] = False,
    max_upload: Annotated[
        float, typer.Option(min=0.001, max=10000, metavar="MB", help="The largest sound to take.")
    ] = 50,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What other machines call this one; may be repeated."),
    ] = None,
    index: Index = None,
) -> None:
    """Show the corpus in a browser: search, hear and look.

    The corpus may be empty, and grow meanwhile. Ctrl-C ends it.
    """
    from zounds.web import page
    from zounds.web.serve import LOOPBACK, Server, corpus_app

    chosen = Corpus(corpus_path(corpus))
    if repl and host not in LOOPBACK and not remote_repl:
        raise CorpusError(
            f"--repl with --host {host} lets everybody who can reach it do on this machine what "
            "you can: leave --host out, or say --remote-repl as well"
        )
    talk = None
    if repl or remote_repl:
        from zounds.web.repl import Repl

        talk = Repl(_kernel(chosen), remote=remote_repl)
    hosts = frozenset([host, *(name or [])])
    page_app = corpus_app(chosen, round(max_upload * _MEGABYTE), hosts, talk, index)
    server = Server(page_app, host, port, talk.leave if talk else None)
    if not page.is_built():
        for line in page.missing().splitlines():
            printing.line(line)
    count = len(chosen)
    printing.line(f"{count} sounds in {chosen.path}; Ctrl-C ends it. Open:")
    server.announce(server.url + (f"#token={talk.token}" if talk else ""), open_browser)
    server.run()


def _kernel(corpus: Corpus) -> Any:
    from zounds.web.kernels import OwnProcess

    first = (
        "import featureflow as ff, numpy as np, zounds\n"
        f"index = corpus = zounds.Corpus({str(corpus)!r})"
    )
    return OwnProcess(first, ["corpus", "index", "ff", "np", "zounds"])
