import io
from fractions import Fraction

import numpy as np
import pytest
import soundfile

import featureflow as ff
import zounds
from featureflow.fingerprint import is_fixed
from zounds import SR11025, SR22050, AudioSampleRate, AudioSamples, HalfLapped, SampleRate


def noise(seconds, channels, rate, seed=0):
    random = np.random.default_rng(seed)
    samples = random.uniform(-0.5, 0.5, (round(seconds * rate), channels)).astype(np.float32)
    return AudioSamples(samples[:, 0] if channels == 1 else samples, rate)


def wav(path, sound):
    path.write_bytes(zounds.encode(sound, "wav"))
    return path


def model(**parameters):
    graph = zounds.stft(**parameters)

    class Sound(graph):
        bark = zounds.ConstantRateTimeSeriesFeature(zounds.BarkBands, needs=graph.fft, store=True)
        bfcc = zounds.ConstantRateTimeSeriesFeature(zounds.BFCC, needs=bark, store=True)

        database = ff.InMemoryDatabase()

    return Sound


def test_five_seconds_of_stereo_are_215_frames(tmp_path):
    stereo = noise(5, 2, 44100)
    sound = model()
    document = sound(sound.process(meta=wav(tmp_path / "a.wav", stereo)))
    rate, hop = AudioSampleRate(22050), Fraction(512, 22050)
    frames = SampleRate(hop, 2 * hop)

    assert type(document.pcm) is AudioSamples
    assert document.pcm.samplerate == AudioSampleRate(44100)
    np.testing.assert_allclose(document.pcm, stereo, atol=2**-15)
    assert type(document.mono) is AudioSamples
    np.testing.assert_allclose(document.mono, np.asarray(stereo).mean(axis=1), atol=2**-14)
    assert (document.mono.shape, document.mono.samplerate) == ((220500,), AudioSampleRate(44100))
    assert (document.resampled.shape, document.resampled.samplerate) == ((110250,), rate)
    assert document.windowed.shape == (215, 1024)
    assert document.windowed.units == (frames, rate)
    assert (document.fft.shape, document.fft.dtype) == ((215, 513), np.complex64)
    assert document.fft.samplerate == document.bark.samplerate == document.bfcc.samplerate == frames
    assert document.fft.units[1].frequencies[-1] == 11025
    assert (document.bark.shape, document.bark.dtype) == ((215, 100), np.float32)
    assert document.bfcc.shape == (215, 13)
    assert document.meta.name == "a.wav"


def test_the_spectrum_is_the_one_numpy_computes(tmp_path):
    sound = model()
    document = sound(sound.process(meta=wav(tmp_path / "a.wav", noise(0.3, 1, 22050))))
    samples = np.asarray(document.pcm, np.float64)
    np.testing.assert_array_equal(document.resampled, document.pcm)  # already at this rate
    window = np.asarray(zounds.Hann()(1024), np.float64)
    for frame in (0, 3, 7):
        expected = np.fft.rfft(window * samples[512 * frame :][:1024])
        np.testing.assert_allclose(document.fft[frame], expected, atol=1e-4)


def test_the_ogg_plays_what_the_file_holds(tmp_path):
    stereo = noise(1, 2, 44100) * 0 + 0.4 * np.sin(np.arange(44100)[:, None] * [0.05, 0.1])
    sound = model()
    document = sound(sound.process(meta=wav(tmp_path / "a.wav", stereo.astype(np.float32))))
    assert isinstance(document.ogg, bytes)
    values, rate = soundfile.read(io.BytesIO(document.ogg))
    assert (rate, values.shape) == (44100, (44100, 2))
    error = values - np.asarray(stereo)
    assert np.mean(error**2) < 1e-3 * np.mean(np.asarray(stereo) ** 2)


def test_only_the_reference_to_the_sound_is_stored(tmp_path):
    file = wav(tmp_path / "a.wav", noise(1, 2, 44100))
    sound = model()
    document = sound(sound.process(meta=file))
    stored = {name for name, feature in sound.features.items() if feature.store}
    assert stored == {"meta", "bark", "bfcc"}
    assert sum(len(sound.database.read(key)) for key in sound.database.keys()) < 40_000
    file.unlink()
    assert sound(document._id).bark.shape == (43, 100)
    for name in ("pcm", "ogg", "fft"):
        with pytest.raises(ff.SourceNotFound, match="a.wav"):
            getattr(sound(document._id), name)


def test_kept_audio_outlives_its_file(tmp_path):
    file = wav(tmp_path / "a.wav", noise(1, 2, 44100))
    sound = model(keep_audio=True)
    document = sound(sound.process(meta=file))
    before = document.pcm
    file.unlink()
    np.testing.assert_array_equal(sound(document._id).pcm, before)
    assert sound(document._id).fft.shape == (43, 513)


def test_bytes_that_are_nowhere_else_are_always_kept():
    sound = model()
    _id = sound.process(meta=zounds.encode(noise(0.2, 1, 44100), "wav"))
    assert sound(_id).pcm.shape == (8820,)


@pytest.mark.parametrize("channels", [1, 8])
@pytest.mark.parametrize("rate", [8000, 11025, 22050, 48000, 96000, 192000])
def test_files_of_any_rate_and_number_of_channels(tmp_path, rate, channels):
    sound = model()
    document = sound(sound.process(meta=wav(tmp_path / "a.wav", noise(1, channels, rate))))
    assert document.pcm.shape == ((rate,) if channels == 1 else (rate, channels))
    assert document.pcm.samplerate == AudioSampleRate(rate)
    assert abs(len(document.resampled) - 22050) <= 1
    assert document.resampled.samplerate == AudioSampleRate(22050)
    assert document.fft.shape == (43, 513)
    assert np.isfinite(document.bfcc).all()


def test_a_tone_stands_at_its_frequency_whatever_the_rates(tmp_path):
    for file_rate, graph_rate in [(8000, 22050), (44100, 11025), (48000, 44100), (192000, 22050)]:
        tone = zounds.SineSynthesizer(file_rate).synthesize(1, [1000])
        sound = model(resample_to=AudioSampleRate(graph_rate))
        document = sound(sound.process(meta=wav(tmp_path / f"{file_rate}.wav", tone)))
        for spectrum in (abs(document.fft), document.bark):
            loudest = spectrum[20].argmax()
            assert spectrum.units[1].frequencies[loudest] == pytest.approx(1000, abs=30)


def test_the_analysis_is_what_one_asks_for(tmp_path):
    file = wav(tmp_path / "a.wav", noise(1, 1, 44100))
    scheme = SampleRate(Fraction(1, 100), Fraction(1, 50))
    graph = zounds.stft(resample_to=SR11025(), wscheme=scheme, wfunc=None)

    class Sound(graph):
        database = ff.InMemoryDatabase()

    document = Sound(Sound.process(meta=file))
    hop, window = round(11025 / 100), round(11025 / 50)
    assert document.windowed.shape[1] == window
    assert document.windowed.frequency == Fraction(hop, 11025)
    np.testing.assert_array_equal(document.windowed[1], document.resampled[hop : hop + window])


def test_different_parameters_are_different_computations():
    prints = {
        name: model(**parameters)._fingerprint("fft")
        for name, parameters in {
            "plain": {},
            "same": {"resample_to": SR22050(), "wscheme": HalfLapped(), "keep_audio": True},
            "rate": {"resample_to": SR11025()},
            "hop": {"wscheme": SampleRate(Fraction(1, 100), Fraction(1, 50))},
            "window": {"wfunc": zounds.Hamming()},
        }.items()
    }
    assert prints["plain"] == prints["same"]
    assert len(set(prints.values())) == 4


@pytest.mark.parametrize("content", [b"", b"this is not audio", b"RIFF" + bytes(50)])
def test_what_is_no_audio_is_said_and_leaves_nothing(content):
    sound = model()
    with pytest.raises(zounds.AudioError):
        sound.process(meta=content)
    assert list(sound) == []
    assert list(sound.database.keys()) == []


def test_the_identity_of_ready_made_nodes_is_kept_and_not_computed_again():
    for feature in zounds.stft().features.values():
        assert is_fixed(feature.node), feature


def test_a_function_of_ones_own_may_use_all_of_zounds(in_folder):
    def windowed_again(samples):
        rate = zounds.HalfLapped() * zounds.Stride(2, 2)
        series = zounds.ConstantRateTimeSeries(np.asarray(samples)[:, None], zounds.SR22050())
        assert isinstance(samples, zounds.AudioSamples)
        assert rate.frequency > zounds.Seconds(0)
        return series

    class Mine(zounds.stft()):
        database = ff.InMemoryDatabase()
        mine = zounds.ConstantRateTimeSeriesFeature(windowed_again, needs="resampled", store=True)

    tone = zounds.SineSynthesizer(zounds.SR22050()).synthesize(zounds.Seconds(1))
    document = Mine(Mine.process(meta=zounds.encode(tone, "wav")))
    assert document.mine.shape == (22050, 1)


# ---------------------------------------------------------------------------- timbre


def timbre_model(**parameters):
    class Sound(zounds.timbre(**parameters)):
        database = ff.InMemoryDatabase()

    return Sound


def test_five_seconds_of_stereo_are_described_as_a_clip_and_by_segments(tmp_path):
    stereo = noise(5, 2, 48000)
    sound = timbre_model()
    document = sound(sound.process(meta=wav(tmp_path / "a.wav", stereo)))
    hop = Fraction(30 * 1024, 44100)
    assert document.resampled.samplerate == AudioSampleRate(44100)
    assert (document.clip_timbre.shape, document.clip_timbre.dtype) == ((1, 330), np.float32)
    assert document.segment_timbres.shape == (8, 330)
    assert document.segment_timbres.frequency == hop
    assert document.segment_timbres.duration >= hop
    assert 4.9 < document.clip_timbre.duration < 5.1
    assert np.isfinite(document.clip_timbre).all()
    assert np.isfinite(document.segment_timbres).all()


def test_a_segment_is_described_like_a_sound_that_is_no_longer(tmp_path):
    tone = noise(3, 1, 44100) * 0.1 + np.sin(np.arange(3 * 44100) / 20).astype(np.float32) * 0.5
    sound = timbre_model()
    document = sound(sound.process(meta=wav(tmp_path / "a.wav", tone)))
    count = 30 * 1024
    end = round(float(document.segment_timbres.duration) * 44100)
    for row in range(3):
        part = document.pcm[row * count : row * count + end]
        alone = sound(sound.process(meta=zounds.encode(zounds.AudioSamples(part, 44100), "wav")))
        np.testing.assert_allclose(alone.segment_timbres[0], document.segment_timbres[row], atol=2)


def test_a_clip_is_the_first_20_seconds(tmp_path):
    samples = noise(30, 1, 44100)
    sound = timbre_model()
    first = sound(sound.process(meta=wav(tmp_path / "a.wav", samples[: 20 * 44100])))
    whole = sound(sound.process(meta=wav(tmp_path / "b.wav", samples)))
    # a segment of fewer frames may be rounded otherwise
    np.testing.assert_allclose(whole.clip_timbre, first.clip_timbre, rtol=1e-6)
    assert len(whole.segment_timbres) > len(first.segment_timbres)


def test_descriptors_are_stored_and_spectra_are_not(tmp_path):
    file = wav(tmp_path / "a.wav", noise(2, 2, 44100))
    sound = timbre_model()
    document = sound(sound.process(meta=file))
    stored = {name for name, feature in sound.features.items() if feature.store}
    assert stored == {"meta", "segment_timbres", "clip_timbre"}
    assert sum(len(sound.database.read(key)) for key in sound.database.keys()) < 20_000
    file.unlink()
    assert sound(document._id).clip_timbre.shape == (1, 330)
    with pytest.raises(ff.SourceNotFound, match=r"a\.wav"):
        _ = sound(document._id).spectra

    kept = timbre_model(keep_audio=True)
    file = wav(tmp_path / "b.wav", noise(1, 1, 44100))
    document = kept(kept.process(meta=file))
    file.unlink()
    assert len(kept(document._id).pcm) == 44100


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 48000, 96000, 192000])
def test_files_of_any_rate_are_described(tmp_path, rate):
    sound = timbre_model()
    document = sound(sound.process(meta=wav(tmp_path / "a.wav", noise(1, 2, rate))))
    assert document.segment_timbres.shape == (2, 330)
    assert np.isfinite(document.clip_timbre).all()


def test_the_identity_of_the_nodes_of_timbre_is_kept_too():
    for feature in zounds.timbre().features.values():
        assert is_fixed(feature.node), feature
