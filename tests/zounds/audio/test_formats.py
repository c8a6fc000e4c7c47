"""Every format is read as what was written. Run as a program, this writes the table of them.

What soundfile writes is always tried; the rest needs ffmpeg and sox.
"""

import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from featureflow.sources import iter_zip
from zounds.audio.decode import decode
from zounds.units import AudioSampleRate

DOCUMENT = Path(__file__).parents[3] / "docs" / "audio-formats.md"
BEGIN, END = "<!-- made by tests/zounds/audio/test_formats.py -->\n", "<!-- to here -->\n"
SECONDS = 0.5

ALL = ((8000, 1), (22050, 2), (44100, 1), (44100, 2), (48000, 6), (48000, 8), (96000, 2))
ALL = (*ALL, (192000, 2))
PAIRS = ((8000, 1), (22050, 2), (44100, 1), (44100, 2), (48000, 2))
SURROUND = ((44100, 1), (48000, 2), (48000, 6))
MPEG = ((8000, 1), (11025, 2), (16000, 1), (22050, 2), (44100, 1), (44100, 2), (48000, 2))
OPUS = ((48000, 1), (48000, 2), (48000, 6), (48000, 8))
LOW_RATE = ((8000, 1),)


@dataclass(frozen=True)
class Format:
    """How a format is made, and how close to the original its samples have to be.

    `bits` of precision of lossless ones (None: every bit), or `decibels` of signal to noise; the
    sound starts within `delay`, and the file is at most `longer` than the sound [samples].
    """

    name: str
    suffix: str
    options: str
    kinds: tuple
    maker: str = "ffmpeg"
    bits: int | None = None
    decibels: float | None = None
    delay: tuple[int, int] = (0, 0)
    longer: int = 0
    note: str = ""


def written(name, options, bits=None, kinds=ALL, **more):
    return Format(name, ".sound", options, kinds, "soundfile", bits, **more)


NO_DELAY = "the codec's delay is not stated, and stays"
FORMATS = [
    written("WAV, 8 bits", "WAV PCM_U8", 6),
    written("WAV, 16 bits", "WAV PCM_16", 14),
    written("WAV, 24 bits", "WAV PCM_24", 22),
    written("WAV, 32 bits", "WAV PCM_32", 22),
    written("WAV, 32-bit float", "WAV FLOAT"),
    written("WAV, 64-bit float", "WAV DOUBLE"),
    written("WAV, A-law", "WAV ALAW", 5),
    written("WAV, μ-law", "WAV ULAW", 5),
    written("WAV, extensible", "WAVEX PCM_24", 22),
    written("WAV, IMA ADPCM", "WAV IMA_ADPCM", decibels=20, kinds=PAIRS, longer=4096),
    written("WAV, MS ADPCM", "WAV MS_ADPCM", decibels=20, kinds=PAIRS, longer=4096),
    written("WAV, GSM 6.10", "WAV GSM610", decibels=5, kinds=LOW_RATE, longer=640),
    Format("WAV, MP3", ".wav", "-c:a libmp3lame", MPEG, decibels=20, delay=(0, 1105), longer=2304,
           note=NO_DELAY),
    written("RF64", "RF64 PCM_24", 22),
    written("Wave64", "W64 PCM_24", 22),
    written("AIFF, 16 bits", "AIFF PCM_16", 14),
    written("AIFF, 24 bits", "AIFF PCM_24", 22),
    written("AIFF, 32-bit float (fl32)", "AIFF FLOAT"),
    Format("AIFF-C, little-endian (sowt)", ".aifc", "-f aiff -c:a pcm_s16le", ALL, bits=14),
    Format("AIFF-C, A-law", ".aifc", "-f aiff -c:a pcm_alaw", ALL, bits=6),
    written("FLAC, 16 bits", "FLAC PCM_16", 14),
    written("FLAC, 24 bits", "FLAC PCM_24", 22),
    Format("FLAC in Ogg", ".oga", "-c:a flac", ALL, bits=22),
    written("Ogg Vorbis", "OGG VORBIS", decibels=20, kinds=PAIRS),
    Format("Ogg Vorbis, surround", ".ogg", "-c:a libvorbis", ((48000, 6), (48000, 8)), decibels=20,
           longer=1024, note="channels in the order of WAV"),
    written("Ogg Opus", "OGG OPUS", decibels=20, kinds=OPUS[:2]),
    Format("Ogg Opus, surround", ".opus", "-c:a libopus", OPUS[2:], decibels=20,
           note="channels in the order of WAV"),
    Format("Speex", ".spx", "-c:a libspeex", LOW_RATE, decibels=8, delay=(0, 320), longer=640),
    written("MP3", "MP3 MPEG_LAYER_III", decibels=20, kinds=MPEG),
    Format("MP3, constant bit rate", ".mp3", "-b:a 64k", MPEG, decibels=20),
    Format("MP3, variable bit rate", ".mp3", "-q:a 3", MPEG, decibels=20),
    Format("MP3 without a length", ".mp3", "-b:a 64k -write_xing 0", MPEG, decibels=20,
           delay=(0, 1105), longer=2304, note=NO_DELAY),
    Format("MP3 without a length or tag, variable bit rate", ".mp3",
           "-q:a 3 -write_xing 0 -id3v2_version 0", MPEG, decibels=20, delay=(0, 1105),
           longer=2304, note=NO_DELAY),
    Format("MP2", ".mp2", "-c:a mp2", MPEG[2:], decibels=20, delay=(0, 481), longer=1152,
           note=NO_DELAY),
    Format("M4A, AAC", ".m4a", "-c:a aac", ALL[:-1], decibels=15, longer=1024),
    Format("M4A, Apple Lossless", ".m4a", "-c:a alac -sample_fmt s32p", (*ALL[:5], *ALL[6:]),
           bits=22),
    Format("AAC (ADTS)", ".aac", "-c:a aac", ALL[:-1], decibels=15, delay=(0, 1024),
           longer=2048, note=NO_DELAY),
    Format("WMA 1", ".wma", "-c:a wmav1", PAIRS, decibels=20, delay=(-2048, 0),
           note="libav leaves out the first block, up to 2048 samples"),
    Format("WMA 2", ".wma", "-c:a wmav2", PAIRS, decibels=20, delay=(-2048, 0),
           note="libav leaves out the first block, up to 2048 samples"),
    Format("WebM, Opus", ".webm", "-c:a libopus", OPUS, decibels=20, longer=960),
    Format("WebM, Vorbis", ".webm", "-c:a libvorbis", ALL, decibels=20, longer=1024),
    Format("Matroska, FLAC", ".mka", "-c:a flac", ALL, bits=22),
    Format("Matroska, 16 bits", ".mka", "-c:a pcm_s16le", ALL, bits=14),
    Format("QuickTime, 24 bits", ".mov", "-c:a pcm_s24le", ALL, bits=22),
    Format("AVI, 16 bits", ".avi", "-c:a pcm_s16le", ALL, bits=14),
    Format("AC-3", ".ac3", "-c:a ac3 -b:a 384k", SURROUND, decibels=20, delay=(0, 256), longer=1536,
           note=NO_DELAY),
    Format("E-AC-3", ".eac3", "-c:a eac3 -b:a 384k", SURROUND, decibels=20, delay=(0, 256),
           longer=1536, note=NO_DELAY),
    Format("DTS", ".dts", "-c:a dca -strict -2", ((44100, 2), (48000, 2)), decibels=20,
           delay=(0, 512), longer=1024, note=NO_DELAY),
    Format("WavPack", ".wv", "-c:a wavpack", ALL),
    Format("WavPack, 24 bits", ".wv", "-b 24", ALL, "sox", 22),
    Format("True Audio", ".tta", "-c:a tta -sample_fmt s32", ALL, bits=22),
    written("CAF, 16 bits", "CAF PCM_16", 14),
    written("CAF, Apple Lossless", "CAF ALAC_24", 22, kinds=(*ALL[:5], *ALL[6:])),
    written("AU, 16 bits", "AU PCM_16", 14),
    written("AU, μ-law", "AU ULAW", 5),
    written("VOC, 16 bits", "VOC PCM_16", 14, kinds=PAIRS),
    Format("VOC, several blocks", ".voc", "-c:a pcm_s16le", ALL, bits=14),
    Format("IFF 8SVX", ".8svx", "", PAIRS, "sox", 6),
    written("IRCAM", "IRCAM PCM_16", 14),
    written("NIST Sphere", "NIST PCM_16", 14),
    written("Matlab 5", "MAT5 PCM_16", 14),
    Format("AMR narrowband", ".amr-nb", "-C 7", LOW_RATE, "sox", decibels=6, delay=(0, 80),
           longer=320),
]  # fmt: skip


def original(rate, channels):
    """A chirp for each channel, none like another; that of the LFE channel is low."""
    times = np.arange(int(rate * SECONDS)) / rate
    sound = np.zeros((len(times), channels), np.float32)
    for channel in range(channels):
        low, high = (300 + 130 * channel, 900 + 200 * channel)
        if is_lfe(channel, channels):
            low, high = 40, 80
        phase = low * times + (high - low) / 2 / SECONDS * times**2
        sound[:, channel] = 0.4 * np.sin(2 * np.pi * phase + channel)
    return sound


def is_lfe(channel, channels):
    return channel == 3 and channels in (6, 8)


def make(form, folder):
    """Make a format's files; return where, or why not."""
    sounds = [(folder / f"{rate}-{count}.wav", rate, count) for rate, count in form.kinds]
    files = [path.with_suffix(f".made{form.suffix}") for path, *_ in sounds]
    if form.maker == "soundfile":
        for path, (_, rate, count) in zip(files, sounds, strict=True):
            container, subtype = form.options.split()
            soundfile.write(path, original(rate, count), rate, subtype, format=container)
        return files
    if not shutil.which(form.maker):
        return f"{form.maker} is not installed"
    for path, rate, count in sounds:
        soundfile.write(path, original(rate, count), rate, "FLOAT")
    sources = [path for path, *_ in sounds]
    if form.maker == "ffmpeg":
        commands = [["ffmpeg", "-nostdin", "-loglevel", "error"]]
        for path in sources:
            commands[0] += ["-i", path]
        for index, path in enumerate(files):
            commands[0] += ["-map", str(index), *form.options.split(), path]
    else:
        commands = [
            ["sox", "-D", source, *form.options.split(), path]
            for source, path in zip(sources, files, strict=True)
        ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode and re.search("Unknown encoder|no handler", done.stderr):
            return f"{form.maker} cannot write it here: {done.stderr.strip()[:100]}"
        assert done.returncode == 0, done.stderr
    return files


@pytest.fixture(scope="session")
def files_of(tmp_path_factory):
    made = {}

    def files(form):
        if form.name not in made:
            made[form.name] = make(form, tmp_path_factory.mktemp("format"))
        if isinstance(made[form.name], str):
            pytest.skip(made[form.name])
        return made[form.name]

    return files


def lag(found, sound):
    """How many samples later `found` has what `sound` has."""
    size = 1 << (len(found) + len(sound)).bit_length()
    spectra = np.fft.rfft(found, size) * np.conj(np.fft.rfft(sound, size))
    place = int(np.argmax(np.fft.irfft(spectra, size)))
    return place if place < size // 2 else place - size


@pytest.mark.parametrize(
    ("form", "index"),
    [
        pytest.param(form, index, id=f"{form.name} {rate} Hz {channels} channels")
        for form in FORMATS
        for index, (rate, channels) in enumerate(form.kinds)
    ],
)
def test_a_format_is_read_as_what_was_written(form, index, files_of):
    rate, channels = form.kinds[index]
    sound = original(rate, channels)
    samples = decode(files_of(form)[index])
    assert samples.samplerate == AudioSampleRate(rate)
    found = np.reshape(samples, (len(samples), -1))
    assert found.shape[1] == channels
    assert min(0, form.delay[0]) <= len(found) - len(sound) <= form.longer
    if form.decibels is None:
        error = np.abs(found - sound).max()
        assert error <= (0 if form.bits is None else 2**-form.bits)
        return
    delay = lag(found[:, 0], sound[:, 0])
    assert form.delay[0] <= delay <= form.delay[1]
    found, sound = found[max(delay, 0) :], sound[max(-delay, 0) :]
    length = min(len(found), len(sound))
    inner = slice(length // 10, -length // 10)  # codecs fade in and out
    for channel in range(channels):
        true, error = sound[:length][inner, channel], (found[:length] - sound[:length])[inner]
        ratio = 10 * np.log10(np.sum(true**2) / np.sum(error[:, channel] ** 2))
        needed = min(form.decibels, 10) if is_lfe(channel, channels) else form.decibels
        assert ratio >= needed, f"channel {channel}"


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_format_is_read_from_inside_a_zip(form, files_of, tmp_path):
    files = files_of(form)
    with zipfile.ZipFile(tmp_path / "sounds.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, f"{path.parent.name}/{path.name}")
    members = list(iter_zip(tmp_path / "sounds.zip"))
    assert len(members) == len(files)
    for member, path in zip(members, files, strict=True):
        inside, outside = decode(member), decode(path)
        assert np.array_equal(np.asarray(inside), np.asarray(outside))
        with member.open() as stream:
            assert np.array_equal(np.asarray(decode(stream)), np.asarray(outside))


# ---- the table in the document


def rows():
    yield "| Format | Made by | kHz | Channels | Difference | Length | Note |"
    yield "|---|---|---|---|---|---|---|"
    for form in FORMATS:
        rates = sorted({rate for rate, _ in form.kinds})
        counts = sorted({count for _, count in form.kinds})
        near = "none" if form.bits is None else f"at most 2^-{form.bits}"
        if form.decibels is not None:
            near = f"{form.decibels} dB below the sound"
        length = f"up to {form.longer} longer" if form.longer else "exact"
        if form.delay[0]:
            length = f"up to {-form.delay[0]} shorter"
        khz = ", ".join(f"{rate / 1000:g}" for rate in rates)
        channels = ", ".join(map(str, counts))
        cells = (form.name, form.maker, khz, channels, near, length, form.note)
        yield "| " + " | ".join(cells).rstrip() + " |"


def table():
    return "\n".join(rows()) + "\n"


def test_the_document_lists_what_is_tried():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text[text.index(BEGIN) + len(BEGIN) : text.index(END)] == table(), (
        f"run: python {Path(__file__).relative_to(DOCUMENT.parents[1])}"
    )


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    DOCUMENT.write_text(before + table() + after, encoding="utf-8")
    sys.exit()
