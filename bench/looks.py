"""What a browser takes to show the page: of a corpus, and of a map of more sounds than that."""

from __future__ import annotations

import gzip
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

import zounds
from zounds.corpus.view import Coded
from zounds.units import SampleRate
from zounds.web import page as built
from zounds.web.app import app_of
from zounds.web.facts import Fact, Facts
from zounds.web.of_corpus import CorpusLibrary
from zounds.web.serve import Server

POINTS = 200_000
WIDTH, HEIGHT = 1440, 900
OPTIONS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# one picture a frame, for so many frames; how long each took
PAN = """
async ([x, y, frames]) => {
  const map = document.querySelector('.marks');
  const send = (kind, dx, dy) => map.dispatchEvent(new PointerEvent(kind, {
    clientX: x + dx, clientY: y + dy, pointerId: 1, buttons: kind === 'pointerup' ? 0 : 1,
    bubbles: true,
  }));
  map.setPointerCapture = () => undefined;
  send('pointerdown', 0, 0);
  const times = [];
  let last = await new Promise(requestAnimationFrame);
  for (let i = 1; i <= frames; i++) {
    send('pointermove', 3 * i, i);
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }
  send('pointerup', 3 * frames, frames);
  return times;
}
"""


class Crowd(CorpusLibrary):
    """A corpus that says it has far more sounds than it has."""

    def __init__(self, corpus: zounds.Corpus) -> None:
        super().__init__(corpus)
        rng = np.random.default_rng(0)
        kinds = rng.integers(90, size=POINTS)
        vectors = rng.normal(0, 40, (90, 64))[kinds] + rng.normal(0, 25, (POINTS, 64))
        self._crowd = Facts(
            Fact(f"{i:032x}", f"sound {i}.wav", f"file:///s/kind {kind}/sound {i}.wav", 1, 44100, 1)
            for i, kind in enumerate(kinds)
        )
        ids = [f"{i:032x}" for i in range(POINTS)]
        self._coded = Coded(
            128,
            ids,
            ids,
            [SampleRate(1, 1)] * POINTS,
            np.arange(POINTS + 1),
            rng.integers(0, 256, (POINTS, 16), np.uint8),
            vectors.clip(-127, 127).astype(np.int8),
        )

    def _read_known(self) -> tuple[Facts, int]:
        return self._crowd, 0

    def snapshot(self, unit: str, like: str = "kind") -> Coded:
        """Return vectors that nobody computed."""
        return self._coded


def figures(address: str, crowded: str) -> Iterator[tuple[str, str, str]]:
    """Yield what is measured, what came of it, and what was wanted."""
    from playwright.sync_api import sync_playwright

    sizes = {
        path: len(gzip.compress(path.read_bytes()))
        for path in built.STATIC.rglob("*")
        if path.suffix in (".js", ".css", ".html", ".svg")
    }
    of_map = sum(size for path, size in sizes.items() if path.name.startswith("view-"))
    total = sum(sizes.values()) / 1e3
    yield "the page and its REPL, gzipped", f"{total - of_map / 1e3:.0f} kB", "< 150 kB"
    yield "the map, gzipped", f"{of_map / 1e3:.0f} kB", ""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=OPTIONS)
        times = []
        for _ in range(5):
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(address)
            page.wait_for_function("() => document.querySelector('.starts button')", polling="raf")
            times.append(page.evaluate("() => performance.now()"))
            page.close()
        yield "page ready, with proposed sounds", f"{median(times):.0f} ms", "< 1 s"
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(crowded)
        page.wait_for_selector("#view button:not([disabled])")
        page.request.get(f"{crowded}api/info")
        while not page.request.get(f"{crowded}api/map").json()["ready"]:
            page.wait_for_timeout(200)
        script = "() => new Promise(done => requestAnimationFrame(() => done(performance.now())))"
        begun = page.evaluate(script)
        page.keyboard.press("v")
        page.keyboard.press("v")
        page.wait_for_function("() => document.querySelector('.legend button')", polling="raf")
        shown = page.evaluate(script)
        yield f"map of {POINTS:,} sounds, fetched and drawn", f"{shown - begun:.0f} ms", "< 1 s"
        box = page.locator(".marks").bounding_box()
        middle = [box["x"] + box["width"] / 3, box["y"] + box["height"] / 3]
        frames = page.evaluate(PAN, [*middle, 90])
        wanted = "≥ 30 frames/s"
        worst = sorted(frames)[int(len(frames) * 0.95)]
        yield (
            "the same, moved",
            f"{1000 / median(frames):.0f} frames/s, 95 % within {worst:.0f} ms",
            wanted,
        )
        browser.close()


def main(corpus: Path) -> None:
    """Serve a crowd, for as long as it is let."""
    library = Crowd(zounds.Corpus(corpus))
    server = Server(app_of(library), "127.0.0.1", 0)
    server.announce(server.url, False)
    server.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
