"""Bytes to samples, samples to other rates, and samples back to bytes."""

from zounds.audio.decode import AudioReader, Decode, decode, open_audio
from zounds.audio.encode import OggVorbis, encode, save
from zounds.audio.resample import Mono, Resample

__all__ = [
    "AudioReader",
    "Decode",
    "Mono",
    "OggVorbis",
    "Resample",
    "decode",
    "encode",
    "open_audio",
    "save",
]
