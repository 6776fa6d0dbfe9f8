"""Prompts are files: YAML a person can read and edit, named by a recipe.

Owns: where a prompt is found, its checked content, its id, and the filling of its places.

Invariants
- A prompt's id is its name and a hash of its content: an edited prompt has another id, which travels with every
  rationale that it produced and with the recipe's fingerprint.
- Places are filled in one pass: what is filled in is text, and a place's name inside it stays as it is. Braces that
  enclose no place's name are text too (LaTeX needs no escapes).
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from reasoning.files.resources import resource
from reasoning.files.user_error import UserError
from reasoning.files.yaml_text import read_yaml
from reasoning.records import stable_id

PROMPTS = resource("reasoning.prompts", "library")
Kind = Literal["student", "teacher"]

_PLACE = re.compile(r"\{([a-z_]+)\}")


class PromptError(UserError, ValueError):
    """A prompt that cannot be used. The message names the file, the key, what is wrong and what to do."""


class Message(BaseModel):
    """One chat message with places to fill."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt as read: where from, under which id, and its keys (checked by whoever uses it)."""

    path: Path
    id: str
    keys: Mapping[str, Any]


def read_prompt(name_or_path: str, kind: Kind) -> PromptFile:
    """The prompt that a recipe names: one of `library/<kind>/`, by its name, or a file by its path. Raises
    `PromptError`."""
    path = _find(name_or_path, kind)
    try:
        content = _content(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PromptError(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise PromptError(f"{path}: a prompt is a mapping of keys, this is a {type(content).__name__}")
    return PromptFile(path, f"{path.stem}-{stable_id(content)[:8]}", content)


@functools.lru_cache(maxsize=64)
def _content(text: str) -> object:
    """A run reads the same few prompts again and again, and YAML takes milliseconds."""
    return read_yaml(text)


def checked(file: PromptFile, model: type[BaseModel]) -> Any:
    """`file` as a `model`. Raises `PromptError` naming every wrong key."""
    try:
        return model.model_validate(dict(file.keys))
    except ValidationError as error:
        known = ", ".join(model.model_fields)
        lines = [f"{file.path}: this prompt cannot be used (its keys are {known}):"]
        for fault in error.errors():
            where = ".".join(str(part) for part in fault["loc"]) or "prompt"
            lines.append(f"  {where}: {fault['msg'].removeprefix('Value error, ')}")
        raise PromptError("\n".join(lines)) from error


@functools.lru_cache(maxsize=256)  # each request asks again, of the same few
def places(template: str) -> frozenset[str]:
    """The names of a template's places."""
    return frozenset(_PLACE.findall(template))


def fill(template: str, **values: str) -> str:
    """`template` with every place in `values` filled."""
    return _PLACE.sub(lambda found: values.get(found[1], found[0]), template)


def _find(name_or_path: str, kind: Kind) -> Path:
    built_in = PROMPTS / kind / f"{name_or_path}.yaml"
    if "/" not in name_or_path and built_in.is_file():
        return built_in
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path.resolve()
    raise PromptError(
        f"{kind} prompt {name_or_path!r}: no file at that path and no prompt of that name; {_meant(name_or_path, kind)}"
        f"known are {', '.join(_names(kind))}"
    )


def _meant(name: str, kind: Kind) -> str:
    """What an unknown name may have been meant to be, as the beginning of the next words."""
    other: Kind = "student" if kind == "teacher" else "teacher"
    if name in _names(other):
        return f"{name} is a prompt of the {other}'s; "
    near = difflib.get_close_matches(name.lower().replace("-", "_"), list(_names(kind)), n=1, cutoff=0.7)
    return f"did you mean {near[0]}? " if near else ""


def _names(kind: Kind) -> Iterator[str]:
    return (path.stem for path in sorted((PROMPTS / kind).glob("*.yaml")))
