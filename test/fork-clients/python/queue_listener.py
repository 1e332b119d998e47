import logging
import os
import queue
from logging.handlers import QueueHandler, QueueListener

path = f"{os.environ['SCRATCH']}/listener.log"
records = queue.SimpleQueue()
logging.getLogger().addHandler(QueueHandler(records))
listener = QueueListener(records, logging.FileHandler(path, delay=True))  # delay: opens by its first line

if os.environ["TRY"] != "lazy":
    listener.start()  # a thread
    logging.getLogger().warning("loaded")

if os.environ["TRY"] == "hooks":

    def before_fork():
        listener.stop()  # writes what waits, and joins the thread
        for handler in listener.handlers:
            handler.close()


def after_fork():
    if os.environ["TRY"] != "wrong":
        listener.start()


class Try:
    def run(self, params):
        logging.getLogger().warning("n %s", params["n"])
        listener.stop()
        with open(path) as file:
            return {"n": params["n"] if f"n {params['n']}\n" in file else -1}
