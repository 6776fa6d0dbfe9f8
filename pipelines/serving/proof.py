"""What must be so before another round answers in the place of a served student, or beside it.

Owns: which student can take the place.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pipelines.errors import Refused
from pipelines.run.cluster import connect
from pipelines.serving.adapters import adapter_of, base_of
from pipelines.serving.deployed import Served, SharedEngine, check_changeable, cluster_here, served_as
from pipelines.serving.graduate import Graduate, answers_of, graduate_of, version_of
from reasoning.fine_tune_cot.directory import student_directory
from reasoning.rounds.directory import RunDirectory
from reasoning.student.config import is_encoder_decoder
from reasoning.training.weights.combining import adapter_rank

_SAME_SHAPES = ("model_type", "architectures", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")


def successor(
    path: Path, round: int | None, name: str | None, address: str | None
) -> tuple[RunDirectory, Graduate, Served]:
    """The student of `round` of the run at `path`, by default the best one, with its run and the student served as
    `name`, by default the run's name, in whose place or beside whom it can answer. Raises `Refused`,
    `RunDirectoryError`."""
    directory = student_directory(path.resolve())
    graduate = graduate_of(directory, round)
    connect(address or directory.recipe().cluster.address or cluster_here())
    served = served_as(name or graduate.name)
    check_changeable(served)
    check_place(served, directory, graduate)
    version = version_of(graduate)
    if version == served.weights.version:
        raise Refused(f"{served.serving.model_name} answers with round {graduate.round} already ({version})")
    return directory, graduate, served


def check_place(served: Served, directory: RunDirectory, graduate: Graduate) -> None:
    """Refuses a student that needs another engine, or is asked otherwise."""
    cure = f"serve it beside: tailor serve {directory.path} --round {graduate.round} --name ANOTHER"
    wanted = answers_of(directory.recipe(), directory.form())
    if (directory.form().frame, wanted) != (served.serving.frame, served.serving.answers):
        raise Refused(f"the student of {directory.path} is asked in another form than the one served; {cure}")
    if served.engine is not None:
        _check_engine(served.engine, directory, graduate, cure)
        return
    if is_encoder_decoder(str(graduate.checkpoint)):
        raise Refused(f"{graduate.checkpoint}: an encoder-decoder, which vLLM does not serve")
    now, new = (_shapes(Path(one)) for one in (served.weights.checkpoint, str(graduate.checkpoint)))
    differing = [key for key in _SAME_SHAPES if now.get(key) != new.get(key)]
    if differing:
        raise Refused(
            f"{graduate.checkpoint} is another model than the one served ({', '.join(differing)} differ); {cure}"
        )
    from reasoning.student.vllm_internals import has_experts

    if not served.serving.gpus and has_experts(SimpleNamespace(**{**new, **new.get("text_config", {})})):
        raise Refused(f"on a CPU the weights of a mixture of experts cannot be taken on in place; {cure}")


def _check_engine(engine: SharedEngine, directory: RunDirectory, graduate: Graduate, cure: str) -> None:
    """Refuses a student that is no adapter on this engine, or of a rank that it has no room for."""
    base = base_of(directory)
    if base != engine.serving.checkpoint:
        raise Refused(
            f"the run of {directory.path} began with {base}, and the engine has adapters of "
            f"{engine.serving.checkpoint}; {cure}"
        )
    rank, most = adapter_rank(adapter_of(directory, graduate)), engine.serving.most_rank
    if rank > most:
        raise Refused(
            f"the adapter of round {graduate.round} of {directory.path} has rank {rank}, and its engine was started "
            f"with room for {most}: serve its students again, with --adapters"
        )


def checkpoint_for(served: Served, directory: RunDirectory, graduate: Graduate) -> Path:
    """What the engine takes on: the graduate's weights, or its adapter."""
    return graduate.checkpoint if served.engine is None else adapter_of(directory, graduate)


def _shapes(checkpoint: Path) -> dict[str, Any]:
    try:
        found = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
