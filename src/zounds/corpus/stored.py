"""What is stored of many documents, read one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import featureflow as ff
from featureflow.document import Document
from featureflow.run import join
from zounds.corpus import worker
from zounds.corpus.home import Home
from zounds.corpus.remote import ahead
from zounds.index.hamming import UNREADABLE


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

        for entry, whole in ahead(is_whole, Document.entries(self._store), self._is_far):
            if not whole:
                yield entry["id"]

    def __iter__(self) -> Iterator[tuple[dict[str, Any], list[Any]]]:
        """Yield the entry and the features of each document of which they can be had."""
        for entry, found in ahead(self._had, Document.entries(self._store), self._is_far):
            if found is not None:
                yield entry, found

    def _had(self, entry: dict[str, Any]) -> list[Any] | None:
        try:
            return self._read(entry)
        except UNREADABLE:
            return None

    def _read(self, entry: dict[str, Any]) -> list[Any]:
        document, found = Document(self._store, entry["id"]), []
        try:
            for name, fingerprint in self._prints.items():
                value = document.value(entry["token"], name, fingerprint)
                found.append(join(list(document.chunks(self._model.features[name], value))))
            return found
        except (KeyError, ff.CorruptRecord):  # then it is computed, if that is possible
            made = self._model(entry["id"])
            return [getattr(made, name) for name in self._prints]
