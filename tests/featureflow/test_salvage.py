"""What is read of a damaged file: everything that a whole page leads to, and never beyond."""

import os
import random
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import featureflow as ff
from featureflow.stores.salvage import Salvaged

# of all sizes: several to a page, and some with pages of their own
RECORDS = {
    f"{area}/{number:04d}": bytes([number % 251]) * (7 * number % 900 if number % 50 else 9000)
    for number in range(400)
    for area in ("a", "b", "long/" + "x" * 300)
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("salvage") / "store"
    store = ff.LmdbDatabase(path)
    store.write(RECORDS | {f"gone/{number}": bytes(3000) for number in range(300)})
    store.delete("gone/")
    store.write({"a/0001": RECORDS["a/0001"]})
    store.close()
    return path


@pytest.fixture
def file(path, tmp_path):
    """The file of a copy of the store."""
    (tmp_path / "store").mkdir()
    copy = tmp_path / "store" / "data.mdb"
    copy.write_bytes((path / "data.mdb").read_bytes())
    return copy


def found(store):
    return {key: store.read(key) for key in store.keys()}


def test_of_a_whole_file_it_reads_what_lmdb_does(path):
    salvaged = Salvaged(path)
    assert salvaged.problems == ()
    assert found(salvaged) == found(ff.LmdbDatabase(path)) == RECORDS
    assert list(salvaged.keys("b/")) == sorted(key for key in RECORDS if key.startswith("b/"))
    assert ("a/0001" in salvaged, "gone/1" in salvaged) == (True, False)
    with pytest.raises(KeyError):
        salvaged.read("gone/1")


def test_it_is_a_store_that_is_read_only(path):
    salvaged = Salvaged(path)
    assert isinstance(salvaged, ff.Store)
    for change in (lambda: salvaged.write({"a": b""}), lambda: salvaged.delete("a")):
        with pytest.raises(ff.StoreError, match="is read only"):
            change()
    salvaged.close()
    assert found(salvaged) == RECORDS


def test_an_empty_store_is_whole(tmp_path):
    store = ff.LmdbDatabase(tmp_path / "empty")
    assert list(store.keys()) == []
    assert (Salvaged(tmp_path / "empty").problems, found(Salvaged(tmp_path / "empty"))) == ((), {})


def test_a_store_that_grows_and_shrinks_is_whole_all_the_time(tmp_path):
    chance, store, kept = random.Random(0), ff.LmdbDatabase(tmp_path / "store"), {}
    for _ in range(60):
        for _ in range(chance.randrange(40)):
            kept[f"{chance.randrange(500):03d}"] = bytes(chance.randrange(10_000))
        store.write(kept)
        prefix = str(chance.randrange(10))
        store.delete(prefix)
        kept = {key: value for key, value in kept.items() if not key.startswith(prefix)}
        salvaged = Salvaged(tmp_path / "store")
        assert salvaged.problems == ()
        assert found(salvaged) == kept


def test_a_page_that_is_overwritten_costs_what_was_on_it(file):
    content = bytearray(file.read_bytes())
    key = b"b/0200"
    page = content.index(key) // 4096
    content[4096 * page : 4096 * page + 4096] = bytes(4096)
    file.write_bytes(content)
    salvaged = Salvaged(file.parent)
    assert salvaged.problems
    assert all("is damaged" in problem and "\n" not in problem for problem in salvaged.problems)
    left = found(salvaged)
    assert left.items() <= RECORDS.items()
    assert len(left) > len(RECORDS) - 60


def test_pages_that_nothing_leads_to_any_more_are_found(file):
    content = bytearray(file.read_bytes())
    for page in range(2, len(content) // 4096):
        if content[4096 * page + 10] == 1:  # those between the root and the records
            content[4096 * page + 12 : 4096 * page + 4096] = b"\xff" * 4084
    file.write_bytes(content)
    salvaged = Salvaged(file.parent)
    assert salvaged.problems
    assert found(salvaged) == RECORDS


@pytest.mark.parametrize("page", [0, 1])
def test_one_of_the_first_two_pages_is_enough(file, page):
    content = bytearray(file.read_bytes())
    content[4096 * page : 4096 * page + 200] = bytes(200)
    file.write_bytes(content)
    salvaged = Salvaged(file.parent)
    assert salvaged.problems
    assert found(salvaged).items() >= RECORDS.items()


@pytest.mark.parametrize("content", [b"", bytes(9000), b"not a database" * 999])
def test_of_what_is_no_store_at_all_there_is_nothing(file, content):
    file.write_bytes(content)
    assert Salvaged(file.parent).problems
    assert found(Salvaged(file.parent)) == {}


def test_a_file_that_is_cut_short_gives_what_is_left(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 3])
    salvaged = Salvaged(file.parent)
    assert salvaged.problems
    assert 0 < len(found(salvaged)) < len(RECORDS)


def test_a_store_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ff.StoreError, match="cannot be read"):
        Salvaged(tmp_path)


def test_a_newer_format_is_refused(tmp_path):
    store = ff.LmdbDatabase(tmp_path / "store")
    store.write({"format": b"featureflow 2"})
    store.close()
    with pytest.raises(ff.FormatError, match="format 2"):
        Salvaged(tmp_path / "store")


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=30))
def test_whatever_is_flipped_it_reads_no_other_keys_than_there_were(file, path, flips):
    content = bytearray((path / "data.mdb").read_bytes())
    for place, value in flips:
        content[min(int(place * len(content)), len(content) - 1)] = value
    file.write_bytes(content)
    try:
        salvaged = Salvaged(file.parent)
    except ff.FormatError:
        return
    left = found(salvaged)
    assert all("\n" not in problem for problem in salvaged.problems)
    if not salvaged.problems:
        assert len(left) == len(RECORDS)


def test_it_can_be_read_while_others_write(tmp_path):
    store, stop = ff.LmdbDatabase(tmp_path / "store"), threading.Event()
    store.write(RECORDS)

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            store.write({f"more/{number % 50}": os.urandom(5000)})
            store.delete(f"more/{number * 7 % 50}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        problems = [Salvaged(tmp_path / "store").problems for _ in range(30)]
    finally:
        stop.set()
        writer.join()
    assert set(problems) == {()}
