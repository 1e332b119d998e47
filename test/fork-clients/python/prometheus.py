import os

from prometheus_client import CollectorRegistry, Counter, push_to_gateway, start_http_server

registry = CollectorRegistry()
counter = Counter("tries", "tries", registry=registry)

if os.environ["TRY"] == "wrong":
    start_http_server(0, "127.0.0.1")  # a thread and a listening socket


class Try:
    def run(self, params):
        counter.inc(params["n"])  # this process's
        push_to_gateway(os.environ["HTTP_URL"], job="try", registry=registry, grouping_key={"run": str(params["n"])})
        return {"n": int(registry.get_sample_value("tries_total"))}
