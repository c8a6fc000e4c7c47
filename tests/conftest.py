"""Sounds for the tests, made here: no test needs a file from elsewhere."""

import threading
import zipfile
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

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
