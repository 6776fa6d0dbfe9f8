"""The formats by name, and which of them a file is.

Owns: the list of formats that import and export know, and the recognition of a file by its shape and, where two formats
share one shape, by its name.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path

from reasoning.exchange.located_json import Node, read_located
from reasoning.files.data_error import DataError
from reasoning.files.json_files import json_lines


class Format(StrEnum):
    """What a file may be. `a-` and `b-` are the two papers'; the last one is this project's own."""

    A_RATIONALES = "a-rationales"
    A_MISTAKES = "a-mistakes"
    B_COMPLETIONS = "b-completions"
    B_FINETUNE = "b-finetune"
    B_PROMPTS = "b-prompts"
    B_DATASET = "b-dataset"
    RECORDED = "recorded"


class ExportFormat(StrEnum):
    """What a run may be written as; alike named, `tailor import` reads it back (but for a student's attempts).
    A model and a dataset are folders for the Hugging Face Hub, an adapter one that PEFT and vLLM read, gguf a file
    for llama.cpp."""

    A_RATIONALES = "a-rationales"
    A_MISTAKES = "a-mistakes"
    B_COMPLETIONS = "b-completions"
    B_ATTEMPTS = "b-attempts"
    B_FINETUNE = "b-finetune"
    B_DATASET = "b-dataset"
    RECORDED = "recorded"
    MODEL = "model"
    DATASET = "dataset"
    ADAPTER = "adapter"
    GGUF = "gguf"


_MISTAKES_NAME = re.compile(r"student|wrong|mistake|\bneg|neg\d", re.IGNORECASE)
_RATIONALES_NAME = re.compile(r"\btrain\b.*\bround\d+\b|rationale|teacher", re.IGNORECASE)


def detect(path: Path, if_paper_a: Format | None = None) -> Format:
    """The format of the file at `path`. A file of paper A's shape is `if_paper_a`, or, without it, what its name says.

    Raises `DataError` for a damaged file, for one of no known shape, and for paper A's shape under a name that does not
    say whether it holds rationales or mistakes."""
    if path.suffix == ".jsonl":
        first = next((line.value() for line in json_lines(path)), None)
        keys = set(first) if isinstance(first, dict) else set()
        if {"prompt", "completion"} <= keys:
            return Format.B_FINETUNE
        if {"question", "rationale", "answer_completion"} <= keys:
            return Format.RECORDED
        raise _unknown(path, keys)
    return _of_object(path, read_located(path, depth=2), if_paper_a)


def _of_object(path: Path, root: Node, if_paper_a: Format | None) -> Format:
    members = dict(root.members or ())
    if {"metadata", "data"} <= members.keys():
        return Format.B_DATASET if members["data"].elements is not None else Format.B_COMPLETIONS
    if {"input", "label"} <= members.keys():
        return Format.B_FINETUNE
    values = list(members.values())
    if values and all(dict(value.members or ()).keys() >= {"prompt"} for value in values):
        return Format.B_PROMPTS
    if values and all(value.elements is not None for value in values):
        if if_paper_a is not None:
            return if_paper_a
        mistakes, rationales = _MISTAKES_NAME.search(path.name), _RATIONALES_NAME.search(path.name)
        if mistakes:
            return Format.A_MISTAKES
        if rationales:
            return Format.A_RATIONALES
        what = "questions with lists of texts, and neither shape nor name says whether rationales or mistakes"
        raise DataError(str(path), what, f"say it: --format {Format.A_RATIONALES} or --format {Format.A_MISTAKES}")
    raise _unknown(path, set(members))


def _unknown(path: Path, keys: set[str]) -> DataError:
    shown = ", ".join(json.dumps(key[:40], ensure_ascii=False) for key in sorted(keys)[:5]) or "nothing"
    names = ", ".join(Format)
    return DataError(str(path), f"its format is not recognized (its keys: {shown})", f"name one with --format: {names}")
