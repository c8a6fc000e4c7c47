"""What every store has to do; each kind of store runs through all of it."""

import os
import pickle
import shutil
import struct
import subprocess
import sys
import threading

import lmdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import featureflow as ff
from featureflow.stores import Batch

keys = st.lists(st.sampled_from(["a", "b", "aa", "c"]), min_size=1, max_size=3).map("/".join)


class StoreContract:
    @pytest.fixture
    def store(self, tmp_path):
        raise NotImplementedError

    def test_is_a_store(self, store):
        assert isinstance(store, ff.Store)

    def test_what_is_written_is_read(self, store):
        store.write({"a/b": b"1", "a/c": b"", "d": bytes(100_000)})
        assert store.read("a/b") == b"1"
        assert store.read("a/c") == b""
        assert store.read("d") == bytes(100_000)
        assert "a/b" in store
        assert "a" not in store

    def test_what_is_not_there(self, store):
        with pytest.raises(KeyError):
            store.read("nothing")
        assert "nothing" not in store
        assert list(store.keys()) == []
        assert store.delete("nothing") == 0

    def test_a_write_replaces(self, store):
        store.write({"a": b"1"})
        store.write({"a": b"22"})
        assert store.read("a") == b"22"
        assert list(store.keys()) == ["a"]

    def test_keys_come_in_order_and_by_prefix(self, store):
        names = ["b/2", "a/1", "a/10", "a/2", "ab"]
        store.write(dict.fromkeys(names, b""))
        assert list(store.keys()) == sorted(names)
        assert list(store.keys("a/")) == ["a/1", "a/10", "a/2"]
        assert list(store.keys("z")) == []

    def test_prefixes_are_deleted_and_nothing_else(self, store):
        store.write(dict.fromkeys(["a/1", "a/2", "ab", "b/1", "c"], b""))
        assert store.delete("a/", "c") == 3
        assert list(store.keys()) == ["ab", "b/1"]

    def test_thousands_of_keys_while_the_store_is_written_to(self, store):
        store.write({f"k/{i:05d}": b"" for i in range(2500)})
        seen = []
        for key in store.keys("k/"):
            seen.append(key)
            if len(seen) % 500 == 0:
                store.write({f"other/{len(seen)}": bytes(5000)})
        assert seen == [f"k/{i:05d}" for i in range(2500)]

    @pytest.mark.parametrize("key", ["", "grün"])
    def test_keys_are_ascii_and_not_empty(self, store, key):
        with pytest.raises(ff.InvalidParameter, match="cannot be a key"):
            store.write({key: b"1"})
        assert list(store.keys()) == []

    def test_closing_loses_nothing(self, store):
        store.write({"a": b"1"})
        store.close()
        store.close()
        assert store.read("a") == b"1"

    def test_readers_see_all_of_a_write_or_nothing(self, store):
        store.write({"x": b"0", "y": b"0"})
        done = threading.Event()

        def write():
            for i in range(200):
                store.write({"x": b"%d" % i, "y": b"%d" % i})
            done.set()

        thread = threading.Thread(target=write)
        thread.start()
        torn = []
        while not done.is_set():
            first = int(store.read("x"))
            if int(store.read("y")) < first:
                torn.append(first)
        thread.join()
        assert torn == []

    @settings(
        max_examples=30,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(
        st.lists(
            st.tuples(st.just("write"), st.dictionaries(keys, st.binary(max_size=20), max_size=4))
            | st.tuples(st.just("delete"), st.lists(keys, max_size=2))
        )
    )
    def test_it_does_as_a_dict_would(self, store, steps):
        store.delete("")
        model = {}
        for what, given_ in steps:
            if what == "write":
                store.write(given_)
                model.update(given_)
            else:
                gone = {key for key in model if key.startswith(tuple(given_))}
                assert store.delete(*given_) == len(gone)
                model = {key: value for key, value in model.items() if key not in gone}
        assert {key: store.read(key) for key in store.keys()} == model


class TestInMemoryDatabase(StoreContract):
    @pytest.fixture
    def store(self):
        return ff.InMemoryDatabase()


class TestBatch(StoreContract):
    """At its limit with every write, with some, or never."""

    @pytest.fixture(params=[0, 40, 8 << 20])
    def limit(self, request):
        return request.param

    @pytest.fixture(params=["memory", "lmdb"])
    def store(self, request, limit, tmp_path):
        memory = request.param == "memory"
        behind = ff.InMemoryDatabase() if memory else ff.LmdbDatabase(tmp_path / "db")
        return Batch(behind, limit)


class OfDocuments:
    """A store whose keys are those of values of documents, in another: of one, or of several."""

    def __init__(self, store, place):
        self._store, self.key_builder = store, store.key_builder
        self._place = place

    def read(self, key):
        return self._store.read(self._within(key))

    def write(self, records):
        self._store.write({self._within(key): record for key, record in records.items()})

    def delete(self, *prefixes):
        return self._store.delete(*(self._within(prefix, "") for prefix in prefixes))

    def keys(self, prefix=""):
        within = self._within(prefix, "")
        return (key.removeprefix(self._place) for key in self._store.keys(within))

    def __contains__(self, key):
        return self._within(key) in self._store

    def close(self):
        self._store.close()

    def _within(self, key, empty=None):
        return self._place + key if key or empty is not None else ""


def placed(store, place):
    return OfDocuments(store, place) if place else store


class TestObjectStoreInMemory(StoreContract):
    @pytest.fixture(params=["", "values/one/", "values/"])
    def store(self, request, tmp_path):
        pytest.importorskip("obstore")
        return placed(ff.ObjectStore("memory://", cache=tmp_path), request.param)


class TestObjectStore(StoreContract):
    test_it_does_as_a_dict_would = None  # thousands of requests: in memory only

    @pytest.fixture(params=["", "values/"])
    def store(self, request, buckets, tmp_path):
        return placed(ff.ObjectStore(buckets.url(), cache=tmp_path), request.param)


class TestLmdbDatabase(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return ff.LmdbDatabase(tmp_path / "deep" / "er")

    def test_the_map_grows_by_itself(self, store):
        value = os.urandom(1 << 20)
        store.write({f"{i}": value for i in range(70)})  # in one transaction
        for i in range(70, 75):
            store.write({f"{i}": value})
        assert sum(store.read(key) == value for key in store.keys()) == 75

    def test_the_map_grows_while_others_read(self, store):
        store.write({"a": b"1"})
        stop = threading.Event()
        failures = []

        def read():
            while not stop.is_set():
                try:
                    assert store.read("a") == b"1"
                except Exception as error:
                    failures.append(error)

        readers = [threading.Thread(target=read) for _ in range(4)]
        for thread in readers:
            thread.start()
        for i in range(14):
            store.write({f"b{i}": bytes(10 << 20)})
        stop.set()
        for thread in readers:
            thread.join()
        assert failures == []

    def test_two_instances_with_one_path_are_one_store(self, store):
        other = ff.LmdbDatabase(f"{store.path}/../er")
        store.write({"a": b"1"})
        assert other.read("a") == b"1"
        other.write({"b": b"2"})
        assert store.read("b") == b"2"

    def test_it_pickles_by_its_path(self, store):
        store.write({"a": b"1"})
        assert pickle.loads(pickle.dumps(store)).read("a") == b"1"

    def test_the_path_is_that_of_the_time_it_was_made(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        store = ff.LmdbDatabase("here")
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.write({"a": b"1"})
        assert (tmp_path / "here" / "data.mdb").exists()
        assert pickle.loads(pickle.dumps(store)).read("a") == b"1"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_it_is_opened_again_after_a_fork(self, store):
        store.write({"a": b"1"})
        child = os.fork()
        if child == 0:
            try:
                right = store.read("a") == b"1"
                store.write({"child": bytes(80 << 20)})  # beyond the parent's map
                os._exit(0 if right else 1)
            except BaseException:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert len(store.read("child")) == 80 << 20
        store.write({"parent": b"2"})
        assert store.read("parent") == b"2"

    def test_another_process_sees_it_and_may_let_it_grow(self, store):
        store.write({"a": b"1"})
        code = (
            "import sys, featureflow as ff\n"
            "store = ff.LmdbDatabase(sys.argv[1])\n"
            "assert store.read('a') == b'1'\n"
            "store.write({'b': bytes(70 << 20)})\n"
        )
        subprocess.run([sys.executable, "-c", code, str(store.path)], check=True)
        assert len(store.read("b")) == 70 << 20

    def test_several_processes_that_read_let_it_grow_at_once(self, store):
        store.write({"a": b"1"})
        code = (
            "import sys, threading, featureflow as ff\n"
            "store = ff.LmdbDatabase(sys.argv[1])\n"
            "stop = threading.Event()\n"
            "def read():\n"
            "    while not stop.is_set(): assert store.read('a') == b'1'\n"
            "threads = [threading.Thread(target=read) for _ in range(2)]\n"
            "for thread in threads: thread.start()\n"
            "for i in range(8): store.write({f'{sys.argv[2]}/{i}': bytes(10 << 20)})\n"
            "stop.set()\n"
            "for thread in threads: thread.join()\n"
        )
        children = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(store.path), str(i)],
                stderr=subprocess.PIPE,
                text=True,
            )
            for i in range(3)
        ]
        for child in children:
            _, printed = child.communicate()
            assert printed == ""
            assert child.returncode == 0
        assert sum(len(store.read(key)) == 10 << 20 for key in store.keys()) == 24

    def test_a_newer_format_is_refused_by_name(self, tmp_path):
        with lmdb.open(str(tmp_path / "new")) as env, env.begin(write=True) as transaction:
            transaction.put(b"format", b"featureflow 2")
        with pytest.raises(ff.FormatError, match=r"new is written in format 2.*upgrade zounds"):
            ff.LmdbDatabase(tmp_path / "new").read("a")

    def test_a_store_of_something_else_is_refused(self, tmp_path):
        with lmdb.open(str(tmp_path / "other")) as env, env.begin(write=True) as transaction:
            transaction.put(b"what", b"ever")
        with pytest.raises(ff.FormatError, match="other is not a store of featureflow"):
            ff.LmdbDatabase(tmp_path / "other").write({"a": b"1"})

    def test_a_key_that_is_not_ascii_is_an_error(self, store):
        store.write({"a": b"1", "b": b"2"})
        store.close()
        with lmdb.open(str(store.path)) as opened, opened.begin(write=True) as transaction:
            transaction.put(b"a\xff", b"")
        with pytest.raises(ff.StoreError, match="is damaged.*cannot be there.*zounds rescan"):
            list(store.keys())

    def test_keys_that_go_back_are_an_error_and_not_gone_through_for_ever(self, store):
        store.write({f"k/{number:05d}": b"" for number in range(5000)})
        store.close()
        file = store.path / "data.mdb"
        file.write_bytes(file.read_bytes().replace(b"k/00998", b"j/00998"))
        with pytest.raises(ff.StoreError, match="is damaged"):
            list(store.keys())

    def test_a_store_that_was_moved_is_opened_at_its_new_place(self, store):
        store.write({"a": b"1"})
        moved = ff.LmdbDatabase(store.path.rename(store.path.with_name("moved")))
        assert moved.read("a") == b"1"
        moved.write({"b": b"2"})
        assert list(store.keys()) == []
        assert list(moved.keys()) == ["a", "b"]

    def test_garbage_in_place_of_the_database_is_refused(self, tmp_path):
        (tmp_path / "bad").mkdir()
        (tmp_path / "bad" / "data.mdb").write_bytes(struct.pack("<I", 7) * 5000)
        with pytest.raises(ff.StoreError, match="bad is damaged"):
            ff.LmdbDatabase(tmp_path / "bad").read("a")

    def test_a_file_in_place_of_the_folder_is_refused(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(ff.StoreError, match="file cannot be opened"):
            ff.LmdbDatabase(tmp_path / "file").read("a")

    def test_no_path_is_refused(self):
        with pytest.raises(ff.InvalidParameter, match="path"):
            ff.LmdbDatabase("")


class TestKeyBuilder:
    def test_keys_are_ascii_and_parts_stay_apart(self):
        build = ff.StringDelimitedKeyBuilder().build
        assert build("a", "b") == "a/b"
        assert build("a/b") != build("a", "b")
        assert build("ü").isascii()

    def test_long_parts_are_cut_and_stay_different(self):
        build = ff.StringDelimitedKeyBuilder().build
        one, two = build("x" * 5000 + "1"), build("x" * 5000 + "2")
        assert one != two
        assert len(one) <= 100

    def test_the_prefix_of_an_id_is_not_that_of_a_longer_one(self):
        builder = ff.StringDelimitedKeyBuilder()
        assert not builder.build("d", "abc", "e").startswith(builder.prefix("d", "ab"))

    def test_an_empty_part_is_refused(self):
        with pytest.raises(ff.InvalidParameter, match="empty"):
            ff.StringDelimitedKeyBuilder().build("a", "")


class TestDamagedLmdb:
    """What happens to files happens to databases."""

    @pytest.fixture
    def store(self, tmp_path):
        store = ff.LmdbDatabase(tmp_path / "db")
        store.write({f"k{i}": bytes([i]) * 5000 for i in range(50)})
        return store

    def test_a_folder_that_is_deleted_meanwhile_is_a_new_store(self, store):
        shutil.rmtree(store.path)
        assert list(store.keys()) == []
        store.write({"new": b"1"})
        assert (store.path / "data.mdb").exists()
        store.close()
        assert list(store.keys()) == ["new"]

    @pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
    def test_a_file_that_is_cut_short_is_refused_and_does_not_end_the_process(self, store, keep):
        store.close()
        file = store.path / "data.mdb"
        os.truncate(file, int(file.stat().st_size * keep))
        code = (
            "import sys, featureflow as ff\n"
            "try: ff.LmdbDatabase(sys.argv[1]).read('k49')\n"
            "except ff.StoreError as error: print(error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(store.path)], capture_output=True, text=True
        )
        assert done.returncode == 0
        assert "cut short" in done.stdout or "cannot be opened" in done.stdout

    def test_flipped_bytes_raise_our_errors_or_are_not_on_the_way(self, store):
        store.close()
        code = (
            "import random, sys, featureflow as ff\n"
            "file = sys.argv[1] + '/data.mdb'\n"
            "whole = bytearray(open(file, 'rb').read())\n"
            "rng = random.Random(int(sys.argv[2]))\n"
            "for _ in range(20): whole[rng.randrange(16, 200)] = rng.randrange(256)\n"
            "open(file, 'wb').write(whole)\n"
            "try: ff.LmdbDatabase(sys.argv[1]).read('k1')\n"
            "except (ff.StoreError, KeyError): pass\n"
        )
        for seed in range(5):
            done = subprocess.run(
                [sys.executable, "-c", code, str(store.path), str(seed)],
                capture_output=True,
                text=True,
            )
            assert "Traceback" not in done.stderr, done.stderr

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_children_of_a_process_with_busy_threads_can_read(self, store):
        stop = threading.Event()

        def read():
            while not stop.is_set():
                store.read("k1")

        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        statuses = []
        for _ in range(20):
            child = os.fork()
            if child == 0:
                try:
                    right = store.read("k2") == bytes([2]) * 5000
                    os._exit(0 if right else 1)
                except BaseException:
                    os._exit(2)
            statuses.append(os.waitpid(child, 0)[1])
        stop.set()
        for thread in threads:
            thread.join()
        assert statuses == [0] * 20


def test_a_store_of_which_almost_everything_was_deleted_is_no_shorter_for_it(tmp_path):
    # LMDB leaves out the pages at the end that are free: the file is shorter than its pages
    for step in range(6):
        program = [
            "import sys, featureflow as ff",
            f"store = ff.LmdbDatabase({str(tmp_path / 'db')!r})",
            f"store.write({{f'a/{step}/{{i}}': bytes(5000) for i in range(200)}})",
            f"store.delete('a/{step}/1')",
            "print(len(list(store.keys())))",
            "store.delete('a')",
        ]
        done = subprocess.run(
            [sys.executable, "-c", "\n".join(program)], capture_output=True, text=True
        )
        assert done.stdout == "89\n", done.stderr
