import gc
import os
import weakref

import lmdb
import numpy as np
import pytest

import featureflow as ff


class Counter:
    """A node that counts how often it is called, and by whom it was made."""

    revision = 1

    def __init__(self, calls, name, function):
        self.calls, self.name, self.function = calls, name, function

    def __fingerprint__(self):
        return self.name

    def __call__(self, *args):
        self.calls.append(self.name)
        return self.function(*args)


class Chunks:
    revision = 1

    def stream(self):
        return self

    def step(self, source):
        content = source.read()
        for start in range(0, len(content), 4):
            yield np.frombuffer(content[start : start + 4], np.uint8)

    def flush(self):
        return ()


@pytest.fixture(params=["memory", "lmdb"])
def database(request, tmp_path):
    return ff.InMemoryDatabase() if request.param == "memory" else ff.LmdbDatabase(tmp_path / "db")


@pytest.fixture
def calls():
    return []


@pytest.fixture
def sound(database, calls):
    """A graph: meta (stored) -> raw -> double (stored) -> third; half needs raw."""

    class Settings(ff.PersistenceSettings):
        pass

    Settings.database = database

    class Sound(ff.BaseModel, Settings):
        meta = ff.SourceFeature()
        raw = ff.NumpyFeature(Chunks, needs=meta)
        double = ff.NumpyFeature(Counter(calls, "double", lambda x: x * 2), needs=raw, store=True)
        third = ff.NumpyFeature(Counter(calls, "third", lambda x: x + 1), needs=double)
        half = ff.NumpyFeature(Counter(calls, "half", lambda x: x // 2), needs=raw, store=True)

    return Sound


def test_processing_computes_and_stores_what_is_to_be_stored(sound, calls):
    document = sound(sound.process(meta=b"\1\2\3\4\5"))
    assert calls == ["double", "half", "double", "half"]  # two chunks
    np.testing.assert_array_equal(document.double, [2, 4, 6, 8, 10])
    np.testing.assert_array_equal(document.raw, [1, 2, 3, 4, 5])
    assert calls == ["double", "half", "double", "half"]  # was read, not computed


def test_what_is_not_stored_is_computed_from_the_nearest_stored(sound, calls):
    document = sound(sound.process(meta=b"\1\2"))
    calls.clear()
    np.testing.assert_array_equal(document.third, [3, 5])
    assert calls == ["third"]
    document.third
    assert calls == ["third"]  # remembered by this instance
    sound(document._id).third
    assert calls == ["third", "third"]


def test_a_derived_class_shares_what_is_stored_and_adds_lazily(sound, calls):
    _id = sound.process(meta=b"\1\2")
    calls.clear()

    class More(sound):
        square = ff.NumpyFeature(
            Counter(calls, "square", lambda x: x * x), needs=sound.double, store=True
        )
        root = ff.NumpyFeature(Counter(calls, "root", np.sqrt), needs=square)

    np.testing.assert_array_equal(More(_id).root, [2, 4])
    assert calls == ["square", "root"]
    More(_id).square
    assert calls == ["square", "root"]  # square was stored on the way


def test_overriding_a_feature_rewires_what_needs_it_and_leaves_the_old_values(sound, calls):
    _id = sound.process(meta=b"\1\2")

    class Tripled(sound):
        double = ff.NumpyFeature(
            Counter(calls, "triple", lambda x: x * 3), needs=sound.raw, store=True
        )

    np.testing.assert_array_equal(Tripled(_id).third, [4, 7])
    np.testing.assert_array_equal(sound(_id).third, [3, 5])
    np.testing.assert_array_equal(sound(_id).double, [2, 4])


def test_a_second_session_reads_what_the_first_has_stored(tmp_path, calls):
    def session():
        class Settings(ff.PersistenceSettings):
            database = ff.LmdbDatabase(tmp_path / "db")

        class Sound(ff.BaseModel, Settings):
            meta = ff.SourceFeature()
            raw = ff.NumpyFeature(Chunks, needs=meta)
            double = ff.NumpyFeature(
                Counter(calls, "double", lambda x: x * 2), needs=raw, store=True
            )

        return Sound

    _id = session().process(meta=b"\1\2")
    gc.collect()
    assert calls == ["double"]
    again = session()
    assert [document._id for document in again] == [_id]
    np.testing.assert_array_equal(again(_id).double, [2, 4])
    assert again.process(meta=b"\1\2") == _id
    assert calls == ["double"]


def test_adding_the_same_content_again_is_the_same_document_and_computes_nothing(
    sound, calls, tmp_path
):
    (tmp_path / "a").write_bytes(b"\1")
    _id = sound.process(meta=tmp_path / "a")
    calls.clear()
    assert sound.process(meta=tmp_path / "a") == _id
    assert calls == []
    assert len(list(sound)) == 1


def test_other_content_and_other_names_are_other_documents(sound, tmp_path):
    for name, content in (("a", b"\1"), ("b", b"\1"), ("c", b"\2")):
        (tmp_path / name).write_bytes(content)
    ids = {sound.process(meta=tmp_path / name) for name in "abc"}
    assert len(ids) == 3
    assert {document._name for document in sound} == {"a", "b", "c"}


def test_a_moved_file_that_is_added_again_is_found_in_its_new_place(sound, calls, tmp_path):
    (tmp_path / "a").write_bytes(b"\1")
    _id = sound.process(meta=tmp_path / "a")
    (tmp_path / "new").mkdir()
    (tmp_path / "a").rename(tmp_path / "new" / "a")
    with pytest.raises(ff.SourceNotFound):
        sound(_id).raw
    calls.clear()
    assert sound.process(meta=tmp_path / "new" / "a") == _id
    assert calls == []
    np.testing.assert_array_equal(sound(_id).raw, [1])


def test_an_id_of_ones_own_whose_content_changes_is_replaced_and_nothing_is_left(sound, database):
    sound.process(_id="mine", meta=b"\1")
    before = set(database.keys())
    sound.process(_id="mine", meta=b"\2\3")
    np.testing.assert_array_equal(sound("mine").double, [4, 6])
    assert len(set(database.keys())) == len(before)
    assert len(set(database.keys()) & before) == 1  # the entry


@pytest.mark.parametrize("_id", ["a/b", "ü" * 400, "documents", "..", "a\0b"])
def test_ids_may_be_any_text(sound, _id):
    assert sound.process(_id=_id, meta=b"\1") == _id
    sound.process(_id=_id + "x", meta=b"\2")
    assert {document._id for document in sound} == {_id, _id + "x"}
    sound.delete(_id)
    assert [document._id for document in sound] == [_id + "x"]
    np.testing.assert_array_equal(sound(_id + "x").double, [4])


@pytest.mark.parametrize("_id", ["", 5, b"a"])
def test_ids_are_text(sound, _id):
    for call in (lambda: sound(_id), lambda: sound.process(_id=_id, meta=b"")):
        with pytest.raises(ff.InvalidParameter, match="_id is"):
            call()


def test_iteration_gives_the_documents_that_have_the_roots_of_the_class(sound, database):
    class Settings(ff.PersistenceSettings):
        pass

    Settings.database = database

    class Text(ff.BaseModel, Settings):
        text = ff.TextFeature(str.upper, store=True)

    _id = sound.process(meta=b"\1")
    other = Text.process(text="a")
    assert [document._id for document in sound] == [_id]
    assert [document.text for document in Text] == ["A"]
    assert Text(other)._name == other


def test_exists_delete_and_random(sound, database):
    with pytest.raises(ff.DocumentNotFound, match="Sound has no documents"):
        sound.random()
    ids = {sound.process(meta=bytes([i])) for i in range(5)}
    assert {sound.random(seed)._id for seed in range(50)} == ids
    assert sound.random(3)._id == sound.random(3)._id
    gone = ids.pop()
    assert sound.exists(gone)
    sound.delete(gone)
    assert not sound.exists(gone)
    with pytest.raises(ff.DocumentNotFound):
        sound.delete(gone)
    for _id in ids:
        sound.delete(_id)
    assert list(database.keys()) == []


def test_a_failure_leaves_everything_as_it_was(sound, database, calls, monkeypatch):
    sound.process(_id="mine", meta=b"\1")
    before = {key: database.read(key) for key in database.keys()}

    class Failing(sound):
        worse = ff.NumpyFeature(lambda x: 1 / 0, needs=sound.half, store=True)

    monkeypatch.setattr("featureflow.document._SPILL", 10)  # written ahead, and taken back
    monkeypatch.setattr(ff.NumpyFeature, "gathered", 0)
    with pytest.raises(ff.NodeError, match="ZeroDivisionError") as caught:
        Failing.process(_id="mine", meta=bytes(100))
    assert any("'mine' of Failing" in note for note in caught.value.__notes__)
    assert {key: database.read(key) for key in database.keys()} == before


def test_long_documents_are_written_ahead_and_visible_only_when_complete(
    sound, database, monkeypatch
):
    monkeypatch.setattr("featureflow.document._SPILL", 10)
    monkeypatch.setattr("featureflow.document._HELD", 0)
    monkeypatch.setattr(ff.NumpyFeature, "gathered", 0)
    writes = []
    original = database.write

    def write(records):
        writes.append((len(records), sound.exists("long")))
        original(records)

    monkeypatch.setattr(database, "write", write)
    sound.process(_id="long", meta=bytes(range(100)))
    assert len(writes) > 10
    assert not any(visible for _, visible in writes)
    np.testing.assert_array_equal(sound("long").double, np.arange(100) * 2)


@pytest.mark.parametrize("shared", [0, 300, 1 << 16])
def test_chunks_that_share_a_record_stay_apart(sound, monkeypatch, shared):
    monkeypatch.setattr(ff.NumpyFeature, "gathered", shared)
    seen = []

    class Watch:
        revision = 1

        def __call__(self, chunk):
            seen.append(len(chunk))
            return chunk

    class Watching(sound):
        lengths = ff.NumpyFeature(Watch, needs=sound.double)

    document = Watching(Watching.process(meta=bytes(range(100))))
    np.testing.assert_array_equal(document.lengths, np.arange(100) * 2)
    computed = list(seen)
    seen.clear()
    np.testing.assert_array_equal(Watching(document._id).lengths, np.arange(100) * 2)
    assert seen == computed
    assert len(seen) > 10


def test_an_ordinary_document_is_one_write(sound, database, monkeypatch):
    writes = []
    original = database.write
    monkeypatch.setattr(database, "write", lambda records: (writes.append(1), original(records)))
    sound.process(meta=b"\1\2\3\4\5")
    assert len(writes) == 1


def test_content_that_is_nowhere_else_is_kept(sound, database):
    _id = sound.process(meta=b"\1\2\3")
    np.testing.assert_array_equal(sound(_id).raw, [1, 2, 3])


def test_content_of_files_is_kept_only_if_asked_for(database, tmp_path):
    def model(keep):
        class Sound(ff.BaseModel):
            meta = ff.SourceFeature(keep=keep)
            raw = ff.NumpyFeature(Chunks, needs=meta)

        Sound.database = database
        return Sound

    (tmp_path / "a").write_bytes(bytes(100))
    for keep in (False, True):
        _id = model(keep).process(meta=tmp_path / "a", _id=str(keep))
    (tmp_path / "a").unlink()
    assert len(model(True)("True").raw) == 100
    with pytest.raises(ff.SourceNotFound, match=r"put it back.*content kept"):
        model(False)("False").raw


# ---------------------------------------------------------------------------- what goes wrong


def test_an_unknown_id(sound):
    with pytest.raises(ff.DocumentNotFound, match="no document 'nope'.*process"):
        sound("nope").double


def test_no_id_where_there_are_many_documents(sound):
    with pytest.raises(ff.InvalidParameter, match=r"Sound\(\) needs the id"):
        sound()


def test_missing_and_unknown_roots(sound):
    with pytest.raises(ff.RootError, match=r"needs meta: call process\(meta=\.\.\.\)"):
        sound.process()
    with pytest.raises(ff.RootError, match=r"got mata=.*call process\(meta=\.\.\.\)"):
        sound.process(mata=b"")


def test_a_misspelt_feature_of_a_document(sound):
    document = sound(sound.process(meta=b"\1"))
    with pytest.raises(ff.UnknownFeature, match="did you mean 'double'"):
        document.duoble
    with pytest.raises(AttributeError):
        document._nothing


def test_features_cannot_be_set(sound):
    with pytest.raises(AttributeError, match="double is computed"):
        sound("x").double = 3


def test_a_misspelt_dependency_and_a_cycle_are_found_when_the_class_is_made(sound):
    with pytest.raises(ff.UnknownFeature, match=r"Wrong: new needs 'duoble'.*'double'"):

        class Wrong(sound):
            new = ff.NumpyFeature(np.negative, needs="duoble")

    with pytest.raises(ff.CyclicGraph, match="Circle: raw -> third -> double -> raw"):

        class Circle(sound):
            raw = ff.NumpyFeature(np.negative, needs="third")


def test_a_model_without_a_database_says_how_to_get_one():
    class Homeless(ff.BaseModel):
        text = ff.TextFeature(str.upper, store=True)

    for call in (lambda: Homeless.process(text="a"), lambda: list(Homeless)):
        with pytest.raises(ff.GraphError, match=r"Homeless has no database.*simple_settings"):
            call()


def test_a_root_that_was_not_stored_is_gone_and_said_so(database):
    class Learner(ff.BaseModel):
        docs = ff.Feature(ff.IteratorNode)
        total = ff.NumpyFeature(np.negative, needs=docs, store=True)
        copy = ff.NumpyFeature(np.positive, needs=docs)

    Learner.database = database
    _id = Learner.process(docs=iter([np.arange(3), np.arange(2)]))
    np.testing.assert_array_equal(Learner(_id).total, [0, -1, -2, 0, -1])
    with pytest.raises(ff.UnavailableError, match=r"copy.*docs was handed to Learner\.process"):
        Learner(_id).copy


def test_an_input_is_handed_to_its_root_once(database):
    class Learner(ff.BaseModel):
        docs = ff.Feature(ff.IteratorNode)
        a = ff.NumpyFeature(np.negative, needs=docs, store=True)
        b = ff.NumpyFeature(np.positive, needs=docs, store=True)

    Learner.database = database
    document = Learner(Learner.process(docs=(np.full(1, i) for i in range(4))))
    np.testing.assert_array_equal(document.a, [0, -1, -2, -3])
    np.testing.assert_array_equal(document.b, [0, 1, 2, 3])


def test_a_node_that_makes_another_type_than_its_feature(database):
    class Wrong(ff.BaseModel):
        text = ff.NumpyFeature(str.upper, store=True)

    Wrong.database = database
    with pytest.raises(ff.CodecError, match=r"text is a NumpyFeature.*made a str"):
        Wrong.process(text="a")


def test_a_feature_that_comes_out_empty(database):
    class Empty(ff.BaseModel):
        docs = ff.Feature(ff.IteratorNode)
        data = ff.NumpyFeature(np.negative, needs=docs, store=True)

    Empty.database = database
    document = Empty(Empty.process(docs=[]))
    with pytest.raises(ff.UnavailableError, match="data of .* is empty"):
        document.data


def tamper(path, change, where):
    """Change the stored bytes of `double` behind the store's back."""
    with lmdb.open(str(path)) as environment, environment.begin(write=True) as transaction:
        for key, value in transaction.cursor():
            if b"/double/" in key and key.endswith(where):
                transaction.put(key, change(bytes(value)))


class Bomb:
    def __reduce__(self):
        return os.system, ("echo executed > executed",)


@pytest.mark.parametrize(("size", "where"), [(1, b"/header"), (3000, b"/00000000")])
@pytest.mark.parametrize("kind", ["flipped", "cut", "empty", "pickle"])
def test_bytes_that_were_tampered_with_raise_and_are_not_executed(
    tmp_path, monkeypatch, kind, size, where
):
    import pickle

    monkeypatch.chdir(tmp_path)
    store = ff.LmdbDatabase(tmp_path / "db")

    class Sound(ff.BaseModel):
        meta = ff.SourceFeature()
        raw = ff.NumpyFeature(Chunks, needs=meta)
        double = ff.NumpyFeature(lambda x: x * 2, needs=raw, store=True)

    Sound.database = store
    content = b"\1\2\3" * size
    _id = Sound.process(meta=content)
    store.close()
    changes = {
        "flipped": lambda value: value[:-1] + bytes([value[-1] ^ 1]),
        "cut": lambda value: value[:-1],
        "empty": lambda value: b"",
        "pickle": lambda value: pickle.dumps(Bomb()),
    }
    tamper(tmp_path / "db", changes[kind], where)
    with pytest.raises(ff.CorruptRecord, match=r"/double/.*process it again"):
        Sound(_id).double
    assert not (tmp_path / "executed").exists()
    Sound.delete(_id)
    np.testing.assert_array_equal(Sound(Sound.process(meta=content)).double, [2, 4, 6] * size)


def test_documents_do_not_hold_each_other(sound):
    document = sound(sound.process(meta=b"\1"))
    document.third
    gone = weakref.ref(document)
    del document
    gc.collect()
    assert gone() is None


def test_simple_settings_are_a_folder_and_one_document(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    @ff.simple_settings
    class Learner(ff.BaseModel):
        docs = ff.Feature(ff.IteratorNode)
        total = ff.NumpyFeature(np.negative, needs=docs, store=True)

    assert not Learner.exists()
    with pytest.raises(ff.DocumentNotFound):
        Learner().total
    assert Learner.process(docs=[np.ones(1)]) == "Learner"
    Learner.process(docs=[np.zeros(2)])
    assert (tmp_path / "Learner" / "data.mdb").exists()
    assert Learner().total.tolist() == [0, 0]
    assert len(list(Learner)) == 1
    first = Learner()._digest("total")
    Learner.process(docs=[np.zeros(2)])
    assert Learner()._digest("total") == first  # the same was learned again
    Learner.process(docs=[np.ones(2)])
    assert Learner()._digest("total") != first


def test_a_failure_does_not_take_back_what_was_stored_before(database, tmp_path, monkeypatch):
    """Content that is kept is moved, and processing it again fails half-way."""
    monkeypatch.setattr("featureflow.document._SPILL", 10)

    class Kept(ff.BaseModel):
        meta = ff.SourceFeature(keep=True)
        raw = ff.NumpyFeature(Chunks, needs=meta)

    class Failing(Kept):
        worse = ff.NumpyFeature(lambda x: 1 / 0, needs=Kept.raw, store=True)

    Kept.database = database
    (tmp_path / "a").write_bytes(bytes(100))
    _id = Kept.process(meta=tmp_path / "a")
    (tmp_path / "new").mkdir()
    (tmp_path / "a").rename(tmp_path / "new" / "a")
    with pytest.raises(ff.NodeError):
        Failing.process(meta=tmp_path / "new" / "a")
    assert len(Kept(_id).raw) == 100
    assert Kept(_id).meta.uri.endswith("a")


class Knowing:
    """Adds what a model knows at the moment it is asked."""

    revision = 1

    def __init__(self, model):
        self.model = model

    def __fingerprint__(self):
        return self.model["knows"]

    def __call__(self, chunk):
        return chunk + self.model["knows"]


def test_nothing_is_stored_of_a_model_that_learns_anew_meanwhile(database):
    model = {"knows": 1}

    def learn_meanwhile(chunk):
        model["knows"] = 2
        return chunk

    class Sound(ff.BaseModel):
        meta = ff.SourceFeature()
        raw = ff.NumpyFeature(Chunks, needs=meta)
        slow = ff.NumpyFeature(learn_meanwhile, needs=raw)
        code = ff.NumpyFeature(Knowing(model), needs=slow, store=True)

    Sound.database = database
    with pytest.raises(ff.UnavailableError, match="learned anew.*ask for it again"):
        Sound.process(meta=b"\1", _id="mine")
    assert not Sound.exists("mine")
    Sound.process(meta=b"\1", _id="mine")
    np.testing.assert_array_equal(Sound("mine").code, [3])


def test_an_instance_forgets_what_was_computed_by_an_earlier_training(database):
    model = {"knows": 1}

    class Sound(ff.BaseModel):
        meta = ff.SourceFeature()
        raw = ff.NumpyFeature(Chunks, needs=meta)
        code = ff.NumpyFeature(Knowing(model), needs=raw)

    Sound.database = database
    document = Sound(Sound.process(meta=b"\1"))
    gone = weakref.ref(document.code)
    model["knows"] = 2
    np.testing.assert_array_equal(document.code, [3])
    gc.collect()
    assert gone() is None


# ---------------------------------------------------------------------------- side by side


def test_a_feature_that_another_one_stores_meanwhile_is_read(sound, database, calls):
    _id = sound.process(meta=b"\1\2")

    class More(sound):
        square = ff.NumpyFeature(lambda x: x * x, needs=sound.double, store=True)

    class Busy(type(database)):
        """Between the first look at a value and the next, somebody else stores it."""

        looked = False

        def __contains__(self, key):
            there = super().__contains__(key)
            if "/square/" in key and not there and not Busy.looked:
                Busy.looked = True
                More(_id).square
            return there

    database.__class__ = Busy
    np.testing.assert_array_equal(More(_id).square, [4, 16])
    assert Busy.looked


def test_many_threads_that_ask_for_the_same(sound):
    import threading

    ids = [sound.process(meta=bytes([i, i + 1])) for i in range(20)]

    class More(sound):
        square = ff.NumpyFeature(lambda x: x.astype(int) ** 2, needs=sound.raw, store=True)

    failures = []

    def read():
        for i, _id in enumerate(ids):
            try:
                assert More(_id).square.tolist() == [i * i, (i + 1) ** 2]
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_of_two_who_write_the_same_one_may_fail(sound, database, monkeypatch):
    monkeypatch.setattr("featureflow.document._SPILL", 10)

    class Failing(sound):
        def fail(chunk):
            if sound.exists("same"):
                raise OSError("unplugged")
            sound.process(_id="same", meta=bytes(100))  # the other one, in the meantime
            return chunk

        slow = ff.NumpyFeature(fail, needs=sound.double, store=True)
        fail = None

    Failing.features["slow"].node.revision = 1
    with pytest.raises(ff.NodeError, match="unplugged"):
        Failing.process(_id="same", meta=bytes(100))
    np.testing.assert_array_equal(sound("same").double, np.zeros(100))
    assert len(sound("same").half) == 100


# ---------------------------------------------------------------------------- chunks and wholes


def test_a_function_that_needs_the_whole_says_so(database):
    class Sound(ff.BaseModel):
        meta = ff.SourceFeature()
        raw = ff.NumpyFeature(Chunks, needs=meta)
        total = ff.NumpyFeature(ff.Whole(lambda x: x.sum(keepdims=True)), needs=raw, store=True)
        length = ff.JSONFeature(ff.Whole, function=len, needs=raw)
        relative = ff.NumpyFeature(lambda x, total: x / total, needs=(raw, total))

    Sound.database = database
    document = Sound(Sound.process(meta=bytes(range(10))))
    assert document.total.tolist() == [45]
    assert document.length == 10
    np.testing.assert_allclose(document.relative, np.arange(10) / 45)


@pytest.mark.parametrize("function", [lambda x: x.sum(), lambda x: x[::2], lambda x: x[:1]])
def test_a_function_whose_result_would_depend_on_the_chunks_is_refused(database, function):
    class Sound(ff.BaseModel):
        meta = ff.SourceFeature()
        raw = ff.NumpyFeature(Chunks, needs=meta)
        wrong = ff.Feature(function, needs=raw)

    Sound.database = database
    with pytest.raises(ff.GraphError, match=r"shape \(4,\) became .*featureflow\.Whole"):
        Sound(Sound.process(meta=bytes(10))).wrong


def test_objects_that_come_in_several_chunks_are_refused(database):
    class Sound(ff.BaseModel):
        meta = ff.SourceFeature()
        raw = ff.NumpyFeature(Chunks, needs=meta)
        wrong = ff.JSONFeature(lambda x: {"n": len(x)}, needs=raw)

    Sound.database = database
    assert Sound(Sound.process(meta=bytes(3))).wrong == {"n": 3}
    with pytest.raises(ff.GraphError, match=r"3 chunks of dict.*featureflow\.Whole"):
        Sound(Sound.process(meta=bytes(10))).wrong


def test_a_stage_that_returns_a_chunk_in_place_of_chunks_is_refused(database):
    class Wrong(Chunks):
        def step(self, source):
            return np.frombuffer(source.read(), np.uint8)

    class Sound(ff.BaseModel):
        meta = ff.SourceFeature()
        raw = ff.NumpyFeature(Wrong, needs=meta)

    Sound.database = database
    with pytest.raises(ff.GraphError, match="a stage returned a ndarray: return a list"):
        Sound(Sound.process(meta=bytes(10))).raw


def test_a_stage_may_return_none(database):
    class Late:
        revision = 1

        def stream(self):
            return Late()

        def step(self, source):
            self.content = source.read()

        def flush(self):
            return [np.frombuffer(self.content, np.uint8)]

    class Sound(ff.BaseModel):
        meta = ff.SourceFeature()
        raw = ff.NumpyFeature(Late, needs=meta)

    Sound.database = database
    assert Sound(Sound.process(meta=b"\7")).raw.tolist() == [7]


def test_no_node_and_no_reader_can_change_what_others_get(sound):
    def modify(chunk):
        chunk *= 0
        return chunk

    class Wrong(sound):
        wrong = ff.NumpyFeature(modify, needs=sound.double)

    document = Wrong(Wrong.process(meta=b"\1\2"))
    with pytest.raises(ff.NodeError, match="read-only"):
        document.wrong
    with pytest.raises(ValueError, match="read-only"):
        document.double[:] = 0
    copy = document.double.copy()
    copy[:] = 0
    np.testing.assert_array_equal(document.double, [2, 4])


def test_what_is_handed_over_stays_writable(database):
    class Learner(ff.BaseModel):
        docs = ff.Feature(ff.IteratorNode)
        total = ff.NumpyFeature(np.negative, needs=docs, store=True)

    Learner.database = database
    mine = np.zeros(3)
    Learner.process(docs=[mine])
    mine[:] = 1


def test_a_fitting_node_without_input_names_what_is_empty(database):
    class Fits:
        revision = 1

        def fit(self, examples):
            return examples

    class Learner(ff.BaseModel):
        docs = ff.Feature(ff.IteratorNode)
        fitted = ff.Feature(Fits, needs=docs, store=True)

    Learner.database = database
    with pytest.raises(ff.UnavailableError, match="docs is empty"):
        Learner.process(docs=[])


# ---------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["process", "random", "features", "database", "_value", "_id"])
def test_names_that_belong_to_every_model_are_refused(name):
    with pytest.raises(ff.GraphError, match=rf"Wrong\.{name} cannot be a feature"):
        type(ff.BaseModel)("Wrong", (ff.BaseModel,), {name: ff.TextFeature(str.upper)})


def test_a_feature_under_a_second_name_is_refused(sound):
    with pytest.raises(ff.GraphError, match=r"Wrong\.other is the feature 'double'"):

        class Wrong(ff.BaseModel):
            other = sound.double


def test_errors_inside_properties_and_stores_are_not_lost(sound, database, monkeypatch):
    class Sound(sound):
        @property
        def loudness(self):
            return self.double.loudness

    document = Sound(Sound.process(meta=b"\1"))
    with pytest.raises(AttributeError, match="'numpy.ndarray' object has no attribute 'loudness'"):
        document.loudness

    def broken(key):
        raise AttributeError("the real reason")

    monkeypatch.setattr(database, "read", broken)
    with pytest.raises(ff.NodeError, match="the real reason"):
        sound(document._id).double


def test_a_class_derived_from_one_with_simple_settings_does_not_replace_its_document(in_folder):
    @ff.simple_settings
    class Learner(ff.BaseModel):
        docs = ff.Feature(ff.IteratorNode)
        total = ff.NumpyFeature(np.negative, needs=docs, store=True)

    class Other(Learner):
        total = ff.NumpyFeature(np.positive, needs=Learner.docs, store=True)

    Learner.process(docs=[np.ones(2)])
    with pytest.raises(ff.GraphError, match="decorate Other with simple_settings"):
        Other.process(docs=[np.ones(2)])
    ff.simple_settings(Other).process(docs=[np.ones(2)])
    assert Learner().total.tolist() == [-1, -1]
    assert Other().total.tolist() == [1, 1]


def test_whether_a_feature_is_stored_is_told_without_computing_it(sound, database, calls):
    document = sound(sound.process(meta=b"\1\2\3"))
    calls.clear()
    assert document._is_stored("double")
    assert document._is_stored("half")
    assert not document._is_stored("raw")  # is computed whenever it is asked for
    assert not document._is_stored("third")
    database.delete(*[key for key in database.keys() if "/half/" in key])
    assert not document._is_stored("half")
    assert calls == []
    document.half
    assert document._is_stored("half")
    with pytest.raises(ff.DocumentNotFound):
        sound("nothing")._is_stored("half")


def test_what_was_stored_by_another_node_does_not_count_as_stored(sound, calls):
    _id = sound.process(meta=b"\1\2\3")

    class Other(sound):
        half = ff.NumpyFeature(
            Counter(calls, "otherwise", lambda x: x // 3), needs=sound.raw, store=True
        )

    assert Other(_id)._is_stored("double")
    assert not Other(_id)._is_stored("half")
    Other(_id).half
    assert Other(_id)._is_stored("half")
    assert sound(_id)._is_stored("half")


# ---------------------------------------------------------------------------- damage


@pytest.mark.parametrize("part", ["entry", "header"])
@pytest.mark.parametrize("change", ["flipped", "cut", "empty", "other"])
def test_damaged_entries_and_headers_raise_and_can_be_mended(sound, database, part, change):
    _id = sound.process(meta=b"\1\2\3\4\5\6")
    good = sound.process(meta=b"\7")
    marker = f"documents/{_id}/entry" if part == "entry" else f"values/{_id}"
    for key in list(database.keys()):
        if key.startswith(marker) and key.endswith(part):
            value = database.read(key)
            database.write(
                {
                    key: {
                        "flipped": value[:-1] + bytes([value[-1] ^ 1]),
                        "cut": value[:-2],
                        "empty": b"",
                        "other": database.read(f"documents/{good}/entry")
                        if part == "header"
                        else value[32:],
                    }[change]
                }
            )
    with pytest.raises(ff.CorruptRecord, match="delete the document, and process it again"):
        sound(_id).double
    if part == "entry":
        with pytest.warns(UserWarning, match="a document of .* is left out"):
            assert [document._id for document in sound] == [good]
    sound.delete(_id)
    assert not sound.exists(_id)
    assert sound.process(meta=b"\1\2\3\4\5\6") == _id
    np.testing.assert_array_equal(sound(_id).double, [2, 4, 6, 8, 10, 12])


def test_a_stored_value_of_another_type_is_refused(sound, database):
    from featureflow.codec import content_digest, encode
    from featureflow.document import sealed, unsealed

    _id = sound.process(meta=b"\1")
    header = next(key for key in database.keys() if "/double/" in key and key.endswith("header"))
    run = unsealed(database.read(header), header)["run"]
    forged = encode("hello")
    database.write(
        {
            header.replace("header", f"{run}/00000000"): forged,
            header: sealed({"run": run, "records": [[content_digest(forged)]]}),
        }
    )
    with pytest.raises(ff.CodecError, match="NumpyFeature"):
        sound(_id).double


class TestCompute:
    class Words(ff.BaseModel):  # has no database, and needs none
        text = ff.TextFeature(str.strip, store=True)
        words = ff.JSONFeature(str.split, needs=text)
        nothing = ff.NumpyFeature(ff.IteratorNode)

    def test_gives_a_feature_and_stores_nothing(self):
        assert self.Words.compute("words", text=" a b ") == ["a", "b"]

    def test_gives_what_a_document_has(self, sound):
        document = sound(sound.process(meta=b"\1\2\3\4\5"))
        for name in ("raw", "double", "third", "half"):
            computed = sound.compute(name, meta=b"\1\2\3\4\5")
            np.testing.assert_array_equal(computed, getattr(document, name))
            assert not computed.flags.writeable

    def test_refuses_unknown_names_and_roots(self):
        with pytest.raises(ff.UnknownFeature, match="did you mean 'words'"):
            self.Words.compute("wrods", text="")
        with pytest.raises(ff.RootError, match=r"needs text: call compute\(text=...\)"):
            self.Words.compute("words", nothing=[])
        with pytest.raises(ff.RootError, match="got txt=, which is not a root"):
            self.Words.compute("words", txt="")
        with pytest.raises(ff.UnavailableError, match="nothing is empty"):
            self.Words.compute("nothing", nothing=[])
