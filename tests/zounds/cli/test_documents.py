"""docs/commands.md is true: it has every command and option, and its examples run."""

import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.main import get_command

from zounds.cli.main import app

DOCUMENT = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
EXAMPLES = "".join(re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL)).splitlines()


def section_of(command):
    return re.search(rf"^## {command}$(.*?)(?=^## |\Z)", DOCUMENT, re.DOTALL | re.MULTILINE)[1]


def test_every_command_and_option_is_in_the_document(call):
    everywhere = DOCUMENT[: DOCUMENT.index("\n## index\n")]
    for option in re.findall(r"--[a-z-]+", call("--help").out.partition("Examples")[0]):
        assert option in everywhere, option
    commands = get_command(app).commands
    assert re.findall(r"^## ([a-z]+)$", DOCUMENT, re.M) == list(commands)
    for name in commands:
        listed = call(name, "--help").out.partition("Examples")[0]
        options = re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", listed.partition("Options")[2])
        assert "--help" in options
        for option in set(options) - {"--corpus", "--json", "--help", "-h"}:
            assert option in section_of(name), f"{name} {option}"


def test_every_option_of_the_document_is_there(call):
    commands = get_command(app).commands
    for name in commands:
        listed = call(name, "--help").out
        for option in re.findall(r"`(--?[a-z][a-z-]*)", section_of(name)):
            assert option in listed, f"{name} {option}"


@pytest.fixture
def place(in_folder, wav_files, monkeypatch):
    """A folder with what the examples name, and a command `zounds`."""
    shutil.copytree(wav_files, in_folder / "sounds")
    shutil.move(in_folder / "sounds" / "odd_4.wav", in_folder / "kick.wav")
    for name, file in (("snare", "bright_4.wav"), ("tone", "pure_4.wav")):
        shutil.move(in_folder / "sounds" / file, in_folder / "sounds" / f"{name}.wav")
    kinds = [f"{path.name},{path.stem.split('_')[0]}\n" for path in wav_files.iterdir()]
    (in_folder / "kinds.csv").write_text("".join(["name,label\n", *kinds]))
    with zipfile.ZipFile(in_folder / "drums.zip", "w") as archive:
        archive.write(in_folder / "sounds" / "pure_0.wav", "snare.wav")
    program = in_folder / "bin" / "zounds"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m zounds "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("ZOUNDS_CORPUS", str(in_folder / "corpus"))
    return in_folder


def test_the_examples_run(place, call):
    assert len(EXAMPLES) > 20
    for example in EXAMPLES:
        if example == "zounds demo":
            continue  # the same as the small one, and takes its time
        if "|" in example:
            done = subprocess.run(example, shell=True, cwd=place, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, ""), example
            assert str(place / "kick.wav") in done.stdout.splitlines()
            continue
        program, *arguments = shlex.split(example)
        assert program == "zounds"
        done = call(*arguments, corpus=place / "corpus")
        assert done.code == 0, f"{example}: {done}"
        if "--json" in arguments:
            assert done.json, example
    assert {path.name for path in place.iterdir()} >= {
        *("sounds.csv", "sounds.parquet", "sounds.m3u", "arrays.npz", "small", "corpus")
    }
