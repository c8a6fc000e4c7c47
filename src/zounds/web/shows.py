"""The page and the REPL for models that were written by hand."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

# what these need is imported when they are started: to name them costs nothing


class ZoundsSearch:
    """The search page, for a model and an index that were written by hand.

    Parameters
    ----------
    model : type
        Its documents are shown.
    audio_feature : Feature
        The sound of a document: samples, or the bytes of a file, such as ``model.ogg``.
    visualization_feature : Feature
        What is drawn of it: a time series, such as ``model.bark``.
    search : HammingIndex
        What is searched: an index that was built, of codes of `model`.
    n_results : int [range=[1, 1000]]
        How many results the page shows.

    Raises
    ------
    InvalidParameter
        If the features are not those of `model`, or there is no such number of results.

    Examples
    --------
    ::

        zounds.ZoundsSearch(
            model=WithCodes,
            audio_feature=WithCodes.ogg,
            visualization_feature=WithCodes.bark,
            search=BfccKmeansIndex(),
            n_results=20,
        ).start(8888)
    """

    def __init__(
        self,
        model: Any,
        audio_feature: Any,
        visualization_feature: Any,
        search: Any,
        n_results: int = 50,
    ) -> None:
        from zounds.web.of_model import ModelLibrary

        self._library = ModelLibrary(model, audio_feature, visualization_feature, search, n_results)

    def app(self) -> Any:
        """Return the page as an ASGI application."""
        from zounds.web.app import app_of

        return app_of(self._library)

    def start(self, port: int = 8888, host: str = "127.0.0.1", open_browser: bool = False) -> None:
        """Serve the page, and say where; until Ctrl-C.

        Parameters
        ----------
        port : int
            0 for any that is free.
        host : str
        open_browser : bool

        Raises
        ------
        CorpusError
            If there can be no server at this address.
        """
        from zounds.web.serve import Server

        server = Server(self.app(), host, port)
        server.announce(server.url, open_browser)
        server.run()


class ZoundsApp:
    """The in-browser REPL, with the names of a program, beside the page where there is an index.

    Parameters
    ----------
    model, audio_feature, visualization_feature
        See `ZoundsSearch`.
    globals, locals : mapping of str
        What is there in the REPL: hand over ``globals()`` and ``locals()``.
    search : HammingIndex or None
        What the page searches; None for the first index of `model` among the names.

    Raises
    ------
    InvalidParameter
        See `ZoundsSearch`.
    CorpusError
        If what the REPL needs is not installed.

    Examples
    --------
    ::

        zounds.ZoundsApp(
            model=WithCodes,
            audio_feature=WithCodes.ogg,
            visualization_feature=WithCodes.bark,
            globals=globals(),
            locals=locals(),
        ).start(8888)
    """

    def __init__(
        self,
        model: Any,
        audio_feature: Any,
        visualization_feature: Any,
        globals: Mapping[str, Any],
        locals: Mapping[str, Any],
        search: Any = None,
    ) -> None:
        from zounds.web.kernels import ThisProcess
        from zounds.web.of_model import ModelLibrary, index_among

        names = {**globals, **locals}
        self._kernel = ThisProcess(names)
        index = index_among(model, names) if search is None else search
        self._library = ModelLibrary(model, audio_feature, visualization_feature, index)

    def start(self, port: int = 8888, host: str = "127.0.0.1", open_browser: bool = False) -> None:
        """Serve the page with the REPL, and say where; until Ctrl-C.

        Call it in the main thread of a program: what is typed runs there.

        Parameters
        ----------
        port, open_browser
            See `ZoundsSearch.start`.
        host : str
            Of this machine only: ``127.0.0.1``, ``::1`` or ``localhost``.

        Raises
        ------
        CorpusError
            If there can be no server at this address, or no REPL in this thread.
        """
        from zounds.web.app import app_of
        from zounds.web.repl import Repl
        from zounds.web.serve import LOOPBACK, Server

        if host not in LOOPBACK:
            from zounds.errors import CorpusError

            raise CorpusError(
                f"host={host!r}: whoever reaches the REPL can do on this machine what you can: "
                f"give one of {', '.join(LOOPBACK)}"
            )
        repl = Repl(self._kernel)
        server = Server(app_of(self._library, repl=repl), host, port, repl.leave)
        serving = threading.Thread(target=server.run)

        def ready() -> None:
            serving.start()
            server.announce(f"{server.url}#token={repl.token}", open_browser)

        try:
            self._kernel.run(ready)
        finally:
            server.stop()
            if serving.is_alive():
                serving.join()
