"""Answers: found in any text, brought to one normal form, compared with the gold one.

Owns: the rule by which a text is graded; where in a text its answer stands. How an answer of each kind is read there is
`reasoning.grading.extractors`; the published rule of paper B, for comparison with its figures, is
`reasoning.grading.paper_grader`.

Invariants
- Total: every function here accepts every string, never raises, and takes time linear in its length.
- The last anchored answer counts ("Answer:", "the answer is", "####", "-->", \\boxed{}); only a text without one is
  searched from its end. What follows the next question that a model makes up does not count.
- An answer found is in its normal form: a number without commas, currency or trailing zeros, "yes" or "no", an option's
  capital letter, free text without quotes, dots and white space in lower case. "" means that there is none.
- Numbers compare as numbers, and a truncated attempt is truncated whatever it says.

Sources: the answer rules of papers A (2310.13332) and B (2212.10071), without their bugs: gold commas kept, `18.00`
unlike `18`, an option taken although negated, capitals inside words, a crash on a text that ends in `Answer`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from reasoning.grading.extractors.choices import CHOICES, LETTERS
from reasoning.grading.extractors.found import NO_ANSWER, Extractor, FoundAnswer, How, first_line
from reasoning.grading.extractors.free_text import FREE_TEXT
from reasoning.grading.extractors.numbers import NUMBERS
from reasoning.grading.extractors.yes_no import YES_NO
from reasoning.records import AnswerKind, Problem, Verdict

_EXTRACTORS = {
    AnswerKind.NUMBER: NUMBERS,
    AnswerKind.YES_NO: YES_NO,
    AnswerKind.CHOICE: CHOICES,
    AnswerKind.TEXT: FREE_TEXT,
}

_STOP_WORD = " END"  # of paper B's completions
_MAX_ANCHORS = 16  # a text that repeats "the answer is" for ever is read from its end, so far
_LONGEST_ANSWER = 400  # characters after an anchor
_LONGEST_BARE = 40  # characters of a line that is an answer and nothing else
_TOLERANCE = 1e-6  # between decimal fractions, as paper B compares floats

_ANCHOR = re.compile(
    r"(?<![a-z])answers?(?![a-z])(?:[*_ \t]*(?:\([^()\n]{0,40}\))?[*_ \t]*(?:[:=]|(?:is|are)(?![a-z]))"
    r"|(?!\s+(?:choices|options))([^\n.:=?]{0,60}?)\b(?:is|are|be)\b)[\s*_:]*"
)
_HEADING = re.compile(r"answers?[*_ \t]*\n\s*")
_BEFORE_HEADING = ("", "final", "the", "the final", "my", "my final", "correct")
_DENIED = re.compile(r"\bnot\b|n[’']t\b|\bcannot\b")
_CONDITION = re.compile(r"\b(?:if|whether) (?:the )?(?:final |correct |right )?\Z")
_STEP = re.compile(r"\s*(?:step|part|[0-9]+[.)]\s)")  # a heading's "####", not an answer's
_WORD = re.compile(r"\w")
_BOX = re.compile(r"\\boxed\s*\{")
_BRACE = re.compile(r"(?<!\\)[{}]")

_NEXT_QUESTION = re.compile(r"\n[ \t*#]*(?:Question|Q)[ \t]*[0-9]*[*]*:")
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_ANSWER_LINE = re.compile(r"answer[ \t*_]*:[\s*_]*[^\s*_]")
_MARKUP = " \t*_#"

_GOLD_NUMBER = re.compile(r"[-−]?[$€£]?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)")


def find_answer(text: str, kind: AnswerKind, choices: tuple[str, ...] = ()) -> FoundAnswer:
    """The answer of `text` and how it was found. `choices`: the options' texts in order.

    The whole text counts; see `judged_part` for what of a completion does."""
    return _found(text, _lowered(text), kind, choices)


def extract(text: str, kind: AnswerKind, choices: tuple[str, ...] = ()) -> str:
    """The answer found in `text` in its normal form, "" when there is none. `choices`: the options' texts in order."""
    return find_answer(text, kind, choices).answer


def same_answer(prediction: str, gold: str, kind: AnswerKind) -> bool:
    """Whether two answers are the same, in whatever dress. No answer ("") is the same as none, not even as itself."""
    normal = _EXTRACTORS[kind].normal
    return _same(normal(prediction), normal(gold), kind)


def is_right(found: FoundAnswer, gold: str, kind: AnswerKind) -> bool:
    """Whether an answer found is the gold one, in its first reading or its second: "50%" answers both 50 and 0.5."""
    right = _normal_gold(gold, kind)
    return _same(found.answer, right, kind) or (bool(found.also) and _same(found.also, right, kind))


def mentions(text: str, gold: str, kind: AnswerKind, choices: tuple[str, ...] = ()) -> bool:
    """Whether any candidate anywhere in `text` is the gold answer."""
    return any(same_answer(candidate, gold, kind) for candidate in set(_EXTRACTORS[kind].every(text, choices)))


def grade(text: str, complete: bool, problem: Problem) -> tuple[str, Verdict]:
    """The answer of a student's completion, and the verdict on it. `complete`: it ended by itself, within its limit."""
    found = judged_answer(text, problem.answer_kind, problem.choices)
    if not complete:
        return found.answer, Verdict.TRUNCATED
    if not found.answer:
        return found.answer, Verdict.NO_ANSWER
    right = is_right(found, problem.answer, problem.answer_kind)
    return found.answer, Verdict.CORRECT if right else Verdict.WRONG


def judged_answer(text: str, kind: AnswerKind, choices: tuple[str, ...] = ()) -> FoundAnswer:
    """The answer in the part of a completion that counts: `find_answer` of its `judged_part`."""
    low = _lowered(text)
    end = _judged_end(text, low)
    return _found(text, low, kind, choices) if end == len(text) else _found(text[:end], low[:end], kind, choices)


def judged_part(text: str) -> str:
    """The part of a student's completion that counts: up to the next question it makes up, and up to the first blank
    line after an answer line. Without an answer line nothing is cut there: the answer may follow a blank line."""
    return text[: _judged_end(text, _lowered(text))]


def answer_of_reply(answer_text: str, problem: Problem) -> str:
    """The answer in what a teacher wrote after its answer heading ("**(B)**", "$1,234.00", "Yes, it is."): that of the
    first line, and only when this has none, that of the rest."""
    kind, choices = problem.answer_kind, problem.choices
    line = first_line(answer_text.lstrip())
    first = _EXTRACTORS[kind].first
    sayings = [*_anchored(line, _lowered(line)), (0, line[:_LONGEST_ANSWER], How.ANCHORED)]
    for _, said, how in sayings:
        found = first(said, choices, how)
        if found and found.answer:
            return found.answer
    return extract(answer_text, kind, choices)


def is_answer(gold: str, kind: AnswerKind, choices: tuple[str, ...] = ()) -> bool:
    """Whether `gold` can be a gold answer of this kind: a number, yes or no, the letter of an option, or any text."""
    gold = gold.strip()
    match kind:
        case AnswerKind.NUMBER:
            return _GOLD_NUMBER.fullmatch(gold) is not None
        case AnswerKind.YES_NO:
            return gold in ("yes", "no")
        case AnswerKind.CHOICE:
            return len(gold) == 1 and gold in LETTERS[: len(choices)]
        case AnswerKind.TEXT:
            return bool(FREE_TEXT.normal(gold))


def _same(left: str, right: str, kind: AnswerKind) -> bool:
    """Whether two answers in their normal form are the same."""
    if not left or not right:
        return False
    if left == right:
        return True
    if kind is not AnswerKind.NUMBER or not ("." in left or "." in right):
        return False
    return abs(float(left) - float(right)) <= _TOLERANCE


@lru_cache(maxsize=1024)
def _normal_gold(gold: str, kind: AnswerKind) -> str:
    return _EXTRACTORS[kind].normal(gold)


def _found(text: str, low: str, kind: AnswerKind, choices: tuple[str, ...]) -> FoundAnswer:
    extractor = _EXTRACTORS[kind]
    for start, said, how in _anchored(text, low):
        found = extractor.first(said, choices, how)
        if found is not None:
            return found if found.answer else NO_ANSWER
        if extractor.settles and how is How.ANCHORED and _WORD.search(said):
            text = text[start:]  # only what comes after can still say otherwise
            break
    found = _leading(text, extractor, choices) or extractor.last(text, choices)
    return found if found is not None and found.answer else NO_ANSWER


def _leading(text: str, extractor: Extractor, choices: tuple[str, ...]) -> FoundAnswer | None:
    """What a text begins with that goes on after an anchor in its prompt: ": 5 apples.", or a first line " 5. "."""
    said = text[:_LONGEST_ANSWER].lstrip()
    if said.startswith(":"):
        return extractor.first(said[1:].lstrip(), choices, How.LEADING)
    line = first_line(said)
    if not 0 < len(line) <= _LONGEST_BARE or not extractor.bare(line, choices):
        return None
    return extractor.first(line, choices, How.LEADING)


def _lowered(text: str) -> str:
    """`text` in lower case, of the same length."""
    low = text.lower()
    if len(low) != len(text):  # a few capitals grow when lowered, and positions must stay those of `text`
        low = text.encode("ascii", "replace").decode("ascii").lower()
    return low


def _anchored(text: str, low: str) -> Iterator[tuple[int, str, How]]:
    """After each anchor, the last first: where it ends, at most 400 characters from the first that is not blank, and
    which anchor it is."""
    word, arrow = low.rfind("answer"), text.rfind("-->")
    marks, boxed = text.rfind("####"), text.rfind("\\boxed")
    for _ in range(_MAX_ANCHORS):
        place = max(word, arrow, marks, boxed)
        if place < 0:
            return
        if place == word:
            start = _after_phrase(low, place)
            if start >= 0:
                yield start, text[start : start + _LONGEST_ANSWER].lstrip(), How.ANCHORED
            word = low.rfind("answer", 0, place)
        elif place == boxed:
            yield place, _in_box(text, place), How.BOXED
            boxed = text.rfind("\\boxed", 0, place)
        elif place == arrow:
            said = text[place + 3 : place + _LONGEST_ANSWER].lstrip()
            yield place + 3, said.partition(_STOP_WORD)[0], How.ARROW
            arrow = text.rfind("-->", 0, place)
        else:
            if not _STEP.match(low, place + 4):
                yield place + 4, text[place + 4 : place + _LONGEST_ANSWER].lstrip(), How.HASH_MARKS
            marks = text.rfind("####", 0, place)


def _after_phrase(low: str, place: int) -> int:
    """Where the answer begins that the word "answer" at `place` announces; -1 where it announces none: "3 answers",
    "the answer cannot be 5", "if the answer is 5"."""
    found = _ANCHOR.match(low, place)
    if found is None:
        found = _HEADING.match(low, place)
        if found is None or low[low.rfind("\n", 0, place) + 1 : place].strip(_MARKUP) not in _BEFORE_HEADING:
            return -1
    elif found[1] and _DENIED.search(found[1]):
        return -1
    before = low[max(0, place - 30) : place]
    if ("if" in before or "whether" in before) and _CONDITION.search(before):
        return -1
    return found.end()


def _in_box(text: str, place: int) -> str:
    """The content of the `\\boxed{}` at `place`; of one whose brackets are unpaired, the rest of its line."""
    opening = _BOX.match(text, place)
    if opening is None:
        return ""
    start, depth = opening.end(), 1
    for brace in _BRACE.finditer(text, start, start + _LONGEST_ANSWER):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[start : brace.start()]
    return first_line(text[start : start + _LONGEST_ANSWER])


def _judged_end(text: str, low: str) -> int:
    end = len(text)
    if "Q" in text:
        for found in _NEXT_QUESTION.finditer(text):
            if text[: found.start()].strip():  # a completion may begin with the question it was asked
                end = found.start()
                break
    if _BLANK_LINE.search(text, 0, end) is None:
        return end
    place = low.find("answer", 0, end)
    while place >= 0:
        line = _ANSWER_LINE.match(low, place, end)
        if line and low[low.rfind("\n", 0, place) + 1 : place].strip(_MARKUP) in ("", "final"):
            blank = _BLANK_LINE.search(text, line.end(), end)
            return blank.start() if blank else end
        place = low.find("answer", place + 6, end)
    return end
