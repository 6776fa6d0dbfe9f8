"""Students on disk and in memory.

Owns: loading a language model, decoder or encoder-decoder, with its tokenizer from a folder or hub id, the padding
token that one may lack, and saving both as a Hugging Face folder.

Invariants
- Weights are read from and written to safetensors only: nothing is unpickled, and no code of a model's is run.
- A student folder appears whole or not at all (`reasoning.files.durable`).
- A new padding token's embedding is the mean of the others (paper A), so it is like no token and far from none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from reasoning.files.durable import new_folder

PAD_TOKEN = "<pad>"


class StudentError(ValueError):
    """A student that cannot be loaded or taught. The message names it, what is wrong, and what to do."""


@dataclass(frozen=True, slots=True)
class Student:
    """A `transformers` model, a decoder or an encoder-decoder (T5), and its tokenizer, which has a padding and an
    end-of-sequence token."""

    model: Any
    tokenizer: Any

    @property
    def is_encoder_decoder(self) -> bool:
        return bool(self.model.config.is_encoder_decoder)


def load_student(source: str, dtype: torch.dtype = torch.float32) -> Student:
    """Loads the student at `source`, a local folder or a hub id, with weights of `dtype`, on the CPU.

    Raises `StudentError` when there is none, when it is neither a decoder nor an encoder-decoder with safetensors
    weights, or when it lacks a token that it needs to start or to stop."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    folder = Path(source)
    looks_local = folder.is_absolute() or source.startswith((".", "~")) or source.count("/") > 1
    if looks_local and not (folder / "config.json").is_file():
        raise StudentError(f"{source}: no student there (no config.json); give a Hugging Face folder or a hub id")
    try:
        config = AutoConfig.from_pretrained(source)
        kind = AutoModelForSeq2SeqLM if getattr(config, "is_encoder_decoder", False) else AutoModelForCausalLM
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = kind.from_pretrained(source, config=config, dtype=dtype, use_safetensors=True)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise StudentError(
            f"{source}: cannot be loaded as a student: {reason}. It must be a folder in Hugging Face format, or the id "
            "of a hub model this machine can reach, with a tokenizer and safetensors weights"
        ) from error
    if tokenizer.eos_token_id is None:
        raise StudentError(f"{source}: its tokenizer has no end-of-sequence token, so it cannot learn to stop")
    add_missing_pad_token(model, tokenizer)
    if model.config.is_encoder_decoder and model.config.decoder_start_token_id is None:
        raise StudentError(
            f"{source}: its config.json names no decoder_start_token_id, the token an encoder-decoder's answers start "
            "from (T5's is its padding token); name it there"
        )
    return Student(model, tokenizer)


def add_missing_pad_token(model: Any, tokenizer: Any) -> bool:
    """Gives `tokenizer` a padding token and `model` its embeddings, the means of the others, if there is none yet.

    Returns whether one was added. Both embeddings (input and output, tied or not) get the mean of their own rows."""
    if tokenizer.pad_token_id is not None:
        return False
    others = len(tokenizer)
    tokenizer.add_special_tokens({"pad_token": PAD_TOKEN})
    pad: int = tokenizer.convert_tokens_to_ids(PAD_TOKEN)
    if pad >= model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(pad + 1, mean_resizing=False)
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    tables = [inputs.weight]
    if outputs is not None and outputs.weight is not inputs.weight:
        tables.append(outputs.weight)
    if getattr(outputs, "bias", None) is not None:
        tables.append(outputs.bias)
    used = torch.tensor([row for row in range(max(others, pad + 1)) if row != pad])
    with torch.no_grad():
        for table in tables:
            table[pad] = table[used.to(table.device)].mean(dim=0)
    for config in (model.config, model.generation_config):
        if config is not None:
            config.pad_token_id = pad
    return True


def save_student(model: Any, tokenizer: Any, folder: Path, documents: Mapping[str, str] | None = None) -> None:
    """Writes model and tokenizer to `folder` in Hugging Face format, with `documents` (name to text) beside them."""
    with new_folder(folder) as part:
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
        for name, text in (documents or {}).items():
            (part / name).write_text(text, encoding="utf-8")
