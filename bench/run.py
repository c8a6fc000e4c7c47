"""Measure, and write ``bench/RESULTS.md``.

    python bench/run.py [--data FOLDER]

FOLDER holds real sounds; what needs them is left out without it.
Each part is a module beside this one whose ``measure(data)`` yields Markdown lines.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import accuracy
import graph

HERE = Path(__file__).parent
PARTS = [graph, accuracy]


def machine() -> str:
    """Return what the figures were measured on."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(
            (line.split(": ")[1] for line in lines if line.startswith("model name")), model
        )
    packages = ("numpy", "scipy", "soxr", "soundfile", "av", "lmdb", "librosa", "scikit-learn")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {system}; {versions}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder of real sounds")
    data = parser.parse_args().data
    revision = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True
    ).stdout.strip()
    lines = [
        "# Results",
        "",
        "Written by `make bench`. Machines differ and are noisy: compare figures of one run.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, commit {revision or 'unknown'}, {machine()}",
    ]
    for part in PARTS:
        print(f"measuring: {part.__doc__.splitlines()[0]}", file=sys.stderr)
        lines += ["", f"## {part.__doc__.splitlines()[0].rstrip('.')}", ""]
        lines += part.measure(data)
    text = "\n".join(lines) + "\n"
    (HERE / "RESULTS.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
