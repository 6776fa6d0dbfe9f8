"""Stand-ins for mistakes: wrong answers of the right kind and length."""

from __future__ import annotations

import pytest

from reasoning.estimate.stand_ins import stand_in, stand_ins, wrong_answer
from reasoning.prompts.student_forms import default_form
from reasoning.records import AnswerKind, Problem, Split


@pytest.mark.parametrize(
    ("kind", "answer", "wrong"),
    [
        (AnswerKind.NUMBER, "18", "19"),
        (AnswerKind.NUMBER, "9", "0"),
        (AnswerKind.YES_NO, "yes", "no"),
        (AnswerKind.CHOICE, "C", "A"),
        (AnswerKind.TEXT, "yajo", "ojay"),
        (AnswerKind.TEXT, "aa", "aaaa"),
    ],
)
def test_a_stand_in_is_wrong_and_about_as_long(kind: AnswerKind, answer: str, wrong: str) -> None:
    choices = ("x", "y", "z") if kind is AnswerKind.CHOICE else ()
    problem = Problem("t", "How many?", answer, kind, Split.TRAIN, choices)
    assert wrong_answer(problem) == wrong
    said = f"Reasoning: 3 and 15 make 18.\nSo it is.\nAnswer: {answer}"
    mistake = stand_in(problem, said, default_form(), 96)
    assert mistake.text == f"3 and 15 make 19.\nSo it is.\nAnswer: {wrong}"
    assert stand_in(problem, "", default_form(), 96).text and len(stand_in(problem, said, default_form(), 2).text) == 8
    stand_in(problem, "7" * 9999, default_form(), 96)  # any text is a reply


def test_each_solution_gets_a_stand_in_of_its_own_problem() -> None:
    problems = [Problem("t", f"How many are {n}?", str(n), AnswerKind.NUMBER, Split.TRAIN) for n in (3, 5)]
    made = stand_ins([(problem, f"Reasoning: it is {problem.answer}.") for problem in problems], default_form(), 96)
    assert [mistake.problem_id for mistake in made] == [problem.id for problem in problems]
    assert [mistake.prediction for mistake in made] == ["4", "6"]
