"""The demonstration, run as a user runs it."""

import re
import subprocess
import sys
from pathlib import Path

import soundfile

PROGRAM = Path(__file__).parents[2] / "examples" / "demo.py"


def test_the_demo_makes_sounds_and_finds_like_with_like(in_folder):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "here"], cwd=in_folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    files = sorted((in_folder / "here" / "sounds").rglob("*.wav"))
    kinds = {path.parent.name for path in files}
    assert len(kinds) >= 12
    for kind in kinds:
        assert len({path.name.split("_")[-2] for path in files if path.parent.name == kind}) >= 3
        assert len({path.name.split("_")[-1] for path in files if path.parent.name == kind}) >= 2
    assert soundfile.info(files[0]).duration > 0.5

    answers = done.stdout.partition("that differ:")[2]
    blocks = [block.splitlines() for block in answers.strip().split("\n\n")]
    assert len(blocks) >= 3
    same = total = 0
    for query, *hits in blocks:
        found = [re.fullmatch(r" *(\d+)  (\S+\.wav)", hit) for hit in hits]
        assert all(found)
        assert len(found) == 5
        distances = [int(hit[1]) for hit in found]
        assert distances == sorted(distances)
        assert query not in {hit[2] for hit in found}
        kind = query.rsplit("_", 2)[0]
        same += sum(hit[2].rsplit("_", 2)[0] == kind for hit in found)
        total += len(found)
    assert same / total > 0.6  # by chance, one in nineteen
