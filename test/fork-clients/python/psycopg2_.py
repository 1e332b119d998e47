import os

import psycopg2

connection = None


def connect():
    global connection
    connection = psycopg2.connect(os.environ["PG_URL"])


if os.environ["TRY"] != "lazy":
    connect()

if os.environ["TRY"] == "hooks":

    def before_fork():
        connection.close()

    def after_fork():
        connect()


class Try:
    def run(self, params):
        if connection is None:
            connect()
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s, pg_sleep(0.02)", [params["n"]])
            return {"n": cursor.fetchone()[0]}
