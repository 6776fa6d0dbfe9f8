"""A student as it is served on the cluster: found by its name, its live accuracy, and other weights put into it.

Owns: what is asked of its replicas, and in which order they and Ray Serve get its weights.

Invariants
- Every replica answers with the weights, or all have the old ones again.
- A replica that Serve starts later answers with what was put last.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pipelines.errors import Refused, RunFailed
from pipelines.run.cluster import wanted_address
from pipelines.serving.command import application_of, candidate_of
from serve.serving import StudentServing
from serve.share.tally import Count, LiveAccuracy, live_accuracy
from serve.weights import Weights

TAKEN_S = 300.0  # within which every replica has taken weights on


@dataclass(frozen=True, slots=True)
class Served:
    """A student as it is served now."""

    application: str
    serving: StudentServing
    weights: Weights
    environment: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """What its replicas have counted since they started, or since a candidate got its share: the accuracy of the
    versions that answer, where the gold was told, and how many requests the candidate answered (`passed`) and did not,
    so that the served student did (`returned`)."""

    accuracy: list[LiveAccuracy]
    passed: int
    returned: int


def cluster_here() -> str | None:
    """The address of the cluster that runs on this machine, where no other is named."""
    return None if wanted_address(None) else "auto"


def applications() -> dict[str, str]:
    """The applications of served students, by the name of their model in addresses."""
    from serve.internals import routes

    names = sorted(routes().values())
    return {name.removeprefix("student-"): name for name in names if name.startswith("student-")}


def served_as(model: str) -> Served:
    """The student that is served as `model`. Raises `Refused`."""
    there, application = applications(), application_of(model)
    if application not in there.values():
        raise Refused(f"no student is served as {model} on this cluster; served are: {', '.join(there) or 'none'}")
    return served_by(application)


def served_by(application: str) -> Served:
    """The student of an application."""
    from ray import serve as ray_serve

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    found = ray_serve.get_app_handle(application).described.remote().result(timeout_s=TAKEN_S)
    return Served(
        application,
        StudentServing.model_validate(found["serving"]),
        Weights.model_validate(found["weights"]),
        found["environment"],
    )


def check_changeable(served: Served) -> None:
    """Refuses a student whose weights another holds: what is put here would be undone."""
    if served.environment is None:
        raise Refused(
            f"{served.serving.model_name} was deployed by a configuration file, which would undo a promotion: set "
            "version, checkpoint and probe in the user_config of its deployment StudentServer there, and `serve "
            "deploy` it"
        )


def live(served: Served) -> Live:
    """What the replicas of a student and of its candidate have counted. Those of a candidate that does not answer are
    left out."""
    from ray import serve as ray_serve
    from ray.exceptions import RayError
    from ray.serve.exceptions import RayServeException

    counts: list[Count] = []
    passed = returned = 0
    candidate = served.weights.candidate
    for application in (served.application, *([candidate.application] if candidate else [])):
        with suppress(RayError, RayServeException, TimeoutError):
            for found in ray_serve.get_app_handle(application).broadcast("tally").results(timeout_s=TAKEN_S):
                counts += found[0]
                passed, returned = passed + found[1], returned + found[2]
    versions = [served.weights.version, *([candidate.version] if candidate else [])]
    return Live(live_accuracy(counts, versions), passed, returned)


def put(served: Served, weights: Weights) -> None:
    """Has every replica answer with `weights`, and Serve keep them. Raises `RunFailed`, with all as before."""
    from ray import serve as ray_serve
    from ray.exceptions import RayError
    from ray.serve.exceptions import RayServeException

    from serve.internals import routes
    from serve.student import application

    handle = ray_serve.get_app_handle(served.application)
    try:
        handle.broadcast("take", weights.model_dump()).results(timeout_s=TAKEN_S)
    except (RayError, RayServeException, TimeoutError) as error:
        handle.broadcast("take", served.weights.model_dump()).results(timeout_s=TAKEN_S)
        raise RunFailed(f"nothing was changed: {cause(error)}") from error
    route = next(route for route, name in routes().items() if name == served.application)
    again = application(served.serving, weights, served.environment)
    ray_serve.run(again, name=served.application, route_prefix=route)


def take_down_candidate(served: Served) -> None:
    """Ends the application of a student's candidate, which gets no requests any more."""
    from ray import serve as ray_serve

    ray_serve.delete(candidate_of(served.application))


def cause(error: BaseException) -> str:
    """The last line of what happened in a replica."""
    inner = getattr(error, "cause", None)
    return str(inner if isinstance(inner, BaseException) else error).strip().splitlines()[-1]
