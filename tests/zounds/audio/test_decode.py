import io
import os
import re
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zipfile

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from featureflow.errors import InvalidParameter, SourceNotFound
from featureflow.sources import Source, iter_zip
from zounds.audio.decode import Decode, decode, open_audio
from zounds.dsp.features import BFCC, MFCC, BarkBands, MelBands
from zounds.dsp.frames import SlidingWindow
from zounds.dsp.spectrum import FFT
from zounds.dsp.windows import Hann
from zounds.errors import AudioError, NoAudio, PartialAudio
from zounds.units import SR44100, AudioSampleRate, HalfLapped

RATE = 44100


def tone(n=RATE, channels=1, seed=0):
    noise = np.random.default_rng(seed).standard_normal((n, channels))
    times = np.arange(n)[:, None] / RATE
    pitches = 220 * (1 + np.arange(channels))
    sound = (0.4 * np.sin(2 * np.pi * pitches * times) + 0.01 * noise).astype(np.float32)
    return sound[:, 0] if channels == 1 else sound


def file_of(samples, format="WAV", subtype=None, rate=RATE):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=format, subtype=subtype)
    return buffer.getvalue()


def coded(samples, codec, format, layout, rate=48000, path=None, **options):
    """A file that only libav writes; in memory, where there is no path."""
    buffer = io.BytesIO()
    with av.open(path or buffer, "w", format=format, options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate = rate
        frame.pts = 0
        resampler = av.AudioResampler(stream.format, layout, rate, stream.frame_size or 1024)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path.read_bytes() if path else buffer.getvalue()


def named(tmp_path, content, name="take 1.mp3"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def decoded_part(source):
    """Decode what is known to be partial."""
    with pytest.warns(PartialAudio) as caught:
        samples = np.asarray(decode(source))
    return samples, str(caught[0].message)


def patched(content, tag, offset, values):
    place = content.index(tag) + offset
    return content[:place] + values + content[place + len(values) :]


def likeness(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


# ---- what is read is what was written


LOSSLESS = [
    ("WAV", "PCM_U8", 2**-6),
    ("WAV", "PCM_16", 2**-14),
    ("WAV", "PCM_24", 2**-22),
    ("WAV", "PCM_32", 2**-22),
    ("WAV", "FLOAT", 0),
    ("WAV", "DOUBLE", 0),
    ("WAV", "ALAW", 2**-5),
    ("WAV", "ULAW", 2**-5),
    ("WAVEX", "PCM_24", 2**-22),
    ("RF64", "PCM_16", 2**-14),
    ("W64", "PCM_16", 2**-14),
    ("AIFF", "PCM_16", 2**-14),
    ("AIFF", "PCM_24", 2**-22),
    ("CAF", "PCM_16", 2**-14),
    ("AU", "PCM_16", 2**-14),
    ("FLAC", "PCM_16", 2**-14),
    ("FLAC", "PCM_24", 2**-22),
]


@pytest.mark.parametrize(("format", "subtype", "precision"), LOSSLESS)
@pytest.mark.parametrize("channels", [1, 2])
def test_lossless_formats_keep_every_sample(format, subtype, precision, channels):
    sound = tone(5000, channels)
    samples = decode(file_of(sound, format, subtype))
    assert samples.dtype == np.float32
    assert samples.shape == sound.shape
    assert samples.samplerate == SR44100()
    assert np.abs(np.asarray(samples) - sound).max() <= precision


@pytest.mark.parametrize(("format", "subtype"), [("OGG", "VORBIS"), ("MP3", None)])
@pytest.mark.parametrize("channels", [1, 2])
def test_lossy_formats_keep_length_and_sound(format, subtype, channels):
    sound = tone(3 * RATE, channels)
    samples = np.asarray(decode(file_of(sound, format, subtype)))
    assert samples.shape == sound.shape
    assert likeness(samples, sound) > 0.99


@pytest.mark.parametrize(
    ("codec", "format", "layout", "delay"),
    [
        ("aac", "ipod", "stereo", 0),
        ("aac", "adts", "mono", 1024),
        ("libopus", "webm", "stereo", 0),
        ("alac", "ipod", "stereo", 0),
        ("pcm_s24le", "matroska", "mono", 0),
        ("pcm_u8", "matroska", "stereo", 0),
        ("pcm_f64le", "matroska", "stereo", 0),
        ("ac3", "mpegts", "stereo", 256),
        ("aac", "ipod", "7.1", 0),
        ("pcm_s16le", "matroska", "5.1", 0),
    ],
)
def test_formats_that_only_libav_reads(codec, format, layout, delay):
    sound = tone(48000, {"mono": 1, "stereo": 2, "5.1": 6, "7.1": 8}[layout])
    content = coded(sound, codec, format, layout)
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.SoundFile(io.BytesIO(content))
    samples = decode(content)
    assert samples.samplerate == AudioSampleRate(48000)
    assert samples.ndim == sound.ndim
    assert abs(len(samples) - len(sound)) <= 4096  # an encoder's delay and padding
    # where a container does not tell the delay, it stays: AAC's 1024 samples, AC-3's 256
    found = np.asarray(samples)[delay : delay + 40000]
    for channel in {0, samples.channels - 1}:  # AAC filters the LFE
        pair = (np.reshape(x, (len(x), -1))[:40000] for x in (found, sound))
        assert likeness(*(x[:, channel] for x in pair)) > 0.98
    assert np.std(found) == pytest.approx(np.std(sound), rel=0.1)


@pytest.mark.parametrize("format", ["WAV", "FLAC"])
def test_eight_channels_stay_eight_in_their_order(format):
    sound = tone(3000, 8)
    samples = np.asarray(decode(file_of(sound, format)))
    assert samples.shape == (3000, 8)
    assert np.abs(samples - sound).max() <= 2**-14


def test_eight_channels_stay_eight_through_libav():
    sound = tone(3000, 8)
    content = coded(sound, "pcm_s16le", "matroska", "7.1")
    samples = np.asarray(decode(content))
    assert samples.shape == (3000, 8)
    assert np.abs(samples - sound).max() <= 2**-14


@pytest.mark.parametrize("rate", [8000, 11025, 37500, 192000])
def test_the_rate_is_the_files(rate):
    assert decode(file_of(tone(100), rate=rate)).samplerate == AudioSampleRate(rate)


def test_floats_beyond_full_scale_are_kept():
    sound = np.float32([0.0, 3.5, -2.0])
    assert decode(file_of(sound, "WAV", "FLOAT")).tolist() == sound.tolist()


# ---- where it comes from


def test_every_kind_of_source_gives_the_same_samples(tmp_path):
    sound = tone(2000, 2)
    content = file_of(sound, "WAV", "FLOAT")
    path = named(tmp_path, content, "sound.wav")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("sounds/sound.wav", content)
    (member,) = iter_zip(archive.getvalue())
    with path.open("rb") as stream:
        for source in (path, str(path), path.as_uri(), content, stream, member, Source.of(path)):
            assert np.array_equal(np.asarray(decode(source)), sound)


@pytest.mark.parametrize("name", ["a.mp3", "a.txt", "a", "a.raw", "a.RAW", "a.ogg"])
def test_the_content_tells_the_format_not_the_name(tmp_path, name):
    sound = tone(500)
    path = named(tmp_path, file_of(sound, "WAV", "FLOAT"), name)
    assert np.array_equal(np.asarray(decode(path)), sound)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SourceNotFound, match=r"gone\.wav"):
        decode(tmp_path / "gone.wav")


# ---- the reader


def test_the_reader_reads_as_much_as_is_wanted():
    sound = tone(1000, 2)
    with open_audio(file_of(sound, "WAV", "FLOAT")) as reader:
        assert reader.name == "bytes"
        assert reader.samplerate == SR44100()
        assert reader.channels == 2
        parts = [reader.read(300) for _ in range(5)]
        assert reader.partial is None
    assert [part.shape for part in parts] == [(300, 2)] * 3 + [(100, 2), (0, 2)]
    assert np.array_equal(np.concatenate(parts), sound)
    assert {part.dtype for part in parts} == {np.dtype(np.float32)}


def test_the_reader_of_one_channel_has_two_axes():
    with open_audio(file_of(tone(10))) as reader:
        assert reader.read(20).shape == (10, 1)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "10"])
def test_sizes_that_are_no_sizes(n):
    with pytest.raises(InvalidParameter, match="whole number"):
        Decode(read_size=n)
    with open_audio(file_of(tone(10))) as reader, pytest.raises(InvalidParameter):
        reader.read(n)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3", "AAC"])
@pytest.mark.parametrize("read_size", [1, 7, 997, 4096, 30000])
def test_the_read_size_changes_nothing(format, read_size):
    sound = tone(20000 if read_size > 1 else 3000, 2)
    content = coded(sound, "aac", "ipod", "stereo") if format == "AAC" else file_of(sound, format)
    chunks = list(Decode(read_size).stream().step(content))
    assert {len(chunk) for chunk in chunks[:-1]} <= {read_size}
    assert 0 < len(chunks[-1]) <= read_size
    whole = np.concatenate([np.asarray(chunk) for chunk in chunks])
    assert np.array_equal(whole, np.asarray(decode(content)))


def test_an_mp3_read_in_chunks_is_what_soundfile_reads_at_once():
    content = file_of(tone(5 * RATE, 2), "MP3")
    expected, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    assert np.array_equal(np.asarray(decode(content)), expected)


def test_read_size_is_no_part_of_the_nodes_identity():
    assert Decode(10) == Decode(20)
    assert hash(Decode(10)) == hash(Decode(20))


def test_the_node_flushes_nothing():
    stage = Decode().stream()
    list(stage.step(file_of(tone(10))))
    assert list(stage.flush()) == []


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AAC"])
def test_memory_does_not_grow_with_the_file(tmp_path, format):
    sound = np.tile(tone(RATE, 2), (60, 1))
    if format == "AAC":
        path = tmp_path / "long.m4a"
        coded(sound, "aac", "ipod", "stereo", path=path)
    else:
        path = named(tmp_path, file_of(sound, format))
    tracemalloc.start()
    try:
        count = sum(len(chunk) for chunk in Decode(10000).stream().step(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count >= len(sound)
    assert peak < sound.nbytes / 10


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
@pytest.mark.parametrize("kind", ["whole", "stopped", "libav", "libav stopped", "broken", "nan"])
def test_no_file_stays_open(tmp_path, kind):
    contents = {
        "broken": b"no audio" * 100,
        "nan": file_of(np.float32([0, np.nan]), "WAV", "FLOAT"),
    }
    libav = coded(tone(48000, 2), "aac", "ipod", "stereo")
    content = libav if "libav" in kind else contents.get(kind, file_of(tone()))
    path = named(tmp_path, content)

    def held():
        links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
        return [link for link in links if os.path.exists(link) and os.path.samefile(link, path)]

    chunks = Decode(100).stream().step(path)
    if "stopped" in kind:
        next(chunks)
        assert held()
        chunks.close()
    elif kind in contents:
        with pytest.raises(AudioError):
            list(chunks)
    else:
        list(chunks)
    assert not held()


# ---- files that are not audio, or hold none


RANDOM = np.random.default_rng(5).bytes(20000)
NOT_AUDIO = {
    "empty": b"",
    "one byte": b"R",
    "text": b"Dear recordist,\nplease find attached ...\n" * 50,
    "html": b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>" * 20,
    "random": RANDOM,
    "header": file_of(tone(100))[:20],
    "zeros": bytes(5000),
    "zip": b"PK\x03\x04" + RANDOM[:500],
    "ogg": b"OggS" + RANDOM[:500],
    "id3": b"ID3\x04\0\0\0\0\0\x7f" + bytes(300),
    "ogg cut in the first page": b"OggS\0\x02",
}


@pytest.mark.parametrize("kind", NOT_AUDIO)
def test_what_is_not_audio_is_named(tmp_path, kind):
    path = named(tmp_path, NOT_AUDIO[kind])
    with pytest.raises(AudioError, match=r"take 1\.mp3.*(convert|copy|leave)") as caught:
        decode(path)
    assert not isinstance(caught.value, NoAudio)


def test_the_message_shows_how_the_file_starts(tmp_path):
    with pytest.raises(AudioError, match="DOCTYPE html"):
        decode(named(tmp_path, NOT_AUDIO["html"]))


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_give_an_audio_error_that_names_them(content):
    with pytest.raises(AudioError, match="bytes"):
        decode(content)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["WAV", "AIFF", "FLAC", "OGG", "MP3", "W64", "CAF"]),
    st.integers(0, 400),
    st.binary(min_size=1, max_size=4),
)
def test_a_damaged_header_never_fails_in_another_way(format, place, damage):
    content = file_of(tone(3000), format)
    content = content[:place] + damage + content[place + len(damage) :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PartialAudio)
        try:
            samples = decode(content)
        except AudioError:
            return
    assert 0 < samples.size < 100 * 3000
    assert np.isfinite(np.asarray(samples)).all()


def test_a_playlist_opens_no_other_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named(tmp_path, file_of(tone(100)), "private.wav")
    with pytest.raises(AudioError):
        decode(b"ffconcat version 1.0\nfile private.wav\n")


def test_libraries_print_nothing(tmp_path):
    aac = coded(tone(48000, 2), "aac", "adts", "stereo")
    damaged = aac[:3000] + RANDOM[:3000] + aac[6000:]
    mp3 = file_of(tone(), "MP3")
    for name, content in {"a": damaged, "b": mp3[:9000], "c": RANDOM, "d": mp3 + mp3}.items():
        named(tmp_path, content, name)
    script = (
        "import sys, warnings; from zounds import decode; warnings.simplefilter('ignore')\n"
        "for path in sys.argv[1:]:\n"
        "    try: print(len(decode(path)))\n"
        "    except Exception as error: print(error)\n"
    )
    command = [sys.executable, "-c", script, *sorted(map(str, tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 4


@pytest.mark.parametrize("format", ["WAV", "AIFF", "OGG", "W64", "CAF", "AU"])
@pytest.mark.filterwarnings("ignore::zounds.errors.PartialAudio")
def test_a_file_of_no_samples(tmp_path, format):
    path = named(tmp_path, file_of(np.zeros(0, np.float32), format), "silence.x")
    with pytest.raises(NoAudio, match=r"silence\.x holds no samples"):
        decode(path)
    with pytest.raises(NoAudio):
        next(iter(Decode().stream().step(path)))


def test_an_empty_wav_with_tags_is_empty():
    content = file_of(np.zeros(0, np.float32))
    tags = b"LIST" + struct.pack("<I", 26) + b"INFOINAM" + struct.pack("<I", 14) + b"a name of 14 b"
    assert decode_error(content + tags) is NoAudio


def decode_error(content):
    with pytest.raises(AudioError) as caught:
        decode(content)
    return type(caught.value)


def test_a_video_without_sound():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match="no sound"):
        decode(buffer.getvalue())


# ---- files that are cut short, or lie about their length


@pytest.mark.parametrize("format", ["WAV", "AIFF", "W64", "RF64", "AU", "FLAC", "OGG", "MP3"])
def test_a_cut_file_gives_what_is_there_and_says_so(tmp_path, format):
    sound = tone(2 * RATE, 2)
    content = file_of(sound, format)
    samples, message = decoded_part(named(tmp_path, content[: len(content) // 2]))
    assert message.startswith("take 1.mp3: it")
    assert RATE * 0.5 < len(samples) < RATE * 1.1
    precision = 2**-14 if format not in ("OGG", "MP3") else 0.1
    assert np.abs(samples - sound[: len(samples)]).max() <= precision


def test_a_cut_flac_keeps_what_was_decoded_before_the_break():
    sound = tone(20 * 4096)
    content = file_of(sound, "FLAC")
    samples, _ = decoded_part(content[: len(content) * 3 // 4])
    # all blocks of 4096 but the one that is cut, though one read spans them all
    assert len(samples) == len(samples) // 4096 * 4096
    assert len(samples) >= 14 * 4096


def test_a_cut_m4a_whose_index_comes_first(tmp_path):
    sound = tone(2 * 48000, 2)
    whole = tmp_path / "whole.m4a"
    content = coded(sound, "aac", "ipod", "stereo", path=whole, movflags="faststart")
    samples, message = decoded_part(named(tmp_path, content[: len(content) * 2 // 3], "cut.m4a"))
    assert message.startswith("cut.m4a: it")
    assert 48000 * 0.5 < len(samples) < 48000 * 1.8
    assert likeness(samples, sound[: len(samples)]) > 0.9


def test_an_m4a_that_is_cut_between_two_packets(tmp_path):
    whole = tmp_path / "whole.m4a"
    sound = tone(2 * 48000, 2)
    content = coded(sound, "aac", "ipod", "stereo", path=whole, movflags="faststart")
    with av.open(str(whole)) as container:
        places = [packet.pos for packet in container.demux() if packet.size]
    samples, message = decoded_part(content[: places[len(places) // 2]])
    assert "of 2.0" in message
    assert abs(len(samples) - 48000) < 3000


def test_an_ogg_that_is_cut_between_two_pages():
    content = file_of(tone(5 * RATE), "OGG")
    _, message = decoded_part(content[: content.rindex(b"OggS")])
    assert "last page" in message


def test_a_cut_mp3_with_tags_in_front():
    content = file_of(tone(2 * RATE), "MP3")
    tags = b"ID3\x04\0\0" + bytes([0, 0, 2, 44]) + bytes(300)
    decode(tags + content)
    _, message = decoded_part((tags + content)[: 310 + 5000])
    assert f"5000 of {len(content)} bytes" in message


def test_an_mp3_that_does_not_tell_its_length_is_whole():
    quiet, loud = np.zeros(5 * RATE, np.float32), tone(5 * RATE)
    content = file_of(np.concatenate([quiet, loud]), "MP3")
    without = content[content.index(content[:2], 4) :]  # the first frame holds the length
    assert b"Xing" not in without
    assert abs(len(decode(without)) - 10 * RATE) < 5000


def test_whole_files_are_not_called_partial():
    sound = tone(RATE, 2)
    for format in ("WAV", "AIFF", "FLAC", "OGG", "MP3", "W64", "RF64", "CAF"):
        decode(file_of(sound, format))  # a warning would be an error here
    decode(coded(sound, "aac", "ipod", "stereo"))


def test_a_crashed_recorders_wav_of_many_channels():
    sound = tone(3000, 5)
    content = patched(file_of(sound, "WAV", "PCM_24"), b"data", 4, bytes(4))
    samples = np.asarray(decode(content))
    assert samples.shape == (3000, 5)
    assert np.abs(samples - sound).max() <= 2**-22


@pytest.mark.parametrize("riff", [None, 0, 36, 0xFFFFFFFF])
@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("silent", [False, True])
def test_a_wav_whose_recorder_did_not_write_the_size(riff, size, silent):
    sound = tone(3000, 2) * (not silent)
    content = patched(file_of(sound), b"data", 4, struct.pack("<I", size))
    if riff is not None:
        content = patched(content, b"RIFF", 4, struct.pack("<I", riff))
    samples = np.asarray(decode(content))
    assert samples.shape == (3000, 2)
    assert np.abs(samples - sound).max() <= 2**-14


def test_a_flac_whose_encoder_did_not_know_the_length():
    sound = tone(30000)
    content = bytearray(file_of(sound, "FLAC"))
    content[8 + 13] &= 0xF0  # the low bits of the number of samples, in 36 bits
    content[8 + 14 : 8 + 18] = bytes(4)
    samples = np.asarray(decode(bytes(content)))
    assert samples.shape == (30000,)
    assert np.abs(samples - sound).max() <= 2**-14


@pytest.mark.parametrize("format", ["RF64", "W64"])
def test_a_terabyte_that_is_not_there_is_not_allocated(format):
    sound = tone(3000)
    content = file_of(sound, format)
    size = struct.pack("<Q", 1 << 42)
    if format == "RF64":
        content = patched(content, b"ds64", 16, size + struct.pack("<Q", 1 << 40))
    else:
        content = patched(content, b"data", 16, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PartialAudio)
        samples = np.asarray(decode(content))
    assert samples.shape == (3000,)
    assert np.abs(samples - sound).max() <= 2**-14


def test_a_flac_that_promises_too_much():
    sound = tone(8192)
    content = bytearray(file_of(sound, "FLAC"))
    content[8 + 13] |= 0x0F
    samples, _ = decoded_part(bytes(content))
    assert samples.shape == (8192,)


@pytest.mark.parametrize("format", ["OGG", "MP3"])
def test_joined_files_are_read_to_the_end(format):
    first, second = tone(RATE), tone(2 * RATE, seed=1)
    samples = np.asarray(decode(file_of(first, format) + file_of(second, format)))
    assert abs(len(samples) - 3 * RATE) < 0.1 * RATE
    assert likeness(samples[: RATE - 2000], first[: RATE - 2000]) > 0.98
    assert np.abs(samples[-RATE // 2 :]).max() > 0.3


def test_channels_that_change_on_the_way_end_the_audio():
    first = tone(RATE, 2)
    joined = file_of(first, "MP3") + file_of(tone(RATE), "MP3")
    samples, message = decoded_part(joined)
    assert "1 channels" in message
    assert samples.shape[1] == 2
    assert abs(len(samples) - RATE) < 0.1 * RATE


def test_damage_on_the_way_through_libav_ends_the_audio():
    sound = tone(48000 * 2, 2)
    content = coded(sound, "aac", "adts", "stereo")
    middle = len(content) // 2
    samples, message = decoded_part(content[:middle] + RANDOM[:4000] + content[middle + 4000 :])
    assert "breaks off" in message
    assert 40000 < len(samples) < 60000


# ---- samples that are no samples


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30, 1.1e10, -1.1e10])
@pytest.mark.parametrize("place", [0, 44100, 66150])
def test_samples_that_are_no_sound_are_refused(tmp_path, value, place):
    sound = tone(2 * RATE, 2)
    sound[place:, 1] = value
    path = named(tmp_path, file_of(sound, "WAV", "FLOAT"), "broken.wav")
    shown = re.escape(f"{value:.6g}")
    message = rf"broken\.wav holds {shown} at {place / RATE:g} s, which is no sound"
    with pytest.raises(AudioError, match=message):
        decode(path)


@pytest.mark.parametrize("scale", [2.0**31, 1e10])
def test_floats_that_are_scaled_like_integers_are_sound_and_stay_numbers(scale):
    sound = tone(RATE, 2) * np.float32(scale)
    sound[100], sound[200] = scale, -scale
    samples = decode(file_of(sound, "WAV", "FLOAT"))
    np.testing.assert_array_equal(samples, sound)
    spectrum = FFT()(SlidingWindow(HalfLapped(), Hann())(samples.mono))
    for bands, cepstrum in ((BarkBands(), BFCC()), (MelBands(), MFCC())):
        assert np.isfinite(cepstrum(bands(spectrum))).all()


def test_doubles_too_large_for_a_float_are_refused():
    with pytest.raises(AudioError, match="inf"):
        decode(file_of(np.array([0, 1e300]), "WAV", "DOUBLE"))
