"""Servers in processes of their own, as a browser meets them."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

import httpx
import pytest

import zounds

NASTY = "<img src=x onerror=alert(1)>.wav"


@pytest.fixture(scope="session")
def filled(tmp_path_factory, wav_files):
    """A corpus of sounds in folders, in an archive, and with names that nobody should have."""
    folder = tmp_path_factory.mktemp("page")
    for path in sorted(wav_files.iterdir()):
        target = folder / "sounds" / path.name.partition("_")[0] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    shutil.copy(wav_files / "odd_0.wav", folder / "sounds" / NASTY)
    shutil.copy(wav_files / "odd_1.wav", os.fsencode(folder / "sounds") + b"/na\xefve \xff.wav")
    sound = zounds.decode(wav_files / "bright_2.wav")
    zounds.save(sound, folder / "sounds" / "other.flac")
    with zipfile.ZipFile(folder / "sounds" / "more.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(wav_files / "pure_2.wav", "set/inner/pure.wav")
    (folder / "sounds" / "broken.wav").write_bytes(b"RIFF, and nothing that follows from it")
    corpus = zounds.Corpus(folder / "corpus")
    report = corpus.add(folder / "sounds", workers=1)
    assert (len(report.ok), len(report.failed)) == (28, 1)
    corpus.learn()
    assert corpus.index() == 28
    return corpus


class Served:
    """A server that runs, and a client of it."""

    def __init__(self, process, address):
        self.process = process
        self.url, _, self.token = address.partition("#token=")
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def __getattr__(self, name):
        return getattr(self.client, name)

    def json(self, path, status=200, **parameters):
        """The JSON of a GET."""
        answer = self.client.get(path, params=parameters or None)
        assert answer.status_code == status, answer.text
        return answer.json()

    def refused(self, path, status, kind, method="GET", **options):
        """The message of a request that is to be refused."""
        answer = self.client.request(method, path, **options)
        assert answer.status_code == status, answer.text
        error = answer.json()["error"]
        assert (error["status"], error["kind"]) == (status, kind)
        assert len(error["message"]) > 10
        return error["message"]


class Talk:
    """Someone with the token, who reads along."""

    def __init__(self, server):
        self.server = server
        self.events = []
        headers = {"Authorization": f"Bearer {server.token}"}
        self.client = httpx.Client(base_url=server.url, headers=headers, timeout=120)
        threading.Thread(target=self._listen, daemon=True).start()
        self.until(lambda: self.state == "idle")

    def _listen(self):
        try:
            with self.client.stream("GET", "/api/repl/events", timeout=None) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        self.events.append(json.loads(line[6:]))
        except httpx.HTTPError:
            pass  # the server has ended

    def until(self, true, seconds=60):
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, self.events[-5:]
            time.sleep(0.02)

    @property
    def state(self):
        states = [event["state"] for event in list(self.events) if event["type"] == "state"]
        return states[-1] if states else None

    def ask(self, what, **body):
        answer = self.client.post(f"/api/repl/{what}", json=body)
        assert answer.status_code in (200, 202, 204), answer.text
        return answer.json() if answer.content else None

    def started(self, code):
        return self.ask("execute", code=code)["cell"]

    def of(self, cell, kind):
        return [e for e in list(self.events) if e.get("cell") == cell and e["type"] == kind]

    def run(self, code):
        """The events of a cell, without the input, once it is done."""
        cell = self.started(code)
        self.until(lambda: self.of(cell, "done"))
        return [e for e in self.events if e.get("cell") == cell and e["type"] != "input"]

    def result(self, code):
        *_, result, done = self.run(code)
        assert done["status"] == "ok"
        return result["data"]["text/plain"]


@contextlib.contextmanager
def _served(command, **options):
    # to files: a pipe that nobody reads would stop the server once it is full
    with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryFile("w+") as out:
        with subprocess.Popen(command, stdout=out, stderr=errors, text=True, **options) as process:
            try:
                served = Served(process, _address(process, out, errors))
                yield served
                served.client.close()
                process.send_signal(signal.SIGINT)
                process.wait(60)
            finally:
                process.kill()
        errors.seek(0)
        served.errors = errors.read()


def _address(process, out, errors):
    """What the server prints, once it has."""
    while process.poll() is None:
        out.seek(0)
        found = re.search(r"^http://\S+$", out.read(), re.M)
        if found:
            return found[0]
        time.sleep(0.02)
    errors.seek(0)
    raise AssertionError(errors.read())


@pytest.fixture(scope="session")
def serving():
    """A function: a corpus' folder and options of `zounds serve` -> a context with a server."""

    def start(corpus, *options):
        command = [sys.executable, "-m", "zounds", "serve", "--port", "0", *options]
        return _served([*command, "--corpus", str(corpus)])

    return start


@pytest.fixture(scope="session")
def running():
    """A function: a program that prints an address -> a context with a server."""

    def start(program, folder):
        return _served([sys.executable, "-W", "error", "-c", program], cwd=folder)

    return start


@pytest.fixture(scope="session")
def server(filled, serving):
    """A server of the corpus, for tests that change nothing that others see."""
    with serving(filled.path, "--max-upload", "2") as served:
        yield served
    assert "Traceback" not in served.errors, served.errors


@pytest.fixture(scope="session")
def documents(server):
    """Every document, by its name."""
    return {one["name"]: one for one in server.json("/api/documents", limit=1000)["documents"]}


@pytest.fixture(scope="session")
def talk_to():
    """A function: a server with a REPL -> someone who talks to it."""
    made = []

    def talking(served):
        made.append(Talk(served))
        return made[-1]

    yield talking
    for talk in made:
        talk.client.close()
