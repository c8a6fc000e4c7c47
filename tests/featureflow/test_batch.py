import pytest

import featureflow as ff
from featureflow.stores import Batch


class Counting(ff.InMemoryDatabase):
    """A store that remembers its writes, and fails when told to."""

    def __init__(self):
        super().__init__()
        self.writes, self.deletes, self.closed, self.full = [], [], 0, False

    def write(self, records):
        if self.full:
            raise ff.StoreError("the disk is full")
        self.writes.append(dict(records))
        super().write(records)

    def delete(self, *prefixes):
        self.deletes.append(prefixes)
        return super().delete(*prefixes)

    def close(self):
        self.closed += 1


@pytest.fixture
def store():
    return Counting()


def test_many_writes_become_one(store):
    batch = Batch(store)
    batch.write({"a": b"1"})
    batch.write({"b": b"2", "c": b""})
    assert store.writes == []
    batch.commit()
    assert store.writes == [{"a": b"1", "b": b"2", "c": b""}]
    batch.commit()  # with nothing to write
    assert len(store.writes) == 1


def test_what_is_collected_is_seen_over_what_the_store_holds(store):
    store.write({"a": b"old", "c": b"3"})
    batch = Batch(store)
    batch.write({"a": b"new", "b": b""})
    assert (batch.read("a"), batch.read("b"), batch.read("c")) == (b"new", b"", b"3")
    assert list(batch.keys()) == ["a", "b", "c"]
    assert "b" in batch
    assert "b" not in store
    assert store.read("a") == b"old"


def test_keys_that_are_committed_meanwhile_come_once(store):
    batch = Batch(store)
    batch.write({f"{i}": b"" for i in range(10)})
    seen = []
    for key in batch.keys():
        seen.append(key)
        batch.commit()
    assert seen == [f"{i}" for i in range(10)]


def test_the_write_that_goes_beyond_the_limit_commits_everything(store):
    batch = Batch(store, limit=20)
    batch.write({"a": bytes(9)})
    batch.write({"b": bytes(9)})  # 20 bytes, with the keys
    assert store.writes == []
    batch.write({"c": b""})
    assert [list(records) for records in store.writes] == [["a", "b", "c"]]
    batch.write({"d": bytes(19)})  # counts from nothing again
    assert len(store.writes) == 1


def test_writing_the_same_key_again_does_not_fill_it(store):
    batch = Batch(store, limit=20)
    for i in range(100):
        batch.write({"a": bytes([i]) * 10})
    assert store.writes == []
    assert batch.read("a") == bytes([99]) * 10


def test_deleting_commits_first_so_that_nothing_deleted_comes_back(store):
    batch = Batch(store)
    batch.write({"a/1": b"", "b": b"2"})
    assert batch.delete("a/") == 1
    assert (store.writes, store.deletes) == ([{"a/1": b"", "b": b"2"}], [("a/",)])
    batch.commit()
    assert list(store.keys()) == ["b"]


def test_what_is_abandoned_is_not_written(store):
    batch = Batch(store, limit=20)
    batch.write({"a": bytes(19)})
    batch.abandon()
    assert "a" not in batch
    batch.write({"b": bytes(19)})  # what was abandoned does not count
    assert store.writes == []
    batch.close()
    assert store.writes == [{"b": bytes(19)}]
    assert store.closed == 1


def test_a_commit_that_fails_loses_nothing(store):
    batch = Batch(store)
    batch.write({"a": b"1"})
    store.full = True
    for attempt in (batch.commit, batch.close, lambda: batch.delete("b")):
        with pytest.raises(ff.StoreError, match="full"):
            attempt()
    assert batch.read("a") == b"1"
    assert (store.deletes, store.closed) == ([], 0)
    store.full = False
    batch.close()
    assert store.writes == [{"a": b"1"}]


def test_a_write_that_fails_leaves_those_before_it(store):
    batch = Batch(store, limit=20)
    batch.write({"a": b"1"})
    store.full = True
    with pytest.raises(ff.StoreError, match="full"):
        batch.write({"a": b"2", "b": bytes(50)})
    with pytest.raises(ff.InvalidParameter, match="cannot be a key"):
        batch.write({"c": b"", "grün": b""})
    assert {key: batch.read(key) for key in batch.keys()} == {"a": b"1"}
    store.full = False
    batch.commit()
    assert store.writes == [{"a": b"1"}]


def test_keys_are_built_as_the_store_builds_them(store):
    assert Batch(store).key_builder is store.key_builder


def test_a_message_names_the_store_behind(tmp_path):
    store = ff.LmdbDatabase(tmp_path / "db")
    assert repr(Batch(store)) == f"Batch({store!r})"


def test_documents_are_processed_into_one_write(store):
    class Words(ff.BaseModel):
        database = Batch(store)
        text = ff.TextFeature(str.strip, store=True)
        words = ff.JSONFeature(str.split, needs=text, store=True)

    ids = [Words.process(text=f" the {i} ") for i in range(20)]
    assert store.writes == []
    assert [Words(_id).words for _id in ids] == [["the", f"{i}"] for i in range(20)]
    assert {document._id for document in Words} == set(ids)
    Words.database.commit()
    assert len(store.writes) == 1
    Words.database = store
    assert [Words(_id).words for _id in ids] == [["the", f"{i}"] for i in range(20)]
