"""Kill an ingest at any moment, go on, and compare with one that nobody disturbed.

    python bench/kill.py [--times 100] [--seed 0]

Ends with exit code 1, and says what is different, if anything is.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import zounds
from zounds.demo.corpus import demo_corpus

HERE = Path(__file__).parent
FORMATS = ("wav", "flac", "mp3", "ogg")
PHASES = ("start", "add", "learn", "index")
WORKERS = 2


def make_sounds(folder: Path) -> list[Path]:
    """Write some 150 short sounds, whole and broken ones; return what to add: a folder, a zip."""
    loose, archive = folder / "loose", folder / "sounds.zip"
    (loose / "more").mkdir(parents=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        for number, (name, samples) in enumerate(demo_corpus(22050, pitches=12, loudnesses=2)):
            kind = FORMATS[number % len(FORMATS)]
            name = f"{Path(name).stem}.{kind}"
            content = zounds.encode(samples[: 8000 + 20 * number], kind)
            if number % 3 == 0:
                members.writestr(f"set/{name}", content)
            else:
                (loose / ("more" if number % 2 else "") / name).write_bytes(content)
        members.writestr("set/no_sound.wav", b"this is text")
        members.writestr("set/cut.flac", zounds.encode(samples, "flac")[:3000])
    (loose / "cut.wav").write_bytes(zounds.encode(samples, "wav")[:20_000])
    (loose / "cut.mp3").write_bytes(zounds.encode(samples, "mp3")[:3000])
    (loose / "empty.ogg").write_bytes(b"")
    (loose / "noise.aiff").write_bytes(random.Random(0).randbytes(5000))
    (loose / "readme.txt").write_text("no sound")
    return [loose, archive]


def ingest(place: str, *sources: str) -> None:
    """Add, learn and index; say when each begins, and when it has ended."""
    corpus = zounds.Corpus(place)
    print("add", flush=True)
    corpus.add(*sources, workers=WORKERS)
    print("learn", flush=True)
    corpus.learn()
    print("index", flush=True)
    corpus.index(workers=WORKERS)
    print("end", flush=True)


class Ingest:
    """An ingest in a process group of its own."""

    def __init__(self, place: Path, sources: list[Path]) -> None:
        self._log = place.with_suffix(".log")
        program = "import sys, kill; kill.ingest(*sys.argv[1:])"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, str(place), *map(str, sources)],
                cwd=HERE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    def wait_for(self, phase: str) -> None:
        """Wait until it says that it is at `phase`, or it ends."""
        while line := self.process.stdout.readline():
            if line.decode().strip() == phase:
                return

    def kill(self, whole: bool) -> None:
        """End the main process, or the whole group, unless it has ended by itself."""
        if self.process.poll() is None:
            (os.killpg if whole else os.kill)(self.process.pid, signal.SIGKILL)

    def failure(self) -> list[str]:
        """Wait for the end; return what it failed of, if it did by itself."""
        code = self.process.wait()
        self.process.stdout.close()
        if code in (0, -signal.SIGKILL):
            return []
        return [f"the ingest failed: {self._log.read_text()}"]


def contents(place: Path) -> dict[str, Any]:
    """Return everything that a corpus holds, to be compared."""
    corpus = zounds.Corpus(place)
    home, found = corpus._home, {}
    for document in corpus:
        stored = [name for name, feature in type(document).features.items() if feature.store]
        found[f"entry of {document._id}"] = document._document.entry()
        for name in stored:
            there = document._is_stored(name)
            found[f"{name} of {document._id}"] = document._digest(name) if there else "missing"
    for outcome in corpus.outcomes():
        found[f"outcome of {outcome.uri}"] = outcome.record()
    for unit in ("clip", "segment"):
        found[f"index of {unit}s"] = home.index(unit)()._digest("snapshot")
    info = corpus.info()
    found |= {name: getattr(info, name) for name in ("learned_from", "up_to_date", "roots")}
    return {**found, "model": home.catalogue.model_digest()}


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return [
        f"{key}: {found.get(key, 'missing')}, and undisturbed {wanted.get(key, 'missing')}"
        for key in sorted(found.keys() | wanted.keys())
        if found.get(key) != wanted.get(key)
    ]


def kills(times: int, seed: int, folder: Path) -> list[str]:
    """Kill that many ingests, at moments all over each of their phases; return the problems."""
    sources = make_sounds(folder)
    durations, problems = _undisturbed(folder / "first", sources)
    if problems:
        return problems
    wanted = contents(folder / "first")
    again, others = _undisturbed(folder / "second", sources)  # in files that were read before
    problems += others + differences(contents(folder / "second"), wanted)
    lasting = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in again.items())
    print(f"undisturbed: {len(wanted)} values; {lasting}; {len(problems)} problems", flush=True)

    rng = random.Random(seed)
    for number in range(times):
        phase = PHASES[number % len(PHASES)]
        whole = bool((number + number // len(PHASES)) % 2)
        moment = rng.random() * min(durations[phase], again[phase])
        place = folder / f"corpus-{number}"
        found = _killed(place, sources, phase, moment, whole) + _finished(place, sources, wanted)
        who = "all processes" if whole else "the main process"
        what = f"{number + 1}: {who} killed {moment:.2f} s into {phase!r}"
        print(f"{what}: {'; '.join(found)[:2000] or 'the same'}", flush=True)
        problems += [f"{what}: {problem}" for problem in found]
    return problems


def _undisturbed(place: Path, sources: list[Path]) -> tuple[dict[str, float], list[str]]:
    """Return how long each phase of an ingest lasts, and what is wrong with the corpus."""
    running = Ingest(place, sources)
    marks = [time.monotonic()]
    for phase in (*PHASES[1:], "end"):
        running.wait_for(phase)
        marks.append(time.monotonic())
    durations = dict(zip(PHASES, (b - a for a, b in pairwise(marks)), strict=True))
    return durations, running.failure() or _problems(place)


def _killed(place: Path, sources: list[Path], phase: str, moment: float, whole: bool) -> list[str]:
    """Start an ingest and kill it; return what is wrong with the corpus right after."""
    running = Ingest(place, sources)
    if phase != PHASES[0]:
        running.wait_for(phase)
    time.sleep(moment)
    running.kill(whole)
    return running.failure() or _problems(place)


def _problems(place: Path) -> list[str]:
    try:
        return [f"check(): {problem}" for problem in zounds.Corpus(place).check().problems]
    except Exception as error:
        return [f"check() raised {type(error).__name__}: {error}"]


def _finished(place: Path, sources: list[Path], wanted: dict[str, Any]) -> list[str]:
    """Do the same again, to the end; return what is different from one that was not disturbed."""
    try:
        corpus = zounds.Corpus(place)
        corpus.add(*sources, workers=WORKERS)
        corpus.learn()
        corpus.index(workers=WORKERS)
        return _problems(place) + differences(contents(place), wanted)
    except Exception as error:
        return [f"going on raised {type(error).__name__}: {error}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        problems = kills(given.times, given.seed, Path(folder))
    print("\n".join([*problems, f"{given.times} kills, {len(problems)} problems"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
