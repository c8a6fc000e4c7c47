"""Damaged files and bad disks: true audio is kept, the rest is told in a line, nothing printed."""

import errno
import io
import os
import struct
import threading
import tracemalloc

import av
import numpy as np
import pytest
import soundfile

from featureflow.errors import SourceError
from featureflow.sources import Source
from zounds.audio import decoders
from zounds.audio.decode import decode, open_audio, partial_audio
from zounds.errors import AudioError, PartialAudio

RATE = 44100


@pytest.fixture(autouse=True)
def silence(capfd):
    """Nothing is printed, neither by Python nor by a library."""
    yield
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def noise(seconds, channels=1, seed=0):
    shape = (int(seconds * RATE), channels)
    sound = 0.1 * np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return sound[:, 0] if channels == 1 else sound


def file_of(sound, format, **options):
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, RATE, format=format, **options)
    return buffer.getvalue()


def m4a(sound):
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate = RATE
        for part in av.AudioResampler("fltp", "mono", RATE, 1024).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def content_of(format, sound):
    return m4a(sound) if format == "M4A" else file_of(sound, format)


def untagged(mp3):
    """The same without its first frame, which tells the length."""
    second = mp3.index(mp3[:2], 4)
    assert b"Xing" in mp3[:second] or b"Info" in mp3[:second]
    return mp3[second:]


def patched(content, tag, offset, values):
    place = content.index(tag) + offset
    return content[:place] + values + content[place + len(values) :]


def outcome(content):
    """The samples and the reasons, with no more memory than is reasonable."""
    tracemalloc.start()
    try:
        with partial_audio() as reasons:
            samples = np.asarray(decode(content))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32e6
    return samples, reasons


# ---- why a file is partial


def test_reasons_are_collected_in_place_of_warnings():
    whole = file_of(noise(1), "WAV")
    with partial_audio() as reasons:
        decode(whole)
        assert reasons == []
        decode(whole[:1044])
        decode(whole[:2044])
    assert reasons == ["it ends after 1000 of 88200 bytes", "it ends after 2000 of 88200 bytes"]
    with pytest.warns(PartialAudio, match="bytes: it ends after 1000 of 88200 bytes"):
        decode(whole[:1044])


def test_the_inner_of_two_collections_has_the_reasons():
    cut = file_of(noise(1), "WAV")[:1044]
    with partial_audio() as outer:
        with partial_audio() as inner:
            decode(cut)
        assert (len(outer), len(inner)) == (0, 1)
        decode(cut)
    assert (len(outer), len(inner)) == (1, 1)


def test_each_thread_has_its_own_reasons():
    whole = file_of(noise(1), "WAV")
    both = threading.Barrier(2, timeout=10)
    found = {}

    def work(size):
        with partial_audio() as reasons:
            for _ in range(20):
                both.wait()
                decode(whole[:size])
            both.wait()
            found[size] = set(reasons)

    threads = [threading.Thread(target=work, args=(size,)) for size in (1044, 5044)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n + 44: {f"it ends after {n} of 88200 bytes"} for n in (1000, 5000)}


# ---- disks and connections that fail


class FailingFile(io.FileIO):
    """A real file; what begins after some place cannot be read."""

    def __init__(self, path, place, error):
        super().__init__(path)
        self.place, self.error = place, error

    def readinto(self, buffer):
        if self.tell() >= self.place:
            raise self.error
        view = memoryview(buffer)[: self.place - self.tell()]
        return super().readinto(view)

    def readall(self):
        content = self.read(self.place - self.tell())
        if self.tell() < os.fstat(self.fileno()).st_size:
            raise self.error
        return content


class Failing(Source):
    def __init__(self, path, place, error):
        super().__init__(path.as_uri(), path.name)
        self.make = lambda: FailingFile(path, place, error)

    def open(self):
        return io.BufferedReader(self.make(), 512)


BAD_DISK = OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture(params=["read at once", "read as it is decoded"])
def reading(request, monkeypatch):
    if request.param == "read as it is decoded":
        monkeypatch.setattr(decoders, "_SMALL", 0)
    return request.param


@pytest.mark.parametrize("format", ["WAV", "AIFF", "FLAC", "MP3", "OGG", "M4A", "untagged MP3"])
@pytest.mark.parametrize("part", [0, 0.001, 0.5, 0.99])
def test_a_bad_disk_is_not_the_end_of_a_file(tmp_path, reading, format, part):
    content = content_of(format.split()[-1], noise(3))
    content = untagged(content) if "untagged" in format else content
    path = tmp_path / "take.bin"
    path.write_bytes(content)
    source = Failing(path, int(part * len(content)), BAD_DISK)
    with pytest.raises(SourceError, match=r"take\.bin cannot be read: Input/output error"):
        decode(source)
    assert len(decode(path)) >= 3 * RATE  # there is nothing else wrong with it


def test_samples_before_a_bad_place_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, "_SMALL", 0)
    sound = noise(3)
    path = tmp_path / "take.wav"
    path.write_bytes(file_of(sound, "WAV", subtype="FLOAT"))
    with open_audio(Failing(path, 300_000, BAD_DISK)) as reader:
        assert np.array_equal(reader.read(50_000)[:, 0], sound[:50_000])
        with pytest.raises(SourceError, match="try again"):
            reader.read(50_000)
        assert reader.partial is None or "breaks" not in reader.partial


@pytest.mark.parametrize("format", ["WAV", "M4A"])
@pytest.mark.parametrize("error", [SourceError("the server is gone"), KeyboardInterrupt()])
def test_other_failures_of_a_stream_pass_as_they_are(tmp_path, reading, format, error):
    path = tmp_path / "take.bin"
    path.write_bytes(content_of(format, noise(3)))
    with pytest.raises(type(error)) as caught:
        decode(Failing(path, 20_000, error))
    assert caught.value is error


# ---- mp3 files with a hole


@pytest.mark.parametrize("kind", ["zeros", "random"])
@pytest.mark.parametrize("size", [3000, 10000])
@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_with_a_hole_keeps_both_sides_in_their_time(kind, size, tagged, mode):
    content = file_of(noise(8), "MP3", bitrate_mode=mode, compression_level=0.5)
    content = content if tagged else untagged(content)
    start = len(content) // 2
    filler = bytes(size) if kind == "zeros" else np.random.default_rng(size).bytes(size)
    holed = content[:start] + filler + content[start + size :]
    whole, (samples, reasons) = np.asarray(decode(content)), outcome(holed)
    assert len(reasons) == 1
    time = float(reasons[0].removeprefix("it is damaged at ").removesuffix(" s"))
    before = int((time - 0.1) * RATE)
    assert time == pytest.approx(len(whole) / RATE * start / len(content), abs=0.3)
    assert np.abs(samples[:before] - whole[:before]).max() < 1e-4
    # at a variable bit rate the length of what is missing is an estimate, in frames
    after = np.arange(len(whole) * 3 // 4, len(whole) - 10000)
    frames = [0] if mode == "CONSTANT" else range(-4, 5)
    errors = [np.abs(samples[after + 1152 * n] - whole[after]).max() for n in frames]
    assert min(errors) < 1e-4
    assert mode == "VARIABLE" or tagged or len(samples) == len(whole)


def test_a_long_hole_needs_no_memory():
    content = file_of(noise(4), "MP3", bitrate_mode="CONSTANT", compression_level=0.5)
    half = len(content) // 2
    tracemalloc.start()
    try:
        with (
            partial_audio(),
            open_audio(content[:half] + bytes(3_000_000) + content[half:]) as file,
        ):
            length = 0
            while count := len(file.read(44100)):
                length += count
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length > 60 * RATE
    assert peak < 16e6


def test_tags_around_an_mp3_are_no_damage():
    content = untagged(file_of(noise(2), "MP3"))
    whole = np.asarray(decode(content))
    for tag in (b"TAG" + b"x" * 125, b"APETAGEX" + b"\x01" * 400, b"LYRICSBEGIN" + b"la " * 99):
        samples, reasons = outcome(content + tag)
        assert np.abs(samples - whole).max() < 1e-4
        assert reasons == []
    samples, _ = outcome(bytes(5000) + content)
    assert np.abs(samples[-len(whole) :] - whole).max() < 1e-4


def test_an_mp3_whose_rest_was_never_written_is_partial():
    content = untagged(file_of(noise(4), "MP3"))
    half = len(content) // 2
    samples, reasons = outcome(content[:half] + bytes(half))
    assert len(samples) == pytest.approx(2 * RATE, abs=0.2 * RATE)
    assert reasons[0].startswith("it breaks off after ")


def test_a_cut_mp3_without_a_length_is_partial():
    content = untagged(file_of(noise(2), "MP3"))
    _, reasons = outcome(content[: len(content) // 2])
    assert reasons == ["its last frame is incomplete"]


# ---- headers that are not true


CONTAINERS = ["WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "OGG", "MP3", "CAF", "AU", "VOC"]


@pytest.mark.parametrize("format", [*CONTAINERS, "SVX", "NIST", "PAF", "MAT5", "M4A"])
@pytest.mark.parametrize("size", [1, 4, 12, 20])
def test_the_first_bytes_of_a_file_are_no_audio(format, size):
    content = content_of(format, noise(0.5))[:size]
    with pytest.raises(AudioError, match="bytes (holds no samples|is not audio)"):
        decode(content)


@pytest.mark.parametrize("format", CONTAINERS)
def test_a_file_that_is_cut_anywhere_is_partial_or_refused(format):
    sound = noise(0.2)
    content = content_of(format, sound)
    for size in np.linspace(21, len(content) - 200, 25).astype(int):
        with partial_audio() as reasons:
            try:
                samples = np.asarray(decode(content[:size]))
            except AudioError:
                continue
        assert len(samples) <= len(sound)
        assert reasons, size
        if format not in ("OGG", "MP3"):
            assert np.abs(samples - sound[: len(samples)]).max() < 2**-14


@pytest.mark.parametrize("format", ["CAF", "AU", "FLAC"])
def test_a_length_of_a_terabyte_is_not_believed(format):
    sound = noise(0.5)
    content = file_of(sound, format)
    if format == "CAF":
        content = patched(content, b"data", 4, struct.pack(">q", 1 << 41))
    elif format == "AU":
        content = patched(content, b".snd", 8, struct.pack(">I", 0x7FFFFFFF))
    else:
        content = patched(content, b"fLaC", 21, bytes([content[21] | 0x0F]) + b"\xff" * 4)
    samples, _ = outcome(content)
    assert np.abs(samples[: len(sound)] - sound[: len(samples)]).max() < 2**-14
    assert len(samples) == pytest.approx(len(sound), abs=4096)


@pytest.mark.parametrize("size", [1 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF])
@pytest.mark.parametrize("format", ["WAV", "AIFF"])
def test_a_chunk_whose_size_is_past_the_end_or_negative(format, size):
    sound = noise(0.5)
    content = file_of(sound, format)
    order, tag = ("<", b"data") if format == "WAV" else (">", b"SSND")
    samples, _ = outcome(patched(content, tag, 4, struct.pack(order + "I", size)))
    assert len(samples) == len(sound)
    assert np.abs(samples - sound).max() < 2**-14


@pytest.mark.parametrize("size", [1 << 20, 0x80000000, 0xFFFFFFF8])
def test_a_tag_that_claims_more_than_the_file_hides_no_sound_silently(size):
    content = file_of(noise(0.5), "WAV")
    place = content.index(b"data")
    content = content[:place] + b"LIST" + struct.pack("<I", size) + content[place:]
    with pytest.raises(AudioError, match="bytes (holds no samples|is not audio)"):
        decode(content)


@pytest.mark.parametrize(
    ("offset", "values"),
    [(10, struct.pack("<H", 0)), (12, struct.pack("<I", 0)), (22, struct.pack("<H", 0))],
    ids=["0 channels", "0 Hz", "0 bits"],
)
def test_a_wav_of_nothing(offset, values):
    content = patched(file_of(noise(0.5), "WAV"), b"fmt ", offset, values)
    with pytest.raises(AudioError, match="bytes (holds no samples|is not audio)"):
        decode(content)


@pytest.mark.parametrize("rate", [1, 7, 1_000_000, 2**31 - 1])
def test_an_absurd_rate_is_the_rate(rate):
    sound = noise(0.5)
    samples = decode(patched(file_of(sound, "WAV"), b"fmt ", 12, struct.pack("<I", rate)))
    assert int(samples.samplerate) == rate
    assert np.abs(np.asarray(samples) - sound).max() < 2**-14


def test_a_thousand_channels():
    sound = noise(0.01, 1000)
    samples, reasons = outcome(file_of(sound, "WAV"))
    assert reasons == []
    assert np.abs(samples - sound).max() < 2**-14


def test_bytes_that_look_like_mp3_here_and_there():
    rng = np.random.default_rng(3)
    for seed in range(20):
        content = bytearray(rng.bytes(4000))
        for place in rng.integers(0, 3990, seed):
            content[place : place + 4] = b"\xff\xfb\x90\xc4"
        with partial_audio():
            try:
                samples = decode(bytes(content))
            except AudioError:
                continue
        assert len(samples) < 50 * 1152
