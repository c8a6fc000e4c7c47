"""Sounds that were sent to search with: kept in temporary files, a few of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from featureflow.sources import Source
from featureflow.spool import TemporaryFile
from zounds.errors import AudioError
from zounds.web.refusal import Refused, of_upload
from zounds.web.sound import Length, counted

PREFIX = "upload-"
_KEPT = 32


@dataclass(frozen=True)
class Upload:
    """A sound that was sent.

    Parameters
    ----------
    id, name : str
    source : Source
    length : Length
    partial : bool
    """

    id: str
    name: str
    source: Source
    length: Length
    partial: bool

    def record(self) -> dict[str, object]:
        """Return it as a document, for JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "folder": "",
            "path": None,
            "uri": f"data:,{self.id}",
            "seconds": self.length.seconds,
            "samplerate": self.length.samplerate,
            "channels": self.length.channels,
            "code": None,
            "partial": self.partial,
            "missing": False,
        }


class Uploads:
    """The last sounds that were sent.

    Parameters
    ----------
    longest : float [unit=s]
        What is longer is refused.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Upload] = OrderedDict()

    def add(self, file: TemporaryFile, name: str, digest: str) -> Upload:
        """Keep a sound; refuse what is none.

        Parameters
        ----------
        file : TemporaryFile
        name : str
        digest : str
            Of the content.
        """
        if not len(file):
            raise Refused(415, "no_audio", f"{name} is empty (0 bytes): send a sound")
        source = Source.from_record({"uri": "data:,upload", "name": name, "digest": digest}, file)
        try:
            length, partial = counted(source, self._longest)
        except AudioError as error:
            raise of_upload(error) from error
        upload = Upload(f"{PREFIX}{digest}", name, source, length, partial)
        with self._lock:
            self._kept[upload.id] = upload
            self._kept.move_to_end(upload.id)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return upload

    def get(self, _id: str) -> Upload:
        """Return a sound that was sent; refuse if it is not there any more."""
        with self._lock:
            if _id not in self._kept:
                raise Refused(
                    404,
                    "not_found",
                    f"There is no upload {_id!r} (any more): send the sound again",
                )
            self._kept.move_to_end(_id)
            return self._kept[_id]
