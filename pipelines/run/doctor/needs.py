"""What a recipe asks of the nodes that it runs on.

Owns: the figures that `judging` compares with what the nodes are like. Without a recipe they are those of any run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.run.doctor.memory import config_at, parameters_at, sampling_bytes, training_bytes
from pipelines.run.storage import storage_folder
from reasoning.files.addresses import is_address
from reasoning.recipe.tailored import Recipe

IN_FLIGHT_FILES = 2  # of each request: its connection, and one that is being made
OTHER_FILES = 512  # libraries, logs, Ray's own connections


@dataclass(frozen=True, slots=True)
class Needs:
    """`gpu_bytes` are what one trainer and one sampler hold of a GPU (None: they use none, or it is not known);
    `gpu_share` what of one GPU's memory the samplers on it take together; `round_bytes` a round's student on disk,
    `rounds` how many are kept, `state_bytes` a training's state meanwhile; `files` are open files of one process."""

    storage: str | None = None  # a folder or an address
    readable: tuple[str, ...] = ()
    gpus: bool = False
    trainer_gpu_bytes: int | None = None
    sampler_gpu_bytes: int | None = None
    sampler_share: float = 0.0
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
    trainer = max(training_bytes(parameters, config, one, cluster.trainers) for one in trainings)
    weights, passes = 4 * parameters, max(one.epochs for one in trainings)  # kept in float32
    each = sum(weights * one.epochs for one in trainings[:1] if one.epoch == "best")
    on_cpu = cluster.sampler_gpus == 0
    return Needs(
        storage=recipe.storage.path if is_address(recipe.storage.path) else str(storage_folder(recipe)),
        readable=_readable(recipe),
        gpus=bool(cluster.sampler_gpus or cluster.trainer_gpus),
        trainer_gpu_bytes=trainer if cluster.trainer_gpus and parameters else None,
        sampler_gpu_bytes=sampling_bytes(parameters, student.dtype, config)
        if cluster.sampler_gpus and parameters
        else None,
        sampler_share=_share(cluster.sampler_gpus, cluster.samplers, cluster.gpu_memory_utilization) if vllm else 0.0,
        vllm_on_cpu=vllm and on_cpu,
        half_on_cpu=student.dtype in ("bfloat16", "float16") and (on_cpu or cluster.trainer_gpus == 0),
        round_bytes=weights,
        rounds=1 + recipe.learning.rounds,
        state_bytes=each + (3 * weights if passes > 1 else 0),
        files=OTHER_FILES + IN_FLIGHT_FILES * max(one.max_in_flight for one in recipe.teacher.all_endpoints),
    )


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


def names_of(places: Sequence[str], most: int = 3) -> str:
    """Some of `places`, and how many more there are."""
    rest = len(places) - most
    return ", ".join(places[:most]) + (f" and {rest} more" if rest > 0 else "")
