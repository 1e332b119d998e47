"""Which class a run's name stands for."""

from __future__ import annotations

import importlib
import re
from types import ModuleType

_WORD_BREAK = re.compile("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Classes:
    def __init__(self, bootstrap: ModuleType | None, jobs: dict[str, ModuleType]) -> None:
        self.bootstrap = bootstrap
        self._jobs = jobs

    def find(self, name: str) -> type:
        """`SendDigest` of jobs/SendDigest.py, of jobs/send_digest.py or of the bootstrap; or `package.module.Class`."""
        for module in (self._jobs.get(name), self._jobs.get(snake_case(name)), self.bootstrap):
            found = getattr(module, name, None)
            if isinstance(found, type):
                return found
        package, _, short = name.rpartition(".")
        found = getattr(importlib.import_module(package), short, None) if package else None
        if not isinstance(found, type):
            raise LookupError(f'class "{name}" not found')
        return found


def snake_case(name: str) -> str:
    """SendDigest → send_digest, HTTPCheck → http_check."""
    return _WORD_BREAK.sub("_", name).lower()
