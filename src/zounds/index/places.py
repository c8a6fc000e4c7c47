"""Where an index lies, given where the documents lie."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from weakref import WeakKeyDictionary

from featureflow.stores import Store

_temporary: WeakKeyDictionary[Store, Path] = WeakKeyDictionary()


def folder_of(store: Store) -> Path:
    """Return the folder for what belongs to a store but does not lie in it.

    That of a store in memory is deleted with the store.
    """
    path = getattr(store, "path", None)
    if path is not None:
        return Path(path)
    if store not in _temporary:
        _temporary[store] = Path(tempfile.mkdtemp(prefix="zounds-"))
        weakref.finalize(store, _forget, _temporary[store], os.getpid())
    return _temporary[store]


def _forget(folder: Path, process: int) -> None:
    if os.getpid() == process:  # a fork has the folders of its parent
        shutil.rmtree(folder, ignore_errors=True)
