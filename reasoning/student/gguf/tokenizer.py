"""The tokenizer of a GGUF file, mended where `transformers` loses a part of it, and proven against the file's table.

Owns: what is put around a text (BOS, EOS), how text is split, and the proof that each token has its own number.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from reasoning.student.gguf.head import HUGGING_FACE, GgufError, GgufHead
from reasoning.student.gguf.splitting import set_splitting
from reasoning.student.loading import load_tokenizer

_NAMES = ("bos_token", "eos_token", "unk_token", "pad_token")


def tokenizer_of(folder: str, file: Path, head: GgufHead) -> Any:
    """The tokenizer of `file`, a link to which is `folder`'s only file: as it comes back from the disk.

    Raises `GgufError` when it does not give each token the number that the file's table gives it."""
    from transformers import PreTrainedTokenizerFast

    read = load_tokenizer(str(Path(folder).parent), gguf_file=folder)
    backend = _without_others(read.backend_tokenizer, head)
    if head.tokenizer == "gpt2":
        set_splitting(backend, head.splitting)
    frame = _frame(read, head)
    if frame is not None:
        backend.post_processor = frame
    # By its parts: a class of a family would build them anew as it thinks right, when it is loaded again.
    whole = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        clean_up_tokenization_spaces=False,
        **{name: token for name in _NAMES if (token := getattr(read, name)) in head.tokens},
    )
    whole.chat_template = read.chat_template
    with tempfile.TemporaryDirectory() as saved:
        whole.save_pretrained(saved)
        again = load_tokenizer(saved)
    _require_numbers(file, head, again)
    return again


def _without_others(backend: Any, head: GgufHead) -> Any:
    """`backend` without tokens that a class added by itself (GPT-2's `<|endoftext|>`): they have no embedding."""
    from tokenizers import Tokenizer

    parts = json.loads(backend.to_str())
    parts["added_tokens"] = [one for one in parts["added_tokens"] if one["id"] < len(head.tokens)]
    return Tokenizer.from_str(json.dumps(parts))


def _frame(read: Any, head: GgufHead) -> Any:
    """What puts BOS and EOS around a text as the file says; None where that is done already."""
    from tokenizers import processors

    wants_bos = head.tokenizer == "llama" if head.add_bos is None else head.add_bos
    wants_eos = head.tokenizer == "t5" if head.add_eos is None else head.add_eos
    bos, eos = head.bos if wants_bos else None, head.eos if wants_eos else None
    ids = list(read("a")["input_ids"])
    bare = list(read("a", add_special_tokens=False)["input_ids"])
    wanted = [*([bos] if bos is not None else []), *bare, *([eos] if eos is not None else [])]
    if ids == wanted:
        return None
    before = [(head.tokens[bos], bos)] if bos is not None else []
    after = [(head.tokens[eos], eos)] if eos is not None else []
    single = " ".join([*(token for token, _ in before), "$A", *(token for token, _ in after)])
    pair = " ".join([single, single.replace("$A", "$B")])
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=[*before, *after])


def _require_numbers(file: Path, head: GgufHead, tokenizer: Any) -> None:
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    there = set(vocabulary.values())
    for number, token in enumerate(head.tokens):
        # Some spellings differ between the two (spaces, blanks of T5), but no number may be another token's.
        found = vocabulary.get(token, number)
        if (found != number and head.tokens[found] != token) or number not in there:
            what = f"has a tokenizer that is not read as it is: its token {number} ({token!r}) is "
            raise GgufError(file, what + (f"read as {found}" if found != number else "lost"), HUGGING_FACE)
    for name, said in (("bos", head.bos), ("eos", head.eos)):
        known = getattr(tokenizer, f"{name}_token_id")
        if said is not None and known != said:
            raise GgufError(file, f"has {said} as its {name} token, and its tokenizer {known}", HUGGING_FACE)
    if head.eos is None:
        cure = "Convert the model again with the end-of-sequence token that its tokenizer_config.json names"
        raise GgufError(file, "names no end-of-sequence token, so a student of it cannot learn to stop", cure)
