"""What a student still gets wrong, counted by kind."""

from __future__ import annotations

import pytest

from pipelines.report.still_wrong import most_frequent_answer, still_wrong
from reasoning.records import AnswerKind, Attempt, Problem, Split, Verdict

PROBLEMS = {
    one.id: one
    for one in (
        Problem("t", "?" * (10 + i), "no" if i % 3 else "yes", AnswerKind.YES_NO, Split.TEST) for i in range(30)
    )
}
IDS = list(PROBLEMS)


def attempt(number: int, prediction: str, verdict: Verdict | None = None) -> Attempt:
    right = PROBLEMS[IDS[number]].answer == prediction
    return Attempt(
        IDS[number], 1, 0, prediction, True, 1, prediction, verdict or (Verdict.CORRECT if right else Verdict.WRONG)
    )


def test_verdicts_pairs_lengths_and_changes() -> None:
    now = [attempt(i, "yes") for i in range(29)] + [attempt(29, "", Verdict.TRUNCATED)]
    before = [attempt(i, "no") for i in range(30)]
    found = still_wrong("round 2", now, before, PROBLEMS)
    assert found.verdicts == {"correct": 10, "wrong": 19, "no answer": 0, "truncated": 1}
    assert found.pairs == [("no", "yes", 19)]
    assert [(one.right, one.questions) for one in found.lengths] == [(4, 10), (3, 10), (3, 10)]
    assert found.lengths[0].name == "short (10 – 19 characters)" and 0 < found.lengths[0].interval.low < 0.4
    assert (found.gained, found.lost) == (10, 20)


def test_what_is_not_known_is_left_out() -> None:
    found = still_wrong("round 0", [attempt(i, "yes") for i in range(5)], None, {})
    assert found.pairs == [] and found.lengths == [] and found.gained is None and found.lost is None
    assert still_wrong("round 0", [], None, PROBLEMS).lengths == []


@pytest.mark.parametrize(("known", "expected"), [(True, 2 / 3), (False, None)])
def test_the_most_frequent_answer_is_a_baseline(known: bool, expected: float | None) -> None:
    assert most_frequent_answer([attempt(i, "") for i in range(30)], PROBLEMS if known else {}) == expected


def test_of_answers_that_come_once_none_is_a_baseline() -> None:
    assert most_frequent_answer([attempt(1, "")], PROBLEMS) is None
