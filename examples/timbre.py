"""Build a timbre-based similarity search over a set of sounds.

    python timbre.py                      the sounds the article used, from the Internet Archive
    python timbre.py https://.../x.zip    an archive somewhere else
    python timbre.py sounds.zip           an archive on this machine
    python timbre.py folder               every file in a folder

What is computed is kept in the current folder, in ``timbre``, ``BfccKmeans`` and
``BfccKmeansIndex``. Run it again, and only what is missing is computed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import urllib.request
import warnings
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import featureflow as ff
import zounds

ARCHIVE = "https://archive.org/download/FlavioGaete/FlavioGaete22.zip"


class Settings(ff.PersistenceSettings):
    """Where everything is kept: an LMDB database in the current folder."""

    id_provider = ff.UuidProvider()
    key_builder = ff.StringDelimitedKeyBuilder()
    database = ff.LmdbDatabase(path="timbre", key_builder=key_builder)


windowing = zounds.HalfLapped()
STFT = zounds.stft(resample_to=zounds.SR22050(), wscheme=windowing)


class WithTimbre(STFT, Settings):
    """Sounds, with the shape of their spectra over time."""

    bark = zounds.ConstantRateTimeSeriesFeature(
        zounds.BarkBands,
        needs=STFT.fft,
        store=True,
    )

    bfcc = zounds.ConstantRateTimeSeriesFeature(
        zounds.BFCC,
        needs=bark,
        store=True,
    )


@zounds.simple_settings
class BfccKmeans(ff.BaseModel):
    """Learns 128 kinds of spectral shape from a sample of all of them."""

    docs = ff.Feature(
        ff.IteratorNode,
        store=False,
    )

    shuffle = ff.NumpyFeature(
        zounds.ReservoirSampler,
        nsamples=1e6,
        needs=docs,
        store=True,
    )

    unitnorm = ff.PickleFeature(
        zounds.UnitNorm,
        needs=shuffle,
        store=False,
    )

    kmeans = ff.PickleFeature(
        zounds.KMeans,
        centroids=128,
        needs=unitnorm,
        store=False,
    )

    pipeline = ff.PickleFeature(
        zounds.PreprocessingPipeline,
        needs=(unitnorm, kmeans),
        store=True,
    )


class WithCodes(WithTimbre):
    """Sounds, with a binary code for every 30 frames (0.7 seconds)."""

    bfcc_kmeans = zounds.ConstantRateTimeSeriesFeature(
        zounds.Learned,
        learned=BfccKmeans(),
        needs=WithTimbre.bfcc,
        store=True,
    )

    sliding_bfcc_kmeans = zounds.ConstantRateTimeSeriesFeature(
        zounds.SlidingWindow,
        needs=bfcc_kmeans,
        wscheme=windowing * zounds.Stride(frequency=30, duration=30),
        store=False,
    )

    bfcc_kmeans_pooled = zounds.ConstantRateTimeSeriesFeature(
        zounds.Max,
        needs=sliding_bfcc_kmeans,
        axis=1,
        store=True,
    )


BaseIndex = zounds.hamming_index(WithCodes, WithCodes.bfcc_kmeans_pooled)


@zounds.simple_settings
class BfccKmeansIndex(BaseIndex):
    """Finds the codes that differ in the fewest bits."""


def sounds_of(place: str) -> list[ff.Source]:
    """Return the files of a folder or an archive; download the archive where it is a URL."""
    if urlsplit(place).scheme in ("http", "https"):
        place = download(place)
    if Path(place).is_dir():
        files = sorted(path for path in Path(place).rglob("*") if path.is_file())
        return [ff.Source.of(path) for path in files if not path.name.startswith(".")]
    return list(ff.iter_zip(place))


def download(url: str) -> str:
    """Return the name of the file a URL was saved to, in the current folder."""
    target = Path(unquote(urlsplit(url).path)).name
    if Path(target).exists():
        return target
    print(f"Downloading {url} -> {target}")
    part = Path(target + ".part")
    try:
        response = urllib.request.urlopen(url)
    except OSError as error:
        raise ff.SourceError(f"{url} cannot be downloaded: {error}") from error
    with response, part.open("wb") as file:
        size = int(response.headers.get("Content-Length") or 0)
        while piece := response.read(1 << 20):
            file.write(piece)
            done = f"{file.tell() / size:4.0%}" if size else f"{file.tell() >> 20} MB"
            show(f"  {done}", last=file.tell() == size)
        if size and file.tell() != size:
            raise ff.SourceError(f"{url} broke off after {file.tell()} of {size} bytes: try again")
    part.rename(target)
    return target


def process(sounds: Iterable[ff.Source]) -> tuple[int, list[str]]:
    """Compute and store the features of each sound.

    Returns
    -------
    (int, list of str)
        How many sounds there are, and one line for each that could not be read, or not to its
        end: these are no reason to stop.
    """
    sounds = list(sounds)
    problems = []
    with warnings.catch_warnings(record=True) as partial:
        warnings.simplefilter("always", zounds.PartialAudio)
        for number, sound in enumerate(sounds, start=1):
            show(f"[{number}/{len(sounds)}] {sound.filename}", last=number == len(sounds))
            try:
                WithTimbre.process(meta=sound)
            except ff.Error as error:
                problems.append(f"not read: {error}")
    problems += [
        f"in part: {warning.message}"
        for warning in partial
        if issubclass(warning.category, zounds.PartialAudio)
    ]
    return len(sounds), problems


def learn() -> BfccKmeansIndex:
    """Learn from the features of all sounds, and return an index of their codes."""
    print("Learning...")
    BfccKmeans.process(docs=(sound.bfcc for sound in WithTimbre))
    print("Indexing...")
    BfccKmeansIndex.build()
    return BfccKmeansIndex()


def show(progress: str, last: bool) -> None:
    """Print a line; in a terminal each takes the place of the one before."""
    columns = shutil.get_terminal_size().columns - 1
    line = progress[:columns].ljust(columns) if sys.stdout.isatty() else progress
    print(line, end="\r" if sys.stdout.isatty() and not last else "\n", flush=True)


def main() -> int:
    """Run all of it; return 1 if it did not come to a search."""
    parser = argparse.ArgumentParser(description="Build a timbre-based similarity search.")
    parser.add_argument("place", nargs="?", default=ARCHIVE, help="URL, zip archive or folder")
    problems: list[str] = []
    try:
        count, problems = process(sounds_of(parser.parse_args().place))
        failed = sum(problem.startswith("not read") for problem in problems)
        print(f"{count} files: {failed} could not be read, {len(problems) - failed} only in part")
        index = learn()
        print(f"A random search among {len(index)} codes; bits that differ, place, name:")
        print(index.random_search(n_results=10))
    except (ff.Error, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        for problem in problems:
            print(f"  {problem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
