"""Which training questions are asked when."""

from __future__ import annotations

from reasoning.recipe.tailored import parse_recipe
from reasoning.records import AnswerKind, Problem, Split
from reasoning.rounds.exam import exam_questions, examined, first_questions
from reasoning.rounds.ladder.exam import ladder_exam
from reasoning.rounds.ladder.policy import Result

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


def test_what_exams_may_come_to_is_known_beforehand() -> None:
    for text in ("rounds: 2, exam: {questions: 3}", "rounds: 9, exam: {questions: 3}", "rounds: 1", "rounds: 0"):
        learning = parse_recipe(f"learning: {{{text}}}", "test").learning
        asked = [one for round in range(1, learning.rounds + 1) for one in exam_questions(TRAIN, learning, 7, round)]
        assert {one.id for one in asked} == {one.id for one in examined(TRAIN, learning, 7)}


def test_the_ladder_comes_to_no_other_questions() -> None:
    learning = parse_recipe("learning: {rounds: 3, help: ladder, exam: {questions: 2}}", "test").learning
    may = {one.id for one in examined(TRAIN, learning, 7)}
    results: dict[str, tuple[Result, ...]] = {}
    for round in (1, 2, 3):
        asked = ladder_exam(TRAIN, learning, 7, round, results)
        assert {one.id for one in asked} <= may and len(may) == 6
        for one in asked:
            results[one.id] = (*results.get(one.id, ()), Result(round, 4, 4))
