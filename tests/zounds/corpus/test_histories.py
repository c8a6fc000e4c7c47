"""What users do to their files over weeks: nothing is lost, doubled, or mistaken."""

import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import zounds
from featureflow.document import Document
from zounds.audio.decode import partial_audio


@pytest.fixture
def sounds(tmp_path, write):
    for number in range(3):
        write(tmp_path / "sounds" / f"{number}.wav", seed=number)
    return tmp_path / "sounds"


@pytest.fixture
def corpus(tmp_path, sounds):
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(sounds, workers=1)
    return corpus


def is_whole(corpus, count):
    """Every source has a document of its own, and every document a source."""
    outcomes = [outcome for outcome in corpus.outcomes() if outcome.is_document]
    assert len({outcome.id for outcome in outcomes}) == len(outcomes) == len(corpus) == count
    for outcome in outcomes:
        assert corpus[outcome.id].meta.uri == outcome.uri
    assert corpus.check().problems == ()


def test_a_file_that_moved_and_was_copied_back(corpus, sounds):
    (sounds / "0.wav").rename(sounds / "moved.wav")
    assert len(corpus.rescan(workers=1).moved) == 1
    shutil.copy(sounds / "moved.wav", sounds / "0.wav")
    assert len(corpus.rescan(workers=1).new) == 1
    is_whole(corpus, 4)
    corpus.remove(sounds / "0.wav")
    is_whole(corpus, 3)


def test_a_file_that_was_edited_and_renamed_and_restored(corpus, sounds, write):
    original = (sounds / "0.wav").read_bytes()
    write(sounds / "0.wav", seed=9)
    corpus.add(sounds, workers=1)
    (sounds / "0.wav").rename(sounds / "edited.wav")
    corpus.rescan(workers=1)
    (sounds / "0.wav").write_bytes(original)
    corpus.add(sounds, workers=1)
    is_whole(corpus, 4)


def ids(corpus):
    return {outcome.name: outcome.id for outcome in corpus.outcomes() if outcome.is_document}


def test_a_folder_that_was_renamed_and_is_added_by_its_new_name_is_not_doubled(
    corpus, sounds, tmp_path
):
    before = ids(corpus)
    renamed = sounds.rename(tmp_path / "renamed")
    report = corpus.add(renamed, workers=1)
    assert (len(report.ok), ids(corpus)) == (3, before)
    assert {outcome.path.parent for outcome in corpus.outcomes()} == {renamed}
    is_whole(corpus, 3)
    assert len(corpus.add(renamed, workers=1).skipped) == 3
    corpus.remove(sounds)  # from which nothing comes any more
    assert corpus.info().roots == (renamed.as_uri(),)
    assert corpus.rescan(workers=1).failed == ()
    is_whole(corpus, 3)


def test_an_archive_that_was_renamed_and_is_added_again_is_not_doubled(corpus, sounds, tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(sounds / "0.wav", "a.wav")
        archive.write(sounds / "1.wav", "b.wav")
    corpus.add(tmp_path / "set.zip", workers=1)
    before = ids(corpus)
    corpus.add((tmp_path / "set.zip").rename(tmp_path / "other.zip"), workers=1)
    assert ids(corpus) == before
    is_whole(corpus, 5)


def test_a_sound_that_is_still_there_is_not_taken_for_one_that_has_moved(corpus, sounds, tmp_path):
    shutil.copytree(sounds, tmp_path / "copy")
    corpus.add(tmp_path / "copy", workers=1)
    is_whole(corpus, 6)


def test_adding_what_was_moved_and_being_killed_doubles_nothing(corpus, sounds, tmp_path):
    before, known = ids(corpus), corpus.outcomes()
    renamed = sounds.rename(tmp_path / "renamed")
    corpus.add(renamed, workers=1)
    corpus._home.catalogue.write(known)  # as if there was no time to forget the old places
    assert len(corpus.outcomes()) == 6
    assert len(corpus.add(renamed, workers=1).skipped) == 3
    assert ids(corpus) == before
    is_whole(corpus, 3)


def test_a_folder_from_which_nothing_came_can_be_removed(corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    corpus.add(tmp_path / "empty", workers=1)
    (tmp_path / "empty").rmdir()
    assert len(corpus.rescan(workers=1).failed) == 1
    assert corpus.remove(tmp_path / "empty") == ()
    assert corpus.rescan(workers=1).failed == ()
    is_whole(corpus, 3)


def test_a_copy_of_an_unplugged_disk_and_the_disk_again(corpus, sounds, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(sounds, copy)
    sounds.rename(tmp_path / "unplugged")
    corpus.add(copy, workers=1)
    corpus.rescan(workers=1)
    (tmp_path / "unplugged").rename(sounds)
    corpus.rescan(workers=1)
    is_whole(corpus, 6)


def test_what_was_removed_stays_away_when_its_disk_comes_back(corpus, sounds, tmp_path):
    corpus.remove(sounds / "1.wav")
    sounds.rename(tmp_path / "unplugged")
    corpus.rescan(workers=1)
    (tmp_path / "unplugged").rename(sounds)
    assert corpus.rescan(workers=1).new == ()
    is_whole(corpus, 2)


@pytest.mark.parametrize("forget", [False, True])
def test_members_of_an_archive_that_cannot_be_read_for_now_are_kept(corpus, sounds, forget, write):
    with zipfile.ZipFile(sounds / "set.zip", "w") as archive:
        archive.write(sounds / "0.wav", "a.wav")
        archive.write(sounds / "1.wav", "b.wav")
    corpus.add(sounds, workers=1)
    content = (sounds / "set.zip").read_bytes()
    (sounds / "set.zip").write_bytes(content[:-10])  # still being copied, say
    changes = corpus.rescan(forget=forget, workers=1)
    assert changes.missing == ()
    assert [outcome.name for outcome in changes.failed] == ["set.zip"]
    (sounds / "set.zip").write_bytes(content)
    corpus.rescan(workers=1)
    is_whole(corpus, 5)


def test_an_archive_that_vanishes_while_it_is_read_is_told_member_by_member(tmp_path, write):
    write(tmp_path / "a.wav")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for number in range(40):
            archive.write(tmp_path / "a.wav", f"{number}.wav")

    def sources():
        yield tmp_path / "set.zip"
        (tmp_path / "set.zip").unlink()

    report = zounds.Corpus(tmp_path / "corpus").add(sources(), workers=2)
    assert len(report.failed) == 40
    for outcome in report.failed:
        assert "set.zip does not exist" in outcome.why


def test_a_document_that_nobody_could_tell_the_outcome_of_is_made_again(corpus, sounds, write):
    outcome = corpus.outcomes()[0]
    corpus._home.catalogue.forget([outcome.uri])  # as if its worker had died in between
    write(sounds / "0.wav", seed=7)  # and then the file has changed
    corpus.add(sounds, workers=1)
    is_whole(corpus, 3)


def test_a_partial_file_stays_partial_when_its_worker_died_before_it_could_say_so(corpus, sounds):
    content = (sounds / "0.wav").read_bytes()
    (sounds / "0.wav").write_bytes(content[: len(content) // 2])
    outcome = next(o for o in corpus.outcomes() if o.name == "0.wav")
    # what a worker has stored that was killed before the outcome was written
    with partial_audio():
        corpus._home.model.process(_id=outcome.id, meta=str(sounds / "0.wav"))
    report = corpus.add(sounds, workers=1)
    assert [o.name for o in report.partial] == ["0.wav"]
    is_whole(corpus, 3)


def test_documents_and_iterations_go_on_while_the_store_is_compacted(corpus):
    held = corpus[corpus.outcomes()[0].id]
    documents = iter(corpus)
    first = next(documents)
    zounds.Corpus(corpus.path).compact()
    assert held.clip_timbre.shape == (1, 330)
    assert len({first._id, *(document._id for document in documents)}) == 3
    assert [path.name for path in corpus.path.glob("store*")] == ["store-2"]


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
def test_idle_workers_let_go_of_a_store_that_was_compacted(corpus, sounds, write):
    write(sounds / "new.wav", seed=5)
    assert len(corpus.add(sounds, workers=1).ok) == 1
    corpus.compact()
    until = time.monotonic() + 20
    while (held := deleted_files(corpus.path)) and time.monotonic() < until:
        time.sleep(0.1)
    assert held == []


def deleted_files(folder):
    """What is deleted of a folder, and still held open by a process."""
    held = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(file) for file in (process / "fd").iterdir()]
        except OSError:
            continue
        held += [link for link in links if str(folder) in link and link.endswith(" (deleted)")]
    return held


def test_a_corpus_that_was_renamed_while_it_was_open_is_opened_again(corpus, sounds, tmp_path):
    assert len(corpus) == 3
    renamed = zounds.Corpus(corpus.path.rename(tmp_path / "renamed"))
    is_whole(renamed, 3)
    assert len(renamed.add(sounds, workers=1).skipped) == 3
    renamed.path.rename(corpus.path)
    is_whole(corpus, 3)


def test_the_corpus_is_locked_as_long_as_a_given_executor_writes(tmp_path, write):
    for number in range(60):
        write(tmp_path / "many" / f"{number}.wav", seed=number)
    corpus = zounds.Corpus(tmp_path / "corpus")

    def stop(progress):
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as executor:
        with pytest.raises(KeyboardInterrupt):
            corpus.add(tmp_path / "many", executor=executor, progress=stop)
        kept = len(corpus)
    assert len(corpus) == kept


def test_what_was_finished_before_a_long_file_is_on_disk_meanwhile(tmp_path, write):
    write(tmp_path / "sounds" / "a.wav")
    write(tmp_path / "sounds" / "long.flac", seconds=900)
    corpus = zounds.Corpus(tmp_path / "corpus")
    adding = threading.Thread(target=corpus.add, args=[tmp_path / "sounds"], kwargs={"workers": 1})
    adding.start()
    seen = []
    while adding.is_alive():
        if corpus.exists():
            seen.append(len(corpus))
        time.sleep(0.01)
    adding.join()
    assert 1 in seen
    assert len(corpus) == 2


def test_a_name_that_cannot_be_a_file_is_one_line(corpus):
    report = corpus.add("\ud800.wav", "a\0b.wav", workers=1)
    assert len(report.failed) == 2
    assert all("\n" not in outcome.why for outcome in report.failed)


def test_a_search_does_not_read_the_index_again(corpus, sounds, monkeypatch, write):
    for number in range(3, 8):
        write(sounds / f"{number}.wav", seconds=1, seed=number)
    corpus.add(sounds, workers=1)
    corpus.learn()
    corpus.index(workers=1)
    before = [hit.id for hit in corpus.search(sounds / "1.wav")]
    read = []
    chunks = Document.chunks

    def counted(self, feature, value):
        read.append(feature.name)
        return chunks(self, feature, value)

    monkeypatch.setattr(Document, "chunks", counted)
    assert [hit.id for hit in corpus.search(sounds / "1.wav")] == before
    assert "snapshot" not in read
    corpus.learn(seed=1)
    with pytest.raises(zounds.SearchError, match=r"call index\(\)"):
        corpus.search(sounds / "1.wav")


def test_an_unplugged_disk_is_not_forgotten(corpus, sounds, tmp_path):
    sounds.rename(tmp_path / "unplugged")
    assert len(corpus.rescan(forget=True, workers=1).missing) == 3
    is_whole(corpus, 3)
    corpus.remove(sounds)
    assert len(corpus) == 0


def test_everything_is_removed_and_the_corpus_opens_again(corpus, sounds):
    corpus.remove(sounds)
    opens = "import sys, zounds; print(zounds.Corpus(sys.argv[1]).check().problems)"
    done = subprocess.run(
        [sys.executable, "-c", opens, corpus.path], capture_output=True, text=True
    )
    assert done.stdout == "()\n", done.stderr


def test_compact_leaves_alone_what_is_not_of_the_corpus(corpus):
    for folder in ("learn-piano", "stored", "store-2024"):
        (corpus.path / folder).mkdir()
    (corpus.path / "store-list.csv").write_text("mine")
    corpus.compact()
    names = {path.name for path in corpus.path.iterdir()}
    assert {"learn-piano", "stored", "store-2024", "store-list.csv"} <= names


def test_a_store_that_is_gone_is_told(corpus):
    shutil.rmtree(corpus.path / "store")
    (problem,) = corpus.check().problems
    assert "is gone" in problem


def test_a_file_that_vanishes_while_it_is_read_leaves_nothing(corpus, sounds, write):
    long = write(sounds / "long.flac", seconds=600)
    reading = threading.Thread(target=corpus.add, args=[sounds], kwargs={"workers": 1})
    reading.start()
    time.sleep(0.6)
    long.unlink()
    reading.join()
    is_whole(corpus, len(corpus))
