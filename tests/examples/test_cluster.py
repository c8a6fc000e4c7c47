"""The example, run as a user runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed")

PROGRAM = Path(__file__).parents[2] / "examples" / "cluster.py"


def test_the_example_indexes_on_a_cluster_into_a_bucket(buckets, wav_files, in_folder):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), buckets.url(), str(wav_files)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("24 ok")
    assert len(lines) == 6
    assert lines[1].startswith("1.00")
