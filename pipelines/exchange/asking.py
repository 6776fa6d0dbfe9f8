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
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import Refused
from pipelines.exchange.asking_template import asking_template, asks_so_by_itself
from reasoning.files.durable import new_file
from reasoning.prompts.student_forms import StudentForm
from reasoning.student.config import read_config
from reasoning.student.loading import load_config, load_tokenizer
from reasoning.student.requirements import StudentError, readable

CHAT_TEMPLATE = "chat_template.jinja"
_MORE_TEMPLATES = "additional_chat_templates"
_DECODING = "generation_config.json"
_KEPT = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "transformers_version")


@dataclass(frozen=True, slots=True)
class Asking:
    """What asks a student in its form in a chat: its own `template`, from before (None), or one that is written. `chat`
    is False for an encoder-decoder, which has none. `exact`: a chat becomes the tokens that were learnt."""

    chat: bool = True
    template: str | None = None
    exact: bool = True


def asking_of(checkpoint: Path, form: StudentForm) -> Asking:
    """How the student in the folder `checkpoint` is asked in `form` in a chat. Raises `Refused`."""
    try:
        with readable(str(checkpoint)):
            if load_config(str(checkpoint)).is_encoder_decoder:
                return Asking(chat=False)
            tokenizer = load_tokenizer(str(checkpoint))
    except StudentError as error:
        raise Refused(str(error)) from error
    return Asking() if asks_so_by_itself(form, tokenizer) else Asking(True, *asking_template(form, tokenizer))


def ask_as_learnt(folder: Path, asking: Asking) -> None:
    """Has the student in `folder`, a copy, asked so and decoded as in its exams, whoever loads it."""
    decoding = read_config(folder / _DECODING) or {}
    kept = {key: value for key, value in decoding.items() if key in _KEPT}
    _write(folder / _DECODING, kept | {"do_sample": False})  # pipelines of `transformers` draw unless it is said
    if asking.template is not None:
        shutil.rmtree(folder / _MORE_TEMPLATES, ignore_errors=True)
        with new_file(folder / CHAT_TEMPLATE) as part:
            part.write_text(asking.template, encoding="utf-8")


def end_by(folder: Path, end: str | None) -> None:
    """Has the tokenizer in `folder` call `end` the end of sequence, for readers that know one end alone; None: the one
    that it has."""
    file = folder / "tokenizer_config.json"
    config = read_config(file)
    if end is not None and config is not None:
        _write(file, config | {"eos_token": end})


def _write(file: Path, content: dict[str, object]) -> None:
    with new_file(file) as part:  # the one from before may be read-only
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
