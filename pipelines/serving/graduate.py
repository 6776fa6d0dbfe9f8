"""A run's student as it is served: which checkpoint, under what name, and how it is set up.

Owns: the choice of the round, the probe that proves its weights, and the arguments of its deployment. The application
itself is `serve.student`.

Invariant: a student is served as it was sampled, with the engine's keys of its run's recipe.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from actors.storage.places import student_here
from actors.storage.working_copy import address_of
from reasoning.prompts.student_forms import StudentForm
from reasoning.recipe.tailored import Recipe
from reasoning.records import stable_id
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.rounds.phase_order import best_round, evaluations

if TYPE_CHECKING:
    from serve.answering import AnswerSection
    from serve.door.limits import DoorSection
    from serve.serving import StudentServing

_PROBED = 4  # prompts of a probe that is made here


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


def version_of(graduate: Graduate) -> str:
    """What the graduate's weights are called: the run, the round, and which files they are, since a round's may be made
    again."""
    weights = sorted(graduate.checkpoint.glob("*.safetensors"))
    made = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in weights]
    return f"{graduate.name}/round-{graduate.round:03d}/{stable_id(str(graduate.checkpoint), *made)[:8]}"


def probe_of(directory: RunDirectory, graduate: Graduate, version: str, console: Console) -> Path:
    """The file that proves the graduate's weights: the run's own, otherwise one that is made now."""
    from reasoning.student.probe import load_probe, make_probe, save_probe
    from reasoning.tasks.loading import load_problems

    kept = directory.round(graduate.round).probe
    if not kept.is_file() or not load_probe(kept).is_complete:
        console.print("Making the probe that proves these weights ...", soft_wrap=True)
        recipe, form = directory.recipe(), directory.form()
        problems = load_problems(recipe.task, recipe.seed).test[:_PROBED]
        save_probe(make_probe(str(graduate.checkpoint), version, [form.prompt(one.question) for one in problems]), kept)
    return kept


def serving_of(
    directory: RunDirectory,
    graduate: Graduate,
    *,
    name: str | None = None,
    replicas: int = 1,
    most_replicas: int | None = None,
    gpus: float | None = None,
    door: DoorSection | None = None,
) -> StudentServing:
    """How the graduate is served: with the form and the engine's settings of the run's recipe. `gpus` a replica,
    by default as many as a sampler had."""
    from serve.door.limits import DoorSection

    probe = directory.round(graduate.round).probe
    return serving_as_sampled(
        directory.recipe(),
        directory.form(),
        str(graduate.checkpoint),
        version=version_of(graduate),
        probe=str(probe) if probe.is_file() else None,
        model_name=name or graduate.name,
        replicas=replicas,
        most_replicas=most_replicas,
        door=door or DoorSection(),
        gpus=gpus,
    )


def serving_as_sampled(
    recipe: Recipe, form: StudentForm, checkpoint: str, *, gpus: float | None = None, **others: Any
) -> StudentServing:
    """How a student of `recipe` is served that is asked in `form`; `others` are keys of `StudentServing`."""
    from serve.serving import QUESTION, StudentServing

    return StudentServing(
        checkpoint=checkpoint,
        prompt=form.prompt(QUESTION),
        frame=form.frame,
        answers=answers_of(recipe, form),
        gpus=recipe.cluster.sampler_gpus if gpus is None else gpus,
        cpus=recipe.cluster.sampler_cpus,
        **recipe.student_engine().engine_keys(),
        **others,
    )


def answers_of(recipe: Recipe, form: StudentForm) -> AnswerSection:
    """How `/v1/answer` asks and reads: as the run's evaluations, and for several samples as its exams."""
    from reasoning.tasks.loading import spec_of
    from serve.answering import AnswerSection

    spec, exam = spec_of(recipe.task), recipe.learning.exam
    return AnswerSection(
        task=spec.name,
        kind=spec.answer_kind,
        settings=spec.settings,
        max_new_tokens=recipe.student.max_new_tokens or spec.max_new_tokens,
        temperature=exam.temperature,
        top_p=exam.top_p,
        completion=form.completion_template,
        answer_prompt=form.answer_prompt,
        stop=form.stop,
        answer_stop=form.answer_stop,
    )


def curl_line(base_url: str, model: str, prompt: str) -> str:
    """A `curl` command that has the served student continue `prompt`."""
    body = {"model": model, "prompt": prompt, "max_tokens": 256, "temperature": 0}
    return _curl(f"{base_url}/completions", body)


def question_line(base_url: str, keyed: bool, model: str | None = None) -> str:
    """A `curl` command that asks the served student a question, by its name where there are several; `keyed`: with a
    key, which is in no line."""
    body: dict[str, object] = {"question": "..."} if model is None else {"model": model, "question": "..."}
    return _curl(f"{base_url}/answer", body, '-H "Authorization: Bearer $KEY" ' if keyed else "")


def _curl(address: str, body: dict[str, object], header: str = "") -> str:
    quoted = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
    return f"curl -s {address} {header}-H 'Content-Type: application/json' -d '{quoted}'"
