"""Plain WAV files are read as libsndfile reads them; whatever else is left to it."""

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from zounds.audio.decoders import Watched
from zounds.audio.wave import plain_wave


def chunk(tag, body):
    return tag + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def wav(*chunks, size=None):
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def fmt(channels=1, rate=44100, code=1, bits=16, width=None, extra=b""):
    width = channels * bits // 8 if width is None else width
    return chunk(
        b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * width, width, bits) + extra
    )


def opened(content):
    return plain_wave(Watched(io.BytesIO(content), "a.wav"))


def read(content, n=1 << 20):
    reader = opened(content)
    chunks = []
    while len(samples := reader.read(n)):
        chunks.append(samples)
    return np.concatenate(chunks), reader


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8000, 44100, 192000])
@pytest.mark.parametrize("n", [1, 7, 1 << 20])
def test_samples_are_those_of_libsndfile(channels, rate, n):
    integers = np.arange(-40000, 40000).clip(-(2**15), 2**15 - 1).astype("<i2")
    samples = np.resize(integers, (200 if n == 1 else 30000, channels))
    file = io.BytesIO()
    soundfile.write(file, samples, rate, "PCM_16", format="WAV")
    found, reader = read(file.getvalue(), n)
    expected, expected_rate = soundfile.read(
        io.BytesIO(file.getvalue()), dtype="float32", always_2d=True
    )
    assert (reader.rate, reader.channels, reader.partial) == (expected_rate, channels, None)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_other_chunks_are_passed_over():
    data = np.arange(100, dtype="<i2").tobytes()
    content = wav(
        chunk(b"LIST", b"odd"), fmt(), chunk(b"fact", bytes(4)), chunk(b"data", data),
        chunk(b"smpl", bytes(36)), chunk(b"id3 ", bytes(11)),
    )  # fmt: skip
    np.testing.assert_array_equal(read(content)[0][:, 0], np.arange(100) / 2**15)


PLAIN = wav(fmt(), chunk(b"data", bytes(200)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        wav(),
        wav(fmt()),
        wav(chunk(b"data", bytes(20))),
        wav(chunk(b"data", bytes(20)), fmt()),
        wav(fmt(), chunk(b"data", b"")),
        wav(fmt(), chunk(b"data", bytes(21))),
        wav(fmt(channels=2), chunk(b"data", bytes(22))),
        wav(fmt(), chunk(b"data", bytes(20)), chunk(b"data", bytes(20))),
        wav(fmt(), fmt(), chunk(b"data", bytes(20))),
        wav(fmt(code=3, bits=32), chunk(b"data", bytes(20))),
        wav(fmt(code=0xFFFE), chunk(b"data", bytes(20))),
        wav(fmt(bits=8), chunk(b"data", bytes(20))),
        wav(fmt(bits=24), chunk(b"data", bytes(24))),
        wav(fmt(width=4), chunk(b"data", bytes(20))),
        wav(fmt(extra=bytes(2)), chunk(b"data", bytes(20))),
        wav(fmt(rate=0), chunk(b"data", bytes(20))),
        wav(fmt(channels=0), chunk(b"data", bytes(20))),
        wav(fmt(channels=9), chunk(b"data", bytes(180))),
        wav(fmt(), chunk(b"data", bytes(20)), size=0),
        wav(fmt(), chunk(b"data", bytes(20)), size=0xFFFFFFFF),
        PLAIN[:-1],
        PLAIN[:-150],
        PLAIN + b"\0",
        PLAIN + PLAIN,
        PLAIN.replace(b"RIFF", b"RIFX"),
        PLAIN.replace(b"data\xc8", b"data\xff"),
        PLAIN.replace(b"fmt \x10", b"fmt \xff"),
    ],
)
def test_whatever_is_unusual_is_left_to_libsndfile(content):
    assert opened(content) is None


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_what_damage_leaves_plain_libsndfile_reads_alike(garbage, start, stop):
    whole = wav(fmt(), chunk(b"LIST", bytes(4)), chunk(b"data", bytes(range(100)) * 2))
    content = whole[:start] + garbage + whole[max(start, stop) :]
    if opened(content) is not None:
        found, reader = read(content)
        expected, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
        assert rate == reader.rate
        np.testing.assert_array_equal(found, expected)


def test_a_file_that_shrinks_while_it_is_read_is_partial():
    stream = Watched(io.BytesIO(PLAIN), "a.wav")
    reader = plain_wave(stream)
    stream._stream.truncate(len(PLAIN) - 101)
    assert len(reader.read(1000)) == 49
    assert len(reader.read(1000)) == 0
    assert reader.partial == "it ends after 49 of 100 samples"
