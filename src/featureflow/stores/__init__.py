"""Bytes under keys: in memory, or in a folder."""

from featureflow.stores.batch import Batch
from featureflow.stores.lmdb import LmdbDatabase
from featureflow.stores.memory import InMemoryDatabase
from featureflow.stores.store import Store, StringDelimitedKeyBuilder

__all__ = ["Batch", "InMemoryDatabase", "LmdbDatabase", "Store", "StringDelimitedKeyBuilder"]
