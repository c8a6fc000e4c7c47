"""How the command ends, whatever happens: exit codes, one line for an error, quiet pipes."""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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
        # whoever reads has seen enough; nor may the flush at the end complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


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
