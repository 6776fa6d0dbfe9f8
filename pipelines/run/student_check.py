"""Whether a student can be loaded, sampled and taught, judged from its files without loading it.

Owns: what a fault is, and the checks of a student's folder, configuration, tokenizer and weights.

Invariants: no weights are loaded, and torch is imported only for an architecture that is not known by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasoning.recipe.tailored import Recipe
from reasoning.student.config import config_file, read_config
from reasoning.tasks.table import answer_limit
from reasoning.training.transformers_internals import has_code_of, loads_as_student

# What vLLM's attention on CPU can do; it does not refuse others, it crashes.
CPU_HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)

_DECODER = re.compile(r"(?:ForCausalLM|LMHeadModel)$")
_ENCODER_DECODER = re.compile(r"^(?:(?:M|UM|Long)?T5|M?Bart|Pegasus)ForConditionalGeneration$")  # there are others
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_HUB_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")


@dataclass(frozen=True)
class PreflightFault:
    """One thing that is wrong: the recipe's key or the file it is at, what it is, and what to do."""

    place: str
    what: str
    cure: str


def student_faults(recipe: Recipe) -> Iterator[PreflightFault]:
    """What keeps the recipe's student from being loaded, sampled and taught. Of a hub student, its configuration."""
    source = recipe.student.source
    folder = Path(source).expanduser()
    if folder.is_dir():
        faults = list(_folder_faults(folder))
        yield from faults
        config = None if faults else read_config(folder / "config.json")
    elif recipe.student.model == "embedded":
        yield PreflightFault(
            "student.model", f"the embedded student is not at {source}", "Restore it from the repository"
        )
        return
    elif not _HUB_ID.fullmatch(source):
        yield PreflightFault(
            "student.model", f"no folder {source}", "Give a folder in Hugging Face format, or a hub id"
        )
        return
    else:
        found = _hub_config(source)
        if isinstance(found, PreflightFault):
            yield found
            return
        config = read_config(found)
    if config is not None:
        yield from _architecture_faults(config, source)
        yield from _sampler_faults(config, recipe)
        yield from _length_faults(config, recipe)


def _folder_faults(folder: Path) -> Iterator[PreflightFault]:
    """What a local student lacks: configuration, tokenizer, weights that can be read."""
    if not (folder / "config.json").is_file():
        cure = "Give a folder that `save_pretrained` wrote"
        yield PreflightFault("student.model", f"{folder} has no config.json", cure)
    elif read_config(folder / "config.json") is None:
        yield PreflightFault("student.model", f"{folder / 'config.json'} is not a JSON object", "Save the model again")
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        yield PreflightFault(
            "student.model", f"{folder} has no tokenizer", "Save the tokenizer there with `save_pretrained`"
        )
    weights = sorted(folder.glob("*.safetensors"))
    index = read_config(folder / "model.safetensors.index.json") or {}
    shards = index.get("weight_map")
    named = {str(name) for name in shards.values()} if isinstance(shards, dict) else set()
    absent = sorted(named - {file.name for file in weights})
    if absent or not weights:
        what = f"{folder} has no {absent[0]}" if absent else f"{folder} has no weights (*.safetensors)"
        yield PreflightFault(
            "student.model", what, "Save the model there with `save_pretrained(safe_serialization=True)`"
        )
    for file in weights:
        yield from _weights_faults(file)


def _weights_faults(file: Path) -> Iterator[PreflightFault]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        cure = "Fetch it again; a file of a few lines is a Git LFS pointer (`git lfs pull`)"
        yield PreflightFault("student.model", f"{file} ({file.stat().st_size} bytes) cannot be read: {error}", cure)


def _hub_config(source: str) -> Path | PreflightFault:
    try:
        return config_file(source)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        cure = "Check the name and the connection (for a gated model, HF_TOKEN), or give a local folder"
        return PreflightFault(
            "student.model", f"{source} is not a local folder, and the hub does not provide it: {reason}", cure
        )


def _architecture_faults(config: dict[str, Any], source: str) -> Iterator[PreflightFault]:
    kind = str(config.get("model_type", ""))
    named = [str(name) for name in config["architectures"]] if isinstance(config.get("architectures"), list) else []
    apart = bool(config.get("is_encoder_decoder"))
    if has_code_of(kind) and any((_ENCODER_DECODER if apart else _DECODER).search(name) for name in named):
        return
    if not loads_as_student(kind, encoder_decoder=apart):  # imports torch: only now
        what = f"{source} is a {', '.join(named) or kind or 'model without a type'}"
        cure = "A student is what AutoModelForCausalLM or AutoModelForSeq2SeqLM of `transformers` loads"
        yield PreflightFault("student.model", what, cure)


def _sampler_faults(config: dict[str, Any], recipe: Recipe) -> Iterator[PreflightFault]:
    """What the back end that `cluster.sampler` names, or takes for this student, cannot do."""
    cluster, apart = recipe.cluster, bool(config.get("is_encoder_decoder"))
    if apart and cluster.sampler == "vllm":
        what = f"{recipe.student.source} is an encoder-decoder ({config.get('model_type')}), which vLLM does not sample"
        yield PreflightFault("cluster.sampler", what, "Set cluster.sampler: auto or transformers")
    elif not apart and cluster.sampler != "transformers":
        yield from _head_faults(config, recipe)
    elif cluster.sampler_gpus > 1:
        what = f"a sampler on `transformers` uses one GPU, not {cluster.sampler_gpus:g}"
        yield PreflightFault("cluster.sampler_gpus", what, "Set 1, and more cluster.samplers")
    if apart and config.get("decoder_start_token_id") is None:
        what = f"the config.json of {recipe.student.source} has no decoder_start_token_id, from which its answers start"
        yield PreflightFault("student.model", what, "Name it there (T5's is its padding token)")


def _head_faults(config: dict[str, Any], recipe: Recipe) -> Iterator[PreflightFault]:
    heads = config.get("num_attention_heads", config.get("n_head"))
    width = config.get("hidden_size", config.get("n_embd"))
    size = config.get("head_dim") or (
        width // heads if isinstance(width, int) and isinstance(heads, int) and heads else 0
    )
    if recipe.cluster.sampler_gpus == 0 and size and size not in CPU_HEAD_SIZES:
        what = f"its attention heads have size {size}, and vLLM on CPU takes {', '.join(map(str, CPU_HEAD_SIZES))}"
        cure = "Set cluster.sampler: transformers, take another student, or GPUs with cluster.sampler_gpus"
        yield PreflightFault("student.model", what, cure)


def _length_faults(config: dict[str, Any], recipe: Recipe) -> Iterator[PreflightFault]:
    longest = config.get("max_position_embeddings", config.get("n_positions"))
    if config.get("is_encoder_decoder"):
        longest = config.get("max_position_embeddings")  # T5's n_positions is no bound: its positions are relative
    if not isinstance(longest, int):
        return
    lengths = {
        "student.max_model_len": recipe.student.max_model_len,
        "student.max_new_tokens": recipe.student.max_new_tokens or answer_limit(recipe.task),
        "learning.first_training.max_tokens": recipe.learning.first_training.max_tokens,
        "learning.training.max_tokens": recipe.learning.training.max_tokens,
    }
    for key, value in lengths.items():
        if value is not None and value > longest:
            yield PreflightFault(
                key, f"{value} tokens are more than the student's {longest} positions", f"Set at most {longest}"
            )
