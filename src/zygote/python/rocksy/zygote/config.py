"""What the daemon says in the environment variable ROCKSY_ZYGOTE; see docs/zygote.md."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass


class StartError(Exception):
    """Why there will be no zygote, as a sentence."""


@dataclass(frozen=True)
class Config:
    pool: str
    generation: int
    bootstrap: str | None
    jobs: str | None
    runs: str
    prefork: int
    claim_timeout_ms: int
    leave_children: bool


def take_config() -> Config:
    """Reads the variable and takes it away, so that no code of the user's and no child process sees it."""
    text = os.environ.pop("ROCKSY_ZYGOTE", None)
    if text is None:
        raise StartError("ROCKSY_ZYGOTE is not set: a zygote is started by the daemon")
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise StartError("ROCKSY_ZYGOTE is not a JSON object")
    version = given.get("version")
    if version != 1:
        raise StartError(f"this zygote speaks version 1 of the contract, not {json.dumps(version)}")
    runs = given.get("runs")
    if not isinstance(runs, str) or not os.path.isdir(runs):
        raise StartError(f'"runs" in ROCKSY_ZYGOTE is not a folder: {json.dumps(runs)}')
    return Config(
        pool=str(given.get("pool", "")),
        generation=int(given.get("generation", 0)),
        bootstrap=given.get("bootstrap"),
        jobs=given.get("jobs"),
        runs=runs.rstrip("/"),
        prefork=max(0, int(given.get("prefork", 0))),
        claim_timeout_ms=max(1, int(given.get("claim_timeout_ms", 10_000))),
        leave_children=bool(given.get("leave_children", False)),
    )
