"""Who looks for near codes: this process, in the corpus' folder, or a server that many share."""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

from featureflow.errors import InvalidParameter
from zounds.corpus.generation import Generation
from zounds.index.codes import Searchable


class Backend(Protocol):
    """Has the codes of a corpus, and finds the nearest; `zounds.corpus.milvus.Milvus` is one.

    What is searched with is made here, of the corpus' own generation, and the nearest are ranked
    by its vectors. So hits are the same, whoever looks for them.
    """

    def codes(self, generation: Generation, unit: str, like: str) -> Searchable:
        """Return the codes of clips or segments of a generation, in the order of its rows."""
        ...


class Local:
    """Searches the codes that lie in the corpus' folder."""

    def codes(self, generation: Generation, unit: str, like: str) -> Searchable:
        """See `Backend.codes`."""
        return generation.layers(unit)[like].prepared


LOCAL = Local()


def backend_of(thing: Any) -> Backend:
    """Return who searches.

    Parameters
    ----------
    thing : str, Backend or None
        The address of a server, see `zounds.corpus.milvus.Address`; None for this process.

    Raises
    ------
    InvalidParameter
        If it is something else.
    """
    if thing is None:
        return LOCAL
    if isinstance(thing, str):
        return _at(thing)
    if not callable(getattr(thing, "codes", None)):
        raise InvalidParameter(
            f"backend={thing!r}: give an address, such as milvus://localhost:19530/zounds"
        )
    found: Backend = thing
    return found


@cache
def _at(address: str) -> Backend:
    """Return a server; the same for the same address, since connections are made to last."""
    from zounds.corpus.milvus import Address, Milvus

    return Milvus(Address.of(address))
