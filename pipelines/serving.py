"""Serving a run's student: which checkpoint, under what name, and what the user is told about it.

Owns: the choice of the round, how its student is set up, and the words. The application itself is `serve.student`.

Invariant: a student is served as it was sampled, with the engine's keys of its run's recipe.
"""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ray
from rich.console import Console

from actors.storage.places import student_here
from actors.storage.working_copy import address_of
from pipelines.errors import Refused
from pipelines.run.cluster import connect
from pipelines.run.served_teachers import own_serve
from reasoning.fine_tune_cot.directory import student_directory
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.rounds.phase_order import best_round, evaluations
from reasoning.student.config import is_encoder_decoder

if TYPE_CHECKING:
    from serve.student import StudentServing


@dataclass(frozen=True, slots=True)
class Graduate:
    """A run's student: its checkpoint, the round that made it, the name it is served by."""

    checkpoint: Path
    round: int
    name: str


def graduate_of(directory: RunDirectory, round: int | None) -> Graduate:
    """The student of `round`, or of the round that was best by validation accuracy. Raises `RunDirectoryError`."""
    recipe, records = directory.recipe(), directory.finished()
    chosen = best_round(records) if round is None else round
    if chosen is None or chosen not in {record.round for record in evaluations(records)}:
        there = [record.round for record in evaluations(records)]
        raise RunDirectoryError(
            f"{directory.path}: round {'?' if chosen is None else chosen} is not finished; finished rounds: "
            f"{there or 'none'}. Run `tailor run` on its recipe first."
        )
    student = directory.round(chosen).student
    address = address_of(student)
    return Graduate(Path(student_here(address)) if address is not None else student, chosen, recipe.name)


def serving_of(
    directory: RunDirectory,
    graduate: Graduate,
    *,
    name: str | None = None,
    replicas: int = 1,
    gpus: float | None = None,
) -> StudentServing:
    """How the graduate is served: with the form and the engine's settings of the run's recipe. `gpus` a replica,
    by default as many as a sampler had."""
    from serve.student import QUESTION, StudentServing

    recipe, form = directory.recipe(), directory.form()
    return StudentServing(
        checkpoint=str(graduate.checkpoint),
        model_name=name or graduate.name,
        prompt=form.prompt(QUESTION),
        frame=form.frame,
        replicas=replicas,
        gpus=recipe.cluster.sampler_gpus if gpus is None else gpus,
        cpus=recipe.cluster.sampler_cpus,
        **recipe.student_engine().engine_keys(),
    )


def curl_line(base_url: str, model: str, prompt: str) -> str:
    """A `curl` command that has the served student continue `prompt`."""
    body = {"model": model, "prompt": prompt, "max_tokens": 256, "temperature": 0}
    quoted = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
    return f"curl -s {base_url}/completions -H 'Content-Type: application/json' -d '{quoted}'"


def serve_run(
    path: Path,
    round: int | None,
    host: str,
    port: int,
    replicas: int,
    gpus: float | None,
    name: str | None,
    console: Console,
) -> None:
    """Serves until SIGINT or SIGTERM, then shuts down. `gpus` a replica, by default as many as a sampler had. Raises
    `RunDirectoryError`, and `Refused` where there are fewer GPUs than that."""
    from ray import serve as ray_serve

    from serve.student import deploy_student

    directory = student_directory(path.resolve())
    graduate = graduate_of(directory, round)
    if is_encoder_decoder(str(graduate.checkpoint)):
        raise RunDirectoryError(
            f"{graduate.checkpoint}: an encoder-decoder, which vLLM does not serve; `tailor eval {path}` examines it, "
            "and AutoModelForSeq2SeqLM of `transformers` loads it"
        )
    settings = serving_of(directory, graduate, name=name, replicas=replicas, gpus=gpus)
    connect(directory.recipe().cluster.address)
    there = ray.cluster_resources().get("GPU", 0.0)
    if settings.gpus * replicas > there:
        raise Refused(
            f"{graduate.checkpoint}: serving it takes {replicas} x {settings.gpus:g} GPUs, but Ray has {there:g} here; "
            "set --gpus (0 serves on CPUs)"
        )
    with own_serve():
        base_url, served = deploy_student(settings, host=host, port=port), settings.model_name
        console.print(
            f"Student of round {graduate.round} is served as [bold]{served}[/bold] at {base_url}", soft_wrap=True
        )
        asked = directory.form().prompt("...")
        console.print(curl_line(base_url, served, asked), highlight=False, markup=False, soft_wrap=True)
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        stop.wait()
        console.print("Shutting down.")
        ray_serve.delete("student")
