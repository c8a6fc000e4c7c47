"""Search: exact nearest codes, beside faiss, usearch, NumPy and a plain read of memory.

    python bench/search.py [--data FOLDER] [--large]

With --large also a hundred million codes.
"""

from __future__ import annotations

import argparse
import ctypes
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from quality import resampled, timbre
from usearch.index import MetricKind, ScalarKind
from usearch.index import search as usearch_search

import zounds
from zounds.corpus.generation import Generation
from zounds.corpus.hits import Limits
from zounds.corpus.known import Fact, Known
from zounds.corpus.ranking import by_codes
from zounds.corpus.shelf import Shelf
from zounds.corpus.spaces import KIND, BitSpace, Layer
from zounds.index import Codes, kinds
from zounds.index.segment import Coded
from zounds.index.segments import Segments
from zounds.learn.binary import ITQ, packed
from zounds.learn.kmeans import KMeans
from zounds.learn.transforms import UnitNorm

BITS = 128
SIZES = (10**5, 10**6, 10**7)
LARGE = 10**8
BATCHES = (1, 100, 1000)
WINDOW = 30  # frames of a code of the article's
ENOUGH = 0.5  # s of measuring, where that is more than two rounds

PROBE = """
#include <stdint.h>
uint64_t probe(const uint64_t *p, int64_t n)
{ uint64_t all = 0; for (int64_t i = 0; i < n; i++) all |= p[i]; return all; }
"""


class Probe:
    """Reads memory, and does nothing else."""

    def __init__(self, folder: Path) -> None:
        (folder / "probe.c").write_text(PROBE)
        command = ["cc", "-O3", "-march=native", "-shared", "-fPIC", "probe.c", "-o", "probe.so"]
        subprocess.run(command, cwd=folder, check=True)
        self._read = ctypes.CDLL(str(folder / "probe.so")).probe
        self._read.argtypes = [ctypes.c_void_p, ctypes.c_int64]

    def __call__(self, codes: np.ndarray) -> None:
        """Read all of an array."""
        self._read(codes.ctypes.data, codes.nbytes // 8)


def best(*tasks: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> list[float]:
    """Return the shortest time of each task [unit=s], in rounds in which they take turns."""
    times = [np.inf] * len(tasks)
    began, rounds = clock(), 0
    while rounds < 2 or (rounds < 200 and clock() - began < ENOUGH):
        for number, task in enumerate(tasks):
            started = clock()
            task()
            times[number] = min(times[number], clock() - started)
        rounds += 1
    return times


def random_codes(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, BITS // 8), np.uint8)


class Heard(zounds.stft(wscheme=zounds.HalfLapped())):
    """What the article's codes are learned from."""

    bark = zounds.ConstantRateTimeSeriesFeature(zounds.BarkBands, needs="fft")
    bfcc = zounds.ConstantRateTimeSeriesFeature(zounds.BFCC, needs=bark)


class Real:
    """Codes of real sounds, as many as are wanted.

    The article's are those of one sound after the other, each at another speed. The
    default's kind are bits of 64 principal components of its descriptor of segments; where these
    are not enough, codes that have half of their bits from one of them and half from another.
    """

    def __init__(self, data: Path) -> None:
        paths = sorted(path for path in data.rglob("*.*") if path.suffix in (".mp3", ".flac"))[::3]
        frames = [np.asarray(Heard.compute("bfcc", meta=path)) for path in paths]
        norm = UnitNorm()
        means = KMeans(BITS, seed=0).fit(norm.transform(np.concatenate(frames)))
        self._frames = [means.transform(norm.transform(each)).argmax(axis=1) for each in frames]
        sounds = (resampled(zounds.decode(path).mono, zounds.SR44100()) for path in paths)
        rows = np.concatenate([timbre(sound[: 20 * 44100])[1] for sound in sounds])
        rows = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-6)
        rows = rows.clip(-4, 4) @ np.linalg.svd(rows.clip(-4, 4), full_matrices=False)[2][:64].T
        self._segments = packed(ITQ(BITS).fit(rows).transform(rows))

    def post(self, count: int, hop: int, seed: int = 0) -> np.ndarray:
        """Return codes of the article."""
        rng = np.random.default_rng(seed)
        wanted, pieces = count * hop + WINDOW, []
        while wanted > 0:
            pieces.append(self._stretched(rng))
            wanted -= len(pieces[-1])
        frames = np.concatenate(pieces)
        bits = np.zeros((len(frames), 2), np.uint64)
        bits[np.arange(len(frames)), frames // 64] = np.uint64(1) << (frames % 64).astype("u8")
        for step in (1, 2, 4, 8, 14):  # to windows of 2, 4, 8, 16, and 30
            bits = bits[:-step] | bits[step:]
        return np.ascontiguousarray(bits[::hop][:count]).view(np.uint8)

    def _stretched(self, rng: np.random.Generator) -> np.ndarray:
        """Return the frames of a sound, played somewhat faster or slower."""
        frames = self._frames[rng.integers(len(self._frames))]
        speed = rng.uniform(0.7, 1.4)
        return frames[(np.arange(int(len(frames) / speed)) * speed).astype(np.intp)]

    def default(self, count: int, seed: int = 0) -> np.ndarray:
        """Return codes of the default."""
        rng = np.random.default_rng(seed)
        one, other = (self._segments[rng.integers(len(self._segments), size=count)] for _ in "ab")
        mask = random_codes(count, seed + 1)
        return (one & mask) | (other & ~mask)


class Corpora:
    """The codes that are searched, by name: made when they are needed."""

    def __init__(self, data: Path | None) -> None:
        self.make: dict[str, Callable[[int, int], np.ndarray]] = {"random": random_codes}
        if data is not None:
            real = Real(data)
            self.make |= {
                "the article's": lambda count, seed: real.post(count, WINDOW, seed),
                "the article's, hop 1": lambda count, seed: real.post(count, 1, seed),
                "the default's": real.default,
            }


def measure(data: Path | None, large: bool = False) -> Iterator[str]:
    """Yield Markdown lines."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        probe = Probe(place)
        corpora = Corpora(data)
        yield f"128 bits; scanned by `{kinds()[0]}`; faiss {faiss.__version__}, milliseconds."
        yield "Rounds in which all take turns, of each the shortest: processor time on one thread,"
        yield "time by the clock on two. *Probe*: what a plain"
        yield "read of the same bytes takes, as a share of our time; below it, we are faster."
        yield "There are fewer real codes than that: `bench/search.py` says how they are made more."
        yield "Left out is what takes faiss minutes: 1e7 codes for batches of 1000."
        yield ""
        columns = ("codes", "N", "different", "k", "queries", "threads", "ours", "faiss")
        yield f"| {' | '.join(columns)} | faiss / ours | probe |"
        yield "|---|---|---|---|---|---|---|---|---|---|"
        sizes = (*SIZES, LARGE) if large else SIZES
        for name, make in corpora.make.items():
            for count in sizes:
                yield from _beside_faiss(name, make, count, probe)
        yield ""
        yield from _others(corpora)
        yield ""
        yield from _two_threads()
        yield ""
        yield from _on_disk(place)
        yield ""
        yield from _of_a_corpus(place)


def _beside_faiss(name: str, make: Any, count: int, probe: Probe) -> Iterator[str]:
    codes, queries = make(count, 0), make(BATCHES[-1], 9)
    ours = Codes(codes)
    index = faiss.IndexBinaryFlat(BITS)
    index.add(codes)
    for k in (10, 100):
        for batch in BATCHES:
            if count * batch > 10**9:
                continue
            some = queries[:batch]
            for threads in (1, 2) if k == 10 else (1,):
                faiss.omp_set_num_threads(threads)
                if not np.array_equal(ours.search(some[:9], k)[0], index.search(some[:9], k)[0]):
                    raise AssertionError(f"{name}, {count}: other distances than those of faiss")
                mine, theirs, read = best(
                    lambda: ours.search(some, k, threads),  # noqa: B023
                    lambda: index.search(some, k),  # noqa: B023
                    lambda: probe(codes),
                    clock=time.process_time if threads == 1 else time.perf_counter,
                )
                share = f"{read / mine:.2f}" if batch == 1 and threads == 1 else ""
                yield (
                    f"| {name} | {count:.0e} | {ours.different / count:.0%} | {k} | {batch} | "
                    f"{threads} | {mine * 1e3:.2f} | {theirs * 1e3:.2f} | {theirs / mine:.1f} | "
                    f"{share} |"
                )
    faiss.omp_set_num_threads(1)


def _others(corpora: Corpora, count: int = 10**6, k: int = 10) -> Iterator[str]:
    """Yield what others are beside ours, also those that do not find everything."""
    yield f"{count:.0e} codes, k = {k}, one query, one thread; recall of distances in brackets."
    yield ""
    yield "| codes | ours | faiss | faiss MultiHash | faiss IVF | usearch, exact | NumPy |"
    yield "|---|---|---|---|---|---|---|"
    for name, make in corpora.make.items():
        ways, queries = _ways(make(count, 0), k), make(20, 9)
        wanted = ways["ours"](queries)
        times = best(*(lambda way=way: way(queries[:1]) for way in ways.values()))  # noqa: B023
        cells = []
        for way, seconds in zip(ways.values(), times, strict=True):
            found = np.concatenate([np.reshape(way(query[None]), (1, k)) for query in queries])
            # a distance beyond the true k-th one is of a code that should not be there
            right = found <= wanted[:, -1:]
            cells.append(f"{seconds * 1e3:.2f} ({right.mean():.2f})")
        yield f"| {name} | {' | '.join(cells)} |"


def _ways(codes: np.ndarray, k: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return ways to find the distances of the k nearest codes."""
    ours, flat = Codes(codes), faiss.IndexBinaryFlat(BITS)
    hashed = faiss.IndexBinaryMultiHash(BITS, 8, 16)
    hashed.nflip = 1
    coarse = faiss.IndexBinaryFlat(BITS)
    ivf = faiss.IndexBinaryIVF(coarse, BITS, 1024)
    ivf.coarse = coarse  # or it is deleted
    ivf.train(codes[:50_000])
    ivf.nprobe = 16
    for index in (flat, hashed, ivf):
        index.add(codes)

    def by_numpy(queries: np.ndarray) -> np.ndarray:
        words = np.bitwise_count(codes.view("u8") ^ queries[0].view("u8"))
        distances = words.sum(axis=1, dtype=np.uint16)
        return np.sort(distances[np.argpartition(distances, k)[:k]])

    def by_usearch(queries: np.ndarray) -> np.ndarray:
        found = usearch_search(
            codes, queries, k, MetricKind.Hamming, exact=True, threads=1, dtype=ScalarKind.B1
        )
        return np.asarray(found.distances)

    return {
        "ours": lambda queries: ours.search(queries, k)[0],
        "faiss": lambda queries: flat.search(queries, k)[0],
        "hash": lambda queries: hashed.search(queries, k)[0],
        "ivf": lambda queries: ivf.search(queries, k)[0],
        "usearch": by_usearch,
        "numpy": by_numpy,
    }


def _two_threads() -> Iterator[str]:
    """Yield how much sooner two threads are done than one, by the clock."""
    yield "Random codes, k = 10, by the clock."
    yield ""
    yield "| N | queries | one thread | two threads | one / two | wanted |"
    yield "|---|---|---|---|---|---|"
    queries = random_codes(100, 9)
    for count in SIZES[1:]:
        ours = Codes(random_codes(count))
        for batch in (1, 100):
            one, two = best(
                lambda: ours.search(queries[:batch], 10, 1),  # noqa: B023
                lambda: ours.search(queries[:batch], 10, 2),  # noqa: B023
                clock=time.perf_counter,
            )
            yield (
                f"| {count:.0e} | {batch} | {one * 1e3:.2f} ms | {two * 1e3:.2f} ms | "
                f"{one / two:.1f} | >= 1.6 |"
            )


def _of_a_corpus(folder: Path, documents: int = 10**6, segments: int = 10) -> Iterator[str]:
    """Yield what it takes to open and to search what a corpus has indexed."""
    facts = (
        Fact(f"{n:08d}", f"sound {n}.wav", f"file:///s/{n % 999}/{n}.wav", n % 60, 44100, 1 + n % 2)
        for n in range(documents)
    )
    codes = random_codes(documents * segments)
    vectors = np.random.default_rng(1).integers(-127, 128, (len(codes), 64), np.int8)
    rate, offsets = zounds.SampleRate(1, 1), np.arange(documents + 1) * segments
    space = BitSpace({KIND: Layer(codes[:documents], vectors[:documents])})
    layers = {KIND: Layer(codes, vectors)}
    made = Generation("", BITS, Known.of(facts), rate, offsets, space, layers)
    shelf = folder / "shelf"
    Shelf(shelf).put(made)
    del made, layers, vectors
    yield f"| what a corpus of {len(codes):.0e} segments has indexed | measured | wanted |"
    yield "|---|---|---|"
    opened = min(_seconds(Shelf(shelf).latest) for _ in range(5))
    yield f"| opening it | {opened * 1e3:.1f} ms | < 50 ms |"
    found = Shelf(shelf).latest()
    query = Layer(random_codes(1, 9), None)
    for name, where in {
        "all sounds": None,
        "a folder": zounds.Where(folder="7"),
        "a folder, 10 to 20 s, stereo": zounds.Where("7", (10, 20), channels=2),
        "a word in the name": zounds.Where(text="77"),
    }.items():

        def search(where: zounds.Where | None = where) -> None:
            live = Limits(where=where).live(found)
            next(by_codes(found, "segment", found.segments[KIND], query, live), None)

        first, again = _seconds(search), min(_seconds(search) for _ in range(5))
        yield f"| the first search among {name} | {first * 1e3:.0f} ms | |"
        yield f"| the same again | {again * 1e3:.0f} ms | |"


def _documents(count: int, codes: int, seed: int) -> list[Coded]:
    rng = np.random.default_rng(seed)
    rate = zounds.SampleRate(1, 1)
    rows = random_codes(count * codes, seed).reshape(count, codes, -1)
    ids = rng.integers(2**62, size=count)
    return [
        Coded(f"{_id:032x}", f"{_id}.wav", "token", rate, each)
        for _id, each in zip(ids.tolist(), rows, strict=True)
    ]


def _on_disk(folder: Path) -> Iterator[str]:
    yield "| an index on disk | measured | wanted |"
    yield "|---|---|---|"
    large = Segments(folder / "large")
    with large.changing() as writer:
        writer.replace("", BITS, _documents(10**6, 10, 0))
    opened = min(_seconds(Segments(folder / "large").snapshot) for _ in range(5))
    yield f"| opening one of 1e7 codes, 1e6 documents | {opened * 1e3:.1f} ms | < 50 ms |"
    query = random_codes(1, 9)
    first = large.snapshot()
    checked = _seconds(lambda: first.search(query, 10))
    yield f"| its first search, which compares digests | {checked * 1e3:.0f} ms | |"
    alone, added = [], []
    for number in range(5):
        documents = _documents(1000, 10, number + 1)
        shutil.rmtree(folder / "small", ignore_errors=True)
        alone.append(_seconds(lambda: _replace(folder / "small", documents)))  # noqa: B023
        added.append(_seconds(lambda: _change(large, documents)))  # noqa: B023
    yield f"| indexing 1,000 documents | {min(alone) * 1e3:.0f} ms | |"
    yield f"| adding 1,000 documents to 1e6 | {min(added) * 1e3:.0f} ms | no more |"
    yield from _while_building(large, query)


def _while_building(index: Segments, query: np.ndarray) -> Iterator[str]:
    """Search while documents are added, and while nothing is."""

    def longest(stop: Callable[[int], bool]) -> list[float]:
        found: list[float] = []
        while not stop(len(found)):
            found.append(_seconds(lambda: index.snapshot().search(query, 10)))
        return sorted(found)

    quiet = longest(lambda number: number == 200)
    adding = threading.Thread(
        target=lambda: [_change(index, _documents(1000, 10, 100 + n)) for n in range(10)]
    )
    adding.start()
    busy = longest(lambda number: not adding.is_alive())
    adding.join()
    said = [
        f"{every[len(every) // 2] * 1e3:.0f}, {every[-1] * 1e3:.0f} ms" for every in (quiet, busy)
    ]
    yield f"| searches of it, median and longest | {said[0]} | |"
    yield f"| the same, while 10 x 1,000 are added | {said[1]} | + 10 ms |"


def _replace(folder: Path, documents: list[Coded]) -> None:
    with Segments(folder).changing() as writer:
        writer.replace("", BITS, documents)


def _change(index: Segments, documents: list[Coded]) -> None:
    with index.changing() as writer:
        writer.change(documents)


def _seconds(task: Callable[[], Any]) -> float:
    started = time.perf_counter()
    task()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder of real sounds")
    parser.add_argument("--large", action="store_true", help="also a hundred million codes")
    given = parser.parse_args()
    for line in measure(given.data.resolve() if given.data else None, given.large):
        print(line, flush=True)


if __name__ == "__main__":
    main()
