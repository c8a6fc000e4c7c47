"""A real browser before a real server, on a corpus of sounds that are made here."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

import zounds
from zounds.demo.corpus import demo_corpus
from zounds.web import page as built

playwright = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = Path(__file__).with_name("screenshots")
NASTY = "<img src=x onerror=alert(1)>.wav"
RATE = 44100
STEPS = (220, 520, 1210, 2750)
"""The pitches of the four seconds of ``steps.wav`` [Hz]."""

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
# What is played is kept, to be compared with the file: no ear could do it as well.
_EARS = """
window.heard = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (...given) {
  heard.push({
    rate: this.buffer.sampleRate,
    samples: this.buffer.getChannelData(0),
    loop: this.loop,
  });
  return start.apply(this, given);
};
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  window.element = this;
  return play.apply(this);
};
"""


def pytest_collection_modifyitems(items):
    """Let one process run these tests; skip them where there is no browser or no page.

    Never where these are required.
    """
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    missing = [
        *([] if _CHROMIUM else ["no chromium is installed"]),
        *([] if built.is_built() else ["the page is not built: install zounds with Node.js there"]),
    ]
    for item in ours:
        item.add_marker(pytest.mark.xdist_group("browser"))
        if missing and os.environ.get("ZOUNDS_PAGE") != "required":
            item.add_marker(pytest.mark.skip(reason="; ".join(missing)))


def tones(pitches, seconds=1.0):
    """Sounds of several pitches, one after the other, each of some partials."""
    t = np.arange(int(seconds * RATE)) / RATE
    fade = np.minimum(1, np.minimum(t, t[::-1]) / 0.01)
    parts = [
        fade * sum(np.sin(2 * np.pi * pitch * k * t) / k**2 for k in (1, 2, 3)) for pitch in pitches
    ]
    samples = np.concatenate(parts)
    return zounds.AudioSamples((0.4 * samples / np.abs(samples).max()).astype(np.float32), RATE)


@pytest.fixture(scope="session", name="tones")
def _tones():
    """A function: pitches [Hz] and the length of each [s] -> samples."""
    return tones


@pytest.fixture(scope="session")
def nasty():
    """A name that nobody should have."""
    return NASTY


@pytest.fixture(scope="session")
def sounds(tmp_path_factory):
    """A folder of sounds."""
    folder = tmp_path_factory.mktemp("browser") / "studio"
    made = {
        **dict(demo_corpus(RATE, pitches=3, loudnesses=1)),
        "long/steps.wav": tones(STEPS),
        "long/other steps.wav": tones(STEPS[::-1]),
        "long/inner/hum.wav": tones([110], 0.9),
        "long/minute.wav": tones(np.geomspace(100, 4000, 40)),
        f"odd names/{NASTY}": tones([330], 0.6),
    }
    for name, sound in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        zounds.save(sound, path)
    return folder


def zounds_command(corpus, *arguments):
    """The command line of zounds, on a corpus."""
    return [sys.executable, "-m", "zounds", "--corpus", str(corpus), *map(str, arguments)]


@pytest.fixture(scope="session")
def corpus(sounds):
    """The path of a corpus of these sounds."""
    path = sounds.with_name("corpus")
    subprocess.run(zounds_command(path, "index", sounds), check=True, capture_output=True)
    return path


@contextlib.contextmanager
def served(corpus, *arguments):
    """The address of a server, for as long as it is needed."""
    process = subprocess.Popen(
        zounds_command(corpus, "serve", "--port", 0, *arguments), stdout=subprocess.PIPE, text=True
    )
    try:
        address = next(
            line.strip() for line in process.stdout if re.match(r"http://\S+$", line.strip())
        )
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
        process.stdout.close()


@pytest.fixture(scope="session", name="zounds_command")
def _zounds_command():
    """A function: the path of a corpus, and arguments -> a command line."""
    return zounds_command


@pytest.fixture(scope="session")
def serve():
    """A function: the path of a corpus, and options -> a context with its address."""
    return served


@pytest.fixture(scope="session")
def address(corpus):
    """Where the corpus is served; uploads of over 1 MB are refused."""
    with served(corpus, "--max-upload", 1) as found:
        yield found.rstrip("/")


@pytest.fixture(scope="session")
def browser():
    """One browser for all."""
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield chromium
        chromium.close()


class Visit:
    """A page of Playwright's, and what the tests look at on it."""

    def __init__(self, page):
        self.page = page

    def __getattr__(self, name):
        return getattr(self.page, name)

    @property
    def origin(self):
        """Where the page is from."""
        return "/".join(self.url.split("/")[:3])

    @property
    def asked(self):
        """The parameters in the address."""
        return parse_qs(urlsplit(self.url).query)

    @property
    def names(self):
        """The names in the list, from the top."""
        return self.locator(".row .c-name strong").evaluate_all("all => all.map(one => one.title)")

    @property
    def selected(self):
        """The name of the selected sound."""
        return self.locator(".row[aria-selected=true] .c-name strong").get_attribute("title")

    def snap(self, name):
        """Keep a picture of a state, to be looked at."""
        SHOTS.mkdir(exist_ok=True)
        self.screenshot(path=SHOTS / f"{name}.png")

    def find(self, text):
        """The first document whose name or folder has some words."""
        answer = self.request.get(f"{self.origin}/api/documents", params={"text": text})
        return answer.json()["documents"][0]

    def search(self, text, span="", filters=""):
        """Search with a sound, or a stretch of it, among some; returns its document."""
        document = self.find(text)
        unit = "&unit=segment" if span else ""
        self.goto(f"{self.origin}/?sound={document['id']}{span}{unit}{filters}")
        self.wait_for_selector(".row")
        self.wait_for_url(re.compile("query="))
        return document

    def lists(self, condition):
        """Wait until the list that was asked for last is there, and is as JavaScript says.

        In it, `names` and `folders` are those of the rows.
        """
        self.wait_for_function(
            f"""() => {{
              const all = part => [...document.querySelectorAll(`.row ${{part}}`)];
              const names = all('.c-name strong').map(one => one.title);
              const folders = all('.c-name em').map(one => one.textContent);
              return document.querySelector('#results').ariaBusy === 'false' && ({condition});
            }}"""
        )

    def settle(self):
        """Wait for the answer of a search that has begun."""
        self.wait_for_selector("#results[aria-busy=false]", state="attached")

    def row(self, place):
        """A row of the list, the first is 0."""
        return self.locator(f".row >> nth={place}")

    def choose(self, place):
        """Click where nothing plays."""
        self.row(place).locator(".c-name").click()

    def heard(self, count):
        """The samples and the rate of what was played last, once so many were played."""
        self.wait_for_function("count => heard.length >= count", arg=count)
        last = self.evaluate("() => ({...heard.at(-1), samples: [...heard.at(-1).samples]})")
        return np.array(last["samples"]), last["rate"]

    def times(self, place):
        """From when to when a row matches [s]."""
        label = self.row(place).locator("small").text_content()
        found = re.match(r"([\d.]+) to ([\d.]+) of", label)
        return (float(found[1]), float(found[2])) if found else (0.0, float(label.split()[0]))


@pytest.fixture
def open_page(browser):
    """Open pages; afterwards nothing may have failed on them, or have asked another host."""
    contexts, faults = [], []

    def opening(address, width=1440, height=900, allowed=(), **options):
        origin = "/".join(address.split("/")[:3])
        viewport = {"width": width, "height": height}
        permissions = ["clipboard-read", "clipboard-write", "microphone"]
        context = browser.new_context(viewport=viewport, permissions=permissions, **options)
        context.set_default_timeout(20_000)
        context.add_init_script(_EARS)
        if AXE.exists():
            context.add_init_script(path=AXE)
        contexts.append(context)
        page = Visit(context.new_page())

        def on_console(message):
            told = f"{message.type}: {message.text}"
            if message.type == "error" and not any(word in told for word in allowed):
                faults.append(told)

        def on_request(request):
            if not request.url.startswith((origin, "data:", "blob:")):
                faults.append(f"asked {request.url}")

        page.on("console", on_console)
        page.on("pageerror", lambda error: faults.append(f"failed: {error}"))
        page.on("request", on_request)
        page.goto(address)
        return page

    yield opening
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def page(open_page, address):
    """The start page."""
    page = open_page(f"{address}/")
    page.wait_for_selector(".starts button")
    return page
