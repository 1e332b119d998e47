"""What a pool loads once and every run inherits: Django, this application's models. Its jobs are loaded behind it."""

import os

import django
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsletter.settings")
django.setup()


def before_fork() -> None:
    """A database handle must not cross a fork: whatever has asked for one until now, runs open their own."""
    connections.close_all()
