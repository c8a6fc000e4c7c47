"""Collections: named sets of sounds, in the folder of the corpus."""

from __future__ import annotations

import json
import os
import secrets
import threading
import unicodedata
from pathlib import Path
from typing import Any

from zounds.web.refusal import Refused

MOST_IDS = 100_000

_FILE = "collections.json"
_MOST = 1000
_LONGEST = 100


class Sets:
    """Collections, by their names.

    Parameters
    ----------
    folder : path or None
        None where there is none to keep them in: then they last as long as the server.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._path = None if folder is None else folder / _FILE
        self._lock = threading.Lock()
        self._memory: dict[str, list[str]] = {}

    def record(self) -> dict[str, Any]:
        """Return all of them, for JSON."""
        with self._lock:
            sets = self._read()
        return {
            "collections": [{"name": name, "ids": ids} for name, ids in sets.items()],
            "writable": self._writable(),
        }

    def put(self, name: str, ids: list[str]) -> dict[str, Any]:
        """Make or replace a collection."""
        name = unicodedata.normalize("NFC", name.strip())
        if not 0 < len(name) <= _LONGEST or not name.isprintable():
            raise Refused(
                400,
                "bad_request",
                f"{name!r} cannot be the name of a collection: give 1 to {_LONGEST} characters",
            )
        with self._lock:
            sets = self._read()
            if name not in sets and len(sets) >= _MOST:
                raise Refused(400, "bad_request", f"There are {_MOST} collections: delete some")
            sets[name] = list(dict.fromkeys(ids))
            self._write(sets)
            return {"name": name, "ids": sets[name]}

    def delete(self, name: str) -> None:
        """Delete a collection."""
        with self._lock:
            sets = self._read()
            if sets.pop(name, None) is None:
                raise Refused(404, "not_found", f"There is no collection {name!r}")
            self._write(sets)

    def _read(self) -> dict[str, list[str]]:
        if self._path is None:
            return dict(self._memory)
        try:
            found = json.loads(self._path.read_text("utf-8"))
            return {str(name): [str(_id) for _id in ids] for name, ids in found["sets"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Refused(
                409,
                "bad_request",
                f"The collections in {self._path} cannot be read ({error}): mend or delete it",
            ) from error

    def _write(self, sets: dict[str, list[str]]) -> None:
        if self._path is None:
            self._memory = sets
            return
        draft = self._path.with_name(f".{_FILE}.{secrets.token_hex(4)}")
        try:
            self._path.parent.mkdir(exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                json.dump({"format": 1, "sets": sets}, file, ensure_ascii=True)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            raise Refused(
                409,
                "bad_request",
                f"The collection was not kept: {self._path.parent} cannot be written to "
                f"({error.strerror})",
            ) from error

    def _writable(self) -> bool:
        if self._path is None:
            return True
        there = self._path.parent if self._path.parent.exists() else self._path.parent.parent
        return os.access(there, os.W_OK)
