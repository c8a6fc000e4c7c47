import threading

import numpy as np
import pytest

import featureflow as ff
from featureflow import upkeep
from featureflow.document import Document, Writer

IDS = ["plain", "a/b", "a", "küche & co", "~", "x" * 5000, "ü" * 5000, "50%25", "\udcff"]


def short(_id):
    return ascii(_id)[:12]


class Parts(ff.NumpyFeature):
    """Has a record for each chunk, however small."""

    gathered = 0


class Chunks:
    """Makes a chunk of every four bytes, too large to be held in a header."""

    revision = 1

    def stream(self):
        return self

    def step(self, source):
        content = source.read()
        for start in range(0, len(content), 4):
            yield np.tile(np.frombuffer(content[start : start + 4], np.uint8), 2000)

    def flush(self):
        return ()


class Scaled:
    def __init__(self, revision):
        self.revision = revision

    def __call__(self, chunk):
        return chunk * self.revision


def declared(store, revision=1):
    """meta -> parts -> scaled, all stored."""

    class Sound(ff.BaseModel):
        database = store
        meta = ff.SourceFeature()
        parts = Parts(Chunks, needs=meta, store=True)
        scaled = Parts(Scaled, needs=parts, store=True, revision=revision)

    return Sound


@pytest.fixture(params=["memory", "lmdb"])
def make(request, tmp_path):
    """Make a store; those of one name are one on disk."""
    memory = request.param == "memory"
    return lambda name: ff.InMemoryDatabase() if memory else ff.LmdbDatabase(tmp_path / name)


@pytest.fixture
def store(make):
    return make("store")


@pytest.fixture
def sound(store):
    Sound = declared(store)
    for i, _id in enumerate(IDS):
        assert Sound.process(_id, meta=bytes([i]) * 10) == _id
    return Sound


def everything(store):
    return {key: store.read(key) for key in store.keys()}


def place_of(sound, _id, feature):
    """What the keys of a value start with."""
    document = Document(sound.database, _id)
    return document.value(document.entry()["token"], feature, sound._fingerprint(feature))


def record_of(sound, _id, feature, number):
    value = place_of(sound, _id, feature)
    run = Document(sound.database, _id).header(value)["run"]
    return value.record(run, number)


def flip(store, key, at=-1):
    record = bytearray(store.read(key))
    record[at] ^= 1
    store.write({key: bytes(record)})


def anything(feature, fingerprint):
    return True


def of(sound):
    """What a model still reads."""
    present = {(name, sound._fingerprint(name)) for name in sound.features}
    return lambda feature, fingerprint: (feature, fingerprint) in present


# ---------------------------------------------------------------------- verify


def test_a_whole_store_has_no_problems(sound, store):
    assert list(upkeep.verify(store)) == []


def test_an_empty_store_has_no_problems(store):
    assert list(upkeep.verify(store)) == []


@pytest.mark.parametrize("_id", IDS, ids=short)
@pytest.mark.parametrize("what", ["header", "record"])
def test_a_flipped_byte_in_a_value_is_found_and_named(sound, store, _id, what):
    value = place_of(sound, _id, "parts")
    key = value.header if what == "header" else record_of(sound, _id, "parts", 1)
    flip(store, key)
    (problem,) = upkeep.verify(store)
    assert (problem.id, problem.key) == (_id, key)
    assert key in problem.message
    assert "process it again" in problem.message


def test_a_missing_record_is_found(sound, store):
    key = record_of(sound, "a", "parts", 2)
    store.delete(key)
    (problem,) = upkeep.verify(store)
    assert (problem.id, problem.key) == ("a", key)


@pytest.mark.parametrize("_id", ["plain", "a/b", "küche & co", "50%25"])
def test_a_damaged_entry_is_found_under_its_id(sound, store, _id):
    key = Document(store, _id).entry_key
    flip(store, key)
    (problem,) = upkeep.verify(store)
    assert (problem.id, problem.key) == (_id, key)


@pytest.mark.parametrize("_id", ["x" * 5000, "ü" * 5000], ids=short)
def test_of_a_long_id_with_a_damaged_entry_there_is_what_the_key_has(sound, store, _id):
    key = Document(store, _id).entry_key
    flip(store, key)
    (problem,) = upkeep.verify(store)
    assert (problem.id, problem.key) == (key.split("/")[1], key)


def test_an_entry_of_an_unknown_type_is_found(store, monkeypatch):
    monkeypatch.setattr("featureflow.codec._registered", {})
    monkeypatch.setattr("featureflow.codec._names", {})

    @ff.storable("test.Root")
    class Root:
        def __to_state__(self):
            return {}

        @classmethod
        def __from_state__(cls, state):
            return cls()

    document = Document(store, "a")
    entry = {"id": "a", "name": "a", "token": "t", "roots": {"meta": Root()}}
    Writer(document).commit(entry)
    assert list(upkeep.verify(store)) == []
    monkeypatch.setattr("featureflow.codec._registered", {})
    (problem,) = upkeep.verify(store)
    assert (problem.id, problem.key) == ("a", document.entry_key)
    assert "test.Root" in problem.message


def test_all_that_is_damaged_is_found_each_value_once(sound, store):
    damaged = [
        Document(store, "plain").entry_key,
        place_of(sound, "a", "parts").header,
        record_of(sound, "a", "scaled", 0),
        record_of(sound, "plain", "parts", 0),
        place_of(sound, "~", "meta").header,
    ]
    also = record_of(sound, "a", "scaled", 2)
    for key in [*damaged, also]:
        flip(store, key)
    problems = list(upkeep.verify(store))
    assert sorted(problem.key for problem in problems) == sorted(damaged)
    assert [problem.id for problem in problems] == ["plain", "a", "a", "plain", "~"]


def test_what_no_entry_leads_to_is_no_damage(sound, store):
    orphan = record_of(sound, "a", "parts", 0)
    store.delete(Document(store, "a").entry_key)
    before = place_of(sound, "plain", "parts")
    older = record_of(sound, "plain", "parts", 0)
    left = everything(store)
    sound.process("plain", meta=b"other content")
    store.write({key: record for key, record in left.items() if key.startswith(before.place)})
    spilled = place_of(sound, "~", "parts").record("0123456789abcdef", 0)
    store.write({spilled: b"of a killed writer", "values/stray": b"", "values/~/x/y": b""})
    for key in (orphan, older):
        flip(store, key)
    assert list(upkeep.verify(store)) == []


def test_an_entry_under_the_key_of_another_is_found(sound, store):
    key = Document(store, "a").entry_key
    other = key.replace("/a/", "/c/")
    store.write({other: store.read(key)})
    (problem,) = upkeep.verify(store)
    assert (problem.id, problem.key) == ("c", other)


@pytest.mark.parametrize("what", ["header", "record", "entry"])
def test_what_is_damaged_is_discarded_and_computed_again(sound, store, what):
    whole = everything(store)
    value = place_of(sound, "a", "parts")
    places = {
        "header": value.header,
        "record": record_of(sound, "a", "parts", 1),
        "entry": Document(store, "a").entry_key,
    }
    flip(store, places[what])
    (problem,) = upkeep.verify(store)
    upkeep.discard(store, problem)
    gone = places[what] if what == "entry" else value.place
    assert everything(store) == {k: r for k, r in whole.items() if not k.startswith(gone)}
    sound.process("a", meta=bytes([IDS.index("a")]) * 10)
    assert list(sound("a").parts) == [IDS.index("a")] * 10
    assert list(upkeep.verify(store)) == []


# ---------------------------------------------------------------------- while others write


class Meddled(ff.InMemoryDatabase):
    """A store in which something happens at the moment when a key is first read."""

    def __init__(self):
        super().__init__()
        self.at = {}

    def read(self, key):
        self.at.pop(key, lambda: None)()
        return super().read(key)


@pytest.fixture
def meddled():
    Sound = declared(Meddled())
    Sound.process("a", meta=b"0123456789")
    return Sound


def replace(sound, _id, feature):
    value = place_of(sound, _id, feature)
    writer = Writer(Document(sound.database, _id))
    writer.begin(value, replace=True)
    writer.add(sound.features[feature], value, np.zeros(1000))
    writer.add(sound.features[feature], value, np.ones(1000))
    writer.commit()


@pytest.mark.parametrize("at", ["entry", "header", "first record", "last record"])
def test_what_is_deleted_meanwhile_is_no_problem(meddled, at):
    store = meddled.database
    key = {
        "entry": Document(store, "a").entry_key,
        "header": place_of(meddled, "a", "parts").header,
        "first record": record_of(meddled, "a", "parts", 0),
        "last record": record_of(meddled, "a", "parts", 2),
    }[at]
    store.at[key] = lambda: meddled.delete("a")
    assert list(upkeep.verify(store)) == []
    assert store.at == {}
    assert list(store.keys()) == []


def test_what_is_replaced_meanwhile_is_no_problem(meddled):
    store, before = meddled.database, record_of(meddled, "a", "parts", 1)
    store.at[before] = lambda: replace(meddled, "a", "parts")
    assert list(upkeep.verify(store)) == []
    assert before not in store


def test_what_is_replaced_meanwhile_is_looked_at_again(meddled):
    store = meddled.database

    def meddle():
        replace(meddled, "a", "parts")
        flip(store, record_of(meddled, "a", "parts", 1))

    store.at[record_of(meddled, "a", "parts", 0)] = meddle
    (problem,) = upkeep.verify(store)
    assert problem.key == record_of(meddled, "a", "parts", 1)


def test_a_store_can_be_verified_while_others_write(sound, store):
    stop, failures = threading.Event(), []

    def write():
        i = 0
        while not stop.is_set():
            i += 1
            try:
                sound.process("plain", meta=b"%d" % i * 20)
                sound.process("other", meta=b"%d" % i)
                sound.delete("other")
            except Exception as error:
                failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        problems = [problem for _ in range(20) for problem in upkeep.verify(store)]
    finally:
        stop.set()
        thread.join()
    assert (problems, failures) == ([], [])


# ---------------------------------------------------------------------- copy


def test_a_store_is_copied_to_the_byte(sound, store, make):
    store.write({"about": b"this store", "zzz/other": b"1", "values": b"", "documents": b""})
    target = make("target")
    copied = upkeep.copy(store, target, anything)
    all_of_it = everything(store)
    assert everything(target) == all_of_it
    assert copied == upkeep.Copied(
        documents=len(IDS),
        values=3 * len(IDS),
        bytes=sum(len(key) + len(record) for key, record in all_of_it.items()),
        left=0,
        damaged=0,
    )


def test_the_copy_is_as_good_as_the_original(sound, store, make):
    target = make("target")
    upkeep.copy(store, target, of(sound))
    Copy = declared(target)
    assert {document._id for document in Copy} == set(IDS)
    for _id in IDS:
        np.testing.assert_array_equal(Copy(_id).scaled, sound(_id).scaled)
        assert Copy(_id).meta.read() == sound(_id).meta.read()
    assert list(upkeep.verify(target)) == []


def test_what_another_revision_has_computed_is_left_behind(sound, store, make):
    Newer = declared(store, revision=2)
    for _id in IDS[:4]:
        np.testing.assert_array_equal(Newer(_id).scaled, sound(_id).scaled * 2)
    target = make("target")
    copied = upkeep.copy(store, target, of(Newer))
    assert copied.values == 2 * len(IDS) + 4
    assert copied.left == 4 * len(IDS)  # a header and three chunks
    stale, present = (place_of(model, "a", "scaled").header for model in (sound, Newer))
    assert stale not in target
    assert present in target
    assert list(upkeep.verify(target)) == []


def test_what_no_entry_leads_to_is_left_behind(sound, store, make):
    wanted = everything(store)
    orphaned = place_of(sound, "a", "parts").place.split("/")[1]
    store.delete(Document(store, "a").entry_key)
    older = place_of(sound, "plain", "parts").place
    sound.process("plain", meta=b"other content")
    store.write({key: record for key, record in wanted.items() if key.startswith(older)})
    spilled = place_of(sound, "~", "parts").record("0123456789abcdef", 0)
    half = place_of(sound, "~", "parts").place.replace("/parts/", "/never/") + "0123/00000000"
    strays = ["values/stray", "values/~/x/y", "values/~/"]
    store.write(dict.fromkeys([spilled, half, *strays], b"of a killed writer"))
    everywhere = everything(store)

    target = make("target")
    copied = upkeep.copy(store, target, anything)
    found = everything(target)
    gone = everywhere.keys() - found.keys()
    assert found == {key: record for key, record in everywhere.items() if key not in gone}
    assert gone == {
        key
        for key in everywhere
        if key.startswith((f"values/{orphaned}/", older)) or key in (spilled, half, *strays)
    }
    assert copied.left == len(gone)
    assert (copied.documents, copied.values) == (len(IDS) - 1, 3 * (len(IDS) - 1))
    assert copied.damaged == 0
    np.testing.assert_array_equal(declared(target)("~").parts, sound("~").parts)


@pytest.mark.parametrize("what", ["header", "first record", "last record", "missing record"])
def test_a_damaged_value_is_left_behind_and_nothing_else(sound, store, make, what):
    value = place_of(sound, "a", "parts")
    whole = {key: r for key, r in everything(store).items() if not key.startswith(value.place)}
    if what == "header":
        flip(store, value.header)
    elif what == "missing record":
        store.delete(record_of(sound, "a", "parts", 2))
    else:
        flip(store, record_of(sound, "a", "parts", 0 if what == "first record" else 2))
    target = make("target")
    copied = upkeep.copy(store, target, anything)
    assert everything(target) == whole
    assert (copied.damaged, copied.values) == (1, 3 * len(IDS) - 1)
    assert copied.left == len(everything(store)) - len(whole)
    assert copied.bytes == sum(len(key) + len(record) for key, record in whole.items())
    np.testing.assert_array_equal(declared(target)("a").parts, [2] * 20000)  # is computed again


def test_a_damaged_value_beyond_a_write_is_left_behind_too(store, make):
    Sound = declared(store)
    Sound.process("big", meta=b"1")
    value = place_of(Sound, "big", "parts")
    writer = Writer(Document(store, "big"))
    writer.begin(value, replace=True)
    for _ in range(5):
        writer.add(Sound.features["parts"], value, np.zeros(3 << 20, np.uint8))
    writer.commit()
    flip(store, record_of(Sound, "big", "parts", 4))
    target = make("target")
    assert upkeep.copy(store, target, anything).damaged == 1
    assert list(target.keys(value.place)) == []
    assert list(upkeep.verify(target)) == []


def test_damage_to_what_is_not_wanted_is_not_counted(sound, store, make):
    flip(store, record_of(sound, "a", "scaled", 0))
    copied = upkeep.copy(store, make("target"), of(declared(store, revision=2)))
    assert (copied.damaged, copied.values) == (0, 2 * len(IDS))


@pytest.mark.parametrize("_id", ["a/b", "x" * 5000], ids=short)
def test_of_a_document_with_a_damaged_entry_everything_wanted_is_kept(sound, store, make, _id):
    key = Document(store, _id).entry_key
    parts = place_of(sound, _id, "parts").header
    flip(store, record_of(sound, _id, "scaled", 0))
    flip(store, key)
    target = make("target")
    copied = upkeep.copy(store, target, of(sound))
    assert (copied.documents, copied.damaged) == (len(IDS), 1)
    assert target.read(key) == store.read(key)
    assert [problem.key for problem in upkeep.verify(target)] == [key]
    Copy = declared(target)
    Copy.process(_id, meta=bytes([IDS.index(_id)]) * 10)
    assert target.read(parts) == store.read(parts)  # not computed again
    assert list(upkeep.verify(target)) == []
    assert list(Copy(_id).scaled) == [IDS.index(_id)] * 20000


def test_a_document_without_stored_features_is_copied(store, make):
    class Bare(ff.BaseModel):
        database = store
        meta = ff.SourceFeature(store=False)

    Bare.process("a", meta=b"1")
    target = make("target")
    assert list(upkeep.verify(store)) == []
    copied = upkeep.copy(store, target, anything)
    assert (copied.documents, copied.values) == (1, 0)
    assert everything(target) == everything(store)


def test_a_value_without_chunks_is_copied(store, make):
    Sound = declared(store)
    Sound.process("a", meta=b"")
    assert list(upkeep.verify(store)) == []
    target = make("target")
    assert upkeep.copy(store, target, anything).values == 3
    assert everything(target) == everything(store)


def test_names_that_are_not_ascii_are_handed_on_as_they_are(store, make):
    class Sound(ff.BaseModel):
        database = store
        größe = ff.SourceFeature()

    Sound.process("a", größe=b"1")
    asked = []
    upkeep.copy(store, make("target"), lambda *names: asked.append(names))
    assert asked == [("größe", Sound._fingerprint("größe"))]


def test_a_store_that_is_not_empty_is_no_target(sound, store, make):
    with pytest.raises(ff.InvalidParameter, match="is not empty: copy to a new store"):
        upkeep.copy(store, store, anything)
    target = make("target")
    target.write({"a": b"1"})
    with pytest.raises(ff.InvalidParameter, match="is not empty"):
        upkeep.copy(store, target, anything)
    assert everything(target) == {"a": b"1"}


class Written(ff.InMemoryDatabase):
    """A store that remembers the sizes of its writes, and their keys."""

    def __init__(self):
        super().__init__()
        self.sizes, self.in_order = [], []

    def write(self, records):
        self.sizes.append(sum(map(len, records.values())))
        self.in_order += records
        super().write(records)


def test_a_copy_is_written_in_order_and_in_few_writes(sound, store):
    store.write({f"other/{i:03d}": bytes(1 << 20) for i in range(20)})
    target = Written()
    upkeep.copy(store, target, anything)
    assert target.in_order == sorted(target.in_order)
    assert len(target.sizes) == 3
    assert max(target.sizes) < 10 << 20
