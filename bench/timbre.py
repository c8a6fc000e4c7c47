"""Timbre: how fast sounds are described, learned from, and made searchable."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import featureflow as ff
import zounds
from zounds.corpus.generation import Sound, generation
from zounds.corpus.known import Fact
from zounds.corpus.presets import preset

ROUNDS = 5
CLIPS = 1000
DOCUMENTS, SEGMENTS, KINDS = 100_000, 3, 2000


def measure(data: Path | None) -> Iterator[str]:
    """Yield Markdown lines."""
    yield "| what | measured | wanted |"
    yield "|---|---|---|"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if data is not None and (data / "philharmonia").is_dir():
            notes = sorted((data / "philharmonia").rglob("*.mp3"))
            for name, files in (("notes of 2 s", notes[::6]), ("sounds of 60 s", notes)):
                yield describing(name, as_wav(folder / name, name, files))
            yield learning(folder, sorted(data.rglob("*.mp3")) + sorted(data.rglob("*.flac")))
    yield indexing()


def as_wav(folder: Path, name: str, files: list[Path]) -> list[Path]:
    """Return the sounds as mono WAV files; long ones are made of many."""
    folder.mkdir()
    sounds = [np.asarray(zounds.decode(path).mono) for path in files]
    if "60 s" in name:
        joined = np.concatenate(sounds)
        sounds = [joined[i * 60 * 44100 : (i + 1) * 60 * 44100] for i in range(4)]
    paths = [folder / f"{number}.wav" for number in range(len(sounds))]
    for path, samples in zip(paths, sounds, strict=True):
        zounds.save(zounds.AudioSamples(samples, 44100), path)
    return paths


def describing(name: str, paths: list[Path]) -> str:
    """Return how fast one thread describes sounds, decoding and storing included."""

    class Sound(preset("timbre").sounds()):
        database = ff.InMemoryDatabase()

    seconds = sum(len(zounds.decode(path)) / 44100 for path in paths)
    least = [np.inf] * len(paths)
    with threadpool_limits(1):
        for _ in range(ROUNDS):
            for place, path in enumerate(paths):
                begun = time.process_time()
                Sound.process(_id=f"{place}", meta=path)
                least[place] = min(least[place], time.process_time() - begun)
                Sound.delete(f"{place}")
    return f"| {len(paths)} {name}, WAV, one core | {seconds / sum(least):.0f}x realtime | ≥ 300x |"


def learning(folder: Path, files: list[Path]) -> str:
    """Return how long it takes to learn from sounds, views included."""
    corpus = zounds.Corpus(folder / "corpus")
    corpus.add(files[:CLIPS])
    begun = time.monotonic()
    corpus.learn()
    took = (time.monotonic() - begun) * CLIPS / len(corpus)
    return (
        f"| learning, for {CLIPS:,} clips (of {len(corpus)}), all cores | {took:.0f} s | < 60 s |"
    )


def indexing() -> str:
    """Return how long it takes to index vectors of many documents: graph, smoothing, codes."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((KINDS, 64))
    kinds = random.integers(KINDS, size=DOCUMENTS)
    rate = zounds.SampleRate(zounds.Seconds(0.7), zounds.Seconds(0.7))

    def vectors(kind: int, count: int) -> np.ndarray:
        rows = centres[kind] + random.standard_normal((count, 64))
        return np.rint(127 * rows / np.abs(rows).max(axis=1, keepdims=True)).astype(np.int8)

    sounds = [
        Sound(
            Fact(f"{number}", f"{number}.wav", f"file:///{number}.wav", 2.1, 44100, 1),
            vectors(kind, 1),
            zounds.ConstantRateTimeSeries(vectors(kind, SEGMENTS), rate),
        )
        for number, kind in enumerate(kinds)
    ]
    begun = time.monotonic()
    generation(preset("timbre"), "", sounds)
    took = time.monotonic() - begun
    return f"| indexing {DOCUMENTS:,} documents of {SEGMENTS} segments | {took:.0f} s | < 300 s |"
