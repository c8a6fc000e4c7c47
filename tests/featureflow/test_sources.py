import io
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile

import pytest

import featureflow as ff
from featureflow import spool

CONTENT = bytes(range(256)) * 10


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "sounds.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("set/a.wav", b"aaaa" * 1000)
        file.mkdir("set/empty")
        file.writestr("set/ü b.wav", CONTENT)
        file.writestr("__MACOSX/set/._a.wav", b"resource fork")
        file.writestr("set/._b.wav", b"resource fork")
    return path


@pytest.fixture
def server(tmp_path, serve, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    class Handler(serve.handler):
        def do_GET(self):
            if self.path == "/short":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"only this")
            else:
                super().do_GET()

    with serve(tmp_path, Handler) as url:
        yield url


def reopened(source):
    return ff.Source.from_record(source.record())


def test_a_file_by_path_string_and_uri(tmp_path):
    path = tmp_path / "ä #1%.wav"
    path.write_bytes(CONTENT)
    source = ff.Source.of(path)
    assert source.name == "ä #1%.wav"
    for same in (ff.Source.of(str(path)), ff.Source.of(source.uri), ff.Source.of(source)):
        assert same.read() == CONTENT
        assert same == source
    assert source.reopenable


def test_opening_gives_a_new_file_each_time_and_it_can_seek(archive, tmp_path):
    (tmp_path / "a").write_bytes(CONTENT)
    member = list(ff.iter_zip(archive))[1]
    for source in map(ff.Source.of, (tmp_path / "a", CONTENT, io.BytesIO(CONTENT), member)):
        with source.open() as one, source.open() as two:
            one.seek(100)
            assert one.read(3) == CONTENT[100:103]
            assert two.read(3) == CONTENT[:3]


def test_bytes_and_streams_are_content_that_cannot_be_reopened(tmp_path):
    (tmp_path / "n.wav").write_bytes(CONTENT)
    with (tmp_path / "n.wav").open("rb") as stream:
        source = ff.Source.of(stream)
    assert source.read() == CONTENT
    assert source.name.endswith("n.wav")
    assert not source.reopenable
    assert not ff.Source.of(CONTENT).reopenable
    with pytest.raises(ff.SourceNotFound, match=r"n\.wav was handed over as bytes or a stream"):
        reopened(source).read()


def test_a_file_found_again_is_checked(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(CONTENT)
    record = ff.Source.of(path).record()
    assert ff.Source.from_record(record).read() == CONTENT
    os.utime(path, ns=(1, 1))
    assert ff.Source.from_record(record).read() == CONTENT  # touched, and still the same
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(ff.SourceChanged, match=r"a\.wav is not what it was"):
        ff.Source.from_record(record).open()
    path.unlink()
    with pytest.raises(ff.SourceNotFound, match=r"a\.wav does not exist.*content kept"):
        ff.Source.from_record(record).open()


def test_kept_content_needs_no_file():
    record = ff.Source.of(CONTENT).record()
    source = ff.Source.from_record(record, CONTENT)
    assert source.read() == CONTENT
    assert source.digest == record["digest"]


@pytest.mark.parametrize(
    ("thing", "error", "match"),
    [
        ("/no/such/file.wav", ff.SourceNotFound, r"/no/such/file\.wav does not exist"),
        ("/dev/null/file.wav", ff.SourceNotFound, r"/dev/null/file\.wav does not exist"),
        ("a\0b", ff.SourceNotFound, "does not exist"),
        ("x" * 5000, ff.SourceError, "x cannot be read: File name too long"),
        ("/", ff.SourceError, "/ is a folder"),
        ("/dev/zero", ff.SourceError, "/dev/zero is a pipe, a socket or a device.*the stream"),
        ("http://[1/a.wav", ff.InvalidParameter, r"http://\[1/a\.wav is no URL"),
        (3, ff.InvalidParameter, "3 has no content"),
        (io.StringIO("text"), ff.InvalidParameter, "text mode"),
    ],
)
def test_what_has_no_content(thing, error, match):
    with pytest.raises(error, match=match):
        ff.Source.of(thing)


def test_iter_zip_skips_folders_and_what_macos_adds(archive):
    assert [member.filename for member in ff.iter_zip(archive)] == ["set/a.wav", "set/ü b.wav"]
    assert [member.name for member in ff.iter_zip(archive)] == ["set/a.wav", "set/ü b.wav"]


def test_iter_zip_takes_whatever_has_content(archive, tmp_path, server):
    nested = tmp_path / "nested.zip"
    with zipfile.ZipFile(nested, "w") as file:
        file.write(archive, "inner.zip")
    inner = next(ff.iter_zip(nested))
    with archive.open("rb") as stream:
        for thing in (
            archive,
            str(archive),
            archive.read_bytes(),
            stream,
            inner,
            f"{server}/sounds.zip",
        ):
            assert [member.read() for member in ff.iter_zip(thing)] == [b"aaaa" * 1000, CONTENT]


def test_members_of_a_local_archive_are_found_again_even_nested(archive, tmp_path):
    nested = tmp_path / "nested.zip"
    with zipfile.ZipFile(nested, "w") as file:
        file.write(archive, "in!/ner.zip")
    for outer in (archive, next(ff.iter_zip(nested))):
        member = list(ff.iter_zip(outer))[1]
        assert member.reopenable
        assert reopened(member).read() == CONTENT
        assert pickle.loads(pickle.dumps(member)).read() == CONTENT
        assert pickle.loads(pickle.dumps(reopened(member))).read() == CONTENT


def test_a_member_that_has_left_its_archive(archive):
    record = list(ff.iter_zip(archive))[1].record()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("other", b"")
    with pytest.raises(ff.SourceNotFound, match=r"sounds\.zip holds no set/ü b\.wav"):
        ff.Source.from_record(record).open()


def test_an_archive_that_has_gone_is_named_with_the_remedy(archive):
    record = next(ff.iter_zip(archive)).record()
    archive.unlink()
    with pytest.raises(ff.SourceNotFound, match=r"sounds\.zip does not exist.*content kept"):
        ff.Source.from_record(record).open()


def test_what_is_no_archive_is_named(tmp_path):
    (tmp_path / "no.zip").write_bytes(CONTENT)
    for thing in (tmp_path / "no.zip", b""):
        with pytest.raises(ff.SourceError, match="not a zip archive"):
            list(ff.iter_zip(thing))


def test_a_damaged_member_is_named_and_the_others_can_be_read(archive):
    data = bytearray(archive.read_bytes())
    data[45] ^= 0xFF
    members = list(ff.iter_zip(bytes(data)))
    with pytest.raises(ff.SourceError, match=r"set/a\.wav in bytes is damaged"):
        members[0].read()
    assert members[1].read() == CONTENT


def test_an_encrypted_member_is_named(archive):
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    with pytest.raises(ff.SourceError, match=r"set/a\.wav.*encrypted"):
        next(ff.iter_zip(bytes(data))).read()


def test_urls(server, tmp_path):
    (tmp_path / "x y.wav").write_bytes(CONTENT)
    source = ff.Source.of(f"{server}/x%20y.wav")
    assert source.name == "x y.wav"
    assert source.read() == CONTENT
    assert reopened(source).read() == CONTENT
    pickled = pickle.dumps(source)
    (tmp_path / "x y.wav").write_bytes(b"other")
    for known in (source, reopened(source), pickle.loads(pickled)):
        assert known.read() == CONTENT  # the server is not asked again
    record = source.record()
    assert ff.Source.of(f"{server}/x%20y.wav").read() == b"other"
    with pytest.raises(ff.SourceChanged):
        ff.Source.from_record(record).read()


def test_a_url_is_downloaded_when_it_is_opened_and_stamped_from_then_on(server, tmp_path):
    (tmp_path / "x.wav").write_bytes(CONTENT)
    source = ff.Source.of(f"{server}/x.wav")
    assert source.stamp() is None
    source.read()
    assert source.stamp()[0] == len(CONTENT)
    (tmp_path / "y.wav").write_bytes(CONTENT)
    record = ff.Source.of(f"{server}/y.wav").record()
    assert record["stamp"][0] == len(CONTENT)
    (tmp_path / "y.wav").unlink()
    assert ff.Source.from_record(record).read() == CONTENT
    with pytest.raises(ff.SourceNotFound, match=r"y\.wav answers 404"):
        ff.Source.of(f"{server}/y.wav").read()


def test_a_url_whose_copy_was_thrown_away_is_downloaded_again_and_checked(server, tmp_path):
    (tmp_path / "x.wav").write_bytes(CONTENT)
    record = ff.Source.of(f"{server}/x.wav").record()
    shutil.rmtree(tmp_path / "cache")
    assert ff.Source.from_record(record).read() == CONTENT
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "x.wav").write_bytes(CONTENT[::-1])
    with pytest.raises(ff.SourceChanged, match=r"x\.wav is not what it was"):
        ff.Source.from_record(record).read()


def test_urls_that_cannot_be_had(server):
    with pytest.raises(ff.SourceNotFound, match="/nothing answers 404"):
        ff.Source.of(f"{server}/nothing").read()
    with pytest.raises(ff.SourceError, match="/short"):
        ff.Source.of(f"{server}/short").read()
    with pytest.raises(ff.SourceError, match="cannot be downloaded"):
        ff.Source.of("http://127.0.0.1:9/x.wav").read()


def test_large_streams_go_to_a_temporary_file_that_vanishes(monkeypatch, tmp_path):
    monkeypatch.setattr(spool, "IN_MEMORY", 1000)
    monkeypatch.setattr(spool, "PIECE", 300)
    monkeypatch.setattr(spool.tempfile, "tempdir", str(tmp_path))
    source = ff.Source.of(io.BytesIO(CONTENT))
    assert len(list(tmp_path.iterdir())) == 1
    stream = source.open()
    assert source.read() == CONTENT
    del source
    assert stream.read() == CONTENT  # the file stays as long as somebody reads it
    stream.close()
    del stream
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "device"])
def test_what_has_taken_the_place_of_a_file_is_refused_at_once(tmp_path, kind):
    path = tmp_path / "a.wav"
    path.write_bytes(CONTENT)
    source = ff.Source.of(path)
    record = source.record()
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            listening.bind(os.path.relpath(path))  # whose length is limited
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to("/dev/zero")
        for refused in (
            source.open,
            ff.Source.from_record(record).open,
            lambda: ff.Source.of(path),
        ):
            with pytest.raises(ff.SourceError, match=r"a\.wav is a (pipe, a socket|folder)"):
                refused()


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs /proc")
def test_a_file_that_fails_while_it_is_read_is_named():
    for read in (ff.Source.read, lambda source: list(source.pieces())):
        with pytest.raises(ff.SourceError, match="mem cannot be read: Input/output error"):
            read(ff.Source.of("/proc/self/mem"))


AS_NOBODY = """
import os, sys
import featureflow as ff
os.setuid(65534)
for attempt in (
    lambda: ff.Source.of(sys.argv[1] + "/a.wav").open(),
    lambda: next(ff.iter_zip(sys.argv[1] + "/a.wav")),
    lambda: ff.Source.of(sys.argv[1] + "/closed/a.wav"),
    lambda: ff.Source.of(sys.argv[2]).open(),
):
    try:
        attempt()
    except ff.SourceError as error:
        print(error)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
def test_what_may_not_be_read_is_named(server):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        os.mkdir(f"{folder}/closed", 0o700)
        for name in ("a.wav", "closed/a.wav"):
            with open(f"{folder}/{name}", "wb"):
                os.chmod(f"{folder}/{name}", 0o600)
        lines = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, folder, f"{server}/sounds.zip"],
            env={**os.environ, "XDG_CACHE_HOME": f"{folder}/cache"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
    assert lines[:3] == [
        f"{folder}/a.wav cannot be read: Permission denied",
        f"{folder}/a.wav cannot be read: Permission denied",
        f"{folder}/closed/a.wav cannot be read: Permission denied",
    ]
    assert re.match(r"downloads cannot be kept in .*/cache/featureflow: Permission.*XDG", lines[3])


def test_the_digest_is_of_the_content_only(tmp_path):
    (tmp_path / "a").write_bytes(CONTENT)
    assert ff.Source.of(tmp_path / "a").digest == ff.Source.of(CONTENT).digest
    assert ff.Source.of(b"").digest != ff.Source.of(CONTENT).digest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_an_archive_read_by_a_parent_and_its_child_at_once(archive):
    members = list(ff.iter_zip(archive))
    members[0].read()
    child = os.fork()
    if child == 0:
        right = all(members[1].read() == CONTENT for _ in range(200))
        os._exit(0 if right else 1)
    right = all(members[1].read() == CONTENT for _ in range(200))
    assert os.waitpid(child, 0)[1] == 0
    assert right
