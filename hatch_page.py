"""Builds the page when zounds is installed or packed: Node.js makes it of ``frontend/``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

STATIC = Path("src", "zounds", "web", "static")


def page(root: Path) -> str:
    """Build the page, where its sources are newer than it is; return why there is none, if so.

    Without Node.js, everything is installed but the page, and `zounds serve` says so.
    `ZOUNDS_PAGE=required` makes it an error not to have the page, for releases; `ZOUNDS_PAGE=none`
    leaves it as it is.
    """
    wish = os.environ.get("ZOUNDS_PAGE", "")
    trouble = "" if wish == "none" or is_fresh(root) else build(root)
    if trouble and wish == "required":
        raise RuntimeError(f"the page was not built: {trouble}")
    return trouble


def is_fresh(root: Path) -> bool:
    """Return whether the page is there, and newer than what it is made of."""
    page, frontend = root / STATIC / "index.html", root / "frontend"
    if not frontend.is_dir():
        return True  # a source distribution has the page itself
    parts = [path for path in frontend.iterdir() if path.name not in ("node_modules", "dist")]
    sources = [file for part in parts for file in (part, *part.rglob("*")) if file.is_file()]
    newest = max((source.stat().st_mtime for source in sources), default=0.0)
    return page.is_file() and page.stat().st_mtime >= newest


def build(root: Path) -> str:
    """Build the page; return why that was not possible, or nothing."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return "there is no Node.js; install version 20 or newer with npm, and zounds again"
    frontend = root / "frontend"
    for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        done = subprocess.run(  # noqa: S603
            [npm, *command], cwd=frontend, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode:
            sys.stderr.buffer.write(done.stdout)
            return f"npm {command[0]} failed in {frontend}"
    # all of it or nothing: whoever serves the page meanwhile has the old one
    draft, old = root / f"{STATIC}.new", root / f"{STATIC}.old"
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(frontend / "dist", draft)
    os.utime(draft / "index.html")
    if (root / STATIC).exists():
        (root / STATIC).rename(old)
    draft.rename(root / STATIC)
    shutil.rmtree(old, ignore_errors=True)
    return ""
