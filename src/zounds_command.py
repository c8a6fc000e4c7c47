"""The command ``zounds`` from its first moment on: what takes time is imported here, not before."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn


def run() -> None:
    """Run the command; Ctrl-C ends it quietly while it is still being loaded."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
    from zounds.cli.main import run as run_loaded

    run_loaded()


def _stop(*_: Any) -> NoReturn:
    # at once: an exception in the middle of an import would be reported as something else
    sys.stderr.write("zounds: stopped\n")
    os._exit(128 + signal.SIGINT)
