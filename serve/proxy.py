"""The HTTP proxy of Ray Serve: started once, shared by every application.

Owns: its address. Invariant: a Serve that runs already keeps its port, and callers learn which it is.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from ray import serve

from serve.internals import running_port

LOOPBACK = "127.0.0.1"


def start_serve(host: str = LOOPBACK, port: int | None = None) -> int:
    """Starts Ray Serve on `port` (default: a free one) in the Ray this process is connected to, and returns the port.

    One proxy, on the head node. A Serve that runs already is kept, and its port returned."""
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    running = running_port()
    if running is not None:
        return running
    serve.start(
        proxy_location="HeadOnly",
        http_options={"host": host, "port": port or free_port()},
        logging_config={"log_level": "WARNING", "enable_access_log": False},
    )
    started = running_port()
    assert started is not None  # serve.start has just made sure; another process may have been faster, on another port
    return started


@contextmanager
def serve_for_a_while() -> Iterator[None]:
    """Ends Serve after use, if it did not run before and nobody else has come to use it."""
    ours = running_port() is None
    try:
        yield
    finally:
        if ours and running_port() is not None and not serve.status().applications:
            serve.shutdown()


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
