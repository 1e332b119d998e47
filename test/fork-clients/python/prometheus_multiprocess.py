import os

os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.environ["SCRATCH"]

from prometheus_client import Counter  # noqa: E402: it reads the variable when it is loaded

counter = None


def make():
    global counter
    counter = Counter("multiprocess_tries", "tries")  # opens a file of this process


if os.environ["TRY"] != "lazy":
    make()


class Try:
    def run(self, params):
        if counter is None:
            make()
        counter.inc(params["n"])
        assert os.path.exists(f"{os.environ['SCRATCH']}/counter_{os.getpid()}.db")
        return {"n": int(counter._value.get())}
