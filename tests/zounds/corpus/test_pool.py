"""Workers that die take one item with them, and nothing else."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import featureflow as ff
import zounds
from zounds.corpus.pool import Pool


def lost(item, why):
    return item, f"lost: {why}"


def ran(pool, function, items, weight=lambda item: 0):
    return [result for batch in pool.run(function, items, weight, lost) for result in batch]


def squares(batch):
    return [(item, item * item) for item in batch]


@pytest.mark.parametrize("count", [0, 1, 3, 1000])
def test_every_item_comes_back_once(count):
    found = ran(Pool(2), lambda batch: [(i, i * i) for i in batch], range(count))
    assert sorted(found) == [(i, i * i) for i in range(count)]


@pytest.mark.parametrize(
    ("death", "said"),
    [
        ("os._exit(7)", "EXIT(7)"),
        ("os.kill(os.getpid(), 9)", "SIGKILL"),
        ("os.kill(os.getpid(), 11)", "SIGSEGV"),
    ],
)
def test_who_kills_its_worker_is_lost_alone(death, said):
    def deadly(batch):
        results = []
        for item in batch:
            if item in (3, 40):
                import os  # noqa: F401  # for the death

                exec(death)
            results.append((item, "done"))
        return results

    found = dict(ran(Pool(2), deadly, range(60)))
    assert sorted(found) == list(range(60))
    assert {item for item, result in found.items() if result != "done"} == {3, 40}
    assert said in found[3]


def test_an_innocent_item_that_ran_beside_a_deadly_one_is_done(tmp_path):
    def waits_or_dies(batch):
        import os
        import time

        for item in batch:
            if item == 0:
                time.sleep(0.5)
                os._exit(1)
            time.sleep(0.1)
        return [(item, "done") for item in batch]

    found = dict(ran(Pool(2), waits_or_dies, range(8), weight=lambda item: 1))
    assert found.pop(0).startswith("lost")
    assert set(found.values()) == {"done"}


def test_an_exception_of_the_function_ends_the_work_and_the_workers(tmp_path):
    def fails(batch):
        import os
        import pathlib

        (pathlib.Path(str(tmp_path)) / str(os.getpid())).touch()
        raise ff.StoreError("the disk is full")

    with pytest.raises(ff.StoreError, match="the disk is full"):
        ran(Pool(2), fails, range(10))
    for path in tmp_path.iterdir():
        for _ in range(100):
            if not os.path.exists(f"/proc/{path.name}"):
                break
            time.sleep(0.1)
        assert not os.path.exists(f"/proc/{path.name}")


def test_heavy_items_do_not_share_a_batch():
    def sizes(batch):
        return [(item, len(batch)) for item in batch]

    found = dict(ran(Pool(1), sizes, range(100), weight=lambda item: 1 if item % 50 == 7 else 0.01))
    assert found[7] == found[57] == 1
    assert max(found.values()) > 10


def test_batches_are_small_at_first_and_at_last():
    pool, sizes = Pool(2), []
    for batch in pool.run(squares, range(1000), lambda item: 0.001, lambda item, why: (item, why)):
        sizes.append(len(batch))
    assert sum(sizes) == 1000
    assert max(sizes) == 64
    assert min(sizes[:3]) == 4  # they come as they are done
    assert max(sizes[-6:]) < 32


def test_a_worker_has_one_thread_for_linear_algebra():
    def threads(batch):
        import numpy  # noqa: F401
        from threadpoolctl import threadpool_info

        return [(item, {info["num_threads"] for info in threadpool_info()}) for item in batch]

    ((_, found),) = ran(Pool(1), threads, [0])
    assert found == {1}


def test_a_given_executor_takes_the_work():
    with ThreadPoolExecutor(3) as executor:
        found = ran(Pool(executor=executor), squares, range(200))
    assert sorted(found) == squares(range(200))


def test_a_given_executor_that_is_shut_down_is_an_error_that_says_so():
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(zounds.CorpusError, match="give a new one"):
        ran(Pool(executor=executor), squares, range(3))


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2"])
def test_the_number_of_workers_is_a_positive_whole_number(workers):
    with pytest.raises(ff.InvalidParameter, match="workers"):
        Pool(workers)


def test_workers_and_an_executor_exclude_each_other():
    with ThreadPoolExecutor(1) as executor, pytest.raises(ff.InvalidParameter, match="executor"):
        Pool(2, executor)


@pytest.mark.parametrize("wrong", [5, "threads", ThreadPoolExecutor], ids=repr)
def test_an_executor_is_one(wrong):
    with pytest.raises(ff.InvalidParameter, match="executor=.*: give a concurrent.futures"):
        Pool(executor=wrong)


STARTED_WITHOUT = """
import resource, sys, zounds

corpus, how = zounds.Corpus(sys.argv[1]), sys.argv[3]
corpus.add(sys.argv[2] + "/deep", workers=1)
from loky import get_reusable_executor
get_reusable_executor().shutdown()
if how == "programs":
    sys.executable = "/bin/false"
else:
    resource.setrlimit(resource.RLIMIT_NOFILE, (14, 14))
try:
    corpus.add(sys.argv[2], workers=2)
except zounds.CorpusError as error:
    print(error)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are those of Linux")
@pytest.mark.parametrize("how", ["programs", "files"])
def test_where_no_worker_can_be_started_that_is_said_and_no_file_is_blamed(corpus, sounds, how):
    command = [sys.executable, "-c", STARTED_WITHOUT, str(corpus.path), str(sounds), how]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert said.stdout.startswith("worker processes cannot be started ("), said
    assert (len(corpus), corpus.info().failed) == (1, 0)
    report = corpus.add(sounds, workers=1)
    assert (len(report.ok), len(report.skipped)) == (2, 1)


ORPHANS = """
import os, sys, time
from zounds.corpus.pool import Pool

def busy(batch):
    import os, time
    with open(sys.argv[1], "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)
    return batch

for _ in Pool(1).run(busy, [1], lambda item: 0, lambda item, why: item):
    pass
"""


def is_running(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"  # a zombie has ended
    except FileNotFoundError:
        return False


def test_workers_leave_when_their_parent_was_killed(tmp_path):
    file = tmp_path / "pid"
    script = ORPHANS.replace("sys.argv[1]", repr(str(file)))
    parent = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 30
    while not (file.exists() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    worker = int(file.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 30
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(worker)
