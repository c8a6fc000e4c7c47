"""Publishes a corpus: its codes, to a server that many people search."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from blake3 import blake3

from zounds.corpus.generation import Generation
from zounds.corpus.home import Home
from zounds.corpus.ingest import Tell
from zounds.corpus.known import Known
from zounds.corpus.milvus import UNITS, Address, Client, Present, first_id, partition
from zounds.corpus.outcome import Progress
from zounds.corpus.search import searchable
from zounds.errors import BackendError

_BATCH = 5000  # rows; the longest names there are fit into one message of gRPC
_MINUTES = 600  # s, for what takes longer the more there is
_LONGEST = 4096  # bytes of a name or folder
_KEY = 200  # bytes of an id

Row = dict[str, Any]


@dataclass(frozen=True)
class Published:
    """What became of publishing a corpus.

    Parameters
    ----------
    address : str
        Where it is now.
    documents : int
    codes : int
        How many are there.
    sent : int
        How many of them had to be sent.
    """

    address: str
    documents: int
    codes: int
    sent: int

    def record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)


def publish(home: Home, address: str, collection: str | None, tell: Tell) -> Published:
    """Send the codes of a corpus to a Milvus server, for others to search with.

    Rows are sent to a collection of their own, which nobody searches before it is complete. Then
    the name is moved to it, in one step, and what it stood for is dropped. Whoever searches has the
    old codes or the new ones, whole. A call that was cut off, at whatever moment, is gone on with
    by the next; where nothing has changed since, nothing is sent.

    Parameters
    ----------
    home : Home
        Of a corpus that this process is changing: nobody else publishes it meanwhile.
    address, collection, tell
        See `Corpus.publish`.

    Raises
    ------
    SearchError
        If the corpus has no index.
    """
    place = Address.of(address, collection)
    return send(searchable(home), place, tell or (lambda _: None))


def send(
    generation: Generation, address: Address, tell: Callable[[Progress], None] = lambda _: None
) -> Published:
    """Have a server hold a generation, and nothing else under its name; see `publish`.

    Parameters
    ----------
    generation : Generation
    address : Address
    tell : callable
    """
    collection = _Collection(Client(address), generation)
    collection.prepare()
    sent = collection.complete(tell)
    collection.show()
    return Published(str(address), len(generation.ids), collection.count, sent)


def _described(known: Known) -> list[Row]:
    """Return what is known of each document, to filter by."""
    columns = zip(
        known.ids,
        known.names,
        known.folder_of.tolist(),
        known.seconds.tolist(),
        known.samplerates.tolist(),
        known.channels.tolist(),
        strict=True,
    )
    folders = [_text(folder, _LONGEST) for folder in known.folders]
    return [
        {
            "document": _text(_id, _KEY),
            "name": _text(name, _LONGEST),
            "folder": folders[place],
            "seconds": seconds,
            "samplerate": rate,
            "channels": channels,
        }
        for _id, name, place, seconds, rate, channels in columns
    ]


def _text(text: str, longest: int) -> str:
    """Return text that can be sent: of bytes that are none, and of what is too long, less."""
    data = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode()
    return data[:longest].decode("utf-8", "ignore")


class _Collection:
    """The collection of one state of a corpus."""

    def __init__(self, client: Client, generation: Generation) -> None:
        self._client = client
        self._generation = generation
        self._sounds = _described(generation.known)
        alias = client.address.collection
        name = f"{alias}_{blake3(generation.identity.encode()).hexdigest(length=8)}"
        self._present = Present(name, generation.identity)
        self._alias = alias
        self._layers = [
            (unit, like, layer)
            for unit in UNITS
            for like, layer in sorted(generation.layers(unit).items())
        ]
        self._sizes = [len(layer) for *_, layer in self._layers]
        self.count = sum(self._sizes)

    def prepare(self) -> None:
        """Drop what an earlier run has left of other states, and have a collection."""
        shown = self._client.present(self._alias)
        self._drop_others({self._present.name, *([shown.name] if shown else [])})
        self._make()
        # it can be counted now, and rows that come are searchable at once
        self._client("load_collection", self._present.name, timeout=_MINUTES)

    def complete(self, tell: Callable[[Progress], None]) -> int:
        """Send what is not there; return how much that was."""
        counts, sent = self._counts(), 0
        for known in (counts, [0] * len(counts)):  # all of it, should somebody have changed it
            if counts == self._sizes:
                return sent
            sent += self._send(tell, known)
            counts = self._counts()
        if counts != self._sizes:
            raise BackendError(
                f"{self._client.address} has {sum(counts)} rows after {self.count} were sent: "
                f"drop the collection {self._present.name!r} there, and publish again"
            )
        return sent

    def show(self) -> None:
        """Let people have it, instead of what was there before."""
        shown = self._client.present(self._alias)
        if shown is None or shown.name != self._present.name:
            # whoever searches waits for nothing: a server that restarts has to have all of it
            self._client("flush", self._present.name, timeout=_MINUTES)
            move = "create_alias" if shown is None else "alter_alias"
            self._client(move, self._present.name, self._alias)
        self._drop_others({self._present.name})

    def _send(self, tell: Callable[[Progress], None], there: list[int]) -> int:
        """Send layers, of each but the rows that are there."""
        sent, done = 0, 0
        for (unit, like, layer), known in zip(self._layers, there, strict=True):
            # rows were sent in order; the last ones may be a part of a batch
            begin = known if known == len(layer) else known // _BATCH * _BATCH
            for first in range(begin, len(layer), _BATCH):
                last = min(first + _BATCH, len(layer))
                rows = self._rows(unit, like, first, last)
                # by their numbers: what is there is replaced, and nothing is there twice
                self._client(
                    "upsert", self._present.name, rows, partition_name=partition(unit, like)
                )
                sent += last - first
                tell(Progress("publishing", done + last, self.count))
            done += len(layer)
        return sent

    def _rows(self, unit: str, like: str, first: int, last: int) -> list[Row]:
        """Return rows of a layer as they are sent."""
        generation, numbers = self._generation, np.arange(first, last)
        owners = generation.owners(unit, numbers)
        seconds = generation.known.seconds[owners]
        if unit == "clip":
            starts, durations = 0 * seconds, seconds
        else:
            hop, most = float(generation.rate.frequency), float(generation.rate.duration)
            starts = np.asarray((numbers - generation.offsets[owners]) * hop, np.float64)
            durations = np.minimum(most, seconds - starts)
        codes = generation.layers(unit)[like].codes[first:last]
        return [
            {
                "id": first_id(unit, like) + number,
                "code": code.tobytes(),
                "start": start,
                "duration": duration,
                **self._sounds[owner],
            }
            for number, code, owner, start, duration in zip(
                numbers.tolist(),
                codes,
                owners.tolist(),
                starts.tolist(),
                durations.tolist(),
                strict=True,
            )
        ]

    def _make(self) -> None:
        """Make the collection, as far as it was not made."""
        from pymilvus import CollectionSchema, DataType, FieldSchema, MilvusClient

        fields = [
            FieldSchema("id", DataType.INT64, is_primary=True),
            FieldSchema("code", DataType.BINARY_VECTOR, dim=8 * -(-self._generation.bits // 8)),
            FieldSchema("document", DataType.VARCHAR, max_length=_KEY),
            FieldSchema("name", DataType.VARCHAR, max_length=_LONGEST),
            FieldSchema("folder", DataType.VARCHAR, max_length=_LONGEST),
            *(FieldSchema(name, DataType.DOUBLE) for name in ("start", "duration", "seconds")),
            FieldSchema("samplerate", DataType.DOUBLE),
            FieldSchema("channels", DataType.INT64),
        ]
        schema = CollectionSchema(fields, description=json.dumps(asdict(self._present)))
        index = MilvusClient.prepare_index_params()
        index.add_index("code", index_type="BIN_FLAT", metric_type="HAMMING")
        name = self._present.name
        if self._client.present(name) is None:
            self._client("create_collection", name, schema=schema)
        for unit, like, _ in self._layers:
            self._client("create_partition", name, partition(unit, like))
        self._client("create_index", name, index)

    def _counts(self) -> list[int]:
        """Return how many rows of each layer are there."""
        found = []
        for unit, like, _ in self._layers:
            (count,) = self._client(
                "query",
                self._present.name,
                filter="",
                output_fields=["count(*)"],
                partition_names=[partition(unit, like)],
                consistency_level="Strong",
            )
            found.append(int(count["count(*)"]))
        return found

    def _drop_others(self, kept: set[str]) -> None:
        ours = re.compile(rf"{self._alias}_[0-9a-f]{{16}}")
        for name in self._client("list_collections"):
            if name not in kept and ours.fullmatch(name):
                self._client("drop_collection", name)
