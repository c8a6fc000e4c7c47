"""Index sounds on the workers of a Dask cluster, into a corpus that may be in a bucket.

    python cluster.py CORPUS SOUNDS [SCHEDULER]

CORPUS is a folder, or a place such as ``s3://bucket/corpus``. SCHEDULER is an address such as
``tcp://scheduler:8786``; without it, two workers are started on this machine.
"""

from __future__ import annotations

import sys

from distributed import Client, LocalCluster

import zounds


def main(place: str, sounds: str, scheduler: str | None = None) -> None:
    """Add the sounds, learn, index, and search for one of them."""
    local = None if scheduler else LocalCluster(n_workers=2, threads_per_worker=1)
    with Client(scheduler or local) as client:
        corpus = zounds.Corpus(place)
        executor = client.get_executor()
        print(corpus.add(sounds, executor=executor))
        corpus.learn(executor=executor)
        corpus.index(executor=executor)
    if local:
        local.close()
    for hit in corpus.search(corpus.random(seed=1), n_results=5):
        print(f"{hit.score:.2f}  {hit.name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
