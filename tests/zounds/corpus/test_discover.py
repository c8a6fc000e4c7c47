import gc
import io
import os
import pickle
import sys
import tempfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

import featureflow as ff
from zounds.corpus.discover import discover, one_line


def touch(folder, *names, content=b"RIFF of a sound"):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def names(found):
    return [source.name for source in found.sources]


def test_sounds_come_in_the_order_of_names_with_those_of_subfolders(tmp_path):
    touch(tmp_path, "b.wav", "a/z.flac", "c/d/e.mp3", "B.WAV", "a.ogg")
    assert names(discover([tmp_path])) == ["B.WAV", "z.flac", "a.ogg", "b.wav", "e.mp3"]


def test_what_is_no_sound_by_name_and_content_is_passed_over_and_counted(tmp_path):
    touch(tmp_path, "a.wav", "b.MP3")
    touch(tmp_path, "notes.txt", "cover.jpg", "Makefile", "empty", content=b"no sound")
    found = discover([tmp_path])
    assert names(found) == ["a.wav", "b.MP3"]
    assert (found.others, found.failed) == (4, [])


def test_hidden_files_and_folders_are_left_alone(tmp_path):
    touch(tmp_path, "a.wav", ".b.wav", "._a.wav", ".git/c.wav", "__MACOSX/d.wav", ".DS_Store")
    found = discover([tmp_path])
    assert names(found) == ["a.wav"]
    assert found.others == 0


HEADERS = [
    *(b"fLaC", b"OggS", b"ID3\4", b"caff", b".snd", b"wvpk", b"RF64", b"NIST_1A"),
    *(b"RIFF\0\0\0\0WAVE", b"RIFX\0\0\0\0WAVE", b"FORM\0\0\0\0AIFC"),
]


@pytest.mark.parametrize("content", HEADERS)
def test_a_sound_without_an_ending_is_known_by_its_first_bytes(tmp_path, content):
    touch(tmp_path / "s", "take 1", "take.2", content=content + bytes(20))
    path = packed(tmp_path / "set.zip", "take 1", "take.2", content=content + bytes(20))
    for way in (tmp_path / "s", path, path.read_bytes()):
        assert names(discover([way])) == ["take 1", "take.2"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.webp", b"WEBP"), ("a.sf2", b"sfbk"), ("a.iff", b"ILBM"), ("a", b"RMID"), ("b.ani", b"AC")],
)
def test_containers_of_sound_that_hold_something_else_are_passed_over(tmp_path, name, content):
    form = b"FORM" if name.endswith("iff") else b"RIFF"
    content = form + b"\0\0\1\0" + content
    touch(tmp_path / "s", name, content=content)
    path = packed(tmp_path / "set.zip", name, content=content)
    for way in (tmp_path / "s", path):
        found = discover([way])
        assert (found.sources, found.failed, found.others) == ([], [], 1)


@pytest.mark.parametrize("name", ["a.mkv", "a.MOV", "a.sph"])
def test_what_may_hold_sound_is_taken(tmp_path, name):
    touch(tmp_path / "s", name, content=b"anything")
    path = packed(tmp_path / "set.zip", name, content=b"anything")
    for way in (tmp_path / "s", path):
        assert names(discover([way])) == [name]


def test_to_know_a_member_by_its_first_bytes_it_is_not_unpacked(tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("take 1", b"OggS" + os.urandom(1 << 20))
    content = path.read_bytes()
    path.write_bytes(content[:500_000] + b"not it" + content[500_006:])
    with pytest.raises(ff.SourceError, match="is damaged"):
        next(ff.iter_zip(path)).read()
    assert names(discover([path])) == ["take 1"]


def test_what_is_named_itself_is_taken_whatever_it_is(tmp_path):
    touch(tmp_path, "notes.txt", ".hidden.wav", content=b"no sound")
    found = discover([tmp_path / "notes.txt", tmp_path / ".hidden.wav"])
    assert names(found) == ["notes.txt", ".hidden.wav"]


def test_the_roots_are_what_was_named(tmp_path):
    touch(tmp_path, "deep/a.wav", "b.wav")
    named = [tmp_path / "deep", tmp_path / "b.wav", tmp_path / "missing", b"RIFF", tmp_path]
    found = discover(named)
    assert found.roots == [path.as_uri() for path in (named[0], named[1], tmp_path)]


def test_each_is_found_once_however_it_is_named(tmp_path, monkeypatch):
    touch(tmp_path, "deep/a.wav", "b.wav")
    monkeypatch.chdir(tmp_path)
    ways = ["b.wav", tmp_path, str(tmp_path), "deep/../b.wav", [tmp_path / "deep"], "."]
    assert sorted(names(discover(ways))) == ["a.wav", "b.wav"]


def test_iterables_may_be_nested_and_generated(tmp_path):
    touch(tmp_path, *(f"{number}.wav" for number in range(5)))
    path = [tmp_path / f"{number}.wav" for number in range(5)]
    found = discover([path[0], [path[1], (path[2],)], (one for one in path[3:4]), {path[4]}])
    assert names(found) == [f"{number}.wav" for number in range(5)]


def test_content_that_was_handed_over_is_told_by_its_digest():
    stream = io.BytesIO(b"RIFF two")
    found = discover([b"RIFF one", bytearray(b"RIFF one"), stream, memoryview(b"RIFF three")])
    assert [source.read() for source in found.sources] == [b"RIFF one", b"RIFF two", b"RIFF three"]
    assert len({source.uri for source in found.sources}) == 3
    assert found.roots == []


def packed(path, *members, content=b"RIFF of a sound"):
    with zipfile.ZipFile(path, "w") as archive:
        for name in members:
            archive.writestr(name, content)
    return path


def test_members_of_archives_are_listed_wherever_the_archive_comes_from(tmp_path):
    path = packed(tmp_path / "set.zip", "x/a.wav", "notes.txt", "__MACOSX/x/._a.wav", ".b.wav")
    for way in (tmp_path, path, path.read_bytes(), path.open("rb"), ff.Source.of(path)):
        found = discover([way])
        assert names(found) == ["x/a.wav", ".b.wav"]
        assert found.others == 1
        if hasattr(way, "close"):
            way.close()


def test_an_archive_that_is_named_needs_no_ending(tmp_path):
    assert names(discover([packed(tmp_path / "set", "a.wav")])) == ["a.wav"]
    assert names(discover([packed(tmp_path / "set.dat", "a.wav")])) == ["a.wav"]


def test_an_archive_of_many_members_is_not_unpacked(tmp_path):
    path = packed(tmp_path / "set.zip", *(f"{number}.wav" for number in range(3000)))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"RIFF of a sound", b"no longer sound"))
    assert len(discover([path]).sources) == 3000


@pytest.mark.parametrize("ending", ["", ".wav", ".zip"])
def test_what_is_not_there_is_told_by_name(tmp_path, ending):
    found = discover([tmp_path / f"missing{ending}"])
    (outcome,) = found.absent
    assert f"missing{ending}" in outcome.why
    assert outcome.uri == (tmp_path / f"missing{ending}").as_uri()
    assert found.roots == found.failed == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are none on this system")
def test_pipes_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    assert discover([tmp_path]).others == 1
    (outcome,) = discover([tmp_path / "pipe.wav"]).failed
    assert "pipe" in outcome.why


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="root may read everything")
def test_a_folder_that_vanishes_or_is_a_link_to_nowhere_is_told(tmp_path):
    (tmp_path / "dead.wav").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    touch(tmp_path, "a.wav")
    found = discover([tmp_path])
    assert names(found) == ["a.wav"]
    assert sorted(outcome.name for outcome in found.failed) == ["dead.wav", "loop"]
    for outcome in found.failed:
        assert outcome.name in outcome.why


def test_a_corpus_among_the_sounds_is_left_out(tmp_path):
    touch(tmp_path, "a.wav", "other/c.wav")
    card = b'{"format": 1, "preset": "post", "store": "store"}'
    touch(tmp_path / "corpus", "corpus.json", content=card)
    touch(tmp_path / "corpus", "store/b.wav")
    touch(tmp_path / "others", "d.wav")
    touch(tmp_path / "others", "corpus.json", content=b'{"texts": 300}')
    assert names(discover([tmp_path])) == ["a.wav", "c.wav", "d.wav"]


@given(st.text())
def test_a_message_of_one_line_can_be_printed_anywhere(text):
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    line.encode()
    assert one_line(line) == line


def test_members_of_an_archive_of_bytes_travel_without_any_content(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}.wav", bytes(10_000))
    sources = discover([content.getvalue()]).sources
    for source in sources:
        packed = pickle.dumps(source)
        assert len(packed) < 1000
        again = pickle.loads(packed)
        assert again.record() == source.record()
        assert again.read() == bytes(10_000)
    assert len({source.uri for source in sources}) == 20
    assert len(list(tmp_path.iterdir())) == 1
    del source, again, sources
    gc.collect()
    assert list(tmp_path.iterdir()) == []
