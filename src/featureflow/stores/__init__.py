"""Bytes under keys: in memory, in a folder, or in a bucket."""

from featureflow.stores.batch import Batch
from featureflow.stores.lmdb import LmdbDatabase
from featureflow.stores.memory import InMemoryDatabase
from featureflow.stores.objects import ObjectStore
from featureflow.stores.store import Store, StringDelimitedKeyBuilder

__all__ = [
    "Batch",
    "InMemoryDatabase",
    "LmdbDatabase",
    "ObjectStore",
    "Store",
    "StringDelimitedKeyBuilder",
]
