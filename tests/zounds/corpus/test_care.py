import json
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress

import numpy as np
import pytest

import featureflow as ff
import zounds


def names(outcomes):
    return sorted(outcome.name for outcome in outcomes)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, save):
    """A folder of ten sounds, and a corpus of them that is indexed."""
    folder = tmp_path_factory.mktemp("prepared")
    for seed in range(10):
        # long enough that not all of a feature lies in its header
        save(folder / "sounds" / f"{seed}.wav", seed, seconds=2)
    corpus = zounds.Corpus(folder / "corpus")
    corpus.add(folder / "sounds", workers=1)
    corpus.learn()
    corpus.index(workers=1)
    return folder


@pytest.fixture
def indexed(prepared, tmp_path):
    """A copy of that corpus; the sounds lie where they were."""
    shutil.copytree(prepared / "corpus", tmp_path / "indexed")
    return zounds.Corpus(tmp_path / "indexed")


def answers(corpus, prepared):
    """What a corpus finds, and where."""
    paths = sorted((prepared / "sounds").iterdir())
    return [
        [(hit.id, hit.name, hit.uri, hit.time, hit.distance) for hit in corpus.search(path, unit=u)]
        for path in paths[::3]
        for u in ("clip", "segment")
    ]


def store_of(corpus):
    return corpus.random(0).database


def keys(store, part, ending=""):
    return [key for key in store.keys() if part in key and key.endswith(ending)]


# ---------------------------------------------------------------------------- info


def test_info_counts_what_there_is(corpus, sounds, save):
    assert corpus.info() == zounds.Corpus(corpus.path).info()
    assert (corpus.info().documents, corpus.info().bytes, corpus.info().roots) == (0, 0, ())
    (sounds / "a.wav").write_bytes((sounds / "a.wav").read_bytes()[:20_000])
    (sounds / "bad.wav").write_bytes(b"RIFF")
    corpus.add(sounds, workers=1)
    (sounds / "b.wav").unlink()
    corpus.rescan(workers=1)
    info = corpus.info()
    assert (info.documents, info.partial, info.failed, info.missing) == (3, 1, 1, 1)
    assert (info.indexed, info.segments, info.bits, info.learned_from) == (0, 0, 0, 0)
    assert not info.up_to_date
    assert info.seconds == pytest.approx(0.8 + (20_000 - 44) / 2 / 44100)
    assert info.bytes == sum(
        path.stat().st_size for path in corpus.path.rglob("*") if path.is_file()
    )
    assert (info.path, info.preset) == (str(corpus.path), "timbre")
    assert info.roots == (sounds.as_uri(),)
    assert json.loads(json.dumps(info.record()))["documents"] == 3


def test_info_of_an_index(indexed):
    info = indexed.info()
    assert (info.indexed, info.bits, info.learned_from) == (10, 128, 10)
    assert info.segments == sum(len(document.segments) for document in indexed)
    assert info.up_to_date


# ---------------------------------------------------------------------------- remove


@pytest.fixture
def filled(corpus, sounds):
    """The three sounds, and two of an archive in their folder."""
    with zipfile.ZipFile(sounds / "set.zip", "w") as archive:
        archive.write(sounds / "a.wav", "x/one.wav")
        archive.write(sounds / "b.wav", "two.wav")
    corpus.add(sounds, workers=1)
    return corpus


def by_name(corpus, name):
    (outcome,) = (outcome for outcome in corpus.outcomes() if outcome.name == name)
    return outcome


REMOVALS = {
    "a file": (lambda folder, corpus: folder / "a.wav", ["a.wav"]),
    "its text": (lambda folder, corpus: str(folder / "a.wav"), ["a.wav"]),
    "its URI": (lambda folder, corpus: (folder / "a.wav").as_uri(), ["a.wav"]),
    "an id": (lambda folder, corpus: by_name(corpus, "c.wav").id, ["c.wav"]),
    "a folder": (lambda folder, corpus: folder / "deep", ["c.wav"]),
    "an archive": (lambda folder, corpus: folder / "set.zip", ["two.wav", "x/one.wav"]),
    "a member": (lambda folder, corpus: by_name(corpus, "two.wav").uri, ["two.wav"]),
    "everything": (
        lambda folder, corpus: f"{folder}/",
        ["a.wav", "b.wav", "c.wav", "two.wav", "x/one.wav"],
    ),
}


@pytest.mark.parametrize("what", REMOVALS)
def test_sounds_are_removed_by_whatever_names_them(filled, sounds, what, agrees):
    naming, expected = REMOVALS[what]
    thing = naming(sounds, filled)
    removed = filled.remove(thing)
    assert names(removed) == expected
    assert len(filled) == len(filled.outcomes()) == 5 - len(expected)
    for outcome in removed:
        assert outcome.id not in filled
    assert all(path.exists() for path in (sounds / "a.wav", sounds / "set.zip"))
    agrees(filled)
    with pytest.raises(ff.DocumentNotFound):
        filled.remove(thing)

    assert len(filled.add(sounds, workers=1).ok) == len(expected)
    assert len(filled) == 5
    agrees(filled)


def test_several_things_are_removed_at_once(filled, sounds, agrees):
    removed = filled.remove(sounds / "deep", by_name(filled, "c.wav").id, sounds / "a.wav")
    assert names(removed) == ["a.wav", "c.wav"]
    agrees(filled)


@pytest.mark.parametrize("wrong", ["nothing", "/", "http://nowhere/", "", "no.wav"])
def test_what_is_not_there_cannot_be_removed_and_then_nothing_is(
    filled, sounds, wrong, tmp_path, monkeypatch
):
    monkeypatch.chdir(sounds)  # which an empty path would stand for
    wrong = wrong if wrong != "/" else tmp_path / "sound"  # the beginning of a folder's name
    with pytest.raises(ff.DocumentNotFound, match="give an id, or a file|name what to remove"):
        filled.remove(sounds / "a.wav", wrong)
    assert len(filled) == 5
    assert filled.info().roots == (sounds.as_uri(),)


def test_relative_paths_are_those_of_the_current_folder(filled, sounds, monkeypatch):
    monkeypatch.chdir(sounds)
    monkeypatch.setenv("HOME", str(sounds))
    assert names(filled.remove("a.wav", "~/b.wav", "deep/../deep")) == ["a.wav", "b.wav", "c.wav"]


def test_documents_and_hits_are_removed_as_they_are(indexed, agrees):
    document, other = list(indexed)[:2]
    (hit,) = indexed.search(other, n_results=1)
    removed = indexed.remove(hit, document)
    assert {outcome.id for outcome in removed} == {document._id, other._id}
    agrees(indexed)
    for wrong in (3, None, [hit]):
        with pytest.raises(ff.InvalidParameter, match="cannot be removed: give ids, paths"):
            indexed.remove(wrong)
    info = indexed.info()
    assert info.indexed == info.documents == 8
    before = info.segments
    indexed.remove(*indexed)
    assert (indexed.info().indexed, indexed.info().segments) == (0, 0)
    assert before > 0


def test_what_failed_can_be_removed(corpus, sounds):
    (sounds / "bad.wav").write_bytes(b"RIFF")
    corpus.add(sounds, workers=1)
    assert names(corpus.remove(sounds / "bad.wav")) == ["bad.wav"]
    assert corpus.info().failed == 0


def test_what_came_from_a_url_is_removed_by_it(corpus, sounds, serve, agrees):
    with serve(sounds) as url:
        corpus.add(f"{url}/a.wav", f"{url}/b.wav", workers=1)
        assert names(corpus.remove(f"{url}/a.wav")) == ["a.wav"]
        assert corpus.info().roots == (f"{url}/b.wav",)
        assert corpus.rescan(workers=1).new == ()
    agrees(corpus)


# ---------------------------------------------------------------------------- check


def test_a_healthy_corpus_has_no_problems(indexed):
    assert indexed.check() == zounds.Corpus(indexed.path).check()
    assert (indexed.check().documents, indexed.check().problems) == (10, ())
    assert indexed.check().record() == {"documents": 10, "problems": ()}


def flip(store, key):
    record = store.read(key)
    middle = len(record) // 2
    store.write({key: record[:middle] + bytes([record[middle] ^ 1]) + record[middle + 1 :]})


DAMAGES = {
    "a feature": lambda store: flip(store, keys(store, "/clip_timbre/")[0]),
    "a code": lambda store: flip(store, keys(store, "/segments/", "header")[0]),
    "a lost value": lambda store: store.delete(keys(store, "/clip_timbre/", "header")[0]),
    "a header": lambda store: flip(store, keys(store, "/segment_timbres/", "header")[0]),
    "an entry": lambda store: flip(store, keys(store, "documents/")[0]),
    "a lost entry": lambda store: store.delete(keys(store, "documents/")[0]),
    "an outcome": lambda store: flip(store, keys(store, "corpus/sources/")[0]),
    "the state": lambda store: flip(store, keys(store, "corpus/state")[0]),
    "the model": lambda store: flip(store, keys(store, "corpus/model")[0]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_one_line_and_the_rest_is_verified(indexed, damage):
    store = store_of(indexed)
    DAMAGES[damage](store)
    DAMAGES["a feature"](_Last(store))
    problems = indexed.check().problems
    assert len(problems) == 2
    for problem in problems:
        assert problem
        assert "\n" not in problem


class _Last:
    """A store whose keys come from the end, to damage another document than the first."""

    def __init__(self, store):
        self._store = store

    def keys(self):
        return reversed(list(self._store.keys()))

    def __getattr__(self, name):
        return getattr(self._store, name)


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "the model"])
def test_what_is_damaged_is_mended_by_removing_and_adding_it_again(indexed, prepared, damage):
    before = answers(indexed, prepared)
    DAMAGES[damage](store_of(indexed))
    for path in sorted((prepared / "sounds").iterdir()):
        try:
            indexed.remove(path)
        except ff.DocumentNotFound:
            pass  # what it was is not known any more
    indexed.add(prepared / "sounds", workers=1)
    assert indexed.index(workers=1) == 10
    assert indexed.check().problems == ()
    assert answers(indexed, prepared) == before


def test_a_document_that_is_gone_comes_back_by_adding_its_sound(indexed, prepared, agrees):
    DAMAGES["a lost entry"](store_of(indexed))
    (problem,) = indexed.check().problems
    assert ".wav" in problem
    assert "run zounds rescan" in problem
    report = indexed.add(prepared / "sounds", workers=1)
    assert (len(report.ok), len(report.skipped)) == (1, 9)
    agrees(indexed)


@pytest.mark.parametrize("file", ["manifest.json", "*.generation"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_an_index_that_is_damaged_is_told_and_built_again(indexed, prepared, file, damage):
    before = answers(indexed, prepared)
    (path,) = (indexed.path / "index").glob(file)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()  # whoever has it mapped keeps it
    if damage != "gone":
        path.write_bytes(content if damage == "flipped" else content[: len(content) // 2])
    (problem,) = zounds.Corpus(indexed.path).check().problems
    gone = " is gone" if damage == "gone" else ""
    assert problem == f"the index is damaged ({path.name}{gone}): run zounds rescan"
    assert indexed.index(workers=1) == 10
    assert indexed.check().problems == ()
    assert answers(indexed, prepared) == before


@pytest.mark.parametrize("part", range(20))
def test_what_is_damaged_of_an_index_is_never_part_of_an_answer(indexed, prepared, part):
    before = answers(indexed, prepared)
    (path,) = (indexed.path / "index").glob("*.generation")
    content = bytearray(path.read_bytes())
    content[part * len(content) // 20 + 7] ^= 16
    path.unlink()
    path.write_bytes(content)
    corpus = zounds.Corpus(indexed.path)
    with suppress(zounds.SearchError):
        assert answers(corpus, prepared) == before  # of other parts
    assert corpus.info().documents == 10
    assert corpus.index(workers=1) == 10
    assert answers(zounds.Corpus(indexed.path), prepared) == before


def test_a_model_that_is_damaged_is_learned_again(indexed, prepared):
    before = answers(indexed, prepared)
    DAMAGES["the model"](store_of(indexed))
    indexed = zounds.Corpus(indexed.path)
    assert len(indexed) == 10
    for use in (lambda: answers(indexed, prepared), lambda: indexed.index(workers=1)):
        with pytest.raises(zounds.Error, match=r"call learn\(\)"):
            use()
    assert indexed.info().documents == 10
    indexed.learn()
    indexed.index(workers=1)
    assert indexed.check().problems == ()
    assert answers(indexed, prepared) == before


# ---------------------------------------------------------------------------- compact


def everything(corpus):
    return {
        document._id: tuple(
            document._digest(name)
            for name in ("facts", "clip_timbre", "segment_timbres", "clip", "segments")
        )
        for document in corpus
    }


def test_compacting_changes_nothing_that_is_needed(indexed, prepared, agrees):
    values, outcomes, found = everything(indexed), indexed.outcomes(), answers(indexed, prepared)
    info = indexed.info()
    for seed in (1, 2, 3):
        indexed.learn(seed=seed)
        indexed.index(workers=1)
    indexed.learn(seed=0)
    indexed.index(workers=1)
    old = len(list(store_of(indexed).keys()))
    studied = len(keys(store_of(indexed), "/views/"))
    done = indexed.compact()
    assert done.after < done.before
    assert studied > 0
    assert (done.damaged, done.left) == (0, old - len(list(store_of(indexed).keys())))
    assert done.left >= 3 * 10 * 2 + studied
    assert len(list(store_of(indexed).keys())) == old - done.left
    assert done.record()["before"] == done.before
    assert everything(indexed) == values
    assert indexed.outcomes() == outcomes
    assert answers(indexed, prepared) == found
    now = indexed.info()
    assert (now.documents, now.indexed, now.up_to_date, now.roots) == (10, 10, True, info.roots)
    assert indexed.index(workers=1) == 10
    assert len(indexed.add(prepared / "sounds", workers=1).skipped) == 10
    agrees(indexed)
    again = indexed.compact()
    assert (again.left, again.damaged) == (0, 0)
    assert everything(indexed) == values


def test_there_is_one_store_after_compacting(indexed):
    before = {path.name for path in indexed.path.iterdir()}
    for _ in range(3):
        indexed.compact()
        stores = [path for path in indexed.path.iterdir() if path.name.startswith("store")]
        assert len(stores) == 1
    assert {path.name for path in indexed.path.iterdir()} - {stores[0].name} == before - {"store"}


def test_those_who_had_it_open_go_on(indexed, prepared, save, tmp_path):
    other = zounds.Corpus(indexed.path)
    found, document = answers(other, prepared), other.random(0)
    results = other.search(document)
    pcm = np.asarray(document.pcm)
    indexed.compact()
    assert answers(other, prepared) == found
    assert len(other) == 10
    np.testing.assert_array_equal(np.asarray(other[document._id].pcm), pcm)
    np.testing.assert_array_equal(np.asarray(results.audio(results[0])), pcm)
    indexed.compact()
    new = save(tmp_path / "new.wav", 99)
    assert names(other.add(new, workers=1).ok) == ["new.wav"]
    assert len(indexed) == len(other) == 11
    assert indexed.index(workers=1) == 11
    assert other.search(new)[0].distance == 0


def test_damaged_values_are_left_behind_and_computed_again(indexed, prepared, agrees):
    values = everything(indexed)
    DAMAGES["a code"](store_of(indexed))
    assert len(indexed.check().problems) == 1
    assert indexed.compact().damaged == 1
    assert indexed.check().problems == ()
    assert everything(indexed) == values
    agrees(indexed)


@pytest.mark.parametrize("moment", ["while it was copied", "before the old one was deleted"])
def test_what_an_interrupted_compaction_leaves_is_cleaned_up(indexed, prepared, moment):
    found = answers(indexed, prepared)
    left = shutil.copytree(indexed.path / "store", indexed.path / "store-2")
    if moment == "before the old one was deleted":
        card = json.loads((indexed.path / "corpus.json").read_text())
        (indexed.path / "corpus.json").write_text(json.dumps({**card, "store": left.name}))
    elif moment == "while it was copied":
        (left / "data.mdb").write_bytes(b"only a part")
    (indexed.path / ".corpus.json.0badcafe").write_text("{")
    (indexed.path / "learn-abcdefgh" / "corpus").mkdir(parents=True)
    indexed = zounds.Corpus(indexed.path)
    assert answers(indexed, prepared) == found
    indexed.compact()
    assert answers(indexed, prepared) == found
    left = {path.name.rstrip("0123456789") for path in indexed.path.iterdir()}
    assert left == {"corpus.json", "index", "lock", "store-"}


# ---------------------------------------------------------------------------- several processes


HOLDER = """
import sys, zounds
corpus = zounds.Corpus(sys.argv[1])
def tell(progress):
    if progress.done:
        print("at work", flush=True)
        sys.stdin.readline()
corpus.add(sys.argv[2], workers=1, progress=tell)
"""


@pytest.fixture
def busy(indexed, tmp_path, save):
    """A corpus to which another process is adding; it waits until told to go on."""
    save(tmp_path / "more" / "x.wav", 77)
    arguments = [sys.executable, "-c", HOLDER, str(indexed.path), str(tmp_path / "more")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(arguments, **pipes) as process:
        assert process.stdout.readline() == "at work\n"
        yield indexed, process
        if process.poll() is None:
            process.communicate("\n", timeout=60)


def test_one_process_may_write_and_all_may_read(busy, prepared, tmp_path):
    corpus, process = busy
    for write in (
        lambda: corpus.add(tmp_path / "more", workers=1),
        lambda: corpus.rescan(workers=1),
        lambda: corpus.remove(prepared / "sounds"),
        corpus.learn,
        lambda: corpus.index(workers=1),
        corpus.compact,
    ):
        with pytest.raises(zounds.CorpusError, match="another process is changing .*: wait"):
            write()
    assert len(answers(corpus, prepared)[0]) == 10
    assert len(corpus) == len(list(corpus)) == corpus.info().documents == 11
    assert corpus.check().problems == ()
    assert process.poll() is None
    process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert names(corpus.add(tmp_path / "more", workers=1).skipped) == ["x.wav"]
    assert corpus.index(workers=1) == 11
