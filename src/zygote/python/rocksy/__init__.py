"""What a job may ask of Rocksy."""

from .zygote import run_file


def progress(percent: int, text: str = "") -> None:
    """
    Tells how far the run is; `rocksy status` and the web page show it. Outside a run it does nothing.

        rocksy.progress(40, "importing customers")
    """
    percent = max(0, min(100, int(percent)))
    run_file.append(f"progress {percent} {run_file.one_line(text, run_file.MOST_PROGRESS_BYTES)}".rstrip())
