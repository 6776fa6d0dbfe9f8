"""Which of a student's words to an answer that it was shown may be learnt as an answer to the question alone.

Owns: that rule. Of no use is a rationale that
- speaks of what was shown, be it as a hint or as an answer that is given or known,
- states the answer and goes on from there ("The answer is 42, since ..."): where nothing is shown, that is a guess,
- says nothing beside the answer ("There are 42 apples."), which is one, too,
- has a false equation on its way.

Invariants
- Total, and in time linear in the text.
- What is said by somebody who was shown nothing is mostly of use: all but 1 in 200 of GSM8K's own solutions are.
"""

from __future__ import annotations

import re
from functools import lru_cache

from reasoning.grading.numbers.equations import all_true
from reasoning.grading.options import LETTERS
from reasoning.prompts.steps import steps_of
from reasoning.records import AnswerKind, Problem

HINT = "Hint: the answer is"

_HINT = re.compile(r"\bhint|\bhinweis|\bindice\b|\bpista\b|подсказ|提示|ヒント", re.IGNORECASE)
_ANSWER = re.compile(r"\banswer\b(?! (?:choices|options))", re.IGNORECASE)
_SHOWN = r"(?:given|known|shown|provided|expected|stated|told)"
_GIVEN = re.compile(
    rf"\b{_SHOWN}\b[^.!?\n]{{0,20}}\banswer\b|\banswer\b[^.!?\n]{{0,30}}\b{_SHOWN}\b"
    r"|, as (?:it (?:is|was) )?(?:given|shown|told|stated)\b(?! (?:above|before|earlier))",
    re.IGNORECASE,
)
_SPEAKING = ((_HINT, _HINT), (_GIVEN, _ANSWER))  # where the second is in a question, the first may be in a rationale
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"[.!?]\s|\n")
_FEWEST_WORDS = 3  # of a sentence that says something: "Sure!" does not
_SEVERAL = 3  # different sentences about the answer, which hardly repeat one another
_NEAR = 40  # characters after "answer" in which the one that it announces begins
_MOST_AFTER = 4  # words after an answer that is stated: "42 apples in all."


def is_of_use(problem: Problem, rationale: str) -> bool:
    """Whether `rationale`, which comes to the answer of `problem` that was shown, is to be learnt from."""
    if _betrays(problem, rationale) or not all_true(rationale):
        return False
    return _says_more(problem, rationale) and not _states_first(problem, rationale)


def _betrays(problem: Problem, text: str) -> bool:
    """Whether it speaks of what was shown. Of what the question speaks of, it may."""
    if HINT.casefold() in text.casefold():
        return True
    return any(said.search(text) and not asked.search(problem.question) for said, asked in _SPEAKING)


def _states_first(problem: Problem, text: str) -> bool:
    """Whether it says "the answer is ..." and goes on."""
    if _ANSWER.search(problem.question):
        return False
    for announced in _ANSWER.finditer(text):
        near = _SENTENCE_END.split(text[announced.end() : announced.end() + _NEAR], maxsplit=1)[0]
        stated = _answers(problem).search(near) or _NUMBER.search(near)
        if stated is None or _other_numbers(problem, near[: stated.end()]):
            continue
        after = text[announced.end() + stated.end() :]
        if len(_WORD.findall(_without_answer(problem, after))) > _MOST_AFTER or _other_numbers(problem, after):
            return True
    return False


def _says_more(problem: Problem, text: str) -> bool:
    """Whether it has a number that is not the answer, a sentence without it, or several sentences."""
    if _other_numbers(problem, text):
        return True
    said = [one for span in steps_of(text) if len(_WORD.findall(one := text[slice(*span)])) >= _FEWEST_WORDS]
    return len({one.casefold() for one in said}) >= _SEVERAL or any(_is_without(problem, one) for one in said)


def _is_without(problem: Problem, sentence: str) -> bool:
    own_words = "step by step" not in sentence.casefold()  # which the prompt of a form has
    return own_words and not _numbers(sentence) and not _answers(problem).search(sentence)


def _other_numbers(problem: Problem, text: str) -> set[float]:
    """The numbers of `text` that are not the answer's; of a date not those of its parts."""
    left = _numbers(_without_answer(problem, text))
    if problem.answer_kind in (AnswerKind.NUMBER, AnswerKind.DATE):
        left -= _numbers(" ".join(problem.golds))
    return left


def _numbers(text: str) -> set[float]:
    return {float(found.replace(",", "")) for found in _NUMBER.findall(text)}


def _without_answer(problem: Problem, text: str) -> str:
    return _answers(problem).sub(" ", text)


def _answers(problem: Problem) -> re.Pattern[str]:
    """What finds a right answer, word for word; of options their letters, which "A ball" and "I see" are not, and
    texts."""
    letters = problem.golds if problem.answer_kind is AnswerKind.CHOICE else ()
    options = tuple(text for text, letter in zip(problem.choices, LETTERS, strict=False) if letter in letters)
    return _any_of(options if letters else problem.golds, letters)


@lru_cache(maxsize=256)
def _any_of(texts: tuple[str, ...], letters: tuple[str, ...]) -> re.Pattern[str]:
    words = sorted(filter(None, map(str.strip, texts)), key=len, reverse=True)
    found = [f"(?i:{re.escape(text)})" for text in words]
    found += [rf"{re.escape(letter)}(?!\s[a-z])" if letter in "AI" else re.escape(letter) for letter in letters]
    return re.compile(rf"(?<!\w)(?:{'|'.join(found)})(?!\w)")
