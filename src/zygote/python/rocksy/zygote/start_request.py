"""Whether the fields of a start make sense."""

from __future__ import annotations

import re
from typing import Any

_FILE = re.compile(r"[A-Za-z0-9._~-]{1,250}")
_MOST_MS = 1e15


def problem_of(request: dict[str, Any]) -> str | None:
    """What is wrong with the request; None when nothing is."""
    key = request.get("key")
    if not isinstance(key, str) or not 1 <= len(_bytes(key)) <= 255:
        return '"key" must be a string of 1 to 255 bytes'
    file = request.get("file")
    if not isinstance(file, str) or _FILE.fullmatch(file) is None:
        return '"file" must be 1 to 250 letters, digits, ".", "_", "-" or "~"'
    name = request.get("class")
    if not isinstance(name, str) or name == "":
        return (
            'a python pool runs a "class", not "argv"' if "argv" in request else '"class" must be the name of a class'
        )
    log = request.get("log", f"{file}.log")
    if not isinstance(log, str) or log in ("", ".", "..") or len(_bytes(log)) > 255 or "/" in log or "\0" in log:
        return '"log" must be the name of a file, without a folder'
    cwd = request.get("cwd", "/")
    if not isinstance(cwd, str) or not cwd.startswith("/") or "\0" in cwd:
        return '"cwd" must be an absolute path'
    if not isinstance(request.get("stdin", ""), str):
        return '"stdin" must be a string'
    for field in ("timeout_ms", "kill_after_ms"):
        ms = request.get(field, 0)
        if type(ms) not in (int, float) or not 0 <= ms <= _MOST_MS:
            return f'"{field}" must be a number of milliseconds'
    return _environment_problem(request.get("env", {}))


def _environment_problem(environment: Any) -> str | None:
    if not isinstance(environment, dict):
        return '"env" must be an object of strings'
    for name, value in environment.items():
        if not isinstance(value, str) or "\0" in value:
            return f'"env": the value of {name} must be a string'
        if name == "" or "=" in name or "\0" in name:
            return '"env": a name must not be empty, nor hold "="'
    return None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
