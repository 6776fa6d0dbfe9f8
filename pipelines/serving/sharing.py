"""`tailor promote --share`: a candidate beside the served student, with a share of its requests.

Owns: starting a candidate, changing its share, and what a user is told of both students' live accuracy.

Invariants
- A candidate is proven by its probe before it gets a request; one that is not is taken down, and nothing is changed.
- What could not take the place of the served student later, is no candidate for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipelines.command_line.answer import Answer
from pipelines.errors import Refused, RunFailed
from pipelines.serving.deployed import (
    TAKEN_S,
    Live,
    Served,
    cause,
    live,
    put,
    served_as,
    take_down_candidate,
)
from pipelines.serving.graduate import Graduate, probe_of, serving_of, version_of
from pipelines.serving.names import candidate_of
from pipelines.serving.proof import successor
from reasoning.rounds.directory import RunDirectory
from serve.share.tally import LiveAccuracy
from serve.weights import Candidate


@dataclass(frozen=True, slots=True)
class Shared:
    """A student whose candidate `version` answers `share` of its requests, beside the version `served`."""

    model: str
    version: str
    served: str
    share: float
    live: Live

    def answer(self) -> Answer:
        return Answer(self, self._show)

    def _show(self, console: Console) -> None:
        console.print(
            f"[bold]{self.model}[/bold]: {self.version} answers {self.share:.1%} of the requests now, {self.served} "
            f"the others. Which is right more often: tailor served {self.model}. All of them: tailor promote without "
            f"--share. None: tailor rollback {self.model}",
            soft_wrap=True,
            highlight=False,
        )


def share(
    path: Path, round: int | None, name: str | None, address: str | None, part: float, console: Console
) -> Shared:
    """Has the student of `round`, by default the best one, answer `part` of the requests of the one that is served as
    `name`, by default the run's name. Raises `Refused`, `RunFailed`, `RunDirectoryError`."""
    directory, graduate, served = successor(path, round, name, address)
    version, now = version_of(graduate), served.weights
    if served.engine is not None:
        raise Refused(
            f"{served.serving.model_name} is an adapter on an engine that students share, where no candidate can stand "
            "beside it: promote the round without --share (tailor rollback takes it back)"
        )
    if now.candidate is not None and now.candidate.version == version:
        candidate = now.candidate.model_copy(update={"share": part})
    else:
        if now.candidate is not None:
            put(served, now.beside(None))
            take_down_candidate(served)
        candidate = _start(served, directory, graduate, part, console)
    put(served, now.beside(candidate))
    return Shared(served.serving.model_name, version, now.version, part, live(served_as(served.serving.model_name)))


def show_live(console: Console, found: Live, candidate: str | None = None) -> None:
    """A line for each version: how often it was right."""
    for one in found.accuracy:
        what = " (candidate)" if one.version == candidate else ""
        console.print(f"  {one.version}{what}: {_told(one)}", soft_wrap=True, highlight=False)
    if found.returned:
        console.print(
            f"  {found.returned} of the {found.passed + found.returned} requests of the candidate's share were "
            "answered by the served student, since the candidate did not",
            soft_wrap=True,
            highlight=False,
        )


def _told(one: LiveAccuracy) -> str:
    if one.accuracy is None:
        return "no answer whose gold is known"
    return f"{one.accuracy:.1%} right [{one.low:.1%}, {one.high:.1%}], {one.correct} of {one.n} whose gold is known"


def replicas_for(part: float, replicas: int) -> int:
    """How many replicas a share needs, beside so many of the served student."""
    return max(1, math.ceil(part * replicas))


def _start(served: Served, directory: RunDirectory, graduate: Graduate, part: float, console: Console) -> Candidate:
    """Starts a candidate, and proves it."""
    import ray
    from ray import serve as ray_serve
    from ray.exceptions import RayError
    from ray.serve.exceptions import RayServeException

    from serve.student import application

    there = served.serving
    serving = serving_of(
        directory,
        graduate,
        name=there.model_name,
        replicas=replicas_for(part, there.most_replicas or there.replicas),
        gpus=there.gpus,
        door=there.door,
    )
    _check_room(serving.replicas, serving.cpus, serving.gpus, ray.available_resources(), graduate)
    version = version_of(graduate)
    probe = probe_of(directory, graduate, version, console)
    name = candidate_of(served.application)
    console.print(f"Starting {version} beside {served.weights.version} ...", soft_wrap=True)
    try:
        ray_serve.run(application(serving, serving.weights(), served.environment), name=name, route_prefix=None)
        reasons = ray_serve.get_app_handle(name).broadcast("prove", str(probe)).results(timeout_s=TAKEN_S)
    except (RayError, RayServeException, RuntimeError, TimeoutError) as error:
        take_down_candidate(served)
        raise RunFailed(f"nothing was changed: the candidate did not start: {cause(error)}") from error
    unproven = [reason for reason in reasons if reason]
    if unproven:
        take_down_candidate(served)
        raise RunFailed(f"nothing was changed: {version} is not proven: {unproven[0]}")
    return Candidate(
        version=version, checkpoint=str(graduate.checkpoint), probe=str(probe), application=name, share=part
    )


def _check_room(replicas: int, cpus: float, gpus: float, free: dict[str, float], graduate: Graduate) -> None:
    """Refuses a candidate that would wait for what the cluster does not have."""
    for what, each in (("CPU", cpus), ("GPU", gpus)):
        if replicas * each > free.get(what, 0.0):
            raise Refused(
                f"a candidate takes {replicas * each:g} {what}s beside what runs, and {free.get(what, 0.0):g} are free "
                f"on this cluster: add a node, serve on fewer replicas, or put round {graduate.round} in the place of "
                "the served one (without --share)"
            )
