"""Declare feature graphs as classes; compute features when they are asked for; keep them.

Knows nothing of audio: chunks are whatever nodes hand on.
"""

from featureflow.codec import storable
from featureflow.errors import (
    CodecError,
    CorruptRecord,
    CyclicGraph,
    DocumentNotFound,
    Error,
    FingerprintError,
    FormatError,
    GraphError,
    InvalidParameter,
    NodeError,
    RootError,
    SourceChanged,
    SourceError,
    SourceNotFound,
    StoreError,
    UnavailableError,
    UnknownFeature,
)
from featureflow.feature import (
    ByteStreamFeature,
    Feature,
    JSONFeature,
    NumpyFeature,
    PickleFeature,
    SourceFeature,
    TextFeature,
)
from featureflow.model import BaseModel
from featureflow.node import FittingNode, IteratorNode, Stage, StreamingNode, Transform, Whole
from featureflow.settings import (
    PersistenceSettings,
    StaticIdProvider,
    UuidProvider,
    simple_settings,
)
from featureflow.sources import Source, SourceNode, iter_zip
from featureflow.stores import (
    InMemoryDatabase,
    LmdbDatabase,
    ObjectStore,
    Store,
    StringDelimitedKeyBuilder,
)

__all__ = [
    "BaseModel",
    "ByteStreamFeature",
    "CodecError",
    "CorruptRecord",
    "CyclicGraph",
    "DocumentNotFound",
    "Error",
    "Feature",
    "FingerprintError",
    "FittingNode",
    "FormatError",
    "GraphError",
    "InMemoryDatabase",
    "InvalidParameter",
    "IteratorNode",
    "JSONFeature",
    "LmdbDatabase",
    "NodeError",
    "NumpyFeature",
    "ObjectStore",
    "PersistenceSettings",
    "PickleFeature",
    "RootError",
    "Source",
    "SourceChanged",
    "SourceError",
    "SourceFeature",
    "SourceNode",
    "SourceNotFound",
    "Stage",
    "StaticIdProvider",
    "Store",
    "StoreError",
    "StreamingNode",
    "StringDelimitedKeyBuilder",
    "TextFeature",
    "Transform",
    "UnavailableError",
    "UnknownFeature",
    "UuidProvider",
    "Whole",
    "iter_zip",
    "simple_settings",
    "storable",
]
