"""What a corpus has in a bucket besides its store: its card, and its index as files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from featureflow.downloads import folder as cache
from featureflow.stores.bucket import Bucket, Outrun
from zounds.corpus import lease
from zounds.corpus.lease import Lease

Item = TypeVar("Item")
Result = TypeVar("Result")

_CARD = "corpus.json"
_LATEST = "index/latest"
_PATIENCE = 60.0  # s
_FRESH = 1.0  # s
_TOGETHER = 32  # requests
_OWN = ("lock.mdb", "lock")  # files that mean something to processes of one machine only


class Remote:
    """A corpus in a bucket, as far as it is no store.

    ::

        corpus.json             the card, as in a folder
        store/                  an `ObjectStore`
        index/latest            the digest of the index, and its files with theirs
        index/<digest>/<file>   the files of a folder
        lock                    who changes it, if somebody does

    Parameters
    ----------
    url : str
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._bucket = Bucket(self.url, _PATIENCE)
        self.lease = Lease(self.url)
        self._read: dict[str, tuple[float, bytes | None]] = {}
        of = f"{os.environ.get('AWS_ENDPOINT_URL', '')} {self.url}".encode()
        name = hashlib.blake2b(of, digest_size=16).hexdigest()
        self.folder = cache() / "corpora" / name
        """What is kept on this machine: the lock, the index, and what the page computes."""

    def card(self) -> bytes | None:
        """Return the card; None where there is no corpus."""
        return self._recent(_CARD)

    def write_card(self, card: bytes) -> None:
        """Replace the card."""
        self._replace(_CARD, card)

    def others(self) -> str | None:
        """Return the name of something that is there; None where nothing is."""
        return next((name for name in self._bucket.names("") if name != lease.NAME), None)

    def size(self) -> int:
        """Return how much there is [unit=bytes]."""
        return self._bucket.size()

    def stamp(self) -> str:
        """Return what is another when the card or the index is."""
        found = (self._recent(_CARD) or b"") + (self._recent(_LATEST) or b"")
        return hashlib.blake2b(found, digest_size=8).hexdigest()

    # ------------------------------------------------------------------ the index

    def push(self, folder: Path) -> None:
        """Make the files of a folder the index; readers have the one before until all are there."""
        files = sorted(path for path in folder.iterdir() if path.name not in _OWN)
        digests = {path.name: _digest(path.read_bytes()) for path in files}
        name = _digest(json.dumps(digests).encode())
        for path in files:
            try:
                self._bucket.put(f"index/{name}/{path.name}", path.read_bytes(), None)
            except Outrun:  # an equal one is there, or a damaged one
                self._replace(f"index/{name}/{path.name}", path.read_bytes())
        self._replace(_LATEST, json.dumps({"digest": name, "files": digests}).encode())
        needed = (f"index/{name}/", _LATEST)
        self._bucket.delete(n for n in self._bucket.names("index") if not n.startswith(needed))

    def pull(self) -> Path | None:
        """Return the folder with the index, which is fetched once; None if there is none.

        What is there and is not what was written counts as none.
        """
        before = None
        while (latest := self._recent(_LATEST)) not in (None, before):
            before = latest
            found = json.loads(latest or b"")
            target = self.folder / "index" / str(found["digest"])
            if target.exists() or self._fetch(found, target):
                return target
            self._read.pop(_LATEST)  # it may have been replaced meanwhile
        return None

    def _fetch(self, found: dict[str, Any], target: Path) -> bool:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="new-", dir=target.parent) as draft:
            for name, digest in found["files"].items():
                file = self._bucket.get(f"index/{found['digest']}/{name}")
                if file is None or _digest(file[0]) != digest:
                    return False
                (Path(draft) / name).write_bytes(file[0])
            for old in target.parent.iterdir():
                if old.name != Path(draft).name and not old.name.startswith("new-"):
                    shutil.rmtree(old, ignore_errors=True)
            try:
                shutil.copytree(draft, f"{draft}-whole")
                Path(f"{draft}-whole").rename(target)
            except OSError:
                if not target.exists():  # by another process
                    raise
                shutil.rmtree(f"{draft}-whole", ignore_errors=True)
        return True

    # ------------------------------------------------------------------ objects

    def _recent(self, name: str) -> bytes | None:
        """Return an object, as of a moment ago."""
        read, content = self._read.get(name, (float("-inf"), None))
        if time.monotonic() - read > _FRESH:
            read, found = time.monotonic(), self._bucket.get(name)
            content = None if found is None else found[0]
            self._read[name] = read, content
        return content

    def _replace(self, name: str, content: bytes) -> None:
        while True:
            found = self._bucket.get(name)
            if found is None or found[0] != content:
                try:
                    self._bucket.put(name, content, None if found is None else found[1])
                except Outrun:
                    continue
            self._read[name] = time.monotonic(), content
            return


def ahead(
    do: Callable[[Item], Result], items: Iterable[Item], is_far: bool
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with what is made of it; where that means waiting, of several at once."""
    if not is_far:
        for item in items:
            yield item, do(item)
        return
    waiting: list[tuple[Item, Future[Result]]] = []
    rest = iter(items)
    with ThreadPoolExecutor(_TOGETHER) as threads:
        while True:
            fresh = islice(rest, 2 * _TOGETHER - len(waiting))
            waiting += [(item, threads.submit(do, item)) for item in fresh]
            if not waiting:
                return
            item, future = waiting.pop(0)
            yield item, future.result()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
