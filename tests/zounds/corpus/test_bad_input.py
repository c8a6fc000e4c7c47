"""A folder of everything that goes wrong with files: each outcome, and all the rest kept."""

import io
import os
import struct
import zipfile

import av
import numpy as np
import pytest
import soundfile

import zounds

RATE = 22050


def noise(seconds=1.0, seed=0):
    return np.random.default_rng(seed).uniform(-0.4, 0.4, int(seconds * RATE)).astype(np.float32)


def encoded(format, samples=None, **options):
    buffer = io.BytesIO()
    samples = noise() if samples is None else samples
    soundfile.write(buffer, samples, RATE, format=format, **options)
    return buffer.getvalue()


def m4a(samples):
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=44100)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate = RATE
        for part in av.AudioResampler("fltp", "mono", 44100, 1024).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def wav(data_size=None, samples=None, format=1, bits=16, data=None):
    """A wav file by hand; the size of its data may be a lie."""
    if data is None:
        data = (32767 * (noise() if samples is None else samples)).astype("<i2").tobytes()
    size = len(data) if data_size is None else data_size
    block = bits // 8
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, format, 1, RATE, RATE * block, block, bits)
    riff = min(36 + size, 0xFFFFFFFF)
    return (
        struct.pack("<4sI4s", b"RIFF", riff, b"WAVE")
        + head
        + struct.pack("<4sI", b"data", size)
        + data
    )


def floats(*values):
    samples = noise(0.3)
    samples[100 : 100 + len(values)] = values
    return wav(data=samples.astype("<f4").tobytes(), format=3, bits=32)


def rf64(declared):
    content = encoded("RF64")
    at = content.index(b"ds64") + 8
    return (
        content[:at] + struct.pack("<QQQ", declared, declared, declared // 2) + content[at + 24 :]
    )


def holed(content):
    middle = len(content) // 2
    return content[:middle] + bytes(2000) + content[middle + 2000 :]


MP3 = encoded("MP3", noise(3.0))
FLAC = encoded("FLAC", noise(2.0))

FAILED = {
    "zero.wav": b"",
    "header.wav": wav()[:20],
    "header.aiff": encoded("AIFF")[:20],
    "header.flac": FLAC[:20],
    "header.mp3": MP3[:20],
    "text.wav": b"This is no sound.\n" * 50,
    "page.mp3": b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20,
    "random.wav": np.random.default_rng(1).bytes(5000),
    "random.mp3": b"RIFF" + np.random.default_rng(2).bytes(5000),
    "nan.wav": floats(np.nan),
    "infinite.wav": floats(np.inf, -np.inf),
}
PARTIAL = {
    "truncated.wav": wav()[: len(wav()) // 2],
    "truncated.aiff": encoded("AIFF")[: len(encoded("AIFF")) // 2],
    "truncated.flac": FLAC[: len(FLAC) // 2],
    "truncated.mp3": MP3[: len(MP3) // 2],
    "hole.mp3": holed(MP3),
    "huge.rf64": rf64(2**41),
}
OK = {
    "size zero.wav": wav(data_size=0),
    "size unknown.wav": wav(data_size=0xFFFFFFFF),
    "küche - été - 音 - 🎧.wav": wav(),
    "a 'quoted' \"name\", with\ttab.wav": wav(),
    "no ending": FLAC,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad") / "sounds"
    folder.mkdir()
    for number in range(5):
        (folder / f"good {number}.wav").write_bytes(wav(samples=noise(seed=number)))
    for name, content in (FAILED | PARTIAL | OK).items():
        (folder / name).write_bytes(content)
    whole = m4a(noise(3.0))
    (folder / "truncated.m4a").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("no sound, and not said to be one")
    (folder / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    os.mkfifo(folder / "pipe.wav")
    (folder / "nowhere.wav").symlink_to(folder / "nothing")
    with open(os.fsencode(folder) + b"/latin-\xe9.wav", "wb") as file:
        file.write(wav(samples=noise(seed=9)))
    _archives(folder)
    return folder


def _archives(folder):
    with zipfile.ZipFile(folder / "odd.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../x.wav", wav(samples=noise(seed=20)))
        archive.writestr("/etc/y.wav", wav(samples=noise(seed=21)))
        archive.writestr("broken.wav", b"no sound")
        archive.writestr("readme.txt", b"no sound either")
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("bomb.wav", "w", force_zip64=True) as member:
            for _ in range(300):
                member.write(bytes(1 << 20))
        archive.writestr("beside the bomb.wav", wav(samples=noise(seed=22)))
    with zipfile.ZipFile(folder / "locked.zip", "w") as archive:
        archive.writestr("secret.wav", wav())
    locked = bytearray((folder / "locked.zip").read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(signature) + place] |= 1  # says that it is encrypted
    (folder / "locked.zip").write_bytes(locked)
    content = (folder / "odd.zip").read_bytes()
    (folder / "cut.zip").write_bytes(content[:-60])


@pytest.fixture(scope="module")
def added(folder, tmp_path_factory):
    corpus = zounds.Corpus(tmp_path_factory.mktemp("bad") / "corpus")
    before = sorted(folder.parent.parent.rglob("*"))
    report = corpus.add(folder, workers=2)
    return corpus, report, before


def named(outcomes):
    return {outcome.name for outcome in outcomes}


def test_what_is_no_sound_is_one_line_each(added):
    _, report, _ = added
    assert named(report.failed) == {
        *FAILED,
        *("truncated.m4a", "nowhere.wav", "broken.wav", "bomb.wav", "secret.wav", "cut.zip"),
    }
    for outcome in report.failed:
        assert outcome.name in outcome.why
        assert "\n" not in outcome.why
        assert len(outcome.why) < 300


def test_true_audio_of_what_is_cut_short_is_kept(added):
    _, report, _ = added
    assert named(report.partial) == set(PARTIAL)
    lengths = {outcome.name: outcome.seconds for outcome in report.partial}
    assert lengths["truncated.wav"] == pytest.approx(0.5, abs=0.01)
    assert lengths["truncated.aiff"] == pytest.approx(0.5, abs=0.01)
    assert lengths["truncated.mp3"] == pytest.approx(1.5, abs=0.2)
    assert 0.5 < lengths["truncated.flac"] < 1.2
    assert lengths["hole.mp3"] == pytest.approx(3.0, abs=0.3)
    assert lengths["huge.rf64"] == pytest.approx(1.0)


def test_everything_else_is_whole(added):
    corpus, report, _ = added
    good = {f"good {number}.wav" for number in range(5)}
    members = {"../../x.wav", "/etc/y.wav", "beside the bomb.wav"}
    latin = os.fsdecode(b"latin-\xe9.wav")
    assert named(report.ok) == good | set(OK) | members | {latin}
    by_name = {outcome.name: outcome for outcome in report.ok}
    for name in ("size zero.wav", "size unknown.wav", "good 1.wav", latin):
        assert by_name[name].seconds == pytest.approx(1.0)
    assert (
        corpus[by_name["good 1.wav"].id].pcm.tobytes()
        == zounds.decode(by_name["good 1.wav"].path).tobytes()
    )
    assert corpus.check().problems == ()


def test_what_is_no_sound_by_name_is_passed_over(added):
    _, report, _ = added
    assert report.others == 4  # a text, a picture, a pipe, a text in an archive


def test_nothing_was_written_beside_the_corpus(added, folder):
    corpus, _, before = added
    after = [p for p in folder.parent.parent.rglob("*") if corpus.path not in (p, *p.parents)]
    assert sorted(after) == [p for p in before if corpus.path not in (p, *p.parents)]


def test_the_report_can_be_printed_anywhere(added):
    _, report, _ = added
    assert str(report).encode("utf-8")
    lines = str(report).splitlines()
    assert len(lines) == 1 + len(report.partial) + len(report.failed)


def test_failures_are_told_on_demand_and_again(added, folder):
    corpus, report, _ = added
    told = {outcome.name for outcome in corpus.outcomes() if outcome.status == "failed"}
    assert told == named(report.failed)
    again = corpus.add(folder, workers=1)
    assert named(again.failed) == named(report.failed)
    assert (again.ok, again.partial) == ((), ())
    assert len(again.skipped) == len(report.ok) + len(report.partial)
