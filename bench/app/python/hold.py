import os
import time
from typing import Any


class Hold:
    """Says who it is and stays for a while, to be looked at."""

    def run(self, params: Any) -> None:
        with open(params[0]["stamps"], "a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.5)
