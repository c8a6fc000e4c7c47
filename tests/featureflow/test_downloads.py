import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest

import featureflow as ff
from featureflow import downloads
from featureflow.downloads import cached, fetched

CONTENT = bytes(range(256)) * 4000
LONG_AGO = "Mon, 01 Jan 2024 00:00:00 GMT"


class Site:
    """What the server of a test has, how it behaves, and what it was asked."""

    def __init__(self):
        self.content = CONTENT
        self.headers = {"ETag": '"one"'}
        self.ranges = True
        self.status = None
        self.cuts = []  # after how many bytes to hang up, for each of the next answers
        self.chunked = False
        self.careless = False  # whether it goes on with whatever it has, ignoring If-Range
        self.shift = 0  # by how much it misses the place to go on from
        self.continuing = {}  # headers of answers to ranges that are not what they should be
        self.asked = []
        self.hold = None  # an event to wait for in the middle of the content
        self.halfway = threading.Event()

    def ranges_asked(self):
        return [headers.get("Range") for _, headers in self.asked]

    def statuses(self):
        return [status for status, _ in self.asked]


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def url(site, serve, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "_PAUSE", 0)

    class Handler(serve.handler):
        def do_GET(self):
            given = dict(self.headers)
            status = site.status or self.choose(given)
            site.asked.append((status, given))
            if status not in (200, 206):
                self.send_error(status) if status != 304 else self.send_response(304)
                self.end_headers()
                return
            start = int(given["Range"][6:-1]) + site.shift if status == 206 else 0
            length = len(site.content)
            end = length + (site.shift if status == 206 else 0)
            headers = {"Date": formatdate(usegmt=True), **site.headers}
            if status == 206:
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{length}"
                headers |= site.continuing
            if site.chunked:
                headers["Transfer-Encoding"] = "chunked"
                self.protocol_version = "HTTP/1.1"
            elif site.chunked is not None:
                headers["Content-Length"] = str(end - start)
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.close_connection = True
            with contextlib.suppress(ConnectionError):
                self.send(site.content[start:end])

        def choose(self, given):
            known = site.headers.get("ETag"), site.headers.get("Last-Modified")
            if given.get("If-None-Match", "-") == known[0]:
                return 304
            if "If-None-Match" not in given and given.get("If-Modified-Since", "-") == known[1]:
                return 304
            if not (site.ranges and "Range" in given):
                return 200
            if given.get("If-Range") not in known and not site.careless:
                return 200
            return 206 if int(given["Range"][6:-1]) < len(site.content) else 416

        def send(self, body):
            cut = site.cuts.pop(0) if site.cuts else None
            half = len(body) // 2
            for part in (body[:half], body[half:]) if cut is None else (body[:cut],):
                if site.chunked:
                    part = b"%x\r\n%s\r\n" % (len(part), part)
                self.wfile.write(part)
                self.wfile.flush()
                site.halfway.set()
                if site.hold:
                    site.hold.wait(20)
            if site.chunked and cut is None:
                self.wfile.write(b"0\r\n\r\n")

    with serve(tmp_path, Handler) as root:
        yield f"{root}/sounds/a%20b.wav?x=1"


def kept(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache/featureflow").iterdir())


# ---- the copy


def test_a_url_is_downloaded_once(url, site, tmp_path):
    assert cached(url) is None
    path = fetched(url, fresh=False)
    assert path.read_bytes() == CONTENT
    assert path.suffix == ".wav"
    assert path.parent == tmp_path / "cache/featureflow"
    assert fetched(url, fresh=False) == cached(url) == path
    assert site.statuses() == [200]
    assert site.asked[0][1]["Accept-Encoding"] == "identity"
    assert not [name for name in kept(tmp_path) if "part" in name]


def test_other_urls_have_other_copies(url, site):
    first = fetched(url)
    site.content = b"other"
    second = fetched(url.replace("x=1", "x=2"))
    assert first.read_bytes() == CONTENT
    assert second.read_bytes() == b"other"


@pytest.mark.parametrize(
    ("ending", "suffix"),
    [("a.tar.gz", ".gz"), ("a", ""), ("", ""), ("a.w%2F..%2Fv", ""), ("a." + "x" * 300, "")],
)
def test_only_plain_endings_become_part_of_a_file_name(url, ending, suffix):
    path = fetched(url.partition("/sounds")[0] + "/" + ending)
    assert path.suffix == suffix
    assert path.read_bytes() == CONTENT


def test_the_address_may_have_letters_and_spaces_of_any_kind(url, site):
    assert fetched(url + "&q=ü b").read_bytes() == CONTENT


def test_an_empty_file(url, site):
    site.content = b""
    assert fetched(url).read_bytes() == b""
    fetched(url).unlink()
    assert cached(url) is None


def test_no_declared_length(url, site):
    for site.chunked in (True, None):
        site.headers = {"ETag": f'"{site.chunked}"'}
        assert fetched(url).read_bytes() == CONTENT


def test_a_copy_that_was_cut_is_not_used(url, site):
    path = fetched(url)
    path.write_bytes(CONTENT[:100])
    assert cached(url) is None
    assert fetched(url, fresh=False).read_bytes() == CONTENT


def test_the_folder_is_that_of_the_user_unless_an_absolute_one_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert downloads.folder() == tmp_path / ".cache/featureflow"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert downloads.folder() == tmp_path / "x/featureflow"


# ---- is it still what the server has?


@pytest.mark.parametrize(
    "headers", [{"ETag": '"one"'}, {"ETag": 'W/"one"'}, {"Last-Modified": LONG_AGO}]
)
def test_a_copy_that_is_up_to_date_is_not_downloaded_again(url, site, headers):
    site.headers = headers
    before = fetched(url).stat()
    assert fetched(url).stat().st_mtime_ns == before.st_mtime_ns
    assert site.statuses() == [200, 304]


def test_what_has_changed_is_downloaded_again(url, site):
    path = fetched(url)
    with path.open("rb") as reader:
        site.content, site.headers = b"newer", {"ETag": '"two"'}
        assert fetched(url).read_bytes() == b"newer"
        assert reader.read() == CONTENT  # who reads the old one is not disturbed
    assert fetched(url).read_bytes() == b"newer"
    assert site.statuses() == [200, 200, 304]


def test_a_time_of_modification_of_this_very_second_vouches_for_nothing(url, site):
    now = formatdate(usegmt=True)
    site.headers = {"Last-Modified": now, "Date": now}
    fetched(url)
    site.content = b"newer"
    assert fetched(url).read_bytes() == b"newer"


def test_the_copy_serves_while_the_server_cannot_be_reached(tmp_path, serve, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "a.wav").write_bytes(CONTENT)
    with serve(tmp_path) as root:
        fetched(f"{root}/a.wav")
    assert fetched(f"{root}/a.wav").read_bytes() == CONTENT
    with pytest.raises(ff.SourceError, match=r"/b\.wav cannot be downloaded: .*refused"):
        fetched(f"{root}/b.wav")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, ff.SourceNotFound),
        (410, ff.SourceNotFound),
        (403, ff.SourceError),
        (500, ff.SourceError),
    ],
)
def test_what_the_server_refuses_is_refused_also_with_a_copy(url, site, status, error):
    for _ in range(2):
        site.status = status
        with pytest.raises(error, match=rf"a%20b\.wav\?x=1 answers {status} \w+") as raised:
            fetched(url)
        assert type(raised.value) is error
        site.status = None
        fetched(url)


def test_content_that_was_compressed_on_the_way_is_refused(url, site):
    site.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(ff.SourceError, match="answers in the encoding gzip though asked not to"):
        fetched(url)


@pytest.mark.parametrize("url", ["http://", "http://x y/", "http://[1/", "https://ü..x/"])
def test_addresses_that_are_none(url):
    with pytest.raises((ff.SourceError, ff.InvalidParameter)):
        ff.Source.of(url).read()


# ---- downloads that break off


def test_what_breaks_off_is_resumed_at_once(url, site):
    site.cuts = [300_000, 300_000]
    assert fetched(url).read_bytes() == CONTENT
    assert site.ranges_asked() == [None, "bytes=300000-", "bytes=600000-"]
    assert site.asked[1][1]["If-Range"] == '"one"'


def test_without_progress_it_is_an_error_and_resumed_the_next_time(url, site):
    site.cuts = [300_000, 0]
    with pytest.raises(ff.SourceError, match=r"broke off after 300000 of 1024000 bytes.*try again"):
        fetched(url)
    assert cached(url) is None
    assert fetched(url).read_bytes() == CONTENT
    assert site.ranges_asked() == [None, "bytes=300000-", "bytes=300000-"]


def test_it_is_not_tried_for_ever(url, site):
    site.cuts = [1] * 1000
    with pytest.raises(ff.SourceError, match=r"broke off after \d+ of 1024000 bytes"):
        fetched(url)
    assert len(site.asked) < 20


def test_a_server_that_stays_away_after_it_broke_off(url, site):
    site.cuts = [300_000]

    def vanish(*_):
        site.status = 503

    site.asked = type("Asked", (list,), {"append": vanish})()
    with pytest.raises(ff.SourceError, match="answers 503"):
        fetched(url)


def test_a_chunked_download_that_breaks_off(url, site):
    site.chunked, site.cuts = True, [1000]
    assert fetched(url).read_bytes() == CONTENT
    site.headers, site.cuts = {}, [1000, 1000]
    with pytest.raises(ff.SourceError, match=r"broke off after \d+ bytes \(IncompleteRead"):
        fetched(url)


def test_a_time_of_modification_vouches_for_the_part_too(url, site):
    site.headers, site.cuts = {"Last-Modified": LONG_AGO}, [300_000]
    assert fetched(url).read_bytes() == CONTENT
    assert site.ranges_asked() == [None, "bytes=300000-"]
    assert site.asked[1][1]["If-Range"] == LONG_AGO


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"one"'}])
def test_where_nothing_vouches_for_the_part_it_starts_anew(url, site, headers):
    site.headers, site.cuts = headers, [300_000]
    assert fetched(url).read_bytes() == CONTENT
    assert site.ranges_asked() == [None, None]


def other_content(site):
    site.content, site.headers = CONTENT[::-1] + b"more", {"ETag": '"two"'}


def shorter_content(site):
    site.careless, site.content = True, b"short"


def other_version(site):
    site.careless, site.content, site.headers = True, CONTENT[::-1], {"ETag": '"two"'}


def other_length(site):
    site.careless, site.content, site.headers = True, CONTENT[::-1] + b"more", {}


def other_place(site):
    site.shift = -1


def no_place(site):
    site.shift, site.continuing = -300_000, {"Content-Range": "bytes"}


def no_ranges(site):
    site.ranges = False


@pytest.mark.parametrize(
    "change",
    [
        *(other_content, shorter_content, no_ranges),
        *(other_place, other_length, other_version, no_place),
    ],
)
def test_a_part_that_does_not_belong_is_thrown_away(url, site, change):
    site.cuts = [300_000, 0]
    with pytest.raises(ff.SourceError, match="broke off"):
        fetched(url)
    assert site.ranges_asked() == [None, "bytes=300000-"]
    change(site)
    assert fetched(url).read_bytes() == site.content
    assert site.ranges_asked()[2] == "bytes=300000-"


def test_parts_and_notes_that_somebody_damaged_are_thrown_away(url, site, tmp_path):
    folder = tmp_path / "cache/featureflow"
    for ending, content in ((".part", CONTENT + b"x"), (".part.json", b"{"), (".part.json", b"[]")):
        site.cuts = [300_000, 0]
        with pytest.raises(ff.SourceError, match="broke off"):
            fetched(url)
        (damaged,) = (path for path in folder.iterdir() if path.name.endswith(ending))
        damaged.write_bytes(content)
        assert fetched(url).read_bytes() == CONTENT
        assert site.asked[-1][1].get("Range") is None
        for path in folder.iterdir():
            path.unlink()


def test_a_newer_version_is_resumed_too(url, site):
    fetched(url)
    other_content(site)
    site.cuts = [300_000, 0]
    with pytest.raises(ff.SourceError, match="broke off"):
        fetched(url)
    assert fetched(url, fresh=False).read_bytes() == CONTENT
    assert fetched(url).read_bytes() == site.content
    assert site.asked[-1][1]["Range"] == "bytes=300000-"


FETCH = """
import sys
from featureflow.downloads import fetched
print("ready", flush=True)
print(fetched(sys.argv[1], bool(sys.argv[2])))
"""


def test_what_was_killed_is_resumed(url, site):
    site.hold = threading.Event()
    process = subprocess.Popen([sys.executable, "-c", FETCH, url, ""], stdout=subprocess.PIPE)
    try:
        assert site.halfway.wait(30)
        for _ in itertools.repeat(None, 3000):
            if any(part.stat().st_size for part in downloads.folder().glob("*.part")):
                break
            threading.Event().wait(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        site.hold.set()
    assert cached(url) is None
    assert fetched(url).read_bytes() == CONTENT
    start = int(site.asked[-1][1]["Range"][6:-1])
    assert 0 < start <= len(CONTENT)


def test_what_was_killed_before_it_got_its_name_costs_one_byte(url, site):
    path = fetched(url)
    path.rename(f"{path}.part")
    path.with_name(path.name + ".json").rename(f"{path}.part.json")
    assert fetched(url).read_bytes() == CONTENT
    assert site.asked[-1][1]["Range"] == f"bytes={len(CONTENT) - 1}-"


def test_what_was_killed_before_its_notes_were_written_is_downloaded_again(url, site):
    path = fetched(url)
    path.with_name(path.name + ".json").unlink()
    assert cached(url) is None
    assert fetched(url).read_bytes() == CONTENT
    assert site.statuses() == [200, 200]


# ---- several at once


@pytest.mark.parametrize("fresh", ["", "fresh"])
def test_processes_that_want_the_same_share_one_download(url, site, fresh):
    site.hold, site.headers = threading.Event(), {}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH, url, fresh], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 3
    assert site.halfway.wait(30)
    time.sleep(0.5)  # time enough to wait for each other; with less of it nothing else happens
    site.hold.set()
    printed = {process.communicate()[0] for process in processes}
    assert printed == {f"{cached(url)}\n"}
    assert site.statuses() == [200]


def test_a_copy_can_be_used_while_a_newer_one_is_downloaded(url, site):
    fetched(url)
    site.content, site.headers, site.hold = b"newer", {"ETag": '"two"'}, threading.Event()
    site.halfway.clear()
    with ThreadPoolExecutor(1) as pool:
        newer = pool.submit(fetched, url)
        assert site.halfway.wait(30)
        assert fetched(url, fresh=False).read_bytes() == CONTENT
        site.hold.set()
        assert newer.result().read_bytes() == b"newer"


def test_threads_that_ask_for_what_is_new_share_one_download(url, site):
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(fetched, [url] * 12))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert site.statuses().count(200) == 1


# ---- this machine


def test_a_folder_that_cannot_be_made_is_named_with_the_remedy(url, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ff.SourceError, match=r"kept in .*/file/featureflow.*XDG_CACHE_HOME"):
        fetched(url)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_named_with_the_remedy(url, tmp_path):
    fetched(url).rename(tmp_path / "elsewhere")
    (part,) = (path for path in downloads.folder().iterdir() if path.name.endswith(".json"))
    part.with_name(part.name.removesuffix(".json") + ".part").symlink_to("/dev/full")
    with pytest.raises(ff.SourceError, match=r"cache/featureflow: No space left.*XDG_CACHE_HOME"):
        fetched(url)
