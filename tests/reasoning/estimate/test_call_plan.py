"""The number of calls a run has still to make, against cases worked out by hand."""

from __future__ import annotations

from reasoning.estimate.call_plan import Planned, collection_plan, missed, run_plan
from reasoning.prompts.run_prompts import RunPrompts, run_prompts
from reasoning.recipe.learning import LearningSection
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.phase_order import Phase, PhaseRecord, phases_of
from reasoning.rounds.requests import Ask


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
    assert missed(learning, done).basis == "as the last exam found" and missed(learning, done).counted
    assert (missed(learning, []).questions, missed(learning, []).mistakes) == (0.5, 2.0)
    assert not (missed(learning, done, 0.25).counted or missed(learning, []).counted)


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


LADDER = (
    "learning: {help: ladder, rounds: 2, first_questions: 15, rationales_per_mistake: 2, exam: {questions: 12}, "
    "new_questions: {per_mistake: 1, answers: 3}%s}"
)


def test_a_ladder_is_a_range_before_its_exam_and_exact_after_it() -> None:
    learning, prompts = made(LADDER % "")
    ahead = run_plan(learning, prompts, 60, finished(0), missed(learning, []))
    assert counted(ahead) == [
        (Ask.RATIONALES, 1, 0, 9.0, 24),  # half of 2 x 12 missed, three quarters of them not taught by round 0
        (Ask.FEEDBACK, 1, 0, 6.0, 48),
        (Ask.NEW_QUESTIONS, 1, 0, 0.0, 24),
        (Ask.NEW_ANSWERS, 1, 0, 0.0, 72),
    ]
    assert ahead[0].label == "rounds 1 – 2: rationales" and "each question on one rung" in ahead[0].basis
    done = finished(0) + finished(1, 5, up_to=Phase.EXAM)
    counts = {"help_plain": 4, "help_tailored": 3, "help_new_questions": 2}
    done[-1] = PhaseRecord(1, Phase.EXAM, 1.0, {**done[-1].metrics, **counts})
    now = [one for one in run_plan(learning, prompts, 60, done, missed(learning, done)) if one.rounds == (1,)]
    assert counted(now)[:3] == [
        (Ask.RATIONALES, 1, 4, 4.0, 4),
        (Ask.FEEDBACK, 1, 6, 6.0, 6),
        (Ask.NEW_QUESTIONS, 1, 2, 2.0, 2),
    ]
    then = [one for one in run_plan(learning, prompts, 60, done, missed(learning, done)) if one.rounds == (2,)]
    assert counted(then)[0] == (Ask.RATIONALES, 1, 0, 6.75, 12)  # 9 of 12 were told of, three quarters not taught
    budgeted, _ = made(LADDER % ", ladder: {teacher_tokens: 500, new_questions: false}")
    now = [one for one in run_plan(budgeted, prompts, 60, done, missed(budgeted, done)) if one.rounds == (1,)]
    assert counted(now) == [(Ask.RATIONALES, 1, 0, 4.0, 4), (Ask.FEEDBACK, 1, 0, 6.0, 6)]
    assert now[0].basis == "as far as the budget reaches"


def test_what_is_switched_off_of_a_ladder_gives_way_to_the_next_rung() -> None:
    asked = {
        "plain: false": [(Ask.FEEDBACK, 24.0), (Ask.NEW_QUESTIONS, 0.0)],  # all that are missed, two of each
        "tailored: false": [(Ask.RATIONALES, 9.0), (Ask.NEW_QUESTIONS, 3.0)],
        "tailored: false, new_questions: false": [(Ask.RATIONALES, 12.0)],
        "plain: false, tailored: false": [(Ask.NEW_QUESTIONS, 12.0)],
    }
    for keys, expected in asked.items():
        learning, prompts = made(LADDER % f", ladder: {{{keys}}}")
        ahead = run_plan(learning, prompts, 60, finished(0), missed(learning, []))
        assert [(one.ask, one.calls.expected) for one in ahead if one.ask is not Ask.NEW_ANSWERS] == expected


def test_answers_that_are_shown_spare_calls_that_no_exam_has_counted_yet() -> None:
    learning, prompts = made(LADDER % ", ladder: {rationalize: 1}")
    spared = ", fewer where it comes to an answer that it is shown"
    assert spared in run_plan(learning, prompts, 60, finished(0), missed(learning, []))[0].basis
    done = finished(0) + finished(1, 5, up_to=Phase.EXAM)
    counts = {"help_plain": 2, "help_tailored": 1, "help_new_questions": 0, "help_rationalized": 6}
    done[-1] = PhaseRecord(1, Phase.EXAM, 1.0, {**done[-1].metrics, **counts})
    then = [one for one in run_plan(learning, prompts, 60, done, missed(learning, done)) if one.rounds == (2,)]
    assert counted(then)[0] == (Ask.RATIONALES, 1, 0, 2.25, 12) and spared not in then[0].basis


def test_questions_that_share_a_request_are_fewer_calls_and_some_may_come_again() -> None:
    learning, prompts = made(
        "{learning: {rounds: 1, first_questions: 10, per_request: 4, first_rationales: 2, exam: {questions: 12}}, "
        "teacher: {first_prompt: plain_shared, feedback_prompt: tailored_shared}}"
    )
    planned = run_plan(learning, prompts, 60, [], missed(learning, []))
    assert counted(planned) == [
        (Ask.RATIONALES, 1, 6, 6.0, 6),  # 2 x (4 + 4 + 2)
        (Ask.RATIONALES, 1, 0, 0.0, 20),
        (Ask.FEEDBACK, 1, 0, 1.5, 3),
        (Ask.FEEDBACK, 1, 0, 0.0, 12),
    ]
    assert [one.label for one in planned[:2]] == [
        "round 0: rationales, 4 a request",
        "round 0: rationales, again alone",
    ]
