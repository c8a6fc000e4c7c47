"""What is told of the work: true speeds, of what was really read."""

import os
import re
import shutil


def test_the_speed_is_that_of_what_is_decoded(call, tmp_path, wav_files):
    """Files that were only touched are looked at; nothing of them is decoded again."""
    folder, corpus = shutil.copytree(wav_files, tmp_path / "sounds"), tmp_path / "corpus"
    said = call("index", folder, "--workers", 1, corpus=corpus).err
    speed = int(re.search(r"reading: 24/24 files, .* files/s, (\d+)x real time", said)[1])
    assert 0 < speed < 2000
    for path in folder.iterdir():
        os.utime(path, ns=(10**18, 10**18))
    for again in (("rescan",), ("index", folder)):
        said = call(*again, "--workers", 1, corpus=corpus).err
        assert re.fullmatch(r"zounds: reading: 24/24 files, [0-9.]+ files/s, 0 failed\n", said)
        for path in folder.iterdir():
            os.utime(path, ns=(10**18 + 10**9, 10**18 + 10**9))
