import io
import os
import pickle
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
def server(tmp_path, serve):
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
        ("/", ff.SourceError, "/ is a folder"),
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


def test_members_of_a_downloaded_archive_are_not_to_be_found_again(server, archive):
    assert not next(ff.iter_zip(f"{server}/sounds.zip")).reopenable


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
    (tmp_path / "x y.wav").write_bytes(b"other")
    with pytest.raises(ff.SourceChanged):
        reopened(source).read()


def test_urls_that_cannot_be_had(server):
    with pytest.raises(ff.SourceNotFound, match="/nothing answers 404"):
        ff.Source.of(f"{server}/nothing").read()
    with pytest.raises(ff.SourceError, match="/short"):
        ff.Source.of(f"{server}/short").read()
    with pytest.raises(ff.SourceError, match="cannot be downloaded"):
        ff.Source.of("http://127.0.0.1:9/x.wav").read()


def test_large_streams_go_to_a_temporary_file_that_vanishes(monkeypatch, tmp_path):
    monkeypatch.setattr(spool, "_IN_MEMORY", 1000)
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
