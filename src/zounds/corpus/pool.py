"""Work in several processes, of which one may die without taking more than its item with it."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from typing import Any, TypeVar

from featureflow.errors import InvalidParameter
from featureflow.stores.lmdb import let_go_of_the_deleted
from zounds.corpus.cluster import Cluster, LostTouch, WorkersDied
from zounds.errors import CorpusError

Item = TypeVar("Item")
Result = TypeVar("Result")

# One thread each, or they would fight for the cores; and memory that is freed is kept for the next
# block instead of being given back and taken anew, page by page (glibc reads it, others ignore it).
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(64 << 20),
}
_ACCESS = ("AWS_", "AZURE_", "GOOGLE_")
_IDLE = 60  # s until workers that nobody needs leave
_SMALLEST_BATCH, _LARGEST_BATCH = 4, 64


def _access() -> dict[str, str]:
    """Return who one is to buckets: workers that were started as somebody else are no use."""
    return {name: value for name, value in os.environ.items() if name.startswith(_ACCESS)}


class Pool:
    """Calls a function with batches of items, in worker processes.

    Parameters
    ----------
    workers : int or None
        How many processes; None for one on each core that this process may use.
    executor : concurrent.futures.Executor or None
        Takes the batches instead.

    Raises
    ------
    InvalidParameter
        If both are given, the executor is none, or `workers` is not a positive whole number.
    """

    def __init__(self, workers: int | None = None, executor: Executor | None = None) -> None:
        if executor is not None and workers is not None:
            raise InvalidParameter(
                f"workers={workers} and an executor were given: an executor has its own number"
            )
        if executor is not None and not isinstance(executor, Executor):
            raise InvalidParameter(
                f"executor={executor!r}: give a concurrent.futures.Executor, or workers= for a "
                "number of processes"
            )
        whole = isinstance(workers, int) and not isinstance(workers, bool)
        if workers is not None and not (whole and workers >= 1):
            raise InvalidParameter(f"workers={workers!r}: give a whole number, at least 1")
        self._workers = workers or _cores()
        self._cluster: Cluster | None = None
        if executor is not None and Cluster.is_meant(executor):
            executor = self._cluster = Cluster(executor)
        self._given = executor
        self._executor: Executor | None = executor

    def run(
        self,
        function: Callable[[Sequence[Item]], Sequence[Result]],
        items: Sequence[Item],
        weight: Callable[[Item], float],
        lost: Callable[[Item, str], Result],
    ) -> Iterator[Sequence[Result]]:
        """Yield the results of batches, as they are done.

        Parameters
        ----------
        function : callable, batch -> results
            Where workers are processes, it can be pickled. May be called again with an item
            whose worker died, and with none to see whether workers live at all.
        items : sequence
        weight : callable, item -> float
            How much of the weight of a full batch an item has, 1 or more for one of its own.
        lost : callable, (item, why) -> result
            Called for an item whose worker died, twice, the second time alone with it.

        Raises
        ------
        CorpusError
            If a given executor breaks, or workers cannot be started.
        """
        batches = _batches(items, weight, self._width)
        again: list[list[Item]] = []
        deadly: list[Item] = []
        pending: dict[Future[Any], list[Item]] = {}
        finished = False

        def following() -> list[Item] | None:
            return again.pop() if again else next(batches, None)

        try:
            while True:
                suspects: list[list[Item]] = []
                try:
                    while len(pending) < 2 * self._width and (batch := following()):
                        suspects = [batch]  # should the pool turn out to be broken
                        pending[self._submit(function, batch)] = batch
                        suspects = []
                    if not pending:
                        for item in deadly:
                            yield [self._alone(function, item, lost)]
                        finished = True
                        return
                    for future in self._done(pending):
                        try:
                            results = self._result(future)
                        except WorkersDied:  # the others go on
                            batch = pending.pop(future)
                            if len(batch) > 1:
                                again += [[item] for item in batch]
                            else:
                                deadly += batch
                        except LostTouch:
                            again.append(pending.pop(future))
                        else:
                            del pending[future]
                            yield results
                except BrokenExecutor:
                    suspects += pending.values()
                    pending = {}
                    for item in (item for batch in suspects for item in batch):
                        yield [self._alone(function, item, lost)]
        finally:
            for future in pending:
                future.cancel()
            if self._given is not None:
                wait(pending)  # what is at work may write, and the caller lets others in
            elif not finished:
                self._stop()

    def _alone(
        self,
        function: Callable[[Sequence[Item]], Sequence[Result]],
        item: Item,
        lost: Callable[[Item, str], Result],
    ) -> Result:
        """Return the result of an item; while no other is at work, so that it cannot be theirs."""
        try:
            results: Sequence[Result] = self._result(self._submit(function, [item]))
        except LostTouch:
            return self._alone(function, item, lost)
        except BrokenExecutor as error:
            cause = _cause(error)
        else:
            return results[0]
        try:
            self._result(self._submit(function, []))
        except BrokenExecutor as error:  # it is not the item
            raise _no_workers(_cause(error)) from error
        return lost(item, cause)

    @property
    def _width(self) -> int:
        return self._workers if self._cluster is None else max(1, self._cluster.width)

    def _done(self, pending: Iterable[Future[Any]]) -> set[Future[Any]]:
        if self._cluster is not None:
            return self._cluster.wait(pending)
        return wait(pending, return_when=FIRST_COMPLETED).done

    def _result(self, future: Future[Any]) -> Sequence[Any]:
        found: Sequence[Any] = (
            future.result() if self._cluster is None else self._cluster.result(future)
        )
        return found

    def _submit(self, function: Callable[..., Any], batch: list[Item]) -> Future[Any]:
        if self._cluster is not None:
            self._cluster.reconnect()
        if self._given is not None:
            try:
                return self._given.submit(function, batch)
            except RuntimeError as error:  # it is broken, or was shut down
                raise CorpusError(
                    f"the executor that was given takes no work ({error}): what was "
                    "finished is kept; give a new one to go on"
                ) from error
        try:
            try:
                return self._own().submit(function, batch)
            except BrokenExecutor:
                return self._own().submit(function, batch)  # a new one
        except OSError as error:
            raise _no_workers(error.strerror or str(error)) from error

    def _own(self) -> Executor:
        import loky

        executor: Executor = loky.get_reusable_executor(
            max_workers=self._workers,
            timeout=_IDLE,
            initializer=_start,
            initargs=(os.getpid(),),
            env=_ENVIRONMENT | _access(),
        )
        self._executor = executor
        return executor

    def _stop(self) -> None:
        if self._given is None and self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]


def _batches(
    items: Sequence[Item], weight: Callable[[Item], float], workers: int
) -> Iterator[list[Item]]:
    """Yield small batches first and last: every worker has one soon, and all are done together."""
    batch: list[Item] = []
    size, limit = 0.0, _SMALLEST_BATCH
    for place, item in enumerate(items):
        heavy = weight(item)
        if batch and (len(batch) >= limit or size + heavy > 1):
            yield batch
            fair = (len(items) - place) // (4 * workers)  # of what is left
            limit = max(_SMALLEST_BATCH, min(2 * limit, fair, _LARGEST_BATCH))
            batch, size = [], 0.0
        batch.append(item)
        size += heavy
    if batch:
        yield batch


def _no_workers(why: str) -> CorpusError:
    return CorpusError(
        f"worker processes cannot be started ({why}): what was finished is kept; free memory, or "
        "try with workers=1, and do the same again to go on"
    )


def _cause(error: BaseException) -> str:
    codes = re.search(r"\{(.*)\}", str(error))
    return codes.group(1) if codes else "it ended without a word"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start(parent: int) -> None:
    """Prepare a worker: Ctrl-C is its parent's affair, and without a parent it has no work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        let_go_of_the_deleted()  # what was compacted meanwhile
        time.sleep(0.5)
    os._exit(1)
