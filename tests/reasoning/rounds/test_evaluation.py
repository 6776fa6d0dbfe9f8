"""The grading of completions, and the accuracy reported for a split. Whole evaluations are in the tests of phases."""

from __future__ import annotations

import pytest

from reasoning.records import AnswerKind, Problem, Split, Verdict
from reasoning.rounds.evaluation import accuracy_metrics, graded_attempt
from reasoning.student.sampling import Completion

PROBLEM = Problem("t", "How many?", "18", AnswerKind.NUMBER, Split.VALIDATION)


@pytest.mark.parametrize(
    ("text", "complete", "verdict"),
    [("So.\nAnswer: 18", True, Verdict.CORRECT), ("So.\nAnswer: 19", True, Verdict.WRONG)],
)
def test_an_attempt_keeps_what_was_said_and_its_verdict(text: str, complete: bool, verdict: Verdict) -> None:
    attempt = graded_attempt(PROBLEM, 2, 1, Completion(text, complete, 9))
    assert (attempt.problem_id, attempt.round, attempt.sample) == (PROBLEM.id, 2, 1)
    assert (attempt.text, attempt.complete, attempt.tokens, attempt.verdict) == (text, complete, 9, verdict)
    assert attempt.prediction == text[-2:]


def test_accuracy_is_named_after_its_split_and_lies_within_its_interval() -> None:
    metrics = accuracy_metrics(Split.TEST, [Verdict.CORRECT] * 3 + [Verdict.WRONG])
    assert (metrics["test_questions"], metrics["test_correct"], metrics["test_accuracy"]) == (4, 3, 0.75)
    assert 0 < float(metrics["test_low"]) < 0.75 < float(metrics["test_high"]) < 1
    assert accuracy_metrics(Split.TEST, [])["test_accuracy"] == 0.0
