"""The front as an application of a configuration file: what `tailor serve` starts before Ray Serve, for `serve deploy`.

Owns: that application. Its one replica starts the front on the head's node, keeps the one that is there with the same
address, and ends it when the application is taken away.

It hands requests to Serve's HAProxy, and to Serve's Python proxy while that is away; so Ray must have been started with
`RAY_SERVE_ENABLE_HA_PROXY=1` (docs/serving.md). (No `from __future__ import annotations` here: Serve reads the
builder's annotation as a class.)
"""

from typing import Annotated

from pydantic import Field
from ray import serve
from ray.serve import Application

from reasoning.recipe.base import Section
from serve.front import FrontAddress, running_front, start_front, stop_front

Port = Annotated[int, Field(ge=1, le=65535)]


class FrontSection(Section):
    """`args` of the application: where the front listens, the port of `http_options` (Serve's HAProxy) and that of
    Serve's Python proxy (`RAY_SERVE_FALLBACK_PROXY_HTTP_PORT`), and the PEM file of certificate and key (None: no
    TLS)."""

    host: str = "127.0.0.1"
    port: Port = 8000
    haproxy: Port = 8001
    python: Port = 8500
    certificate: str | None = None


class FrontKeeper:
    """Its replica. Raises `RayError` where the front cannot listen."""

    def __init__(self, address: FrontAddress) -> None:
        found = running_front()
        if found == (address.port, address.certificate):
            return
        if found is not None:
            stop_front()
        start_front(address)

    def check_health(self) -> None:
        if running_front() is None:
            raise RuntimeError("the front is gone")

    def __del__(self) -> None:
        stop_front()


def build_front(section: FrontSection) -> Application:
    """The application, for a Serve config file, where it has `route_prefix: null`."""
    address = FrontAddress(section.host, section.port, section.haproxy, section.python, section.certificate)
    return serve.deployment(ray_actor_options={"num_cpus": 0})(FrontKeeper).bind(address)
