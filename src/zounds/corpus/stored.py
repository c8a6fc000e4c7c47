"""What is stored of many documents, read one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import featureflow as ff
from featureflow.document import Document
from featureflow.run import join
from featureflow.stores import Store
from zounds.index.hamming import UNREADABLE


class Stored:
    """Features of all documents of a model, as they are while nobody changes the store.

    What identifies their computation is found out once; a document that is asked for a feature
    finds it out each time, since its model may learn anew.

    Parameters
    ----------
    model : type
    store : Store
        Where its documents are.
    names : sequence of str
        The features.
    """

    def __init__(self, model: Any, store: Store, names: Sequence[str]) -> None:
        self._model = model
        self._store = store
        self._prints = {name: model._fingerprint(name) for name in names}

    def lacking(self) -> Iterator[str]:
        """Yield the ids of documents of which not all of the features are stored."""
        for entry in self.entries():
            document = Document(self._store, entry["id"])
            values = (document.value(entry["token"], *each) for each in self._prints.items())
            if not all(map(document.has, values)):
                yield entry["id"]

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the entry of each document."""
        yield from Document.entries(self._store)

    def read(self, entry: dict[str, Any]) -> list[Any] | None:
        """Return the features of a document; None where they cannot be had."""
        document, found = Document(self._store, entry["id"]), []
        try:
            for name, fingerprint in self._prints.items():
                value = document.value(entry["token"], name, fingerprint)
                found.append(join(list(document.chunks(self._model.features[name], value))))
            return found
        except (KeyError, ff.CorruptRecord):
            pass  # then it is computed, if that is possible
        try:
            made = self._model(entry["id"])
            return [getattr(made, name) for name in self._prints]
        except UNREADABLE:
            return None
