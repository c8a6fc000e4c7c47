"""The program of the article, run as a user runs it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "examples" / "timbre.py"


def timbre(place, folder):
    return subprocess.run(
        [sys.executable, str(PROGRAM), str(place)], cwd=folder, capture_output=True, text=True
    )


def hits(printed):
    return [line for line in printed.splitlines() if line.endswith(".wav") and " s  " in line]


def test_a_local_zip_with_bad_files_in_it(sounds_zip, in_folder):
    shutil.copy(sounds_zip, in_folder / "mine.zip")
    with zipfile.ZipFile(in_folder / "mine.zip", "a") as archive:
        archive.writestr("notes.txt", b"not a sound")
        archive.writestr("empty.wav", b"")
        with zipfile.ZipFile(sounds_zip) as good:
            whole = good.read("set/pure_0.wav")
        archive.writestr("cut.wav", whole[: len(whole) // 2])
    done = timbre("mine.zip", in_folder)
    assert done.returncode == 0, done.stderr
    assert "[27/27] cut.wav" in done.stdout
    assert "27 files: 2 could not be read, 1 only in part" in done.stdout
    assert "not read: notes.txt" in done.stdout
    assert "not read: empty.wav" in done.stdout
    assert "in part: cut.wav" in done.stdout
    found = hits(done.stdout)
    assert len(found) == 10
    distances = [int(line.split()[0]) for line in found]
    assert distances[0] == 0
    assert distances == sorted(distances)


def test_a_folder_and_once_more(wav_files, in_folder):
    for _ in range(2):
        done = timbre(wav_files, in_folder)
        assert done.returncode == 0, done.stderr
        assert "24 files: 0 could not be read" in done.stdout
        assert len(hits(done.stdout)) == 10


def test_a_url(serve, sounds_zip, in_folder):
    with serve(sounds_zip.parent) as url:
        done = timbre(f"{url}/sounds.zip", in_folder)
    assert done.returncode == 0, done.stderr
    assert "Downloading" in done.stdout
    assert (in_folder / "sounds.zip").exists()
    assert len(hits(done.stdout)) == 10


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nothing.zip", "nothing.zip does not exist"),
        ("broken.zip", "broken.zip is not a zip archive"),
        ("empty", "no examples"),
        ("http://127.0.0.1:9/x.zip", "refused"),
    ],
)
def test_what_does_not_work_is_said_in_one_line(place, message, in_folder):
    (in_folder / "broken.zip").write_bytes(b"PK broken")
    (in_folder / "empty").mkdir()
    done = timbre(place, in_folder)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
