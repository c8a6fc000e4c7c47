"""Quality: what is found among orchestral notes, beside simpler ways to find it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np
import soxr
from threadpoolctl import threadpool_limits

import zounds
from zounds.dsp.augment import views
from zounds.dsp.timbre import LEVELS
from zounds.learn.binary import ITQ, cosines, packed, quantised
from zounds.learn.discriminant import Discriminant, Embedding
from zounds.learn.smoothing import expanded, smoothed
from zounds.learn.transforms import UnitNorm
from zounds.quality import chance, hits, quality, scores

SEEDS = (0, 1, 2)
VIEWS = 4
BEGINNINGS = 0.25  # as in TimbreViews

LONGEST = 20  # s
CANDIDATES = 100
APART = 3  # semitones
SHIFT = 4  # semitones
SPLIT = 20160604
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True)
class Note:
    """What is computed of a file; `views` are [shape=(seeds, views, 330)]."""

    clip: np.ndarray
    segments: np.ndarray
    shifted: np.ndarray
    views: np.ndarray
    bfcc: np.ndarray


@dataclass(frozen=True)
class Corpus:
    """Notes, in the order of their files."""

    names: list[str]
    instruments: np.ndarray
    pitches: np.ndarray
    notes: Sequence[Note]

    @cached_property
    def clips(self) -> np.ndarray:
        """The descriptors of all clips."""
        return np.stack([note.clip for note in self.notes])

    def examples(self, which: np.ndarray, seed: int) -> np.ndarray:
        """Return clips with their views; a moment, by which one may search, is another."""
        random = np.random.default_rng(seed)
        views_of = [self.notes[i].views[seed] for i in which]
        segments = [self.notes[i].segments for i in which]
        moments = [
            of_one[:1] if random.random() < BEGINNINGS else random.choice(of_one, 1)
            for of_one in segments
        ]
        return np.concatenate([self.clips[which, None], views_of, moments], axis=1)

    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        """Return who is learned from, and who is searched."""
        first, second = [], []
        for instrument in np.unique(self.instruments):
            (members,) = np.nonzero(self.instruments == instrument)
            order = sorted(members, key=lambda i: self.names[i])
            Random(SPLIT).shuffle(order)
            first += order[: len(order) // 2]
            second += order[len(order) // 2 :]
        return np.sort(first), np.sort(second)

    def relevant(self, query: int, which: np.ndarray) -> np.ndarray:
        """Return which notes are of the query's instrument."""
        return self.instruments[which] == self.instruments[query]

    def candidates(self, query: int, which: np.ndarray, disjoint: bool) -> np.ndarray:
        """Return which notes count: all others, or those at another pitch."""
        far = np.abs(self.pitches[which] - self.pitches[query]) >= APART
        return (which != query) & (far | (not disjoint))


def measure(data: Path | None) -> Iterator[str]:
    """Yield Markdown lines."""
    folder = None if data is None else data / "philharmonia"
    if folder is None or not folder.is_dir():
        yield "No notes here: give `--data`, a folder with `philharmonia/<instrument>/*.mp3`."
        return
    corpus = read(folder)
    learn, search = corpus.halves()
    everyone = np.arange(len(corpus.names))
    kinds = len(set(corpus.instruments))
    yield f"{len(everyone)} notes of {kinds} instruments; P@10 / mAP, means of {len(SEEDS)} seeds."
    yield "Half: learned from one half, searched in the other. Whole: the corpus on itself."
    yield f"Far: only candidates at least {APART} semitones from the query's pitch count."
    yield "A is trained by pairs, B smoothed as well. The standard error of P@10 is .011 to .016."
    yield ""
    yield "| | bytes | half | half, far | whole | whole, far |"
    yield "|---|---|---|---|---|---|"
    yield line("chance", "-", [*by_chance(corpus, search), *by_chance(corpus, everyone)])
    for name, size, way in WAYS:
        figures = [
            [*way(corpus, learn, search, seed), *way(corpus, everyone, everyone, seed)]
            for seed in SEEDS
        ]
        yield line(name, size, np.mean(figures, axis=0))
    yield line("*wanted, bits alone*", "16", (0.88, 0.75, 0.86, 0.74, 0.92, 0.75, 0.91, 0.74))
    yield line("*wanted, re-ranked*", "80", (0.89, 0.76, 0.87, 0.75, 0.93, 0.76, 0.92, 0.75))
    yield ""
    yield "| what | measured | wanted |"
    yield "|---|---|---|"
    for name, count in (("the first segment (0.7 s)", 1), ("each segment", None)):
        found = np.mean([by_segment(corpus, learn, search, seed, count) for seed in SEEDS], axis=0)
        yield f"| {name} as the query, half, P@10 | {found[0]:.3f} | ≥ .88 |"
        yield f"| the same, far | {found[2]:.3f} | ≥ .86 |"
    kind, same = np.mean([copies_found(corpus, seed) for seed in SEEDS], axis=0)
    yield f"| copies {SHIFT} semitones higher, original among the first 10 | {kind:.3f} | ≥ .90 |"
    yield f"| the same, not smoothed | {same:.3f} | |"


def line(name: str, size: str, figures: Sequence[float]) -> str:
    pairs = [f"{one:.3f} / {other:.3f}" for one, other in zip(*[iter(figures)] * 2, strict=True)]
    return f"| {name} | {size} | {' | '.join(pairs)} |"


def read(folder: Path) -> Corpus:
    """Return the notes of a folder, described by two processes."""
    paths = sorted(folder.rglob("*.mp3"))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        notes = list(pool.map(described, paths, range(len(paths)), chunksize=4))
    pitches = [pitch(path.name.split("_")[1]) for path in paths]
    instruments = np.array([path.parent.name for path in paths])
    return Corpus([path.name for path in paths], instruments, np.array(pitches), notes)


def pitch(name: str) -> int:
    """Return a pitch such as ``As4``, A sharp 4, in semitones."""
    letter, sharp, octave = re.fullmatch("([A-G])(s?)([0-9])", name).groups()
    return STEPS[letter] + len(sharp) + 12 * int(octave)


def described(path: Path, number: int) -> Note:
    with threadpool_limits(1):
        audio = zounds.decode(path).mono
        samples = resampled(audio, zounds.SR44100())[: LONGEST * 44100]
        clip, segments = timbre(samples)
        higher = soxr.resample(np.asarray(samples), 2 ** (SHIFT / 12), 1, quality="HQ")
        of_views = [
            [timbre(view)[0] for view in views(samples, VIEWS, 1000 * number + seed)]
            for seed in SEEDS
        ]
        spectrum = zounds.SlidingWindow(zounds.HalfLapped(), zounds.Hann())
        bands = zounds.BarkBands()(zounds.FFT()(spectrum(resampled(audio, zounds.SR22050()))))
        return Note(
            clip,
            segments,
            timbre(zounds.AudioSamples(higher.astype(np.float32), 44100))[0],
            np.array(of_views),
            np.asarray(zounds.BFCC()(bands)),
        )


def resampled(audio: zounds.AudioSamples, rate: zounds.SampleRate) -> zounds.AudioSamples:
    stage = zounds.Resample(rate).stream()
    chunks = [np.asarray(chunk) for chunk in (*stage.step(audio), *stage.flush())]
    return zounds.AudioSamples(np.concatenate(chunks), rate)


def timbre(samples: zounds.AudioSamples) -> tuple[np.ndarray, np.ndarray]:
    """Return the descriptor of the clip, and those of its segments."""
    frames, clip = zounds.TimbreFrames().stream(), zounds.TimbreClip().stream()
    segments = []
    for spectra in (*frames.step(samples), *frames.flush()):
        list(clip.step(spectra))
        segments.append(np.asarray(zounds.TimbreSegments()(spectra))[0])
    (whole,) = clip.flush()
    return np.asarray(whole)[0], np.array(segments)


Figures = tuple[float, float, float, float]
Ranking = Callable[[int, np.ndarray], np.ndarray]


def judged(corpus: Corpus, which: np.ndarray, ranking: Ranking) -> Figures:
    """Return P@10 and mAP, of all candidates and of those at another pitch.

    The ranking is given the place of a query in `which`, and whether each of them is a candidate.
    """
    figures = []
    for far in (False, True):
        every = []
        for place, query in enumerate(which):
            candidates = corpus.candidates(query, which, far)
            similar = ranking(place, candidates)
            every.append(scores(hits(similar, corpus.relevant(query, which), candidates)))
        mean = quality(every).mean
        figures += [mean.precision, mean.average_precision]
    return tuple(figures)


def by_chance(corpus: Corpus, which: np.ndarray) -> Figures:
    figures = []
    for far in (False, True):
        every = []
        for query in which:
            relevant = corpus.relevant(query, which)[corpus.candidates(query, which, far)]
            every.append(chance(int(relevant.sum()), len(relevant)))
        mean = quality(every).mean
        figures += [mean.precision, mean.average_precision]
    return tuple(figures)


def by_post(corpus: Corpus, learn: np.ndarray, which: np.ndarray, seed: int) -> Figures:
    """Each file's first code is a query, and files are as near as their best code."""
    unit = UnitNorm()
    centroids = zounds.KMeans(128, seed).fit(
        unit.transform(np.concatenate([corpus.notes[i].bfcc for i in learn]))
    )
    codes, owners = [], []
    for place, i in enumerate(which):
        frames = centroids.transform(unit.transform(corpus.notes[i].bfcc))
        pooled = np.maximum.reduceat(frames, np.arange(0, len(frames), 30), axis=0)
        codes.append(pooled)
        owners += [place] * len(pooled)
    bits = np.concatenate(codes).astype(np.float32)
    starts = np.unique(owners, return_index=True)[1]
    sizes = bits.sum(axis=1)
    far = sizes[starts, None] + sizes - 2 * bits[starts] @ bits.T
    nearest = np.minimum.reduceat(far, starts, axis=1)
    return judged(corpus, which, lambda place, _: -nearest[place])


def by_mfcc(corpus: Corpus, learn: np.ndarray, which: np.ndarray, seed: int) -> Figures:
    return by_cosine(corpus, which, UnitNorm().transform(corpus.clips[which, :40]))


def by_views(corpus: Corpus, learn: np.ndarray, which: np.ndarray, seed: int) -> Figures:
    return by_cosine(
        corpus, which, embedding(corpus, learn, seed, ()).transform(corpus.clips[which])
    )


def by_a(corpus: Corpus, learn: np.ndarray, which: np.ndarray, seed: int) -> Figures:
    return by_cosine(corpus, which, embedding(corpus, learn, seed).transform(corpus.clips[which]))


def by_b(corpus: Corpus, learn: np.ndarray, which: np.ndarray, seed: int) -> Figures:
    vectors = smoothed(embedding(corpus, learn, seed).transform(corpus.clips[which]))
    bits, small = -hamming(vectors, 128), quantised(vectors)
    cosine = cosines(small, small)

    def ranking(place: int, candidates: np.ndarray) -> np.ndarray:
        similar = np.where(candidates, bits[place], -np.inf)
        first = np.argsort(-similar, kind="stable")[:CANDIDATES]
        similar[first] = 2 + cosine[place, first]  # before all others
        return similar

    return judged(corpus, which, ranking)


def by_bits(size: int) -> Callable[[Corpus, np.ndarray, np.ndarray, int], Figures]:
    def way(corpus: Corpus, learn: np.ndarray, which: np.ndarray, seed: int) -> Figures:
        vectors = smoothed(embedding(corpus, learn, seed).transform(corpus.clips[which]))
        far = hamming(vectors, size)
        return judged(corpus, which, lambda place, _: -far[place])

    return way


def by_cosine(corpus: Corpus, which: np.ndarray, vectors: np.ndarray) -> Figures:
    small = quantised(vectors)
    similar = cosines(small, small)
    return judged(corpus, which, lambda place, _: similar[place])


def hamming(vectors: np.ndarray, size: int) -> np.ndarray:
    codes = packed(ITQ(size).fit(vectors).transform(vectors))
    return np.bitwise_count(codes[:, None] ^ codes).sum(axis=2, dtype=float)


def embedding(
    corpus: Corpus, learn: np.ndarray, seed: int, neighbours: tuple[int, ...] | None = None
) -> Embedding:
    learning = Discriminant(ignored=LEVELS)
    if neighbours is not None:
        learning = replace(learning, neighbours=neighbours)
    return learning.fit(corpus.examples(learn, seed))


def by_segment(
    corpus: Corpus, learn: np.ndarray, which: np.ndarray, seed: int, count: int | None
) -> Figures:
    """Return the quality of the first segments as queries; each file counts the same."""
    learned = embedding(corpus, learn, seed)
    vectors = learned.transform(corpus.clips[which])
    smooth = smoothed(vectors)
    figures = []
    for far in (False, True):
        of_files = []
        for place, query in enumerate(which):
            others = np.arange(len(which)) != place
            # what is cut from a file is searched for among the others, and drawn to these only
            segments = learned.transform(corpus.notes[query].segments[:count])
            queries = expanded(segments, vectors[others], smooth[others])
            similar = cosines(quantised(queries), quantised(smooth))
            relevant = corpus.relevant(query, which)
            candidates = corpus.candidates(query, which, far)
            every = quality(scores(hits(one, relevant, candidates)) for one in similar)
            of_files.append(every.mean)
        mean = quality(of_files).mean
        figures += [mean.precision, mean.average_precision]
    return tuple(figures)


def copies_found(corpus: Corpus, seed: int) -> tuple[float, float]:
    """Return how many shifted copies find their original among ten, smoothed and not."""
    everyone = np.arange(len(corpus.names))
    learned = embedding(corpus, everyone, seed)
    vectors = learned.transform(corpus.clips)
    copies = learned.transform(np.stack([note.shifted for note in corpus.notes]))
    smooth = smoothed(vectors)
    ways = (expanded(copies, vectors, smooth), smooth), (copies, vectors)
    shares = []
    for queries, stored in ways:
        similar = cosines(quantised(queries), quantised(stored))
        before = (similar > similar[everyone, everyone][:, None]).sum(axis=1)
        shares.append(float((before < 10).mean()))
    return shares[0], shares[1]


WAYS = (
    ("the post's pipeline", "16", by_post),
    ("MFCC20 mean + std, cosine", "40", by_mfcc),
    ("views only", "64", by_views),
    ("A", "64", by_a),
    ("B, re-ranked", "80", by_b),
    ("B, bits alone", "16", by_bits(128)),
    ("B, 64 bits alone", "8", by_bits(64)),
)
