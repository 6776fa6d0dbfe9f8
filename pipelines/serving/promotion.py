"""`tailor promote` and `tailor rollback`: other weights in the place of those that a served student answers with.

Owns: which round is promoted, whether it can take the place, and in which order that is done.

Invariants
- No request fails: each replica lets those that it answers end, has the new ones wait, takes the weights on in place
  and goes on; requests are never answered by two.
- What is promoted is proven first, by the probe of its own checkpoint in each replica. Where one replica is not proven
  all have the old weights again, and the command says so.
- A replica that Serve starts later answers with what was promoted last.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from pipelines.command_line.answer import Answer
from pipelines.errors import Refused, RunFailed
from pipelines.run.cluster import connect, wanted_address
from pipelines.serving.command import application_of
from pipelines.serving.graduate import Graduate, graduate_of, serving_of, version_of
from reasoning.fine_tune_cot.directory import student_directory
from reasoning.rounds.directory import RunDirectory
from reasoning.student.config import is_encoder_decoder
from serve.serving import StudentServing
from serve.weights import Checkpoint, Weights

TAKEN_S = 300.0  # within which every replica has taken weights on
_PROBED = 4  # prompts of a probe that is made here
_SAME_SHAPES = ("model_type", "architectures", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")


@dataclass(frozen=True, slots=True)
class Served:
    """A student as it is served now."""

    application: str
    serving: StudentServing
    weights: Weights
    environment: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A student whose weights were changed: the versions that answer now and did before."""

    model: str
    version: str
    before: str

    def answer(self) -> Answer:
        return Answer(self, self._show)

    def _show(self, console: Console) -> None:
        console.print(
            f"[bold]{self.model}[/bold] answers with {self.version} now; before: {self.before}. "
            f"The last promotion is taken back by: tailor rollback {self.model}",
            soft_wrap=True,
            highlight=False,
        )


def promote(path: Path, round: int | None, name: str | None, address: str | None, console: Console) -> Changed:
    """Puts the student of `round`, by default the best one, in the place of the one served as `name`, by default the
    run's name. Raises `Refused`, `RunFailed`, `RunDirectoryError`."""
    directory = student_directory(path.resolve())
    graduate = graduate_of(directory, round)
    connect(address or directory.recipe().cluster.address or _here())
    served = _served(name or graduate.name)
    check_place(served, directory, graduate)
    version = version_of(graduate)
    if version == served.weights.version:
        raise Refused(f"{served.serving.model_name} answers with round {graduate.round} already ({version})")
    probe = _probe(directory, graduate, version, console)
    following = Checkpoint(version=version, checkpoint=str(graduate.checkpoint), probe=str(probe))
    _put(served, served.weights.followed_by(following))
    return Changed(served.serving.model_name, version, served.weights.version)


def roll_back(name: str, address: str | None) -> Changed:
    """Takes the last promotion of the student served as `name` back. Raises `Refused`, `RunFailed`."""
    connect(address or _here())
    served = _served(name)
    before = served.weights.before()
    if before is None:
        raise Refused(f"{name} has had no other weights than {served.weights.version} since it was deployed")
    _put(served, before)
    return Changed(name, before.version, served.weights.version)


def _here() -> str | None:
    """The address of the cluster that runs on this machine, where no other is named."""
    return None if wanted_address(None) else "auto"


def _served(model: str) -> Served:
    """The student that is served as `model`."""
    from ray import serve as ray_serve

    from serve.internals import routes

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    application = application_of(model)
    there = routes()
    if application not in there.values():
        students = sorted(one.removeprefix("student-") for one in there.values() if one.startswith("student-"))
        raise Refused(f"no student is served as {model} on this cluster; served are: {', '.join(students) or 'none'}")
    found = ray_serve.get_app_handle(application).described.remote().result(timeout_s=TAKEN_S)
    if found["environment"] is None:
        raise Refused(
            f"{model} was deployed by a configuration file, which would undo a promotion: set version, checkpoint and "
            "probe in the user_config of its deployment StudentServer there, and `serve deploy` it"
        )
    return Served(
        application,
        StudentServing.model_validate(found["serving"]),
        Weights.model_validate(found["weights"]),
        found["environment"],
    )


def check_place(served: Served, directory: RunDirectory, graduate: Graduate) -> None:
    """Refuses a student that needs another engine, or is asked otherwise."""
    cure = f"serve it beside: tailor serve {directory.path} --round {graduate.round} --name ANOTHER"
    if is_encoder_decoder(str(graduate.checkpoint)):
        raise Refused(f"{graduate.checkpoint}: an encoder-decoder, which vLLM does not serve")
    now, new = (_shapes(Path(one)) for one in (served.weights.checkpoint, str(graduate.checkpoint)))
    differing = [key for key in _SAME_SHAPES if now.get(key) != new.get(key)]
    if differing:
        raise Refused(
            f"{graduate.checkpoint} is another model than the one served ({', '.join(differing)} differ); {cure}"
        )
    wanted = serving_of(directory, graduate)
    if (wanted.frame, wanted.answers) != (served.serving.frame, served.serving.answers):
        raise Refused(f"the student of {directory.path} is asked in another form than the one served; {cure}")
    from reasoning.student.vllm_internals import has_experts

    if not served.serving.gpus and has_experts(SimpleNamespace(**{**new, **new.get("text_config", {})})):
        raise Refused(f"on a CPU the weights of a mixture of experts cannot be taken on in place; {cure}")


def _shapes(checkpoint: Path) -> dict[str, Any]:
    try:
        found = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _probe(directory: RunDirectory, graduate: Graduate, version: str, console: Console) -> Path:
    """The file that proves the graduate's weights: the run's own, otherwise one that is made now."""
    from reasoning.student.probe import make_probe, save_probe
    from reasoning.tasks.loading import load_problems

    kept = directory.round(graduate.round).probe
    if not kept.is_file():
        console.print("Making the probe that proves these weights ...", soft_wrap=True)
        recipe, form = directory.recipe(), directory.form()
        problems = load_problems(recipe.task, recipe.seed).test[:_PROBED]
        save_probe(make_probe(str(graduate.checkpoint), version, [form.prompt(one.question) for one in problems]), kept)
    return kept


def _put(served: Served, weights: Weights) -> None:
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
        raise RunFailed(f"nothing was changed: {_cause(error)}") from error
    route = next(route for route, name in routes().items() if name == served.application)
    again = application(served.serving, weights, served.environment)
    ray_serve.run(again, name=served.application, route_prefix=route)


def _cause(error: BaseException) -> str:
    cause = getattr(error, "cause", None)
    return str(cause if isinstance(cause, BaseException) else error).strip().splitlines()[-1]
