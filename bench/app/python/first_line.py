import time
from typing import Any


class FirstLine:
    """Stamps when its first line ran: CLOCK_MONOTONIC in nanoseconds."""

    def run(self, params: Any) -> None:
        now = time.monotonic_ns()
        with open(params[0]["stamps"], "a") as file:
            file.write(f"{now}\n")
