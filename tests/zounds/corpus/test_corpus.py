import io
import json
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import featureflow as ff
import zounds
from zounds.audio.encode import encode
from zounds.corpus.places import shown

LINUX = sys.platform.startswith("linux")


def names(outcomes):
    return sorted(outcome.name for outcome in outcomes)


# ---------------------------------------------------------------------------- adding files


def test_a_folder_is_read_with_its_subfolders(corpus, sounds, agrees):
    report = corpus.add(sounds, workers=1)
    assert names(report.ok) == ["a.wav", "b.wav", "c.wav"]
    assert report.outcomes == report.ok
    assert report.seconds == pytest.approx(1.2)
    assert report.elapsed > 0
    assert {outcome.path for outcome in report.ok} == set(sounds.rglob("*.wav"))
    for outcome in report.ok:
        assert (outcome.samplerate, outcome.channels) == (44100, 1)
        assert (outcome.why, outcome.missing) == ("", False)
    agrees(corpus)


@pytest.mark.parametrize(
    ("preset", "shapes"),
    [
        ("timbre", {"clip_timbre": (1, 330), "segment_timbres": (1, 330)}),
        ("post", {"bfcc": (17, 13)}),
    ],
)
def test_documents_have_the_features_of_the_preset_and_the_samples_of_the_file(
    tmp_path, save, make, preset, shapes
):
    corpus = zounds.Corpus(tmp_path / "corpus", preset)
    path = save(tmp_path / "a.wav", seed=3)
    (outcome,) = corpus.add(path, workers=1).ok
    document = corpus[outcome.id]
    assert np.abs(np.asarray(document.pcm) - np.asarray(make(3))).max() < 2**-14
    assert {name: getattr(document, name).shape for name in shapes} == shapes
    assert document._name == "a.wav"


def test_what_was_added_is_skipped_the_next_time_and_nothing_changes(corpus, sounds, values):
    first = corpus.add(sounds, workers=1)
    stored, info = values(corpus), corpus.info()
    again = corpus.add(sounds, sounds / "a.wav", str(sounds / "deep"), workers=1)
    assert names(again.skipped) == names(first.ok)
    assert {o.id for o in again.skipped} == {o.id for o in first.ok}
    assert len(again.outcomes) == 3
    assert again.seconds == 0
    assert values(corpus) == stored
    assert corpus.info().documents == info.documents


def test_what_is_skipped_is_not_even_opened(corpus, sounds):
    corpus.add(sounds, workers=1)
    path = sounds / "a.wav"
    status = path.stat()
    path.write_bytes(bytes(status.st_size))  # silence that is no sound file
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert names(corpus.add(sounds, workers=1).skipped) == ["a.wav", "b.wav", "c.wav"]


def test_a_changed_file_replaces_its_document_and_keeps_the_id(corpus, sounds, save, make, agrees):
    before = {o.name: o.id for o in corpus.add(sounds, workers=1).ok}
    save(sounds / "a.wav", seed=9, seconds=0.6)
    report = corpus.add(sounds, workers=1)
    assert names(report.ok) == ["a.wav"]
    assert report.ok[0].id == before["a.wav"]
    assert report.ok[0].seconds == pytest.approx(0.6)
    assert np.abs(np.asarray(corpus[before["a.wav"]].pcm) - make(9, 0.6)).max() < 2**-14
    assert len(corpus) == 3
    agrees(corpus)


def test_a_touched_file_keeps_its_id_and_everything_stored(corpus, sounds, values, agrees):
    corpus.add(sounds, workers=1)
    before = values(corpus)
    os.utime(sounds / "a.wav", ns=(1, 10**18))
    assert names(corpus.add(sounds, workers=1).ok) == ["a.wav"]
    assert values(corpus) == before
    assert names(corpus.add(sounds, workers=1).skipped) == ["a.wav", "b.wav", "c.wav"]
    agrees(corpus)


def test_a_touched_file_that_is_not_whole_is_still_said_to_be_partial(corpus, sounds):
    path = sounds / "a.wav"
    path.write_bytes(path.read_bytes()[:20_000])
    (first,) = corpus.add(sounds, workers=1).partial
    os.utime(path, ns=(1, 10**18))
    (again,) = corpus.add(sounds, workers=1).partial
    assert (again.id, again.why) == (first.id, first.why)
    assert corpus.info().partial == 1


def test_the_same_sound_in_two_places_is_two_documents(corpus, sounds, agrees):
    (sounds / "copy.wav").write_bytes((sounds / "a.wav").read_bytes())
    report = corpus.add(sounds, workers=1)
    assert names(report.ok) == ["a.wav", "b.wav", "c.wav", "copy.wav"]
    assert len({outcome.id for outcome in report.ok}) == 4
    agrees(corpus)


def test_a_file_that_is_named_in_several_ways_is_read_once(corpus, sounds, monkeypatch, agrees):
    monkeypatch.chdir(sounds)
    monkeypatch.setenv("HOME", str(sounds))
    ways = [
        sounds,
        "a.wav",
        sounds / "deep" / ".." / "a.wav",
        "~/a.wav",
        (sounds / "a.wav").as_uri(),
    ]
    report = corpus.add(*ways, [sounds, str(sounds)], workers=1)
    assert names(report.outcomes) == ["a.wav", "b.wav", "c.wav"]
    agrees(corpus)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_links_that_lead_back_or_to_the_same_folder_are_followed_once(corpus, sounds, agrees):
    (sounds / "deep" / "up").symlink_to(sounds)
    (sounds / "other").symlink_to(sounds / "deep")
    (sounds / "nowhere.wav").symlink_to(sounds / "missing.wav")
    report = corpus.add(sounds, workers=1)
    assert names(report.ok) == ["a.wav", "b.wav", "c.wav"]
    assert names(report.failed) == ["nowhere.wav"]
    agrees(corpus)


def test_paths_may_be_relative_or_begin_with_a_tilde(corpus, sounds, monkeypatch):
    monkeypatch.chdir(sounds)
    monkeypatch.setenv("HOME", str(sounds.parent))
    assert names(corpus.add("deep", workers=1).ok) == ["c.wav"]
    assert names(corpus.add("~/sounds/b.wav", workers=1).ok) == ["b.wav"]
    assert {outcome.path for outcome in corpus.outcomes()} == {
        sounds / "deep" / "c.wav",
        sounds / "b.wav",
    }


UNUSUAL = ["ä ö.wav", "鼓.wav", "a#b?c%20d.wav", "it's.wav", "x" * 200 + ".wav", "é.wav", " .wav"]


@pytest.mark.parametrize("name", [*UNUSUAL, *(["two\nlines.wav", "tab\t.wav"] if LINUX else [])])
def test_unusual_names_are_kept(corpus, save, name, agrees):
    folder = corpus.path.parent / "sounds"
    path = save(folder / "deep" / name)
    (outcome,) = corpus.add(folder, workers=1).ok
    assert (outcome.name, outcome.path) == (name, path)
    assert corpus[outcome.id]._name == name
    assert len(corpus.add(path, workers=1).skipped) == 1
    assert names(corpus.remove(path)) == [name]
    agrees(corpus)


@pytest.mark.skipif(not LINUX, reason="other systems have no such names")
def test_names_that_are_no_text_are_read_and_can_be_printed(corpus, save, agrees):
    folder = corpus.path.parent / "sounds"
    good = save(folder / "a.wav")
    named = good.rename(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav"))
    broken = os.fsdecode(os.fsencode(folder) + b"/\xff.wav")
    with open(broken, "wb") as file:
        file.write(b"RIFF")
    report = corpus.add(folder, workers=1)
    assert [outcome.path for outcome in report.ok] == [named]
    str(report).encode()
    json.dumps(report.record()).encode()
    assert len(report.failed) == 1
    assert len(corpus.add(named, workers=1).skipped) == 1
    agrees(corpus)


def test_places_deep_in_the_tree_are_read(corpus, save, agrees):
    folder = corpus.path.parent / "sounds"
    deep = folder
    for number in range(6):
        deep = deep / (f"{number}" * 150)
    save(deep / "a.wav", 1)
    save(deep / "b.wav", 2)
    assert names(corpus.add(folder, workers=1).ok) == ["a.wav", "b.wav"]
    agrees(corpus)


# ---------------------------------------------------------------------------- what cannot be read


def test_files_that_cannot_be_read_are_outcomes_of_one_line_that_names_them(corpus, sounds, agrees):
    (sounds / "empty.wav").write_bytes(b"")
    (sounds / "text.mp3").write_text("this is\nno sound")
    (sounds / "header.flac").write_bytes(b"fLaC" + bytes(10))
    report = corpus.add(sounds, workers=1)
    assert names(report.ok) == ["a.wav", "b.wav", "c.wav"]
    assert names(report.failed) == ["empty.wav", "header.flac", "text.mp3"]
    for outcome in report.failed:
        assert outcome.name in outcome.why
        assert "\n" not in outcome.why
        assert (outcome.id, outcome.seconds) == (None, 0)
        assert f"failed: {outcome.why}" in str(report).splitlines()
    assert corpus.info().failed == 3
    agrees(corpus)


def test_of_a_file_that_ends_early_what_there_is_is_kept(corpus, sounds, agrees):
    whole = sounds / "a.wav"
    whole.write_bytes(whole.read_bytes()[: 44 + 2 * 10_000])
    report = corpus.add(sounds, workers=1)
    (outcome,) = report.partial
    assert outcome.name == "a.wav"
    assert "a.wav" in outcome.why
    assert "\n" not in outcome.why
    with pytest.warns(zounds.PartialAudio, match=r"a\.wav"):
        assert len(corpus[outcome.id].pcm) == 10_000
    assert outcome.seconds == pytest.approx(10_000 / 44100)
    assert report.seconds == pytest.approx(0.8 + 10_000 / 44100)
    assert f"partial: {outcome.why}" in str(report)
    assert corpus.info().partial == 1
    assert names(corpus.add(sounds, workers=1).skipped) == ["a.wav", "b.wav", "c.wav"]
    agrees(corpus)


def test_a_file_that_was_mended_is_read_the_next_time(corpus, sounds, save, agrees):
    (sounds / "a.wav").write_bytes(b"RIFF")
    (sounds / "b.wav").write_bytes((sounds / "b.wav").read_bytes()[:9000])
    report = corpus.add(sounds, workers=1)
    assert (names(report.failed), names(report.partial)) == (["a.wav"], ["b.wav"])
    save(sounds / "a.wav", 0)
    save(sounds / "b.wav", 1)
    again = corpus.add(sounds, workers=1)
    assert (names(again.ok), names(again.skipped)) == (["a.wav", "b.wav"], ["c.wav"])
    assert (corpus.info().failed, corpus.info().partial) == (0, 0)
    agrees(corpus)


BROKEN = {"empty": b"", "a header": b"RIFF", "a page": b"<html>not found</html>" * 99}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_file_that_broke_keeps_its_document_until_it_is_mended(
    corpus, sounds, save, values, content, agrees
):
    (document,) = (o.id for o in corpus.add(sounds, workers=1).ok if o.name == "a.wav")
    before = values(corpus)
    (sounds / "a.wav").write_bytes(content)
    for _ in range(2):
        report = corpus.add(sounds, workers=1)
        assert names(report.failed) == ["a.wav"]
        assert "is kept" in report.failed[0].why
        assert len(report.outcomes) == len(report.skipped) + 1
    assert values(corpus) == before
    (missing,) = (outcome for outcome in corpus.outcomes() if outcome.missing)
    assert (missing.name, missing.why) == ("a.wav", report.failed[0].why)
    assert (corpus.info().missing, corpus.info().failed) == (1, 0)
    agrees(corpus)

    save(sounds / "a.wav", 0)
    (mended,) = corpus.add(sounds, workers=1).ok
    assert (mended.id, mended.missing, mended.why) == (document, False, "")
    assert values(corpus) == before
    agrees(corpus)


def test_a_sound_of_which_a_part_was_missing_is_so_again_when_it_comes_back(corpus, sounds):
    path = sounds / "a.wav"
    content = path.read_bytes()[:20_000]
    path.write_bytes(content)
    (first,) = corpus.add(sounds, workers=1).partial
    path.write_bytes(b"")
    corpus.add(sounds, workers=1)
    path.write_bytes(content)
    (again,) = corpus.add(sounds, workers=1).partial
    assert (again.id, again.why) == (first.id, first.why)


def test_a_member_that_cannot_be_unpacked_any_more_leaves_its_document(corpus, sounds, agrees):
    path = sounds / "set.zip"
    for content, status in (((sounds / "a.wav").read_bytes(), "ok"), (b"x" * 999, "failed")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.wav", content)
        if status == "failed":
            path.write_bytes(path.read_bytes().replace(b"xxx", b"xyx"))  # against its checksum
        report = corpus.add(path, workers=1)
        assert [outcome.status for outcome in report.outcomes] == [status]
        agrees(corpus)


@pytest.mark.parametrize("wrong", ["missing.wav", "missing.zip", "no/folder", ""])
def test_what_is_not_there_is_told_and_not_remembered(corpus, sounds, wrong):
    report = corpus.add(sounds, wrong, workers=1)
    (outcome,) = report.failed
    assert len(report.ok) == 3
    assert outcome.why
    assert "\n" not in outcome.why
    assert names(corpus.outcomes()) == ["a.wav", "b.wav", "c.wav"]
    assert corpus.info().roots == (sounds.as_uri(),)
    assert corpus.rescan(workers=1).failed == ()


@pytest.mark.parametrize("wrong", [None, 3, ...], ids=repr)
def test_what_can_be_no_source_is_refused_before_anything_is_done(corpus, sounds, wrong):
    with pytest.raises(ff.InvalidParameter, match="has no content to read: give a path"):
        corpus.add(sounds, wrong, workers=1)
    assert not corpus.path.exists()
    for inside in ([sounds, wrong], {"a": wrong}.values(), (one for one in (sounds, wrong))):
        with pytest.raises(ff.InvalidParameter, match="has no content to read: give a path"):
            corpus.add(inside, workers=1)
    assert (corpus.outcomes(), corpus.info().roots) == ((), ())


def test_samples_are_no_source_and_what_would_be_one_is_said(corpus, make):
    samples = make(0)
    for several in (samples, [samples], np.zeros((2, 100))):
        with pytest.raises(ff.InvalidParameter, match=r"zounds\.encode\(samples, 'wav'\)"):
            corpus.add(several, workers=1)
    assert corpus.add(zounds.encode(samples, "wav"), workers=1).ok


def test_adding_nothing_is_fine(corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    report = corpus.add(tmp_path / "empty", [], workers=1)
    assert report.outcomes == ()
    assert len(corpus) == 0
    assert list(corpus) == []


# ---------------------------------------------------------------------------- archives, URLs, bytes


@pytest.fixture
def archive(tmp_path, sounds):
    """An archive of two sounds, with much that is no sound."""
    path = tmp_path / "packed" / "set.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as target:
        target.write(sounds / "a.wav", "x/a.wav")
        target.write(sounds / "b.wav", "b.wav")
        target.writestr("__MACOSX/x/._a.wav", b"resource fork")
        target.writestr("read me.txt", "hello")
    return path


def test_members_of_archives_are_sounds(corpus, archive, agrees):
    report = corpus.add(archive.parent, workers=1)
    assert names(report.ok) == ["b.wav", "x/a.wav"]
    assert report.others == 1
    assert names(corpus.add(archive, workers=1).skipped) == ["b.wav", "x/a.wav"]
    agrees(corpus)


def test_an_archive_in_an_archive_is_one_line(corpus, archive):
    outer = archive.with_name("outer.zip")
    with zipfile.ZipFile(outer, "w") as target:
        target.write(archive, "inner.zip")
        target.write(archive, "also inner.ZIP")
    report = corpus.add(outer, workers=1)
    assert report.ok == ()
    assert names(report.failed) == ["also inner.ZIP", "inner.zip"]
    for outcome in report.failed:
        assert outcome.name in outcome.why
        assert "unpack it first" in outcome.why


def test_a_damaged_archive_is_one_line_and_the_rest_is_read(corpus, sounds):
    (sounds / "broken.zip").write_bytes(b"PK\x03\x04 and nothing else")
    report = corpus.add(sounds, workers=1)
    assert names(report.ok) == ["a.wav", "b.wav", "c.wav"]
    (outcome,) = report.failed
    assert "broken.zip" in outcome.why


def test_urls_of_files_and_of_archives(corpus, archive, sounds, serve, agrees):
    for path in (archive, sounds / "deep" / "c.wav"):
        os.utime(path, ns=(10**18, 10**18))  # a server cannot tell what was modified just now
    with serve(sounds) as url, serve(archive.parent) as packed:
        report = corpus.add(f"{url}/deep/c.wav", f"{packed}/set.zip", f"{url}/no.wav", workers=1)
        assert names(report.ok) == ["b.wav", "c.wav", "x/a.wav"]
        (outcome,) = report.failed
        assert "/no.wav answers 404" in outcome.why
        again = corpus.add(f"{url}/deep/c.wav", f"{packed}/set.zip", workers=1)
        assert names(again.skipped) == ["b.wav", "c.wav", "x/a.wav"]
        roots = (f"{url}/deep/c.wav", f"{packed}/set.zip", f"{url}/no.wav")
        assert corpus.info().roots == roots
    agrees(corpus)


def test_a_url_that_failed_is_known_by_itself_and_forgotten_once_it_is_read(
    corpus, archive, sounds, serve, agrees
):
    folder = sounds.parent / "served"
    folder.mkdir()
    with serve(folder) as url:
        urls = [f"{url}/deep/c.wav", f"{url}/set.zip"]
        assert names(corpus.add(*urls, workers=1).failed) == ["c.wav", "set.zip"]
        failed = [(outcome.uri, outcome.why) for outcome in corpus.outcomes()]
        assert [uri for uri, _ in failed] == urls
        for uri, why in failed:
            assert why.startswith(f"{uri} answers 404")
        assert corpus.info().roots == tuple(urls)
        assert len(corpus.rescan(workers=1).failed) == 2
        assert corpus.info().failed == 2
        shutil.copytree(sounds / "deep", folder / "deep")
        assert names(corpus.add(urls[0], workers=1).ok) == ["c.wav"]
        shutil.copy(archive, folder)
        changes = corpus.rescan(workers=1)
        assert (names(changes.new), changes.failed) == (["b.wav", "x/a.wav"], ())
        assert corpus.info().failed == 0
        agrees(corpus)

        (folder / "set.zip").unlink()
        changes = corpus.rescan(forget=True, workers=1)  # it may come back: nothing is lost
        assert (names(changes.failed), changes.missing, changes.unchanged) == (["set.zip"], (), 3)
        corpus.remove(urls[1])
        assert (len(corpus), corpus.info().failed, corpus.info().roots) == (1, 0, (urls[0],))
        agrees(corpus)


@pytest.mark.parametrize("wrong", ["http://", "https:///a.wav", "http://[1/a.wav", "ftp://x.org/a"])
def test_a_url_that_leads_nowhere_is_one_failed_line(corpus, sounds, wrong):
    report = corpus.add(wrong, sounds, workers=1)
    assert len(report.ok) == 3
    (outcome,) = report.failed
    assert wrong in outcome.why
    assert "/ftp:/" not in outcome.why
    assert corpus.info().roots == (sounds.as_uri(),)


def test_a_member_of_an_archive_is_named_as_if_that_was_a_folder(corpus, archive, agrees):
    report = corpus.add(f"{archive}/x/a.wav", f"{archive}/no.wav", f"{archive}/x", workers=1)
    assert names(report.ok) == ["x/a.wav"]
    assert names(report.failed) == ["no.wav", "x"]
    assert [shown(outcome.uri) for outcome in report.ok] == [f"{archive}/x/a.wav"]
    agrees(corpus)
    corpus.add(archive, workers=1)
    assert names(corpus.remove(f"{archive}/x")) == ["x/a.wav"]
    os.remove(archive)
    assert names(corpus.remove(f"{archive}/b.wav")) == ["b.wav"]
    agrees(corpus)


def test_an_archive_that_was_broken_is_read_once_it_is_mended(corpus, archive):
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    assert names(corpus.add(archive, workers=1).failed) == ["set.zip"]
    assert names(corpus.outcomes()) == ["set.zip"]
    archive.write_bytes(whole)
    changes = corpus.rescan(workers=1)
    assert (names(changes.new), changes.failed) == (["b.wav", "x/a.wav"], ())
    assert corpus.info().failed == 0


def test_bytes_and_streams_are_kept_by_the_corpus(corpus, make, agrees):
    content = encode(make(1), "wav")
    stream = io.BytesIO(encode(make(2), "flac"))
    report = corpus.add(content, [stream, bytearray(encode(make(3), "wav"))], workers=1)
    assert len(report.ok) == 3
    assert len(corpus) == 3
    pcm = [np.asarray(document.pcm) for document in corpus]
    for seed in (1, 2, 3):
        assert any(np.abs(samples - make(seed)).max() < 2**-14 for samples in pcm)
    agrees(corpus)


def test_other_bytes_do_not_replace_those_before(corpus, make, agrees):
    for seed in (1, 2, 3):
        assert len(corpus.add(encode(make(seed), "wav"), workers=1).ok) == 1
        assert len(corpus) == seed
    report = corpus.add(encode(make(2), "wav"), workers=1)
    assert report.failed == report.partial == ()
    assert len(corpus) == 3
    agrees(corpus)


def test_members_that_were_handed_over(corpus, archive, agrees):
    handed = (member for member in ff.iter_zip(archive) if member.filename.endswith(".wav"))
    report = corpus.add(handed, workers=1)
    assert names(report.ok) == ["b.wav", "x/a.wav"]
    assert names(corpus.add(archive, workers=1).skipped) == ["b.wav", "x/a.wav"]
    agrees(corpus)


def test_an_archive_of_bytes_is_kept_too(corpus, archive, sounds, agrees):
    corpus.add(archive.read_bytes(), workers=1)
    with zipfile.ZipFile(archive, "w") as target:
        target.write(sounds / "deep" / "c.wav", "b.wav")
    corpus.add(archive.read_bytes(), workers=1)
    assert names(corpus.outcomes()) == ["b.wav", "b.wav", "x/a.wav"]
    for document in corpus:
        assert len(document.pcm) == 17640
    agrees(corpus)


# ---------------------------------------------------------------------------- how it is done


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "2"])
def test_a_number_of_workers_that_cannot_be_is_refused(corpus, sounds, wrong):
    with pytest.raises(ff.InvalidParameter, match="workers="):
        corpus.add(sounds, workers=wrong)
    assert not corpus.exists()


def test_workers_and_an_executor_exclude_each_other(corpus, sounds):
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(ff.InvalidParameter, match="workers=1 and an executor"),
    ):
        corpus.add(sounds, workers=1, executor=executor)
    assert not corpus.exists()


@pytest.fixture(scope="module")
def many(tmp_path_factory, save):
    """A folder of 24 sounds and some that cannot be read."""
    folder = tmp_path_factory.mktemp("many")
    for seed in range(24):
        save(folder / f"{seed % 3}" / f"{seed}.wav", seed, seconds=0.3)
    (folder / "bad.wav").write_bytes(b"RIFF")
    return folder


@pytest.fixture(scope="module")
def alone(many, tmp_path_factory, values):
    """What one worker makes of them."""
    corpus = zounds.Corpus(tmp_path_factory.mktemp("alone") / "corpus")
    corpus.add(many, workers=1)
    return values(corpus)


def threads(count):
    return {"executor": ThreadPoolExecutor(count)}


def processes(count):
    return {"executor": ProcessPoolExecutor(count, mp_context=get_context("spawn"))}


@pytest.mark.parametrize(
    "how",
    [lambda: {"workers": 2}, lambda: threads(1), lambda: threads(4), lambda: processes(2)],
    ids=["two workers", "a thread", "four threads", "an executor of processes"],
)
def test_the_result_does_not_depend_on_who_does_the_work(corpus, many, alone, how, values, agrees):
    given = how()
    try:
        report = corpus.add(many, **given)
    finally:
        if "executor" in given:
            given["executor"].shutdown()
    assert (len(report.ok), len(report.failed)) == (24, 1)
    assert values(corpus) == alone
    agrees(corpus)


def test_the_result_does_not_depend_on_the_order(corpus, many, alone, values):
    files = sorted(many.rglob("*.wav"), key=lambda path: path.name[::-1])
    corpus.add(*files[5:], workers=1)
    corpus.add(many, workers=1)
    assert values(corpus) == alone


def test_progress_rises_to_the_total(corpus, many):
    told = []
    corpus.add(many, workers=2, progress=told.append)
    assert len(told) > 1
    assert all(progress.task == "reading" for progress in told)
    assert {progress.total for progress in told} == {25}
    done = [progress.done for progress in told]
    assert done == sorted(set(done))
    assert (told[-1].done, told[-1].failed) == (25, 1)
    assert told[-1].seconds == pytest.approx(24 * 0.3)


def test_what_was_finished_stays_when_the_work_is_interrupted(corpus, many, alone, values, agrees):
    def stop(progress):
        if progress.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        corpus.add(many, workers=1, progress=stop)
    assert 0 < len(corpus) <= 24
    agrees(corpus)
    report = corpus.add(many, workers=1)
    assert len(report.ok) + len(report.skipped) == 24
    assert report.skipped
    assert values(corpus) == alone
    agrees(corpus)


@pytest.mark.parametrize("error", [BrokenPipeError, ZeroDivisionError])
def test_what_the_teller_of_progress_raises_is_raised(corpus, sounds, error):
    def fail(progress):
        raise error

    with pytest.raises(error):
        corpus.add(sounds, workers=1, progress=fail)
    assert len(corpus.add(sounds, workers=1).outcomes) == 3


def test_a_script_needs_no_guard(tmp_path, sounds):
    script = tmp_path / "script.py"
    script.write_text(
        "import zounds\n"
        "corpus = zounds.Corpus('corpus')\n"
        "print(len(corpus.add('sounds', workers=2).ok), len(corpus))\n"
    )
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr, done.returncode) == ("3 3\n", "", 0)


# ---------------------------------------------------------------------------- as a container


def test_it_is_iterated_in_the_order_of_ids_and_asked_for_documents(corpus, sounds):
    ids = sorted(outcome.id for outcome in corpus.add(sounds, workers=1).ok)
    assert [document._id for document in corpus] == ids
    assert len(corpus) == 3
    assert ids[0] in corpus
    assert corpus[ids[1]]._id == ids[1]
    for absent in ("nothing", "", None, 3, "x" * 1000, "ä/../b"):
        assert absent not in corpus
        with pytest.raises(ff.DocumentNotFound, match="there is no document"):
            corpus[absent]


def test_a_random_document_depends_on_the_seed_only(corpus, sounds):
    with pytest.raises(ff.DocumentNotFound, match="holds no sounds yet"):
        corpus.random()
    ids = {outcome.id for outcome in corpus.add(sounds, workers=1).ok}
    assert {corpus.random(seed)._id for seed in range(40)} == ids
    assert corpus.random(7)._id == corpus.random(7)._id
    assert corpus.random()._id in ids


def test_it_says_what_it_is(corpus, sounds):
    assert repr(corpus) == f"Corpus({str(corpus.path)!r}, preset='timbre')"
    assert not corpus.exists()
    corpus.add(sounds, workers=1)
    assert corpus.exists()
    assert zounds.Corpus(str(corpus.path)).preset == "timbre"


def test_what_only_looks_makes_no_folder(corpus):
    assert len(corpus) == 0
    assert list(corpus) == []
    assert "a" not in corpus
    assert corpus.outcomes() == ()
    assert corpus.info().documents == 0
    assert corpus.check().documents == 0
    for look in (lambda: corpus["a"], corpus.random, lambda: corpus.search(bytes(16))):
        with pytest.raises(ff.Error):
            look()
    assert not corpus.path.exists()


def test_only_sounds_make_a_corpus(corpus):
    for use in (
        *(corpus.rescan, corpus.learn, corpus.index, corpus.compact),
        lambda: corpus.remove("a.wav"),
    ):
        with pytest.raises(zounds.CorpusError, match="there is no corpus in .*: add some sounds"):
            use()
    assert not corpus.path.exists()


# ---------------------------------------------------------------------------- learning


@pytest.fixture(scope="module", params=["timbre", "post"])
def filled(tmp_path_factory, save, request):
    """A corpus of 12 sounds, and the folder of these."""
    folder = tmp_path_factory.mktemp("filled")
    for seed in range(12):
        save(folder / "sounds" / f"{seed}.wav", seed)
    corpus = zounds.Corpus(folder / "corpus", request.param)
    corpus.add(folder / "sounds", workers=1)
    return corpus, folder / "sounds"


def codes(corpus):
    return {document._id: document.segments.tobytes() for document in corpus}


def test_the_same_seed_gives_the_same_codes_and_another_gives_others(filled):
    corpus, _ = filled
    corpus.learn(seed=3)
    first = codes(corpus)
    corpus.learn(seed=4)
    other = codes(corpus)
    corpus.learn(seed=3)
    assert codes(corpus) == first
    assert other != first
    assert corpus.info().learned_from == 12


def test_learning_from_other_sounds_leaves_nothing_of_them(filled, tmp_path, save):
    corpus, sounds = filled
    for seed in range(12):
        save(tmp_path / "others" / f"{seed}.wav", 50 + seed)
    corpus.learn(seed=0)
    own, files = codes(corpus), sorted(corpus.path.iterdir())
    corpus.learn(tmp_path / "others", seed=0, workers=1)
    assert codes(corpus) != own
    assert len(corpus) == len(corpus.outcomes()) == 12
    assert corpus.info().learned_from == 12
    assert sorted(corpus.path.iterdir()) == files
    corpus.learn(sounds, seed=0, workers=1)  # the same sounds, from elsewhere
    assert len(corpus) == 12
    assert corpus.info().roots == (sounds.as_uri(),)


def test_too_few_sounds_to_learn_from_leave_everything_as_it_was(filled, tmp_path, save):
    corpus, _ = filled
    corpus.learn(seed=0)
    before, files, info = codes(corpus), sorted(corpus.path.iterdir()), corpus.info()
    one = save(tmp_path / "one.wav", seconds=0.3)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    if corpus.preset == "post":
        with pytest.raises(zounds.LearningError, match="different examples for 128 centres"):
            corpus.learn(one, workers=1)
    for nothing in (tmp_path / "bad.wav", tmp_path / "missing", []):
        with pytest.raises(zounds.LearningError, match="there is nothing to learn from"):
            corpus.learn(nothing, workers=1)
    assert codes(corpus) == before
    assert sorted(corpus.path.iterdir()) == files
    assert corpus.info().learned_from == info.learned_from


@pytest.mark.parametrize("seed", [-1, 1.5, 2**32, "a", None])
def test_a_seed_that_cannot_be_is_refused(filled, seed):
    corpus, _ = filled
    with pytest.raises(ff.InvalidParameter, match="seed"):
        corpus.learn(seed=seed)


def test_an_empty_corpus_cannot_learn(corpus, sounds):
    corpus.add(sounds, workers=1)
    corpus.remove(sounds)
    with pytest.raises(zounds.LearningError):
        corpus.learn()


# ---------------------------------------------------------------------------- indexing


def test_codes_have_to_be_learned_before_they_are_indexed(corpus, sounds):
    corpus.add(sounds, workers=1)
    with pytest.raises(zounds.NotTrained, match=r"has learned no codes yet: call learn\(\)"):
        corpus.index()
    with pytest.raises(zounds.SearchError, match=r"call learn\(\) and index\(\)"):
        corpus.search(sounds / "a.wav")


def test_an_index_is_built_of_what_is_new(tmp_path, filled, save):
    other, sounds = filled
    corpus = zounds.Corpus(tmp_path / "corpus", other.preset)
    corpus.learn(sounds, workers=1)
    with pytest.raises(zounds.SearchError, match="holds no sounds yet"):
        corpus.search(bytes(16))
    with pytest.raises(zounds.SearchError):
        corpus.index(workers=1)
    corpus.add(sounds / "0.wav", sounds / "1.wav", workers=1)
    with pytest.raises(zounds.SearchError, match=r"call index\(\)"):
        corpus.search(bytes(16))
    assert not corpus.info().up_to_date
    assert corpus.index(workers=1) == 2
    assert (corpus.info().indexed, corpus.info().up_to_date) == (2, True)
    assert corpus.info().bits == 128

    corpus.add(sounds / "2.wav", workers=1)
    assert not corpus.info().up_to_date
    assert len(corpus.search(bytes(16))) == 2  # as it was
    assert corpus.index(workers=1) == 3
    assert len(corpus.search(bytes(16))) == 3
    assert corpus.index(workers=1) == 3
    corpus.remove(sounds / "0.wav")
    assert not corpus.info().up_to_date
    assert corpus.index(workers=1) == 2

    corpus.learn(sounds, seed=1, workers=1)
    with pytest.raises(zounds.SearchError, match=r"call index\(\)"):
        corpus.search(bytes(16))
    assert corpus.index(workers=1) == 2
    assert len(corpus.search(bytes(16))) == 2


def test_only_codes_that_are_missing_are_computed(filled):
    corpus, _ = filled
    corpus.learn(seed=11)
    told = []
    assert corpus.index(workers=1, progress=told.append) == 12
    assert {progress.task for progress in told} == {"coding"}
    assert (told[-1].done, told[-1].total) == (12, 12)
    before = {document._id: document._digest("segments") for document in corpus}

    victim = corpus.random(0)
    store = victim.database
    store.delete(*[key for key in store.keys(f"values/{victim._id}") if "/segments/" in key])
    assert not corpus[victim._id]._is_stored("segments")
    corpus.learn(seed=11)  # the same is learned, and the index is to be built again
    told.clear()
    assert corpus.index(workers=1, progress=told.append) == 12
    assert told[-1].total == 1
    assert {document._id: document._digest("segments") for document in corpus} == before


def test_an_index_that_was_deleted_is_built_again(filled):
    corpus, _ = filled
    corpus.learn(seed=11)
    corpus.index(workers=1)
    expected = list(corpus.search(bytes(16)))
    for file in (corpus.path / "index").iterdir():
        file.unlink()
    (corpus.path / "index").rmdir()
    with pytest.raises(zounds.SearchError, match=r"call index\(\)"):
        corpus.search(bytes(16))
    assert corpus.index(workers=1) == 12
    assert list(corpus.search(bytes(16))) == expected


def test_a_document_that_cannot_be_coded_is_left_out_with_a_warning(tmp_path, filled):
    other, sounds = filled
    corpus = zounds.Corpus(tmp_path / "corpus", other.preset)
    corpus.add(sounds, workers=1)
    corpus.learn()
    victim = corpus.random(0)
    store = victim.database
    record = next(
        key
        for key in store.keys(f"values/{victim._id}")
        if "/bfcc/" in key or "/clip_timbre/" in key
    )
    store.write({record: b"damaged"})
    with pytest.warns(UserWarning, match=f"{victim._name} is not indexed: "):
        assert corpus.index(workers=1) == 11
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert victim._id not in {hit.id for hit in corpus.search(bytes(16), 99)}
