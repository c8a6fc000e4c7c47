"""Ingest: from files to stored BFCC, beside librosa; many files, long files, and what they take."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import featureflow as ff
import zounds
from zounds.audio.decode import open_audio
from zounds.demo.corpus import demo_corpus

HERE = Path(__file__).parent
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
ROUNDS = 5
WANTED = {"notes, WAV": "≥ 3.5", "recordings, WAV": "≥ 3.5", "notes, MP3": "≥ 1.7"}
WANTED["recordings, MP3"] = WANTED["notes, MP3"]

Sets = dict[str, list[str]]


def measure(data: Path | None) -> Iterator[str]:
    """Yield Markdown lines."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        notes = list(_notes(data))
        sets = {**_shared(data), "notes, WAV": _wavs(folder / "notes", notes)}
        sets |= _recordings(folder / "recordings", notes)
        yield from _speed(sets)
        yield ""
        yield "| what | measured | wanted |"
        yield "|---|---|---|"
        copies = _variants(folder / "copies", sets["notes, WAV"], 2000)
        yield from _workers(folder, copies)
        yield from _known(folder)
        yield from _long(folder)
        in_process("add", str(folder / "corpus-recordings"), str(folder / "recordings"), 2)
        yield from _size("short sounds", folder / "corpus-2")
        yield from _size("recordings", folder / "corpus-recordings")
        yield from _size("three hours", folder / "corpus-long")


def in_process(function: str, *arguments: Any) -> Any:
    """Return what a function of this module returns in a process of its own."""
    program = (
        f"import ingest, json, sys; print(json.dumps(ingest.{function}(*json.load(sys.stdin))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=HERE,
        env={**os.environ, **ENVIRONMENT},
        input=json.dumps(arguments),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


# -------------------------------------------------------------------------- sounds


def _shared(data: Path | None) -> Sets:
    """Return every third of the real sounds, as they are."""
    sets = {}
    for kind, ending in (("notes, MP3", "mp3"), ("samples, FLAC", "flac")):
        files = sorted(map(str, data.rglob(f"*.{ending}"))) if data else []
        if files:
            sets[kind] = files[::3]
    return sets


def _notes(data: Path | None) -> Iterator[zounds.AudioSamples]:
    """Yield notes at 44.1 kHz, of one channel."""
    files = _shared(data).get("notes, MP3")
    if files:
        yield from map(zounds.decode, files)
    else:
        yield from (samples for _, samples in demo_corpus())


def _wavs(folder: Path, notes: list[zounds.AudioSamples]) -> list[str]:
    folder.mkdir()
    for number, samples in enumerate(notes):
        zounds.save(samples, folder / f"{number}.wav")
    return sorted(map(str, folder.iterdir()))


def _recordings(folder: Path, notes: list[zounds.AudioSamples], count: int = 4) -> Sets:
    """Write stereo recordings of a minute, put together from notes; return their paths."""
    folder.mkdir()
    minute = 60 * 44100
    line = np.concatenate([np.asarray(samples) for samples in notes])
    line = np.resize(line, count * minute)
    both = np.stack([line, np.roll(line, 22050)], axis=1)
    sets: Sets = {"recordings, WAV": [], "recordings, MP3": []}
    for kind, paths in sets.items():
        for number in range(count):
            part = both[number * minute : (number + 1) * minute]
            path = folder / f"{number}.{kind[-3:].lower()}"
            zounds.save(zounds.AudioSamples(part, 44100), path)
            paths.append(str(path))
    return sets


def _variants(folder: Path, wavs: list[str], count: int) -> Path:
    """Write copies of WAV files, each with another last sample."""
    folder.mkdir()
    for number in range(count):
        copy, original = divmod(number, len(wavs))
        content = Path(wavs[original]).read_bytes()
        (folder / f"{number}.wav").write_bytes(content[:-2] + copy.to_bytes(2, "little"))
    return folder


# -------------------------------------------------------------------------- speed, beside others


def _speed(sets: Sets) -> Iterator[str]:
    paths = [path for files in sets.values() for path in files]
    best = {peer: np.full(len(paths), np.inf) for peer in PEERS}
    for _ in range(ROUNDS):
        for peer, found in best.items():
            np.minimum(found, in_process("processor_times", peer, paths), out=found)
    yield "Processor time on one thread, of each file the least of"
    yield f"{ROUNDS} rounds in which all took turns; as x realtime."
    yield "Ours: `compute()`, from a file to its BFCC. Stored: `process()`, which also digests the"
    yield "file and stores its BFCC, in memory. librosa: `load` and `feature.mfcc`, as they are."
    yield ""
    yield (
        "| files | audio | ours | librosa | ours / librosa | wanted | stored | stored / librosa | "
        "decoding only | its share of ours | soundfile.read |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    begin = 0
    for name, files in sets.items():
        audio = sum(soundfile.info(path).duration for path in files)
        part = slice(begin, begin + len(files))
        begin += len(files)
        took = {peer: float(found[part].sum()) for peer, found in best.items()}
        speeds = {peer: f"{audio / seconds:.0f}" for peer, seconds in took.items()}
        ratio, stored = (took["librosa"] / took[peer] for peer in ("ours", "stored"))
        share = took["decode"] / took["ours"]
        yield (
            f"| {len(files)} {name} | {audio:.0f} s | {speeds['ours']} | {speeds['librosa']} | "
            f"{ratio:.1f} | {WANTED.get(name, '')} | {speeds['stored']} | {stored:.1f} | "
            f"{speeds['decode']} | {share:.0%} | {speeds['soundfile']} |"
        )


def processor_times(peer: str, paths: list[str]) -> list[float]:
    """Return the seconds that each file takes."""
    do = PEERS[peer]()
    do(paths[0])  # what is done once
    found = []
    for path in paths:
        started = time.process_time()
        do(path)
        found.append(time.process_time() - started)
    return found


class Sound(zounds.stft()):
    """What is computed of each file."""

    bark = zounds.ConstantRateTimeSeriesFeature(zounds.BarkBands, needs="fft")
    bfcc = zounds.ConstantRateTimeSeriesFeature(zounds.BFCC, needs=bark, store=True)


def _ours() -> Callable[[str], object]:
    return lambda path: Sound.compute("bfcc", meta=path)


def _stored() -> Callable[[str], object]:
    def describe(path: str) -> None:
        Sound.database = ff.InMemoryDatabase()
        Sound.process(meta=path)

    return describe


def _librosa() -> Callable[[str], object]:
    import librosa

    warnings.filterwarnings("ignore", "n_fft=.* is too large")  # of sounds below 0.1 s

    def describe(path: str) -> None:
        samples, rate = librosa.load(path)
        librosa.feature.mfcc(y=samples, sr=rate)

    return describe


def _decode() -> Callable[[str], object]:
    def decode(path: str) -> None:
        with open_audio(path) as reader:
            while len(reader.read(44100)):
                pass

    return decode


PEERS = {
    "ours": _ours,
    "stored": _stored,
    "librosa": _librosa,
    "decode": _decode,
    "soundfile": lambda: soundfile.read,
}


# -------------------------------------------------------------------------- many files


def _workers(folder: Path, sounds: Path) -> Iterator[str]:
    few = _variants(folder / "few", sorted(map(str, sounds.iterdir()))[:32], 32)
    best: dict[int, dict[str, float]] = {}
    for number in range(3):
        for workers in (1, 2):
            place = folder / f"corpus-{workers}"
            shutil.rmtree(place, ignore_errors=True)
            other = folder / f"few-{workers}-{number}"
            found = in_process("warm_add", str(place), str(sounds), str(other), str(few), workers)
            if workers not in best or found["seconds"] < best[workers]["seconds"]:
                best[workers] = found
    one, two = best[1], best[2]
    what = f"{one['files']:,} short WAV files ({one['audio']:.0f} s)"
    for workers, found in best.items():
        files, speed = (found[key] / found["seconds"] for key in ("files", "audio"))
        label = "one worker" if workers == 1 else "two workers"
        yield f"| {what}, {label} | {files:.0f} files/s, {speed:.0f}x realtime | |"
    yield f"| two workers, compared with one | {one['seconds'] / two['seconds']:.2f}x | ≥ 1.8x |"
    yield f"| before that: two workers to start, and {two['few']} files | {two['start']:.1f} s | |"


def warm_add(place: str, sounds: str, other: str, few: str, workers: int) -> dict[str, float]:
    """Add sounds, with workers that are there already."""
    started = time.perf_counter()
    report = zounds.Corpus(other, "post").add(few, workers=workers)
    warm = {"start": time.perf_counter() - started, "few": len(report.ok)}
    return {**warm, **add(place, sounds, workers)}


def add(place: str, sounds: str, workers: int) -> dict[str, float]:
    """Add sounds; raise if any of them fails."""
    started = time.perf_counter()
    report = zounds.Corpus(place, "post").add(sounds, workers=workers)
    seconds = time.perf_counter() - started
    if report.partial or report.failed:
        raise RuntimeError(str(report))
    done = (*report.ok, *report.skipped)
    return {"seconds": seconds, "files": len(done), "audio": sum(o.seconds for o in done)}


def _known(folder: Path, count: int = 10_000) -> Iterator[str]:
    sounds = folder / "many"
    sounds.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        samples = rng.uniform(-0.5, 0.5, 4410).astype("f4")
        soundfile.write(sounds / f"{number}.wav", samples, 44100, "PCM_16")
    place = str(folder / "corpus-many")
    first = in_process("add", place, str(sounds), 2)
    again = min(in_process("add", place, str(sounds), 2)["seconds"] for _ in range(3))
    yield f"| {count:,} files of 0.1 s, two workers to be started | {first['seconds']:.1f} s | |"
    yield f"| adding them again | {again:.2f} s | < 5 s |"


# -------------------------------------------------------------------------- long files


def _long(folder: Path, hours: int = 3) -> Iterator[str]:
    sounds = folder / "long"
    sounds.mkdir()
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.01, 0.01, (60 * 44100, 2)).astype("f4")
    with soundfile.SoundFile(
        sounds / "long.flac", "w", 44100, 2, "PCM_16", compression_level=0.0
    ) as file:
        for minute in range(60 * hours):
            file.write(np.roll(noise, 1000 * minute, axis=0))
    found = in_process("add_and_peak", str(folder / "corpus-long"), str(sounds))
    what = f"a stereo FLAC of {hours} hours"
    yield f"| {what}, one worker | {found['audio'] / found['seconds']:.0f}x realtime | |"
    yield f"| peak memory of that worker, all in all | {found['peak'] / 1024:.0f} MB | < 400 MB |"


def add_and_peak(place: str, sounds: str) -> dict[str, float]:
    """Add sounds in one worker; return its peak memory as well [unit=KiB]."""
    import loky

    found = add(place, sounds, 1)
    return {**found, "peak": loky.get_reusable_executor(reuse=True).submit(peak).result()}


def peak() -> int:
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


# -------------------------------------------------------------------------- on disk


def _size(what: str, place: Path) -> Iterator[str]:
    found = in_process("sizes", str(place))
    for when in ("after add", "after compact"):
        file, records, arrays = found[when]
        yield (
            f"| store of the {what} {when}, of {file / 1e6:.2f} MB | "
            f"{file / records:.2f}x its keys and records | < 1.15x |"
        )
    yield f"| the latter, beside its BFCC as bare arrays | {file / arrays:.2f}x | |"


def sizes(place: str) -> dict[str, tuple[int, int, int]]:
    """Return the bytes of the file, of all keys and records, and of the arrays in them."""
    corpus = zounds.Corpus(place)
    before = _sizes(corpus)
    corpus.compact()
    return {"after add": before, "after compact": _sizes(corpus)}


def _sizes(corpus: zounds.Corpus) -> tuple[int, int, int]:
    store = corpus._home.store
    file = (corpus._home.store_path / "data.mdb").stat().st_size
    records = sum(len(key) + len(store.read(key)) for key in store.keys(""))
    return file, records, sum(document.bfcc.nbytes for document in corpus)
