"""What all answers have in common."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from zounds.web.schemas import ErrorBody


class Json(Response):
    """A JSON document, in ASCII: whatever a name holds, it can be sent."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


ANY: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "It cannot be asked so"},
    404: {"model": ErrorBody, "description": "It is not there"},
    409: {"model": ErrorBody, "description": "The corpus cannot answer yet"},
}


def ok(model: Any, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Return what an answer may look like."""
    return {status: {"model": model}, **ANY}
