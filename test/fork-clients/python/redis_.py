import os

import redis

client = redis.Redis(unix_socket_path=os.environ["REDIS_SOCKET"])  # connects by its first command

if os.environ["TRY"] != "lazy":
    client.ping()

if os.environ["TRY"] == "hooks":

    def before_fork():
        client.connection_pool.disconnect()


class Try:
    def run(self, params):
        key = f"redis-py:{params['n']}"
        client.set(key, params["n"])
        return {"n": int(client.get(key))}
