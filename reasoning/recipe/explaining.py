"""Explains what is wrong with a recipe: every fault by its key's path, and what would be right.

Owns: the words for what pydantic finds, and the guess of what a key or value was meant to be: misspelt, written as
other trainers have it, or in the place of a section.

Invariants
- Every fault is reported, each in one line.
- What may hold a secret by mistake (an address, the name of a key's variable) is never repeated.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from reasoning.recipe.base import alternatives
from reasoning.recipe.keys import section_at, section_in, sections

SECRET = ("base_url", "api_key_env", "headers", "extra_body", "storage.path", "tracking.mlflow.uri")
NEAR, VERY_NEAR = 0.6, 0.85  # of 1, as `difflib` compares two words
SHOWN = 3  # sections that are named for a key that stands elsewhere

# What other trainers (transformers, PEFT, TRL, torchtune) call our keys and choices. The first that is known counts.
KEYS_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("lr", "max_lr", "peak_lr"), ("learning_rate",)),
    **dict.fromkeys(("num_train_epochs", "num_epochs", "n_epochs", "max_epochs"), ("epochs",)),
    **dict.fromkeys(("per_device_train_batch_size", "train_batch_size", "global_batch_size"), ("batch_size",)),
    **dict.fromkeys(("micro_batch_size", "gradient_accumulation_steps", "grad_accum"), ("batch_size",)),
    **dict.fromkeys(("lr_scheduler_type", "lr_scheduler", "scheduler", "lr_schedule"), ("schedule",)),
    **dict.fromkeys(("warmup", "warmup_ratio", "num_warmup_steps"), ("warmup_steps",)),
    **dict.fromkeys(("bf16", "fp16", "dtype", "torch_dtype", "mixed_precision"), ("precision", "dtype")),
    **dict.fromkeys(("max_length", "max_seq_length", "max_seq_len", "seq_len", "cutoff_len"), ("max_tokens",)),
    **dict.fromkeys(("grad_clip", "gradient_clipping", "clip_grad_norm", "max_norm"), ("max_grad_norm",)),
    **dict.fromkeys(("r", "lora_r", "lora_rank"), ("rank",)),
    **dict.fromkeys(("use_lora", "peft", "peft_config", "lora_config", "use_peft"), ("lora",)),
    **dict.fromkeys(("fsdp", "fsdp_config", "deepspeed"), ("sharding",)),
    **dict.fromkeys(("num_workers", "world_size", "nproc_per_node"), ("trainers",)),
    **dict.fromkeys(("min_workers", "min_trainers"), ("fewest_trainers",)),
    **dict.fromkeys(("num_generations", "num_samples", "num_return_sequences"), ("samples",)),
    **{"optim": ("optimizer",), "lora_alpha": ("alpha",), "lora_dropout": ("dropout",)},
    **{"target_modules": ("targets",), "lora_target_modules": ("targets",), "report_to": ("tracking",)},
}
CHOICES_ELSEWHERE = {
    **dict.fromkeys(("adamw_torch", "adamw_hf", "adamw_torch_fused", "adam"), "adamw"),
    **dict.fromkeys(("adamw_bnb_8bit", "paged_adamw_8bit", "adamw8bit", "8bit"), "adamw_8bit"),
    **dict.fromkeys(("constant_with_warmup",), "constant"),
    **dict.fromkeys(("cosine_with_warmup", "cosine_with_restarts", "cosine_with_min_lr"), "cosine"),
    **dict.fromkeys(("linear_with_warmup",), "linear"),
    **dict.fromkeys(("full_shard", "fsdp2", "zero3", "hybrid_shard"), "fsdp"),
    **dict.fromkeys(("ddp", "no_shard", "no", "off"), "none"),
    **{"fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "half": "float16"},
    **{"sft": "completion", "gkd": "on_policy"},
}
_NUMBER = re.compile(r"(\d[\d_]*(?:\.\d*)?(?:[eE][+]?\d+)?)\s*([A-Za-z%]*)")

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
            words = _wrong(where, problem, problems) + _instead(kind, problem, where)
        lines.append(f"  {'.'.join(where) or 'recipe'}: {words}")
    return "\n".join(lines)


# Unknown keys -------------------------------------------------------------------------------------------------------


def _unknown(kind: type[BaseModel], location: tuple[int | str, ...]) -> str:
    name, section = str(location[-1]), section_at(kind, location[:-1])
    meant = _meant(kind, name, section)
    return f"unknown key; {f'{meant} ' if meant else ''}known here: {_all(section)}"


def _meant(kind: type[BaseModel], name: str, section: type[BaseModel]) -> str:
    """What the unknown key may have been meant to be: best one of its section that is very near or that other trainers
    call so, or a choice there, then one of that very name in another section, then what is nearest."""
    here, ours = sorted(section.model_fields), KEYS_ELSEWHERE.get(name.lower(), ())
    if near := nearest(name, here, VERY_NEAR) or next((key for key in ours if key in here), None):
        return f"did you mean {near}?"
    if chosen := next((key for key, field in section.model_fields.items() if name in get_args(field.annotation)), None):
        return f"did you mean {chosen}: {name}?"
    elsewhere = _places(kind)
    if name in elsewhere:
        return f"{name} belongs to {_or(elsewhere[name])};"
    if near := next((key for key in ours if key in elsewhere), None):
        return f"did you mean {near}, which belongs to {_or(elsewhere[near])}?"
    if near := nearest(name, here, NEAR):
        return f"did you mean {near}?"
    if near := nearest(name, elsewhere, VERY_NEAR):
        return f"did you mean {near}, which belongs to {_or(elsewhere[near])}?"
    return ""


def _places(kind: type[BaseModel]) -> dict[str, list[str]]:
    """Which sections have a key of each name."""
    found: dict[str, list[str]] = {}
    for section in sections(kind):
        for key in section.model.model_fields:
            found.setdefault(key, []).append(section.path or "the top level")
    return found


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
    if _is_secret(where, got) or problem["type"] == "missing":
        return said
    if problem["type"] in ("literal_error", "enum"):
        choices = _choices(problem)
        near = _choice(got, choices) if isinstance(got, str) else None
        return f"{said}{_shown(got)}{f'; did you mean {near}?' if near else ''}"
    if problem["type"] == "string_type" and isinstance(got, bool | int | float | date):
        return f"{said}{_shown(got)}; put it in quotes"
    return f"{said}{_shown(got, of_any_type=problem['type'] in _WORDS)}"


def _is_secret(where: tuple[str, ...], got: Any) -> bool:
    """Whether `got`, which was written there, may hold a secret: also an address in the place of a section with one."""
    path = ".".join(where)
    address = isinstance(got, str) and "/" in got and any(one.startswith(f"{path}.") for one in SECRET)
    return address or bool({path, *where[-1:]} & {*SECRET})


def _choices(problem: ErrorDetails) -> list[str]:
    return re.findall(r"'([^']*)'", problem["ctx"]["expected"])


def _choice(got: str, choices: list[str]) -> str | None:
    known = CHOICES_ELSEWHERE.get(got.lower())
    return known if known in choices else nearest(got, choices)


def _instead(kind: type[BaseModel], problem: ErrorDetails, where: tuple[str, ...]) -> str:
    """What to write in the place of a wrong value, where that can be told; begins with "; ", or is empty."""
    got, what = problem.get("input"), problem["type"]
    if not problem["loc"]:
        return ""
    if _is_secret(where, got):
        return f"; its keys are {_all(section_at(kind, problem['loc']))}" if what == "model_type" else ""
    if what == "model_type":
        return _as_section(section_at(kind, problem["loc"]), where[-1], got)
    if what in ("literal_error", "enum") and isinstance(got, Mapping | list):
        return _as_word(kind, problem, where, got)
    if what == "tuple_type" and isinstance(got, str | int) and not isinstance(got, bool):
        return f"; write [{got}]"
    if what in ("int_type", "int_parsing", "float_type", "float_parsing", "int_from_float", "literal_error"):
        name, here = where[-1], section_at(kind, problem["loc"][:-1]).model_fields
        twin = name.removesuffix("s") if name.endswith("s") else f"{name}s"
        if twin in here and _takes(here[twin].annotation, got):
            return f"; did you mean {twin}: {got}?"
        if got is False and name in here and type(None) in alternatives(here[name].annotation):
            return "; to switch it off, write null"
    return _in_digits(got, whole=what.startswith("int")) if what in ("int_parsing", "float_parsing") else ""


def _as_word(
    kind: type[BaseModel], problem: ErrorDetails, where: tuple[str, ...], got: Mapping[Any, Any] | list[Any]
) -> str:
    """Which word to write where one is wanted, for one that got keys or a list, and where those keys go."""
    choices, here = _choices(problem), section_at(kind, problem["loc"][:-1]).model_fields
    values = [*got, *got.values()] if isinstance(got, Mapping) else got
    chosen = next((value for value in values if isinstance(value, str) and value in choices), None)
    if chosen is None:
        elsewhere = _places(kind)
        known = next((key for key in values if isinstance(key, str) and key in elsewhere), None)
        return "" if known is None else f"; {known} belongs to {_or(elsewhere[known])}"
    keys = got.get(chosen) if isinstance(got, Mapping) else None
    beside = [key for key in keys if key in here] if isinstance(keys, Mapping) else []
    write = f"; write {where[-1]}: {chosen}"
    if keys and chosen in here and section_in(here[chosen].annotation) is not None:
        return f"{write}, and its keys under {'.'.join([*where[:-1], chosen])}"
    return f"{write}, and {', '.join(beside)} beside it" if beside else write


def _as_section(section: type[BaseModel], name: str, got: Any) -> str:
    """How a section is written, for one that got a plain value."""
    fields = section.model_fields
    if got is None or got is False:
        return "; leave it out"
    needed = [key for key, field in fields.items() if field.is_required()]
    if got is True and not needed:
        return f"; write {name}: {{}} for its defaults"
    for key, field in fields.items() if isinstance(got, str) else ():
        if got == key and (inner := section_in(field.annotation)) is not None:
            filled = ", ".join(f"{one}: ..." for one, its in inner.model_fields.items() if its.is_required())
            return f"; did you mean {name}: {{{key}: {{{filled}}}}}?"
        if got == key and field.annotation is bool:
            return f"; did you mean {name}: {{{key}: true}}?"
        if (word := CHOICES_ELSEWHERE.get(got, got)) in get_args(field.annotation):
            return f"; did you mean {name}: {{{key}: {word}}}?"
    if needed:
        return f"; it needs {', '.join(needed)}"
    taking = [f"{{{key}: {_as_yaml(got)}}}" for key in _keys_for(section, got)]
    return f"; did you mean {name}: {_or(taking)}?" if taking else f"; its keys are {_all(section)}"


def _all(section: type[BaseModel]) -> str:
    return ", ".join(sorted(section.model_fields))


def _keys_for(section: type[BaseModel], got: Any) -> list[str]:
    """The keys of `section` that would take `got`; of a text, the one that such a section is mostly about."""
    fields = section.model_fields
    if isinstance(got, str):
        return [key for key in fields if key in ("model", "name") and "://" not in got][:1]
    return [key for key in fields if _key_takes(section, key, got)]


def _key_takes(section: type[BaseModel], key: str, got: Any) -> bool:
    if not _takes(section.model_fields[key].annotation, got):
        return False
    try:
        section.model_validate({key: got})
    except ValidationError as error:
        return all(key not in problem["loc"] for problem in error.errors())
    return True


def _as_yaml(got: Any) -> str:
    return f"[{', '.join(map(str, got))}]" if isinstance(got, list) else str(got)


def _takes(annotation: Any, got: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_python(got, strict=not isinstance(got, list))
    except ValidationError:
        return False
    return True


def _in_digits(got: Any, *, whole: bool) -> str:
    """A number that is written with a unit, a percent sign or an exponent, as it is to be written."""
    found = _NUMBER.fullmatch(got.strip()) if isinstance(got, str) else None
    if found is None:
        return ""
    value, unit = float(found[1].replace("_", "")), found[2]
    if unit in ("k", "K"):
        value *= 1000
    elif unit == "%":
        value /= 100
    elif unit:
        return f"; a number alone, without {unit}"
    return "" if not math.isfinite(value) or (whole and value != int(value)) else f"; write {_plainly(value)}"


def _plainly(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


def _in_words(problem: ErrorDetails) -> str:
    got = problem.get("input")
    if isinstance(got, float) and math.isnan(got):
        return _WORDS["finite_number"]
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
