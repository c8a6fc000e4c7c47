"""Starts a server, says where it is, and ends it."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from typing import Any

from zounds.corpus.corpus import Corpus
from zounds.errors import CorpusError
from zounds.web.app import MAX_UPLOAD, app_of
from zounds.web.of_corpus import CorpusLibrary

LOOPBACK = ("127.0.0.1", "::1", "localhost")

_BACKLOG = 2048


def corpus_app(
    corpus: Corpus,
    max_upload: int = MAX_UPLOAD,
    hosts: frozenset[str] = frozenset(),
    repl: Any = None,
    backend: Any = None,
) -> Any:
    """Return the page and its interface for a corpus, as an ASGI application.

    Parameters
    ----------
    corpus : Corpus
        It may be empty, and change while it is served.
    max_upload, hosts, repl
        See `app_of`.
    backend : str, Backend or None
        See `Corpus.search`.
    """
    return app_of(CorpusLibrary(corpus, backend), max_upload, hosts, repl)


class Server:
    """Serves an application, at an address that is taken at once.

    Parameters
    ----------
    app : callable
        An ASGI application.
    host : str
    port : int
        0 for any that is free.
    leave : callable or None
        Called when it ends, to let clients go that listen for ever.

    Raises
    ------
    CorpusError
        If the address cannot be had.
    """

    def __init__(
        self, app: Any, host: str, port: int, leave: Callable[[], None] | None = None
    ) -> None:
        import uvicorn

        class Ending(uvicorn.Server):
            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                if leave is not None:
                    leave()
                await super().shutdown(sockets)

        self._socket = _bound(host, port)
        self.port = int(self._socket.getsockname()[1])
        shown = "127.0.0.1" if host in ("", "0.0.0.0") else "[::1]" if host == "::" else host  # noqa: S104
        shown = f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown
        self.url = f"http://{shown}:{self.port}/"
        logging.getLogger("zounds.web").addHandler(logging.StreamHandler())
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=64 << 10,
        )
        self._server = Ending(config)

    def run(self) -> None:
        """Serve until the process is told to end, by Ctrl-C or SIGTERM."""
        with contextlib.suppress(KeyboardInterrupt):
            self._server.run([self._socket])

    def stop(self) -> None:
        """Let `run`, in another thread, come to its end."""
        self._server.should_exit = True

    def announce(self, address: str, open_browser: bool) -> None:
        """Say where the page is; open it in the browser too, once the server answers."""
        terminal = sys.__stdout__ or sys.stdout  # a kernel has the other for its own
        terminal.write(f"{address}\n")
        terminal.flush()

        def opening() -> None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=10).close()
            webbrowser.open(address)

        if open_browser:
            threading.Thread(target=opening, daemon=True).start()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named, or asyncio would leave Nagle on, and each answer wait for 40 ms
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)  # whoever comes before the server is ready waits
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise CorpusError(
            f"nothing can be served at {host}:{port} ({reason}): give another --port or --host"
        ) from error
    return listening
