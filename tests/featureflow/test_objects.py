"""A store in a bucket: what it costs, what goes wrong, and who writes at the same time."""

import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import featureflow as ff

pytest.importorskip("obstore")


@pytest.fixture
def store(buckets, tmp_path):
    return ff.ObjectStore(buckets.url(), cache=tmp_path / "cache", patience=3)


def another(store, tmp_path):
    """The same store on another machine: nothing is known there."""
    return ff.ObjectStore(store.url, cache=tmp_path / "elsewhere", patience=3)


def model(store):
    class Settings(ff.PersistenceSettings):
        database = store

    class Words(ff.BaseModel, Settings):
        text = ff.TextFeature(str.strip, store=True)
        count = ff.NumpyFeature(lambda text: np.full((1, 300), len(text)), needs=text, store=True)

    return Words


def written_and_read(buckets):
    """The requests since this was asked last; but for looking, once a second, what others wrote."""
    return [path for _, path in buckets.asked() if "list-type" not in path]


class TestCosts:
    def test_a_document_is_written_by_two_requests_and_read_by_one(self, store, buckets, tmp_path):
        words = model(store)
        words.process(_id="before", text="it is opened now")
        buckets.asked()
        for number in range(20):
            words.process(_id=f"d{number}", text="x" * number)
        assert len(written_and_read(buckets)) <= 2 * 20
        elsewhere = model(another(store, tmp_path))
        list(elsewhere)
        buckets.asked()
        for number in range(20):
            document = elsewhere(f"d{number}")
            assert (document.text, document.count[0, 0]) == ("x" * number, number)
        values = [path for method, path in buckets.asked() if "/values/" in path]
        assert len(values) == 20

    def test_many_documents_at_once_cost_hardly_more_than_one_each(self, store, buckets):
        batch = ff.stores.Batch(store)
        words = model(batch)
        words.process(_id="before", text="it is opened now")
        batch.commit()
        buckets.asked()
        for number in range(50):
            words.process(_id=f"d{number}", text="x" * number)
        batch.commit()
        assert len(written_and_read(buckets)) <= 55

    def test_what_is_known_on_this_machine_is_not_read_again(self, store, buckets, tmp_path):
        store.write({f"a/{number}": b"1" for number in range(5)})
        store.write({"b": b"2"})
        again = ff.ObjectStore(store.url, cache=tmp_path / "cache")
        buckets.asked()
        assert list(again.keys()) == [f"a/{number}" for number in range(5)] + ["b"]
        assert again.read("b") == b"2"
        assert not any("/journal/" in path for method, path in buckets.asked())

    def test_a_long_document_is_not_written_again_and_again(self, store, buckets):
        parts = [bytes([number]) * (6 << 20) for number in range(4)]
        for number, part in enumerate(parts):
            store.write({f"values/d/t/f/p/r/{number}": part})
        store.write({"values/d/t/f/p/header": b"h", "documents/d/entry": b"e"})
        sizes = [len(store._bucket.get(name)[0]) for name in store._bucket.names("values")]
        assert sum(size > 1 << 20 for size in sizes) == 4
        assert sum(sizes) < 25 << 20
        assert [store.read(f"values/d/t/f/p/r/{number}") for number in range(4)] == parts
        assert store.delete("values/d/t/f/p/r/2", "values/d/t/f/p/h") == 2
        assert len(list(store._bucket.names("values"))) == 4
        assert store.delete("documents/d/", "values/d/") == 4
        assert list(store._bucket.names("values")) == []


class TestFaults:
    @pytest.mark.parametrize("what", ["503", "cut", "slow", "lost"])
    @pytest.mark.parametrize("method", ["PUT", "GET"])
    def test_a_fault_that_passes_is_not_noticed(self, store, buckets, tmp_path, what, method):
        store.write({"a": b"1", "values/d/x": b"2" * 1000})
        buckets.misbehave(what, 2 if what == "503" else 1, method)
        store.write({"a": b"3", "values/d/y": b"4" * 1000})
        store.write({"b": b"5"})
        elsewhere = another(store, tmp_path)
        records = {key: elsewhere.read(key) for key in elsewhere.keys()}
        assert records == {
            "a": b"3",
            "b": b"5",
            "values/d/x": b"2" * 1000,
            "values/d/y": b"4" * 1000,
        }
        # nothing was written twice, where only the answer was lost
        assert len(list(store._bucket.names("journal"))) == 3

    @pytest.mark.parametrize("what", ["503", "slow", "lost", "stopped"])
    def test_one_that_stays_is_told_and_what_was_finished_is_kept(self, store, buckets, what):
        store._patience = store._bucket._patience = 1
        store.write({"a": b"1"})
        if what == "stopped":
            buckets.stop()
        else:
            buckets.misbehave(what, 1000)
        try:
            with pytest.raises(ff.StoreError) as told:
                store.write({"values/d/x": b"2", "a": b"2"})
        finally:
            if what == "stopped":
                buckets.start()
        assert store.url in str(told.value)
        assert "values/d/records" in str(told.value)
        assert "do the same again" in str(told.value)
        buckets.misbehave("nothing", 0)
        assert store.read("a") == b"1"
        store.write({"values/d/x": b"2", "a": b"2"})
        assert (store.read("values/d/x"), store.read("a")) == (b"2", b"2")

    def test_an_object_that_is_always_cut_off_is_told(self, store, buckets, tmp_path):
        store.write({"values/d/x": b"2" * 1000})
        buckets.misbehave("cut", 1000, "GET")
        elsewhere = another(store, tmp_path)
        elsewhere._bucket._patience = 1
        with pytest.raises(ff.StoreError, match=r"values/d/records: .*do the same again"):
            elsewhere.read("values/d/x")
        buckets.misbehave("nothing", 0)
        assert elsewhere.read("values/d/x") == b"2" * 1000

    def test_a_server_that_comes_back_in_time_is_waited_for(self, store, buckets):
        store.write({"a": b"1"})
        store._patience = store._bucket._patience = 30
        buckets.stop()
        timer = threading.Timer(1, buckets.start)
        timer.start()
        store.write({"a": b"2"})
        timer.join()
        assert store.read("a") == b"2"

    def test_no_bucket_is_told(self, buckets, tmp_path):
        for do in (lambda s: s.read("a"), lambda s: s.write({"a": b"1"}), lambda s: list(s.keys())):
            with pytest.raises(ff.StoreError, match=r"s3://nowhere/x: there is no such bucket"):
                do(ff.ObjectStore("s3://nowhere/x", cache=tmp_path))

    def test_an_object_that_was_changed_is_told(self, store, buckets, tmp_path):
        store.write({"values/d/x": b"right"})
        data, version = store._bucket.get("values/d/records")
        store._bucket.put("values/d/records", data.replace(b"right", b"wrong"), version)
        with pytest.raises(ff.CorruptRecord, match="values/d/records is not what was written"):
            another(store, tmp_path).read("values/d/x")

    def test_a_part_of_the_journal_that_is_gone_is_told(self, store, tmp_path):
        for number in range(3):
            store.write({"a": b"%d" % number})
        store._bucket.delete([next(iter(store._bucket.names("journal")))])
        with pytest.raises(ff.StoreError, match="has lost journal/000000000001"):
            another(store, tmp_path).read("a")

    def test_a_newer_format_is_refused_by_name(self, store, tmp_path):
        store._bucket.put("format", b"featureflow 2\nabc\n", None)
        with pytest.raises(ff.FormatError, match=r"format 2.*upgrade zounds"):
            store.read("a")

    @pytest.mark.parametrize(
        "url", ["", "s3://", "bucket", "/tmp/x", "file:///tmp/x", "http://a/b"]
    )
    def test_what_is_no_bucket_is_refused(self, url):
        with pytest.raises(ff.InvalidParameter, match="is no place for objects"):
            ff.ObjectStore(url)

    @pytest.mark.parametrize("patience", [0, -1, float("nan")])
    def test_patience_is_above_zero(self, patience):
        with pytest.raises(ff.InvalidParameter, match="patience"):
            ff.ObjectStore("s3://bucket/x", patience=patience)


WRITER = """
import sys, featureflow as ff
url, cache, name = sys.argv[1:]
store = ff.ObjectStore(url, cache=cache)
sys.stdin.readline()
for number in range(15):
    place = f"values/d{number}/t/f/p/"
    store.write({
        f"{place}header": name.encode(), f"{place}{name}/0": name.encode() * 1000,
        f"documents/d{number}/entry": name.encode(), f"by/{name}/{number}": b"",
    })
"""


class TestSeveral:
    def test_two_writers_of_the_same_documents_mix_nothing(self, store, tmp_path):
        store.write({"a": b"1"})
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, store.url, str(tmp_path / name), name],
                stdin=subprocess.PIPE,
                text=True,
            )
            for name in ("one", "two")
        ]
        for writer in writers:
            writer.stdin.write("\n")
            writer.stdin.close()
        assert [writer.wait() for writer in writers] == [0, 0]
        found = another(store, tmp_path)
        for number in range(15):
            place = f"values/d{number}/t/f/p/"
            assert found.read(f"{place}header") in (b"one", b"two")
            assert found.read(f"documents/d{number}/entry") in (b"one", b"two")
            for name in ("one", "two"):
                assert found.read(f"{place}{name}/0") == name.encode() * 1000
                assert f"by/{name}/{number}" in found

    def test_what_another_machine_writes_is_seen(self, store, tmp_path):
        elsewhere = another(store, tmp_path)
        store.write({"a": b"1", "values/d/x": b"1"})
        assert (elsewhere.read("a"), elsewhere.read("values/d/x")) == (b"1", b"1")
        elsewhere.write({"a": b"2", "values/d/x": b"2"})
        store._known = type(store._known)()  # a second has passed
        store._journal._looked = 0.0
        assert (store.read("a"), store.read("values/d/x")) == (b"2", b"2")
        assert elsewhere.delete("a", "values/d/") == 2
        store._known = type(store._known)()
        store._journal._looked = 0.0
        assert list(store.keys()) == []

    def test_who_knows_an_old_version_only_loses_nothing_of_the_new_one(self, store, tmp_path):
        elsewhere = another(store, tmp_path)
        store.write({"values/d/x": b"1"})
        elsewhere.write({"values/d/y": b"2"})
        store.write({"values/d/z": b"3"})
        assert elsewhere.delete("values/d/y") == 1
        found = another(store, tmp_path)
        assert {key: found.read(key) for key in found.keys()} == {
            "values/d/x": b"1",
            "values/d/z": b"3",
        }

    def test_a_place_that_was_emptied_is_a_new_store(self, store, tmp_path):
        store.write({"a": b"1"})
        names = [name for folder in ("journal",) for name in store._bucket.names(folder)]
        store._bucket.delete([*names, "format"])
        again = ff.ObjectStore(store.url, cache=tmp_path / "cache")
        assert list(again.keys()) == []
        again.write({"b": b"2"})
        assert list(again.keys()) == ["b"]

    def test_it_pickles_by_its_place(self, store):
        store.write({"a": b"1"})
        assert pickle.loads(pickle.dumps(store)).read("a") == b"1"

    def test_an_empty_cache_costs_nothing_but_time(self, store, tmp_path):
        store.write({"a": b"1", "b": b"1"})
        store.delete("b")
        assert list(another(store, tmp_path).keys()) == ["a"]


def test_without_obstore_the_remedy_is_told(tmp_path):
    code = (
        "import sys; sys.modules['obstore'] = sys.modules['obstore.store'] = None\n"
        "import featureflow as ff\n"
        "try: ff.ObjectStore('s3://bucket/x', cache=sys.argv[1]).read('a')\n"
        "except ff.StoreError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert "s3://bucket/x needs obstore" in done.stdout, done.stderr
    assert "pip install 'zounds[cluster]'" in done.stdout
