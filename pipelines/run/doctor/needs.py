"""What a recipe asks of the nodes that it runs on.

Owns: the figures that `judging` compares with what the nodes are like. Without a recipe they are those of any run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.run.doctor.memory import GIB, config_at, lighter, parameters_at, sampling_bytes, training_bytes
from pipelines.run.storage import storage_folder
from reasoning.files.addresses import is_address
from reasoning.recipe.tailored import Recipe
from reasoning.recipe.training import TrainingSection
from reasoning.rounds.epochs import students_at_once

IN_FLIGHT_FILES = 2  # of each request: its connection, and one that is being made
OTHER_FILES = 512  # libraries, logs, Ray's own connections
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Needs:
    """`gpu_bytes` are what one trainer and one sampler hold of a GPU (None: they use none, or it is not known), and
    `trainer_keys` keys that would lower the first, in words and with what is held then; `sampler_utilization` is the
    share of a GPU that vLLM takes;
    `gpu_share` what of one GPU's memory the samplers on it take together; `round_bytes` a round's student on disk,
    `rounds` how many are kept, `state_bytes` a training's state meanwhile; `files` are open files of one process."""

    storage: str | None = None  # a folder or an address
    readable: tuple[str, ...] = ()
    gpus: bool = False
    trainer_gpu_bytes: int | None = None
    sampler_gpu_bytes: int | None = None
    sampler_share: float = 0.0
    sampler_utilization: float = 1.0
    trainer_keys: tuple[tuple[str, int], ...] = ()
    vllm_on_cpu: bool = False
    half_on_cpu: bool = False
    round_bytes: int = 0
    rounds: int = 1
    state_bytes: int = 0
    files: int = OTHER_FILES + 256


def needs_of(recipe: Recipe, *, student_known: bool = True) -> Needs:
    """What this recipe asks for; `student_known` False: nothing can be read of its student."""
    cluster, student = recipe.cluster, recipe.student
    config = config_at(student.source) if student_known else {}
    parameters = parameters_at(student.source, config) if student_known else 0
    vllm = cluster.sampler == "vllm" or (cluster.sampler == "auto" and not config.get("is_encoder_decoder"))
    trainings = [recipe.learning.first_training, *([recipe.learning.training] if recipe.learning.rounds else [])]
    place, most, trainer = trainer_memory(recipe, parameters, config)
    held = max(2 if one.precision == "bfloat16" else 4 for one in trainings)
    weights, passes = held * parameters, max(one.epochs for one in trainings)
    meanwhile = cluster.placement == "dedicated"
    each = weights * max(students_at_once(one, meanwhile=meanwhile) for one in trainings)
    on_cpu = cluster.sampler_gpus == 0
    return Needs(
        storage=recipe.storage.path if is_address(recipe.storage.path) else str(storage_folder(recipe)),
        readable=_readable(recipe),
        gpus=bool(cluster.sampler_gpus or cluster.trainer_gpus),
        trainer_gpu_bytes=trainer if cluster.trainer_gpus and parameters else None,
        sampler_gpu_bytes=sampler_memory(recipe, parameters, config) if cluster.sampler_gpus and parameters else None,
        trainer_keys=tuple(
            (f"{said} ({after / GIB:.1f} GiB)", after)
            for said, after in lighter_keys(recipe, place, most, parameters, config)
        ),
        sampler_utilization=cluster.gpu_memory_utilization if vllm else 1.0,
        sampler_share=_share(cluster.sampler_gpus, cluster.samplers, cluster.gpu_memory_utilization) if vllm else 0.0,
        vllm_on_cpu=vllm and on_cpu,
        half_on_cpu=student.dtype in ("bfloat16", "float16") and (on_cpu or cluster.trainer_gpus == 0),
        round_bytes=weights,
        rounds=1 + recipe.learning.rounds,
        state_bytes=each + (3 * weights if passes > 1 else 0),
        files=OTHER_FILES + IN_FLIGHT_FILES * max(one.max_in_flight for one in recipe.teacher.all_endpoints),
    )


def trainer_memory(recipe: Recipe, parameters: int, config: Mapping[str, Any]) -> tuple[str, TrainingSection, int]:
    """The one of the recipe's trainings that takes the most of a GPU, with as few trainers as may train: its key below
    `learning`, itself, and bytes."""
    learning = recipe.learning
    trainings = {"first_training": learning.first_training} | (
        {"training": learning.training} if learning.rounds else {}
    )
    taken = {
        place: training_bytes(parameters, config, one, recipe.cluster.least_trainers)
        for place, one in trainings.items()
    }
    place = max(taken, key=lambda name: taken[name])
    return place, trainings[place], taken[place]


def lighter_keys(
    recipe: Recipe, place: str, training: TrainingSection, parameters: int, config: Mapping[str, Any]
) -> Iterator[tuple[str, int]]:
    """Keys of the recipe that lower what a trainer of its training at `place` holds, the mildest first, and to how
    much."""
    cluster = recipe.cluster
    for count in range(cluster.least_trainers + 1, cluster.trainers + 1):
        after = training_bytes(parameters, config, training, count)
        if training.sharding == "fsdp":
            yield f"cluster.fewest_trainers: {count}", after
    for said, after in lighter(parameters, config, training, cluster.least_trainers):
        yield f"learning.{place}.{said}", after


def sampler_memory(recipe: Recipe, parameters: int, config: Mapping[str, Any]) -> int:
    """The least that a sampler takes of each of its GPUs, before the first round or after it, when a student that is
    sampled as it is stored (`dtype: auto`) is as its training held it."""
    learning, dtype = recipe.learning, recipe.student.dtype
    stored = {learning.first_training.precision, *([learning.training.precision] if learning.rounds else [])}
    if dtype == "auto" and "float32" in stored:
        dtype = "float32"
    return sampling_bytes(parameters, dtype, config) // max(1, int(recipe.cluster.sampler_gpus))


def _readable(recipe: Recipe) -> tuple[str, ...]:
    """Folders of this machine that other nodes must have too."""
    source = Path(recipe.student.source).expanduser()
    return (str(source.absolute()),) if recipe.student.model != "embedded" and source.is_dir() else ()


def _share(gpus: float, samplers: int, utilization: float) -> float:
    """What part of one GPU's memory vLLM takes, where `samplers` with `gpus` each share it."""
    if not gpus:
        return 0.0
    together = min(samplers, int(1 / gpus + 1e-6)) if gpus < 1 else 1
    return together * utilization


def names_of(places: Sequence[str]) -> str:
    """Some of `places`, and how many more there are."""
    rest = len(places) - _MOST_NAMED
    return ", ".join(places[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
