"""The arithmetic of an estimate, against cases worked out by hand."""

from __future__ import annotations

import pytest

from reasoning.estimate.call_plan import Calls, Planned, collection_plan, missed, run_plan
from reasoning.estimate.stand_ins import stand_in, wrong_answer
from reasoning.estimate.sums import CallEstimate, CallSize, Estimate, Pace, Rates, Use, rates_of
from reasoning.prompts.run_prompts import RunPrompts, run_prompts
from reasoning.prompts.student_forms import default_form
from reasoning.recipe.learning import LearningSection
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import AnswerKind, Problem, Split
from reasoning.rounds.order import Phase, PhaseRecord, phases_of
from reasoning.rounds.requests import Ask
from reasoning.teacher.calls import BatchSettings, EndpointSettings
from reasoning.teacher.prices import Price


def made(text: str) -> tuple[LearningSection, RunPrompts]:
    recipe = parse_recipe(text, "test")
    return recipe.learning, run_prompts(recipe)


def counted(planned: list[Planned]) -> list[tuple[str, int, int, float, int]]:
    return [(one.ask, one.step, one.calls.least, one.calls.expected, one.calls.most) for one in planned]


def finished(
    round: int, mistakes: int = 0, questions: int = 12, up_to: Phase = Phase.EVALUATE, missed: int | None = None
) -> list[PhaseRecord]:
    """The phases of `round` up to and with `up_to`."""
    order = phases_of(round)
    metrics = {"questions": questions, "mistakes": mistakes, "validation_accuracy": 0.5}
    metrics |= {"missed_questions": missed} if missed is not None else {}
    return [PhaseRecord(round, phase, 1.0, metrics) for phase in order[: order.index(up_to) + 1]]


# Calls ---------------------------------------------------------------------------------------------------------------


def test_rounds_are_counted_by_hand() -> None:
    learning, prompts = made(
        "learning: {rounds: 2, first_questions: 24, first_rationales: 3, mistakes_per_question: 2, "
        "rationales_per_mistake: 5, exam: {questions: 12, samples: 4}, new_questions: {per_mistake: 2, answers: 3}}"
    )
    planned = run_plan(learning, prompts, 60, [], missed(learning, []))
    assert counted(planned) == [
        (Ask.RATIONALES, 1, 72, 72.0, 72),  # 24 x 3
        (Ask.FEEDBACK, 1, 0, 120.0, 240),  # 2 rounds x 12 questions x 2 mistakes x 5, half of them missed
        (Ask.NEW_QUESTIONS, 1, 0, 24.0, 48),  # 2 x 12 x 2
        (Ask.NEW_ANSWERS, 1, 0, 144.0, 288),  # each 2 proposals x 3 answers
    ]
    assert planned[0].basis == "exact" and planned[1].basis == "50% missed (assumed)"
    assert planned[1].label == "rounds 1 – 2: feedback"


def test_a_prompt_in_two_steps_is_two_calls() -> None:
    learning, prompts = made("{teacher: {first_prompt: zero_shot_cot}, learning: {rounds: 0, first_questions: 500}}")
    assert counted(run_plan(learning, prompts, 60, [], missed(learning, []))) == [
        (Ask.RATIONALES, 1, 60, 60.0, 60),  # there are no more than 60
        (Ask.RATIONALES, 2, 60, 60.0, 60),
    ]
    assert [one[1:3] for one in counted(collection_plan(7, 4, prompts))] == [(1, 28), (2, 28)]


def test_feedback_that_looks_at_no_mistake_asks_once_for_all_mistakes_of_a_question() -> None:
    learning, prompts = made(
        "{teacher: {feedback_prompt: plain}, learning: {rounds: 1, first_questions: 0, mistakes_per_question: 3, "
        "rationales_per_mistake: 2, exam: {questions: 10}}}"
    )
    assert counted(run_plan(learning, prompts, 60, [], missed(learning, [], 0.2))) == [(Ask.FEEDBACK, 1, 0, 4.0, 20)]


def test_of_a_question_with_several_mistakes_such_feedback_is_asked_once() -> None:
    learning, prompts = made(
        "{teacher: {feedback_prompt: plain}, learning: {rounds: 2, first_questions: 0, mistakes_per_question: 4, "
        "exam: {questions: 50}}}"
    )
    done = [*finished(0), *finished(1, mistakes=100, questions=50, up_to=Phase.EXAM, missed=30)]
    planned = run_plan(learning, prompts, 60, done, missed(learning, done))
    assert counted(planned) == [(Ask.FEEDBACK, 1, 25, 30.0, 30), (Ask.FEEDBACK, 1, 0, 30.0, 50)]


def test_a_given_share_goes_before_the_last_exam_and_that_before_the_half() -> None:
    learning, _ = made("learning: {mistakes_per_question: 9, exam: {samples: 4}}")
    done = [*finished(0), *finished(1, mistakes=30)]
    assert (missed(learning, done, 0.25).questions, missed(learning, done, 0.25).mistakes) == (0.25, 1.0)
    assert (missed(learning, done).questions, missed(learning, done).mistakes) == (1.0, 2.5)
    assert missed(learning, done).basis == "as the last exam found"
    assert (missed(learning, []).questions, missed(learning, []).mistakes) == (0.5, 2.0)


def test_what_is_finished_is_not_counted_again() -> None:
    learning, prompts = made("learning: {rounds: 3, first_questions: 24, exam: {questions: 12}}")
    done = [*finished(0), *finished(1, mistakes=3)]
    assert counted(run_plan(learning, prompts, 60, done, missed(learning, done))) == [(Ask.FEEDBACK, 1, 0, 6.0, 24)]
    done += finished(2, mistakes=7, up_to=Phase.EXAM)
    left = run_plan(learning, prompts, 60, done, missed(learning, done))
    assert counted(left) == [(Ask.FEEDBACK, 1, 7, 7.0, 7), (Ask.FEEDBACK, 1, 0, 7.0, 12)]
    assert [one.label for one in left] == ["round 2: feedback", "round 3: feedback"]
    assert [one.basis for one in left] == ["exact", "as the last exam found"]
    every = [*finished(0), *(one for round in (1, 2, 3) for one in finished(round, mistakes=3))]
    assert run_plan(learning, prompts, 60, every, missed(learning, every)) == []


def test_labels_alone_need_no_teacher() -> None:
    learning, prompts = made("{student: {prompt: label}, learning: {rounds: 0}}")
    assert run_plan(learning, prompts, 60, [], missed(learning, [])) == []


# Money, tokens, time -------------------------------------------------------------------------------------------------

CHEAP = Price(1.0, 2.0)  # dollars for a million tokens
RATES = Rates(CHEAP, Price(2.0, 4.0))


def row(calls: Calls, size: CallSize, known: tuple[Use, ...] = (), rates: Rates | None = RATES) -> CallEstimate:
    return CallEstimate(Planned(Ask.RATIONALES, 1, (0,), calls, "exact"), size, rates, known)


def test_a_sample_gives_the_mean_and_the_limits_give_the_most() -> None:
    size = CallSize(400, 500, 300, (Use(100, 40), Use(120, 60)))
    one = row(Calls.of(10), size)
    assert (one.prompt_tokens, one.completion_tokens) == (1100, 500)
    assert one.expected == pytest.approx((1100 * 1 + 500 * 2) / 1e6)
    assert one.most == pytest.approx(10 * (500 * 2 + 300 * 4) / 1e6)
    bounds = size.intervals()
    assert bounds is not None
    reach = 12.706 * 10  # Student's t for one degree of freedom, and the error of the mean
    assert (bounds[0].low, bounds[0].high) == pytest.approx((110 - reach, 110 + reach))
    assert CallSize(400, 500, 300, (Use(1, 1),)).intervals() is None


def test_without_a_sample_the_prompt_is_measured_in_characters_and_the_reply_is_as_long_as_it_may_be() -> None:
    one = row(Calls(0, 5.0, 10), CallSize(400, 500, 300))
    assert (one.prompt_tokens, one.completion_tokens) == (500, 1500)
    assert one.most is not None and one.expected is not None and one.most > one.expected


def test_what_is_known_is_not_estimated() -> None:
    uses = (Use(90, 30), Use(110, 50), Use(130, 10))
    whole = row(Calls.of(3), CallSize(400, 500, 300, uses), uses)
    assert (whole.prompt_tokens, whole.completion_tokens) == (330, 90)
    assert whole.to_pay == whole.most_to_pay == 0.0
    assert whole.expected == whole.most == pytest.approx((330 + 180) / 1e6)
    part = row(Calls.of(5), CallSize(400, 500, 300, uses), uses)
    assert part.prompt_tokens == 330 + 2 * 110
    assert part.to_pay == pytest.approx(2 * (110 + 60) / 1e6)
    both = Estimate((whole, part))
    assert both.calls == Calls.of(8) and both.known_calls == 6
    assert both.to_pay == pytest.approx(part.to_pay)
    assert both.expected == pytest.approx((whole.expected or 0) + (part.expected or 0))


def test_a_model_without_a_price_costs_nothing_that_is_known() -> None:
    size = CallSize(400, 500, 300)
    one = Estimate((row(Calls.of(1), size), row(Calls.of(1), size, rates=None)))
    assert one.expected is one.most is one.to_pay is one.most_to_pay is None
    assert one.prompt_tokens == 200


def test_several_places_are_expected_by_weight_and_bounded_by_the_dearest() -> None:
    batched = EndpointSettings(
        "b", "http://b", "m", weight=3, price=Price(4, 8, batch_share=0.5), batch=BatchSettings()
    )
    live = EndpointSettings("a", "http://a", "m", weight=1, price=Price(6, 4))
    assert rates_of([live, batched]) == Rates(Price(3.0, 4.0), Price(6.0, 4.0))
    assert rates_of([live, EndpointSettings("c", "http://c", "m")]) is None


def test_the_time_is_that_of_the_tighter_limit_and_two_teachers_take_turns() -> None:
    size = CallSize(400, 500, 300, (Use(100, 100),))
    first = row(Calls.of(60), size)
    later = CallEstimate(Planned(Ask.FEEDBACK, 1, (1,), Calls.of(30), "exact"), size, RATES)
    slow, fast = Pace(60, 4000), Pace(30, None)
    assert Estimate((first,)).minutes({Ask.RATIONALES: slow}) == pytest.approx(3.0)  # 12000 tokens; 1 by requests
    assert Estimate((first, later)).minutes({Ask.RATIONALES: slow, Ask.FEEDBACK: fast}) == pytest.approx(4.0)
    assert Estimate((first, later)).minutes({Ask.RATIONALES: fast, Ask.FEEDBACK: fast}) == pytest.approx(3.0)
    assert Estimate((first,)).minutes({Ask.RATIONALES: Pace(None, None)}) is None


# Stand-ins -----------------------------------------------------------------------------------------------------------


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
