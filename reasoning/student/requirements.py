"""What a student must have to be taught, and the sentence that names the cure where it has not.

Owns: `StudentError`, and each requirement on configuration, tokenizer and weights. What is looked at is loaded
elsewhere (`reasoning.student.loading`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reasoning.student.config import folder_of, read_config

# How byte-level, SentencePiece and older BPE vocabularies write a space or the end of a word.
_STORED = ("\u0120", "\u2581", "</w>")
# Words, numbers and white space that tokenizers are known to part in different ways.
_READ = "Hello world, it's 12345 + 3.\n\n  The   end: caf\u00e9 \u65e5\u672c\t(x_1)"


class StudentError(ValueError):
    """A student that cannot be loaded or taught. The message names it, what is wrong, and what to do."""


@contextmanager
def readable(source: str) -> Iterator[None]:
    """Turns what `transformers` raises while it reads `source` into a `StudentError`."""
    try:
        yield
    except StudentError:
        raise
    except Exception as error:  # tokenizers raise `Exception` itself, validated configurations a class of their own
        raise StudentError(f"{source}: cannot be loaded as a student: {_reason(source, error)}") from error


def _reason(source: str, error: Exception) -> str:
    """What is wrong and what to do, in a sentence each."""
    text = " ".join(str(error).split()) or type(error).__name__
    if "trust_remote_code" in text:
        return (
            "it needs code of its own (auto_map), and code that comes with a model is never run. Take a student of a "
            "family that transformers has itself, or the same model saved in such a family's form"
        )
    if _decoding_is_invalid(source):
        return f"its generation_config.json is invalid: {text.rstrip('.')}. Remove that value there"
    if (file := _unreadable(source)) is not None:
        return f"its {file} cannot be read: {text[:300].rstrip('.')}. Correct that there, or fetch the file again"
    return (
        f"{text[:300].rstrip('.')}. It must be a folder in Hugging Face format, or the id of a hub model this machine "
        "can reach, with a tokenizer and safetensors weights"
    )


def _unreadable(source: str) -> str | None:
    """The name of the file at `source` that is no text, or not what its kind has to be; None where each is."""
    from tokenizers import Tokenizer
    from transformers import AutoConfig

    folder = folder_of(source)
    if folder is None:
        return None
    for file in sorted(folder.iterdir()):
        try:
            if file.suffix in (".json", ".jinja", ".txt"):
                content = file.read_text(encoding="utf-8")
                if file.suffix == ".json":
                    json.loads(content)
            if file.name == "tokenizer.json":
                Tokenizer.from_file(str(file))
            elif file.name == "config.json":
                AutoConfig.from_pretrained(folder, trust_remote_code=False)
        except OSError:
            continue
        except Exception:  # noqa: BLE001 (tokenizers raise `Exception` itself, configurations a class of their own)
            return file.name
    return None


def _decoding_is_invalid(source: str) -> bool:
    """Whether there is a generation_config.json that `transformers` does not read."""
    from transformers import GenerationConfig

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
        cure = (
            "Say tie_word_embeddings: true there if one table serves both ends, as in many small models; otherwise "
            "fetch the whole model again"
            if list(missing) == ["lm_head.weight"]
            else "Fetch the whole model again, config.json included, or save it with the class that config.json names "
            "(a model without its language-model head, a classifier or an adapter cannot be taught)"
        )
        raise StudentError(
            f"{source}: {len(missing)} of its weights are not in its files, or not in the shape that config.json says "
            f"({shown}), and would be random. {cure}"
        )


def require_a_place(source: str, left_out: Sequence[str]) -> None:
    """Raises `StudentError` when the student's files have weights that would be `left_out`."""
    if left_out:
        shown = ", ".join(left_out[:3]) + (", ..." if len(left_out) > 3 else "")
        raise StudentError(
            f"{source}: {len(left_out)} of the weights in its files ({shown}) have no place in a model as its "
            "config.json says, and would be left out. Take the config.json that belongs to these weights (its "
            "model_type, attention_bias, mlp_bias), or save the model without them"
        )


def require_tied_as_told(source: str, model: Any) -> None:
    """Raises `StudentError` when `model` has two embeddings where its configuration says that there is one: vLLM goes
    by the configuration, and would compute with another table than the one that is taught."""
    outputs = model.get_output_embeddings()
    apart = outputs is not None and outputs.weight is not model.get_input_embeddings().weight
    if apart and getattr(model.config.get_text_config(decoder=True), "tie_word_embeddings", False):
        raise StudentError(
            f"{source}: its config.json says tie_word_embeddings: true, but its files have an output embedding that "
            "differs from the input one. Say false there, if it was trained so, or remove the one that is too much"
        )


def require_numbers(source: str, model: Any) -> None:
    """Raises `StudentError` when one of the weights is not finite."""
    import torch

    for name, weight in model.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise StudentError(
                f"{source}: {name} holds values that are not finite numbers (NaN, infinity), so it computes none. "
                "Fetch the weights again; where they were merged or converted, do that again in float32"
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


def require_ends(source: str, decoding: Any) -> None:
    """Raises `StudentError` when the model's `decoding` configuration names an end that is no token's number."""
    named = getattr(decoding, "eos_token_id", None)
    for end in named if isinstance(named, list | tuple) else [named]:
        if end is not None and not isinstance(end, int):
            raise StudentError(
                f"{source}: its generation_config.json has the eos_token_id {end!r}, which is not a token's number. "
                "Remove that value there, or give the number"
            )


def require_rows(source: str, rows: int, tokenizer: Any) -> None:
    """Raises `StudentError` when the tokenizer has a token beyond the `rows` of the table of embeddings.

    A token that the library's class adds by itself (Qwen2's `<|endoftext|>`) and the student's files do not have is no
    token of the student's, unless it is to end its answers."""
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    beyond = {token for token, row in vocabulary.items() if row >= rows}
    named = tokens_in_files(source) if beyond else set()
    if named and tokenizer.eos_token in beyond - named:
        raise StudentError(
            f"{source}: its end-of-sequence token {tokenizer.eos_token} is none of the tokens that its tokenizer.json "
            "has, and the model has never seen it. Name one that is there as eos_token in its tokenizer_config.json"
        )
    beyond &= named or beyond
    if beyond:
        raise StudentError(
            f"{source}: its tokenizer has {len(beyond)} tokens ({', '.join(sorted(beyond)[:3])}) beyond the {rows} "
            "rows of the model's table of embeddings. Take the tokenizer that belongs to these weights, or set "
            "student.grow_embeddings: true, which adds rows that training then fills"
        )


def reading_fault(source: str, tokenizer: Any) -> str:
    """How the class of `tokenizer` reads text differently than the student's tokenizer.json does; "" where it does not.

    Some classes (`LlamaTokenizer`) rebuild the steps before the vocabulary as their family has them; a tokenizer of
    another kind that names one (DeepSeek's distilled Llamas) then reads other tokens than the model was trained on.
    Raises `StudentError` where text is lost by that."""
    from tokenizers import Tokenizer
    from transformers.utils.hub import cached_file

    found = cached_file(source, "tokenizer.json", _raise_exceptions_for_missing_entries=False)
    if found is None or not getattr(tokenizer, "is_fast", False):
        return ""
    own = Tokenizer.from_file(str(found))
    own.no_truncation()
    own.no_padding()
    as_trained = own.encode(_READ, add_special_tokens=False).ids
    read = list(tokenizer(_READ, add_special_tokens=False)["input_ids"])
    if read == as_trained:
        return ""
    what = (
        f"its tokenizer_config.json names the class {type(tokenizer).__name__}, which reads text differently from its "
        "tokenizer.json"
    )
    cure = "Write tokenizer_class: PreTrainedTokenizerFast into tokenizer_config.json, in a local copy"
    if tokenizer.decode(read, clean_up_tokenization_spaces=False).strip() != own.decode(as_trained).strip():
        raise StudentError(f"{source}: {what}, and loses some of it. {cure}")
    return f"{source}: {what}. Where that is not meant: {cure[:1].lower()}{cure[1:]}"


def require_decoder(source: str, tokenizer: Any) -> None:
    """Raises `StudentError` when the tokenizer does not know plain words, or gives back the tokens as they are stored,
    and not the text, or its words without the spaces between them."""
    text = "The answer is 42."
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    if tokenizer.unk_token_id in tokens:
        raise StudentError(
            f"{source}: its tokenizer does not know the words of {text!r} ({tokenizer.unk_token}), so no answer could "
            "be read. Give it the vocabulary that belongs to it, best as tokenizer.json"
        )
    back = tokenizer.decode(tokens, skip_special_tokens=True)
    if any(mark in back for mark in _STORED):
        raise StudentError(
            f"{source}: its tokenizer gives back {back[:40]!r} for {text!r}, so no answer could be read. Give its "
            "tokenizer.json the decoder that belongs to it (ByteLevel, Metaspace or BPEDecoder)"
        )
    if len(back.split()) == 1:
        raise StudentError(
            f"{source}: its tokenizer gives back {back[:40]!r} for {text!r}: the spaces are lost, and 4 2 becomes 42. "
            "Give its tokenizer.json the pre-tokenizer that belongs to it (ByteLevel, Metaspace)"
        )


def rows_needed(tokenizer: Any) -> int:
    """How many rows a table of embeddings for all tokens of `tokenizer` has."""
    return int(max(tokenizer.get_vocab().values(), default=-1) + 1)


def tokens_in_files(source: str) -> set[str]:
    """The tokens that `tokenizer.json` names; empty where there is no such file, or another form of it."""
    from transformers.utils.hub import cached_file

    found = cached_file(source, "tokenizer.json", _raise_exceptions_for_missing_entries=False)
    content = (read_config(Path(found)) or {}) if found is not None else {}
    model, added = content.get("model"), content.get("added_tokens")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    named = [one[0] if isinstance(one, list) else one for one in vocabulary or ()]
    return {str(token) for token in named} | {str(one.get("content")) for one in added or () if isinstance(one, dict)}
