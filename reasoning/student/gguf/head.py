"""What a GGUF file says of itself before its weights, and which of them no student can be made of.

Owns: reading a file's head, and each reason to refuse one, with its cure.

Invariants
- No weights are unpacked but a row of each kind of them, which shows that they can be.
- What `transformers` would drop without a word (scaled rotary positions, a way of splitting text that it does not
  know) is refused: the student would compute another function than the one that was published.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasoning.files.gguf import MAGIC, part_number
from reasoning.student.gguf.splitting import splits_text
from reasoning.student.requirements import StudentError

HUGGING_FACE = "Give the model's Hugging Face format (safetensors) instead"
_FETCH = "Fetch the file again"
# Files that belong to a model and are none, by `general.type` or `general.architecture`.
_NO_MODELS = {
    "adapter": ("an adapter (LoRA)", "Merge it into its model (`llama-export-lora`), and give that"),
    "imatrix": ("a matrix of importances, with which others are quantized", "Give the model's own file"),
    "mmproj": ("the vision part of a model", "Give the file of its text part"),
    "clip": ("the vision part of a model", "Give the file of its text part"),
}
# Positions, not weights: their factors are what `transformers` does not read.
POSITIONS = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")


class GgufError(StudentError):
    """A GGUF file that no student is made of: `what` is wrong with it, and the `cure`."""

    def __init__(self, file: Path, what: str, cure: str) -> None:
        super().__init__(f"{file} {what}. {cure}")
        self.what, self.cure = f"{file} {what}", cure


@dataclass(frozen=True)
class GgufHead:
    """`numbers` are how many numbers its weights have, those of an output embedding apart; `add_bos` and `add_eos` say
    what its tokenizer puts around a text (None: nothing is said)."""

    architecture: str
    tokens: tuple[str, ...]
    tokenizer: str
    splitting: str
    bos: int | None
    eos: int | None
    add_bos: bool | None
    add_eos: bool | None
    numbers: int
    output_numbers: int


def read_head(file: Path) -> GgufHead:
    """The head of the GGUF `file`. Raises `GgufError` when no student can be made of it."""
    _require_format(file)
    part = part_number(file.name)
    try:
        from gguf import GGUFReader

        reader = GGUFReader(file)
        said = {name: field.contents() for name, field in reader.fields.items() if name != "tokenizer.ggml.merges"}
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError, OSError) as error:
        if part is not None:
            raise _part(file, *part) from error
        size = file.stat().st_size
        raise GgufError(
            file, f"is cut off or damaged: its {size:,} bytes do not hold what its head says", _FETCH
        ) from error
    parts = said.get("split.count")
    if part is not None or (isinstance(parts, int) and parts > 1):
        number = part[0] if part else int(said.get("split.no", 0)) + 1
        raise _part(file, number, part[1] if part else int(parts or 0))
    _require_model(file, said, reader.tensors)
    _require_kinds(file, reader.tensors)
    _require_positions(file, said, reader.tensors)
    return _told(file, said, reader.tensors)


def _require_format(file: Path) -> None:
    try:
        with file.open("rb") as content:
            begins = content.read(64)
    except OSError as error:
        raise GgufError(file, f"cannot be read ({error.strerror})", "Let this user read it") from error
    if begins.startswith(b"version https://git-lfs"):
        raise GgufError(file, "is a Git LFS pointer, not the file itself", "Fetch it with `git lfs pull`")
    if not begins:
        raise GgufError(file, "is empty", _FETCH)
    if begins[: len(MAGIC)] != MAGIC:
        kind = "a web page" if begins.lstrip().startswith(b"<") else "another kind of file"
        raise GgufError(file, f"is not GGUF but {kind}", _FETCH)
    version = int.from_bytes(begins[4:8], "little")
    if len(begins) >= 8 and version not in (2, 3):
        if int.from_bytes(begins[4:8], "big") in (2, 3):
            raise GgufError(file, "is written for machines of the other byte order", "Give the little-endian file")
        raise GgufError(file, f"is GGUF of version {version}, and 2 and 3 are read", "Convert the model again")


def _part(file: Path, number: int, of: int) -> GgufError:
    first = file.name.replace(f"-{number:05d}-of-", "-00001-of-")
    return GgufError(
        file,
        f"is part {number} of {of} of a model",
        f"Put the parts together (`llama-gguf-split --merge {first} WHOLE.gguf`), and give WHOLE.gguf",
    )


def _require_model(file: Path, said: dict[str, Any], tensors: Iterable[Any]) -> None:
    architecture = said.get("general.architecture")
    for kind in (said.get("general.type"), architecture):
        if kind in _NO_MODELS:
            what, cure = _NO_MODELS[str(kind)]
            raise GgufError(file, f"holds {what}, not a model", cure)
    if not isinstance(architecture, str) or not architecture:
        raise GgufError(file, "names no general.architecture", "Convert the model again, by a newer llama.cpp")
    if not list(tensors):
        raise GgufError(file, "holds a vocabulary alone, and no weights", "Give the model's own file")
    if not said.get("tokenizer.ggml.tokens"):
        raise GgufError(file, "has no tokenizer", "Convert the model again with its tokenizer. " + HUGGING_FACE)


def _require_kinds(file: Path, tensors: Iterable[Any]) -> None:
    """Raises `GgufError` when weights of one kind cannot be unpacked."""
    from gguf import dequantize

    of_kind = {one.tensor_type: one for one in tensors}
    for kind, tensor in of_kind.items():
        try:
            dequantize(tensor.data[:1], kind)
        except NotImplementedError as error:
            cure = "Give the same model as F16, BF16, Q8_0 or Q4_K_M"
            raise GgufError(file, f"has weights of kind {kind.name}, which cannot be unpacked", cure) from error


def _require_positions(file: Path, said: dict[str, Any], tensors: Iterable[Any]) -> None:
    """Raises `GgufError` for scaled rotary positions (Llama 3.1 and later, YaRN, Phi's long ones)."""
    scaling = said.get(f"{said['general.architecture']}.rope.scaling.type", "none")
    factors = [one for one in tensors if one.name in POSITIONS and bool((one.data != 1).any())]
    if factors or (scaling != "none" and said["general.architecture"] != "gpt-oss"):
        how = f"{scaling}, " if scaling != "none" else ""
        name = f"({how}{factors[0].name})" if factors else f"({scaling})"
        raise GgufError(file, f"scales its rotary positions {name}, which is not read from GGUF", HUGGING_FACE)


def _told(file: Path, said: dict[str, Any], tensors: Iterable[Any]) -> GgufHead:
    kind, splitting = str(said.get("tokenizer.ggml.model", "")), str(said.get("tokenizer.ggml.pre", "default"))
    if kind == "gpt2" and not splits_text(splitting):
        raise GgufError(
            file, f"splits text in a way ({splitting}) that is not known here, so it would read other tokens",
            HUGGING_FACE,
        )  # fmt: skip
    weights = [one for one in tensors if one.name not in POSITIONS]
    return GgufHead(
        architecture=str(said["general.architecture"]),
        tokens=tuple(map(str, said["tokenizer.ggml.tokens"])),
        tokenizer=kind,
        splitting=splitting,
        bos=said.get("tokenizer.ggml.bos_token_id"),
        eos=said.get("tokenizer.ggml.eos_token_id"),
        add_bos=said.get("tokenizer.ggml.add_bos_token"),
        add_eos=said.get("tokenizer.ggml.add_eos_token"),
        numbers=sum(int(one.n_elements) for one in weights if one.name != "output.weight"),
        output_numbers=sum(int(one.n_elements) for one in weights if one.name == "output.weight"),
    )
