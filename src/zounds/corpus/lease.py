"""A note in a bucket that says who changes a corpus, for as long as it is renewed."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
import warnings
from typing import Any

from featureflow.errors import StoreError
from featureflow.stores.bucket import Bucket, Outrun, Version
from zounds.errors import CorpusError

NAME = "lock"

_RENEWED = 15.0  # s
_PATIENCE = 15.0  # s
_VOID = 60.0  # s without renewal; clocks of machines differ by less


class Lease:
    """Keeps other machines from changing a corpus.

    Parameters
    ----------
    url : str
        The place of the corpus.
    """

    def __init__(self, url: str) -> None:
        self._bucket = Bucket(url, _PATIENCE)
        self._mine = uuid.uuid4().hex
        self._version: Version | None = None
        self._ended = threading.Event()
        self._renewing: threading.Thread | None = None

    def take(self) -> None:
        """Take it; raise `CorpusError` if somebody else has it."""
        while True:
            found = self._bucket.get(NAME)
            if found is not None:
                _check_void(json.loads(found[0]), self._bucket.url)
            try:
                self._put(None if found is None else found[1])
            except Outrun:
                continue
            self._ended = threading.Event()
            self._renewing = threading.Thread(target=self._renew, daemon=True)
            self._renewing.start()
            return

    def give_back(self) -> None:
        """Let others have it; soon, where the server cannot be told."""
        self._ended.set()
        if self._renewing is not None:
            self._renewing.join()
        try:
            found = self._bucket.get(NAME)
            is_mine = found is not None and json.loads(found[0])["holder"] == self._mine
            if is_mine:
                self._bucket.delete([NAME])
        except StoreError:
            return
        if not is_mine:
            warnings.warn(
                f"another process took {self._bucket.url} for given up, since this one could not "
                f"be heard of for {_VOID:.0f} s: do the same again, to be sure",
                stacklevel=2,
            )

    def _put(self, version: Version | None) -> None:
        who = {"machine": platform.node(), "process": os.getpid(), "holder": self._mine}
        note = json.dumps({**who, "renewed": time.time()}).encode()
        self._version = self._bucket.put(NAME, note, version)

    def _renew(self) -> None:
        while not self._ended.wait(_RENEWED):
            try:
                self._put(self._version)
            except Outrun:
                return  # told when it is given back
            except StoreError:
                continue  # whoever writes will tell


def _check_void(note: dict[str, Any], url: str) -> None:
    """Raise unless whoever has left a note is gone."""
    here = note["machine"] == platform.node()
    if (here and not _is_running(note["process"])) or time.time() - note["renewed"] > _VOID:
        return
    raise CorpusError(
        f"process {note['process']} on {note['machine']} is changing {url}: wait until it is done, "
        f"or, if it was killed, {_VOID:.0f} s"
    )


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
