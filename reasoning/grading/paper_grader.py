"""The grading rule of paper B (2212.10071, Fine-tune-CoT) to the letter, its oddities included.

Owns: which part of a completion is read, what counts as a candidate in each of the twelve tasks, and how a candidate is
compared with the gold answer. It exists so that published figures can be compared; everything else in this project is
graded by `reasoning.grading.answers`.

The rule: where the template has a prefix ("-->") and the completion holds it, the first candidate after its first
occurrence is the prediction; where the completion lacks it, the last candidate of the whole; where the template has
none, the first candidate.

Its oddities, each with a test
- A capital is an option wherever it stands, inside words too: "Because" answers B, "DVD" D. Small ones never are.
- Numbers of gsm8k and multiarith compare as strings: "18.00" is not "18". Those of single_eq, addsub and svamp compare
  as floats within 1e-6.
- Every comma is dropped, so "1, 2" holds 1 and 2 but "1,2" is 12; "10-3" holds 10 and -3; "$-.5" holds 5.
- "no" is an answer wherever it stands as a word, in "no one" too; brackets and other marks stick to a word, so that
  "(yes)" is none.
- The gold answer of strategy_qa is lowered, that of coin_flip is not.
- Last letters: the whole text is the one candidate, without quotes, dots and white space; capitals and commas count.
- A prefix is found as it is written: "therefore, the answer is" and "Therefore the answer is" are not it.
- `contains_answer` looks only at the part that was read. `correct_format` is true wherever the template has no prefix.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

_TOLERANCE = 1e-6
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_BETWEEN_WORDS = re.compile(r"[\"'.:,\s]")
_NOT_LETTERS = re.compile(r"[\"'.\s]")


class Template(StrEnum):
    """How the completions were asked for, as paper B names it; it decides on the prefix of the prediction."""

    ZS = "zs"
    ZS_COT = "zs_cot"
    FS_COT = "fs_cot"
    FT_NATURAL = "ft_natural"
    FT_TOKEN = "ft_token"
    FT_COT_NATURAL = "ft_cot_natural"
    FT_COT_TOKEN = "ft_cot_token"


PREFIXES: dict[Template, str | None] = {
    Template.ZS: None,
    Template.ZS_COT: None,
    Template.FS_COT: "The answer is",
    Template.FT_NATURAL: None,
    Template.FT_TOKEN: None,
    Template.FT_COT_NATURAL: "Therefore, the answer is",
    Template.FT_COT_TOKEN: "-->",
}


@dataclass(frozen=True, slots=True)
class PaperVerdict:
    """What paper B records of one completion. `prediction` is the candidate that was compared, as text, None when there
    is none; `contains_answer` says whether any candidate of the part that was read is right."""

    prediction: str | None
    correct: bool
    contains_answer: bool
    correct_format: bool


Candidate = TypeVar("Candidate", str, float)


@dataclass(frozen=True, slots=True)
class _Rule(Generic[Candidate]):
    """One task's: the `candidates` of a text in order, `gold` brought to their form, when two are the `same`."""

    candidates: Callable[[str], list[Candidate]]
    gold: Callable[[str], Candidate]
    same: Callable[[Candidate, Candidate], bool]


def paper_grade(completion: str, gold: str, task: str, template: Template = Template.ZS_COT) -> PaperVerdict:
    """Grades one completion, which may be any text; `gold` of single_eq, addsub and svamp must read as a float.

    Errors: `KeyError` for a task that paper B has no rule for (see `PAPER_TASKS`), `ValueError` for a gold answer that
    is none."""
    return _graded(completion, gold, _RULES[task], PREFIXES[template])


def is_paper_gold(gold: str, task: str) -> bool:
    """Whether the rule of `task` can read `gold` at all. Errors: `KeyError` as in `paper_grade`."""
    try:
        value = _RULES[task].gold(gold)
    except ValueError:
        return False
    return isinstance(value, str) or math.isfinite(value)


def _graded(completion: str, gold: str, rule: _Rule[Candidate], prefix: str | None) -> PaperVerdict:
    before, found, after = completion.partition(prefix) if prefix is not None else (completion, "", "")
    candidates = rule.candidates(after if found else before)
    answer = rule.gold(gold)
    if not candidates:
        return PaperVerdict(None, False, False, prefix is None or bool(found))
    prediction = candidates[-1] if prefix is not None and not found else candidates[0]
    return PaperVerdict(
        prediction=str(prediction),
        correct=rule.same(prediction, answer),
        contains_answer=any(rule.same(candidate, answer) for candidate in candidates),
        correct_format=prefix is None or bool(found),
    )


def _numbers(text: str) -> list[str]:
    return _NUMBER.findall(text.replace(",", ""))


def _floats(text: str) -> list[float]:
    return [float(number) for number in _numbers(text)]


def _without_commas(gold: str) -> str:
    return gold.replace(",", "")


def _as_float(gold: str) -> float:
    return float(_without_commas(gold))


def _yes_and_no(text: str) -> list[str]:
    return [word for word in _BETWEEN_WORDS.sub(" ", text.lower()).split(" ") if word in ("yes", "no")]


def _letters(text: str) -> list[str]:
    return [_NOT_LETTERS.sub("", text)]


def _same_text(prediction: str, gold: str) -> bool:
    return prediction == gold


def _same_float(prediction: float, gold: float) -> bool:
    return abs(prediction - gold) <= _TOLERANCE


def _options(letters: str) -> _Rule[str]:
    return _Rule(re.compile(f"[{letters}]").findall, str, _same_text)


_TEXT_NUMBERS = _Rule(_numbers, _without_commas, _same_text)
_FLOAT_NUMBERS = _Rule(_floats, _as_float, _same_float)
OPTION_LETTERS = {
    "aqua": "ABCDE",
    "commonsense_qa": "ABCDE",
    "date_understanding": "ABCDEF",
    "tracking_shuffled_objects": "ABC",
}
_RULES: dict[str, _Rule[Any]] = {
    "single_eq": _FLOAT_NUMBERS,
    "addsub": _FLOAT_NUMBERS,
    "multiarith": _TEXT_NUMBERS,
    "gsm8k": _TEXT_NUMBERS,
    "aqua": _options(OPTION_LETTERS["aqua"]),
    "svamp": _FLOAT_NUMBERS,
    "date_understanding": _options(OPTION_LETTERS["date_understanding"]),
    "tracking_shuffled_objects": _options(OPTION_LETTERS["tracking_shuffled_objects"]),
    "last_letter_concatenation": _Rule(_letters, str, _same_text),
    "coin_flip": _Rule(_yes_and_no, str, _same_text),
    "commonsense_qa": _options(OPTION_LETTERS["commonsense_qa"]),
    "strategy_qa": _Rule(_yes_and_no, str.lower, _same_text),
}
PAPER_TASKS = tuple(_RULES)
