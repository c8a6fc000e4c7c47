"""Ready-made graphs, to use as they are or to derive from."""

from __future__ import annotations

from typing import Any

import featureflow as ff
from zounds.audio.decode import Decode
from zounds.audio.encode import OggVorbis
from zounds.audio.resample import Mono, Resample
from zounds.dsp.frames import SlidingWindow
from zounds.dsp.spectrum import FFT
from zounds.dsp.timbre import TimbreClip, TimbreSegments
from zounds.dsp.timbre_frames import TimbreFrames
from zounds.dsp.timbre_windows import RATE
from zounds.dsp.windows import Hann
from zounds.feature_types import AudioSamplesFeature, ConstantRateTimeSeriesFeature
from zounds.units import SR22050, HalfLapped, SampleRate


def stft(
    resample_to: SampleRate = SR22050(),  # noqa: B008  # immutable
    wscheme: SampleRate = HalfLapped(),  # noqa: B008
    wfunc: Any = Hann(),  # noqa: B008
    keep_audio: bool = False,
) -> type[ff.BaseModel]:
    """Return a model that computes the short-time Fourier transform of sounds.

    ========= ==================================================================== ==========
    meta      `Source` : where the sound comes from; the root                      stored
    pcm       `AudioSamples` [shape=(n,) or (n, channels)] at the file's own rate
    ogg       bytes : an Ogg Vorbis file, to listen to
    mono      `AudioSamples` [shape=(n,)] : the mean of the channels
    resampled `AudioSamples` [shape=(n,)] at `resample_to`
    windowed  `ConstantRateTimeSeries` [shape=(frames, window)]
    fft       `ConstantRateTimeSeries` [shape=(frames, window // 2 + 1)], complex
    ========= ==================================================================== ==========

    Only the reference to the sound is stored; the rest is computed again when it is asked for.

    Parameters
    ----------
    resample_to : SampleRate
        The rate at which sounds are analysed.
    wscheme : SampleRate [unit=s]
        The hop (`frequency`) and the window (`duration`).
    wfunc : callable, int -> np.ndarray [shape=(n,)]
        The window function.
    keep_audio : bool
        Whether the content of the files is stored as well, so that they may vanish.

    Returns
    -------
    type
        A class to derive from, together with settings.

    Examples
    --------
    >>> import numpy as np, featureflow as ff, zounds
    >>> class Settings(ff.PersistenceSettings):
    ...     database = ff.InMemoryDatabase()
    >>> class Sound(zounds.stft(resample_to=zounds.SR11025()), Settings):
    ...     pass
    >>> tone = zounds.SineSynthesizer(zounds.SR44100()).synthesize(zounds.Seconds(1))
    >>> _id = Sound.process(meta=zounds.encode(tone, "wav"))
    >>> Sound(_id).fft.shape
    (43, 257)
    """

    class STFT(ff.BaseModel):
        meta = ff.SourceFeature(keep=keep_audio)

        pcm = AudioSamplesFeature(Decode, needs=meta)

        ogg = ff.ByteStreamFeature(OggVorbis, needs=pcm)

        mono = AudioSamplesFeature(Mono, needs=pcm)

        resampled = AudioSamplesFeature(Resample, needs=mono, samplerate=resample_to)

        windowed = ConstantRateTimeSeriesFeature(
            SlidingWindow, needs=resampled, wscheme=wscheme, wfunc=wfunc
        )

        fft = ConstantRateTimeSeriesFeature(FFT, needs=windowed)

    return STFT


def timbre(keep_audio: bool = False) -> type[ff.BaseModel]:
    """Return a model that describes the timbre of sounds.

    =============== ==================================================================== ======
    meta            `Source` : where the sound comes from; the root                      stored
    pcm             `AudioSamples` [shape=(n,) or (n, channels)] at the file's own rate
    mono            `AudioSamples` [shape=(n,)] : the mean of the channels
    resampled       `AudioSamples` [shape=(n,)] at 44.1 kHz
    spectra         `Spectra` of 0.70 s each, which what follows is computed from
    segment_timbres `ConstantRateTimeSeries` [shape=(m, 330)] : of each 0.70 s           stored
    clip_timbre     `ConstantRateTimeSeries` [shape=(1, 330)] : of the first 20 s        stored
    =============== ==================================================================== ======

    See `zounds.dsp.timbre.describe` for the 330 numbers. A file of any length is described in
    constant memory.

    Parameters
    ----------
    keep_audio : bool
        Whether the content of the files is stored as well, so that they may vanish.

    Returns
    -------
    type
        A class to derive from, together with settings.

    Examples
    --------
    >>> import featureflow as ff, zounds
    >>> class Settings(ff.PersistenceSettings):
    ...     database = ff.InMemoryDatabase()
    >>> class Sound(zounds.timbre(), Settings):
    ...     pass
    >>> tone = zounds.SineSynthesizer(zounds.SR44100()).synthesize(zounds.Seconds(2))
    >>> _id = Sound.process(meta=zounds.encode(tone, "wav"))
    >>> Sound(_id).segment_timbres.shape, Sound(_id).clip_timbre.shape
    ((3, 330), (1, 330))
    """

    class Timbre(ff.BaseModel):
        meta = ff.SourceFeature(keep=keep_audio)

        pcm = AudioSamplesFeature(Decode, needs=meta)

        mono = AudioSamplesFeature(Mono, needs=pcm)

        resampled = AudioSamplesFeature(Resample, needs=mono, samplerate=RATE)

        spectra = ff.Feature(TimbreFrames, needs=resampled)

        segment_timbres = ConstantRateTimeSeriesFeature(TimbreSegments, needs=spectra, store=True)

        clip_timbre = ConstantRateTimeSeriesFeature(TimbreClip, needs=spectra, store=True)

    return Timbre
