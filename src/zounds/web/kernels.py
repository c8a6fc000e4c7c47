"""Where the Python of the REPL runs: in a process of its own, or in the one that shows the page."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from zounds.errors import CorpusError

_QUIET = ("--log-level=ERROR", "--HistoryManager.enabled=False")


class Kernel(Protocol):
    """An IPython kernel."""

    names: list[str]
    """What is there from the beginning."""

    async def start(self) -> Any:
        """Start it; return a client of `jupyter_client` that is connected to it."""
        ...

    async def greet(self, client: Any) -> None:
        """Give a kernel that has just begun the names that are to be there."""
        ...

    async def alive(self) -> bool:
        """Return whether it runs."""
        ...

    async def interrupt(self) -> None:
        """Stop what it computes."""
        ...

    async def restart(self) -> None:
        """Begin anew."""
        ...

    async def stop(self) -> None:
        """End it."""
        ...


def need_the_extra() -> None:
    """Raise `CorpusError` if what the REPL needs is not installed."""
    try:
        import ipykernel
        import jupyter_client  # noqa: F401
    except ImportError as error:
        raise CorpusError(f"the REPL needs {error.name}: pip install 'zounds[repl]'") from error
    del ipykernel


class OwnProcess:
    """A kernel in a process of its own: whatever happens in it, the page stays.

    Parameters
    ----------
    first : str
        Python that it runs before anything else.
    names : list of str
        What that makes.
    """

    def __init__(self, first: str, names: list[str]) -> None:
        need_the_extra()
        self.names = names
        self._first = first
        self._manager: Any = None

    async def start(self) -> Any:
        """See `Kernel`."""
        from jupyter_client.asynchronous.client import AsyncKernelClient
        from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager

        class ThisPython(KernelSpecManager):
            def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
                command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
                return KernelSpec(argv=[*command, *_QUIET], display_name="zounds")

        self._manager = AsyncKernelManager(kernel_spec_manager=ThisPython())
        await self._manager.start_kernel(
            env={**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
            stderr=asyncio.subprocess.DEVNULL,
        )
        client: AsyncKernelClient = self._manager.client()
        client.start_channels()
        return client

    async def greet(self, client: Any) -> None:
        """See `Kernel`."""
        client.execute(self._first, silent=True, store_history=False, allow_stdin=False)

    async def alive(self) -> bool:
        """See `Kernel`."""
        return bool(await self._manager.is_alive())

    async def interrupt(self) -> None:
        """See `Kernel`."""
        await self._manager.interrupt_kernel()

    async def restart(self) -> None:
        """See `Kernel`."""
        await self._manager.restart_kernel(now=True)

    async def stop(self) -> None:
        """See `Kernel`."""
        if self._manager is not None:
            await self._manager.shutdown_kernel(now=True)


class ThisProcess:
    """A kernel in the main thread of this process, with names of the program that it is part of.

    Parameters
    ----------
    namespace : mapping of str
        What is there from the beginning. What is assigned in the REPL stays there.
    """

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        need_the_extra()
        self._namespace = {
            name: value for name, value in namespace.items() if not name.startswith("__")
        }
        self.names = sorted(name for name in self._namespace if not name.startswith("_"))
        self._app: Any = None
        self._interrupting = False
        self._loop: Any = None

    def run(self, ready: Callable[[], None]) -> None:
        """Run the kernel in this thread, the main one, until `end`, Ctrl-C or SIGTERM.

        Parameters
        ----------
        ready : callable
            Called once clients can connect.
        """
        from ipykernel.kernelapp import IPKernelApp

        if threading.current_thread() is not threading.main_thread() or IPKernelApp.initialized():
            raise CorpusError(
                "the REPL runs in the main thread of a program, and not in another kernel: start "
                "it from a script"
            )
        main, before = sys.modules.get("__main__"), signal.getsignal(signal.SIGINT)
        self._app = IPKernelApp.instance(user_ns=dict(self._namespace))
        self._app.initialize(["--IPKernelApp.capture_fd_output=False", "--quiet", *_QUIET])
        if main is not None:  # what the program pickles is found in it
            sys.modules["__main__"] = main
        terminated = signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        from tornado.ioloop import IOLoop

        self._loop = IOLoop.current()
        self._loop.add_callback(ready)
        try:
            self._app.start()
        finally:
            signal.signal(signal.SIGINT, before)
            signal.signal(signal.SIGTERM, terminated)
            with contextlib.suppress(Exception):  # its sockets end with the process at the latest
                self._app.close()
            IPKernelApp.clear_instance()

    def _on_signal(self, number: int, _: Any) -> None:
        if number == signal.SIGINT and self._interrupting:
            self._interrupting = False  # what it was meant for was over already
            return
        self._loop.asyncio_loop.call_soon_threadsafe(self._loop.stop)

    def end(self) -> None:
        """Let `run` come to its end."""
        self._loop.add_callback(self._loop.stop)

    async def start(self) -> Any:
        """See `Kernel`."""
        from jupyter_client.asynchronous.client import AsyncKernelClient

        client = AsyncKernelClient()
        client.load_connection_file(self._app.abs_connection_file)
        client.start_channels(hb=False)
        return client

    async def greet(self, client: Any) -> None:
        """See `Kernel`; the names are there."""

    async def alive(self) -> bool:
        """See `Kernel`: as long as this process."""
        return True

    async def interrupt(self) -> None:
        """See `Kernel`."""
        self._interrupting = True
        signal.pthread_kill(int(threading.main_thread().ident or 0), signal.SIGINT)
        await asyncio.sleep(0.2)
        self._interrupting = False

    async def restart(self) -> None:
        """See `Kernel`; the process goes on, with the names that it had."""
        done = threading.Event()

        def anew() -> None:
            self._app.shell.reset(new_session=True)
            self._app.shell.push(dict(self._namespace), interactive=False)
            done.set()

        self._loop.add_callback(anew)
        for _ in range(100):
            if done.is_set():
                return
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """See `Kernel`: it ends with `run`."""
