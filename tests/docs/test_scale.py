"""The costs in the document are those of the model."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_is_what_the_model_says():
    model = [sys.executable, str(ROOT / "bench" / "scale.py")]
    table = subprocess.run(model, capture_output=True, text=True, check=True).stdout
    assert table in (ROOT / "docs" / "scale.md").read_text()
