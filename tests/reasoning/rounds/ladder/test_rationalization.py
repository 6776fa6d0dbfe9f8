"""Who is asked with the answer shown, what is learnt of that, and what teaches a student to read it."""

from __future__ import annotations

import pytest

from reasoning.prompts.student_forms import default_form, student_form
from reasoning.recipe.learning import LadderSection
from reasoning.records import AnswerKind, Attempt, Example, Problem, Rationale, RationaleSource, Split, Verdict
from reasoning.rounds.ladder.policy import Rung
from reasoning.rounds.ladder.rationalization import (
    is_asked_again,
    is_rationalized,
    question_with_answer,
    rationalized,
    reading_examples,
    was_shown_answer,
    without_outgrown,
)

NUMBER = Problem("t", "How many?\n", "5", AnswerKind.NUMBER, Split.TRAIN)
YES_NO = Problem("t", "Is it?", "yes", AnswerKind.YES_NO, Split.TRAIN)
ON = LadderSection(rationalize=2)


def attempt(text: str, verdict: Verdict = Verdict.CORRECT, sample: int = 0, problem: Problem = NUMBER) -> Attempt:
    return Attempt(problem.id, 1, sample, text, verdict is not Verdict.TRUNCATED, 9, problem.answer, verdict)


@pytest.mark.parametrize(
    ("problem", "verdicts", "ladder", "asked"),
    [
        (NUMBER, (Verdict.WRONG, Verdict.NO_ANSWER), ON, True),
        (NUMBER, (Verdict.TRUNCATED,), ON, True),
        (NUMBER, (Verdict.WRONG, Verdict.CORRECT), ON, False),
        (YES_NO, (Verdict.WRONG,), ON, False),  # whatever is said leads to one of two answers
        (NUMBER, (Verdict.WRONG,), LadderSection(), False),
        (NUMBER, (Verdict.WRONG,), None, False),
    ],
)
def test_who_is_asked_with_the_answer_shown(
    problem: Problem, verdicts: tuple[Verdict, ...], ladder: LadderSection | None, asked: bool
) -> None:
    attempts = [attempt("", verdict, number, problem) for number, verdict in enumerate(verdicts)]
    assert is_asked_again(problem, attempts, ladder, {Rung.PLAIN}) is asked
    assert not is_asked_again(problem, attempts, ladder, {Rung.RATIONALIZED})


def test_what_came_to_the_answer_is_a_rationale_unless_it_speaks_of_what_was_shown() -> None:
    attempts = [
        attempt(" The hint says 5. So it is 5.\nAnswer: 5"),
        attempt(" 2 + 3 = 5.\nAnswer: 5", sample=1),
        attempt(" 2 + 2 = 4.\nAnswer: 4", Verdict.WRONG, sample=2),
        attempt(" 4 + 1 = 5.\nAnswer: 5", sample=3),
        attempt(" 7 - 3 = 5.\nAnswer: 5", sample=4),  # it knew where to come to
        attempt("5", sample=5),
        attempt(" There are 5.\nAnswer: 5", sample=6),  # a guess
    ]
    found = rationalized(NUMBER, attempts, default_form(), "small", 4)
    assert [(one.text, one.sample) for one in found] == [("2 + 3 = 5.", 1), ("4 + 1 = 5.", 3)]
    assert all(one.kept and one.source is RationaleSource.STUDENT for one in found)
    assert all(one.prompt == f"{default_form().id}, answer shown" and was_shown_answer(one) for one in found)
    assert len(rationalized(NUMBER, attempts, default_form(), "small", 1)) == 1
    assert is_rationalized(NUMBER, attempts, default_form())
    assert not is_rationalized(NUMBER, [attempts[0], attempts[2], *attempts[4:]], default_form())


def test_what_it_does_by_itself_later_takes_the_place_of_its_words_to_a_shown_answer() -> None:
    student, teacher = RationaleSource.STUDENT, RationaleSource.PLAIN

    def one(round: int, source: RationaleSource, prompt: str) -> Rationale:
        return Rationale(NUMBER.id, round, source, prompt, "m", f"{round}", "5", True)

    told, before, shown = one(0, teacher, "plain"), one(1, student, "reasoning"), one(2, student, "r, answer shown")
    after, told_after = one(3, student, "reasoning"), one(3, teacher, "plain")
    assert without_outgrown([told, before, shown, after]) == [told, before, after]
    assert without_outgrown([told, before, shown, told_after]) == [told, before, shown, told_after]
    assert without_outgrown([shown]) == [shown] and without_outgrown([]) == []


@pytest.mark.parametrize("name", ["reasoning", "fine_tune_cot"])
def test_reading_is_learnt_from_what_the_teacher_explained_in_this_round(name: str) -> None:
    form = student_form(name)
    other = Problem("t", "How much?", "7", AnswerKind.NUMBER, Split.TRAIN)
    problems = {one.id: one for one in (NUMBER, YES_NO, other)}
    examples = [
        Example(one.id, form.prompt(one.question), (f"{one.answer} a", "b"), ("c",)) for one in problems.values()
    ]
    examples.append(Example("a new question", form.prompt("New?"), ("d",)))
    explained = {NUMBER.id, YES_NO.id, "a new question"}
    (reading,) = reading_examples(examples, explained, problems, form, ON)
    assert reading.problem_id == NUMBER.id and reading.positives == ("5 a",) and not reading.negatives
    assert reading.prompt == form.prompt(question_with_answer(NUMBER)) and "answer is 5" in reading.prompt
    assert form.frame.fits(reading.prompt) and reading.id not in {one.id for one in examples}
    assert not reading_examples(examples, explained, problems, form, LadderSection())
    assert not reading_examples(examples, explained, problems, form, None)
