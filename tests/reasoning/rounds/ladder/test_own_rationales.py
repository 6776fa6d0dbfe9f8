"""What of the student's own right words is learnt, and when two solutions are one."""

from __future__ import annotations

import pytest

from reasoning.prompts.student_forms import default_form, student_form
from reasoning.records import AnswerKind, Attempt, Problem, RationaleSource, Split, Verdict
from reasoning.rounds.ladder.own_rationales import own_rationales, steps_of

PROBLEM = Problem("t", "How many?", "5", AnswerKind.NUMBER, Split.TRAIN)


def attempt(text: str, verdict: Verdict = Verdict.CORRECT, sample: int = 0, complete: bool = True) -> Attempt:
    return Attempt(PROBLEM.id, 2, sample, text, complete, 9, "5", verdict)


def test_right_attempts_become_rationales_each_solution_once() -> None:
    attempts = [
        attempt(" Two and three. 2 + 3 = 5.\nAnswer: 5"),
        attempt(" 2+3=5, so there are five.\nAnswer: 5", sample=1),  # the same steps in other words
        attempt(" 3 + 2 = 5.\nAnswer: 5", sample=2),
        attempt(" 2 + 2 = 4.\nAnswer: 4", Verdict.WRONG, sample=3),
        attempt(" 1 + 4 = 5.\nAnswer: 5", sample=4, complete=False),
        attempt("5", sample=5),  # no rationale
        attempt(" 4 + 1 = 5.\nAnswer: 5\n\nQuestion: and so on?", sample=6),
    ]
    found = own_rationales(PROBLEM, attempts, default_form(), "small", 4)
    assert [(one.text, one.sample) for one in found] == [
        ("Two and three. 2 + 3 = 5.", 0),
        ("3 + 2 = 5.", 2),
        ("4 + 1 = 5.", 6),
    ]
    assert all(one.kept and one.source is RationaleSource.STUDENT and one.model == "small" for one in found)
    assert len(own_rationales(PROBLEM, attempts, default_form(), "small", 2)) == 2


@pytest.mark.parametrize("form", ["reasoning", "fine_tune_cot", "zero_shot_cot"])
def test_a_completion_gives_back_its_rationale_in_every_form(form: str) -> None:
    for rationale in ("2 + 3 = 5.", "There are 2.\nAnd 3 more.", "The Answer: line comes later. 2 + 3 = 5."):
        completion = student_form(form).completion(rationale, "5")
        assert student_form(form).rationale_in(completion) == rationale
    assert student_form(form).rationale_in("5") is None
    assert student_form("label").rationale_in(" 5") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2 + 3 = 5. So 5 * 2 = $10.", "First 2+3=5; then 5*2=10.", True),
        ("2 + 3 = 5.", "3 + 2 = 5.", False),
        ("She has 1,200 / 2 = 600.", "1200 / 2 = 600", True),
        ("The coin is heads up. Ann flips it.", "The coin is heads up, Ann flips it!", False),
        ("The coin is heads up. Ann flips it.", "the coin is  heads up;\nann flips it", True),
        ("(3 + 4) * 2 = 14", "3 + 4 * 2 = 14", True),
    ],
)
def test_solutions_are_told_apart_by_their_steps(one: str, other: str, same: bool) -> None:
    assert (steps_of(one) == steps_of(other)) is same
