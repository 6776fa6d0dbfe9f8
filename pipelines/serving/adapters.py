"""Students that `lora` taught, on one engine: the model that their runs began with, and an adapter for each.

Owns: what may share an engine, the one adapter that a run's rounds come to, and the arguments of the deployment.

Invariants
- A student is asked, read and computed as its run examined it, whoever else is on its engine: what would need two ways
  is refused before anything is started.
- Each adapter comes with the probe of its run's merged student, which it passes before it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pipelines.errors import Refused
from pipelines.serving.graduate import Graduate, answers_of, graduate_of, probe_of, serving_as_sampled, version_of
from reasoning.recipe.tailored import Recipe
from reasoning.records import stable_id
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import evaluations
from reasoning.student.vllm_internals import MOST_RANK
from reasoning.training.weights.combining import CONFIG_FILE, AdapterError, adapter_rank, combine
from reasoning.training.weights.merging import ADAPTER_FOLDER

if TYPE_CHECKING:
    from serve.serving import StudentServing


def adapters_of_rounds(directory: RunDirectory, graduate: Graduate) -> list[Path]:
    """The adapters that make the graduate of the run's first student, one after another."""
    earlier = [graduate_of(directory, number).checkpoint for number in range(graduate.round)]
    return [one / ADAPTER_FOLDER for one in (*earlier, graduate.checkpoint)]


def adapter_of(directory: RunDirectory, graduate: Graduate) -> Path:
    """The folder of the one adapter that makes the graduate of the run's first student, beside the graduate: written
    where it is not there yet. Raises `Refused`."""
    parts = adapters_of_rounds(directory, graduate)
    files = [file for part in parts for file in sorted(part.glob("*"))]
    made = stable_id(*(f"{file}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files))
    out = graduate.checkpoint.parent / f"adapter-{made[:8]}"
    try:
        if not (out / CONFIG_FILE).is_file():
            combine(parts, base_of(directory), out)
        rank = adapter_rank(out)
    except AdapterError as error:
        raise Refused(
            f"{error}. Students share an engine as adapters where `lora` taught every round; serve this one without "
            "--adapters"
        ) from error
    if rank > MOST_RANK:
        raise Refused(
            f"{directory.path}: the adapters of {len(parts)} rounds have together rank {rank}, and vLLM takes "
            f"{MOST_RANK} at most: serve this student without --adapters, or an earlier --round"
        )
    return out


def base_of(directory: RunDirectory) -> str:
    """The student that the run began with: a folder, or a hub id."""
    source = directory.recipe().student.source
    return str(Path(source).resolve()) if Path(source).is_dir() else source


def shared_serving(
    students: Sequence[tuple[RunDirectory, Graduate]], names: Sequence[str], console: Console, **others: Any
) -> StudentServing:
    """How these students are served on one engine by these names; `others` are keys of `StudentServing`. Raises
    `Refused` where they cannot be."""
    from serve.serving import AdapterSection

    (first, graduate), base = students[0], base_of(students[0][0])
    for directory, one in students:
        _check_alike(first, graduate, directory, one)
    adapters = {}
    for (directory, one), name in zip(students, names, strict=True):
        version, folder = version_of(one), adapter_of(directory, one)
        adapters[name] = AdapterSection(
            version=version,
            checkpoint=str(folder),
            probe=str(probe_of(directory, one, version, console)),
            answers=answers_of(directory.recipe(), directory.form()),
        )
    room = [_rank_of_last(directory) for directory, _ in students]
    there = [adapter_rank(Path(one.checkpoint)) for one in adapters.values()]
    serving = serving_as_sampled(
        first.recipe(),
        first.form(),
        base,
        model_name=_name_of_base(first.recipe(), base),
        adapters=adapters,
        adapter_rank=min(max(*room, *there), MOST_RANK),
        **others,
    )
    return serving.model_copy(update={"dtype": _dtype(first, graduate), "answers": None})


def _check_alike(first: RunDirectory, graduate: Graduate, directory: RunDirectory, other: Graduate) -> None:
    """Refuses what cannot be on one engine with the first student."""
    apart = "serve them apart, without --adapters"
    bases = [base_of(one) for one in (first, directory)]
    if bases[0] != bases[1]:
        raise Refused(
            f"{first.path} and {directory.path} did not begin with the same student ({bases[0]}, {bases[1]}), so that "
            f"they are no adapters of one: {apart}"
        )
    if not Path(bases[0]).is_dir() and (bases[0].count("/") > 1 or bases[0].startswith((".", "~", "/"))):
        raise Refused(
            f"{first.path}: the student that it began with, {bases[0]}, is not there; bring it back, or serve its "
            "runs without --adapters"
        )
    if first.form().frame != directory.form().frame:
        raise Refused(f"the students of {first.path} and {directory.path} are asked in different forms: {apart}")
    if _dtype(first, graduate) != _dtype(directory, other):
        raise Refused(
            f"{first.path} and {directory.path} were sampled with different dtypes ({_dtype(first, graduate)}, "
            f"{_dtype(directory, other)}): {apart}"
        )
    lengths = [one.recipe().student.max_model_len for one in (first, directory)]
    if lengths[0] != lengths[1]:
        raise Refused(
            f"{first.path} and {directory.path} have different student.max_model_len ({lengths[0]}, {lengths[1]}): "
            f"{apart}"
        )


def _dtype(directory: RunDirectory, graduate: Graduate) -> str:
    """What an engine computes in that has the first student in the place of the graduate: what the run's engines do."""
    from reasoning.student.engine import checkpoint_dtype

    asked = directory.recipe().student.dtype
    own = checkpoint_dtype(str(graduate.checkpoint)) if asked == "auto" else asked
    return "auto" if asked == "auto" and own == checkpoint_dtype(base_of(directory)) else own


def _name_of_base(recipe: Recipe, base: str) -> str:
    """What the engine calls the model of the adapters: no run has such a name."""
    model = recipe.student.model
    return model if model.count("/") == 1 and not Path(base).is_dir() else f"base/{Path(model).name}"


def _rank_of_last(directory: RunDirectory) -> int:
    """The rank of the adapter that the run's last finished round comes to, so that each round can take the place of
    another. More room costs speed."""
    learning = directory.recipe().learning
    first, later = (one.lora.rank if one.lora else 0 for one in (learning.first_training, learning.training))
    return first + later * max(record.round for record in evaluations(directory.finished()))
