"""The teachers that a run serves itself: the offline and the recorded teacher, as Ray Serve applications.

Owns: which applications a recipe needs, their deployment, and their addresses.
"""

from __future__ import annotations

import ray

from reasoning.recipe import Recipe
from reasoning.teacher_sections import EndpointSection


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
    from serve.proxy import LOOPBACK, start_serve

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
        serve.run(build_app(arguments), name=application_name(kind), route_prefix=f"/{kind}", blocking=False)
        addresses[kind] = f"http://{host}:{port}/{kind}/v1"
    return addresses


def remove_teachers(recipe: Recipe) -> None:
    """Takes the run's own teachers down again; Serve itself and other applications stay."""
    from ray import serve

    for kind in {section.kind for section in endpoints_of(recipe) if section.kind != "openai"}:
        serve.delete(application_name(kind))


def application_name(kind: str) -> str:
    """The name of the Serve application of a teacher of `kind`."""
    return f"teacher-{kind}"
