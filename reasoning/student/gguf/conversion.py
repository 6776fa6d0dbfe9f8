"""A student in Hugging Face format, made once of a GGUF file.

Owns: unpacking the weights, and putting them beside their tokenizer into a folder.

Invariants
- The folder appears whole or not at all, and is made once: of two processes that want it the second waits, and finds
  it; what a killed one left is removed.
- Weights are kept in float32, whatever the student computes in: off bfloat16's grid the small steps of a training
  survive rounding to it on the average. (Of one step of SmolLM2-135M at 2e-4 from weights on that grid 72 % of the
  updates were lost, and its log-probabilities moved by up to 1.6 nats when rounded; from float32 weights by 0.2.)
- All of the file's weights are the student's, and all of the student's are in the file.
- Nothing but the GGUF file is read: what lies beside it has no part in the student.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reasoning.student.gguf.head import HUGGING_FACE, GgufError, GgufHead, read_head
from reasoning.student.gguf.tokenizer import tokenizer_of
from reasoning.student.loading import load_config, load_model, new_model
from reasoning.student.requirements import require_rows


def make_student(file: Path, folder: Path) -> bool:
    """Makes the student of the GGUF `file` into `folder`, where it is not there yet. Returns whether it was made now.

    Raises `GgufError` when no student can be made of the file, `OSError` when the disk does not take it."""
    if is_made(folder):
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if is_made(folder):
            return False
        for left in folder.parent.glob(f".{folder.name}.*.part"):
            shutil.rmtree(left, ignore_errors=True)
        head = read_head(file)
        with tempfile.TemporaryDirectory() as place:
            link = Path(place) / "model.gguf"
            link.symlink_to(file.absolute())
            _convert(file, str(link), head, folder)
    return True


def is_made(folder: Path) -> bool:
    """Whether the student is in `folder`, which appears whole."""
    return (folder / "config.json").is_file()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time, as long as the others are on this machine; elsewhere the last one's folder stays."""
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _convert(file: Path, link: str, head: GgufHead, folder: Path) -> None:
    import torch

    from reasoning.student.checkpoint import save_student

    beside = str(Path(link).parent)
    with _readable(file, head):
        config = load_config(beside, gguf_file=link)
        model, missing, _ = load_model(beside, config, torch.float32, gguf_file=link)
        tokenizer = tokenizer_of(link, file, head)
    if missing:
        cure = "Convert the model again, by a newer llama.cpp"
        raise GgufError(file, f"has no weights for {len(missing)} of its parts ({', '.join(missing[:3])})", cure)
    _require_all(file, head, model)
    require_rows(str(file), model.get_input_embeddings().weight.shape[0], tokenizer)
    made = {"file": file.name, "bytes": file.stat().st_size, "architecture": head.architecture}
    save_student(_without_gguf(model), tokenizer, folder, {"made_of_gguf.json": json.dumps(made, indent=2) + "\n"})


@contextmanager
def _readable(file: Path, head: GgufHead) -> Iterator[None]:
    """What `transformers` raises as a `GgufError`."""
    try:
        yield
    except GgufError:
        raise
    except Exception as error:  # tokenizers raise `Exception` itself, validated configurations a class of their own
        reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
        what = f"is a model of architecture {head.architecture} that is not read from GGUF: {reason}"
        raise GgufError(file, what, HUGGING_FACE) from error


def _require_all(file: Path, head: GgufHead, model: Any) -> None:
    """Raises `GgufError` when the file has weights that the student has no place for: they would be left out."""
    there = sum(weight.numel() for weight in model.parameters())
    tied = model.get_output_embeddings() is None or (
        model.get_output_embeddings().weight is model.get_input_embeddings().weight
    )
    in_file = head.numbers + (0 if tied else head.output_numbers)
    if there != in_file:
        what = f"has {in_file:,} numbers in its weights, and {head.architecture} as it is read from GGUF {there:,}"
        raise GgufError(file, f"{what}: some would be left out", HUGGING_FACE)


def _without_gguf(model: Any) -> Any:
    """The same model as if it had never been GGUF: `transformers` does not save one that it calls quantized, though its
    weights are plain numbers by now."""
    import torch

    config = model.config
    for name in ("quantization_config", "_model_name_or_path"):
        if hasattr(config, name):
            delattr(config, name)
    with torch.device("meta"):
        plain = new_model(config)
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = model.generation_config
    return plain
