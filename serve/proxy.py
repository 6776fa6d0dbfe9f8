"""The HTTP proxy of Ray Serve, and the front before it: started once, shared by every application.

Owns: its address. Invariant: a Serve that runs already keeps its port, and callers learn which it is.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray import serve
from ray.exceptions import RayError

from serve.door.refusals import serve_middlewares
from serve.front import FrontAddress, check_certificate, running_front, start_front, stop_front
from serve.internals import (
    DEPARTURE_S,
    DIRECT,
    FALLBACK_PORT,
    METRICS_PORT,
    MIDDLEWARES,
    PROXY_HEALTH_S,
    RETRIES,
    STATS_PORT,
    serve_port,
)

LOOPBACK = "127.0.0.1"


class PortRefused(ValueError):
    """A port or a certificate that Serve cannot have. The message says why and what it can."""


def running_port() -> int | None:
    """The port of the Serve that runs in this Ray, None when none does."""
    behind = serve_port()
    if behind is None:
        return None
    front = running_front()
    return behind if front is None else front[0]


def start_serve(
    host: str = LOOPBACK, port: int | None = None, direct: bool = False, certificate: str | None = None
) -> int:
    """Starts Ray Serve on `port` (default: a free one) in the Ray this process is connected to, and returns the port.

    One proxy, on the head node; `direct`: HAProxy, which hands each connection to a replica, in place of a proxy in
    Python, and a front before it (`serve.front`), which speaks TLS with a `certificate`. A Serve that runs already is
    kept as it is, and its port returned. Raises `PortRefused` where that is another than the `port` asked for or has
    another certificate, or somebody else listens there, and `ValueError` for a certificate that cannot be read."""
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    running = running_port()
    if running is not None:
        if port not in (None, running):
            raise PortRefused(
                f"Ray Serve of this cluster already listens on port {running}, for everything it serves: "
                f"leave the port out, or give {running}"
            )
        front = running_front()
        if certificate is not None and certificate != (front and front[1]):
            raise PortRefused("Ray Serve of this cluster was started without this certificate: leave it out")
        return running
    if certificate is not None and on_head():
        check_certificate(certificate)
    if port is not None and on_head() and not is_free(host, port):
        raise PortRefused(f"another program listens on port {port} of {host}: give another port, or end that program")
    address = FrontAddress(host, port or free_port(), free_port(), free_port(), certificate)
    serve.start(
        proxy_location="HeadOnly",
        http_options={"host": LOOPBACK, "port": address.haproxy} if direct else {"host": host, "port": address.port},
        logging_config={"log_level": "WARNING", "enable_access_log": False},
        controller_options={"runtime_env": {"env_vars": _environment(direct, address)}},
    )
    if direct:
        try:
            start_front(address)
        except RayError as error:
            serve.shutdown()
            raise PortRefused(f"nothing can listen on port {address.port} of {host}: {error}") from error
    started = running_port()
    assert started is not None  # serve.start has just made sure; another process may have been faster, on another port
    return started


def _environment(direct: bool, address: FrontAddress) -> dict[str, str]:
    """What Serve's own processes find in their environment."""
    common = {MIDDLEWARES: f"{serve_middlewares.__module__}:{serve_middlewares.__name__}", PROXY_HEALTH_S: "1"}
    if not direct:
        return common
    # Ray's fixed ports would be those of every cluster on this machine.
    ports = {FALLBACK_PORT: str(address.python), METRICS_PORT: str(free_port()), STATS_PORT: str(free_port())}
    return common | DIRECT | RETRIES | ports | {DEPARTURE_S: "2"}


def on_head() -> bool:
    """Whether this process is on the head node, where the proxy is."""
    here = ray.get_runtime_context().get_node_id()
    return any(node["NodeID"] == here and "node:__internal_head__" in node["Resources"] for node in ray.nodes())


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens there. Serve's proxies share their port with whoever shares it, also another cluster's."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


@contextmanager
def serve_for_a_while() -> Iterator[None]:
    """Ends Serve after use, if it did not run before and nobody else has come to use it."""
    ours = running_port() is None
    try:
        yield
    finally:
        if ours and running_port() is not None and not serve.status().applications:
            stop_front()
            serve.shutdown()


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
