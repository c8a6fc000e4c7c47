"""Kill whatever changes a corpus at any moment, go on, compare with one that nobody disturbed.

There are two histories: sounds are added, learned from and indexed; and, after files were changed,
moved, broken and deleted, they are added again, looked at again, removed, compacted and indexed.

    python bench/kill.py [--times 100] [--seed 0]

Ends with exit code 1, and says what is different, if anything is.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import featureflow as ff
import zounds
from zounds.demo.corpus import demo_corpus

HERE = Path(__file__).parent
FORMATS = ("wav", "flac", "mp3", "ogg")
WORKERS = 2


def make_sounds(folder: Path) -> None:
    """Write some 150 short sounds, whole and broken ones, to a folder and a zip archive in it."""
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


def wear(folder: Path) -> None:
    """Do to the sounds what people do to them over the years."""
    loose = folder / "loose"
    files = sorted(loose.glob("*.wav"))
    for file, other in zip(files[:6], files[6:12], strict=True):
        file.write_bytes(other.read_bytes())
    for file in files[12:18]:
        file.rename(loose / f"renamed {file.name}")
    for file in files[18:22]:
        file.unlink()
    for file in files[22:26]:
        file.write_bytes(b"")
    (loose / "more").rename(folder / "elsewhere")


def ingest(place: str, folder: str) -> None:
    """Add, learn and index; say when each begins, and when it has ended."""
    corpus = zounds.Corpus(place)
    print("add", flush=True)
    corpus.add(f"{folder}/loose", f"{folder}/sounds.zip", workers=WORKERS)
    print("learn", flush=True)
    corpus.learn()
    print("index", flush=True)
    corpus.index(workers=WORKERS)
    print("end", flush=True)


def upkeep(place: str, folder: str) -> None:
    """Bring a corpus of worn sounds up to date; say when each step begins."""
    corpus = zounds.Corpus(place)
    print("add", flush=True)
    corpus.add(f"{folder}/elsewhere", workers=WORKERS)
    print("rescan", flush=True)
    corpus.rescan(workers=WORKERS)
    print("forget", flush=True)
    corpus.rescan(forget=True, workers=WORKERS)
    print("remove", flush=True)
    with suppress(ff.DocumentNotFound):  # it was done before the process was killed
        corpus.remove(f"{folder}/sounds.zip")
    print("compact", flush=True)
    corpus.compact()
    print("index", flush=True)
    corpus.index(workers=WORKERS)
    print("end", flush=True)


@dataclass(frozen=True)
class History:
    """What is done to a corpus, and is killed.

    Parameters
    ----------
    name : str
        Of a function of this module, which takes the places of the corpus and of the sounds.
    phases : tuple of str
        What it says while it is at work.
    folder : Path
        Of the sounds.
    before : Path or None
        The corpus that it begins with.
    """

    name: str
    phases: tuple[str, ...]
    folder: Path
    before: Path | None = None

    def begin(self, place: Path) -> Running:
        """Start it, with a corpus of its own."""
        if self.before is not None:
            shutil.copytree(self.before, place)
        return Running(self.name, place, self.folder)

    def finish(self, place: Path) -> None:
        """Do all of it, in this process."""
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            globals()[self.name](str(place), str(self.folder))


class Running:
    """A history in a process group of its own."""

    def __init__(self, name: str, place: Path, folder: Path) -> None:
        self._log = place.with_suffix(".log")
        program = f"import sys, kill; kill.{name}(*sys.argv[1:])"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, str(place), str(folder)],
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
        return [f"it failed by itself: {self._log.read_text()}"]


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
    found["index"] = home.shelf.digest()
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
    """Kill that many histories, at moments all over each of their phases; return the problems."""
    for kind in ("new", "worn"):
        make_sounds(folder / kind)
    settled = folder / "settled"
    histories = [
        History("ingest", ("start", "add", "learn", "index"), folder / "new"),
        History(
            "upkeep",
            ("start", "add", "rescan", "forget", "remove", "compact", "index"),
            folder / "worn",
            settled,
        ),
    ]
    History("ingest", (), folder / "worn").finish(settled)
    wear(folder / "worn")
    undisturbed, problems = [], []
    for history in histories:
        lasting, found = _undisturbed(history, folder / f"first-{history.name}")
        if found:
            return found
        wanted = contents(folder / f"first-{history.name}")
        again, found = _undisturbed(history, folder / f"second-{history.name}")
        found += differences(contents(folder / f"second-{history.name}"), wanted)
        lasting = {phase: min(seconds, again[phase]) for phase, seconds in lasting.items()}
        told = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in lasting.items())
        print(f"{history.name} undisturbed: {len(wanted)} values; {told}; {len(found)} problems")
        undisturbed.append((history, lasting, wanted))
        problems += found

    rng = random.Random(seed)
    turns = [(*turn, phase) for turn in undisturbed for phase in turn[0].phases]
    rng.shuffle(turns)  # so that a few kills are of both
    for number in range(times):
        history, lasting, wanted, phase = turns[number % len(turns)]
        whole = bool((number + number // len(turns)) % 2)
        moment = rng.random() * lasting[phase]
        place = folder / f"corpus-{number}"
        found = _killed(history, place, phase, moment, whole) + _finished(history, place, wanted)
        who = "all processes" if whole else "the main process"
        what = f"{number + 1}: {history.name}, {who} killed {moment:.2f} s into {phase!r}"
        print(f"{what}: {'; '.join(found)[:2000] or 'the same'}", flush=True)
        problems += [f"{what}: {problem}" for problem in found]
        shutil.rmtree(place, ignore_errors=True)
    return problems


def _undisturbed(history: History, place: Path) -> tuple[dict[str, float], list[str]]:
    """Return how long each phase of a history lasts, and what is wrong with the corpus."""
    running = history.begin(place)
    marks = [time.monotonic()]
    for phase in (*history.phases[1:], "end"):
        running.wait_for(phase)
        marks.append(time.monotonic())
    durations = dict(zip(history.phases, (b - a for a, b in pairwise(marks)), strict=True))
    return durations, running.failure() or _problems(place)


def _killed(history: History, place: Path, phase: str, moment: float, whole: bool) -> list[str]:
    """Start a history and kill it; return what is wrong with the corpus right after."""
    running = history.begin(place)
    if phase != history.phases[0]:
        running.wait_for(phase)
    time.sleep(moment)
    running.kill(whole)
    return running.failure() or _problems(place)


def _problems(place: Path) -> list[str]:
    try:
        return [f"check(): {problem}" for problem in zounds.Corpus(place).check().problems]
    except Exception as error:
        return [f"check() raised {type(error).__name__}: {error}"]


def _finished(history: History, place: Path, wanted: dict[str, Any]) -> list[str]:
    """Do the same again, to the end; return what is different from one that was not disturbed."""
    try:
        history.finish(place)
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
