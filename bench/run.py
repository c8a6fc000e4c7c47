"""Measure, and write ``bench/RESULTS.md``.

    python bench/run.py [--data FOLDER] [--only PART]

FOLDER holds real sounds; what needs them is left out without it. With a PART, the others stay as
they were measured before.
Each part is a module beside this one whose ``measure(data)`` yields Markdown lines.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import accuracy
import graph
import ingest
import page
import publishing
import quality
import search
import timbre

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
PARTS = {
    "graph": graph,
    "accuracy": accuracy,
    "ingest": ingest,
    "timbre": timbre,
    "quality": quality,
    "page": page,
    "search": search,
    "milvus": publishing,
}
HEAD = """# Results

Written by `make bench`. Machines differ and are noisy: compare figures of one run.
"""


def machine() -> str:
    """Return what the figures were measured on."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(
            (line.split(": ")[1] for line in lines if line.startswith("model name")), model
        )
    packages = (
        "numpy",
        "scipy",
        "soxr",
        "soundfile",
        "av",
        "lmdb",
        "librosa",
        "scikit-learn",
        "fastapi",
        "uvicorn",
    )
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {system}; {versions}."


def measured() -> str:
    """Return when, of what and on what it is measured."""
    revision = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True
    ).stdout.strip()
    return f"{datetime.now(UTC):%Y-%m-%d}, commit {revision or 'unknown'}, {machine()}"


def title(part: ModuleType) -> str:
    return f"## {part.__doc__.splitlines()[0].rstrip('.')}"


def before() -> dict[str, str]:
    """Return the sections that were measured before, by their titles; the head has none."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return {"": sections[0]} | {one.splitlines()[0]: one for one in sections[1:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder of real sounds")
    parser.add_argument("--only", choices=PARTS, help="the one part to measure")
    given = parser.parse_args()
    data = given.data.resolve() if given.data else None
    sections = {"": f"{HEAD}\n{measured()}\n"}
    if given.only:
        sections |= before()
    for name, part in PARTS.items():
        if given.only in (None, name):
            print(f"measuring: {title(part)}", file=sys.stderr)
            when = [measured(), ""] if given.only else []
            lines = [title(part), "", *when, *part.measure(data)]
            sections[title(part)] = "\n".join(lines) + "\n"
    order = ["", *map(title, PARTS.values())]
    text = "\n".join(sections[name].strip("\n") + "\n" for name in order if name in sections)
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
