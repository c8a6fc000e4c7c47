"""Where a model keeps its documents, and what they are called."""

from __future__ import annotations

import uuid
from typing import ClassVar, Protocol, TypeVar

from featureflow.errors import InvalidParameter
from featureflow.stores import LmdbDatabase, Store, StringDelimitedKeyBuilder

_NAMESPACE = uuid.UUID("8a2ff9d2-6f0b-4a51-9a5e-3b9a0f6c7d10")


class IdProvider(Protocol):
    """Gives documents their ids."""

    only: str | None
    """The id of the one document there is; None where there are many."""

    def new(self, name: str | None, digest: str | None) -> str:
        """Return an id for content of a name and a digest, as far as they are known."""
        ...


class UuidProvider:
    """Gives each document a UUID.

    Content that is processed again under the same name keeps its id (UUID version 5), so that it
    is one document however often it is added; an input without known content gets a random one.
    """

    only: str | None = None

    def new(self, name: str | None, digest: str | None) -> str:
        """See `IdProvider.new`."""
        if digest is None:
            return str(uuid.uuid4())
        return str(uuid.uuid5(_NAMESPACE, f"{name}\0{digest}"))


class StaticIdProvider:
    """Gives every document the same id: there is one, and processing again replaces it.

    Parameters
    ----------
    only : str
        The id.
    """

    def __init__(self, only: str) -> None:
        if not only:
            raise InvalidParameter("the id of a StaticIdProvider is empty: name it")
        self.only: str = only

    def new(self, name: str | None, digest: str | None) -> str:
        """See `IdProvider.new`."""
        return self.only


class PersistenceSettings:
    """What a model needs to know to keep its documents; derive from it and set `database`.

    Attributes
    ----------
    id_provider : IdProvider
        Gives documents their ids.
    database : Store
        Where they are kept. Its key builder puts the keys together.
    key_builder : StringDelimitedKeyBuilder
        The one to hand to `database`.
    """

    id_provider: ClassVar[IdProvider] = UuidProvider()
    key_builder: ClassVar[StringDelimitedKeyBuilder] = StringDelimitedKeyBuilder()
    database: ClassVar[Store | None] = None


T = TypeVar("T", bound=type)


def simple_settings(cls: T) -> T:
    """Give a class a database of its own: a folder with the name of the class, for one document.

    For models that learn, and for indexes: there is one, and it is made anew by each `process`
    or `build`.

    Parameters
    ----------
    cls : type
        A model or an index.

    Returns
    -------
    type
        `cls`, with its settings.
    """
    key_builder = StringDelimitedKeyBuilder()
    cls.id_provider = StaticIdProvider(cls.__name__)  # type: ignore[attr-defined]
    cls.key_builder = key_builder  # type: ignore[attr-defined]
    cls.database = LmdbDatabase(path=cls.__name__, key_builder=key_builder)  # type: ignore[attr-defined]
    return cls
