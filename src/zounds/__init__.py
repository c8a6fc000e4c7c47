"""Find sounds by timbre.

Reads sounds, computes features, learns a compact binary code from your own corpus, and finds what
sounds alike. Graphs are declared with `featureflow`; this package has the nodes, the units, the
learning and the index.
"""

import featureflow.fingerprint
from featureflow.errors import Error
from featureflow.settings import simple_settings
from zounds.arrays import ArrayWithUnits, AudioSamples, ConstantRateTimeSeries
from zounds.audio.decode import Decode, decode
from zounds.audio.encode import OggVorbis, encode, save
from zounds.audio.facts import Facts
from zounds.audio.resample import Mono, Resample
from zounds.corpus.corpus import Corpus
from zounds.corpus.evaluation import Evaluation
from zounds.corpus.hits import CorpusHit
from zounds.corpus.outcome import Outcome, Progress, Report
from zounds.corpus.where import Where
from zounds.dsp.augment import TimbreViews
from zounds.dsp.features import BFCC, MFCC, BarkBands, MelBands
from zounds.dsp.frames import SlidingWindow
from zounds.dsp.pooling import Max, Mean, Min, Std, Sum
from zounds.dsp.scales import BarkScale, LinearScale, MelScale
from zounds.dsp.spectrum import FFT
from zounds.dsp.synthesis import (
    NoiseSynthesizer,
    SilenceSynthesizer,
    SineSynthesizer,
    TickSynthesizer,
)
from zounds.dsp.timbre import TimbreClip, TimbreSegments
from zounds.dsp.timbre_frames import TimbreFrames
from zounds.dsp.windows import Hamming, Hann, Vorbis
from zounds.errors import (
    AudioError,
    BackendError,
    CorpusError,
    DamagedIndex,
    LearningError,
    NoAudio,
    NotTrained,
    PartialAudio,
    SearchError,
    UnitsError,
)
from zounds.feature_types import AudioSamplesFeature, ConstantRateTimeSeriesFeature
from zounds.index.hamming import HammingIndex, hamming_index
from zounds.index.results import Hit, SearchResults
from zounds.learn.binary import ITQ, SimHash
from zounds.learn.discriminant import Discriminant
from zounds.learn.kmeans import KMeans
from zounds.learn.learned import Learned
from zounds.learn.pipeline import PreprocessingPipeline
from zounds.learn.sampling import ReservoirSampler
from zounds.learn.transforms import MeanStdNormalization, UnitNorm
from zounds.pipelines import stft, timbre
from zounds.units import (
    SR8000,
    SR11025,
    SR16000,
    SR22050,
    SR32000,
    SR44100,
    SR48000,
    SR88200,
    SR96000,
    SR192000,
    AudioSampleRate,
    HalfLapped,
    Microseconds,
    Milliseconds,
    SampleRate,
    Seconds,
    Stride,
    TimeSlice,
)
from zounds.web.shows import ZoundsApp, ZoundsSearch

__version__ = "0.1.0"

featureflow.fingerprint.known_by_name(__name__)

__all__ = [
    "ArrayWithUnits",
    "AudioError",
    "AudioSampleRate",
    "AudioSamples",
    "AudioSamplesFeature",
    "BFCC",
    "BackendError",
    "BarkBands",
    "BarkScale",
    "ConstantRateTimeSeries",
    "ConstantRateTimeSeriesFeature",
    "Corpus",
    "CorpusError",
    "CorpusHit",
    "DamagedIndex",
    "Decode",
    "Discriminant",
    "Error",
    "Evaluation",
    "FFT",
    "Facts",
    "HalfLapped",
    "Hamming",
    "HammingIndex",
    "Hann",
    "Hit",
    "ITQ",
    "KMeans",
    "Learned",
    "LearningError",
    "LinearScale",
    "MFCC",
    "Max",
    "Mean",
    "MeanStdNormalization",
    "MelBands",
    "MelScale",
    "Microseconds",
    "Milliseconds",
    "Min",
    "Mono",
    "NoAudio",
    "NoiseSynthesizer",
    "NotTrained",
    "OggVorbis",
    "Outcome",
    "PartialAudio",
    "PreprocessingPipeline",
    "Progress",
    "Report",
    "Resample",
    "ReservoirSampler",
    "SR11025",
    "SR16000",
    "SR192000",
    "SR22050",
    "SR32000",
    "SR44100",
    "SR48000",
    "SR8000",
    "SR88200",
    "SR96000",
    "SampleRate",
    "SearchError",
    "SearchResults",
    "Seconds",
    "SilenceSynthesizer",
    "SimHash",
    "SineSynthesizer",
    "SlidingWindow",
    "Std",
    "Stride",
    "Sum",
    "TickSynthesizer",
    "TimbreClip",
    "TimbreFrames",
    "TimbreSegments",
    "TimbreViews",
    "TimeSlice",
    "UnitNorm",
    "UnitsError",
    "Vorbis",
    "Where",
    "ZoundsApp",
    "ZoundsSearch",
    "decode",
    "encode",
    "hamming_index",
    "save",
    "simple_settings",
    "stft",
    "timbre",
]
