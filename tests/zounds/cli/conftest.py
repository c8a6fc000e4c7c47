"""A corpus that was filled by the command, and ways to call it."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import zounds
from zounds.cli.main import app


class Called:
    """What a call of the command came to."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit code {self.code}\n{self.out}\n{self.err}"


def _call(*arguments, corpus=None):
    """The command, called in this process."""
    env = {"ZOUNDS_CORPUS": None if corpus is None else str(corpus)}
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], env=env)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Called(done.exit_code, done.stdout, done.stderr)


def _start(*arguments, corpus=None, env=(), **options):
    """The command, started in a process of its own."""
    env = {**os.environ, "ZOUNDS_CORPUS": str(corpus or ""), **dict(env)}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([sys.executable, "-m", "zounds", *arguments], env=env, **options)


def _spawn(*arguments, **options):
    """The command, called in a process of its own; what it prints is bytes."""
    process = _start(*arguments, **options)
    out, err = process.communicate(timeout=120)
    return Called(process.returncode, out, err)


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """Ctrl-C reaches the command also where the tests run in the background, without a terminal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def call():
    return _call


@pytest.fixture(scope="session")
def start():
    return _start


@pytest.fixture(scope="session")
def spawn():
    return _spawn


@pytest.fixture(scope="session")
def sounds(tmp_path_factory, wav_files):
    """Some of the sounds, one that is none, one that ends early, and one with an odd name."""
    folder = tmp_path_factory.mktemp("cli") / "sounds"
    folder.mkdir()
    for path in sorted(wav_files.iterdir())[::2]:
        shutil.copy(path, folder / path.name)
    (folder / "broken.wav").write_bytes(b"RIFF, and nothing that follows from it")
    whole = (wav_files / "odd_1.wav").read_bytes()
    (folder / "short.wav").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("no sound")
    odd = os.fsencode(folder) + b"/na\xefve [bold]\xff.wav"
    zounds.save(zounds.decode(wav_files / "odd_3.wav"), folder / "odd.wav")
    os.rename(folder / "odd.wav", odd)
    return folder


@pytest.fixture(scope="session")
def indexed(sounds):
    """A corpus of these sounds; its index command's JSON lies beside it."""
    corpus = sounds.parent / "corpus"
    done = _spawn("index", str(sounds), "--json", corpus=corpus)
    assert done.code == 0, done
    (sounds.parent / "index.json").write_bytes(done.out)
    (sounds.parent / "index.err").write_bytes(done.err)
    return corpus


@pytest.fixture
def copied(indexed, tmp_path):
    """A copy of the corpus, to be changed."""
    return shutil.copytree(indexed, tmp_path / "corpus")
