"""The teachers that a run serves itself, as Ray Serve applications: the offline and the recorded teacher, and models on
the cluster's own GPUs.

Owns: which applications a recipe needs, their deployment, and their addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

import ray

from actors.ray_api.nodes import on_one_node
from reasoning.recipe.endpoint import EndpointSection
from reasoning.recipe.tailored import Recipe
from reasoning.recipe.teacher import TeacherSection

_LONGEST_ANSWER_S = 4 * 3600.0
_LARGEST_BODY = 64 * 1024 * 1024  # of a request to a teacher of the run's own


class NotDeployed(RuntimeError):
    """A teacher that the run serves itself could not be started. The message says why."""


@contextmanager
def deployed(recipe: Recipe) -> Iterator[dict[str, str]]:
    """The base addresses of the teachers that the run serves itself, by name; they are taken down at the end, also when
    they did not come up, and Serve with them where it was started for them alone. Raises `NotDeployed`."""
    if not applications_of(recipe):
        yield {}
        return
    with own_serve():
        try:
            try:
                addresses = deploy_teachers(recipe, loopback=on_one_node())
            except RuntimeError as error:
                raise NotDeployed(f"a teacher that the run serves itself did not start: {error}") from error
            yield addresses
        finally:
            remove_teachers(recipe)


def own_serve() -> AbstractContextManager[None]:
    """Ends Serve after use where it was started for that alone. A cluster of this program's own takes it along."""
    from serve.proxy import serve_for_a_while

    return nullcontext() if on_one_node() else serve_for_a_while()


def teachers_of(recipe: Recipe) -> list[TeacherSection]:
    """The recipe's teachers: the one that answers mistakes, and the one of round 0 when it is another."""
    return [recipe.teacher, *([recipe.teacher.first] if recipe.teacher.first else [])]


def applications_of(recipe: Recipe) -> dict[str, tuple[TeacherSection, EndpointSection]]:
    """What the run serves itself, by name: the teacher and its endpoint."""
    return {
        name: (teacher, endpoint)
        for teacher in teachers_of(recipe)
        for endpoint in teacher.all_endpoints
        if (name := teacher.application(endpoint)) is not None
    }


def deploy_teachers(recipe: Recipe, loopback: bool) -> dict[str, str]:
    """Deploys the teachers that the run serves itself and returns their base addresses by name, when all of them
    answer. With `loopback` they are reached from this machine alone, otherwise from the whole cluster, on the address
    of its head node, where Serve's proxy is."""
    applications = applications_of(recipe)
    if not applications:
        return {}
    from ray import serve

    from serve.proxy import LOOPBACK, start_serve

    port = start_serve(LOOPBACK if loopback else "0.0.0.0")
    host = LOOPBACK if loopback else _head_address()
    addresses: dict[str, str] = {}
    for name, (teacher, endpoint) in applications.items():
        serve.run(
            _application(recipe, teacher, endpoint),
            name=application_name(recipe, name),
            route_prefix=f"/{recipe.name}/{name}",
            blocking=False,
        )
        addresses[name] = f"http://{host}:{port}/{recipe.name}/{name}/v1"
    return addresses


def _head_address() -> str:
    return next(
        str(node["NodeManagerAddress"]) for node in ray.nodes() if "node:__internal_head__" in node["Resources"]
    )


def _application(recipe: Recipe, teacher: TeacherSection, endpoint: EndpointSection) -> ray.serve.Application:
    if endpoint.serve is not None:
        from serve.door.limits import DoorSection
        from serve.serving import StudentServing
        from serve.student import build_app

        return build_app(
            StudentServing(
                checkpoint=teacher.model_at(endpoint),
                model_name=teacher.model_at(endpoint),
                defaults="published",
                door=DoorSection(waiting=None, body_bytes=_LARGEST_BODY, answer_s=_LONGEST_ANSWER_S),
                **endpoint.serve.model_dump(),
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
    from ray.serve.exceptions import RayServeException

    with suppress(RayServeException):  # it was never started
        for name in applications_of(recipe):
            serve.delete(application_name(recipe, name))


def application_name(recipe: Recipe, name: str) -> str:
    """What the Serve application `name` of a run is called: runs on one cluster each have their own."""
    return f"teacher-{recipe.name}-{name}"
