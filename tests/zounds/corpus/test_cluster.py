"""Work on a Dask cluster: real processes, which come to harm."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import zounds
from zounds.corpus import cluster as clusters
from zounds.corpus.pool import Pool

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.xdist_group("dask")

COUNT = 30


class Dask:
    """A scheduler, and two workers with nannies."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self._folder = folder
        self._program = [Path(sys.executable).with_name("dask")]
        # an item that kills its worker is not tried again on the other one: it would take as long
        self._environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
        self.start()

    def _run(self, *arguments):
        return subprocess.Popen(
            [*self._program, *arguments],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def start(self, workers=True):
        self._scheduler = self._run(
            "scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"
        )
        if workers:
            self.start_workers()

    def start_workers(self):
        self._workers = self._run(
            *("worker", self.address, "--nworkers", "2", "--nthreads", "1"),
            *("--no-dashboard", "--local-directory", str(self._folder)),
        )

    def stop(self):
        """End all of it at once: a nanny that is asked to may wait for its scheduler for ever."""
        for process in (self._scheduler, self._workers):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    close = stop


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    started = Dask(tmp_path_factory.mktemp("dask"))
    yield started
    started.close()


@pytest.fixture
def client(dask):
    with distributed.Client(dask.address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.fixture(scope="module")
def folder(tmp_path_factory, save):
    folder = tmp_path_factory.mktemp("many") / "sounds"
    for seed in range(COUNT):
        save(folder / f"{seed:02}.wav", seed, seconds=0.3)
    (folder / "broken.wav").write_bytes((folder / "00.wav").read_bytes()[:30])
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory, folder):
    """The corpus that one process makes."""
    corpus = zounds.Corpus(tmp_path_factory.mktemp("alone") / "corpus")
    corpus.add(folder, workers=1)
    corpus.learn(workers=1)
    corpus.index(workers=1)
    return corpus


def records(corpus):
    """What was learned, what became of each source, and the digests of all that is stored."""
    documents = {
        document._id: {
            name: document._digest(name)
            for name, feature in type(document).features.items()
            if feature.store
        }
        for document in corpus
    }
    return corpus._home.catalogue.model_digest(), corpus.outcomes(), documents


def test_a_cluster_makes_what_one_process_makes_to_the_byte(client, corpus, folder, alone):
    report = corpus.add(folder, executor=client.get_executor())
    assert (len(report.ok), len(report.failed)) == (COUNT, 1)
    corpus.learn(executor=client.get_executor())
    assert corpus.index(executor=client.get_executor()) == COUNT
    assert records(corpus) == records(alone)
    query = folder / "07.wav"
    hits = [(hit.name, hit.score, hit.distance) for hit in corpus.search(query, 20)]
    assert hits == [(hit.name, hit.score, hit.distance) for hit in alone.search(query, 20)]


def lost(item, why):
    return item, f"lost: {why}"


def test_who_kills_workers_is_lost_alone(client):
    def deadly(batch):
        import ctypes
        import os

        for item in batch:
            if item == 3:
                os._exit(7)
            if item == 40:
                ctypes.string_at(0)
        return [(item, "done") for item in batch]

    pool = Pool(executor=client.get_executor())
    found = [result for batch in pool.run(deadly, range(80), lambda _: 0, lost) for result in batch]
    assert sorted(item for item, _ in found) == list(range(80))
    assert {item for item, result in found if result != "done"} == {3, 40}


def first_time(do):
    """A callback for progress that does something as soon as some sounds were read."""
    done = []

    def tell(progress):
        if progress.done > 3 and not done:
            done.append(True)
            do()

    return tell


def test_a_worker_that_is_killed_costs_nothing(client, corpus, folder, alone, agrees):
    def kill():
        for process in list(client.run(os.getpid).values())[:1]:
            os.kill(process, signal.SIGKILL)

    report = corpus.add(folder, executor=client.get_executor(), progress=first_time(kill))
    assert (len(report.ok), len(report.failed)) == (COUNT, 1)
    agrees(corpus)
    assert {d._name for d in corpus} == {d._name for d in alone}


def test_a_scheduler_that_is_restarted_is_waited_for(dask, client, corpus, folder, agrees):
    def restart():
        dask.stop()
        dask.start()

    report = corpus.add(folder, executor=client.get_executor(), progress=first_time(restart))
    assert (len(report.ok), len(report.failed)) == (COUNT, 1)
    agrees(corpus)


def test_one_that_stays_away_is_told_and_a_new_run_finishes(
    dask, corpus, folder, agrees, monkeypatch
):
    monkeypatch.setattr(clusters, "_PATIENCE", 1.0)
    with distributed.Client(dask.address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        with pytest.raises(zounds.CorpusError, match=r"scheduler of tcp.* has gone: .*is kept"):
            corpus.add(folder, executor=client.get_executor(), progress=first_time(dask.stop))
    dask.start()
    with distributed.Client(dask.address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        report = corpus.add(folder, executor=client.get_executor())
    assert len(report.ok) + len(report.skipped) == COUNT
    assert report.skipped
    agrees(corpus)


def test_a_cluster_without_workers_is_told_and_waited_for(dask, corpus, folder, monkeypatch):
    dask.stop()
    dask.start(workers=False)
    timer = threading.Timer(3, dask.start_workers)
    monkeypatch.setattr(clusters, "_ASK_AGAIN", 0.5)
    with distributed.Client(dask.address, timeout=60, set_as_default=False) as client:
        timer.start()
        with pytest.warns(UserWarning, match=r"has no workers: start some \(dask worker"):
            report = corpus.add(folder, executor=client.get_executor())
    timer.join()
    assert len(report.ok) == COUNT


def test_a_folder_and_workers_of_another_machine_do_not_go_together(
    client, corpus, folder, monkeypatch
):
    monkeypatch.setattr("platform.node", lambda: "here")
    with pytest.raises(zounds.CorpusError, match=r"is a folder on here, and this is .*s3://"):
        corpus.add(folder, executor=client.get_executor())


def test_no_scheduler_is_told(monkeypatch):
    with (
        distributed_timeout("1s"),
        pytest.raises(
            zounds.CorpusError, match=r"no scheduler answers at tcp://127.0.0.1:9 .*dask scheduler"
        ),
    ):
        clusters.connected("tcp://127.0.0.1:9")


def distributed_timeout(duration):
    import dask

    return dask.config.set({"distributed.comm.timeouts.connect": duration})


def test_the_command_takes_the_address_of_a_scheduler(dask, tmp_path, folder):
    command = [sys.executable, "-m", "zounds", "--corpus", str(tmp_path / "corpus"), "index"]
    done = subprocess.run(
        [*command, str(folder), "--cluster", dask.address], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"{COUNT} sounds can be searched" in done.stdout
    both = subprocess.run(
        [*command, str(folder), "--cluster", dask.address, "--workers", "2"],
        capture_output=True,
        text=True,
    )
    assert both.returncode == 1
    assert "a cluster has its own number" in both.stderr
