import os
import sqlite3

connection = None


def connect():
    global connection
    connection = sqlite3.connect(f"{os.environ['SCRATCH']}/python.sqlite", timeout=20, isolation_level=None)
    connection.execute("CREATE TABLE IF NOT EXISTS tries (n INTEGER)")


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
        connection.execute("INSERT INTO tries VALUES (?)", [params["n"]])
        return {"n": connection.execute("SELECT n FROM tries WHERE n = ?", [params["n"]]).fetchone()[0]}
