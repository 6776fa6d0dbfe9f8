"""Which questions come back, and which are new."""

from __future__ import annotations

from reasoning.recipe.learning import LearningSection
from reasoning.records import AnswerKind, Problem, Split
from reasoning.rounds.exam import exam_order, exam_questions
from reasoning.rounds.ladder.exam import ladder_exam
from reasoning.rounds.ladder.policy import Result

TRAIN = [Problem("t", f"question {i}", "4", AnswerKind.NUMBER, Split.TRAIN) for i in range(40)]


def learning(**keys: object) -> LearningSection:
    return LearningSection.model_validate({"help": "ladder", **keys})


def test_without_a_number_all_are_asked_but_most_of_the_solved_ones() -> None:
    whole = learning()
    assert ladder_exam(TRAIN, whole, 0, 1, {}) == TRAIN
    solved = {one.id: (Result(1, 4, 4), Result(2, 4, 4)) for one in TRAIN[:20]}
    missed = {one.id: (Result(1, 4, 4), Result(2, 3, 4)) for one in TRAIN[20:]}
    third = ladder_exam(TRAIN, whole, 0, 3, {**solved, **missed})
    assert set(TRAIN[20:]) <= set(third) and len(third) == 25
    assert third == ladder_exam(TRAIN, whole, 0, 3, {**solved, **missed})
    assert {one.id for one in third} != {one.id for one in ladder_exam(TRAIN, whole, 0, 4, {**solved, **missed})}
    all_solved = {one.id: (Result(1, 4, 4), Result(2, 4, 4)) for one in TRAIN}
    none = learning(ladder={"examine_solved": 0})
    assert len(ladder_exam(TRAIN, none, 0, 3, all_solved)) == 1  # an exam has a question


def test_with_a_number_missed_questions_come_back_the_medium_ones_first_and_the_rest_is_new() -> None:
    part = learning(exam={"questions": 10})
    first = ladder_exam(TRAIN, part, 7, 1, {})
    assert first == exam_questions(TRAIN, part, 7, 1)
    rights = [4, 0, 2, 0, 4, 1, 4, 4, 0, 0]
    results = {one.id: (Result(1, right, 4),) for one, right in zip(first, rights, strict=True)}
    second = ladder_exam(TRAIN, part, 7, 2, results)
    assert second[:5] == [first[2], first[5], first[1], first[3], first[8]]
    assert second[5:] == exam_order(TRAIN, 7)[10:15]
    fresh = ladder_exam(TRAIN, learning(exam={"questions": 10}, ladder={"examine_again": 0}), 7, 2, results)
    assert fresh == exam_order(TRAIN, 7)[10:20]


def test_when_nothing_is_new_the_longest_ago_come_back_and_solved_ones_last() -> None:
    few = TRAIN[:6]
    part = learning(exam={"questions": 4}, ladder={"solved_after": 1})
    results = {
        one.id: (Result(round, right, 4),)
        for one, round, right in zip(few, (1, 1, 2, 2, 1, 2), (4, 0, 0, 4, 0, 2), strict=True)
    }
    asked = ladder_exam(few, part, 0, 3, results)
    assert len(asked) == len({one.id for one in asked}) == 4
    assert few[0] not in asked and few[3] not in asked
