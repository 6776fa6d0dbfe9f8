"""Students on disk and in memory.

Owns: loading a language model, decoder or encoder-decoder, with its tokenizer from a folder or hub id, the padding
token that one may lack, and saving both as a Hugging Face folder.

Invariants
- Weights are read from and written to safetensors only: nothing is unpickled, and no code of a model's is run.
- Every weight comes from the student's files: one that they lack would be random, and is an error.
- A student that was loaded can be saved: what `transformers` is strict about is written as it was read.
- A student folder appears whole or not at all (`reasoning.files.durable`).
- A new padding token's embedding is the mean of the others (paper A), so it is like no token and far from none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig
from transformers.utils.hub import cached_file

from reasoning.files.durable import new_folder
from reasoning.student.config import read_config
from reasoning.student.loading import load_config, load_model, load_tokenizer

PAD_TOKEN = "<pad>"


class StudentError(ValueError):
    """A student that cannot be loaded or taught. The message names it, what is wrong, and what to do."""


@dataclass(frozen=True, slots=True)
class Student:
    """A `transformers` model, a decoder or an encoder-decoder (T5), and its tokenizer, which has an end-of-sequence
    token and, to be taught, a padding token."""

    model: Any
    tokenizer: Any

    @property
    def is_encoder_decoder(self) -> bool:
        return bool(self.model.config.is_encoder_decoder)


def load_student(source: str, dtype: torch.dtype = torch.float32, *, as_it_is: bool = False) -> Student:
    """Loads the student at `source`, a local folder or a hub id, with weights of `dtype`, on the CPU. With `as_it_is`
    it gets no padding token that it lacks: who only samples computes with the table of embeddings that is there.

    Raises `StudentError` when there is none, when it is neither a decoder nor an encoder-decoder with safetensors
    weights, or when it lacks weights or a token that it needs to start or to stop."""
    folder = Path(source)
    looks_local = folder.is_absolute() or source.startswith((".", "~")) or source.count("/") > 1
    if looks_local and not (folder / "config.json").is_file():
        raise StudentError(f"{source}: no student there (no config.json); give a Hugging Face folder or a hub id")
    with readable(source):
        config = load_config(source)
        tokenizer = load_tokenizer(source)
        model, missing = load_model(source, config, dtype)
    require_all_weights(source, missing)
    require_tokens(source, config, tokenizer)
    require_rows(source, model.get_input_embeddings().weight.shape[0], tokenizer)
    if not as_it_is:
        add_missing_pad_token(model, tokenizer)
    return Student(model, tokenizer)


@contextmanager
def readable(source: str) -> Iterator[None]:
    """Turns what `transformers` raises while it reads `source` into a `StudentError`."""
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError, RuntimeError) as error:
        if isinstance(error, StudentError):
            raise
        raise StudentError(f"{source}: cannot be loaded as a student: {_reason(source, error)}") from error


def _reason(source: str, error: Exception) -> str:
    """What is wrong and what to do, in a sentence each."""
    text = str(error).strip() or type(error).__name__
    if "trust_remote_code" in text:
        return (
            "it needs code of its own (auto_map), and code that comes with a model is never run. Take a student of a "
            "family that transformers has itself, or the same model saved in such a family's form"
        )
    if _decoding_is_invalid(source):
        return f"its generation_config.json is invalid: {text.splitlines()[0]} Remove that value there"
    return (
        f"{text.splitlines()[0]}. It must be a folder in Hugging Face format, or the id of a hub model this machine "
        "can reach, with a tokenizer and safetensors weights"
    )


def _decoding_is_invalid(source: str) -> bool:
    """Whether there is a generation_config.json that `transformers` does not read."""
    try:
        GenerationConfig.from_pretrained(source)
    except OSError:
        return False
    except (ValueError, TypeError, KeyError, AttributeError):
        return True
    return False


def require_all_weights(source: str, missing: Sequence[str]) -> None:
    """Raises `StudentError` when weights are `missing` from the student's files."""
    if missing:
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise StudentError(
            f"{source}: {len(missing)} of its weights are not in its files, or not in the shape that config.json says "
            f"({shown}), and would be random. Fetch the whole model again, config.json included, or save it with the "
            "class that config.json names (a model without its language-model head, a classifier or an adapter cannot "
            "be taught)"
        )


def require_tokens(source: str, config: Any, tokenizer: Any) -> None:
    """Raises `StudentError` when the student has no token to stop with, or an encoder-decoder none to start from."""
    if tokenizer.eos_token_id is None:
        raise StudentError(
            f"{source}: its tokenizer has no end-of-sequence token, so it cannot learn to stop. Name one as eos_token "
            "in its tokenizer_config.json"
        )
    if config.is_encoder_decoder and getattr(config, "decoder_start_token_id", None) is None:
        raise StudentError(
            f"{source}: its config.json names no decoder_start_token_id, the token an encoder-decoder's answers start "
            "from (T5's is its padding token). Name it there"
        )


def require_rows(source: str, rows: int, tokenizer: Any) -> None:
    """Raises `StudentError` when the tokenizer has a token beyond the `rows` of the table of embeddings.

    A token that the library's class adds by itself (Qwen2's `<|endoftext|>`) and the student's files do not have is no
    token of the student's."""
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    beyond = {token for token, row in vocabulary.items() if row >= rows}
    if beyond:
        beyond &= tokens_in_files(source) or beyond
    if beyond:
        needed = max(vocabulary[token] for token in beyond) + 1
        raise StudentError(
            f"{source}: its tokenizer has {len(beyond)} tokens ({', '.join(sorted(beyond)[:3])}) beyond the {rows} "
            "rows of the model's table of embeddings. Take the tokenizer that belongs to these weights, or give the "
            f"model the rows once: model.resize_token_embeddings({needed}), then save_pretrained"
        )


def tokens_in_files(source: str) -> set[str]:
    """The tokens that `tokenizer.json` names; empty where there is no such file, or another form of it."""
    found = cached_file(source, "tokenizer.json", _raise_exceptions_for_missing_entries=False)
    content = (read_config(Path(found)) or {}) if found is not None else {}
    model, added = content.get("model"), content.get("added_tokens")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    named = [one[0] if isinstance(one, list) else one for one in vocabulary or ()]
    return {str(token) for token in named} | {str(one.get("content")) for one in added or () if isinstance(one, dict)}


def add_missing_pad_token(model: Any, tokenizer: Any) -> bool:
    """Gives `tokenizer` a padding token if there is none yet, and `model` the embeddings of tokens that have none, the
    means of the others: of the padding token, and of what the tokenizer's class added (see `require_rows`).

    Returns whether any was added. Both embeddings (input and output, tied or not) get the mean of their own rows."""
    rows = model.get_input_embeddings().weight.shape[0]
    known = max(tokenizer.get_vocab().values(), default=-1) + 1
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


def save_student(model: Any, tokenizer: Any, folder: Path, documents: Mapping[str, str] | None = None) -> None:
    """Writes model and tokenizer to `folder` in Hugging Face format, with `documents` (name to text) beside them.

    Raises `OSError` when the disk does not take them."""
    with new_folder(folder) as part:
        _save_model(model, part)
        tokenizer.save_pretrained(part)
        for name, text in (documents or {}).items():
            (part / name).write_text(text, encoding="utf-8")


def _save_model(model: Any, folder: Path) -> None:
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
        model.save_pretrained(folder, state_dict=_savable(model))
    finally:
        model.generation_config = decoding
    if decoding is not None:
        decoding.to_json_file(folder / "generation_config.json", use_diff=True, keys_to_pop=["compile_config"])


def _savable(model: Any) -> dict[str, Any]:
    """The model's weights as safetensors takes them: contiguous, and apart where they share memory without being
    tied."""
    ties = model.all_tied_weights_keys
    tied = {*ties, *ties.values()}
    seen: set[int] = set()
    weights = {}
    for name, weight in model.state_dict().items():
        whole = weight.contiguous()
        if name not in tied and whole.data_ptr() in seen:
            whole = whole.clone()
        seen.add(whole.data_ptr())
        weights[name] = whole
    return weights
