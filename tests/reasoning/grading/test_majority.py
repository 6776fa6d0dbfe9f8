"""Answers of one question are counted by the rule of their kind."""

from __future__ import annotations

from reasoning.grading.majority import same_answers
from reasoning.records import AnswerKind


def test_the_largest_group_is_first_and_no_answer_has_no_vote() -> None:
    assert same_answers(["18", "", "18.0", "7", ""], AnswerKind.NUMBER) == [["18", "18.0"], ["7"]]


def test_of_groups_of_one_size_the_one_that_came_first_is_first() -> None:
    assert same_answers(["no", "yes"], AnswerKind.YES_NO) == [["no"], ["yes"]]
    assert same_answers([], AnswerKind.TEXT) == []
