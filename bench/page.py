"""The page: a corpus of 100,000 documents, served to a load generator on the same machine."""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import looks
import numpy as np

import zounds
from featureflow.document import Document, Writer
from featureflow.sources import Source
from featureflow.stores import Batch
from zounds.corpus.catalogue import Catalogue
from zounds.corpus.outcome import Outcome
from zounds.demo.corpus import demo_corpus

DOCUMENTS = 100_000
RATE = 50  # searches a second
SECONDS = 20
FILES = 60


def measure(data: Path | None) -> Iterator[str]:
    """Yield Markdown lines."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        codes = _corpus(folder)
        yield "| what | measured | wanted |"
        yield "|---|---|---|"
        with Served(
            "-m", "zounds", "serve", "--port", "0", "--corpus", folder / "corpus"
        ) as server:
            yield from _figures(server, codes)
            with Served(looks.__file__, folder / "corpus") as crowd:
                for row in looks.figures(server.url, crowd.url):
                    yield _row(*row)
            time.sleep(2)
            yield _row("memory, idle, after all of this", f"{server.memory:.0f} MB", "< 300 MB")


def _corpus(folder: Path) -> np.ndarray:
    """Make a corpus of sounds of which most are links, with codes that nothing had to compute."""
    sounds = folder / "sounds"
    sounds.mkdir()
    paths = []
    for number, (_, samples) in zip(range(FILES), demo_corpus(), strict=False):
        paths.append(sounds / f"{number}.wav")
        zounds.save(samples, paths[-1])
    corpus = zounds.Corpus(folder / "corpus")
    corpus.add(sounds, workers=1)
    corpus.learn()
    corpus.index()
    home, known = corpus._home, list(corpus)
    batch, model = Batch(home.store), home.model
    names = ("facts", "clip", "segments")
    values = {name: [getattr(document, name) for document in known] for name in names}
    names = ("meta", *names)
    records = [document.meta.record() for document in known]
    rng = np.random.default_rng(0)
    outcomes = []

    def made(name: str, at: int, record: dict[str, Any]) -> Any:
        if name == "meta":
            return Source.from_record(record)
        return values[name][at] if name == "facts" else _varied(values[name][at], rng)

    for number in range(DOCUMENTS - len(known)):
        at, _id = number % len(known), f"{number:032x}"
        path = sounds / f"folder {number % 90}" / f"link {number}.wav"
        path.parent.mkdir(exist_ok=True)
        os.link(sounds / known[at]._name, path)
        record = {**records[at], "uri": Source.of(path).uri, "name": path.name}
        document = Document(batch, _id)
        writer, token = Writer(document), "0" * 32
        for name in names:
            place = document.value(token, name, model._fingerprint(name))
            writer.begin(place)
            writer.add(model.features[name], place, made(name, at, record))
        writer.commit({"id": _id, "name": path.name, "token": token, "roots": {"meta": record}})
        facts = values["facts"][at]
        outcomes.append(
            Outcome(
                record["uri"], path.name, "ok", id=_id, stamp=record["stamp"],
                seconds=facts["seconds"], samplerate=facts["samplerate"],
                channels=facts["channels"],
            )
        )  # fmt: skip
        if number % 1000 == 999:
            batch.commit()
    batch.commit()
    Catalogue(home.store).write(outcomes)
    home.catalogue.update(changes=home.catalogue.state().changes + 1)
    corpus.index()
    return rng.integers(0, 256, (1000, 16), np.uint8)


def _varied(value: Any, rng: np.random.Generator) -> Any:
    """Return codes or vectors with some of their parts changed."""
    other = value.copy()
    changed = rng.random(other.shape) < 0.1
    noise = 1 - other if other.max() <= 1 and other.min() >= 0 else rng.permuted(other, axis=-1)
    other[changed] = np.asarray(noise)[changed]
    return other


class Served:
    """A server in a process of its own, which says where it is."""

    def __init__(self, *arguments: Any) -> None:
        command = [sys.executable, *map(str, arguments)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.match(r"http://(.+):(\d+)/", line):
                self.url, self.host, self.port = line.strip(), found[1], int(found[2])
                break

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=60)

    @property
    def memory(self) -> float:
        """Return how much memory it has for itself [MB]; the pages of files are the system's."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s+(\d+) kB", text, re.M)[1]) / 1024

    def get(self, path: str, connection: http.client.HTTPConnection | None = None) -> bytes:
        """Return what is answered."""
        connection = connection or http.client.HTTPConnection(self.host, self.port, timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status not in (200, 202, 206):
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return body


def _figures(server: Served, codes: np.ndarray) -> Iterator[str]:
    begun = time.monotonic()
    about = json.loads(server.get("/api/info"))
    yield _row(f"first answer, {about['documents']:,} sounds", _ms(time.monotonic() - begun), "")
    begun = time.monotonic()
    while not (described := json.loads(server.get("/api/map")))["ready"]:
        time.sleep(0.05)
    drawn = time.monotonic() - begun
    begun = time.monotonic()
    points = server.get(described["points"])
    fetched = time.monotonic() - begun
    yield _row("map computed, the first time", _ms(drawn), "")
    yield _row(f"map sent, {len(points) / 1e6:.1f} MB", _ms(fetched), "")
    texts = [quote(base64.b64encode(code.tobytes()).decode(), safe="") for code in codes]
    for unit in ("clip", "segment"):
        paths = [f"/api/search?query={text}&unit={unit}&n=50" for text in texts]
        times = sorted(_load(server, paths))
        wanted = "p99 < 50 ms" if unit == "clip" else ""
        yield _row(
            f"search by code, {unit}s, {RATE} requests/s for {SECONDS} s",
            f"p50 {_ms(statistics.median(times))}, p99 {_ms(times[int(len(times) * 0.99)])}",
            wanted,
        )
    filtered = [f"/api/search?query={text}&folder=folder%207&n=50" for text in texts[:100]]
    yield _row("search by code in one folder", _ms(_median(server, filtered)), "")
    yield _row("first result audible after a click", _ms(_click(server, texts)), "< 150 ms")


def _load(server: Served, paths: list[str]) -> list[float]:
    """Return the time of each request, from when it was to be sent."""
    begun, times, lock = time.monotonic(), [], threading.Lock()
    total = RATE * SECONDS
    numbers = iter(range(total))

    def ask() -> None:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            due = begun + number / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            server.get(paths[number % len(paths)], connection)
            times.append(time.monotonic() - due)

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _median(server: Served, paths: list[str]) -> float:
    times = []
    for path in paths:
        begun = time.monotonic()
        server.get(path)
        times.append(time.monotonic() - begun)
    return statistics.median(times)


def _click(server: Served, texts: list[str]) -> float:
    """Return how long it takes from a click on a sound to the sound of the first result."""
    times = []
    for text in random.Random(0).sample(texts, 40):
        (first, *_) = json.loads(server.get(f"/api/search?query={text}&n=2"))["hits"]
        begun = time.monotonic()
        found = json.loads(server.get(f"/api/search?id={first['id']}&n=50"))["hits"][0]
        server.get(f"/api/documents/{found['id']}/audio?start=0.1&duration=0.7")
        times.append(time.monotonic() - begun)
    return statistics.median(times)


def _row(what: str, measured: str, wanted: str) -> str:
    return f"| {what} | {measured} | {wanted} |"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
