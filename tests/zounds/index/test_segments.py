"""An index on disk, from the outside: what is put in, taken out, found, and what damage does."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import featureflow as ff
from zounds import SampleRate, SearchError, TimeSlice
from zounds.index.segment import Coded
from zounds.index.segments import Segments

RATE = SampleRate(Fraction(7, 10), Fraction(8, 10))
BITS = 128


def coded(_id, rows, seed=0, bits=BITS, token="first"):
    random = np.random.default_rng([seed, *_id.encode("utf-8", "surrogatepass")])
    packed = random.integers(0, 256, (rows, bits // 8), np.uint8)
    packed &= random.integers(0, 256, packed.shape, np.uint8)
    packed[: rows // 2] = 0b0101  # plenty of ties
    return Coded(_id, f"{_id}.wav", token, RATE, packed)


def filled(folder, *documents, bits=BITS):
    index = Segments(folder)
    with index.changing() as writer:
        writer.replace("fingerprint", bits, documents)
    return index


def change(index, add=(), remove=()):
    with index.changing() as writer:
        writer.change(add, remove)


def oracle(documents, query, k, per_document=None):
    """Distance, document, time: sorted by the plain words of that."""
    hits = []
    for _id, document in documents.items():
        distances = np.bitwise_count(document.packed ^ query).sum(axis=1)
        hits += [(int(distance), _id, row) for row, distance in enumerate(distances)]
    hits.sort()
    if per_document is not None:
        seen = {}
        kept = []
        for hit in hits:
            seen[hit[1]] = seen.get(hit[1], 0) + 1
            if seen[hit[1]] <= per_document:
                kept.append(hit)
        hits = kept
    return hits[:k]


def plain(hits):
    return [(hit.distance, hit._id, int(hit.time.start / RATE.frequency)) for hit in hits]


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


QUERY = np.full(BITS // 8, 0b0111, np.uint8)


# ---------------------------------------------------------------------------- histories


class Histories(RuleBasedStateMachine):
    """Whatever was added, changed and removed, results are those of one index of what is left."""

    @initialize()
    def begin(self):
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.documents = {"0": coded("0", 3)}
        self.index = filled(Path(self.folder.name), *self.documents.values())
        self.reader = Segments(Path(self.folder.name))

    def teardown(self):
        self.folder.cleanup()

    @rule(
        adds=st.dictionaries(st.sampled_from("0123456789äa/"), st.integers(0, 40), max_size=5),
        removes=st.sets(st.sampled_from("0123456789x"), max_size=3),
        seed=st.integers(0, 3),
    )
    def change(self, adds, removes, seed):
        removes -= adds.keys()
        added = {_id: coded(_id, rows, seed) for _id, rows in adds.items()}
        change(self.index, added.values(), removes)
        self.documents = {
            _id: document for _id, document in self.documents.items() if _id not in removes
        } | added

    @rule()
    def compact(self):
        with self.index.changing() as writer:
            writer.compact()
        assert len(list(Path(self.folder.name).glob("*.segment"))) <= 1

    @invariant()
    def finds_what_is_left(self):
        if not hasattr(self, "reader"):
            return
        snapshot = self.reader.snapshot()
        assert snapshot.ids == sorted(self.documents)
        assert snapshot.documents == len(self.documents)
        assert len(snapshot) == sum(len(d.packed) for d in self.documents.values())
        for k in (1, 7, 1000):
            (found,) = snapshot.search(QUERY[None], k)
            assert plain(found) == oracle(self.documents, QUERY, k)
        (found,) = snapshot.search(QUERY[None], 5, per_document=1)
        assert plain(found) == oracle(self.documents, QUERY, 5, per_document=1)


TestHistories = Histories.TestCase
TestHistories.settings = settings(deadline=None, max_examples=25, stateful_step_count=12)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_filters_groups_and_batches_are_exact(data):
    import tempfile

    sizes = data.draw(st.lists(st.integers(0, 200), min_size=1, max_size=12))
    documents = {f"{n}": coded(f"{n}", size) for n, size in enumerate(sizes)}
    ids = st.sets(st.sampled_from([*documents, "none"]))
    only, without = data.draw(st.none() | ids), data.draw(ids)
    per_document = data.draw(st.none() | st.integers(1, 3))
    k = data.draw(st.integers(1, 300))
    queries = np.random.default_rng(k).integers(0, 256, (3, BITS // 8), np.uint8)
    left = {
        _id: document
        for _id, document in documents.items()
        if _id not in without and (only is None or _id in only)
    }
    with tempfile.TemporaryDirectory() as folder:
        first, *later = documents.values()
        index = filled(Path(folder), first)
        for start in range(0, len(later), 5):
            change(index, later[start : start + 5])
        snapshot = index.snapshot()
        found = snapshot.search(queries, k, only, without, per_document, threads=2)
        best = snapshot.ranked(queries, only, without, per_document)
        assert [plain(hits) for hits in found] == [
            oracle(left, query, k, per_document) for query in queries
        ]
        assert plain(best) == of_any(left, queries, per_document)


def of_any(documents, queries, per_document):
    """What is near to any of some queries."""
    nearest = {}
    for query in queries:
        for distance, *place in oracle(documents, query, 10**6):
            nearest[tuple(place)] = min(distance, nearest.get(tuple(place), 999))
    taken, kept = {}, []
    for distance, (_id, row) in sorted((distance, place) for place, distance in nearest.items()):
        taken[_id] = taken.get(_id, 0) + 1
        if per_document is None or taken[_id] <= per_document:
            kept.append((distance, _id, row))
    return kept


def test_a_hit_has_its_time_and_name(tmp_path):
    hit = filled(tmp_path, coded("a", 9)).snapshot().search(coded("a", 9).packed[7:8], 1)[0][0]
    assert (hit.distance, hit._id, hit.name) == (0, "a", "a.wav")
    assert hit.time == TimeSlice(7 * RATE.frequency, RATE.duration)


@pytest.mark.parametrize("bits", [1, 12, 64, 256, 512])
def test_codes_of_any_length(tmp_path, bits):
    document = coded("a", 50, bits=-(-bits // 8) * 8)
    snapshot = filled(tmp_path, document, bits=bits).snapshot()
    assert snapshot.bits == bits
    (found,) = snapshot.search(document.packed[40:41], 50)
    assert plain(found) == oracle({"a": document}, document.packed[40], 50)
    assert snapshot.code(40).tobytes() == document.packed[40].tobytes()


def test_an_index_may_be_empty(tmp_path):
    index = filled(tmp_path, coded("a", 3))
    change(index, remove=["a"])
    snapshot = index.snapshot()
    assert (len(snapshot), snapshot.documents, snapshot.ids) == (0, 0, [])
    assert snapshot.search(QUERY[None], 3) == [[]]
    assert list(snapshot.ranked(QUERY[None])) == []
    change(index, [coded("b", 2)])
    assert index.snapshot().ids == ["b"]
    assert Segments(tmp_path / "other").snapshot() is None


def test_names_that_are_not_text_are_kept(tmp_path):
    document = coded("a", 2)
    odd = Coded("b\udcff", "\udcff\n.wav", "t", RATE, document.packed)
    index = filled(tmp_path, document, odd)
    assert index.snapshot().ids == ["a", "b\udcff"]
    assert index.snapshot().search(QUERY[None], 4)[0][-1].name == "\udcff\n.wav"


# ---------------------------------------------------------------------------- costs


def test_what_is_there_is_not_written_again(tmp_path):
    index = filled(tmp_path, *[coded(f"{n:04}", 20) for n in range(1000)])
    before = {path: path.stat().st_ino for path in tmp_path.glob("*.segment")}
    change(index, [coded("new", 20)], remove=["0007"])
    after = {path: path.stat().st_ino for path in tmp_path.glob("*.segment")}
    assert before.items() < after.items()
    assert sum(path.stat().st_size for path in after.keys() - before.keys()) < 5000


def test_many_small_additions_leave_few_segments(tmp_path):
    index = filled(tmp_path, coded("first", 5))
    for number in range(60):
        change(index, [coded(f"{number}", 5)])
        assert len(list(tmp_path.glob("*.segment"))) <= 12
    assert index.snapshot().documents == 61


def test_what_was_removed_does_not_stay_for_ever(tmp_path):
    index = filled(tmp_path, *[coded(f"{n}", 100) for n in range(50)])
    before = the_segment(tmp_path).stat().st_size
    change(index, remove=[f"{n}" for n in range(30)])
    assert the_segment(tmp_path).stat().st_size < before / 2
    assert index.snapshot().documents == 20


# ---------------------------------------------------------------------------- many at a time


def python(program, *arguments, **kwargs):
    head = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    head += "from test_segments import *\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        **kwargs,
    )


READER = """
index = Segments(Path(sys.argv[1]))
for line in sys.stdin:
    print(*index.snapshot().ids, flush=True)
"""


def test_a_reader_in_another_process_sees_each_generation(tmp_path):
    index = filled(tmp_path, coded("a", 3))
    with python(READER, tmp_path) as reader:

        def seen():
            reader.stdin.write("now\n")
            reader.stdin.flush()
            return reader.stdout.readline().split()

        assert seen() == ["a"]
        change(index, [coded("b", 3)])
        assert seen() == ["a", "b"]
        change(index, remove=["a"])
        assert seen() == ["b"]
        with index.changing() as writer:
            writer.compact()
        assert seen() == ["b"]
        reader.stdin.close()
        assert reader.wait() == 0


def test_a_snapshot_stays_as_it_was(tmp_path):
    index = filled(tmp_path, coded("a", 30))
    snapshot = index.snapshot()
    before = snapshot.search(QUERY[None], 30)
    with index.changing() as writer:
        writer.replace("other", BITS, [coded("b", 3)])
    assert snapshot.search(QUERY[None], 30) == before
    assert index.snapshot().ids == ["b"]


def test_searches_during_changes_find_one_generation_or_the_next(tmp_path):
    index = filled(tmp_path, *[coded(f"{n}", 50) for n in range(20)])
    stop, wrong = threading.Event(), []

    def search():
        reader = Segments(tmp_path)
        while not stop.is_set():
            snapshot = reader.snapshot()
            numbers = {int(_id) for _id in snapshot.ids}
            first = min(numbers)
            if numbers != set(range(first, first + 20)):
                wrong.append(numbers)
            if len(snapshot.search(QUERY[None], 10**4)[0]) != 1000:
                wrong.append("codes are missing")

    readers = [threading.Thread(target=search) for _ in range(2)]
    for reader in readers:
        reader.start()
    for n in range(20, 60):
        change(index, [coded(f"{n}", 50)], remove=[f"{n - 20}"])
        if n % 7 == 0:
            with index.changing() as writer:
                writer.compact()
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_two_writers_at_once_are_refused(tmp_path):
    index = filled(tmp_path, coded("a", 3))
    holding = "with Segments(Path(sys.argv[1])).changing(): print('now', flush=True); input()"
    with python(holding, tmp_path) as other:
        assert other.stdout.readline() == "now\n"
        with pytest.raises(SearchError, match="another process is changing the index in .*: wait"):
            change(index, [coded("b", 3)])
        assert index.snapshot().ids == ["a"]
        other.communicate("\n")
    change(index, [coded("b", 3)])
    assert index.snapshot().ids == ["a", "b"]


WRITER = """
import random
index = Segments(Path(sys.argv[1]))
start = int(sys.argv[2])
print("now", flush=True)
for n in range(start, start + 10**6):
    with index.changing() as writer:
        # each change adds one and removes one: there are 30 at any time
        writer.change([coded(f"{n}", 40)], [f"{n - 30}"])
        if n % 3 == 0:
            writer.compact()
        if n % 10 == 0:
            writer.replace("fingerprint", BITS, [coded(f"{m}", 40) for m in range(n - 29, n + 1)])
    print("now", flush=True)
"""


def test_a_writer_that_is_killed_at_any_moment_leaves_one_generation_or_the_next(tmp_path):
    random = np.random.default_rng(0)
    index = filled(tmp_path, *[coded(f"{n}", 40) for n in range(30)])
    seen = set()
    for _ in range(7):
        start = 1 + max(int(_id) for _id in index.snapshot().ids)
        with python(WRITER, tmp_path, start) as writer:
            for _ in range(random.integers(1, 12)):
                assert writer.stdout.readline() == "now\n"
            time.sleep(random.uniform(0, 0.02))
            writer.send_signal(signal.SIGKILL)
        snapshot = Segments(tmp_path).snapshot()
        snapshot.check()
        numbers = sorted(int(_id) for _id in snapshot.ids)
        assert numbers == list(range(numbers[0], numbers[0] + 30))
        documents = {f"{n}": coded(f"{n}", 40) for n in numbers}
        (found,) = snapshot.search(QUERY[None], 99)
        assert plain(found) == oracle(documents, QUERY, 99)
        seen.add(numbers[0])
    assert len(seen) > 3  # it did something meanwhile
    change(index, [coded("last", 1)])
    named = {entry["file"] for entry in manifest_of(tmp_path)["segments"]}
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", "lock", *named}


# ---------------------------------------------------------------------------- damage


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


def the_segment(folder):
    (path,) = folder.glob("*.segment")
    return path


@pytest.mark.parametrize("share", np.linspace(0, 1, 23)[:-1])
def test_a_flipped_bit_is_told_wherever_it_is(tmp_path, share):
    filled(tmp_path, *[coded(f"{n}", 3000) for n in range(12)])  # several chunks
    path = the_segment(tmp_path)
    flip(path, int(share * path.stat().st_size))
    with pytest.raises(ff.CorruptRecord, match=f"{path.name}.*: build the index again"):
        Segments(tmp_path).snapshot().check()
    # a search uses all codes, and what belongs to its hits: it fails, or is right
    documents = {f"{n}": coded(f"{n}", 3000) for n in range(12)}
    try:
        (found,) = Segments(tmp_path).snapshot().search(QUERY[None], 99)
    except ff.CorruptRecord:
        return
    assert plain(found) == oracle(documents, QUERY, 99)


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_segment_that_was_cut_is_told(tmp_path, length):
    filled(tmp_path, coded("a", 3000))
    path = the_segment(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ff.CorruptRecord, match=f"{path.name}.*: build the index again"):
        Segments(tmp_path).snapshot()


def test_a_segment_that_is_missing_is_told(tmp_path):
    filled(tmp_path, coded("a", 3))
    path = the_segment(tmp_path)
    path.unlink()
    with pytest.raises(ff.CorruptRecord, match=f"{path.name} cannot be read.*: build the index"):
        Segments(tmp_path).snapshot()


def test_a_segment_of_another_index_is_told(tmp_path):
    filled(tmp_path / "a", coded("a", 3))
    filled(tmp_path / "b", coded("b", 3))
    the_segment(tmp_path / "a").write_bytes(the_segment(tmp_path / "b").read_bytes())
    with pytest.raises(ff.CorruptRecord, match="is not what was written: build"):
        Segments(tmp_path / "a").snapshot()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b'{"format": 1}'])
def test_a_manifest_that_is_none_is_told(tmp_path, content):
    filled(tmp_path, coded("a", 3))
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ff.CorruptRecord, match=r"manifest\.json cannot be used.*build the index"):
        Segments(tmp_path).snapshot()
    with pytest.raises(ff.CorruptRecord, match=r"manifest\.json"):
        change(Segments(tmp_path), [coded("b", 3)])


def test_a_manifest_that_was_changed_is_told(tmp_path):
    filled(tmp_path, coded("a", 3))
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"removed": []', '"removed": [0]'))
    with pytest.raises(ff.CorruptRecord, match="not what was written"):
        Segments(tmp_path).snapshot()


def test_a_manifest_of_a_newer_version_is_refused_and_kept(tmp_path):
    index = filled(tmp_path, coded("a", 3))
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest_of(tmp_path) | {"format": 2}))
    newer = path.read_bytes()
    for use in (
        Segments(tmp_path).snapshot,
        lambda: change(index, [coded("b", 3)]),
        lambda: filled(tmp_path, coded("b", 3)),
    ):
        with pytest.raises(ff.FormatError, match=r"format 2, and .* reads format 1: upgrade"):
            use()
    assert path.read_bytes() == newer


def test_there_has_to_be_an_index_to_be_changed(tmp_path):
    with pytest.raises(SearchError, match="there is no index in .* yet: build one"):
        change(Segments(tmp_path), [coded("b", 3)])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SearchError, match="cannot be written to"):
        filled(tmp_path / "index", coded("a", 3))
