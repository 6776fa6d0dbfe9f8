"""What must be so before another round answers in the place of a served student, or beside it.

Owns: which student can take the place, and the probe that proves its weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from pipelines.errors import Refused
from pipelines.run.cluster import connect
from pipelines.serving.deployed import Served, check_changeable, cluster_here, served_as
from pipelines.serving.graduate import Graduate, graduate_of, serving_of, version_of
from reasoning.fine_tune_cot.directory import student_directory
from reasoning.rounds.directory import RunDirectory
from reasoning.student.config import is_encoder_decoder

_PROBED = 4  # prompts of a probe that is made here
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
