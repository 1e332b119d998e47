from typing import Any

from django.core.management import call_command


class Migrate:
    """A management command as a job: prints what it does, fails with its exception."""

    def run(self, params: Any) -> None:
        call_command("migrate", interactive=False, no_color=True)
