import os

import django
from django.conf import settings
from django.db import connections

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{os.environ['SCRATCH']}/django.sqlite",
            "OPTIONS": {"timeout": 20},
        }
    }
)
django.setup()  # connects to nothing


def query(sql, values):
    with connections["default"].cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()


if os.environ["TRY"] != "lazy":
    query("CREATE TABLE IF NOT EXISTS tries (n INTEGER)", [])

if os.environ["TRY"] == "hooks":

    def before_fork():
        connections.close_all()  # each is made again by its next query


class Try:
    def run(self, params):
        query("CREATE TABLE IF NOT EXISTS tries (n INTEGER)", [])
        query("INSERT INTO tries VALUES (%s)", [params["n"]])
        return {"n": query("SELECT n FROM tries WHERE n = %s", [params["n"]])[0]}
