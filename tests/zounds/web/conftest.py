"""Servers in processes of their own, as a browser meets them."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
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
