"""How large planned calls can be, measured on a run's own prompts."""

from __future__ import annotations

from reasoning.estimate.call_plan import Calls, Planned
from reasoning.estimate.call_sizes import call_size, longest_mistake, questions_of
from reasoning.estimate.sums import CallSize, Use
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import Mistake
from reasoning.rounds.exam import exam_questions, first_questions
from reasoning.rounds.requests import Ask, Query, RequestBuilder
from reasoning.tasks.loading import TaskData, load_problems
from reasoning.teacher.prices import most_prompt_tokens

RECIPE = """
task: {name: coin_flip, train: 12, validation: 4, test: 4}
teacher: {first_prompt: zero_shot_cot}
learning: {rounds: 2, first_questions: 5, exam: {questions: 4}, new_questions: {per_mistake: 2, answers: 3}}
"""


def made() -> tuple[RequestBuilder, TaskData]:
    recipe = parse_recipe(RECIPE, "test")
    data = load_problems(recipe.task, recipe.seed)
    return RequestBuilder(recipe, run_prompts(recipe), data.train, {one.id: one for one in data.train}), data


def size(ask: Ask, step: int = 1, rounds: tuple[int, ...] = (1, 2), measured: tuple[Use, ...] = ()) -> CallSize:
    requests, data = made()
    return call_size(Planned(ask, step, rounds, Calls.of(1), "exact"), requests, data, 64, measured)


def test_calls_are_about_the_questions_that_the_run_draws() -> None:
    requests, data = made()
    learning, seed = requests.recipe.learning, requests.recipe.seed
    plan = Planned(Ask.RATIONALES, 1, (0,), Calls.of(5), "exact")
    assert questions_of(plan, requests) == first_questions(data.train, learning, seed)
    later = Planned(Ask.FEEDBACK, 1, (1, 2), Calls.of(8), "exact")
    exams = [one for round in (1, 2) for one in exam_questions(data.train, learning, seed, round)]
    assert questions_of(later, requests) == exams


def test_feedback_is_bounded_by_the_longest_answer_of_a_student() -> None:
    requests, data = made()
    problem = data.train[0]
    longest = longest_mistake(problem, 64)
    real = Mistake(problem.id, 1, "No: it was flipped.", "no")
    bounds = [
        most_prompt_tokens(requests.at_step(Query(Ask.FEEDBACK, problem, mistake)).messages)
        for mistake in (real, longest)
    ]
    assert len(longest.text) == 256 and bounds[0] < bounds[1]
    assert size(Ask.FEEDBACK).characters > 256


def test_a_second_request_holds_the_longest_reply_to_the_first() -> None:
    first, second = size(Ask.RATIONALES, 1, (0,)), size(Ask.RATIONALES, 2, (0,))
    assert second.characters >= first.characters + 4 * first.max_tokens
    assert second.most_prompt_tokens > first.most_prompt_tokens


def test_a_new_question_may_be_longer_than_any_known_one() -> None:
    new = size(Ask.NEW_ANSWERS)
    assert new.most_prompt_tokens > new.characters / 4


def test_calls_without_reported_usage_are_not_measured() -> None:
    assert size(Ask.FEEDBACK, measured=(Use(0, 0), Use(80, 20))).measured == (Use(80, 20),)
