import os
import zipfile

import pytest

import zounds
from zounds.audio.encode import encode


def names(outcomes):
    return sorted(outcome.name for outcome in outcomes)


def summary(changes):
    """What has changed, by name; without what is empty."""
    kinds = ("new", "changed", "moved", "missing", "failed", "mended")
    listed = {kind: names(getattr(changes, kind)) for kind in kinds}
    return {**{kind: found for kind, found in listed.items() if found}, "same": changes.unchanged}


@pytest.fixture
def ids(corpus, sounds):
    """A corpus of the three sounds: their ids by name."""
    return {outcome.name: outcome.id for outcome in corpus.add(sounds, workers=1).ok}


def ids_of(corpus):
    return {outcome.name: outcome.id for outcome in corpus.outcomes() if outcome.is_document}


# ---------------------------------------------------------------------------- what is there


def test_where_nothing_has_changed_nothing_is_done(corpus, ids, values):
    before, state = values(corpus), corpus.info()
    told = []
    changes = corpus.rescan(workers=1, progress=told.append)
    assert summary(changes) == {"same": 3}
    assert str(changes) == "0 new, 0 changed, 0 moved, 0 missing, 0 failed, 3 unchanged"
    assert told == []
    assert values(corpus) == before
    assert corpus.info() == state


def test_new_changed_and_touched_files(corpus, sounds, ids, save, values, agrees):
    before = values(corpus)
    save(sounds / "new.wav", 9)
    save(sounds / "a.wav", 10)
    os.utime(sounds / "b.wav", ns=(1, 10**18))
    changes = corpus.rescan(workers=1)
    assert summary(changes) == {"new": ["new.wav"], "changed": ["a.wav"], "same": 2}
    assert changes.changed[0].id == ids["a.wav"]
    after = values(corpus)
    assert after[ids["a.wav"]] != before[ids["a.wav"]]
    assert after[ids["b.wav"]] == before[ids["b.wav"]]
    assert ids_of(corpus) == {**ids, "new.wav": changes.new[0].id}
    assert summary(corpus.rescan(workers=1)) == {"same": 4}
    agrees(corpus)


@pytest.mark.parametrize("touch", ["touched", "moved"])
def test_what_is_not_whole_stays_so(corpus, sounds, touch):
    path = sounds / "a.wav"
    path.write_bytes(path.read_bytes()[:20_000])
    (before,) = corpus.add(sounds, workers=1).partial
    if touch == "touched":
        os.utime(path, ns=(1, 10**18))
    else:
        path.rename(sounds / "deep" / "a.wav")
    corpus.rescan(workers=1)
    (after,) = (outcome for outcome in corpus.outcomes() if outcome.status == "partial")
    assert (after.id, after.why) == (before.id, before.why)


# ---------------------------------------------------------------------------- what has moved


def test_a_renamed_file_keeps_its_document(corpus, sounds, ids, values, agrees):
    before = values(corpus)
    renamed = (sounds / "a.wav").rename(sounds / "deep" / "renamed.wav")
    changes = corpus.rescan(workers=1)
    assert summary(changes) == {"moved": ["renamed.wav"], "same": 2}
    assert (changes.moved[0].id, changes.moved[0].path) == (ids["a.wav"], renamed)
    assert values(corpus) == before
    assert corpus[ids["a.wav"]]._name == "renamed.wav"
    assert len(corpus[ids["a.wav"]].pcm) == 17640
    assert summary(corpus.rescan(workers=1)) == {"same": 3}
    agrees(corpus)


def test_a_moved_folder_keeps_its_documents(corpus, sounds, ids, values, agrees):
    before = values(corpus)
    (sounds / "deep").rename(sounds / "elsewhere")
    changes = corpus.rescan(workers=1)
    assert summary(changes) == {"moved": ["c.wav"], "same": 2}
    assert (values(corpus), ids_of(corpus)) == (before, ids)
    agrees(corpus)


def test_a_folder_that_was_moved_and_is_added_again_keeps_its_documents_by_rescan(
    corpus, sounds, ids, values, agrees
):
    before = values(corpus)
    elsewhere = sounds.rename(sounds.with_name("elsewhere"))
    (elsewhere / "a.wav").unlink()
    assert summary(corpus.rescan(workers=1))["missing"] == ["a.wav", "b.wav", "c.wav"]
    sounds.symlink_to(elsewhere)
    assert summary(corpus.rescan(workers=1)) == {"missing": ["a.wav"], "same": 2}
    assert values(corpus) == before


def test_of_equal_sounds_that_have_moved_each_keeps_its_name(corpus, sounds, agrees):
    content = (sounds / "a.wav").read_bytes()
    for number in range(4):
        (sounds / f"{number}.wav").write_bytes(content)
    corpus.add(sounds, workers=1)
    before = ids_of(corpus)
    for number in (3, 1, 2):
        (sounds / f"{number}.wav").rename(sounds / "deep" / f"{number}.wav")
    (sounds / "0.wav").rename(sounds / "deep" / "renamed.wav")
    changes = corpus.rescan(workers=1)
    assert names(changes.moved) == ["1.wav", "2.wav", "3.wav", "renamed.wav"]
    before["renamed.wav"] = before.pop("0.wav")
    assert ids_of(corpus) == before
    agrees(corpus)


def test_two_files_that_change_places_are_found(corpus, sounds, ids, values, agrees):
    before = values(corpus)
    a, b = sounds / "a.wav", sounds / "b.wav"
    other = a.rename(sounds / "tmp.wav")
    b.rename(a)
    other.rename(b)
    corpus.rescan(workers=1)
    assert sorted(values(corpus).values()) == sorted(before.values())
    agrees(corpus)


def test_a_rescan_that_was_interrupted_loses_nothing_that_has_moved(corpus, sounds, ids, agrees):
    (sounds / "a.wav").rename(sounds / "renamed.wav")

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        corpus.rescan(workers=1, progress=stop)
    changes = corpus.rescan(forget=True, workers=1)
    assert (changes.missing, changes.failed) == ((), ())
    assert len(corpus) == 3
    assert ids["a.wav"] in corpus
    agrees(corpus)


# ---------------------------------------------------------------------------- what is gone


def test_what_is_gone_is_kept_and_marked_until_it_comes_back(corpus, sounds, ids, values, agrees):
    before = values(corpus)
    hidden = (sounds / "a.wav").rename(sounds.parent / "hidden.wav")
    changes = corpus.rescan(workers=1)
    assert summary(changes) == {"missing": ["a.wav"], "same": 2}
    assert (values(corpus), ids_of(corpus)) == (before, ids)
    assert corpus.info().missing == 1
    assert [outcome.name for outcome in corpus.outcomes() if outcome.missing] == ["a.wav"]
    assert summary(corpus.rescan(workers=1)) == {"missing": ["a.wav"], "same": 2}

    hidden.rename(sounds / "a.wav")
    assert summary(corpus.rescan(workers=1)) == {"same": 3}
    assert corpus.info().missing == 0
    assert values(corpus) == before
    agrees(corpus)


def test_adding_what_came_back_unmarks_it_too(corpus, sounds, ids):
    hidden = (sounds / "a.wav").rename(sounds.parent / "hidden.wav")
    corpus.rescan(workers=1)
    hidden.rename(sounds / "a.wav")
    corpus.add(sounds, workers=1)
    assert corpus.info().missing == 0
    assert ids_of(corpus) == ids


def test_what_is_gone_can_be_forgotten(corpus, sounds, ids, agrees):
    (sounds / "a.wav").unlink()
    corpus.rescan(workers=1)
    changes = corpus.rescan(forget=True, workers=1)
    assert summary(changes) == {"missing": ["a.wav"], "same": 2}
    assert ids["a.wav"] not in corpus
    assert names(corpus.outcomes()) == ["b.wav", "c.wav"]
    assert summary(corpus.rescan(workers=1)) == {"same": 2}
    agrees(corpus)


def test_a_disk_that_is_unplugged_is_one_line_and_loses_nothing(
    corpus, sounds, ids, values, agrees
):
    before = values(corpus)
    unplugged = sounds.rename(sounds.with_name("unplugged"))
    changes = corpus.rescan(workers=1)
    assert names(changes.missing) == ["a.wav", "b.wav", "c.wav"]
    (outcome,) = changes.failed
    assert str(sounds) in outcome.why
    assert "\n" not in outcome.why
    assert (values(corpus), ids_of(corpus)) == (before, ids)
    assert corpus.info().roots == (sounds.as_uri(),)
    unplugged.rename(sounds)
    assert summary(corpus.rescan(workers=1)) == {"same": 3}
    agrees(corpus)


def test_a_sound_that_was_added_alone_is_gone_by_one_line_only(corpus, sounds):
    corpus.add(sounds / "a.wav", sounds / "b.wav", workers=1)
    (sounds / "a.wav").unlink()
    assert summary(corpus.rescan(workers=1)) == {"missing": ["a.wav"], "same": 1}
    corpus.rescan(forget=True, workers=1)
    assert summary(corpus.rescan(workers=1)) == {"same": 1}


def test_what_could_not_be_read_is_read_again_when_it_has_changed(corpus, sounds, save, agrees):
    (sounds / "a.wav").write_bytes(b"RIFF")
    (sounds / "b.wav").write_bytes(b"RIFF")
    corpus.add(sounds, workers=1)
    assert summary(corpus.rescan(workers=1)) == {"same": 1}
    save(sounds / "a.wav", 5)
    assert summary(corpus.rescan(workers=1)) == {"new": ["a.wav"], "same": 1}
    (sounds / "b.wav").unlink()
    assert summary(corpus.rescan(workers=1)) == {"same": 2}
    assert names(corpus.outcomes()) == ["a.wav", "c.wav"]
    agrees(corpus)


def test_a_sound_that_broke_is_missing_like_one_that_vanished(corpus, sounds, ids, values, agrees):
    before, content = values(corpus), (sounds / "a.wav").read_bytes()
    (sounds / "a.wav").write_bytes(b"")
    (sounds / "b.wav").unlink()
    for _ in range(2):
        changes = corpus.rescan(workers=1)
        assert summary(changes) == {"missing": ["a.wav", "b.wav"], "same": 1}
        for outcome in changes.missing:
            assert outcome.name in outcome.why
            assert "\n" not in outcome.why
            assert ("not there any more" in outcome.why) == (outcome.name == "b.wav")
    assert (values(corpus), ids_of(corpus)) == (before, ids)
    assert corpus.info().missing == 2
    agrees(corpus)
    (sounds / "a.wav").write_bytes(content)
    assert summary(corpus.rescan(workers=1)) == {"missing": ["b.wav"], "same": 2}
    assert (values(corpus), ids_of(corpus)) == (before, ids)


def test_a_sound_that_broke_can_be_forgotten(corpus, sounds, ids, agrees):
    (sounds / "a.wav").write_bytes(b"RIFF")
    changes = corpus.rescan(forget=True, workers=1)
    assert summary(changes) == {"missing": ["a.wav"], "same": 2}
    assert ids["a.wav"] not in corpus
    assert corpus.info().missing == 0
    agrees(corpus)
    # and is known as what it is now: the next look finds nothing new
    (failed,) = (outcome for outcome in corpus.outcomes() if outcome.status == "failed")
    assert (failed.name, failed.id) == ("a.wav", None)
    assert summary(corpus.rescan(workers=1)) == {"same": 2}


# ---------------------------------------------------------------------------- what was removed


def test_what_was_removed_does_not_come_back_by_itself(corpus, sounds, ids, agrees):
    corpus.remove(sounds / "a.wav")
    for touch in (None, 10**18, 2 * 10**18):
        if touch:
            os.utime(sounds / "a.wav", ns=(1, touch))
        assert summary(corpus.rescan(workers=1)) == {"same": 2}
    assert names(corpus.add(sounds, workers=1).ok) == ["a.wav"]
    assert summary(corpus.rescan(workers=1)) == {"same": 3}
    assert ids_of(corpus) == ids
    agrees(corpus)


def test_a_root_that_was_removed_is_not_looked_at(corpus, sounds, ids, save):
    corpus.remove(sounds / "deep", sounds)
    save(sounds / "new.wav", 7)
    assert summary(corpus.rescan(workers=1)) == {"same": 0}
    assert corpus.info().roots == ()
    assert corpus.outcomes() == ()


# ---------------------------------------------------------------------------- files, archives


def test_sounds_that_were_added_one_by_one(corpus, sounds, save, agrees):
    corpus.add(sounds / "a.wav", sounds / "b.wav", workers=1)
    save(sounds / "a.wav", 9)
    assert summary(corpus.rescan(workers=1)) == {"changed": ["a.wav"], "same": 1}
    agrees(corpus)


def packed(path, **files):
    """An archive of some files, by their names without the ending."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files.items():
            archive.writestr(f"{name}.wav", file.read_bytes())
    return path


def test_an_archive_that_was_replaced(corpus, sounds, values, agrees):
    a, b, c = sounds / "a.wav", sounds / "b.wav", sounds / "deep" / "c.wav"
    path = packed(sounds.parent / "set.zip", one=a, two=b)
    corpus.add(path, workers=1)
    before, own = values(corpus), ids_of(corpus)
    packed(path, one=a, two=c, three=b)
    changes = corpus.rescan(workers=1)
    assert summary(changes) == {"new": ["three.wav"], "changed": ["two.wav"], "same": 1}
    assert values(corpus)[own["one.wav"]] == before[own["one.wav"]]
    assert {name: ids_of(corpus)[name] for name in own} == own
    packed(path, one=a, two=c)
    assert summary(corpus.rescan(workers=1)) == {"missing": ["three.wav"], "same": 2}
    agrees(corpus)


def test_an_archive_that_was_renamed_keeps_its_documents(corpus, sounds, values, agrees):
    path = packed(sounds / "set.zip", one=sounds / "a.wav", two=sounds / "b.wav")
    corpus.add(sounds, workers=1)
    before, own = values(corpus), ids_of(corpus)
    path.rename(sounds / "deep" / "renamed.zip")
    changes = corpus.rescan(workers=1)
    assert summary(changes) == {"moved": ["one.wav", "two.wav"], "same": 3}
    assert (values(corpus), ids_of(corpus)) == (before, own)
    agrees(corpus)


def test_an_archive_in_an_archive_is_told_once(corpus, sounds):
    inner = packed(sounds.parent / "inner.zip", one=sounds / "a.wav")
    with zipfile.ZipFile(sounds / "outer.zip", "w") as archive:
        archive.write(inner, "inner.zip")
    (told,) = corpus.add(sounds, workers=1).failed
    (again,) = corpus.rescan(workers=1).failed
    assert again.why == told.why


def test_an_archive_that_broke_leaves_its_documents(corpus, sounds, agrees):
    path = packed(sounds / "set.zip", one=sounds / "a.wav")
    corpus.add(sounds, workers=1)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    changes = corpus.rescan(workers=1)
    assert len(changes.failed) == 1
    assert "set.zip" in changes.failed[0].why
    assert len(corpus) == 4
    path.write_bytes(content)
    assert summary(corpus.rescan(workers=1)) == {"same": 4}
    agrees(corpus)


def test_bytes_never_go_missing(corpus, sounds, make, agrees):
    path = packed(sounds.parent / "set.zip", one=sounds / "a.wav")
    corpus.add(encode(make(1), "wav"), path.read_bytes(), workers=1)
    assert summary(corpus.rescan(forget=True, workers=1)) == {"same": 2}
    assert len(corpus) == 2
    agrees(corpus)


def test_urls_are_asked_again(corpus, sounds, serve, save, agrees):
    for path in sounds.rglob("*.wav"):
        os.utime(path, ns=(10**18, 10**18))
    with serve(sounds) as url:
        (before,) = corpus.add(f"{url}/a.wav", workers=1).ok
        assert summary(corpus.rescan(workers=1)) == {"same": 1}
        save(sounds / "a.wav", 9)
        changes = corpus.rescan(workers=1)
        assert summary(changes) == {"changed": ["a.wav"], "same": 0}
        assert changes.changed[0].id == before.id
    changes = corpus.rescan(forget=True, workers=1)  # the copy is as good as it was
    assert len(corpus) == 1
    agrees(corpus)


def test_the_changes_are_plain_values(corpus, sounds, ids):
    (sounds / "a.wav").unlink()
    record = corpus.rescan(workers=1).record()
    assert record["unchanged"] == 2
    (missing,) = record["missing"]
    assert (missing["name"], missing["missing"]) == ("a.wav", True)
    assert missing["why"] == "a.wav: it is not there any more"
    assert record["new"] == record["changed"] == record["moved"] == record["failed"] == []


def test_in_a_notebook_changes_are_one_line(corpus, sounds):
    corpus.add(sounds, workers=1)
    said = "<Changes: 0 new, 0 changed, 0 moved, 0 missing, 0 failed, 3 unchanged>"
    assert repr(corpus.rescan(workers=1)) == said


def test_a_corpus_among_its_sounds_is_no_sound(sounds, agrees):
    corpus = zounds.Corpus(sounds / "corpus")
    assert names(corpus.add(sounds, workers=1).outcomes) == ["a.wav", "b.wav", "c.wav"]
    assert summary(corpus.rescan(workers=1)) == {"same": 3}
    agrees(corpus)
