"""A corpus on a bad disk: damage is told, and mended by looking at the sounds again."""

import random
import shutil
import subprocess
import sys

import pytest

import featureflow as ff
import zounds
from featureflow.stores.lmdb import LmdbDatabase
from zounds.audio.encode import encode


@pytest.fixture(scope="module")
def whole(tmp_path_factory, save, make):
    """Sounds, and a corpus of them and of one that was handed over; indexed."""
    folder = tmp_path_factory.mktemp("whole")
    for seed in range(10):
        save(folder / "sounds" / f"{seed}.wav", seed)
    corpus = zounds.Corpus(folder / "corpus")
    corpus.add(folder / "sounds", encode(make(10), "wav"), workers=1)
    corpus.learn()
    corpus.index(workers=1)
    return folder


@pytest.fixture
def corpus(whole, tmp_path):
    """A copy of that corpus; the sounds lie where they were."""
    shutil.copytree(whole / "corpus", tmp_path / "corpus")
    return zounds.Corpus(tmp_path / "corpus")


STORED = ("facts", "clip_timbre", "segment_timbres", "clip", "segments")


def everything(corpus):
    """What is stored of each document, by its id; and what is known of its source."""
    stored = {document._id: [document._digest(name) for name in STORED] for document in corpus}
    return stored, corpus.outcomes()


def handed(corpus):
    (outcome,) = (outcome for outcome in corpus.outcomes() if outcome.path is None)
    return outcome


def keys(corpus, part, ending=""):
    """The keys of the store that have a part and end in some way."""
    store = corpus.random(0).database
    return [key for key in store.keys() if part in key and key.endswith(ending)]


def stored(corpus, part, ending=""):
    """Those keys, but for what is stored of the sound that lies in no file.

    Where its id is in their order is another one in every folder, and it is mended otherwise.
    """
    apart = handed(corpus).id
    return [key for key in keys(corpus, part, ending) if apart not in key]


def flip(corpus, key):
    store = corpus.random(0).database
    record = bytearray(store.read(key))
    record[len(record) // 2] ^= 1
    store.write({key: bytes(record)})


def rename(corpus, key, other):
    """What a flipped bit in a key comes to, where it leaves the keys in order."""
    store = corpus.random(0).database
    store.write({other: store.read(key)})
    store.delete(key)


FLIPS = {
    "a feature": ("/clip_timbre/", "header"),
    "a header": ("/facts/", "header"),
    "a code": ("/segments/", "header"),
    "an entry": ("documents/", ""),
    "an outcome": ("corpus/sources/file", ""),
}


@pytest.mark.parametrize("compacted", [False, True], ids=["", "after compact"])
@pytest.mark.parametrize("where", FLIPS)
def test_what_is_damaged_is_mended_by_a_rescan(corpus, whole, where, compacted):
    before = everything(corpus)
    for key in stored(corpus, *FLIPS[where])[1:4:2]:
        flip(corpus, key)
    problems = corpus.check().problems
    assert len(problems) == 2
    assert all(problem.endswith("run zounds rescan") for problem in problems)
    if compacted:
        corpus.compact()
    corpus.rescan(workers=1)
    assert corpus.index(workers=1) == 11
    assert corpus.check().problems == ()
    assert everything(corpus) == before


def test_of_what_compact_leaves_out_it_is_told_until_it_is_there_again(corpus, whole):
    before = everything(corpus)
    flip(corpus, stored(corpus, "/clip_timbre/", "header")[0])
    assert corpus.compact().damaged == 1
    (problem,) = corpus.check().problems
    assert "its clip_timbre is not there any more: run zounds rescan" in problem
    report = corpus.add(whole / "sounds", workers=1)
    assert (len(report.ok), len(report.skipped)) == (1, 9)
    assert corpus.index(workers=1) == 11
    assert corpus.check().problems == ()
    assert everything(corpus) == before


def test_a_rescan_says_what_it_has_mended(corpus):
    flip(corpus, stored(corpus, "/clip_timbre/", "header")[0])
    corpus.random(0).database.delete(stored(corpus, "documents/")[5])
    changes = corpus.rescan(workers=1)
    assert len(changes.mended) == 2
    assert (changes.new, changes.changed, changes.failed, changes.unchanged) == ((), (), (), 9)
    assert str(changes).endswith("9 unchanged, 2 mended")


def test_codes_that_are_damaged_are_computed_again(corpus, whole):
    found = list(corpus.search(whole / "sounds" / "1.wav"))
    for key in stored(corpus, "/clip/", "header"):
        flip(corpus, key)
    assert corpus.rescan(workers=1).unchanged == 11
    assert corpus.index(workers=1) == 11
    assert list(corpus.search(whole / "sounds" / "1.wav")) == found


@pytest.mark.parametrize("part", ["documents/", "corpus/sources/", "corpus/state", "corpus/model"])
def test_a_key_that_is_another_now_is_told_and_mended(corpus, part):
    count = len(corpus)
    key = stored(corpus, part)[-1]
    rename(corpus, key, key[:-6] + chr(ord(key[-6]) ^ 1) + key[-5:])
    assert corpus.check().problems
    corpus.rescan(workers=1)
    if part == "corpus/model":
        corpus.learn()
    corpus.index(workers=1)
    assert corpus.check().problems == ()
    assert len(corpus) == count


def test_what_is_damaged_of_a_sound_that_is_away_is_mended_when_it_is_back(corpus, whole, tmp_path):
    before = everything(corpus)
    flip(corpus, stored(corpus, "/clip_timbre/", "header")[0])
    sounds = whole / "sounds"
    sounds.rename(tmp_path / "unplugged")
    try:
        corpus.rescan(workers=1)
        (problem,) = corpus.check().problems
        assert "is not there any more: bring it back and run zounds rescan" in problem
    finally:
        (tmp_path / "unplugged").rename(sounds)
    corpus.rescan(workers=1)
    corpus.index(workers=1)
    assert corpus.check().problems == ()
    assert everything(corpus) == before


def test_what_was_handed_over_is_computed_again_from_what_was_kept_of_it(corpus):
    before = everything(corpus)
    flip(corpus, keys(corpus, f"values/{handed(corpus).id}", "/00000000")[0])
    (key,) = [key for key in keys(corpus, "/clip_timbre/", "header") if handed(corpus).id in key]
    flip(corpus, key)
    assert len(corpus.rescan(workers=1).mended) == 1
    corpus.index(workers=1)
    assert corpus.check().problems == ()
    assert everything(corpus) == before


@pytest.mark.parametrize("what", ["content", "entry"])
def test_what_was_handed_over_and_is_lost_is_told_until_it_is_handed_over_again(
    corpus, make, what, agrees
):
    before, lost = everything(corpus), handed(corpus)
    place = "documents/" if what == "entry" else "values/"
    for key in keys(corpus, place + lost.id):
        if what == "entry" or "/meta/" in key:
            flip(corpus, key)
    for _ in range(2):
        (missing,) = corpus.rescan(workers=1).missing
        assert (missing.id, "add it again" in missing.why) == (lost.id, True)
        (problem,) = corpus.check().problems
        assert problem.count(lost.name) == 1
    corpus.add(encode(make(10), "wav"), workers=1)
    corpus.index(workers=1)
    assert everything(corpus) == before
    agrees(corpus)


def index_is_built_again(corpus, whole, found):
    corpus = zounds.Corpus(corpus.path)
    problems = corpus.check().problems
    assert any("index" in problem for problem in problems)
    assert all(problem.endswith("run zounds rescan") for problem in problems)
    corpus.rescan(workers=1)
    assert corpus.index(workers=1) == 11
    assert corpus.check().problems == ()
    assert list(corpus.search(whole / "sounds" / "1.wav")) == found


@pytest.mark.parametrize("file", ["manifest.json", "*.generation"])
def test_an_index_of_which_a_bit_is_flipped_is_built_again(corpus, whole, file):
    found = list(corpus.search(whole / "sounds" / "1.wav"))
    (path,) = (corpus.path / "index").glob(file)
    content = bytearray(path.read_bytes())
    content[random.Random(0).randrange(len(content))] ^= 1
    path.write_bytes(content)
    index_is_built_again(corpus, whole, found)


def test_an_index_of_earlier_versions_is_told_to_be_none_and_built_again(corpus, whole):
    found = list(corpus.search(whole / "sounds" / "1.wav"))
    index = corpus.path / "index"
    shutil.rmtree(index)
    store = LmdbDatabase(index)
    store.write({"index/latest": b"whatever"})
    store.close()
    corpus = zounds.Corpus(corpus.path)
    assert (corpus.info().indexed, corpus.info().up_to_date) == (0, False)
    with pytest.raises(zounds.SearchError, match=r"has no index, or a damaged one: call index\(\)"):
        corpus.search(whole / "sounds" / "1.wav")
    index_is_built_again(corpus, whole, found)
    assert sorted(path.suffix for path in index.iterdir()) == [".generation", ".json"]


# ---------------------------------------------------------------------------- the file itself


def harm(corpus, seed, count=1):
    """Flip some bits of the file of the store."""
    chance = random.Random(seed)
    file = next(corpus.path.glob("store*")) / "data.mdb"
    content = bytearray(file.read_bytes())
    for _ in range(count):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)


MENDING = """
import sys, zounds
corpus = zounds.Corpus(sys.argv[1])
problems = corpus.check().problems
assert all(problem and chr(10) not in problem for problem in problems), problems
corpus.compact()
corpus.rescan(workers=1)
corpus.add(*sys.argv[2:], workers=1)
try:
    corpus.index(workers=1)
except zounds.NotTrained:
    corpus.learn()
    corpus.index(workers=1)
print(len(problems))
"""


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bits_in_the_file_cost_no_document(corpus, whole, seed):
    corpus.remove(handed(corpus).id)
    before = everything(corpus)
    LmdbDatabase(corpus.path / "store").close()
    harm(corpus, seed, count=12)
    arguments = [sys.executable, "-c", MENDING, corpus.path, whole / "sounds"]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    corpus = zounds.Corpus(corpus.path)
    assert corpus.check().problems == ()
    documents, outcomes = everything(corpus)
    assert outcomes == before[1]
    assert {_id: values[:3] for _id, values in documents.items()} == {
        _id: values[:3] for _id, values in before[0].items()
    }


@pytest.mark.parametrize("other", [b"document\xaf", b"documentz"])
def test_a_key_that_is_not_where_it_belongs_is_told_and_mended(corpus, other):
    before = everything(corpus)
    key = stored(corpus, "documents/")[4].encode()
    LmdbDatabase(corpus.path / "store").close()
    file = corpus.path / "store" / "data.mdb"
    file.write_bytes(file.read_bytes().replace(key, other + key[9:]))
    corpus = zounds.Corpus(corpus.path)
    problems = corpus.check().problems
    assert problems
    assert all(problem.endswith("run zounds rescan") for problem in problems)
    corpus.rescan(workers=1)
    corpus.index(workers=1)
    assert corpus.check().problems == ()
    assert everything(corpus) == before


def test_of_a_file_that_is_nothing_any_more_it_is_told(corpus):
    LmdbDatabase(corpus.path / "store").close()
    (corpus.path / "store" / "data.mdb").write_bytes(bytes(8192))
    corpus = zounds.Corpus(corpus.path)
    assert "is damaged" in corpus.check().problems[0]
    with pytest.raises(zounds.CorpusError, match="nothing in .* can be read any more"):
        corpus.rescan(workers=1)
    with pytest.raises(ff.StoreError, match="is damaged"):
        len(corpus)
