"""Students on disk and in memory.

Owns: loading a language model, decoder or encoder-decoder, with its tokenizer from a folder or hub id, the padding
token that one may lack, and saving both as a Hugging Face folder.

Invariants
- Weights are read from and written to safetensors only: nothing is unpickled, and no code of a model's is run.
- Every weight comes from the student's files: one that they lack would be random, and is an error.
- A student that was loaded can be saved: what `transformers` is strict about is written as it was read.
- A student folder appears whole or not at all (`reasoning.files.durable`), and is a plain one: an adapter is
  merged into the weights, and kept in a folder of its own inside.
- A new padding token's embedding is the mean of the others (paper A), so it is like no token and far from none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from reasoning.files.durable import new_folder
from reasoning.student.loading import load_config, load_model, load_tokenizer
from reasoning.student.requirements import (
    StudentError,
    readable,
    require_all_weights,
    require_ends,
    require_rows,
    require_tokens,
    rows_needed,
)
from reasoning.training.weights.merging import ADAPTER_FOLDER, SavedWeights, has_adapter, save_adapter, saved_weights

PAD_TOKEN = "<pad>"


@dataclass(frozen=True, slots=True)
class Student:
    """A `transformers` model, a decoder or an encoder-decoder (T5), and its tokenizer, which has an end-of-sequence
    token and, to be taught, a padding token."""

    model: Any
    tokenizer: Any

    @property
    def is_encoder_decoder(self) -> bool:
        return bool(self.model.config.is_encoder_decoder)


def load_student(
    source: str, dtype: torch.dtype = torch.float32, *, as_it_is: bool = False, grow: bool = False
) -> Student:
    """Loads the student at `source`, a local folder or a hub id, with weights of `dtype`, on the CPU. With `as_it_is`
    it gets no padding token that it lacks: who only samples computes with the table of embeddings that is there. With
    `grow` that table gets rows for the tokens that have none, otherwise they are an error.

    Raises `StudentError` when there is none, when it is neither a decoder nor an encoder-decoder with safetensors
    weights, or when it lacks weights or a token that it needs to start or to stop."""
    folder = Path(source)
    looks_local = folder.is_absolute() or source.startswith((".", "~")) or source.count("/") > 1
    if looks_local and not (folder / "config.json").is_file():
        raise StudentError(f"{source}: no student there (no config.json); give a Hugging Face folder or a hub id")
    with readable(source):
        config = load_config(source)
        tokenizer = load_tokenizer(source)
        model, missing, _ = load_model(source, config, dtype)
    require_all_weights(source, missing)
    require_tokens(source, config, tokenizer)
    require_ends(source, model.generation_config)
    if not grow:
        require_rows(source, model.get_input_embeddings().weight.shape[0], tokenizer)
    if not as_it_is:
        add_missing_pad_token(model, tokenizer)
    return Student(model, tokenizer)


def add_missing_pad_token(model: Any, tokenizer: Any) -> bool:
    """Gives `tokenizer` a padding token if there is none yet, and `model` the embeddings of tokens that have none, the
    means of the others: of the padding token, and of what the tokenizer's class added (see `require_rows`).

    Returns whether any was added. Both embeddings (input and output, tied or not) get the mean of their own rows."""
    rows = model.get_input_embeddings().weight.shape[0]
    known = rows_needed(tokenizer)
    lacks_pad = tokenizer.pad_token_id is None
    if not lacks_pad and known <= rows:
        return False
    if lacks_pad:
        tokenizer.add_special_tokens({"pad_token": PAD_TOKEN})
    pad: int = tokenizer.pad_token_id
    if max(known, pad + 1) > rows:
        model.resize_token_embeddings(max(known, pad + 1), mean_resizing=False)
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    tables = [inputs.weight]
    if outputs is not None and outputs.weight is not inputs.weight:
        tables.append(outputs.weight)
    if getattr(outputs, "bias", None) is not None:
        tables.append(outputs.bias)
    new = {*range(rows, max(known, pad + 1)), *([pad] if lacks_pad else [])}
    used = torch.tensor([row for row in range(min(known, rows)) if row not in new])
    with torch.no_grad():
        for table in tables:
            table[sorted(new)] = table[used.to(table.device)].mean(dim=0)
    for config in (model.config, model.generation_config):
        if config is not None and lacks_pad:
            config.pad_token_id = pad
    return True


def save_student(
    model: Any,
    tokenizer: Any,
    folder: Path,
    documents: Mapping[str, str] | None = None,
    whole: SavedWeights | None = None,
) -> None:
    """Writes model and tokenizer to `folder` in Hugging Face format, with `documents` (name to text) beside them. The
    adapter that a model has is merged into what is written, and is in `adapter/` there. `whole`: the weights of a model
    that is divided among workers.

    Raises `OSError` when the disk does not take them."""
    saved = whole or saved_weights(model)
    with new_folder(folder) as part:
        _save_model(model, part, saved)
        tokenizer.save_pretrained(part)
        if has_adapter(model):
            save_adapter(model, part / ADAPTER_FOLDER, saved.adapter)
        for name, text in (documents or {}).items():
            (part / name).write_text(text, encoding="utf-8")


def _save_model(model: Any, folder: Path, saved: SavedWeights) -> None:
    """`save_pretrained`, with the model's opinion on decoding as it was read. `transformers` loads values that
    contradict each other (a temperature without sampling, beams' settings without beams), as many published models have
    them, but refuses to save them; nothing here decodes by them."""
    decoding, dtype = model.generation_config, str(model.dtype).removeprefix("torch.")
    for name in getattr(model.config, "sub_configs", {}):
        part = getattr(model.config, name, None)
        if part is not None and part.dtype is not None:
            part.dtype = dtype  # `save_pretrained` notes the new one of the whole only
    try:
        if decoding is not None:
            model.generation_config = GenerationConfig()
        model.save_pretrained(folder, state_dict=_savable(model, saved))
    finally:
        model.generation_config = decoding
    if decoding is not None:
        decoding.to_json_file(folder / "generation_config.json", use_diff=True, keys_to_pop=["compile_config"])


def _savable(model: Any, saved: SavedWeights) -> dict[str, Any]:
    """The model's weights as safetensors takes them: contiguous, and apart where they share memory without being
    tied."""
    ties = model.all_tied_weights_keys
    tied = {*ties, *ties.values()}
    seen: set[int] = set()
    weights = {}
    for name, weight in saved.weights.items():
        whole = weight.contiguous()
        if name not in tied and whole.data_ptr() in seen:
            whole = whole.clone()
        seen.add(whole.data_ptr())
        weights[name] = whole
    return weights
