"""Answers: found in any text, brought to one normal form, compared with the gold one.

Owns: the rule by which a text is graded, one extractor per kind of answer.

Invariants
- Total: every function here accepts every string and never raises.
- The answer is looked for after the last anchor ("Answer:", "the answer is") that has one, and only then anywhere.
- An answer found is in its normal form: a number without commas, currency or trailing zeros, "yes" or "no", an option's
  capital letter, free text without quotes, dots and white space in lower case. "" means that there is none.
- Numbers compare as numbers, and a truncated attempt is truncated whatever it says.

Sources: the answer rules of papers A (2310.13332) and B (2212.10071), without their bugs: gold commas kept, `18.00`
unlike `18`, an option taken although negated, capitals inside words, a crash on a text that ends in `Answer`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from reasoning.prompts import QUESTION_HEADING
from reasoning.records import AnswerKind, Problem, Verdict

_MAX_ANCHORS = 16  # a text that repeats "the answer is" for ever is read from its end, so far
_TOLERANCE = 1e-6  # between decimal fractions, as paper B compares floats

_ANCHOR = re.compile(
    r"(?<![a-z])answers?\b(?!\s+(?:choices|options))"
    r"(?:[*_ \t]*[:=]|[^\n.:=?]{0,60}?\b(?:is|are|be)\b)[\s*_:]*"
)
_ANSWER_LINE = re.compile(r"^[ \t*_#]*(?:final[ \t]+)?answer[ \t*_]*:[\s*_]*[^\s*_]", re.IGNORECASE | re.MULTILINE)
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_NEXT_QUESTION = "\n" + QUESTION_HEADING


def extract(text: str, kind: AnswerKind, choices: tuple[str, ...] = ()) -> str:
    """The answer found in `text` in its normal form, "" when there is none. `choices`: the options' texts in order."""
    extractor = _EXTRACTORS[kind]
    for said in _after_anchors(text):
        answer = extractor.first(said, choices)
        if answer:
            return answer
    return extractor.last(text, choices)


def same_answer(prediction: str, gold: str, kind: AnswerKind) -> bool:
    """Whether two answers are the same, in whatever dress. No answer ("") is the same as none, not even as itself."""
    normal = _EXTRACTORS[kind].normal
    left, right = normal(prediction), normal(gold)
    if not left or not right:
        return False
    if left == right:
        return True
    if kind is not AnswerKind.NUMBER or not ("." in left or "." in right):
        return False
    return abs(float(left) - float(right)) <= _TOLERANCE


def grade(text: str, complete: bool, problem: Problem) -> tuple[str, Verdict]:
    """The answer of a student's completion, and the verdict on it. `complete`: it ended by itself, within its limit."""
    prediction = extract(judged_part(text), problem.answer_kind, problem.choices)
    if not complete:
        return prediction, Verdict.TRUNCATED
    if not prediction:
        return prediction, Verdict.NO_ANSWER
    right = same_answer(prediction, problem.answer, problem.answer_kind)
    return prediction, Verdict.CORRECT if right else Verdict.WRONG


def judged_part(text: str) -> str:
    """The part of a student's completion that counts: up to the next question it makes up, and up to the first blank
    line after an answer line. Without an answer line nothing is cut there: the answer may follow a blank line."""
    head, _, _ = text.partition(_NEXT_QUESTION)
    if _BLANK_LINE.search(head) is None:
        return head
    line = _ANSWER_LINE.search(head)
    end = _BLANK_LINE.search(head, line.end()) if line else None
    return head[: end.start()] if end else head


def answer_of_reply(answer_text: str, problem: Problem) -> str:
    """The answer in what a teacher wrote after its answer heading ("**(B)**", "$1,234.00", "Yes, it is."): that of the
    first line, and only when this has none, that of the rest."""
    kind, choices = problem.answer_kind, problem.choices
    line = _first_line(answer_text, 0)
    first = _EXTRACTORS[kind].first
    found = (first(said, choices) for said in (*_after_anchors(line), line))
    return next((answer for answer in found if answer), "") or extract(answer_text, kind, choices)


def is_answer(gold: str, kind: AnswerKind, choices: tuple[str, ...] = ()) -> bool:
    """Whether `gold` can be a gold answer of this kind: a number, yes or no, the letter of an option, or any text."""
    gold = gold.strip()
    match kind:
        case AnswerKind.NUMBER:
            return _NUMBER.fullmatch(gold) is not None
        case AnswerKind.YES_NO:
            return gold in ("yes", "no")
        case AnswerKind.CHOICE:
            return len(gold) == 1 and gold in _LETTERS[: len(choices)]
        case AnswerKind.TEXT:
            return bool(_normal_text(gold))


def _after_anchors(text: str) -> Iterator[str]:
    """What follows each anchor, on its line or the next one that is not blank; the last anchor first."""
    low = text.lower()
    if len(low) != len(text):  # a few capitals grow when lowered, and positions must stay those of `text`
        low = text.encode("ascii", "replace").decode("ascii").lower()
    end = len(low)
    for _ in range(_MAX_ANCHORS):
        end = low.rfind("answer", 0, end)
        if end < 0:
            break
        found = _ANCHOR.match(low, end)
        if found:
            yield _first_line(text, found.end())
    gsm8k = text.rfind("####")
    if gsm8k >= 0:
        yield _first_line(text, gsm8k + 4)


def _first_line(text: str, start: int) -> str:
    """The line at `start`, or the next one that is not blank."""
    while start < len(text) and text[start].isspace():
        start += 1
    end = text.find("\n", start)
    return text[start:] if end < 0 else text[start:end]


# Numbers ------------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(
    r"((?<![\w)\]%])[-−](?=[$€£]?\.?[0-9]))?[$€£]?"
    r"(?:([0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(\.[0-9]+)?|(?<!\w)(\.[0-9]+))"
)
_GOES_ON = re.compile(r"[^\S\n]*(?:[-+*/×÷x=−])[^\S\n]*[-−$(]?[0-9]")


def _number(found: re.Match[str] | None) -> str:
    if found is None:
        return ""
    sign, digits, fraction, bare = found.groups()
    whole = (digits or "").replace(",", "").lstrip("0") or "0"
    value = whole + (fraction or bare or "").rstrip("0").rstrip(".")
    return f"-{value}" if sign and value != "0" else value


def _first_number(said: str, choices: tuple[str, ...]) -> str:
    """The first number, but of a calculation ("16 - 3 = 13") its result."""
    found = _NUMBER.search(said)
    if found and _GOES_ON.match(said, found.end()):
        found = _NUMBER.search(said, said.rfind("=") + 1) or found
    return _number(found)


def _last_number(text: str, choices: tuple[str, ...]) -> str:
    last = None
    for found in _NUMBER.finditer(text):
        last = found
    return _number(last)


def _normal_number(answer: str) -> str:
    return _number(_NUMBER.search(answer))


# Yes or no ----------------------------------------------------------------------------------------------------------

_YES_NO = re.compile(r"\b(yes|no|true|false)\b", re.IGNORECASE)
# Alone in a text: not "no one", and neither word of "(yes or no)", which asks.
_LONE_YES_NO = re.compile(
    r"\b(yes(?! or no\b)|(?<!yes or )no(?! (?:one|longer|more|matter|other|change)\b))\b", re.IGNORECASE
)


def _yes_or_no(word: str) -> str:
    return "yes" if word.lower() in ("yes", "true") else "no"


def _first_yes_no(said: str, choices: tuple[str, ...] = ()) -> str:
    found = _YES_NO.search(said)
    return _yes_or_no(found[1]) if found else ""


def _last_yes_no(text: str, choices: tuple[str, ...]) -> str:
    found = _LONE_YES_NO.findall(text)
    return _yes_or_no(found[-1]) if found else ""


# Choices ------------------------------------------------------------------------------------------------------------

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NO_CHOICES_KNOWN = 10
_NOT_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class _ChoicePatterns:
    bracketed: re.Pattern[str]  # (B), ( b ), but not the one of "not (B)"
    leading: re.Pattern[str]  # a lone letter at the start: B, b), option B. -- but not the article of "A ball"
    lone: re.Pattern[str]  # a capital by itself anywhere, never the article A


@lru_cache(maxsize=32)
def _patterns(count: int) -> _ChoicePatterns:
    last = _LETTERS[min(count or _NO_CHOICES_KNOWN, len(_LETTERS)) - 1]
    letters = f"A-{last}a-{last.lower()}"
    return _ChoicePatterns(
        bracketed=re.compile(rf"(?<!not )\(\s*([{letters}])\s*\)"),
        leading=re.compile(rf"(?i:option\b|choice\b|letter\b)?[\W_]*([{letters}])(?=\W*$|[).:,*])"),
        lone=re.compile(rf"(?<![\w'])(?<!not )(?!A\s+[a-z])([A-{last}])(?![\w'])"),
    )


def _first_choice(said: str, choices: tuple[str, ...]) -> str:
    patterns = _patterns(len(choices))
    found = patterns.bracketed.search(said) or patterns.leading.match(said)
    if found:
        return found[1].upper()
    option = _only_option(said, choices)
    if option:
        return option
    found = patterns.lone.search(said)
    return found[1] if found else ""


def _last_choice(text: str, choices: tuple[str, ...]) -> str:
    found = _patterns(len(choices)).bracketed.findall(text)
    return found[-1].upper() if found else ""


def _only_option(said: str, choices: tuple[str, ...]) -> str:
    """The letter of the one option whose text is mentioned, "" when none or several are."""
    words = f" {_words(said)} "
    held = [letter for letter, choice in zip(_LETTERS, choices, strict=False) if f" {_words(choice)} " in words]
    return held[0] if len(held) == 1 else ""


def _words(text: str) -> str:
    return _NOT_WORDS.sub(" ", text).strip().lower()


def _normal_choice(answer: str) -> str:
    letter = answer.strip(" ().").upper()
    return letter if len(letter) == 1 and letter in _LETTERS else ""


# Free text ----------------------------------------------------------------------------------------------------------

_DROPPED = re.compile(r"[\s\"'“”‘’`.*\-]+")
_QUOTED = re.compile(r"[\"“`]([^\"”`\n]+)[\"”`]|\*\*([^*\n]+)\*\*")
_CLAUSE_END = re.compile(r"[,;]\s|\.\s|\s(?:because|since)\s")


def _normal_text(answer: str) -> str:
    return _DROPPED.sub("", answer).lower()


def _first_text(said: str, choices: tuple[str, ...]) -> str:
    quoted = _QUOTED.search(said)
    return _normal_text(quoted[1] or quoted[2] if quoted else _CLAUSE_END.split(said, maxsplit=1)[0])


def _last_text(text: str, choices: tuple[str, ...]) -> str:
    found = _QUOTED.findall(text)
    return _normal_text(found[-1][0] or found[-1][1]) if found else ""


@dataclass(frozen=True, slots=True)
class _Extractor:
    """How one kind of answer is read: the `first` candidate after an anchor, the `last` one of a text without, both
    given the choices, and the `normal` form of an answer given alone."""

    first: Callable[[str, tuple[str, ...]], str]
    last: Callable[[str, tuple[str, ...]], str]
    normal: Callable[[str], str]


_EXTRACTORS = {
    AnswerKind.NUMBER: _Extractor(_first_number, _last_number, _normal_number),
    AnswerKind.YES_NO: _Extractor(_first_yes_no, _last_yes_no, _first_yes_no),
    AnswerKind.CHOICE: _Extractor(_first_choice, _last_choice, _normal_choice),
    AnswerKind.TEXT: _Extractor(_first_text, _last_text, _normal_text),
}
