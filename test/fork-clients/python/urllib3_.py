import os

import urllib3

pool = urllib3.PoolManager()
url = os.environ["HTTP_URL"]

if os.environ["TRY"] != "lazy":
    pool.request("GET", f"{url}/0")  # its connection is kept

if os.environ["TRY"] == "hooks":

    def before_fork():
        pool.clear()


class Try:
    def run(self, params):
        return {"n": int(pool.request("GET", f"{url}/{params['n']}").data)}
