import os

import MySQLdb

connection = None


def connect():
    global connection
    connection = MySQLdb.connect(unix_socket=os.environ["MYSQL_SOCKET"], user="try", database="try")


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
            cursor.execute("SELECT %s, SLEEP(0.02)", [params["n"]])
            return {"n": cursor.fetchone()[0]}
