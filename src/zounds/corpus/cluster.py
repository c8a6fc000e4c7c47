"""Work on many machines: how a cluster of ``dask.distributed`` differs from a pool of processes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from contextlib import suppress
from typing import Any

from zounds.errors import CorpusError

_ASK_AGAIN = 5.0  # s until it is asked how many workers there are now
_PATIENCE = 60.0  # s for a scheduler that is restarted
_RETRIES = 2  # where a batch fails by an exception, of a worker that cannot reach the store


class WorkersDied(BrokenExecutor):
    """A batch has cost its workers their lives, as often as the scheduler allows."""


class LostTouch(Exception):
    """A batch was forgotten, since the scheduler has gone."""


class Cluster(Executor):
    """Hands batches to the workers of a Dask cluster.

    Others go on where a batch kills its worker: the scheduler gives it to another one some times
    (its `allowed-failures`), and nannies start new ones.

    Parameters
    ----------
    executor : distributed.cfexecutor.ClientExecutor
        As ``client.get_executor()`` returns it.
    """

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self._client = executor._client
        self._threads, self._asked = 1, float("-inf")
        self._warned = False

    @staticmethod
    def is_meant(executor: Executor) -> bool:
        """Return whether an executor is that of a cluster."""
        return type(executor).__module__.startswith("distributed.")

    @property
    def width(self) -> int:
        """Int : How many batches are worked on at once, by the workers that there are now."""
        if time.monotonic() - self._asked > _ASK_AGAIN and self._client.status == "running":
            with suppress(OSError, TimeoutError):  # `wait` tells, if it has gone
                self._threads = sum(self._client.nthreads().values())
            self._asked = time.monotonic()
        return self._threads

    def submit(self, function: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Hand over a batch, whatever became of an equal one before."""
        future: Future[Any] = self._executor.submit(function, *args, pure=False, retries=_RETRIES)
        return future

    def result(self, future: Future[Sequence[Any]]) -> Sequence[Any]:
        """Return the result of a batch.

        Raises
        ------
        WorkersDied
            If it has killed its workers.
        LostTouch
            If the scheduler has gone before it was done.
        """
        from distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            raise WorkersDied("it ended without a word") from error
        except CancelledError as error:
            raise LostTouch from error

    def wait(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Wait until one is done, and return those that are.

        Warns
        -----
        UserWarning
            If there is nobody to do them.
        """
        waiting = list(futures)
        while not (done := wait(waiting, _ASK_AGAIN, FIRST_COMPLETED).done):
            self._asked = float("-inf")
            if self.width == 0 and not self._warned:
                self._warned = True
                warnings.warn(
                    f"the scheduler at {self._client.scheduler.address} has no workers: start some "
                    "(dask worker ADDRESS --nthreads 1); the work waits for them",
                    stacklevel=2,
                )
        return done

    def reconnect(self) -> None:
        """Wait until the scheduler is there again; raise `CorpusError` if that takes too long."""
        deadline = time.monotonic() + _PATIENCE
        while self._client.status != "running":
            if time.monotonic() > deadline or self._client.status == "closed":
                raise CorpusError(
                    f"the scheduler of {self._client.scheduler.address} has gone: what was "
                    "finished is kept; start it again, and do the same again to go on"
                )
            time.sleep(0.1)
        self._asked = float("-inf")


def connected(address: str) -> Any:
    """Return a client of the scheduler at an address, such as ``tcp://scheduler:8786``.

    Raises
    ------
    CorpusError
        If ``distributed`` is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise CorpusError(
            f"{address} needs dask.distributed, which is not installed: pip install "
            "'zounds[cluster]'"
        ) from error
    try:
        return Client(address, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise CorpusError(
            f"no scheduler answers at {address} ({error}): start one (dask scheduler), or check "
            "the address"
        ) from error
