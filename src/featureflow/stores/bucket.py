"""Objects under names in a bucket: few kinds of requests, with patience, and errors that help."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from featureflow.errors import InvalidParameter, StoreError

T = TypeVar("T")

Version = dict[str, str]

_SCHEMES = ("s3", "gs", "az", "memory")
_REQUEST = 30.0  # s that one request may take
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # s
_TOGETHER = 1000  # names that are deleted by one request


class Outrun(Exception):
    """Somebody else has written an object meanwhile."""


class Bucket:
    """The objects under one prefix of a bucket, over ``obstore``.

    What fails because the server is down, busy, slow or cut off is tried again, with growing
    pauses, as long as there is patience.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix``, ``gs://...``, ``az://...``, or ``memory://``. Endpoint and
        credentials are those of the environment, such as `AWS_ENDPOINT_URL`.
    patience : float [unit=s, range=(0, inf)]

    Raises
    ------
    InvalidParameter
        If the URL is none of these.
    StoreError
        If ``obstore`` is not installed.
    """

    def __init__(self, url: str, patience: float) -> None:
        scheme, _, rest = url.partition("://")
        if scheme not in _SCHEMES or (not rest and scheme != "memory"):
            raise InvalidParameter(
                f"{url!r} is no place for objects: give s3://bucket/prefix, gs:// or az://; of a "
                "folder, make an LmdbDatabase"
            )
        self.url = url
        self._patience = patience
        self._opened: Any = None

    def _store(self) -> Any:
        if self._opened is None:
            from obstore.store import MemoryStore, from_url

            if self.url.startswith("memory:"):
                self._opened = MemoryStore()
                return self._opened
            seconds = timedelta(seconds=min(_REQUEST, self._patience / 2))
            client: Any = {
                "timeout": seconds,
                "connect_timeout": seconds,
                # options that are given replace those of the environment
                "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in _TRUE,
            }
            try:
                # trying again is done here, where it can be told
                self._opened = from_url(
                    self.url, client_options=client, retry_config={"max_retries": 0}
                )
            except Exception as error:  # of many kinds, for whatever is wrong in the environment
                raise StoreError(
                    f"{self.url} cannot be opened ({_line(error)}): check the URL and the "
                    "environment's credentials"
                ) from error
        return self._opened

    def _library(self) -> Any:
        try:
            import obstore
        except ImportError as error:
            raise StoreError(
                f"{self.url} needs obstore, which is not installed: pip install 'zounds[cluster]'"
            ) from error
        return obstore

    def get(self, name: str) -> tuple[bytes, Version] | None:
        """Return an object and what tells this version of it; None where there is none."""
        obstore = self._library()

        def read() -> tuple[bytes, Version]:
            found = obstore.get(self._store(), name)
            return bytes(found.bytes()), _version(found.meta)

        try:
            return self._patiently(read, name)
        except FileNotFoundError as error:
            self._check_bucket(error)
            return None

    def put(self, name: str, data: bytes, version: Version | None) -> Version:
        """Write an object in place of a version of it, None for where there is none.

        Parameters
        ----------
        name : str
        data : bytes
            No two writers have the same, so that one who got no answer can tell whether it was
            written.
        version : dict or None

        Raises
        ------
        Outrun
            If there is another version by now.
        """
        obstore = self._library()
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = version or "create"
        try:
            written = self._patiently(
                lambda: obstore.put(self._store(), name, data, mode=mode, use_multipart=False), name
            )
        except FileNotFoundError as error:
            self._check_bucket(error)
            raise Outrun(name) from error  # it was to be replaced, and was deleted
        except (AlreadyExistsError, PreconditionError) as error:
            found = self.get(name)
            if found is None or found[0] != data:
                raise Outrun(name) from error
            return found[1]  # it had arrived, and only the answer was lost
        return _version(written)

    def names(self, prefix: str, after: str | None = None) -> Iterator[str]:
        """Yield the names in a folder, in order, beginning behind one."""
        return (name for name, _ in self._listed(prefix, after))

    def size(self) -> int:
        """Return the size of all objects [unit=bytes]."""
        return sum(size for _, size in self._listed("", None))

    def _listed(self, prefix: str, after: str | None) -> Iterator[tuple[str, int]]:
        obstore = self._library()

        def some(start: str | None) -> list[Any]:
            stream = obstore.list(self._store(), prefix or None, offset=start, chunk_size=_TOGETHER)
            return next(iter(stream), [])

        while True:
            metas = self._patiently(partial(some, after), f"{prefix}/")
            found = sorted((str(meta["path"]), int(meta["size"])) for meta in metas)
            yield from found
            if len(found) < _TOGETHER:
                return
            after = found[-1][0]

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects, whether or not there are such."""
        waiting = list(names)
        for start in range(0, len(waiting), _TOGETHER):
            some = waiting[start : start + _TOGETHER]
            try:
                self._patiently(partial(self._delete, some), some[0])
            except FileNotFoundError as error:
                self._check_bucket(error)

    def _delete(self, names: list[str]) -> None:
        self._library().delete(self._store(), names)

    def _patiently(self, do: Callable[[], T], name: str) -> T:
        """Return what a request returns; try again while the server may recover."""
        from obstore.exceptions import (
            AlreadyExistsError,
            BaseError,
            GenericError,
            JoinError,
            PreconditionError,
        )

        begun, pause, attempts = time.monotonic(), _FIRST_PAUSE, 0
        while True:
            attempts += 1
            try:
                return do()
            except (AlreadyExistsError, PreconditionError):
                raise
            except (GenericError, JoinError) as error:
                waited = time.monotonic() - begun
                if waited + pause > self._patience:
                    raise StoreError(
                        f"{self.url} does not do as it should for {name}: {_line(error)} "
                        f"({attempts} attempts in {waited:.0f} s): check the server, the network "
                        "and AWS_ENDPOINT_URL, and do the same again; what was finished is kept"
                    ) from error
            except BaseError as error:
                raise StoreError(
                    f"{self.url} refuses {name}: {_line(error)}: check the credentials and what "
                    "they may do there"
                ) from error
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # not all at once
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _check_bucket(self, error: FileNotFoundError) -> None:
        if "NoSuchBucket" in str(error):
            raise StoreError(f"{self.url}: there is no such bucket: make it first") from error


_TRUE = ("1", "true", "yes", "on")


def _version(meta: Any) -> Version:
    """Return what tells a version of an object, as it is asked for."""
    parts = {name: meta[name] for name in ("e_tag", "version")}
    return {name: value for name, value in parts.items() if value is not None}


def _line(error: BaseException) -> str:
    """Return what matters of a message: the status, or why there was none."""
    lines = str(error).split("\n\nDebug source")[0].splitlines() or [type(error).__name__]
    _, found, reason = lines[0].partition(" - ")
    return (reason if found else lines[0])[:200].strip()
