"""Which training questions are asked when."""

from __future__ import annotations

from reasoning.recipe.tailored import parse_recipe
from reasoning.records import AnswerKind, Problem, Split
from reasoning.rounds.exam import exam_questions, first_questions

TRAIN = [Problem("t", f"What is {n}?", str(n), AnswerKind.NUMBER, Split.TRAIN) for n in range(10)]


def test_successive_exams_meet_every_question_before_any_one_twice() -> None:
    learning = parse_recipe("learning: {exam: {questions: 4}}", "test").learning
    asked = [problem for round in (1, 2, 3, 4, 5) for problem in exam_questions(TRAIN, learning, 7, round)]
    assert len({problem.id for problem in asked[:10]}) == 10
    assert asked[10:] == asked[:10]
    assert asked[:4] != exam_questions(TRAIN, learning, 8, 1)


def test_an_exam_larger_than_the_training_set_asks_all_of_it_in_order() -> None:
    learning = parse_recipe("learning: {exam: {questions: 99}}", "test").learning
    assert exam_questions(TRAIN, learning, 7, 3) == TRAIN


def test_round_0_draws_by_seed_and_never_more_than_there_are() -> None:
    learning = parse_recipe("learning: {first_questions: 6}", "test").learning
    drawn = first_questions(TRAIN, learning, 1)
    assert len({problem.id for problem in drawn}) == 6
    assert drawn == first_questions(TRAIN, learning, 1) != first_questions(TRAIN, learning, 2)
    assert len(first_questions(TRAIN[:3], learning, 1)) == 3
