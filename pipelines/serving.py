"""Serving a run's student: which checkpoint, under what name, and what a person is told about it.

Owns: the choice of the round, and the words. The application itself is `serve.student`.
"""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipelines.run.cluster import connect
from reasoning.fine_tune_cot.directory import student_directory
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.rounds.order import best_round, evaluations
from reasoning.student.config import is_encoder_decoder


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
    return Graduate(directory.round(chosen).student, chosen, recipe.name)


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
    gpus: float,
    name: str | None,
    console: Console,
) -> None:
    """Serves until SIGINT or SIGTERM, then shuts down."""
    from ray import serve as ray_serve

    from serve.student import QUESTION, StudentServing, deploy_student

    directory = student_directory(path.resolve())
    graduate = graduate_of(directory, round)
    if is_encoder_decoder(str(graduate.checkpoint)):
        raise RunDirectoryError(
            f"{graduate.checkpoint}: an encoder-decoder, which vLLM does not serve; `tailor eval {path}` examines it, "
            "and AutoModelForSeq2SeqLM of `transformers` loads it"
        )
    recipe = directory.recipe()
    connect(recipe.cluster.address)
    served = name or graduate.name
    form = directory.form()
    settings = StudentServing(
        checkpoint=str(graduate.checkpoint),
        model_name=served,
        prompt=form.prompt(QUESTION),
        replicas=replicas,
        gpus=gpus,
        dtype=recipe.student.dtype,
    )
    base_url = deploy_student(settings, host=host, port=port)
    console.print(f"Student of round {graduate.round} is served as [bold]{served}[/bold] at {base_url}", soft_wrap=True)
    console.print(curl_line(base_url, served, form.prompt("...")), highlight=False, markup=False, soft_wrap=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    console.print("Shutting down.")
    ray_serve.delete("student")
