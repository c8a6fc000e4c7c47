"""What is killed at any moment is gone on with, and ends as if nothing had been."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "bench" / "kill.py"


def test_what_was_killed_ends_with_the_documents_of_an_undisturbed_one():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--times", "4", "--seed", "3"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kills, 0 problems" in done.stdout
