"""What is searched lies in a file that is mapped, and is replaced in one step."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import featureflow as ff
import zounds
from zounds.corpus.shelf import Shelf


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "index")


def same(one, other):
    assert (list(one.ids), one.fingerprint, one.bits, one.rate, one.typical) == (
        *(list(other.ids), other.fingerprint, other.bits, other.rate, other.typical),
    )
    for name in ("names", "uris", "folders", "folder_of", "seconds", "samplerates", "channels"):
        assert list(getattr(one.known, name)) == list(getattr(other.known, name))
    np.testing.assert_array_equal(one.offsets, other.offsets)
    for unit in ("clip", "segment"):
        assert one.layers(unit).keys() == other.layers(unit).keys()
        for like, layer in one.layers(unit).items():
            others = other.layers(unit)[like]
            rows = np.array([[len(layer) - 1, 0]])
            assert len(layer) == len(others)
            np.testing.assert_array_equal(layer.codes_of(rows), others.codes_of(rows))
            np.testing.assert_array_equal(layer.codes, others.codes)
            found = (one.prepared.search(layer.codes[:3], 9) for one in (layer, others))
            for ours, theirs in zip(*found, strict=True):
                np.testing.assert_array_equal(ours, theirs)
            if layer.ranks or others.ranks:
                np.testing.assert_array_equal(layer.vectors, others.vectors)
                np.testing.assert_array_equal(layer.vectors_of(rows), others.vectors_of(rows))
    rows = np.array(next(iter(one.layers("clip").values())).vectors, np.float32)
    if rows.ndim:
        for like in one.layers("clip"):
            ours, theirs = (g.space.queries(rows / 127, like, "clip") for g in (one, other))
            np.testing.assert_array_equal(ours.codes, theirs.codes)


@pytest.mark.parametrize("name", ["timbre", "post"])
@pytest.mark.parametrize("equal", [False, True])
def test_what_is_put_on_the_shelf_is_what_one_gets(shelf, name, equal, made):
    one = None
    if equal:  # so that codes are collapsed
        row = np.random.default_rng(0).standard_normal((1, 64)).astype(np.float32)
        one = row / np.linalg.norm(row) if name == "timbre" else np.tile(row > 0, 2)
    found = made([3, 1, 5], name, one=one)
    assert shelf.latest() is shelf.digest() is None
    shelf.put(found)
    same(shelf.latest(), found)
    same(Shelf(shelf.folder).latest(), found)
    assert shelf.latest() is shelf.latest()
    assert list(shelf.problems()) == []


def test_the_latest_is_kept_and_none_else_and_who_has_another_keeps_it(shelf, made):
    digests = []
    first = made([3, 1])
    shelf.put(first)
    opened = shelf.latest()
    for seed in (0, 1, 1, 0):
        Shelf(shelf.folder).put(made([3, 1], seed=seed))
        digests.append(shelf.digest())
        assert len(list(shelf.folder.iterdir())) == 2
        same(shelf.latest(), made([3, 1], seed=seed))
    assert digests[1] == digests[2] != digests[0] == digests[3]
    same(opened, first)


def test_opening_it_reads_next_to_nothing(shelf, made):
    shelf.put(made([30_000] * 4))
    (file,) = shelf.folder.glob("*.generation")
    program = (
        "import sys, resource, pathlib; from zounds.corpus.shelf import Shelf\n"
        "def read(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = read(); found = Shelf(pathlib.Path(sys.argv[1])).latest()\n"
        "print(len(found.segments['kind']), read() - before)"
    )
    done = subprocess.run([sys.executable, "-c", program, shelf.folder], capture_output=True)
    count, kilobytes = map(int, done.stdout.split())
    assert count == 120_000
    assert kilobytes * 1024 < file.stat().st_size / 4


def test_who_stops_in_between_leaves_the_one_before(shelf, monkeypatch, made):
    before = made([3, 1])
    shelf.put(before)
    there = set(shelf.folder.iterdir())

    def full(*_):
        raise OSError(28, "No space left on device")

    for place in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, place, full)
            with pytest.raises(zounds.CorpusError, match="cannot be written to .No space left"):
                shelf.put(made([2, 2], seed=1))
        same(Shelf(shelf.folder).latest(), before)
    shelf.put(made([2, 2], seed=1))
    assert len(there) == len(set(shelf.folder.iterdir())) == 2


def test_a_newer_format_is_refused_and_not_replaced(shelf, made):
    shelf.put(made([3, 1]))
    manifest = shelf.folder / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "format": 2}))
    for use in (Shelf(shelf.folder).latest, lambda: shelf.put(made([3, 1]))):
        with pytest.raises(ff.FormatError, match="is written in format 2, and .* upgrade zounds"):
            use()


def test_a_manifest_that_names_what_is_not_there_is_damage(shelf, made):
    shelf.put(made([3, 1]))
    (file,) = shelf.folder.glob("*.generation")
    file.unlink()
    shelf = Shelf(shelf.folder)
    assert shelf.latest() is None
    assert list(shelf.problems()) == [
        f"the index is damaged ({file.name} is gone): run zounds rescan"
    ]
    shelf.put(made([3, 1]))
    assert list(shelf.problems()) == []


def test_what_is_damaged_is_told_when_it_is_used(shelf, made):
    shelf.put(made([2000] * 4))
    (file,) = shelf.folder.glob("*.generation")
    content = bytearray(file.read_bytes())
    content[len(content) // 4] ^= 1
    file.write_bytes(content)
    found = Shelf(shelf.folder).latest()
    assert found.ids[3] == "sound 3"  # of another part
    with pytest.raises(zounds.DamagedIndex, match=r"is damaged: call index\(\)"):
        same(found, found)


# ---------------------------------------------------------------------------- while it changes

READER = """
import sys, zounds
corpus = zounds.Corpus(sys.argv[1])
for line in sys.stdin:
    print(len(corpus.search(bytes(16), n_results=10**6)), flush=True)
"""


def test_readers_in_other_processes_see_the_new_one_without_restart(notes, tmp_path, save):
    corpus = zounds.Corpus(shutil.copytree(notes.path, tmp_path / "corpus"))
    with subprocess.Popen(
        [sys.executable, "-c", READER, corpus.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:

        def ask():
            print("?", file=reader.stdin, flush=True)
            return int(reader.stdout.readline())

        assert ask() == 60
        corpus.add(save(tmp_path / "new.wav", 5), workers=1)
        assert ask() == 60
        assert corpus.index(workers=1) == 61
        assert ask() == 61
        corpus.remove(tmp_path / "new.wav")
        assert ask() == 60
        assert corpus.index(workers=1) == 60
        assert ask() == 60
        reader.stdin.close()


def test_searches_go_on_while_an_index_is_built(notes, tmp_path, save):
    corpus = zounds.Corpus(shutil.copytree(notes.path, tmp_path / "corpus"))
    corpus.add(save(tmp_path / "new.wav", 5), workers=1)
    reader = zounds.Corpus(corpus.path)
    before = list(reader.search(bytes(16), 10**6))
    begun, done, seen = threading.Event(), threading.Event(), []

    def build():
        begun.set()
        corpus.index(workers=1)
        done.set()

    builder = threading.Thread(target=build)
    builder.start()
    begun.wait()
    while not done.is_set():
        seen.append(len(reader.search(bytes(16), 10**6)))
        time.sleep(0.001)
    builder.join()
    assert len(seen) > 3  # it took longer than they did
    assert set(seen) <= {60, 61}
    assert seen == sorted(seen)
    after = list(reader.search(bytes(16), 10**6))
    assert len(before) == 60
    assert len(after) == 61


def dying(moment):
    """End this process at a call to the system, by its number."""
    count = 0

    def dies(call):
        def calling(*arguments, **options):
            nonlocal count
            count += 1
            if count == moment:
                os._exit(9)
            return call(*arguments, **options)

        return calling

    for name in ("fsync", "replace", "rename", "unlink", "open"):
        setattr(os, name, dies(getattr(os, name)))


@pytest.mark.parametrize("moment", [1, 2, 3, 4, 5, 6, 7, 8, 99])
def test_who_is_killed_leaves_the_old_or_the_new_one(shelf, made, moment):
    old, new = made([3, 1]), made([2, 2], seed=1)
    shelf.put(old)
    process = os.fork()
    if not process:
        dying(moment)
        shelf.put(new)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == (9 if moment < 99 else 0)
    found = Shelf(shelf.folder)
    same(found.latest(), old if found.latest().offsets[1] == 3 else new)
    assert list(found.problems()) == []
    found.put(new)
    same(found.latest(), new)
    assert len(list(shelf.folder.iterdir())) == 2
