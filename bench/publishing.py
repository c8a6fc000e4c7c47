"""Milvus: publishing codes in batches, and searching them, beside the local index.

Real: a standalone server in a process of its own, on this machine.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

import zounds
from zounds.corpus.backend import LOCAL
from zounds.corpus.generation import Generation
from zounds.corpus.known import Fact, Known
from zounds.corpus.milvus import Address, Milvus
from zounds.corpus.publishing import send
from zounds.corpus.spaces import KIND, LIKE, BitSpace, Layer
from zounds.index.codes import Searchable

CLIPS, SEGMENTS = 20_000, 480_000  # in two ways each: a million codes
K = 500  # what is ranked by vectors
WANTED = "< 180"


def measure(data: Path | None) -> Iterator[str]:
    """Yield Markdown lines."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "servers"))
    from milvus_server import CannotRun, MilvusServer

    generation = _generation()
    with tempfile.TemporaryDirectory() as folder:
        server = MilvusServer(Path(folder))
        try:
            server.start()
        except CannotRun as error:
            yield f"Not measured: {error}"
            return
        try:
            yield from _measured(generation, Address("127.0.0.1", server.port))
        finally:
            server.stop()


def _measured(generation: Generation, address: Address) -> Iterator[str]:
    yield "| what | measured | wanted |"
    yield "|---|---|---|"
    first = _seconds(lambda: send(generation, address))
    yield f"| publishing 1,000,000 codes, in batches | {first:.0f} s | {WANTED} |"
    again = _seconds(lambda: send(generation, address))
    yield f"| publishing them again, unchanged | {again:.1f} s | |"
    milvus = Milvus(address)
    every = generation.layers("segment")[KIND].codes
    different, equal = every[1 :: SEGMENTS // 20], every[:1]
    for name, backend in (("in Milvus", milvus), ("here", LOCAL)):
        codes = backend.codes(generation, "segment", KIND)
        for what, queries in (("", different), (", if 9,600 are equal", equal)):
            best = _nearest(codes, queries)
            yield f"| the {K} nearest of 480,000 codes{what}: {name} | {best:.1f} ms | |"
    queries = np.concatenate([different, equal])
    theirs = milvus.codes(generation, "segment", KIND).nearest(queries, K)
    ours = LOCAL.codes(generation, "segment", KIND).nearest(queries, K)
    yield f"| of {theirs.size} hits, not those of the local index | {(theirs != ours).sum()} | 0 |"


def _nearest(codes: Searchable, queries: np.ndarray) -> float:
    """Return how long a search takes, best of many [unit=ms]."""
    codes.nearest(queries[:1], K)
    rounds = [one[None] for one in queries] * (20 // len(queries))
    return 1000 * min(_seconds(lambda one=one: codes.nearest(one, K)) for one in rounds)


def _generation() -> Generation:
    """Return random codes, of which one in fifty is there many times."""
    random = np.random.default_rng(0)

    def layers(count: int) -> dict[str, Layer]:
        found = {}
        for like in LIKE:
            codes = random.integers(0, 256, (count, 16), np.uint8)
            codes[::50] = codes[0]
            found[like] = Layer(codes, None)
        return found

    per_clip = SEGMENTS // CLIPS
    hop = Fraction(30 * 1024, 44100)
    seconds = per_clip * float(hop)
    return Generation(
        fingerprint="bench",
        bits=128,
        known=Known.of(
            Fact(f"{n:032x}", f"{n}.wav", f"file:///s/{n % 100}/{n}.wav", seconds, 44100, 2)
            for n in range(CLIPS)
        ),
        rate=zounds.SampleRate(hop, hop),
        offsets=np.arange(CLIPS + 1) * per_clip,
        space=BitSpace(layers(CLIPS)),
        segments=layers(SEGMENTS),
    )


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        work()
    return time.perf_counter() - begun
