"""A corpus in a bucket: as one in a folder, and wherever somebody looks at it from."""

import json
import os
import platform
import signal
import subprocess
import sys
import time

import pytest

import featureflow as ff
import zounds
from zounds.corpus import lease

pytest.importorskip("obstore")

COUNT = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory, save):
    folder = tmp_path_factory.mktemp("remote") / "sounds"
    for seed in range(COUNT):
        save(folder / f"{seed:02}.wav", seed, seconds=0.3)
    return folder


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A function after which this is another machine: nothing is known here."""
    turns = iter(range(100))

    def moving():
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"machine-{next(turns)}"))
        from zounds.corpus import worker

        worker.open_store.cache_clear()

    return moving


def filled(place, folder):
    corpus = zounds.Corpus(place)
    corpus.add(folder, workers=2)
    corpus.learn(workers=2)
    corpus.index(workers=2)
    return corpus


@pytest.fixture(scope="module")
def place(_buckets, folder):
    """Where a corpus of the sounds is, with an index."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _buckets.environment().items():
            patch.setenv(name, value)
        return str(filled(_buckets.url(), folder)._home)


def stored(corpus):
    names = [name for name, feature in type(corpus.random(0)).features.items() if feature.store]
    return {document._id: [document._digest(name) for name in names] for document in corpus}


def found(corpus, query):
    return [(hit.name, hit.score, hit.distance) for hit in corpus.search(query, COUNT)]


def test_it_does_what_a_folder_does(buckets, folder, tmp_path, save, elsewhere):
    far, near = filled(buckets.url(), folder), filled(tmp_path / "corpus", folder)
    assert stored(far) == stored(near)
    assert found(far, folder / "07.wav") == found(near, folder / "07.wav")
    assert far.check().problems == ()
    info = far.info().record()
    assert (info["path"], info["documents"], info["indexed"]) == (str(far._home), COUNT, COUNT)
    assert info["bytes"] > 10_000
    elsewhere()
    again = zounds.Corpus(str(far._home))
    assert found(again, folder / "07.wav") == found(near, folder / "07.wav")
    assert len(again.add(folder, workers=1).skipped) == COUNT
    extra = save(tmp_path / "more" / "extra.wav", 99, seconds=0.3)
    assert len(again.add(extra, workers=1).ok) == 1
    assert again.remove(folder / "03.wav")[0].name == "03.wav"
    assert again.index(workers=1) == COUNT
    elsewhere()
    assert zounds.Corpus(str(far._home)).search(extra)[0].name == "extra.wav"
    assert str(zounds.Corpus(str(far._home)).rescan(workers=1)).startswith("0 new")
    with pytest.raises(zounds.CorpusError, match="only folders are compacted"):
        again.compact()


def test_the_index_is_fetched_once(buckets, place, folder, elsewhere):
    elsewhere()
    buckets.asked()
    for _ in range(3):
        assert zounds.Corpus(place).search(folder / "07.wav")
    fetched = [
        path for method, path in buckets.asked() if "/index/" in path and "latest" not in path
    ]
    assert len(fetched) == len(set(fetched)) > 0


def test_a_sound_is_added_by_two_requests(buckets, folder, tmp_path, save):
    corpus = zounds.Corpus(buckets.url())
    corpus.add(save(tmp_path / "first.wav", 77), workers=1)
    buckets.asked()
    corpus.add(folder, workers=1)
    asked = buckets.asked()
    values = [path for _, path in asked if "/values/" in path]
    assert len(values) == COUNT
    # once a second at most it is asked what others have written
    journal = [path for _, path in asked if "/journal/" in path and "list-type" not in path]
    assert len(journal) <= COUNT + 4  # the corpus' own state


def test_a_server_that_fails_for_a_while_costs_nothing(buckets, folder, agrees):
    corpus = zounds.Corpus(buckets.url())

    def misbehave(progress):
        if progress.done == 0:
            buckets.misbehave("503", 3, "PUT")

    report = corpus.add(folder, workers=1, progress=misbehave)
    assert len(report.ok) == COUNT
    agrees(corpus)


ADD = """
import sys, zounds
from zounds.corpus import worker
corpus = zounds.Corpus(sys.argv[1])
import featureflow as ff
worker.open_store = lambda place: store
store = ff.ObjectStore(sys.argv[1] + "/store", patience=1)
corpus._home.remote.lease._bucket._patience = 1
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(1) as executor:
    try: corpus.add(sys.argv[2], executor=executor)
    except ff.StoreError as error: print(error)
"""


def test_one_that_fails_for_good_is_told_and_a_new_run_finishes(buckets, folder, agrees):
    place = buckets.url()
    zounds.Corpus(place).add(folder / "00.wav", workers=1)
    adding = subprocess.Popen(
        [sys.executable, "-c", ADD, place, str(folder)], stdout=subprocess.PIPE, text=True
    )
    buckets.asked()
    while not any(method == "PUT" and "/values/" in path for method, path in buckets.asked()):
        assert adding.poll() is None
        time.sleep(0.01)
    buckets.misbehave("503", 10_000)
    told, _ = adding.communicate()
    assert f"{place}/store does not do as it should" in told
    assert "do the same again" in told
    buckets.misbehave("nothing", 0)
    corpus = zounds.Corpus(place)
    report = corpus.add(folder, workers=2)
    assert len(report.ok) + len(report.skipped) == COUNT
    agrees(corpus)


def test_a_run_that_was_killed_is_finished_by_another(buckets, folder, agrees, elsewhere):
    place = buckets.url()
    program = "import sys, zounds; zounds.Corpus(sys.argv[1]).add(sys.argv[2], workers=1)"
    adding = subprocess.Popen([sys.executable, "-c", program, place, str(folder)])
    buckets.asked()
    while not any(method == "PUT" and "/values/" in path for method, path in buckets.asked()):
        assert adding.poll() is None
        time.sleep(0.01)
    adding.send_signal(signal.SIGKILL)
    adding.wait()
    time.sleep(1)  # its worker notices
    elsewhere()
    corpus = zounds.Corpus(place)
    report = corpus.add(folder, workers=2)
    assert len(report.ok) + len(report.skipped) == COUNT
    agrees(corpus)


CHANGING = """
import platform, sys, zounds
platform.node = lambda: sys.argv[2]
with zounds.Corpus(sys.argv[1]).changing():
    print("changing", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def changing(tmp_path):
    """A function: place, name of a machine -> a process there that changes the corpus."""
    started = []

    def start(place, machine):
        process = subprocess.Popen(
            [sys.executable, "-c", CHANGING, place, machine],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / machine)},
        )
        started.append(process)
        assert process.stdout.readline() == "changing\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_one_machine_changes_it_at_a_time(buckets, folder, changing):
    place = buckets.url()
    other = changing(place, "other")
    with pytest.raises(zounds.CorpusError, match=rf"process {other.pid} on other is changing s3"):
        zounds.Corpus(place).add(folder / "00.wav", workers=1)
    other.communicate("\n")
    assert len(zounds.Corpus(place).add(folder / "00.wav", workers=1).ok) == 1


def test_who_was_killed_does_not_hold_it_for_long(buckets, folder, changing, monkeypatch):
    place = buckets.url()
    here = changing(place, platform.node())
    here.kill()
    here.wait()
    zounds.Corpus(place).add(folder / "00.wav", workers=1)
    other = changing(place, "other")
    other.kill()
    with pytest.raises(zounds.CorpusError, match="if it was killed, 60 s"):
        zounds.Corpus(place).add(folder / "01.wav", workers=1)
    monkeypatch.setattr(lease, "_VOID", 0.5)
    time.sleep(0.6)
    assert len(zounds.Corpus(place).add(folder / "01.wav", workers=1).ok) == 1


def test_it_is_held_as_long_as_it_is_renewed_and_a_loss_is_told(buckets, folder, monkeypatch):
    monkeypatch.setattr(lease, "_RENEWED", 0.1)
    corpus = zounds.Corpus(buckets.url())
    bucket = corpus._home.remote._bucket

    def until(happened):
        deadline = time.monotonic() + 60
        while not happened():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def note():
        return json.loads(bucket.get("lock")[0])

    def lose_it():
        with corpus.changing():
            first = note()
            until(lambda: note()["renewed"] > first["renewed"])
            second = note()
            bucket.delete(["lock"])
            until(lambda: not corpus._home.remote.lease._renewing.is_alive())
            bucket.put("lock", json.dumps({**second, "holder": "other"}).encode(), None)

    with pytest.warns(UserWarning, match="do the same again"):
        lose_it()
    assert note()["holder"] == "other"


def test_a_place_that_holds_other_things_is_refused(buckets, folder):
    place = buckets.url()
    ff.stores.bucket.Bucket(place, 5).put("thesis.txt", b"years of work", None)
    with pytest.raises(zounds.CorpusError, match=rf"{place} is no corpus, and holds 'thesis.txt'"):
        zounds.Corpus(place).add(folder, workers=1)
    assert not zounds.Corpus(place).exists()


def test_a_corpus_that_is_not_there_is_told(buckets):
    corpus = zounds.Corpus(buckets.url())
    assert (len(corpus), list(corpus), corpus.check().problems) == (0, [], ())
    with pytest.raises(zounds.CorpusError, match=r"there is no corpus in s3://"):
        corpus.learn()


def test_an_index_that_was_damaged_there_is_made_anew(buckets, place, folder, elsewhere):
    corpus = zounds.Corpus(place)
    before = found(corpus, folder / "07.wav")
    bucket = ff.stores.bucket.Bucket(str(corpus._home), 5)
    name = json.loads(bucket.get("index/latest")[0])
    (file,) = [n for n in bucket.names(f"index/{name['digest']}") if n.endswith(".generation")]
    content, version = bucket.get(file)
    bucket.put(file, content[:-1] + b"?" + b"", version)
    elsewhere()
    again = zounds.Corpus(str(corpus._home))
    with pytest.raises(zounds.SearchError, match=r"call index\(\)"):
        again.search(folder / "07.wav")
    assert again.index(workers=1) == COUNT
    elsewhere()
    assert found(zounds.Corpus(str(corpus._home)), folder / "07.wav") == before


def test_the_command_takes_a_bucket(buckets, place, folder):
    command = [sys.executable, "-m", "zounds", "--corpus", place]
    done = subprocess.run(
        [*command, "index", str(folder / "07.wav"), "--workers", "1"],
        capture_output=True,
        text=True,
    )
    assert f"{COUNT} sounds can be searched" in done.stdout, done.stderr
    done = subprocess.run(
        [*command, "search", str(folder / "07.wav"), "--json"], capture_output=True, text=True
    )
    assert json.loads(done.stdout)["hits"][0]["name"] == "07.wav"
