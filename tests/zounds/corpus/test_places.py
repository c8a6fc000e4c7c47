import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import featureflow as ff
from featureflow.source import FileSource
from zounds.corpus.places import into_archive, is_handed, is_within, local_path, shown

PATHS = st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=4)


def path_of(parts):
    plain = (part.replace(b"/", b"_").replace(b"\0", b"_").strip(b".") or b"x" for part in parts)
    return Path(os.fsdecode(b"/" + b"/".join(plain)))


@pytest.mark.skipif(os.name == "nt", reason="its paths begin with a drive")
@given(PATHS)
def test_every_path_is_found_again_by_its_uri_and_can_be_printed(parts):
    path = path_of(parts)
    uri = FileSource(path).uri
    assert uri.isascii()
    assert local_path(uri) == path
    assert shown(uri) == os.fsencode(path).decode(errors="replace")
    shown(uri).encode()


@pytest.mark.skipif(os.name == "nt", reason="its paths begin with a drive")
@given(PATHS, PATHS)
def test_a_folder_holds_what_lies_in_it_and_nothing_else(parts, more):
    folder, inner = path_of(parts), path_of(parts) / path_of(more).relative_to("/")
    other = folder.with_name(folder.name + "x")
    for inside in (inner, folder):
        assert is_within(FileSource(inside).uri, {FileSource(folder).uri})
        member = f"zip:{FileSource(inside).uri}!/a.wav"
        assert is_within(member, {FileSource(folder).uri})
        assert is_within(member, {member})
    assert not is_within(FileSource(folder).uri, {FileSource(inner).uri})
    assert not is_within(FileSource(inner).uri, {FileSource(other).uri})
    assert not is_within(f"zip:{FileSource(other).uri}!/a.wav", {FileSource(folder).uri})


def test_everything_lies_in_the_root():
    assert is_within("file:///a/b.wav", {"file:///"})
    assert not is_within("https://x.org/b.wav", {"file:///"})


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://x.org/a.wav", "https://x.org/a.wav"),
        ("zip:https://x.org/a.zip!/b/c%20d.wav", "https://x.org/a.zip/b/c d.wav"),
        ("zip:zip:file:///a.zip!/b.zip!/c.wav", "/a.zip/b.zip/c.wav"),
        ("data:,bytes#0a1b", "data:,bytes#0a1b"),
    ],
)
def test_uris_are_shown_the_way_people_write_them(uri, expected):
    assert shown(uri) == expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("data:,bytes", True),
        ("zip:data:,stream#12!/a.wav", True),
        ("zip:zip:data:,stream#12!/a.zip!/b.wav", True),
        ("file:///data:,bytes", False),
        ("zip:file:///data:,a.zip!/a.wav", False),
        ("https://x.org/a.wav", False),
    ],
)
def test_what_was_handed_over_is_nowhere_else(uri, expected):
    assert is_handed(uri) is expected


def test_a_path_into_an_archive_is_that_of_the_member_unless_there_is_such_a_file(tmp_path):
    path = tmp_path / "ä b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("kicks/ü 1.wav", b"RIFF")
    (member,) = ff.iter_zip(path)
    assert into_archive(Path(shown(member.uri))) == member.uri
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "folder.zip").mkdir()
    for other in ("no.wav", "a.wav", "a.wav/b.wav", "folder.zip/b.wav", "x" * 5000, "a\0b"):
        assert into_archive(tmp_path / other) is None
