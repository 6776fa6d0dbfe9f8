"""A stand-in for a student's mistake, for when no exam was sat yet: a teacher's own solution, made wrong at its end.

Owns: how it is made. Invariant: it is about as long as what the student would write, and no longer than it can be; it
is used to count tokens, and never learnt from.
"""

from __future__ import annotations

import re

from reasoning.prompts.headings import one_block, read_reply
from reasoning.prompts.student_forms import StudentForm
from reasoning.records import AnswerKind, Mistake, Problem

CHARACTERS_A_TOKEN = 4  # of the student's, whose answers are bounded in tokens
_DIGIT = re.compile(r"[0-9]")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def stand_in(problem: Problem, solution: str, form: StudentForm, max_new_tokens: int) -> Mistake:
    """A mistake on `problem` made of a teacher's reply, `solution`, with its last number changed, in the student's
    `form`. A reply without reasoning is taken as it stands."""
    rationale = read_reply(solution).rationale or solution
    wrong = wrong_answer(problem)
    text = one_block(form.completion(_with_another_number(rationale), wrong))
    return Mistake(problem.id, 0, text[: CHARACTERS_A_TOKEN * max_new_tokens], wrong)


def wrong_answer(problem: Problem) -> str:
    """An answer of the right kind that is not the right one."""
    answer = problem.answer
    if problem.answer_kind is AnswerKind.NUMBER:
        return _with_another_number(answer)
    if problem.answer_kind is AnswerKind.YES_NO:
        return "no" if answer == "yes" else "yes"
    if problem.answer_kind is AnswerKind.CHOICE:
        there = _LETTERS[: max(2, len(problem.choices))]
        return there[(there.find(answer) + 1) % len(there)]
    return answer[::-1] if answer[::-1] != answer else f"{answer}{answer}"


def _with_another_number(text: str) -> str:
    """`text` with another last digit; as it is when it has none."""
    *_, last = [None, *_DIGIT.finditer(text)]
    if last is None:
        return text
    return f"{text[: last.start()]}{(int(last[0]) + 1) % 10}{text[last.end() :]}"
