"""What a corpus knows of each source, and of itself; in its store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from featureflow.document import sealed, unsealed
from featureflow.errors import CorruptRecord
from featureflow.stores import Store
from zounds.corpus.outcome import Outcome

_TOP = "corpus"


@dataclass(frozen=True)
class State:
    """What a corpus is at.

    Parameters
    ----------
    roots : tuple of str
        The URIs that were added, to look for what is new there.
    changes : int
        Raised before anything changes, so that an index knows whether it is up to date.
    indexed : int
        What `changes` was when the index was built; -1 before.
    seed : int
        The one that was learned with.
    learned_from : int
        How many documents were learned from; 0 before.
    """

    roots: tuple[str, ...] = ()
    changes: int = 0
    indexed: int = -1
    seed: int = 0
    learned_from: int = 0


class Catalogue:
    """The outcome of each source, and the state, of one corpus.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys = store.key_builder
        self._prefix = self._keys.prefix(_TOP, "sources")
        self._state = self._keys.build(_TOP, "state")
        self._model = self._keys.build(_TOP, "model")

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what is known of each source, in no particular order; damage is left out."""
        for key in self._store.keys(self._prefix):
            try:
                yield Outcome(**unsealed(self._store.read(key), key))
            except (KeyError, CorruptRecord):
                continue  # removed meanwhile; or `problems` tells

    def write(self, outcomes: Iterable[Outcome]) -> None:
        """Remember what became of sources."""
        records = {self._key(outcome.uri): sealed(asdict(outcome)) for outcome in outcomes}
        if records:
            self._store.write(records)

    def forget(self, uris: Iterable[str]) -> None:
        """Forget sources."""
        keys = [self._key(uri) for uri in uris]
        if keys:
            self._store.delete(*keys)

    def _key(self, uri: str) -> str:
        return self._keys.build(_TOP, "sources", uri, "outcome")

    def state(self) -> State:
        """Return the state of the corpus; that of a new one, where it is damaged."""
        try:
            found = unsealed(self._store.read(self._state), self._state)
        except (KeyError, CorruptRecord):
            return State()
        return State(**{**found, "roots": tuple(found["roots"])})

    def update(self, **changed: Any) -> State:
        """Change parts of the state; return it."""
        state = replace(self.state(), **changed)
        self._store.write({self._state: sealed({**asdict(state), "roots": list(state.roots)})})
        return state

    def model(self) -> Any:
        """Return what was learned, or None."""
        try:
            return unsealed(self._store.read(self._model), self._model)
        except KeyError:
            return None
        except CorruptRecord:
            raise CorruptRecord("what was learned is damaged: call learn() again") from None

    def model_digest(self) -> str:
        """Return what tells one model from another; empty if none was learned, or is damaged."""
        try:
            record = self._store.read(self._model)
            unsealed(record, self._model)
        except (KeyError, CorruptRecord):
            return ""
        return record[:32].decode("ascii")

    def learn(self, model: Any, **state: Any) -> None:
        """Remember a model, together with the state it leads to."""
        changed = replace(self.state(), **state)
        self._store.write(
            {
                self._model: sealed(model),
                self._state: sealed({**asdict(changed), "roots": list(changed.roots)}),
            }
        )

    def problems(self) -> Iterator[str]:
        """Yield what is damaged, one line each."""
        found = set()
        for key in self._store.keys(self._keys.prefix(_TOP)):
            found.add(key)
            if self._is_damaged(key):
                yield f"{key} is damaged: {self._remedy(key)}"
        # a key may be what was damaged
        if self._state not in found and any(key.startswith(self._prefix) for key in found):
            yield f"{self._state} is gone: {self._remedy(self._state)}"
        if self._model not in found and self.state().learned_from:
            yield f"{self._model} is gone: {self._remedy(self._model)}"

    def mend(self) -> bool:
        """Take out what is damaged of single sources; return whether anything was."""
        keys = [key for key in self._store.keys(self._prefix) if self._is_damaged(key)]
        if keys:
            self._store.delete(*keys)
        return bool(keys)

    def _is_damaged(self, key: str) -> bool:
        try:
            found = unsealed(self._store.read(key), key)
        except KeyError:
            return False  # removed meanwhile
        except CorruptRecord:
            return True
        return key not in (self._state, self._model) and key != self._key(found["uri"])

    def _remedy(self, key: str) -> str:
        if key == self._model:
            return "call learn(), or run zounds index --learn SOURCE"
        if key == self._state:
            return "run zounds index FOLDER again for the folders that were added"
        return "run zounds rescan"
