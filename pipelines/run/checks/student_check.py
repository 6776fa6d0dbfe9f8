"""Whether a student can be loaded, sampled and taught, judged from its configuration and in a trial.

Owns: the checks of a student's configuration against the recipe. Its files are `student_files`', the trial is
`student_trial`'s, and comes last: it is made of a student in which nothing else is wrong.

Invariant: the embedded student, which is known, costs no import of torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.run.checks.gguf_check import gguf_faults
from pipelines.run.checks.student_files import PreflightFault, folder_faults, form_fault
from pipelines.run.checks.student_trial import TrialFailed, try_student
from pipelines.run.checks.student_weights import hub_faults, weights_faults
from pipelines.run.doctor.memory import parameters_at
from reasoning.recipe.tailored import Recipe
from reasoning.student.config import config_file, read_config, text_config
from reasoning.student.loading import sees_alone
from reasoning.student.vllm_internals import known_architectures, lacks_a_library, refused_in_float16
from reasoning.tasks.table import answer_limit
from reasoning.training.transformers_internals import has_code_of, loads_as_student, runs_in_vllm_as_it_is
from reasoning.training.weights.half_precision import bfloat16_pays

# What vLLM's attention and experts on CPU can do; it does not refuse others, it crashes.
CPU_EXPERT_WIDTH = 32
CPU_HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)

_DTYPES = ("bfloat16", "float16", "float32", "float64", "half", "float", "double")
_DECODER = re.compile(r"(?:ForCausalLM|LMHeadModel)$")
_ENCODER_DECODER = re.compile(r"^(?:(?:M|UM|Long)?T5|M?Bart|Pegasus)ForConditionalGeneration$")  # there are others
# What vLLM makes no text with, and what has no head for it.
_NO_TEXT = re.compile(
    r"(?:For(?:Sequence|Token)Classification|ForQuestionAnswering|Reward(?:Model|Modeling)|(?<!Head)(?<!MarianMT)Model)$"
)
_HUB_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")


def student_faults(recipe: Recipe, notes: list[str]) -> Iterator[PreflightFault]:
    """What keeps the recipe's student from being loaded, sampled and taught; what is merely odd is added to `notes`."""
    faults = list(gguf_faults(recipe.student, notes))
    found = _config_of(recipe) if not faults else None
    if isinstance(found, list):
        faults = found
    elif found is not None:
        config, source = text_config(found), recipe.student.source
        faults = [
            *_quantization_faults(config, source),
            *_dtype_faults(config, source),
            *_architecture_faults(found, source),
        ]
        faults = faults or [*_sampler_faults(config, recipe), *_length_faults(config, recipe)]
        notes += _precision_notes(config, recipe)
        faults = faults or _trial_faults(recipe, notes)
    yield from faults


def _config_of(recipe: Recipe) -> dict[str, Any] | list[PreflightFault] | None:
    """The configuration of the recipe's student, or what keeps its files from being a student's. None where
    nothing is wrong and no configuration is to be had."""
    source = recipe.student.source
    folder = Path(source).expanduser()
    if not source.strip():
        return [PreflightFault("student.model", "it is empty", "Give a folder in Hugging Face format, or a hub id")]
    if folder.is_dir():
        faults = list(folder_faults(folder))
        config = None if faults else read_config(folder / "config.json")
        if config is not None:
            faults = list(weights_faults(folder, text_config(config)))
        return faults or config
    if recipe.student.model == "embedded":
        what = f"the embedded student is not at {source}"
        return [PreflightFault("student.model", what, "Restore it from the repository")]
    if folder.is_file():
        return [form_fault(folder.name, f"{source} is a file")]
    if not _HUB_ID.fullmatch(source):
        return [PreflightFault("student.model", f"no folder {source}", _meant(source))]
    found = _hub_config(source)
    if isinstance(found, PreflightFault):
        return [found]
    config = read_config(found)
    return list(hub_faults(source, text_config(config or {}))) or config


def _precision_notes(config: dict[str, Any], recipe: Recipe) -> Iterator[str]:
    cluster = recipe.cluster
    half = bfloat16_pays(parameters_at(recipe.student.source, config))
    if recipe.student.dtype == "auto" and half and not (cluster.sampler_gpus and cluster.trainer_gpus):
        yield (
            "student.dtype: auto computes in bfloat16 on this processor, which has it in hardware; float32 is "
            "exact, and about half as fast."
        )


def _trial_faults(recipe: Recipe, notes: list[str]) -> list[PreflightFault]:
    """What teaching a small copy of the student comes to, in each way of putting adapters into it that is asked for."""
    learning, grow, known = recipe.learning, recipe.student.grow_embeddings, recipe.student.model == "embedded"
    trainings = {str(training.lora): training for training in (learning.first_training, learning.training)}
    for training in trainings.values():
        if known and (training.lora is None or training.lora.targets is None):
            continue
        try:
            note = try_student(recipe.student.source, training, learning.objective, grow=grow)
        except TrialFailed as error:
            return [PreflightFault("student.model", error.what, error.cure)]
        if note and f"student.model: {note}." not in notes:
            notes.append(f"student.model: {note}.")
    return []


def _meant(source: str) -> str:
    """What to write instead of a name that is neither a folder nor a hub id."""
    page = re.match(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co|hf:/)/([\w.-]+/[\w.-]+)", source)
    if page is not None:
        return f"Give the model's id alone: {page[1]}"
    revision = re.fullmatch(r"([\w.-]+/[\w.-]+)@([\w./-]+)", source)
    if revision is not None:
        return (
            f"Fetch that revision (`hf download {revision[1]} --revision {revision[2]} --local-dir DIR`), and give DIR"
        )
    if "://" in source:
        return "Fetch it into a folder that every node sees, and give that"
    if re.fullmatch(r"[\w.-]+(?:/[\w.-]+)?:[\w.-]+", source):
        return "That is a name of Ollama's, whose weights are quantized: give the model's id on the Hugging Face hub"
    return "Give a folder in Hugging Face format, or a hub id"


def _hub_config(source: str) -> Path | PreflightFault:
    try:
        return config_file(source)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        cure = "Check the name and the connection (for a gated model, HF_TOKEN), or give a local folder"
        return PreflightFault(
            "student.model", f"{source} is not a local folder, and the hub does not provide it: {reason}", cure
        )


def _quantization_faults(config: dict[str, Any], source: str) -> Iterator[PreflightFault]:
    for key in ("quantization_config", "compression_config", "quantization"):
        found = config.get(key)
        if isinstance(found, dict) and found:
            kind = found.get("quant_method") or ("MLX" if key == "quantization" else "an unnamed method")
            what = f"{source} is quantized ({kind}), and quantized weights cannot be taught"
            yield PreflightFault("student.model", what, "Give the unquantized model that it was made from")
            return
        if isinstance(found, dict):
            what = f"the config.json of {source} has an empty {key}, with which it does not load"
            yield PreflightFault("student.model", what, "Remove it there")
            return


def _dtype_faults(config: dict[str, Any], source: str) -> Iterator[PreflightFault]:
    """Names that `transformers` does not find among torch's: `bf16`, `auto`, `torch.bfloat16`."""
    for key in ("dtype", "torch_dtype"):
        said = config.get(key)
        if said is not None and said not in _DTYPES:
            what = f"the config.json of {source} has the {key} {json.dumps(said)}, which is none of torch's names"
            yield PreflightFault("student.model", what, f"Write {', '.join(_DTYPES[:2])} or {_DTYPES[2]} there")


def _architecture_faults(config: dict[str, Any], source: str) -> Iterator[PreflightFault]:
    kind = str(config.get("model_type", ""))
    named = [str(name) for name in config["architectures"]] if isinstance(config.get("architectures"), list) else []
    apart = bool(config.get("is_encoder_decoder"))
    if has_code_of(kind) and any((_ENCODER_DECODER if apart else _DECODER).search(name) for name in named):
        return
    if not loads_as_student(kind, encoder_decoder=apart) and (apart or not sees_alone(kind)):  # imports torch: only now
        if not kind:
            what = f"the config.json of {source} names no model_type"
            yield PreflightFault("student.model", what, "Name it there (llama, qwen2, ...), or fetch the file again")
            return
        what = f"{source} is a {', '.join(named) or 'model'} of type {kind}"
        if not has_code_of(kind):
            what += ", which the installed `transformers` does not have: it is newer, or has code of its own"
            yield PreflightFault(
                "student.model", what, "Take a student of a family that `transformers` has (docs/students.md)"
            )
            return
        cure = "A student is a language model: what AutoModelForCausalLM, AutoModelForImageTextToText or "
        cure += "AutoModelForSeq2SeqLM of `transformers` loads"
        yield PreflightFault("student.model", what, cure)
    elif named and all(_NO_TEXT.search(name) for name in named):
        what = f"{source} is a {', '.join(named)}, which makes embeddings, classes or scores and no text"
        cure = (
            "Give the language model that it was made from; where its weights are one's, name that in `architectures`"
        )
        yield PreflightFault("student.model", what, f"{cure} in its config.json (LlamaForCausalLM)")


def _sampler_faults(config: dict[str, Any], recipe: Recipe) -> Iterator[PreflightFault]:
    """What the back end that `cluster.sampler` names, or takes for this student, cannot do."""
    cluster, apart = recipe.cluster, bool(config.get("is_encoder_decoder"))
    if apart and cluster.sampler == "vllm":
        what = f"{recipe.student.source} is an encoder-decoder ({config.get('model_type')}), which vLLM does not sample"
        yield PreflightFault("cluster.sampler", what, "Set cluster.sampler: auto or transformers")
    elif not apart and cluster.sampler != "transformers":
        unknown = _unknown_to_vllm(config)
        if unknown:
            what = f"vLLM does not sample {recipe.student.source}: {unknown}"
            yield PreflightFault("cluster.sampler", what, "Set cluster.sampler: transformers")
        elif recipe.student.dtype == "float16" and config.get("model_type") in refused_in_float16():
            what = f"vLLM does not compute a {config['model_type']} in float16, whose range is too small for it"
            yield PreflightFault("student.dtype", what, "Set bfloat16, or float32 where the GPU has no bfloat16")
        else:
            yield from _cpu_faults(config, recipe)
    elif cluster.sampler_gpus > 1:
        what = f"a sampler on `transformers` uses one GPU, not {cluster.sampler_gpus:g}"
        yield PreflightFault("cluster.sampler_gpus", what, "Set 1, and more cluster.samplers")
    if apart and config.get("decoder_start_token_id") is None:
        what = f"the config.json of {recipe.student.source} has no decoder_start_token_id, from which its answers start"
        yield PreflightFault("student.model", what, "Name it there (T5's is its padding token)")


def _unknown_to_vllm(config: dict[str, Any]) -> str:
    """Why vLLM has no way to run a model of `config`; empty when it has one, or is not installed to be asked."""
    if any(isinstance(config.get(part), dict) for part in ("vision_config", "audio_config")):
        return "it reads images or sound too, and a student that was taught is saved without what vLLM wants for them"
    known, named = known_architectures(), config.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else ""
    if library := lacks_a_library(architecture):
        return f"it needs {library} for that, which is not installed"
    if not known or not architecture or architecture in known or runs_in_vllm_as_it_is(architecture):
        return ""
    return f"it does not know the architecture {architecture}"


def _cpu_faults(config: dict[str, Any], recipe: Recipe) -> Iterator[PreflightFault]:
    """Sizes that vLLM's kernels for CPUs do not take."""
    if recipe.cluster.sampler_gpus:
        return
    cure = "Set cluster.sampler: transformers, take another student, or GPUs with cluster.sampler_gpus"
    experts = config.get("num_local_experts", config.get("num_experts"))
    width = config.get("moe_intermediate_size", config.get("intermediate_size"))
    if isinstance(experts, int) and experts > 1 and isinstance(width, int) and width % CPU_EXPERT_WIDTH:
        what = f"its experts are {width} wide, and vLLM on CPU takes multiples of {CPU_EXPERT_WIDTH}"
        yield PreflightFault("student.model", what, cure)
    heads = config.get("num_attention_heads", config.get("n_head"))
    width = config.get("hidden_size", config.get("n_embd"))
    size = config.get("head_dim") or (
        width // heads if isinstance(width, int) and isinstance(heads, int) and heads else 0
    )
    if size and size not in CPU_HEAD_SIZES:
        what = f"its attention heads have size {size}, and vLLM on CPU takes {', '.join(map(str, CPU_HEAD_SIZES))}"
        yield PreflightFault("student.model", what, cure)


def _length_faults(config: dict[str, Any], recipe: Recipe) -> Iterator[PreflightFault]:
    longest = config.get("max_position_embeddings", config.get("n_positions"))
    if config.get("is_encoder_decoder"):
        longest = config.get("max_position_embeddings")  # T5's n_positions is not a bound: its positions are relative
    if not isinstance(longest, int):
        return
    if longest <= 0:
        what = f"the config.json of {recipe.student.source} gives it {longest} positions"
        yield PreflightFault("student.model", what, "Correct that value there, or fetch the file again")
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
