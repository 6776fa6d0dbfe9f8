"""Answers: found in any text, brought to one normal form, compared with the gold one.

Owns: the rule by which a text is graded. Where in a text an answer stands is `reasoning.grading.extraction.anchors`,
how one of each kind is read there and compared is `reasoning.grading.kinds`; the published rule of paper B, for
comparison with its figures, is `reasoning.grading.paper_grader`.

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
from functools import lru_cache

from reasoning.grading.extraction.anchors import (
    anchored,
    is_taken_back,
    judged_end,
    lowered,
    plainly_stated,
    weakly_anchored,
)
from reasoning.grading.extraction.courtesies import without_courtesy
from reasoning.grading.extraction.denials import without_struck
from reasoning.grading.extraction.found_answer import (
    LONGEST_ANSWER,
    NO_ANSWER,
    FoundAnswer,
    How,
    before_withdrawal,
    first_line,
)
from reasoning.grading.extraction.verification import before_verification
from reasoning.grading.kinds import AnswerRules, Kind, rules_for, rules_of
from reasoning.grading.own_grader import own_verdict
from reasoning.records import AnswerKind, Problem, Verdict
from reasoning.teacher.thinking import may_think, split_thinking
from reasoning.teacher.turns import asked_again, before_question, own_start

_LONGEST_BARE = 40  # characters of a line that is an answer and nothing else
_PLAIN_LINE = re.compile(r"[\w .,:$%()'\"/-]+", re.ASCII)
_FENCE = re.compile(r"^[ \t>]*```[\w+-]{0,20}[ \t\r]*(?:\n|\Z)", re.MULTILINE)  # a line that opens or closes code
_QUOTE = re.compile(r"\n[ \t]{0,3}>[ \t]+(?=\S)")  # a line that Markdown quotes
_DRESS_TAG = re.compile(  # any but those that say what stands in them
    r"</?(?!(?:[a-z]{1,20}[_-])?answer\b|(?:s|del|strike|ans)>)[a-z][\w-]{0,30}(?:\s[^<>]{0,60})?>", re.IGNORECASE
)
_BETWEEN_BOXES = r"(?:[\s$]{0,9}(?:[,;/]|,?\s{0,9}(?:\\text\{\s?)?(?:and|or|&)\b(?:\s?\})?)[\s$]{0,9}|[ \t$]{1,9})"
_SAME_BOX = re.compile(rf"(\\boxed\s{{0,9}}\{{[^{{}}]{{0,80}}\}})(?:{_BETWEEN_BOXES}\1)+")
_NEXT_BOX = re.compile(rf"\}}{_BETWEEN_BOXES}\\boxed\s{{0,9}}\{{")  # one answer in several boxes, or several
_NUMBERED = re.compile(r"[0-9]{1,2}[.)]\s")  # a line of a list
_WORD = re.compile(r"\w")
_IN_COLUMNS = re.compile(r"\n[ \t]*[-+x×*÷−][ \t]*[0-9][0-9.,]*[ \t]*\n[ \t]*[-=_─—]{2,}")  # a written calculation
_TAUGHT = re.compile(r"(?:^\s*|\nAnswer:\s*|-->\s*|\nTherefore, the answer is\s+|\sThe answer is\s+)\Z")


def find_answer(text: str, kind: Kind, choices: tuple[str, ...] = ()) -> FoundAnswer:
    """The answer of `text` and how it was found. `choices`: the options' texts in order.

    The whole text counts; see `judged_part` for what of a completion does."""
    return _found(text, lowered(text), kind, choices)


def extract(text: str, kind: Kind, choices: tuple[str, ...] = ()) -> str:
    """The answer found in `text` in its normal form, "" when there is none. `choices`: the options' texts in order."""
    return find_answer(text, kind, choices).answer


def same_answer(prediction: str, gold: str, kind: Kind) -> bool:
    """Whether two answers are the same, in whatever dress. No answer ("") is the same as none, not even as itself."""
    rules = rules_of(kind)
    return rules.same(rules.normal(prediction), rules.normal(gold))


def is_right(found: FoundAnswer, gold: str, kind: Kind) -> bool:
    """Whether an answer found is the gold one, in its first reading or its second: "50%" answers both 50 and 0.5."""
    same, answer, also = rules_of(kind).same, found.answer, found.also
    for right in _gold_readings(gold, kind):  # noqa: SIM110 - a loop takes half the time
        if same(answer, right) or (also and same(also, right)):
            return True
    return False


def is_right_for(found: FoundAnswer, problem: Problem) -> bool:
    """Whether an answer found is one of the right answers to `problem`."""
    return any(is_right(found, gold, rules_for(problem)) for gold in problem.golds)


def answers_problem(answer: str, problem: Problem) -> bool:
    """Whether `answer`, in any dress, is one of the right answers to `problem`."""
    rules = rules_for(problem)
    return is_right_for(FoundAnswer(rules.normal(answer), How.NONE), problem)


def mentions(text: str, gold: str, kind: Kind, choices: tuple[str, ...] = ()) -> bool:
    """Whether any candidate anywhere in `text` is the gold answer."""
    return any(same_answer(candidate, gold, kind) for candidate in set(rules_of(kind).every(text, choices)))


def grade(text: str, complete: bool, problem: Problem) -> tuple[str, Verdict]:
    """The answer of a student's completion, and the verdict on it. `complete`: it ended by itself, within its limit.
    Thinking that does not end was cut off, whatever `complete` says."""
    rules = rules_for(problem)
    said, closed, found = text, True, _at_once(text, rules, problem.choices, problem.question)
    if found is None:
        said, closed = _said(text)
        found = _judged(said, rules, problem.choices, problem.question)
    if not complete or not closed:
        return found.answer, Verdict.TRUNCATED
    if problem.grader:
        return found.answer, own_verdict(problem, said)
    if is_right_for(found, problem):
        return found.answer or found.also, Verdict.CORRECT
    if problem.answer_kind is AnswerKind.TEXT and _as_taught(said, problem):
        return extract(problem.answer, problem.answer_kind) or found.answer, Verdict.CORRECT
    return found.answer, Verdict.WRONG if found.answer else Verdict.NO_ANSWER


def _as_taught(said: str, problem: Problem) -> bool:
    """Whether a completion ends in a right answer to the letter, as a student is taught to write it. Texts that look
    like an anchor themselves ("the answer is blowing") are read back by this alone."""
    said = said.rstrip()
    ends = (said, said.removesuffix("."))
    return any(
        _TAUGHT.search(end.removesuffix(gold)[-40:]) is not None
        for gold in map(str.strip, problem.golds)
        for end in ends
        if gold and end.endswith(gold)
    )


def judged_answer(text: str, kind: Kind, choices: tuple[str, ...] = (), question: str = "") -> FoundAnswer:
    """The answer in the part of a completion that counts: `find_answer` of its `judged_part`. With its `question`
    beside it, a statement that says again what is asked is an answer, too."""
    rules = rules_of(kind)
    found = _at_once(text, rules, choices, question)
    return _judged(_said(text)[0], rules, choices, question) if found is None else found


def judged_part(text: str) -> str:
    """The part of a student's completion that counts: what it says after its thinking, up to somebody else's words and
    up to the first blank line after an answer line. Without an answer line nothing is cut there: the answer may follow
    a blank line. "" where the thinking does not end."""
    said, _ = _said(text)
    return said[: judged_end(said, lowered(said))]


def _said(text: str) -> tuple[str, bool]:
    """What a completion says after its thinking; nothing, where that does not end, and whether it does."""
    if not may_think(text):
        return text, True
    thinking = split_thinking(text)
    if not thinking.closed:
        return "", False
    start = own_start(thinking.said)
    return thinking.said[start:] if start else thinking.said, True


def _judged(said: str, kind: Kind, choices: tuple[str, ...], question: str = "") -> FoundAnswer:
    said = before_question(said, question) if question else said
    low = lowered(said)
    end = min(judged_end(said, low), asked_again(said, question))
    if end < len(said):
        said, low = said[:end], low[:end]
    found = _found(said, low, kind, choices)
    if question and found.how in (How.NONE, How.LAST_CANDIDATE):
        return rules_of(kind).beside(question, said, choices) or found
    return found


def _at_once(said: str, rules: AnswerRules, choices: tuple[str, ...], question: str = "") -> FoundAnswer | None:
    """The answer of a text that is nothing else, or that states it in plain words at its end; None where it takes a
    closer look. `_found` finds the same."""
    if len(said) <= _LONGEST_BARE:
        line = said.strip()
        plain = _PLAIN_LINE.fullmatch(line) is not None and rules.is_bare(line, choices)
        return rules.first(line, choices, How.LEADING) if plain else None
    stated = plainly_stated(said)
    if not stated or before_withdrawal(said) is not None or asked_again(said, question) < len(said):
        return None
    found = rules.first(stated, choices, How.ANCHORED)
    return found if found is not None and (found.answer or found.also) else None


def answer_of_reply(answer_text: str, problem: Problem) -> str:
    """The answer in what a teacher wrote after its answer heading ("**(B)**", "$1,234.00", "Yes, it is."): that of the
    first line, and only when this has none, that of the rest."""
    return found_in_reply(answer_text, problem).answer


def found_in_reply(answer_text: str, problem: Problem) -> FoundAnswer:
    """`answer_of_reply`, how it was found, and its other reading."""
    kind, choices = rules_for(problem), problem.choices
    line = first_line(answer_text.lstrip())
    first = rules_of(kind).first
    sayings = [*anchored(line, lowered(line)), (0, line[:LONGEST_ANSWER], How.ANCHORED)]
    for _, said, how in sayings:
        found = first(said, choices, how)
        if found and (found.answer or found.also):
            return found
    return find_answer(answer_text, kind, choices)


def is_answer(gold: str, kind: Kind, choices: tuple[str, ...] = ()) -> bool:
    """Whether `gold` can be a gold answer of this kind, such as the letter of one of the `choices`."""
    return rules_of(kind).is_gold(gold.strip(), choices)


@lru_cache(maxsize=1024)
def _gold_readings(gold: str, kind: Kind) -> tuple[str, ...]:
    return rules_of(kind).readings(gold)


def _found(text: str, low: str, kind: Kind, choices: tuple[str, ...]) -> FoundAnswer:
    rules = rules_of(kind)
    if ("`" in text and "```" in text) or ("<" in text and "</" in text):
        text = _DRESS_TAG.sub(" ", _FENCE.sub("", text))
        low = lowered(text)
    if "\n>" in text:
        text = _QUOTE.sub("\n", text)
        low = lowered(text)
    if "~~" in text or "cancel" in text or "</del>" in text or "</strike>" in text:
        text = without_struck(text)
        low = lowered(text)
    if "boxed" in text and _NEXT_BOX.search(text):
        text = _NEXT_BOX.sub(", ", _SAME_BOX.sub(r"\1", text))
        low = lowered(text)
    if not rules.settles and (rest := before_withdrawal(text)) is not None:  # it answers a yes-no question
        anchor = next(anchored(rest, lowered(rest)), None)
        return _found(rest, lowered(rest), kind, choices) if anchor else NO_ANSWER
    for start, said, how in anchored(text, low):
        if not rules.lists_are_answers and said.startswith("- ") and text[:start].rstrip(" \t").endswith("\n"):
            said = said[2:]  # of a list, not of a number
            if _several_lines(said, rules, choices):
                return NO_ANSWER
        found = rules.first(said, choices, how)
        if found is not None:
            return found if found.answer or found.also else NO_ANSWER
        if rules.settles and how is How.ANCHORED and _WORD.search(said):
            text = text[start:]  # only what comes after can still say otherwise
            break
    text = without_courtesy(without_struck(text))
    checked = before_verification(text)
    before = _unannounced(checked, rules, choices) if checked is not None else NO_ANSWER
    return before if before is not NO_ANSWER else _unannounced(text, rules, choices)


def _unannounced(text: str, rules: AnswerRules, choices: tuple[str, ...]) -> FoundAnswer:
    """The answer of a text that no anchor announces."""
    if _several_lines(text, rules, choices):
        return NO_ANSWER
    leading = _leading(text, rules, choices)
    withdrawn = leading is not None and is_taken_back(lowered(text), text.find("\n"))
    first = None if withdrawn else leading or _weakly_anchored(text, rules, choices)
    found = first or rules.last(text, choices) or leading
    return found if found is not None and (found.answer or found.also) else NO_ANSWER


def _several_lines(text: str, rules: AnswerRules, choices: tuple[str, ...]) -> bool:
    """Whether a text is nothing but several answers, a line each."""
    if "\n" not in text or len(text) > _LONGEST_BARE * 2:
        return False
    lines = [bare for line in text.split("\n") if (bare := line.strip(" \t\r*-•"))]
    numbered = [line.removeprefix(f"{place}").lstrip(".)") for place, line in enumerate(lines, 1)]
    if all(_NUMBERED.match(line) and line.startswith(f"{place}") for place, line in enumerate(lines, 1)):
        lines = [line.strip() for line in numbered]
    if len(lines) < 2 or not all(rules.is_bare(line, choices) for line in lines):
        return False
    found = (rules.first(line, choices, How.LEADING) for line in lines)
    return len({one.answer for one in found if one}) > 1


def _weakly_anchored(text: str, rules: AnswerRules, choices: tuple[str, ...]) -> FoundAnswer | None:
    """What stands after a word that announces an answer in another way: "Ans:", "Result: 42", "答案是"."""
    for said, alone in weakly_anchored(text):
        if not alone or rules.is_bare(first_line(said), choices):
            found = rules.first(said, choices, How.ANCHORED)
            if found is not None and found.answer:
                return found
    return None


def _leading(text: str, rules: AnswerRules, choices: tuple[str, ...]) -> FoundAnswer | None:
    """What a text begins with that goes on after an anchor in its prompt: ": 5 apples.", or a first line " 5. "."""
    said = text[:LONGEST_ANSWER].lstrip()
    if said.startswith(":"):
        return rules.first(said[1:].lstrip(), choices, How.LEADING)
    line = first_line(said)
    if not 0 < len(line) <= _LONGEST_BARE or not rules.is_bare(line, choices) or _IN_COLUMNS.match(said, len(line)):
        return None
    found, following = rules.first(line, choices, How.LEADING), first_line(said[len(line) :].lstrip())
    if found and len(following) <= _LONGEST_BARE and rules.is_bare(following, choices):
        other = rules.first(following, choices, How.LEADING)
        return found if other is None or other.answer == found.answer else None  # a list, such as the options
    return found
