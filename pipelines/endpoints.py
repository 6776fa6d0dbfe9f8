"""The teachers that a run serves itself, as Ray Serve applications: the offline and the recorded teacher, and models on
the cluster's own GPUs.

Owns: which applications a recipe needs, their deployment, and their addresses.
"""

from __future__ import annotations

import ray

from reasoning.recipe import Recipe
from reasoning.teacher_sections import EndpointSection, PlaceSection


def endpoints_of(recipe: Recipe) -> list[EndpointSection]:
    """The recipe's teachers: the one that answers mistakes, and the one of round 0 when it is another."""
    return [recipe.teacher, *([recipe.teacher.first] if recipe.teacher.first else [])]


def applications_of(recipe: Recipe) -> dict[str, tuple[EndpointSection, PlaceSection]]:
    """What the run serves itself, by name: the teacher and its place."""
    return {
        name: (teacher, place)
        for teacher in endpoints_of(recipe)
        for place in teacher.places
        if (name := teacher.application(place)) is not None
    }


def deploy_teachers(recipe: Recipe, loopback: bool) -> dict[str, str]:
    """Deploys the teachers that the run serves itself and returns their base addresses by name, when all of them
    answer. With `loopback` they are reached from this machine alone, otherwise on this node's address, from the whole
    cluster."""
    applications = applications_of(recipe)
    if not applications:
        return {}
    from ray import serve

    from serve.proxy import LOOPBACK, start_serve

    port = start_serve(LOOPBACK if loopback else "0.0.0.0")
    host = LOOPBACK if loopback else ray.util.get_node_ip_address()
    addresses: dict[str, str] = {}
    for name, (teacher, place) in applications.items():
        serve.run(
            _application(recipe, teacher, place),
            name=application_name(name),
            route_prefix=f"/{name}",
            blocking=False,
        )
        addresses[name] = f"http://{host}:{port}/{name}/v1"
    return addresses


def _application(recipe: Recipe, teacher: EndpointSection, place: PlaceSection) -> ray.serve.Application:
    if place.serve is not None:
        from serve.student import StudentServing, build_app

        return build_app(
            StudentServing(
                checkpoint=teacher.model_at(place), model_name=teacher.model_at(place), **place.serve.model_dump()
            )
        )
    from serve.offline_teacher import TeacherArgs
    from serve.offline_teacher import build_app as build_teacher

    return build_teacher(
        TeacherArgs(
            kind=teacher.kind,  # type: ignore[arg-type]  # the kinds that have an application are these
            model=teacher.model,
            error_rate=teacher.error_rate,
            seed=recipe.seed,
            records=str(teacher.recorded) if teacher.recorded else None,
            latency_s=teacher.latency_s,
        )
    )


def remove_teachers(recipe: Recipe) -> None:
    """Takes the run's own teachers down again; Serve itself and other applications stay."""
    from ray import serve

    for name in applications_of(recipe):
        serve.delete(application_name(name))


def application_name(name: str) -> str:
    """What the Serve application of a teacher is called."""
    return f"teacher-{name}"
