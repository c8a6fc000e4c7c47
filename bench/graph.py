"""The graph: memory, overhead, and the same bits for every read size."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

import featureflow as ff
from featureflow.plan import Spec, plan
from featureflow.run import run

GRAPH = """
import featureflow as ff, zounds
class Sound(zounds.stft()):
    pcm = zounds.AudioSamplesFeature(zounds.Decode, needs="meta", read_size={read_size})
    bark = zounds.ConstantRateTimeSeriesFeature(zounds.BarkBands, needs="fft", store=True)
    bfcc = zounds.ConstantRateTimeSeriesFeature(zounds.BFCC, needs=bark, store=True)
    database = ff.LmdbDatabase({store!r})
sound = Sound(Sound.process(meta={path!r}))
"""

# not getrusage: its peak outlives exec, and so may be that of the parent
PEAK = """
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


def python(*program: str) -> list[str]:
    """Return what a program prints, in a process of its own."""
    command = [sys.executable, "-c", "".join(program)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def measure(data: Path | None) -> Iterator[str]:
    """Yield Markdown lines."""
    yield "| what | measured | wanted |"
    yield "|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        yield from _memory(Path(folder))
        yield from _read_sizes(Path(folder))
    yield from _overhead()
    yield from _import()


def _noise(path: Path, minutes: int) -> str:
    rng = np.random.default_rng(minutes)
    with soundfile.SoundFile(path, "w", 44100, 2, "PCM_16") as file:
        for _ in range(60 * minutes):
            file.write(rng.uniform(-0.5, 0.5, (44100, 2)).astype("f4"))
    return str(path)


def _memory(folder: Path) -> Iterator[str]:
    path = _noise(folder / "long.wav", minutes=10)
    (interpreter,) = map(int, python(PEAK))
    (imported,) = map(int, python("import zounds", PEAK))
    program = GRAPH.format(read_size=44100, store=str(folder / "memory"), path=path)
    started = time.perf_counter()
    peak, frames = map(int, python(program, PEAK, "print(len(sound.bfcc))"))
    seconds = time.perf_counter() - started
    yield f"| frames of a 10-minute stereo WAV | {frames:,} | 25,840 ± 1 |"
    above, of_imports = ((kilobytes - interpreter) / 1024 for kilobytes in (peak, imported))
    memory = f"{above:.0f} MB, of which {of_imports:.0f} MB by `import zounds`"
    yield f"| peak memory above the bare interpreter's | {memory} | < 300 MB |"
    speed = f"{600 / seconds:.0f}x realtime"
    yield f"| WAV to stored Bark bands and BFCC, start of Python included | {speed} | |"


def _read_sizes(folder: Path) -> Iterator[str]:
    path = _noise(folder / "short.wav", minutes=1)
    digests = set()
    for size in (997, 44_100, 441_000, 10**9):
        program = GRAPH.format(read_size=size, store=str(folder / f"{size}"), path=path)
        digests.add(tuple(python(program, "print(sound._digest('bark'), sound._digest('bfcc'))")))
    said = "identical" if len(digests) == 1 else f"{len(digests)} different results"
    yield f"| features read by 997, 44,100, 441,000 samples and whole | {said} | identical |"


def _overhead(chunks: int = 20_000, nodes: int = 8) -> Iterator[str]:
    def same(given: object) -> object:
        return given

    specs = [Spec("n0", ff.IteratorNode())]
    specs += [Spec(f"n{i}", same, (f"n{i - 1}",)) for i in range(1, nodes)]
    todo = plan({spec.name: spec for spec in specs}, [specs[-1].name], lambda _: False)
    best = np.inf
    for _ in range(5):
        started = time.perf_counter()
        run(todo, {"n0": [iter(range(chunks))]}, lambda name, made: None)
        best = min(best, time.perf_counter() - started)
    cost = best / chunks * 1000
    yield f"| a chunk's way through {nodes} nodes that do nothing | {cost:.3f} ms | < 0.3 ms |"


def _import() -> Iterator[str]:
    program = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    numpy, zounds = (
        min(float(python(program.format(name))[0]) for _ in range(5))
        for name in ("numpy", "zounds")
    )
    yield f"| `import zounds` | {zounds * 1000:.0f} ms, of which NumPy {numpy * 1000:.0f} ms | |"
