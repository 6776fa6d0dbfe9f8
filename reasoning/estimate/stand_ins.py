"""A stand-in for a student's mistake before the first exam: a teacher's own solution with a wrong ending.

Owns: how it is made. Invariant: it is about as long as what the student would write, and no longer than it can be; it
is used to count tokens, and never learnt from.
"""

from __future__ import annotations

from collections.abc import Iterable

from reasoning.grading.kinds import rules_for
from reasoning.grading.numbers.gold_numbers import with_another_digit
from reasoning.prompts.headings import one_block, read_reply
from reasoning.prompts.student_forms import StudentForm
from reasoning.records import Mistake, Problem
from reasoning.teacher.thinking import split_thinking

CHARACTERS_A_TOKEN = 4  # of the student's, whose answers are bounded in tokens


def stand_in(problem: Problem, solution: str, form: StudentForm, max_new_tokens: int) -> Mistake:
    """A mistake on `problem` made of a teacher's reply, `solution`, with its last number changed, in the student's
    `form`. A reply without reasoning is taken as it stands."""
    said = split_thinking(solution).said
    rationale = read_reply(said).rationale or said
    wrong = wrong_answer(problem)
    text = one_block(form.completion(with_another_digit(rationale), wrong))
    return Mistake(problem.id, 0, text[: CHARACTERS_A_TOKEN * max_new_tokens], wrong)


def stand_ins(solutions: Iterable[tuple[Problem, str]], form: StudentForm, max_new_tokens: int) -> list[Mistake]:
    """A stand-in for each problem and its solution."""
    return [stand_in(problem, solution, form, max_new_tokens) for problem, solution in solutions]


def wrong_answer(problem: Problem) -> str:
    """An answer of the right kind that is not the right one."""
    return rules_for(problem).wrong(problem.answer, problem.choices)
