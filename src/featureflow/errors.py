"""Every exception that featureflow and zounds raise on purpose.

::

    Error
    ├── InvalidParameter        a value that was passed in cannot be used     (also ValueError)
    ├── GraphError              a graph that cannot be, or cannot be used so
    │   ├── UnknownFeature      a name that no feature of the graph has       (also AttributeError)
    │   ├── CyclicGraph         a feature that needs itself, by some way
    │   ├── RootError           process() was given too few or unknown inputs (also TypeError)
    │   └── FingerprintError    a node whose identity cannot be told
    ├── NodeError               a node failed while it computed a feature
    ├── UnavailableError        a feature that is neither stored nor computable any more
    ├── DocumentNotFound        an id under which nothing was processed       (also LookupError)
    ├── SourceError             a file, URL or archive that cannot be read
    │   ├── SourceNotFound      it is not there
    │   └── SourceChanged       it is not what it was when it was processed
    └── StoreError              a store that cannot be used
        ├── CodecError          a value that cannot be encoded, or its type decoded
        ├── CorruptRecord       stored bytes that are not what was written
        └── FormatError         a store written in a format this version does not know

Each message names the thing, the value and the remedy.
"""


class Error(Exception):
    """Base of every exception that featureflow and zounds raise on purpose."""


class InvalidParameter(Error, ValueError):
    """A value that was passed in cannot be used."""


class GraphError(Error):
    """A feature graph that cannot be, or cannot be used in this way."""


class UnknownFeature(GraphError, AttributeError):
    """A name that no feature of the graph has."""


class CyclicGraph(GraphError):
    """A feature that needs itself, directly or through others."""


class RootError(GraphError, TypeError):
    """`process()` was given too few inputs, or inputs the graph has no root for."""


class FingerprintError(GraphError):
    """A node whose identity cannot be told, so that its results could not be recognised."""


class NodeError(Error):
    """A node failed while it computed a feature; the failure itself is the `__cause__`."""


class UnavailableError(Error):
    """A feature that is not stored, and whose inputs cannot be had again."""


class DocumentNotFound(Error, LookupError):
    """An id under which nothing was processed."""


class SourceError(Error):
    """A file, URL or archive that cannot be read."""


class SourceNotFound(SourceError):
    """A source that is not where it was said, or where it used to be."""


class SourceChanged(SourceError):
    """A source whose content is not what it was when its document was processed."""


class StoreError(Error):
    """A store that cannot be used."""


class CodecError(StoreError):
    """A value that cannot be encoded, or a stored type that is not known here."""


class CorruptRecord(StoreError):
    """Stored bytes that are not the bytes that were written."""


class FormatError(StoreError):
    """A store written in a format that this version does not know."""
