"""Worked examples that stand in a few-shot prompt.

Owns: their file, and the text they make.

Source: few-shot demonstrations of paper A (2310.13332), which both training and inference see, and few-shot chain of
thought (Wei et al., 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from reasoning.files.yaml_text import read_yaml
from reasoning.prompts.files import PromptError, fill


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    rationale: str = ""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A question answered as the student or teacher should answer."""

    question: str
    rationale: str
    answer: str


def read_demonstrations(path: Path) -> tuple[Demonstration, ...]:
    """The demonstrations of a YAML (or JSON) list of `question`, `rationale` and `answer`. Raises `PromptError`."""
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
        entries = TypeAdapter(list[_Entry]).validate_python(content)
    except FileNotFoundError as error:
        raise PromptError(f"{path}: no such file of demonstrations") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PromptError(f"{path}: cannot be read as YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PromptError(
            f"{path}: {where}: {first['msg']}; a demonstration has question, rationale and answer, each a text"
        ) from error
    return tuple(Demonstration(entry.question, entry.rationale, entry.answer) for entry in entries)


def shown(demonstrations: tuple[Demonstration, ...], template: str) -> str:
    """The demonstrations one after another, each in `template`'s places {question}, {rationale} and {answer}."""
    return "".join(
        fill(template, question=one.question.strip(), rationale=one.rationale.strip(), answer=one.answer.strip())
        for one in demonstrations
    )


def few_shot(origin: Path, template: str | None, file: Path | None) -> str:
    """What a prompt file at `origin` shows of `file` (None: nothing) in its `template` of an example. Raises
    `PromptError`, also when it has no template."""
    if file is None:
        return ""
    if template is None:
        raise PromptError(f"{origin}: it has no `demonstration`, the form of an example, so it can show none")
    return shown(read_demonstrations(file), template)
