import io
import os
import pickle
import random
import subprocess
import sys
import time
import tracemalloc
import warnings
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

import featureflow as ff
from featureflow import archives

CONTENT = random.Random(0).randbytes(1000) * 100 + random.Random(1).randbytes(50_000)
METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
DIRECTORY = b"PK\x01\x02"
LOCAL = b"PK\x03\x04"


def zipped(*members, method=zipfile.ZIP_DEFLATED):
    """An archive of pairs of a name and content."""
    content = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(content, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return content.getvalue()


def only(archive):
    (member,) = ff.iter_zip(archive)
    return member


def patched(archive, place, content, signature=DIRECTORY, which=0):
    """An archive with other bytes at a place of a header."""
    data = bytearray(archive)
    start = -1
    for _ in range(which + 1):
        start = data.index(signature, start + 1)
    data[start + place : start + place + len(content)] = content
    return bytes(data)


@pytest.fixture(params=["in memory", "while it is read"])
def way(request, monkeypatch):
    """Both ways to unpack a member."""
    if request.param == "while it is read":
        monkeypatch.setattr(archives, "IN_MEMORY", 10)


# ---- names


def test_names_are_just_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [
        "../../x",
        "/etc/x",
        "C:\\x",
        "a//b",
        "./c",
        "~",
        "a!/b.zip!/c",
        "%2e%2e/x",
        "a\nb",
    ]
    path = tmp_path / "names.zip"
    path.write_bytes(zipped(*((name, name.encode()) for name in names)))
    members = list(ff.iter_zip(path))
    assert [member.name for member in members] == names
    for member in members:
        assert member.read() == member.name.encode()
        assert ff.Source.from_record(member.record()).read() == member.name.encode()
        assert ff.Source.of(member.uri) == member
    assert os.listdir(tmp_path) == ["names.zip"]
    assert not (tmp_path.parent.parent / "x").exists()


def test_names_in_every_encoding():
    names = ["ü", "日本", "e\u0301", "🎹", "\u202egnp.exe", "\ufffd"]
    assert [member.name for member in ff.iter_zip(zipped(*((n, b"") for n in names)))] == names
    archive = zipped(("nnn", b"old"))
    for signature, place in ((LOCAL, 30), (DIRECTORY, 46)):
        archive = patched(archive, place, b"\x81\xe1\xff", signature)
    member = only(archive)
    assert member.name == "üß\xa0"  # as in code page 437, which the format prescribes
    assert member.read() == b"old"


def test_a_member_without_a_name():
    archive = zipped(("x", b"content"))
    for signature, place in ((LOCAL, 30), (DIRECTORY, 46)):
        archive = patched(archive, place, b"\0", signature)
    assert [(member.name, member.read()) for member in ff.iter_zip(archive)] == [("", b"content")]


def test_names_that_are_not_what_they_say_they_are():
    archive = zipped(("üü", b""))
    with pytest.raises(ff.SourceError, match=r"not a zip archive that can be read.*utf-8"):
        list(ff.iter_zip(patched(archive, 46, b"\xed\xa0\x80\xff")))  # half of a surrogate pair


def test_of_the_same_name_the_last_counts():
    archive = zipped(("a", b"first"), ("b", b"other"), ("a", b"last"))
    assert {m.name: m.read() for m in ff.iter_zip(archive)} == {"a": b"last", "b": b"other"}


# ---- members of any size


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_the_content(method):
    archive = zipped(("a", CONTENT), ("empty", b""), ("b", CONTENT[::-1]), method=method)
    assert [m.read() for m in ff.iter_zip(archive)] == [CONTENT, b"", CONTENT[::-1]]
    assert [m.size for m in ff.iter_zip(archive)] == [len(CONTENT), 0, len(CONTENT)]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("method", METHODS)
def test_members_seek_like_files(method):
    member = only(zipped(("a", CONTENT), method=method))
    rng = random.Random(2)
    reference = io.BytesIO(CONTENT)
    with member.open() as stream:
        assert stream.readable()
        assert stream.seekable()
        for _ in range(60):
            offset, whence = rng.choice([(rng.randrange(200_000), 0), (-rng.randrange(999), 2)])
            assert stream.seek(offset, whence) == reference.seek(offset, whence)
            assert stream.read(5) == reference.read(5)
            step = rng.randrange(20)
            assert stream.seek(step, 1) == reference.seek(step, 1)
            mine, theirs = bytearray(300_000), bytearray(300_000)
            assert stream.readinto(mine) == reference.readinto(theirs)
            assert mine == theirs
            assert stream.tell() == reference.tell()
        with pytest.raises(ValueError, match="-1"):
            stream.seek(-1)


def test_what_is_read_again_from_the_beginning_is_checked(monkeypatch):
    monkeypatch.setattr(archives, "IN_MEMORY", 10)
    archive = zipped(("a", CONTENT), method=zipfile.ZIP_STORED)
    with only(patched(archive, 500, b"\0" * 8, LOCAL)).open() as stream:
        stream.seek(1000)
        assert stream.read() == CONTENT[1000:]
        stream.seek(0)
        with pytest.raises(ff.SourceError, match="does not fit its checksum"):
            stream.read()


class Counting(ff.Source):
    """Content that counts how much of it is read."""

    def __init__(self, content):
        super().__init__("data:,counting", "counting")
        self.content = content
        self.count = 0

    def open(self):
        outer = self

        class Stream(io.BytesIO):
            def read(self, size=-1):
                piece = super().read(size)
                outer.count += len(piece)
                return piece

        return Stream(self.content)


def test_the_size_of_a_large_member_is_known_without_unpacking_it(monkeypatch):
    monkeypatch.setattr(archives, "IN_MEMORY", 10)
    source = Counting(zipped(("a", CONTENT)))
    member = only(source)
    source.count = 0
    with member.open() as stream:
        assert stream.seek(0, 2) == len(CONTENT)
        assert stream.read() == b""
    assert source.count < 100


def test_a_member_that_is_opened_twice_in_a_row_is_unpacked_once():
    source = Counting(zipped(("a", CONTENT), ("b", CONTENT)))
    first, second = ff.iter_zip(source)
    first.read()
    before = source.count
    assert first.read() == CONTENT
    assert source.count == before
    second.read()
    first.read()
    assert source.count > before + len(CONTENT) / 2


@pytest.mark.usefixtures("way")
def test_threads_read_members_of_one_archive_at_once():
    contents = {name: random.Random(name).randbytes(200_000) for name in "abcd"}

    class Slow(Counting):
        def open(self):
            stream = super().open()
            seek = stream.seek
            stream.seek = lambda *place: (seek(*place), time.sleep(0.0001))[0]
            return stream

    members = list(ff.iter_zip(Slow(zipped(*contents.items()))))

    def right(member):
        with member.open() as stream:
            pieces = b"".join(iter(lambda: stream.read(777), b""))
        return pieces == contents[member.name]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(right, members * 10))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_member_that_is_read_on_by_parent_and_child(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "IN_MEMORY", 10)
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(("a", random.Random(3).randbytes(4_000_000))))
    truth = only(path).read()
    with only(path).open() as stream:
        start = stream.read(1000)
        child = os.fork()
        if child == 0:
            os._exit(0 if start + stream.read() == truth else 1)
        right = start + stream.read() == truth
        assert os.waitpid(child, 0)[1] == 0
    assert right


BOMB = """
import os, sys, tempfile
import featureflow as ff

method, size, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
tempfile.tempdir = os.path.dirname(path) + "/temp"
member = next(ff.iter_zip(path))
with member.open() as stream:
    assert sum(len(piece) for piece in iter(lambda: stream.read(1 << 20), b"")) == size
    assert stream.seek(-1, 2) == size - 1
print(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(
    ("method", "size"),
    [
        (zipfile.ZIP_DEFLATED, 2 << 30),
        (zipfile.ZIP_BZIP2, 300 << 20),
        (zipfile.ZIP_LZMA, 300 << 20),
    ],
)
def test_a_zip_bomb_costs_neither_memory_nor_disk(tmp_path, method, size):
    (tmp_path / "temp").mkdir()
    path = tmp_path / "bomb.zip"
    zeros = bytes(1 << 20)
    with (
        zipfile.ZipFile(path, "w", method, compresslevel=1) as file,
        file.open("bomb.wav", "w", force_zip64=True) as target,
    ):
        for _ in range(size >> 20):
            target.write(zeros)
    printed = subprocess.run(
        [sys.executable, "-c", BOMB, str(method), str(size), str(path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert int(printed) < 150_000  # KiB
    assert list((tmp_path / "temp").iterdir()) == []


# ---- bad archives


@pytest.mark.usefixtures("way")
def test_an_encrypted_member_is_named_in_one_line():
    for flag in (0x01, 0x41):
        archive = patched(zipped(("a.wav", CONTENT)), 8, bytes([flag]))
        with pytest.raises(ff.SourceError, match=r"^a\.wav in bytes is encrypted: .*password.*$"):
            only(archive).open()


@pytest.mark.usefixtures("way")
def test_a_method_nobody_knows():
    archive = patched(zipped(("a.wav", CONTENT)), 10, b"\x61\x00")
    with pytest.raises(
        ff.SourceError, match=r"a\.wav in bytes is compressed by method 97.*deflate"
    ):
        only(archive).open()


@pytest.mark.parametrize("place", [0, 28, 30])
def test_a_broken_table_of_contents(place):
    archive = patched(zipped(("a", CONTENT), ("b", CONTENT)), place, b"\xff\xff")
    with pytest.raises(ff.SourceError, match="bytes is not a zip archive that can be read"):
        list(ff.iter_zip(archive))


def test_an_archive_that_was_cut():
    archive = zipped(("a", CONTENT))
    for size in (0, 1, 100, len(archive) // 2, len(archive) - 1):
        with pytest.raises(ff.SourceError, match="not a zip archive that can be read"):
            list(ff.iter_zip(archive[:size]))


def test_an_empty_archive_holds_nothing():
    assert list(ff.iter_zip(zipped())) == []


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("method", METHODS)
def test_content_that_was_damaged_is_noticed(method):
    archive = zipped(("a.wav", CONTENT), ("b.wav", CONTENT), method=method)
    first, second = ff.iter_zip(patched(archive, 1000, b"\0\0\0\0\0\0\0\0", LOCAL))
    for _ in range(2):
        with pytest.raises(ff.SourceError, match=r"a\.wav in bytes is damaged \(.+\): copy or"):
            first.read()
    assert second.read() == CONTENT


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damage_in_the_middle_is_noticed_when_it_is_reached(monkeypatch, method):
    monkeypatch.setattr(archives, "IN_MEMORY", 10)
    noise = random.Random(4).randbytes(3_000_000)
    archive = patched(zipped(("a.wav", noise), method=method), 2_000_000, b"\0" * 50, LOCAL)
    with only(archive).open() as stream:
        assert stream.read(1_000_000) == noise[:1_000_000]
        for _ in range(2):  # not an end of the file, the second time
            with pytest.raises(ff.SourceError, match=r"a\.wav in bytes is damaged"):
                stream.read()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("more", [-100, 100])
def test_a_declared_size_that_lies(method, more):
    size = (len(CONTENT) + more).to_bytes(4, "little")
    member = only(patched(zipped(("a.wav", CONTENT), method=method), 24, size))
    with pytest.raises(ff.SourceError, match=r"a\.wav in bytes is damaged"):
        member.read()


def test_no_more_is_returned_than_declared(monkeypatch):
    monkeypatch.setattr(archives, "IN_MEMORY", 10)
    archive = patched(zipped(("a", CONTENT)), 24, (5000).to_bytes(4, "little"))
    archive = patched(archive, 16, zlib.crc32(CONTENT[:5000]).to_bytes(4, "little"))
    with only(archive).open() as stream:
        assert stream.read() == CONTENT[:5000]
        assert stream.seek(0, 2) == 5000
        assert stream.read() == b""


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("method", METHODS)
def test_compressed_content_that_ends_early(method):
    archive = zipped(("a.wav", CONTENT), method=method)
    with pytest.raises(ff.SourceError, match=r"a\.wav in bytes is damaged"):
        only(patched(archive, 20, (3000).to_bytes(4, "little"))).read()
    with pytest.raises(ff.SourceError, match=r"a\.wav in bytes is damaged"):
        only(patched(archive, 20, (3).to_bytes(4, "little"))).read()


@pytest.mark.usefixtures("way")
def test_members_that_overlap():
    archive = zipped(("a", CONTENT), ("b", CONTENT), ("c", CONTENT))
    bomb = patched(archive, 42, bytes(4), which=1)  # a and b are the same bytes
    first, second, third = ff.iter_zip(bomb)
    for member in (first, second):
        assert member.name in "ab"
    with pytest.raises(ff.SourceError, match=r"in bytes is damaged \(it overlaps"):
        [member.read() for member in (first, second)]
    assert third.read() == CONTENT
    size = (len(archive)).to_bytes(4, "little")
    with pytest.raises(ff.SourceError, match=r"a in bytes is damaged \(it overlaps"):
        next(ff.iter_zip(patched(archive, 20, size))).read()


@pytest.mark.usefixtures("way")
def test_a_member_that_is_not_where_it_should_be():
    with pytest.raises(ff.SourceError, match=r"a in bytes is damaged \(no member begins"):
        only(patched(zipped(("a", CONTENT)), 0, b"XX", LOCAL)).open()


@pytest.mark.usefixtures("way")
def test_archives_in_archives(tmp_path):
    inner = zipped(("x", CONTENT), ("y", CONTENT[::-1]))
    path = tmp_path / "outer.zip"
    path.write_bytes(zipped(("inner.zip", inner)))
    members = list(ff.iter_zip(only(path)))
    assert [member.read() for member in members] == [CONTENT, CONTENT[::-1]]
    assert [ff.Source.from_record(m.record()).read() for m in reversed(members)] == [
        *(CONTENT[::-1], CONTENT)
    ]
    damaged = patched(path.read_bytes(), 20 + len(inner) // 3, b"\0" * 8, LOCAL)
    with pytest.raises(ff.SourceError, match=r"inner\.zip in bytes is damaged"):
        [member.read() for member in ff.iter_zip(only(damaged))]


# ---- the archive's file


@pytest.mark.parametrize("change", ["other bytes", "cut"])
def test_an_archive_that_is_changed_while_it_is_read(tmp_path, monkeypatch, change):
    monkeypatch.setattr(archives, "IN_MEMORY", 10)
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(("a.wav", random.Random(5).randbytes(3_000_000))))
    with only(path).open() as stream:
        stream.read(1000)
        if change == "cut":
            os.truncate(path, 1_000_000)
        else:
            path.write_bytes(zipped(("a.wav", random.Random(6).randbytes(3_000_000))))
        with pytest.raises(ff.SourceError, match=r"a\.wav in a\.zip is damaged"):
            stream.read()


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete open files")
def test_an_archive_that_vanishes_while_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "IN_MEMORY", 10)
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(("a.wav", CONTENT)))
    member = only(path)
    with member.open() as stream:
        path.unlink()
        assert stream.read() == CONTENT
    with pytest.raises(ff.SourceNotFound, match=r"a\.zip does not exist"):
        ff.Source.from_record(member.record())


def test_an_archive_that_was_replaced_is_opened_anew(tmp_path):
    path = tmp_path / "a.zip"
    for content in (b"one", b"three"):
        path.write_bytes(zipped(("a.wav", content)))
        assert only(path).read() == content
        assert ff.Source.of(f"zip:{path.as_uri()}!/a.wav").read() == content


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
@pytest.mark.parametrize("kind", ["file", "URL", "archive in a file"])
def test_however_many_members_arrive_in_a_worker_the_archive_is_opened_once(
    tmp_path, serve, monkeypatch, kind
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "many.zip"
    content = zipped(*((f"{number}.wav", b"%d" % number) for number in range(300)))
    path.write_bytes(content if "archive" not in kind else zipped(("inner.zip", content)))
    os.utime(path, (1e9, 1e9))  # a server's time of modification of this second is not relied on
    with serve(tmp_path) as root:
        archive = {"file": path, "URL": f"{root}/many.zip"}.get(kind) or only(path)
        held = list(ff.iter_zip(archive))
        pickles = [pickle.dumps(member) for member in held]
        records = [member.record() for member in ff.iter_zip(archive)]
    members = [pickle.loads(data) for data in pickles]
    remembered = [ff.Source.from_record(record) for record in records]
    for found in (held, members, remembered):
        assert all(member.reopenable for member in found)
        assert [member.read() for member in found] == [b"%d" % number for number in range(300)]
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    opened = [os.readlink(link) for link in links if os.path.exists(link)]
    assert sum(str(tmp_path) in name for name in opened) == 1


def test_of_all_archives_no_more_than_one_member_is_kept_in_memory(tmp_path):
    members = []
    for number in range(4):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(zipped(("a", bytes(8 << 20))))
        members.append(only(path))
    tracemalloc.start()
    try:
        for member in members:
            assert len(member.read()) == 8 << 20
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 9 << 20
    assert peak < 18 << 20


def test_members_of_an_archive_at_a_url(tmp_path, serve, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "a.zip").write_bytes(zipped(("x/a.wav", CONTENT)))
    with serve(tmp_path) as root:
        member = only(f"{root}/a.zip")
        assert ff.Source.of(f"zip:{root}/a.zip!/x/a.wav") == member
        record = member.record()
    assert record["uri"] == f"zip:{root}/a.zip!/x/a.wav"
    assert len(record["stamp"]) == 2
    assert ff.Source.from_record(record).read() == CONTENT
    for path in (tmp_path / "cache/featureflow").iterdir():
        path.unlink()
    with pytest.raises(ff.SourceError, match=r"a\.zip cannot be downloaded"):
        ff.Source.from_record(record).open()


def test_an_archive_at_a_url_that_has_changed(tmp_path, serve, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with serve(tmp_path) as root:
        for name in ("one", "two", "three"):
            (tmp_path / "a.zip").write_bytes(zipped((name, CONTENT)))
            assert only(f"{root}/a.zip").name == name


def test_uris_that_lead_to_no_member(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped(("a", b"")))
    uri = f"zip:{(tmp_path / 'a.zip').as_uri()}"
    for wrong, match in ((uri, "names no member"), (uri + "!/b", "holds no b")):
        with pytest.raises(ff.SourceNotFound, match=match):
            ff.Source.of(wrong)
