"""Clusters: what two Dask workers cost beside a pool of two processes.

python bench/cluster.py [FILES]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import zounds

FILES = 2000
ROUNDS = 3
RATE = 44100


def measure(data: Path | None) -> Iterator[str]:
    """Yield the lines of the results."""
    yield from beside_the_pool(FILES)


def beside_the_pool(files: int) -> Iterator[str]:
    """Yield how long a cluster of two workers takes for files, beside two processes."""
    with tempfile.TemporaryDirectory() as place, cluster(Path(place)) as client:
        folder = Path(place)
        sounds = made(folder / "sounds", files)
        ways: dict[str, dict[str, Any]] = {
            "two processes": {"workers": 2},
            "a cluster of two workers": {"executor": client.get_executor()},
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for name, given in ways.items():  # they start, and import
            zounds.Corpus(folder / f"first {name}").add(made(folder / "few", 20), **given)
        for turn in range(ROUNDS):
            for name, given in ways.items():
                begun = time.perf_counter()
                report = zounds.Corpus(folder / f"{turn} {name}").add(sounds, **given)
                taken[name].append(time.perf_counter() - begun)
                if len(report.ok) != files:
                    raise RuntimeError(str(report))
        one, other = (min(seconds) for seconds in taken.values())
        yield f"| {files:,} files of 0.5 s | | wanted |"
        yield "|---|---|---|"
        for name, seconds in taken.items():
            yield f"| {name} | {min(seconds):.2f} s | |"
        yield f"| beside each other | {other / one:.2f}x | <= 1.15x |"
        # both workers wait together: a file's share is twice the difference
        yield f"| more for each file | {2000 * (other - one) / files:.2f} ms | < 2 ms |"


def made(folder: Path, count: int) -> Path:
    """Make a folder of sounds."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, RATE // 2)
        soundfile.write(folder / f"{number:05}.wav", noise * np.linspace(1, 0, len(noise)), RATE)
    return folder


@contextmanager
def cluster(folder: Path) -> Iterator[Any]:
    """Start a scheduler and two workers with nannies; give a client."""
    from distributed import Client

    dask, port = Path(sys.executable).with_name("dask"), 18765
    address = f"tcp://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = [dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    workers = [dask, "worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"]
    processes = [
        subprocess.Popen([str(part) for part in command], cwd=folder, **quiet)
        for command in (scheduler, workers)
    ]
    try:
        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            yield client
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    for line in beside_the_pool(int(sys.argv[1]) if len(sys.argv) > 1 else FILES):
        print(line)
