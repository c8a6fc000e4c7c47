"""Many records in one object, behind a digest."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from typing import Any

from featureflow.errors import CorruptRecord

_DIGEST = 16
_LENGTH = struct.Struct("<I")


def packed(records: Mapping[str, bytes], **facts: Any) -> bytes:
    """Return records as the content of one object; no two are the same.

    Parameters
    ----------
    records : mapping of str to bytes
    **facts
        What else to say, in JSON.
    """
    lengths = [[key, len(record)] for key, record in records.items()]
    head = json.dumps({**facts, "records": lengths, "nonce": os.urandom(8).hex()}).encode()
    body = b"".join([_LENGTH.pack(len(head)), head, *records.values()])
    return _digest(body) + body


def unpacked(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the facts and the records; raise `CorruptRecord` if it is not what was written."""
    body = data[_DIGEST:]
    if data[:_DIGEST] != _digest(body):
        raise CorruptRecord(
            f"the object {name} is not what was written: bring back a copy, or delete it and "
            "process its documents again"
        )
    (length,) = _LENGTH.unpack_from(body)
    at = _LENGTH.size + length
    facts = json.loads(body[_LENGTH.size : at])
    records = {}
    for key, size in facts["records"]:
        records[key] = body[at : at + size]
        at += size
    return facts, records


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST).digest()
