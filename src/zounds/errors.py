"""The exceptions of zounds, in one tree with featureflow's.

::

    featureflow.Error
    ├── ...                     (see featureflow.errors)
    ├── UnitsError              units that are missing, or do not fit      (also ValueError)
    ├── AudioError              audio that cannot be decoded or encoded
    │   └── NoAudio             a file that is read, and holds no samples
    ├── LearningError           examples from which nothing can be learned (also ValueError)
    ├── NotTrained              a learned feature whose model has not learned yet
    ├── SearchError             a query or an index that cannot be used    (also ValueError)
    │   └── DamagedIndex        an index that is not what was written      (also CorruptRecord)
    ├── CorpusError             a corpus that cannot be used, or not now
    └── BackendError            a server of codes that cannot be used, or not now

`PartialAudio` is a warning: a file whose true audio was kept, though its end is missing.
"""

from featureflow.errors import CorruptRecord, Error


class UnitsError(Error, ValueError):
    """Units that an operation needs are missing, or do not fit."""


class AudioError(Error):
    """Audio that cannot be decoded or encoded."""


class NoAudio(AudioError):
    """A file that can be read, and holds no samples."""


class LearningError(Error, ValueError):
    """Examples from which nothing can be learned."""


class NotTrained(Error):
    """A learned feature was asked for before its model had learned anything."""


class SearchError(Error, ValueError):
    """A query or an index that cannot be used."""


class DamagedIndex(SearchError, CorruptRecord):
    """What a corpus searches is not what was written."""


class PartialAudio(UserWarning):
    """A file was decoded as far as its audio goes; the rest is missing or broken."""


class CorpusError(Error):
    """A corpus that cannot be used, or not in this way or at this moment."""


class BackendError(Error):
    """A server that codes are published to cannot be reached, or not be used."""
