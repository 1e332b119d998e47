"""What the zygote says, and how it reads what it is told: one JSON object a line."""

from __future__ import annotations

import json
from typing import Any


def event(name: str, **fields: Any) -> str:
    """ASCII only: whatever a key is made of comes back as it came, half of a surrogate pair too."""
    return json.dumps({"event": name, **fields}, separators=(",", ":"))


def answer(name: str, request_id: Any, **fields: Any) -> str:
    """An event that answers a request, with its id if it had one."""
    return event(name, **({} if request_id is None else {"id": request_id}), **fields)


def request_of(line: bytes) -> dict[str, Any] | None:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return request if isinstance(request, dict) and isinstance(request.get("op"), str) else None
