"""How a student that is exported is asked and decoded elsewhere: as in its run.

Owns: the chat template and the `generation_config.json` of an exported folder, and what is said of them.

Invariants
- A chat elsewhere asks as the student learnt to be asked. The template of the student before teaching stays only where
  it does so by itself.
- Nothing of the student before teaching decides how answers are decoded (repetition penalties, temperatures): its
  exams were greedy. The tokens that begin, end and pad are kept.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pipelines.exchange.asking_template import asking_template, asks_so_by_itself
from reasoning.prompts.student_forms import StudentForm
from reasoning.student.config import read_config
from reasoning.student.loading import load_tokenizer

CHAT_TEMPLATE = "chat_template.jinja"
_MORE_TEMPLATES = "additional_chat_templates"
_DECODING = "generation_config.json"
_KEPT = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "transformers_version")


def ask_as_learnt(folder: Path, form: StudentForm, notes: list[str]) -> str:
    """Has the student in `folder` asked in `form` and decoded as in its exams, whoever loads it. What asks it so in a
    chat: "own" (its template from before), "written" (one that this wrote), or "" (an encoder-decoder has no chats)."""
    decoding = read_config(folder / _DECODING)
    if decoding is not None:
        _write(folder / _DECODING, {key: value for key, value in decoding.items() if key in _KEPT})
    if (read_config(folder / "config.json") or {}).get("is_encoder_decoder"):
        return ""
    tokenizer = load_tokenizer(str(folder))
    if asks_so_by_itself(form, tokenizer):
        return "own"
    template, exact = asking_template(form, tokenizer)
    shutil.rmtree(folder / _MORE_TEMPLATES, ignore_errors=True)
    (folder / CHAT_TEMPLATE).write_text(template, encoding="utf-8")
    if not exact:
        notes.append(
            "A chat elsewhere becomes other tokens than were learnt, though of the same text: ask by completions."
        )
    return "written"


def end_by(folder: Path, end: str | None) -> None:
    """Has the tokenizer in `folder` call `end` the end of sequence, for readers that know one end alone; None: the one
    that it has."""
    file = folder / "tokenizer_config.json"
    config = read_config(file)
    if end is not None and config is not None:
        _write(file, config | {"eos_token": end})


def _write(file: Path, content: dict[str, object]) -> None:
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
