"""Explains what is wrong with a recipe: every fault by its key's path, and what would be right.

Owns: the words for what pydantic finds, and the guess of what a misspelt key or choice was meant to be.

Invariants
- Every fault is reported, each in one line.
- What may hold a secret by mistake (an address, the name of a key's variable) is never repeated.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from reasoning.recipe.keys import section_at, sections

SECRET = ("base_url", "api_key_env", "headers", "extra_body", "storage.path", "tracking.mlflow.uri")
NEAR, VERY_NEAR = 0.6, 0.85  # of 1, as `difflib` compares two words
SHOWN = 3  # sections that are named for a key that stands elsewhere

_WORDS = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be a path",
    "tuple_type": "must be a list",
    "model_type": "must be a section with keys of its own",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "too_short": "must have at least {min_length} of them",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "missing": "is missing, and has no default",
}


def explain(error: ValidationError, origin: str, kind: type[BaseModel]) -> str:
    """All that is wrong with a recipe of this `kind`, which `origin` (a path) names."""
    lines = [f"{origin}: this recipe cannot be run:"]
    problems = error.errors()
    for number, problem in enumerate(problems):
        where = _path(problem)
        if any(_alternative(problem, other) and _path(other) == where for other in problems[:number]):
            continue  # told with the first of them
        if any(len(_path(other)) > len(where) for other in problems if _alternative(problem, other)):
            continue  # a list was given where one text would do too: what is wrong inside the list is what counts
        if problem["type"] == "extra_forbidden":
            words = _unknown(kind, problem["loc"])
        else:
            words = _wrong(where, problem, problems)
        lines.append(f"  {'.'.join(where) or 'recipe'}: {words}")
    return "\n".join(lines)


# Unknown keys -------------------------------------------------------------------------------------------------------


def _unknown(kind: type[BaseModel], location: tuple[int | str, ...]) -> str:
    name = str(location[-1])
    here = sorted(section_at(kind, location[:-1]).model_fields)
    meant = _meant(kind, name, here)
    return f"unknown key; {f'{meant} ' if meant else ''}known here: {', '.join(here)}"


def _meant(kind: type[BaseModel], name: str, here: list[str]) -> str:
    """What the unknown key may have been meant to be: best a very near one of its section, then one of that very name
    in another section, then what is nearest."""
    if near := nearest(name, here, VERY_NEAR):
        return f"did you mean {near}?"
    elsewhere: dict[str, list[str]] = {}
    for section in sections(kind):
        for key in section.model.model_fields:
            elsewhere.setdefault(key, []).append(section.path or "the top level")
    if name in elsewhere:
        return f"{name} belongs to {_or(elsewhere[name])};"
    if near := nearest(name, here, NEAR):
        return f"did you mean {near}?"
    if near := nearest(name, elsewhere, VERY_NEAR):
        return f"did you mean {near}, which belongs to {_or(elsewhere[near])}?"
    return ""


def nearest(word: str, known: Iterable[str], least: float = NEAR) -> str | None:
    """The word of `known` that is most like `word`; None where none is at least as near as `least` (0 to 1)."""
    found = difflib.get_close_matches(word.lower().replace("-", "_"), list(known), n=1, cutoff=least)
    return found[0] if found else None


def _or(paths: list[str]) -> str:
    shown = paths[:SHOWN]
    return " or ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


# Wrong values -------------------------------------------------------------------------------------------------------


def _wrong(where: tuple[str, ...], problem: ErrorDetails, problems: list[ErrorDetails]) -> str:
    several = [other for other in problems if _alternative(problem, other) and _path(other) == _path(problem)]
    others = dict.fromkeys(_in_words(other).removeprefix("must be ") for other in several)
    said = " or ".join([_in_words(problem), *others])
    got = problem.get("input")
    if {".".join(where), *where[-1:]} & {*SECRET} or problem["type"] == "missing":
        return said
    if problem["type"] in ("literal_error", "enum"):
        choices = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
        near = nearest(got, choices) if isinstance(got, str) else None
        return f"{said}{_shown(got)}{f'; did you mean {near}?' if near else ''}"
    if problem["type"] == "string_type" and isinstance(got, bool | int | float | date):
        return f"{said}{_shown(got)}; put it in quotes"
    return f"{said}{_shown(got, of_any_type=problem['type'] in _WORDS)}"


def _in_words(problem: ErrorDetails) -> str:
    words = _WORDS.get(problem["type"])
    if words is None:
        return problem["msg"].removeprefix("Value error, ")
    return words.format(**problem.get("ctx", {}))


def _shown(got: Any, of_any_type: bool = True) -> str:
    if got is None or isinstance(got, bool):
        return f" (got {'nothing' if got is None else str(got).lower()})"
    if isinstance(got, str | int | float):
        return f" (got {got!r})"
    if isinstance(got, date):
        return " (got a date)"
    if not of_any_type:  # the message of a section's own check, which names what it is about
        return ""
    return f" (got {'keys' if isinstance(got, Mapping) else 'a list'})"


# Places -------------------------------------------------------------------------------------------------------------


def _path(problem: ErrorDetails) -> tuple[str, ...]:
    """Where a problem is, without the names of types that pydantic puts behind a key that may be of several."""
    *above, last = problem["loc"] or ("",)
    path = [str(part) for part in above if not _is_type(part)]
    if last != "" and (problem["type"] == "extra_forbidden" or not _is_type(last)):
        path.append(str(last))
    return tuple(path)


def _is_type(part: int | str) -> bool:
    return part == "str" or (isinstance(part, str) and part.startswith("tuple["))


def _alternative(problem: ErrorDetails, other: ErrorDetails) -> bool:
    """Whether both are about one key that may be of several types, each by another of them."""
    pairs = zip(problem["loc"], other["loc"], strict=False)
    differ = next(((mine, others) for mine, others in pairs if mine != others), None)
    return differ is not None and all(map(_is_type, differ))
