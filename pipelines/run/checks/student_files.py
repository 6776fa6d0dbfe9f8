"""Whether a local student's files are a student's: configuration, tokenizer, and weights in a form that can be taught.

Owns: what a fault is, and the forms of models that cannot be students, each with the way to make a student of it.

Invariant: no weights are loaded, and torch is not imported. (What the files of weights hold is `student_weights`'.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from reasoning.student.config import WEIGHTS_INDEX, indexed_files, read_config, weights_files

_TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model"),
    *("tekken.json", "spm.model", "source.spm"),
)
_SAVE = "with `AutoModelForCausalLM.from_pretrained(...).save_pretrained(folder)`"

_JSON = (
    *("config.json", "generation_config.json", WEIGHTS_INDEX, "tokenizer.json", "tokenizer_config.json"),
    *("special_tokens_map.json", "added_tokens.json"),
)

# What makes of a whole student's folder something else.
APART = ("adapter_config.json", "modules.json", "quantize_config.json")

_READ = (".json", ".safetensors", ".model", ".txt", ".jinja")  # what ends so is read

# What a file says of the folder that it is found in, and the cure. The first that fits is told.
_FORMS = (
    (
        "adapter_config.json",
        "holds an adapter (LoRA), not a whole model",
        "Merge it into the model that it was trained on (peft: `merge_and_unload()`, then `save_pretrained`), and give "
        "that folder",
    ),
    (
        "modules.json",
        "holds a model that makes embeddings (Sentence Transformers) and writes no text",
        "A student is a language model; give the one that it was made from",
    ),
    (
        "*.gguf",
        "holds GGUF weights, of which a student is made one file at a time",
        "Give the path of one such file on this machine (student.model: DIR/NAME.gguf), best the least quantized (F16, "
        "Q8_0), or the model in Hugging Face format that they were made from (safetensors)",
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
        "zero_to_fp32.py",
        "holds a checkpoint of DeepSpeed, whose weights lie in parts",
        "Put them together with the script beside them (`python zero_to_fp32.py . OUT --safe_serialization`), and give "
        "OUT with config.json and tokenizer",
    ),
    (
        "pytorch_model_fsdp*",
        "holds a checkpoint of FSDP, whose weights lie in parts",
        "Put them together with `accelerate merge-weights`, and give that folder with config.json and tokenizer",
    ),
    (
        "*.distcp",
        "holds a distributed checkpoint, whose weights lie in parts",
        "Put them together with `accelerate merge-weights`, and give that folder with config.json and tokenizer",
    ),
    (
        "*.incomplete",
        "holds a download that was broken off",
        "Fetch the model again; what is there already is kept",
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
    names = sorted(item.name for item in folder.iterdir() if not item.name.startswith("."))
    lost = [name for name in names if name.endswith(_READ) and not (folder / name).exists()]
    if lost:
        what = f"{folder / lost[0]} is a link to a file that is not there"
        yield PreflightFault("student.model", what, "Copy the folder with what its links point to (cp -rL)")
        return
    pointers = [name for name in names if name.endswith(_READ) and _is_pointer(folder / name)]
    if pointers:
        what = f"{folder / pointers[0]} is a Git LFS pointer, not the file itself"
        yield PreflightFault("student.model", what, "Fetch it again with `git lfs pull`")
        return
    weights = weights_files(folder)
    whole = (folder / "config.json").is_file() and weights
    form = other_form(names)
    if form is not None and (not whole or not {*APART}.isdisjoint(names)):
        yield PreflightFault("student.model", f"{folder} {form[0]}", form[1])
        return
    below = _students_below(folder) if not whole else []
    if below:
        many = (
            "a student one folder below" if len(below) == 1 else f"{len(below)} students, each in a folder of its own"
        )
        what = f"{folder} holds {many}"
        yield PreflightFault("student.model", what, f"Give {below[-1]}")
        return
    broken = [name for name in _JSON if (folder / name).is_file() and read_config(folder / name) is None]
    for name in broken:
        cure = "Fetch it again, as UTF-8 without comments; a file of a few lines is a Git LFS pointer (`git lfs pull`)"
        yield PreflightFault("student.model", f"{folder / name} is not a JSON object", cure)
    if not (folder / "config.json").is_file():
        cure = "Give a folder that `save_pretrained` wrote"
        yield PreflightFault("student.model", f"{folder} has no config.json", cure)
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        yield PreflightFault(
            "student.model", f"{folder} has no tokenizer", "Save the tokenizer there with `save_pretrained`"
        )
    absent = [name for name in weights if not (folder / name).is_file()]
    if absent:
        cure = "Fetch the rest of the model, or save it there again with `save_pretrained`"
        yield PreflightFault("student.model", f"{folder} has no {absent[0]}", cure)
    elif not weights and WEIGHTS_INDEX not in broken:
        yield _no_weights(folder, names)
    elif weights != ["model.safetensors"] and _lacks_metadata(folder):
        what = f"{folder / WEIGHTS_INDEX} has no `metadata`, without which it is not read"
        yield PreflightFault("student.model", what, 'Write "metadata": {} there, beside weight_map')
    elif others := _read_by_vllm_alone(folder, weights, names):
        what = f"{folder} has {weights[0]}, and beside it {', '.join(others[:3])}, which vLLM reads too"
        yield PreflightFault("student.model", what, "Leave there what is the student's, and move the rest elsewhere")


def _lacks_metadata(folder: Path) -> bool:
    """Whether the index in `folder` is without what `transformers` looks for in one."""
    return not isinstance((read_config(folder / WEIGHTS_INDEX) or {"metadata": {}}).get("metadata"), dict)


def _is_pointer(file: Path) -> bool:
    """Whether Git LFS left `file` as a few lines that name the one which is meant."""
    if not file.is_file() or file.stat().st_size > 1024:
        return False
    return file.read_bytes().startswith(b"version https://git-lfs")


def _read_by_vllm_alone(folder: Path, weights: list[str], names: list[str]) -> list[str]:
    """Weights that vLLM reads, and `transformers`, which takes the one file before an index, does not."""
    if weights != ["model.safetensors"]:
        return []
    there = [name for name in names if name.endswith(".safetensors") and not name.startswith("consolidated")]
    return [name for name in indexed_files(folder) or there if name not in weights]


def _no_weights(folder: Path, names: list[str]) -> PreflightFault:
    """What there is where `model.safetensors`, or its index and its parts, should be."""
    others = [name for name in names if name.endswith(".safetensors")]
    if any(re.search(r"-\d+-of-\d+\.safetensors$", name) for name in others):
        return PreflightFault(
            "student.model",
            f"{folder} has parts of weights ({others[0]}) without {WEIGHTS_INDEX}",
            "Fetch that file too",
        )
    if others:
        what = f"{folder} has its weights under other names ({', '.join(others[:3])}), which are not looked for"
        return PreflightFault("student.model", what, "Rename the one that you want to model.safetensors")
    return PreflightFault(
        "student.model",
        f"{folder} has no weights (*.safetensors)",
        "Save the model there with `save_pretrained(safe_serialization=True)`",
    )


def form_fault(name: str, found: str) -> PreflightFault:
    """What is wrong with a student that is named as one file, `name`."""
    form = other_form([name])
    if form is not None:
        return PreflightFault("student.model", f"{found}, and it {form[0]}", form[1])
    return PreflightFault("student.model", found, "Give the folder that holds config.json, tokenizer and weights")


def other_form(files: list[str]) -> tuple[str, str] | None:
    """What `files` hold instead of a student, and the cure."""
    for pattern, what, cure in _FORMS:
        if any(fnmatch(name, pattern) and name not in ("training_args.bin", "optimizer.pt") for name in files):
            return what, cure
    return None


def _students_below(folder: Path) -> list[Path]:
    """The folders right below that hold a student (snapshots, checkpoints), the latest last."""
    above = folder / "snapshots" if (folder / "snapshots").is_dir() else folder  # of a hub's cache
    found = [item for item in above.iterdir() if (item / "config.json").is_file() and weights_files(item)]
    return sorted(found, key=lambda item: ([int(part) for part in re.findall(r"\d+", item.name)], item.name))
