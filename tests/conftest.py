"""Sounds for the tests, made here: no test needs a file from elsewhere."""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
import zipfile
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import hypothesis
import numpy as np
import pytest

import zounds

RATE = 44100


def tone(pitch, partials, seconds=1.0, decay=3.0, rate=RATE, seed=0):
    """A decaying sound with some partials and a little noise: a plain kind of real audio."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    wave = sum(a * np.sin(2 * np.pi * pitch * (k + 1) * t) for k, a in enumerate(partials))
    wave = wave * np.exp(-decay * t) + 0.001 * rng.standard_normal(len(t))
    return zounds.AudioSamples((0.5 * wave / np.abs(wave).max()).astype(np.float32), rate)


KINDS = {
    "pure": [1.0],
    "odd": [1.0, 0.0, 0.6, 0.0, 0.4, 0.0, 0.3, 0.0, 0.2],
    "bright": [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.4, 0.3, 0.3, 0.2, 0.2],
}


def pytest_configure(config):
    # collections in tests are small, and learning says so; that it does is a test of its own
    config.addinivalue_line(
        "filterwarnings", "ignore:learned from views of .* clips only:UserWarning"
    )
    # nothing is timed: the machine may be busy with something else
    hypothesis.settings.register_profile("zounds", deadline=None)
    hypothesis.settings.load_profile("zounds")


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_tests(tmp_path_factory):
    """What is downloaded stays out of the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def wav_files(tmp_path_factory):
    """A folder of 24 wav files, of three kinds at eight pitches."""
    folder = tmp_path_factory.mktemp("sounds")
    for kind, partials in KINDS.items():
        for step in range(8):
            samples = tone(220 * 2 ** (step / 4), partials, seconds=1.2, seed=step)
            zounds.save(samples, folder / f"{kind}_{step}.wav")
    return folder


@pytest.fixture(scope="session")
def sounds_zip(wav_files, tmp_path_factory):
    """The same files in an archive, with what macOS and careless people put into archives."""
    path = tmp_path_factory.mktemp("archive") / "sounds.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("set")
        for file in sorted(wav_files.iterdir()):
            archive.write(file, f"set/{file.name}")
            archive.writestr(f"__MACOSX/set/._{file.name}", b"resource fork")
    return path


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def serve():
    """A function: folder -> context of the URL of a web server for it."""

    @contextmanager
    def serving(folder, handler=_Quiet):
        with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()

    serving.handler = _Quiet
    return serving


class _Buckets:
    """A server of objects, behind a proxy that counts requests and misbehaves when told to."""

    def __init__(self):
        port = _free_port()
        program = Path(sys.executable).with_name("moto_server")
        self._server = subprocess.Popen(
            [program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        self._behind, self._port = port, 0
        self.start()
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self._ask("/bucket", "PUT")

    def start(self):
        """Let the server be reached, after `stop`."""
        program = Path(__file__).parent / "servers" / "proxy.py"
        self._proxy = subprocess.Popen(
            [sys.executable, str(program), str(self._behind), str(self._port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._port = int(self._proxy.stdout.readline())

    def stop(self):
        """Let the server not be reached any more."""
        self._proxy.kill()
        self._proxy.wait()
        self._proxy.stdout.close()

    def close(self):
        self.stop()
        self._server.kill()
        self._server.wait()

    def environment(self):
        """Return what processes have to know."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "anybody",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }

    def url(self):
        """Return the URL of a place where nothing is."""
        return f"s3://bucket/{uuid.uuid4().hex}"

    def misbehave(self, what, times=1, method=None):
        self._ask("/.fault", "POST", {"what": what, "times": times, "method": method})

    def asked(self):
        """Return the requests since this was asked last, as (method, path)."""
        return [tuple(request) for request in json.loads(self._ask("/.asked", "GET"))]

    def _ask(self, path, method, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.endpoint + path, data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def _buckets():
    pytest.importorskip("obstore")
    pytest.importorskip("moto")
    buckets = _Buckets()
    yield buckets
    buckets.close()


@pytest.fixture
def buckets(_buckets, monkeypatch):
    """A real server of objects that speaks S3, which the environment points to."""
    for name, value in _buckets.environment().items():
        monkeypatch.setenv(name, value)
    yield _buckets
    _buckets.misbehave("nothing", 0)
