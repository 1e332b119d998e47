import os

import django
from django.conf import settings
from django.db import connections

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PG_DATABASE"],
            "HOST": os.environ["PG_HOST"],
            "USER": "postgres",
        }
    }
)
django.setup()  # connects to nothing


def query(sql, values):
    with connections["default"].cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()


if os.environ["TRY"] != "lazy":
    query("SELECT 1", [])

if os.environ["TRY"] == "hooks":

    def before_fork():
        connections.close_all()  # each is made again by its next query


class Try:
    def run(self, params):
        return {"n": query("SELECT %s, pg_sleep(0.02)", [params["n"]])[0]}
