"""The teachers that a run serves itself: the offline and the recorded teacher, as Ray Serve applications.

Owns: which applications a recipe needs, their deployment, and their addresses.
"""

from __future__ import annotations

import logging
import socket

import ray

from reasoning.recipe import EndpointSection, Recipe

LOOPBACK = "127.0.0.1"


def endpoints_of(recipe: Recipe) -> list[EndpointSection]:
    """The recipe's endpoints: the one that answers mistakes, and the one of round 0 when it is another."""
    return [recipe.teacher, *([recipe.teacher.first] if recipe.teacher.first else [])]


def deploy_teachers(recipe: Recipe, loopback: bool) -> dict[str, str]:
    """Deploys the teachers that the run serves itself and returns their base addresses by kind. With `loopback` they
    are reached from this machine alone, otherwise on this node's address, from the whole cluster."""
    sections = {section.kind: section for section in endpoints_of(recipe) if section.kind != "openai"}
    if not sections:
        return {}
    from ray import serve

    from serve.offline_teacher import TeacherArgs, build_app

    port = start_serve(LOOPBACK if loopback else "0.0.0.0")
    host = LOOPBACK if loopback else ray.util.get_node_ip_address()
    addresses: dict[str, str] = {}
    for kind, section in sections.items():
        arguments = TeacherArgs(
            kind=kind,
            model=section.model,
            error_rate=section.error_rate,
            seed=recipe.seed,
            records=str(section.recorded) if section.recorded else None,
            latency_s=section.latency_s,
        )
        serve.run(build_app(arguments), name=f"teacher-{kind}", route_prefix=f"/{kind}", blocking=False)
        addresses[kind] = f"http://{host}:{port}/{kind}/v1"
    return addresses


def start_serve(host: str, port: int | None = None) -> int:
    """Starts Ray Serve on `port` (default: a free one) and returns the port. One that runs already is kept."""
    from ray import serve
    from ray.serve.context import _get_global_client

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(http_options={"host": host, "port": port or free_port()}, logging_config={"log_level": "WARNING"})
    client = _get_global_client()
    assert client is not None  # serve.start has just made sure
    return int(client.http_config.port)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
