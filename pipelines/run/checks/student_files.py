"""Whether a local student's files are a student's: configuration, tokenizer, and weights in a form that can be taught.

Owns: what a fault is, and the forms of models that cannot be students, each with the way to make a student of it.

Invariant: no weights are loaded, and torch is not imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from reasoning.student.config import read_config

_TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model"),
    *("tekken.json", "spm.model", "source.spm"),
)
_SAVE = "with `AutoModelForCausalLM.from_pretrained(...).save_pretrained(folder)`"

# What a file says of the folder that it is found in, and the cure. The first that fits is told.
_FORMS = (
    (
        "adapter_config.json",
        "holds an adapter (LoRA), not a whole model",
        "Merge it into the model that it was trained on (peft: `merge_and_unload()`, then `save_pretrained`), and give "
        "that folder",
    ),
    (
        "*.gguf",
        "holds GGUF weights, which are for llama.cpp",
        "Give the model in Hugging Face format that they were made from (safetensors)",
    ),
    (
        "*quantize_config.json",
        "holds quantized weights, which cannot be taught",
        "Give the unquantized model that they were made from",
    ),
    (
        "params.json",
        "holds weights in their maker's own format",
        "Give the model's Hugging Face format, a folder with config.json",
    ),
    (
        "model_index.json",
        "holds a pipeline that makes images",
        "A student is a language model; give one",
    ),
    (
        "*.onnx",
        "holds weights for ONNX",
        f"Give the model that they were made from (safetensors), saved {_SAVE}",
    ),
    *(
        (
            pattern,
            "holds weights that are not safetensors, and other forms are not read: pickled ones may run code",
            f"Save the model again, as safetensors, where you trust it: {_SAVE}",
        )
        for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack", "*.npz")
    ),
)


@dataclass(frozen=True)
class PreflightFault:
    """One thing that is wrong: the recipe's key or the file it is at, what it is, and what to do."""

    place: str
    what: str
    cure: str


def folder_faults(folder: Path) -> Iterator[PreflightFault]:
    """What a local student lacks: configuration, tokenizer, weights that can be read."""
    files = sorted(item.name for item in folder.iterdir() if not item.name.startswith("."))
    weights = [folder / name for name in files if name.endswith(".safetensors") and not name.startswith("adapter_")]
    whole = (folder / "config.json").is_file() and weights
    form = _form(files)
    if form is not None and (not whole or "adapter_config.json" in files or "quantize_config.json" in files):
        yield PreflightFault("student.model", f"{folder} {form[0]}", form[1])
        return
    below = _whole_below(folder) if not whole else None
    if below is not None:
        yield PreflightFault("student.model", f"{folder} holds a student one folder below", f"Give {below}")
        return
    if not (folder / "config.json").is_file():
        cure = "Give a folder that `save_pretrained` wrote"
        yield PreflightFault("student.model", f"{folder} has no config.json", cure)
    elif read_config(folder / "config.json") is None:
        yield PreflightFault("student.model", f"{folder / 'config.json'} is not a JSON object", "Save the model again")
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        yield PreflightFault(
            "student.model", f"{folder} has no tokenizer", "Save the tokenizer there with `save_pretrained`"
        )
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


def form_fault(name: str, found: str) -> PreflightFault:
    """What is wrong with a student that is named as one file, `name`."""
    form = _form([name])
    if form is not None:
        return PreflightFault("student.model", f"{found}, and it {form[0]}", form[1])
    return PreflightFault("student.model", found, "Give the folder that holds config.json, tokenizer and weights")


def _form(files: list[str]) -> tuple[str, str] | None:
    """What `files` hold instead of a student, and the cure."""
    for pattern, what, cure in _FORMS:
        if any(fnmatch(name, pattern) and name not in ("training_args.bin", "optimizer.pt") for name in files):
            return what, cure
    return None


def _whole_below(folder: Path) -> Path | None:
    """The one folder right below (a snapshot, a checkpoint) that holds a student."""
    found = [item for item in folder.iterdir() if (item / "config.json").is_file() and any(item.glob("*.safetensors"))]
    return found[0] if len(found) == 1 else None


def _weights_faults(file: Path) -> Iterator[PreflightFault]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        cure = "Fetch it again; a file of a few lines is a Git LFS pointer (`git lfs pull`)"
        yield PreflightFault("student.model", f"{file} ({file.stat().st_size} bytes) cannot be read: {error}", cure)
