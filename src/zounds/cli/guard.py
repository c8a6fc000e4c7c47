"""How the command ends, whatever happens: exit codes, one line for an error, quiet pipes."""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

import featureflow as ff

FAILED = 1
NOT_ALL = 3

_DEBUG = "ZOUNDS_DEBUG"


class Terminated(BaseException):
    """The process was asked to end, by SIGTERM."""


class Commands(TyperGroup):
    """The commands, each of which ends in an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Call a command."""
        with guarded(bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


@contextmanager
def guarded(debug: bool) -> Iterator[None]:
    """Turn what is raised into a line on stderr and an exit code.

    Parameters
    ----------
    debug : bool
        Whether errors show where they come from; also by the environment's `ZOUNDS_DEBUG`.
    """
    _print_every_name()
    _let_ctrl_c_interrupt()
    try:
        with _warnings_as_lines():
            yield
            sys.stdout.flush()  # a pipe may be found to be closed now only
    except ff.Error as error:
        if debug or os.environ.get(_DEBUG):
            raise
        say(str(error))
        raise typer.Exit(FAILED) from None
    except (KeyboardInterrupt, Terminated) as stop:
        say(str(stop) or "stopped")
        number = signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT
        raise typer.Exit(128 + number) from None
    except BrokenPipeError:
        # whoever reads has seen enough
        _print_no_more()
        raise typer.Exit(0) from None
    except OSError as error:
        if debug or os.environ.get(_DEBUG):
            raise
        say(_reason(error))
        _print_no_more()
        raise typer.Exit(FAILED) from None


def _reason(error: OSError) -> str:
    """Return what is wrong with this machine, and what to do about it."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return "the current folder was deleted: go to another one"
    why = error.strerror or error
    if error.filename is None:
        return f"the output cannot be written ({why}): make room, or send it elsewhere"
    return f"{error.filename} cannot be read or written ({why}): check it, or name another"


def _print_no_more() -> None:
    """Let the flush at the end not complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(message: str) -> None:
    """Write a line to stderr, in the name of the command."""
    sys.stderr.write(f"zounds: {' '.join(message.split())}\n")


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        if issubclass(category, UserWarning):
            say(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield


def _let_ctrl_c_interrupt() -> None:
    """Have Ctrl-C raise `KeyboardInterrupt` again, which it did not while we were loaded."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if threading.current_thread() is threading.main_thread() and not ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def end_well_when_terminated() -> None:
    """Let SIGTERM end this process the way that Ctrl-C does."""
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(*_: Any) -> NoReturn:
    raise Terminated


def _print_every_name() -> None:
    codecs.register_error("zounds", _as_it_was)
    for stream, errors in ((sys.stdout, "zounds"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def _as_it_was(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode the bytes of a file's name that are no text as what they were."""
    if isinstance(error, UnicodeEncodeError):
        part = error.object[error.start : error.end]
        if all("\udc80" <= character <= "\udcff" for character in part):
            return bytes(ord(character) - 0xDC00 for character in part), error.end
    return codecs.backslashreplace_errors(error)
