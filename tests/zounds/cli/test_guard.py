"""How the command ends: in real processes, which are interrupted, and whose pipes break."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

import zounds


@pytest.fixture
def many(tmp_path, wav_files):
    """A folder of many sounds."""
    folder = tmp_path / "many"
    folder.mkdir()
    for file in sorted(wav_files.iterdir()):
        for number in range(12):
            os.link(file, folder / f"{number}_{file.name}")
    return folder


def wait_for_sounds(corpus, process, more_than):
    while process.poll() is None:
        if corpus.exists() and len(corpus) > more_than:
            return
        time.sleep(0.02)
    raise AssertionError(f"it was not to end yet: {process.communicate()}")


def test_an_index_that_is_interrupted_keeps_what_it_has_and_goes_on(start, spawn, many, tmp_path):
    corpus = zounds.Corpus(tmp_path / "corpus")
    command = ("index", str(many), "--workers", "1", "--corpus", str(corpus.path))
    kept = 0
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        process = start(*command, start_new_session=True)
        wait_for_sounds(corpus, process, kept)
        # a terminal sends Ctrl-C to the workers as well; what ends a service, to the process alone
        send = os.killpg if number == signal.SIGINT else os.kill
        send(process.pid, number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, err.decode()
        assert out == b""
        stopped = re.search(r"^zounds: stopped: (\d+) sounds are kept; run", err.decode(), re.M)
        assert b"Traceback" not in err
        kept = int(stopped[1])
        assert 0 < kept == len(corpus) < 288
        assert corpus.check().problems == ()

    done = spawn(*command, "--json")
    assert done.code == 0, done
    report = json.loads(done.out)
    assert report["skipped"] == kept
    assert report["ok"] == 288 - kept
    assert report["indexed"] == 288


def test_whoever_reads_may_stop_reading(start, indexed, sounds):
    process = start("search", str(sounds / "odd_2.wav"), corpus=indexed)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0
    process.stderr.close()


def test_an_error_is_one_line_and_a_traceback_when_asked_for(spawn, tmp_path):
    nowhere = str(tmp_path / "nowhere")
    done = spawn("info", "--corpus", nowhere)
    assert (done.code, done.out) == (1, b"")
    assert re.fullmatch(rb"zounds: there is no corpus in .*\n", done.err)
    for asked in (
        spawn("info", "--corpus", nowhere, env={"ZOUNDS_DEBUG": "1"}),
        spawn("--debug", "info", "--corpus", nowhere),
    ):
        assert asked.code == 1
        assert b"Traceback" in asked.err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is none on this system")
def test_an_output_that_is_full_is_one_line(start, indexed, sounds):
    for command in (("info",), ("search", str(sounds / "odd_2.wav"), "--json")):
        with open("/dev/full", "w") as full:
            process = start(*command, corpus=indexed, stdout=full)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert err == (
            b"zounds: the output cannot be written (No space left on device): make room, or send "
            b"it elsewhere\n"
        )


IN_NO_FOLDER = "mkdir gone && cd gone && rmdir ../gone && exec {} -m zounds {}"


@pytest.mark.skipif(sys.platform == "win32", reason="there it cannot be deleted")
@pytest.mark.parametrize("command", ["info --corpus here", "index .", "search a.wav", "demo"])
def test_a_current_folder_that_was_deleted_is_one_line(indexed, in_folder, command):
    script = IN_NO_FOLDER.format(sys.executable, command)
    env = {**os.environ, "ZOUNDS_CORPUS": str(indexed)}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=env)
    assert done.returncode == 1
    assert done.stderr == "zounds: the current folder was deleted: go to another one\n"


LOADING = """
import os, signal, sys
from importlib.abc import MetaPathFinder
from zounds_command import run

class CtrlC(MetaPathFinder):
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
sys.argv[2:] = ["info"]
run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("module", ["zounds", "numpy", "zounds.cli.main", "typer"])
def test_ctrl_c_while_the_command_is_loaded_is_one_line(module):
    done = subprocess.run([sys.executable, "-c", LOADING, module], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "zounds: stopped\n")


ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("env", [{}, ASCII], ids=["utf-8", "ascii"])
def test_names_that_are_no_text_are_read_and_printed_as_they_are(spawn, indexed, sounds, env):
    (odd,) = (name for name in os.listdir(os.fsencode(sounds)) if name.startswith(b"na"))
    path = os.path.join(os.fsencode(sounds), odd)
    done = spawn("search", path, "-n", "20", corpus=indexed, env=env)
    assert done.code == 0, done
    (line,) = (line for line in done.out.splitlines() if line.endswith(b"\t" + path))
    assert line.startswith(b"1.0000\t")
    assert os.path.exists(path)
    as_json = spawn("search", path, "-n", "20", "--json", corpus=indexed, env=env)
    assert path in [os.fsencode(hit["path"]) for hit in json.loads(as_json.out)["hits"]]
    missing = spawn("search", path + b"\xfe", corpus=indexed, env=env)
    assert missing.code == 1
    assert missing.err.startswith(b"zounds: ")
    assert missing.err.count(b"\n") == 1


def test_on_a_terminal_a_search_is_a_table_that_names_cannot_change(start, indexed, sounds):
    ours, theirs = pty.openpty()
    process = start(
        *("search", str(sounds / "odd_2.wav"), "--unit", "segment", "-n", "20"),
        corpus=indexed,
        stdout=theirs,
        env={"COLUMNS": "200", "TERM": "xterm"},
    )
    os.close(theirs)
    printed = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux says so that the other end is closed
            break
        if not piece:
            break
        printed += piece
    os.close(ours)
    assert process.wait() == 0
    process.stdout, _ = None, process.stderr.close()
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed.decode())
    header, *rows = text.splitlines()
    assert header.split() == ["score", "bits", "at", "sound"]
    itself = re.compile(r"1\.000 +\S+ +0 +0:0\d\.\d +" + re.escape(f"{sounds}/odd_2.wav") + " *")
    assert any(itself.fullmatch(row) for row in rows)
    assert any("[bold]" in row for row in rows)
    assert len(rows) == 14


def test_a_process_that_is_not_watched_says_nothing_of_its_progress(spawn, indexed, sounds):
    done = spawn("search", str(sounds / "odd_2.wav"), "--json", corpus=indexed)
    assert done.err == b""
    assert json.loads(done.out)["hits"]
