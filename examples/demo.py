"""Make a small corpus of sounds, and search it: the whole way, with nothing to download.

    python demo.py [folder]               default: demo

Writes an orchestra of synthesised instruments into ``folder/sounds``, does with it what
``timbre.py`` does, and prints for a few of the sounds the files that sound most like them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

import zounds
from zounds.demo.corpus import demo_corpus

QUERIES = ("plucked", "bowed", "reed", "bell", "voice", "snare", "closed_hat")


def write_sounds(folder: Path) -> int:
    """Write the corpus, where it is not there yet; return the number of files."""
    count = 0
    for count, (name, samples) in enumerate(demo_corpus(), start=1):  # noqa: B007
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            zounds.save(samples, path)
    return count


def nearest_files(index: zounds.HammingIndex, code: np.ndarray, but: str) -> Iterator[zounds.Hit]:
    """Yield the best hit of each file, the nearest first, `but` for one."""
    seen = {but}
    for hit in index.search(code, n_results=len(index)):
        if hit.name not in seen:
            seen.add(hit.name)
            yield hit


def main() -> None:
    """Run all of it."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo").resolve()
    print(f"{write_sounds(folder / 'sounds')} sounds in {folder / 'sounds'}")
    os.chdir(folder)
    import timbre  # which keeps what it computes in the current folder

    timbre.process(timbre.sounds_of("sounds"))
    index = timbre.learn()
    print(f"{len(index)} codes of {index.bits} bits. For some sounds, the files nearest to them,")
    print("with the bits that differ:")
    documents = sorted(timbre.WithCodes, key=lambda document: document._name)
    for kind in QUERIES:
        query = next(document for document in documents if document._name.startswith(kind))
        print(f"\n{query._name}")
        hits = nearest_files(index, query.bfcc_kmeans_pooled[0], but=query._name)
        for hit in islice(hits, 5):
            print(f"{hit.distance:6d}  {hit.name}")


if __name__ == "__main__":
    main()
