"""What is computed for a document: from what is stored, as the models are learned by now."""

from __future__ import annotations

from collections.abc import Callable, Set
from functools import partial
from typing import Any, Protocol

from featureflow.document import Document, Value, Writer
from featureflow.errors import Error, UnavailableError
from featureflow.feature import Feature
from featureflow.fingerprint import fingerprint
from featureflow.plan import Graph, Plan, plan
from featureflow.run import join, run


class Model(Protocol):
    """A class of documents, as far as computing needs it; see `featureflow.model`."""

    __name__: str
    features: dict[str, Feature]
    graph: Graph
    fixed: dict[str, str]
    plans: dict[tuple[str, ...], Plan]


class _EnoughError(Exception):
    """Whoever takes chunks wants no more."""


class Computation:
    """What is computed for a document, now: with the models as they are learned at this moment.

    Parameters
    ----------
    model : Model
    document : Document
    token : str
        Stands for the content of the document.
    again : set of str
        What is computed even if it is there.
    is_new : bool
        Whether nothing is there: nothing of the document is visible before all of it is.
    """

    def __init__(
        self,
        model: Model,
        document: Document,
        token: str,
        again: Set[str] = frozenset(),
        is_new: bool = False,
    ) -> None:
        self._is_new = is_new
        self._again = again
        self._model = model
        self._document = document
        self._token = token
        self._fingerprints: dict[str, str] = {}
        self._there: dict[str, bool] = {}

    def value_of(self, name: str) -> Value:
        """Return where a feature is stored, if it is."""
        return self._document.value(self._token, name, self.fingerprint_of(name))

    def fingerprint_of(self, name: str) -> str:
        """Return the identity of the computation of a feature."""
        known = self._fingerprints.get(name) or self._model.fixed.get(name)
        if known is None:
            feature, needs = self._model.features[name], self._model.graph[name].needs
            node = feature.identity()
            known = fingerprint(node, [self.fingerprint_of(need) for need in needs])
            self._fingerprints[name] = known
            if feature.is_fixed and all(need in self._model.fixed for need in needs):
                self._model.fixed[name] = known
        return known

    def _has(self, name: str) -> bool:
        feature = self._model.features.get(name)
        if feature is None or not feature.store or name in self._again:
            return False
        if name not in self._there:  # asked once: others may store it meanwhile
            self._there[name] = self._document.has(self.value_of(name))
        return self._there[name]

    def read_or_compute(self, name: str) -> Any:
        """Return a feature, from the nearest stored ones; store what is computed on the way."""
        if self._has(name):
            feature = self._model.features[name]
            return self._joined(name, list(self._document.chunks(feature, self.value_of(name))))
        collected: list[Any] = []
        self.compute([name], partial(self._unavailable, name), collect=(name, collected))
        return self._joined(name, collected)

    def hand_out(self, name: str, take: Callable[[Any], bool]) -> None:
        """Hand the chunks of a feature to `take`, until it returns False; nothing is stored."""
        feature = self._model.features[name]

        def emit(made: str, chunk: Any) -> None:
            if made == name and not take(chunk):
                raise _EnoughError

        try:
            if self._has(name):
                for chunk in self._document.chunks(feature, self.value_of(name)):
                    emit(name, chunk)
            else:
                todo = plan(self._model.graph, [name], self._has)
                run(todo, self._inputs(todo, partial(self._unavailable, name)), emit)
        except _EnoughError:
            pass

    def _unavailable(self, name: str, root: str) -> Any:
        raise UnavailableError(
            f"{name} of {self._document.id!r} cannot be computed any more: {root} was handed "
            f"to {self._model.__name__}.process() and is not stored, or not by the node that "
            "the class has now; process it again"
        )

    def _joined(self, name: str, chunks: list[Any]) -> Any:
        if not chunks:
            raise UnavailableError(
                f"{name} of {self._document.id!r} is empty: its nodes made nothing of their input"
            )
        return join(chunks)

    def compute(
        self,
        wanted: list[str],
        handed: Callable[[str], Any],
        entry: dict[str, Any] | None = None,
        collect: tuple[str, list[Any]] | None = None,
    ) -> None:
        """Compute features, and store those that are to be stored, with the document's entry."""
        todo = self._plan(wanted)
        writer = Writer(self._document, self._is_new)
        stored: dict[str, Value] = {}
        for step in todo.steps:
            feature = self._model.features.get(step.name)
            if feature is not None and feature.store:
                stored[step.name] = self.value_of(step.name)
                writer.begin(stored[step.name], replace=step.name in self._again)

        def emit(name: str, chunk: Any) -> None:
            feature = self._model.features.get(name)
            if feature is not None:
                feature.check(chunk)
            if name in stored:
                writer.add(self._model.features[name], stored[name], chunk)
            if collect is not None and name == collect[0]:
                collect[1].append(chunk)

        try:
            run(todo, self._inputs(todo, handed), emit)
            self._check_unchanged(todo)
            writer.commit(entry)
        except BaseException as error:
            writer.abandon()
            if isinstance(error, Error):
                error.add_note(f"in document {self._document.id!r} of {self._model.__name__}")
            raise

    def _plan(self, wanted: list[str]) -> Plan:
        """Return what has to be done; of a new document that is always the same."""
        if not self._is_new:
            return plan(self._model.graph, wanted, self._has)
        known = self._model.plans.get(tuple(wanted))
        if known is None:
            known = plan(self._model.graph, wanted, have=lambda _: False)
            self._model.plans[tuple(wanted)] = known
        return known

    def _check_unchanged(self, todo: Plan) -> None:
        """Raise unless what was computed still is what it was announced to be."""
        now = Computation(self._model, self._document, self._token)
        for name in (step.name for step in todo.steps if step.name in self._model.features):
            if name in self._model.fixed:
                continue
            if now.fingerprint_of(name) != self.fingerprint_of(name):
                raise UnavailableError(
                    f"{name} of {self._document.id!r} was computed while a model that it needs "
                    "learned anew: ask for it again. Or its node changes what identifies it while "
                    "it runs, such as a cache: then give the node a revision = 1"
                )

    def _inputs(self, todo: Plan, handed: Callable[[str], Any]) -> dict[str, Any]:
        read = {
            name: self._document.chunks(self._model.features[name], self.value_of(name))
            for name in todo.reads
        }
        return read | {root: [handed(root)] for root in todo.roots}
