"""What is stored of many documents, read one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import featureflow as ff
from featureflow.document import Document
from featureflow.run import join
from zounds.corpus import worker
from zounds.corpus.home import Home
from zounds.corpus.remote import ahead
from zounds.index.hamming import UNREADABLE

T = TypeVar("T")


class Stored:
    """Features of all documents of a model, as they are while nobody changes the store.

    What identifies their computation is found out once; a document that is asked for a feature
    finds it out each time, since its model may learn anew.

    Parameters
    ----------
    model : type
    home : Home
        Where its documents are.
    names : sequence of str
        The features.
    """

    def __init__(self, model: Any, home: Home, names: Sequence[str]) -> None:
        self._model = model
        self._store = worker.open_store(home.job.place)
        self._is_far = home.remote is not None
        self._prints = {name: model._fingerprint(name) for name in names}

    def lacking(self) -> Iterator[str]:
        """Yield the ids of documents of which not all of the features are stored."""

        def is_whole(entry: dict[str, Any]) -> bool:
            document = Document(self._store, entry["id"])
            values = (document.value(entry["token"], *each) for each in self._prints.items())
            return all(map(document.has, values))

        for entry, whole in self.each(is_whole):
            if not whole:
                yield entry["id"]

    def each(self, do: Callable[[dict[str, Any]], T]) -> Iterator[tuple[dict[str, Any], T]]:
        """Yield the entry of each document, with what is made of it."""
        return ahead(do, Document.entries(self._store), self._is_far)

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
