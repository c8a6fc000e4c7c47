"""What goes wrong while sounds are read costs the sound it happens to, and nothing else."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import zounds


@pytest.fixture
def sounds(tmp_path, write):
    """A folder of ten short sounds."""
    for number in range(10):
        write(tmp_path / "sounds" / f"{number}.wav", seed=number)
    return tmp_path / "sounds"


@pytest.fixture
def corpus(tmp_path):
    return zounds.Corpus(tmp_path / "corpus")


def names(outcomes):
    return sorted(outcome.name for outcome in outcomes)


def whys(outcomes):
    return {outcome.name: outcome.why for outcome in outcomes}


def reader_of(path, deadline=30):
    """The process that has a file open, as soon as there is one."""
    until = time.monotonic() + deadline
    while time.monotonic() < until:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                for opened in (process / "fd").iterdir():
                    if os.readlink(opened) == str(path) and int(process.name) != os.getpid():
                        return int(process.name)
            except OSError:
                continue
    return None


def test_a_worker_that_is_killed_costs_the_file_that_it_read(sounds, corpus, write):
    long = write(sounds / "long.flac", seconds=1200)
    killed = []

    def kill():
        # the second time it is read alone: that is when it is known to be the cause
        for _ in range(2):
            process = reader_of(long)
            if process is not None:
                os.kill(process, signal.SIGKILL)
                killed.append(process)
                until = time.monotonic() + 30
                while os.path.exists(f"/proc/{process}/fd") and time.monotonic() < until:
                    time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    report = corpus.add(sounds, workers=2)
    killer.join()
    assert len(killed) == 2
    assert names(report.ok) == [f"{number}.wav" for number in range(10)]
    assert whys(report.failed) == {
        "long.flac": "long.flac: the process that read it died (SIGKILL(-9)): leave it out"
    }
    assert corpus.check().problems == ()
    again = corpus.add(sounds, workers=2)
    assert (names(again.ok), len(again.skipped)) == (["long.flac"], 10)
    assert corpus.info().failed == 0


def test_a_file_that_vanishes_before_its_turn_is_one_line(sounds, corpus):
    def files():
        yield sounds
        (sounds / "3.wav").unlink()

    report = corpus.add(files(), workers=1)
    assert len(report.ok) == 9
    assert whys(report.failed) == {
        "3.wav": f"{sounds}/3.wav does not exist (any more): check the path"
    }


def test_a_file_that_changes_while_it_is_read_is_not_kept_half_old_half_new(sounds, corpus, write):
    growing = write(sounds / "growing.wav", seconds=600)
    stop = threading.Event()

    def grow():
        with growing.open("ab") as file:
            while not stop.wait(0.002):
                file.write(b"\0\0\0\0")
                file.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        report = corpus.add(sounds, workers=1)
    finally:
        stop.set()
        writer.join()
    assert whys(report.failed) == {
        "growing.wav": "growing.wav changed while it was read: add it again"
    }
    assert len(corpus) == 10
    assert names(corpus.add(sounds, workers=1).ok) == ["growing.wav"]


def run(script, *arguments, **options):
    program = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, timeout=120, **options)


@pytest.mark.skipif(os.geteuid() != 0, reason="to become somebody else, one has to be root")
def test_a_file_without_permission_is_one_line(sounds, tmp_path):
    (sounds / "5.wav").chmod(0o000)
    (sounds / "closed").mkdir(mode=0o000)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o755)
    tmp_path.chmod(0o777)
    done = run(
        """
        import os, sys
        from concurrent.futures import ThreadPoolExecutor
        import av, scipy.fft, soundfile, soxr, filelock, loky, zounds
        sounds, path = sys.argv[1:]
        zounds.encode(zounds.decode(f"{sounds}/1.wav"))  # loads what somebody else cannot read
        os.setuid(65534)
        with ThreadPoolExecutor(1) as executor:
            report = zounds.Corpus(path).add(sounds, executor=executor)
        print(len(report.ok))
        print(*sorted(outcome.why for outcome in report.failed), sep="\\n")
        """,
        sounds,
        tmp_path / "corpus",
    )
    assert done.stdout.splitlines() == [
        "9",
        f"{sounds}/5.wav cannot be read: Permission denied",
        "closed: Permission denied",
    ], done.stderr


def test_a_full_disk_stops_the_work_and_keeps_what_was_finished(tmp_path, write):
    for number in range(300):
        write(tmp_path / "sounds" / f"{number}.wav", seed=number)

    def limit():
        # files cannot grow beyond it: the same error at the same place as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))

    script = """
        import sys, zounds
        sounds, path = sys.argv[1:]
        zounds.Corpus(path).add(sounds, workers=2)
        """
    done = run(script, tmp_path / "sounds", tmp_path / "corpus", preexec_fn=limit)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "is the disk full?" in done.stderr
    corpus = zounds.Corpus(tmp_path / "corpus")
    kept = len(corpus)
    assert 0 < kept < 300
    assert corpus.check().problems == ()
    report = corpus.add(tmp_path / "sounds", workers=2)
    assert (len(report.ok), len(report.skipped)) == (300 - kept, kept)
    assert corpus.check().problems == ()


def test_a_broken_store_is_an_error_and_not_the_fault_of_a_file(sounds, tmp_path):
    script = "import sys, zounds; zounds.Corpus(sys.argv[2]).add(sys.argv[1], workers=1)"
    assert run(script, sounds, tmp_path / "corpus").returncode == 0
    with (tmp_path / "corpus" / "store" / "data.mdb").open("r+b") as file:
        file.truncate(5000)
    done = run(script, sounds, tmp_path / "corpus")
    assert "StoreError" in done.stderr
    assert "is cut short" in done.stderr


def test_a_huge_file_that_is_no_audio_is_not_read_to_its_end(tmp_path):
    (tmp_path / "sounds").mkdir()
    path = tmp_path / "sounds" / "huge.wav"
    path.touch()
    try:
        os.truncate(path, 1 << 40)  # takes no space, and hours to read
    except OSError:
        pytest.skip("the disk has no files as large")
    script = """
        import sys, zounds
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(1) as executor:
            report = zounds.Corpus(sys.argv[2]).add(sys.argv[1], executor=executor)
        print(*(outcome.why for outcome in report.failed))
        """
    done = run(script, path.parent, tmp_path / "corpus")
    assert "huge.wav is not audio" in done.stdout, done.stderr


def test_long_files_take_little_memory(tmp_path, write):
    write(tmp_path / "long.flac", seconds=3600)
    peak = "int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    done = run(
        f"""
        import sys
        from concurrent.futures import ThreadPoolExecutor
        import zounds
        with ThreadPoolExecutor(1) as executor:  # in this process, to see its memory
            report = zounds.Corpus(sys.argv[2]).add(sys.argv[1], executor=executor)
        print(len(report.ok), {peak})
        """,
        tmp_path / "long.flac",
        tmp_path / "corpus",
    )
    count, kilobytes = map(int, done.stdout.split())
    assert count == 1
    assert kilobytes < 400_000


def test_threads_may_share_the_work(sounds, corpus):
    (sounds / "broken.wav").write_bytes((sounds / "1.wav").read_bytes()[:2000])
    with ThreadPoolExecutor(4) as executor:
        report = corpus.add(sounds, executor=executor)
    assert (len(report.ok), names(report.partial)) == (10, ["broken.wav"])
    assert corpus.check().problems == ()
