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
from pipelines.serving.names import applications, candidate_of, in_address
from serve.serving import StudentServing
from serve.share.tally import Count, LiveAccuracy, live_accuracy
from serve.weights import Weights

TAKEN_S = 300.0  # within which every replica has taken weights on


@dataclass(frozen=True, slots=True)
class SharedEngine:
    """What is deployed of an engine that several students share as adapters."""

    serving: StudentServing
    weights: Weights


@dataclass(frozen=True, slots=True)
class Served:
    """A student as it is served now; `engine`: the one that it is an adapter on, None where it has its own."""

    application: str
    serving: StudentServing
    weights: Weights
    environment: dict[str, Any] | None = None
    engine: SharedEngine | None = None

    def deployed(self, weights: Weights) -> tuple[StudentServing, Weights]:
        """What is deployed where this student answers with `weights`."""
        if self.engine is None:
            return self.serving, weights
        return self.engine.serving, self.engine.weights.with_adapter(self.serving.model_name, weights)


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


def served_as(model: str) -> Served:
    """The student that is served as `model`. Raises `Refused`."""
    there, name = applications(), in_address(model)
    if name not in there:
        raise Refused(f"no student is served as {model} on this cluster; served are: {', '.join(there) or 'none'}")
    return next(one for one in served_by(there[name]) if in_address(one.serving.model_name) == name)


def served_by(application: str) -> list[Served]:
    """The students of an application."""
    from ray import serve as ray_serve

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    found = ray_serve.get_app_handle(application).described.remote().result(timeout_s=TAKEN_S)
    serving = StudentServing.model_validate(found["serving"])
    weights, environment = Weights.model_validate(found["weights"]), found["environment"]
    if not serving.adapters:
        return [Served(application, serving, weights, environment)]
    engine = SharedEngine(serving, weights)
    return [
        Served(
            application,
            serving.model_copy(update={"model_name": name, "answers": one.answers, "adapters": {}}),
            weights.adapters[name],
            environment,
            engine,
        )
        for name, one in serving.adapters.items()
    ]


def check_changeable(served: Served) -> None:
    """Refuses a student whose weights another holds: what is put here would be undone."""
    if served.environment is None:
        name = served.serving.model_name
        where = "" if served.engine is None else f" under adapters, {name}"
        raise Refused(
            f"{name} was deployed by a configuration file, which would undo a promotion: set version, checkpoint and "
            f"probe in the user_config of its deployment StudentServer there{where}, and `serve deploy` it"
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
    if served.engine is not None:  # the replicas have counted for the others, too
        own = {*versions, *(one.version for one in served.weights.earlier)}
        counts = [one for one in counts if one.version in own]
    return Live(live_accuracy(counts, versions), passed, returned)


def put(served: Served, weights: Weights) -> None:
    """Has every replica answer with `weights`, and Serve keep them. Raises `RunFailed`, with all as before."""
    from ray import serve as ray_serve
    from ray.exceptions import RayError
    from ray.serve.exceptions import RayServeException

    from serve.internals import routes
    from serve.student import application

    handle = ray_serve.get_app_handle(served.application)
    (serving, new), (_, old) = served.deployed(weights), served.deployed(served.weights)
    try:
        handle.broadcast("take", new.model_dump()).results(timeout_s=TAKEN_S)
    except (RayError, RayServeException, TimeoutError) as error:
        handle.broadcast("take", old.model_dump()).results(timeout_s=TAKEN_S)
        raise RunFailed(f"nothing was changed: {cause(error)}") from error
    route = next(route for route, name in routes().items() if name == served.application)
    again = application(serving, new, served.environment)
    ray_serve.run(again, name=served.application, route_prefix=route)


def take_down_candidate(served: Served) -> None:
    """Ends the application of a student's candidate, which gets no requests any more."""
    from ray import serve as ray_serve

    ray_serve.delete(candidate_of(served.application))


def cause(error: BaseException) -> str:
    """The last line of what happened in a replica, and of a machine that ran low on memory that."""
    from actors.ray_api.deaths import told_of

    inner = getattr(error, "cause", None)
    return told_of(inner if isinstance(inner, BaseException) else error).splitlines()[-1]
