"""Models: classes of documents, each with the features that the class declares."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from typing import Any, Self

from featureflow.codec import content_digest
from featureflow.computation import Computation
from featureflow.document import Document, Value
from featureflow.errors import (
    CorruptRecord,
    DocumentNotFound,
    FingerprintError,
    GraphError,
    InvalidParameter,
    RootError,
    UnavailableError,
    UnknownFeature,
)
from featureflow.feature import Feature
from featureflow.plan import Graph, Plan, Spec, plan
from featureflow.run import join, locked, run
from featureflow.settings import PersistenceSettings
from featureflow.stores import Store

_RESERVED = frozenset(
    {
        *("process", "compute", "exists", "delete", "random"),
        *("features", "graph", "fixed", "plans", "id_provider", "key_builder", "database"),
    }
)


class ModelMeta(type):
    """Checks the graph of each model when its class is made, and iterates over its documents."""

    features: dict[str, Feature]
    graph: Graph
    fixed: dict[str, str]
    """The fingerprints that will never change, as far as they are known."""
    plans: dict[tuple[str, ...], Plan]
    """What to do for new documents, as far as it was asked for."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        features: dict[str, Feature] = {}
        for base in reversed(cls.__mro__):
            for attribute, value in vars(base).items():
                if isinstance(value, Feature):
                    _check_name(name, attribute, value)
                    features[attribute] = value
                else:
                    features.pop(attribute, None)
        cls.features = features
        cls.fixed = {}
        cls.plans = {}
        cls.graph = {
            attribute: Spec(attribute, feature.node, feature.needs)
            for attribute, feature in features.items()
        }
        try:
            plan(cls.graph, cls.graph, have=lambda _: False)
        except GraphError as error:
            raise type(error)(f"{name}: {error}") from None

    def __fingerprint__(cls) -> Any:
        """Refuse to identify a class whose documents may be others at any time."""
        raise FingerprintError(
            f"{cls.__name__} is a model, and may learn anew: hand what it has learned to the node "
            "as a parameter, as zounds.Learned takes it, or give the node a revision"
        )

    def __iter__(cls) -> Iterator[Any]:
        roots = {spec.name for spec in cls.graph.values() if not spec.needs}
        for entry in Document.entries(_store_of(cls)):
            if roots <= set(entry["roots"]):
                yield cls(entry["id"])


class BaseModel(PersistenceSettings, metaclass=ModelMeta):
    """A document: a thing that was processed, with features that are computed when asked for.

    Derive from it, declare features, and give it settings: `PersistenceSettings` or
    `simple_settings`. ``Model.process(root=...)`` makes a document, ``Model(_id)`` opens one,
    ``for document in Model`` goes through all that are in its database and have its roots, also
    those that another model has processed: derived classes share documents.

    Names that begin with an underscore belong to every document, so that features may have any
    other: ``_id``, and ``_name``, the display name.

    Parameters
    ----------
    _id : str or None
        As `process` returned it. None for models that have one document only.

    Raises
    ------
    InvalidParameter
        If `_id` is None, and the model may have several documents.

    Examples
    --------
    >>> import featureflow as ff
    >>> class Settings(ff.PersistenceSettings):
    ...     database = ff.InMemoryDatabase()
    >>> class Words(ff.BaseModel, Settings):
    ...     text = ff.TextFeature(str.strip, store=True)
    ...     words = ff.JSONFeature(str.split, needs=text)
    >>> _id = Words.process(text="  the quick brown fox ")
    >>> Words(_id).words
    ['the', 'quick', 'brown', 'fox']
    """

    def __init__(self, _id: str | None = None) -> None:
        only = type(self).id_provider.only
        _check_id(_id)
        if _id is None and only is None:
            raise InvalidParameter(
                f"{type(self).__name__}() needs the id of a document: process() returns one"
            )
        self._id: str = _id if _id is not None else str(only)
        self._values: dict[str, tuple[Value, Any]] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._id!r})"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or hasattr(type(self), name):
            return object.__getattribute__(self, name)  # raises what was raised before
        try:
            plan(type(self).graph, [name], have=lambda _: False)
        except UnknownFeature as error:
            raise UnknownFeature(f"{type(self).__name__}: {error}") from None

    def __fingerprint__(self) -> Any:
        """Return what tells this document from others, and from what it was before."""
        return [self._id, self._document.entry()["token"]]

    # ------------------------------------------------------------------ documents of a class

    @classmethod
    def process(cls, _id: str | None = None, **roots: Any) -> str:
        """Compute and store the stored features of a document.

        A document of the same id and content gets what it lacks, one of other content is
        replaced. If anything fails, nothing of the document changes.

        Parameters
        ----------
        _id : str or None
            Its id; None lets the settings' `id_provider` choose.
        **roots
            What is handed to each root of the graph.

        Returns
        -------
        str
            The id.

        Raises
        ------
        RootError
            If a root is missing, or a name is not that of a root.
        Error
            Whatever the nodes raise; exceptions of other kinds arrive as `NodeError`.
        """
        cls._check_roots("process", roots, cls._roots())
        _check_id(_id)
        given, known = {}, {}
        for root in sorted(roots):
            given[root], known[root] = cls.features[root].identify(roots[root])
        named = [record for record in known.values() if record is not None]
        name = named[0]["name"] if named else None
        digest = None
        if named and len(named) == len(known):
            digest = content_digest("".join(record["digest"] for record in named).encode())
        _id = _id or cls.id_provider.new(name, digest)
        token = digest or uuid.uuid4().hex
        document = Document(_store_of(cls), _id)
        existed = document.exists()
        before = _entry_before(document) if existed else None
        cls._check_settings()
        entry = {"id": _id, "name": name or _id, "token": token, "roots": known}
        # what a root stands for may be found elsewhere now: that is stored again
        again = set(roots) if existed and entry != before else set()
        Computation(cls, document, token, again, is_new=not existed).compute(
            [feature for feature in cls.features if cls.features[feature].store],
            handed=given.__getitem__,
            entry=entry if entry != before else None,
        )
        if before is not None and before["token"] != token:
            document.forget(before["token"])
        return _id

    @classmethod
    def compute(cls, feature: str, **roots: Any) -> Any:
        """Return a feature of something that does not become a document; nothing is stored.

        Parameters
        ----------
        feature : str
            Its name.
        **roots
            What is handed to each root that the feature is computed from.

        Raises
        ------
        UnknownFeature
            If there is no such feature.
        RootError, Error
            See `process`.

        Examples
        --------
        >>> import featureflow as ff
        >>> class Words(ff.BaseModel):
        ...     words = ff.JSONFeature(str.split)
        ...     count = ff.JSONFeature(len, needs=words)
        >>> Words.compute("count", words="the quick brown fox")
        4
        """
        todo = plan(cls.graph, [feature], have=lambda _: False)
        cls._check_roots("compute", roots, todo.roots)
        made: list[Any] = []

        def emit(name: str, chunk: Any) -> None:
            if name in cls.features:
                cls.features[name].check(chunk)
            if name == feature:
                made.append(chunk)

        run(todo, {root: [roots[root]] for root in todo.roots}, emit)
        if not made:
            raise UnavailableError(f"{feature} is empty: its nodes made nothing of their input")
        return locked(join(made))

    @classmethod
    def exists(cls, _id: str | None = None) -> bool:
        """Return whether a document of this id was processed."""
        return Document(_store_of(cls), cls(_id)._id).exists()

    @classmethod
    def delete(cls, _id: str | None = None) -> None:
        """Delete a document, with everything stored for it.

        Raises
        ------
        DocumentNotFound
            If there is none.
        """
        document = Document(_store_of(cls), cls(_id)._id)
        if not document.exists():
            document.entry()  # says that there is none
        document.delete()

    @classmethod
    def random(cls, seed: int | None = None) -> Self:
        """Return one of the documents, each as likely as the others.

        Raises
        ------
        DocumentNotFound
            If there are none.
        """
        documents: list[Self] = list(cls)
        if not documents:
            raise DocumentNotFound(f"{cls.__name__} has no documents: process some first")
        return random.Random(seed).choice(documents)  # noqa: S311

    @classmethod
    def _check_settings(cls) -> None:
        """Refuse to replace the one document of a class that this one is derived from."""
        owner = next(base for base in cls.__mro__ if "id_provider" in vars(base))
        inherited = isinstance(owner, ModelMeta) and owner is not cls
        if inherited and cls.id_provider.only is not None:
            raise GraphError(
                f"{cls.__name__} has the settings of {owner.__name__}, and would replace what that "
                f"one has learned: decorate {cls.__name__} with simple_settings"
            )

    @classmethod
    def _roots(cls) -> tuple[str, ...]:
        return tuple(spec.name for spec in cls.graph.values() if not spec.needs)

    @classmethod
    def _check_roots(cls, method: str, roots: dict[str, Any], needed: tuple[str, ...]) -> None:
        call = f"{method}({', '.join(f'{root}=...' for root in needed)})"
        for name in roots:
            if name not in cls._roots():
                raise RootError(
                    f"{cls.__name__}.{method}() got {name}=, which is not a root of its graph: "
                    f"call {call}"
                )
        missing = [root for root in needed if root not in roots]
        if missing:
            raise RootError(f"{cls.__name__}.{method}() needs {', '.join(missing)}: call {call}")

    # ------------------------------------------------------------------ one document

    @property
    def _name(self) -> str:
        """str : The display name: that of the source, or else the id."""
        return str(self._document.entry()["name"])

    @property
    def _document(self) -> Document:
        return Document(_store_of(type(self)), self._id)

    def _computation(self) -> Computation:
        document = self._document
        return Computation(type(self), document, document.entry()["token"])

    def _digest(self, name: str) -> str:
        """Return the digest of the content of a stored feature; compute it where it is missing.

        Raises
        ------
        DocumentNotFound
            If nothing was processed under this id.
        """
        if not type(self).features[name].store:
            raise GraphError(
                f"{type(self).__name__}.{name} is not stored: declare it with store=True"
            )
        value = self._computation().value_of(name)
        if not self._document.has(value):
            self._value(name)
        return self._document.digest(value)

    def _is_stored(self, name: str) -> bool:
        """Return whether a feature can be read, as it would be computed at this moment."""
        return self._document.has(self._computation().value_of(name))

    def _lacks(self) -> list[str]:
        """Return the stored features that have to be computed when they are asked for."""
        computation, features = self._computation(), type(self).features
        stored = (name for name in features if features[name].store)
        return [name for name in stored if not self._document.has(computation.value_of(name))]

    @classmethod
    def _fingerprint(cls, name: str) -> str:
        """Return the identity of the computation of a feature, as it is at this moment."""
        return Computation(cls, Document(_store_of(cls), "any"), "any").fingerprint_of(name)

    def _value(self, name: str) -> Any:
        """Return a feature: remembered, read, or computed; for `Feature.__get__`."""
        computation = self._computation()
        value = computation.value_of(name)
        known = self._values.get(name)
        if known is None or known[0] != value:
            known = self._values[name] = (value, locked(computation.read_or_compute(name)))
        return known[1]


def _check_name(model: str, attribute: str, feature: Feature) -> None:
    """Refuse features that could not be reached, or would stand in the way."""
    if attribute.startswith("_") or attribute in _RESERVED:
        raise GraphError(
            f"{model}.{attribute} cannot be a feature: the name belongs to every model; give it "
            "another"
        )
    if feature.name != attribute:
        raise GraphError(
            f"{model}.{attribute} is the feature {feature.name!r} under another name: declare a "
            "feature of its own, or need that one by its name"
        )


def _entry_before(document: Document) -> dict[str, Any] | None:
    """Return the entry of a document that is processed again; a damaged one is replaced."""
    try:
        return document.entry()
    except (DocumentNotFound, CorruptRecord):
        return None


def _check_id(_id: Any) -> None:
    if _id is not None and (not isinstance(_id, str) or not _id):
        raise InvalidParameter(f"_id is {_id!r}: the id of a document is text, and not empty")


def _store_of(model: Any) -> Store:
    store: Store | None = model.database
    if store is None:
        raise GraphError(
            f"{model.__name__} has no database: derive it from a class of settings too, with "
            "database = featureflow.LmdbDatabase(path=...), or decorate it with simple_settings"
        )
    return store
