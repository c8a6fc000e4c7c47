"""What a request is answered with when it cannot be served."""

from __future__ import annotations

from typing import Any

import featureflow as ff
from zounds.errors import AudioError, BackendError, NoAudio, SearchError


class Refused(Exception):
    """A request that is not served.

    Parameters
    ----------
    status : int
        Of HTTP.
    kind : str
        For programs; ``docs/api.md`` lists them.
    message : str
        For people: what is wrong, and what to do.
    headers : mapping of str
    """

    def __init__(self, status: int, kind: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def body(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {"error": {"status": self.status, "kind": self.kind, "message": plain(self.message)}}


def refusal(error: ff.Error) -> Refused:
    """Return what an exception of ours comes to, for a sound of the corpus."""
    message = str(error)
    if isinstance(error, ff.DocumentNotFound):
        return Refused(404, "not_found", message)
    if isinstance(error, ff.UnknownFeature):
        return Refused(404, "not_found", message)
    if isinstance(error, SearchError | ff.InvalidParameter):
        return Refused(400, "bad_request", message)
    if isinstance(error, BackendError):
        return Refused(503, "unavailable", message)
    if isinstance(error, ff.SourceError | ff.UnavailableError | AudioError):
        return Refused(410, "gone", message)
    return Refused(500, "internal", message)


def of_upload(error: AudioError) -> Refused:
    """Return what the exception of a decoder comes to, for a sound that was sent."""
    return Refused(415, "no_audio" if isinstance(error, NoAudio) else "not_audio", str(error))


def plain(text: str) -> str:
    """Return text that can be encoded: names of files may hold bytes that are no text."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
