"""The reference of recipes as Markdown: every key of both kinds, with what it may hold, its default and its meaning.

Owns: how a type, a bound and a default are written for a reader. `pipelines.recipe.reference` writes the page.

Invariants
- All of it is read from the models: a key is explained where it is declared, by its `description`, and nowhere else.
- A section that stands in several places is explained at the first; one that is much like another lists what differs.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe
from reasoning.recipe.keys import SectionAt, is_list, section_in, sections
from reasoning.recipe.tailored import Recipe

ALIKE = 4  # a section that shares so many keys with another one is told by what differs

_INTRODUCTION = """# Recipes: every key

A run is one recipe, a YAML file. `tailor init my-task.yaml --data questions.jsonl` writes one for your own data; those
in `recipes/` run as they are. Every key may be left out, unless it says "required". A key that is unknown or a value
that is impossible is refused before anything starts; one that changes nothing, since another key leaves it without
work, is told. `${DATA}` in a recipe stands for the folder that `--data` or `TAILOR_DATA` names.
Paths count from the folder where `tailor` is started. Paper A is
[Tailored Learning](https://arxiv.org/abs/2310.13332), paper B [Fine-tune-CoT](https://arxiv.org/abs/2212.10071).

This page is written by `make docs` from `reasoning/recipe/`; change the descriptions there.
"""

_TYPES = {int: "whole number", float: "number", bool: "true or false", str: "text"}


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    holds: str
    default: str
    meaning: str

    def markdown(self) -> str:
        cells = (f"`{self.name}`", self.holds, self.default, self.meaning)
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


@dataclass(slots=True)
class _Page:
    """What has been explained so far: each section's heading and rows."""

    headings: dict[type[BaseModel], str] = field(default_factory=dict)
    rows: dict[type[BaseModel], dict[str, _Row]] = field(default_factory=dict)

    def link(self, model: type[BaseModel]) -> str:
        heading = self.headings[model]
        anchor = re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
        return f"[{heading}](#{anchor})"


def reference() -> str:
    """The whole page."""
    page = _Page()
    tailored = _kind(page, Recipe, "Tailored learning", "`tailor run`", "")
    cot = _kind(page, FineTuneCotRecipe, "Fine-tune-CoT", "`tailor fine-tune-cot`", "Fine-tune-CoT: ")
    return "\n".join([_INTRODUCTION, *tailored, *cot])


def meaning(model: type[BaseModel], name: str) -> str:
    """What the key `name` of `model` is for: its own description, or that of the section it holds."""
    info = model.model_fields[name]
    section = section_in(info.annotation)
    return info.description or (_docstring(section)[0] if section else "")


def _kind(page: _Page, kind: type[BaseModel], title: str, command: str, prefix: str) -> Iterator[str]:
    places: dict[type[BaseModel], list[SectionAt]] = {}
    for section in sections(kind):
        places.setdefault(section.model, []).append(section)
    new = {model: found for model, found in places.items() if model not in page.headings}
    for model, found in new.items():
        page.headings[model] = f"{prefix}`{found[0].path}`" if found[0].path else f"{title}: the recipe itself"
    yield f"## {title}\n\nThe recipe of {command}.\n"
    for model, found in new.items():
        yield from _section(page, model, found)


def _section(page: _Page, model: type[BaseModel], found: list[SectionAt]) -> Iterator[str]:
    rows = {name: _row(page, model, name) for name in model.model_fields}
    alike, shared = _most_alike(page, rows)
    page.rows[model] = rows
    yield f"### {page.headings[model]}\n"
    if found[0].path:
        yield f"{' '.join(_docstring(model))}\n"
    if len(found) > 1:
        yield f"The same keys stand at {', '.join(f'`{place.path}`' for place in found[1:])}.\n"
    if alike is not None:
        missing = [f"`{name}`" for name in page.rows[alike] if name not in rows]
        without = f", without {', '.join(missing)}" if missing else ""
        same = ", ".join(f"`{name}`" for name in shared)
        yield f"As in {page.link(alike)}{without}: {same}.\n"
        rows = {name: row for name, row in rows.items() if name not in shared}
    if rows:
        yield "| key | type | default | meaning |\n|---|---|---|---|"
        yield from (row.markdown() for row in rows.values())
        yield ""


def _most_alike(page: _Page, rows: dict[str, _Row]) -> tuple[type[BaseModel] | None, list[str]]:
    """The section explained before that shares most keys, and which those are."""
    shared = {model: [n for n in rows if others.get(n) == rows[n]] for model, others in page.rows.items()}
    best = max(shared, key=lambda model: len(shared[model]), default=None)
    return (best, shared[best]) if best is not None and len(shared[best]) >= ALIKE else (None, [])


def _docstring(model: type[BaseModel]) -> list[str]:
    """A section's docstring as paragraphs, each one line."""
    return [" ".join(part.split()) for part in inspect.cleandoc(model.__doc__ or "").split("\n\n")]


def _row(page: _Page, model: type[BaseModel], name: str) -> _Row:
    info = model.model_fields[name]
    section = section_in(info.annotation)
    if section is not None:
        link = f"list, each with the keys of {page.link(section)}" if is_list(info.annotation) else page.link(section)
        default = "null" if info.default is None else "empty" if is_list(info.annotation) else "its own"
        return _Row(name, link, default, meaning(model, name))
    return _Row(name, _holds(info), _default(info), meaning(model, name))


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if value == "" or value == {}:
        return "empty"
    value = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(
        value if isinstance(value, float | int | list | dict | None) else str(value), default_flow_style=True
    )
    return f"`{text.removesuffix(chr(10)).removesuffix('...').strip()}`"


# What a key may hold ------------------------------------------------------------------------------------------------


def _holds(info: FieldInfo) -> str:
    return _bounded(_type(info.annotation), info.metadata)


def _type(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [bound for extra in parts[1:] for bound in getattr(extra, "metadata", [])]
        return _bounded(_type(parts[0]), bounds)
    if origin is Literal:
        return _one_of(parts)
    if origin is tuple:
        return f"list of: {_type(parts[0])}"
    if origin is dict:
        return "mapping"
    if parts:
        several = ["null" if part is type(None) else _type(part) for part in parts]
        return (", or " if any("," in words for words in several) else " or ").join(several)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return _one_of(tuple(annotation))
    return _TYPES.get(annotation) or str(annotation.__name__).lower()


def _one_of(choices: tuple[str, ...]) -> str:
    shown = [f"`{choice}`" for choice in choices]
    return f"{', '.join(shown[:-1])} or {shown[-1]}"


def _bounded(words: str, bounds: list[Any]) -> str:
    found = {name: value for bound in bounds for name, value in _limits(bound)}
    if words.startswith("text") and "min_length" in found:  # which counts letters there, and entries of a list
        found["not_empty"] = found.pop("min_length")
    said = [_SAID[name].format(value) for name, value in found.items() if name in _SAID]
    return ", ".join([words, " and ".join(said)]) if said else words


_SAID = {
    "ge": "at least {:g}",
    "gt": "more than {:g}",
    "le": "at most {:,g}",
    "lt": "less than {:g}",
    "min_length": "at least {} of them",
    "not_empty": "not empty",
    "pattern": "that matches `{}`",
}


def _limits(bound: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name in _SAID if (value := getattr(bound, name, None)) is not None]
