"""New questions are kept by agreement, and teach what agreed."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.files.tables import read_table, write_table
from reasoning.offline.teacher import OfflineTeacher
from reasoning.prompts.student_forms import student_completion, student_form
from reasoning.prompts.teacher_prompts import teacher_prompt
from reasoning.recipe.learning import LearningSection
from reasoning.records import AnswerKind, Mistake, Problem, Rationale, RationaleSource, Split
from reasoning.rounds.example_selection import select
from reasoning.rounds.new_questions.agreement import (
    Agreement,
    NewProblem,
    Origin,
    agreement,
    independent_answer,
    new_question_metrics,
    not_admitted,
    settle,
)
from reasoning.rounds.new_questions.proposals import Proposal, ProposalFilter, ProposalOutcome, read_new_questions
from reasoning.tasks.families import FAMILIES, problems, split_of
from tests.inputs.teacher_requests import plain_content

NUMBER, YES_NO, TEXT = AnswerKind.NUMBER, AnswerKind.YES_NO, AnswerKind.TEXT
PROBLEM = Problem("task", "Ann has 3 apples and buys 4 more. How many?", "7", NUMBER, Split.TRAIN)
ORIGIN = Origin(PROBLEM, Mistake(PROBLEM.id, 2, "3 + 4 = 8.\nAnswer: 8", "8"), 2, "new_questions-1a2b", "writer")
MARY = Proposal("Mary has 2 pens and finds 5. How many?", "2 + 5 = 7.", "7", NUMBER)


def answered(text: str, proposal: Proposal = MARY, *, complete: bool = True) -> Rationale:
    return independent_answer(text, proposal, ORIGIN, prompt="plain-3c4d", model="solver", complete=complete)


RIGHT, WRONG = "Reasoning: We add.\nAnswer: 7.00", "Reasoning: 2 and 5 are 8.\nAnswer: 8"


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        (["7", "7.0", "8"], Agreement("7", 2, 3)),
        (["8", "7", "7"], Agreement("7", 2, 3)),
        (["7", "8"], Agreement("", 1, 2)),
        (["7", "8", "8", "7"], Agreement("", 2, 4)),
        (["", "", "7"], Agreement("7", 1, 3)),
        (["", "none"], Agreement("", 0, 2)),
        ([], Agreement("", 0, 0)),
    ],
)
def test_answers_that_are_the_same_are_counted(answers: list[str], found: Agreement) -> None:
    assert agreement(answers, NUMBER) == found


@given(st.lists(st.sampled_from(["yes", "No", "no.", "", "maybe"]), max_size=8), st.randoms())
def test_the_order_of_answers_does_not_count(answers: list[str], rng: random.Random) -> None:
    found = agreement(answers, YES_NO)
    shuffled = rng.sample(answers, len(answers))
    again = agreement(shuffled, YES_NO)
    assert (again.agreed, again.asked, again.answer[:2].lower()) == (
        found.agreed,
        found.asked,
        found.answer[:2].lower(),
    )
    assert found.agreed <= len([answer for answer in answers if answer not in ("", "maybe")])


def test_an_agreed_question_is_a_training_problem_and_teaches_what_agreed() -> None:
    record, rationales = settle(MARY, ORIGIN, [answered(RIGHT), answered(WRONG)], needed=2)
    assert (record.fate, record.answer, record.agreed, record.asked) == (ProposalOutcome.KEPT, "7", 2, 3)
    assert (record.from_problem_id, record.mistake_id, record.round) == (PROBLEM.id, ORIGIN.mistake.id, 2)
    assert record.problem == Problem("task", MARY.question, "7", NUMBER, Split.TRAIN)
    assert {rationale.problem_id for rationale in rationales} == {record.problem.id}
    assert [(r.source, r.text, r.kept, r.prompt, r.model) for r in rationales] == [
        (RationaleSource.NEW, "2 + 5 = 7.", True, "new_questions-1a2b", "writer"),
        (RationaleSource.PLAIN, "We add.", True, "plain-3c4d", "solver"),
        (RationaleSource.PLAIN, "2 and 5 are 8.", False, "plain-3c4d", "solver"),
    ]


def test_the_teachers_own_answer_may_be_outvoted() -> None:
    record, rationales = settle(replace(MARY, answer="9"), ORIGIN, [answered(RIGHT), answered(RIGHT)], needed=2)
    assert (record.fate, record.problem.answer) == (ProposalOutcome.KEPT, "7")
    assert [rationale.kept for rationale in rationales] == [False, True, True]


def test_a_question_without_agreement_teaches_nothing() -> None:
    record, rationales = settle(MARY, ORIGIN, [answered(RIGHT), answered(WRONG)], needed=3)
    assert (record.fate, record.agreed, record.asked) == (ProposalOutcome.NOT_AGREED, 2, 3)
    assert not any(rationale.kept for rationale in rationales)
    with pytest.raises(ValueError, match="not_agreed"):
        record.problem  # noqa: B018


def test_a_reply_that_was_cut_off_has_no_voice() -> None:
    record, rationales = settle(MARY, ORIGIN, [answered(RIGHT), answered(RIGHT, complete=False)], needed=3)
    assert (record.fate, record.agreed, record.asked) == (ProposalOutcome.NOT_AGREED, 2, 3)
    assert rationales[-1].answer == ""


def test_a_missing_rationale_of_the_teachers_own_is_none() -> None:
    record, rationales = settle(replace(MARY, rationale=""), ORIGIN, [answered(RIGHT)], needed=2)
    assert record.fate is ProposalOutcome.KEPT
    assert [rationale.source for rationale in rationales] == [RationaleSource.PLAIN]


def test_a_text_is_written_as_the_teacher_wrote_it_first() -> None:
    city = Proposal("Where is the statue?", "It is there.", "New York", TEXT)
    record, _ = settle(city, ORIGIN, [answered("Reasoning: So.\nAnswer: new york.", city)], needed=2)
    assert record.answer == "New York"


def test_new_problems_and_their_rationales_are_tables(tmp_path: Path) -> None:
    kept, rationales = settle(MARY, ORIGIN, [answered(RIGHT), answered(RIGHT)], needed=3)
    refused = not_admitted(replace(MARY, answer=""), ORIGIN, ProposalOutcome.NO_ANSWER)
    write_table(tmp_path / "new.parquet", [kept, refused], NewProblem)
    write_table(tmp_path / "rationales.parquet", rationales, Rationale)
    assert read_table(tmp_path / "new.parquet", NewProblem) == [kept, refused]
    assert read_table(tmp_path / "rationales.parquet", Rationale) == rationales
    metrics = new_question_metrics([kept, refused])
    assert (metrics["new_proposed"], metrics["new_kept"], metrics["new_no_answer"], metrics["new_held_out"]) == (
        *(2, 1, 1),
        0,
    )


def test_a_new_problem_is_learnt_like_any_other_beside_the_old_ones() -> None:
    record, rationales = settle(MARY, ORIGIN, [answered(RIGHT), answered(WRONG)], needed=2)
    old = Rationale(PROBLEM.id, 0, RationaleSource.PLAIN, "plain", "m", "3 + 4 = 7.", "7", True)
    examples = select(
        [PROBLEM, record.problem],
        [old, *rationales],
        [ORIGIN.mistake],
        LearningSection(rehearsal=1.0),
        2,
        0,
        student_form(),
    )
    first, second = examples
    assert (first.problem_id, len(first.negatives)) == (PROBLEM.id, 1)
    assert second.problem_id == record.id
    assert second.positives == (" 2 + 5 = 7.\nAnswer: 7", " We add.\nAnswer: 7")
    assert second.negatives == ()
    later = select([PROBLEM, record.problem], rationales, [], LearningSection(rehearsal=0.0), 3, 0, student_form())
    assert later == []  # a later round rehearses it by its share, as any other


# With the offline teacher -----------------------------------------------------------------------------------------


def proposed(teacher: OfflineTeacher, name: str, count: int, each: int) -> list[tuple[Problem, Mistake, Proposal]]:
    """What the teacher proposes for `count` corrupted solutions of the family."""
    family, found = FAMILIES[name], []
    for problem in problems(family, 5, Split.TRAIN, count):
        worked = family.corrupt(problem.question, random.Random(problem.id))
        mistake = Mistake(problem.id, 1, student_completion(worked.text, worked.answer).strip(), worked.answer)
        ((_, content),) = teacher_prompt("new_questions", count=each).first(problem, mistake)
        (reply,) = teacher.complete(content, temperature=0.7)
        found += [(problem, mistake, proposal) for proposal in read_new_questions(reply, problem.answer_kind)]
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_what_the_offline_teacher_proposes_is_right_new_and_needs_the_missed_step(name: str) -> None:
    family = FAMILIES[name]
    drawn = [p for split in Split for seed in (0, 5) for p in problems(family, seed, split, 60)]
    proposal_filter = ProposalFilter(drawn, split_of)
    found = proposed(OfflineTeacher(), name, 15, each=3)
    assert len(found) == 45
    for problem, mistake, proposal in found:
        assert proposal_filter.fault(proposal) is None
        assert split_of(proposal.question) is Split.TRAIN
        assert proposal.choices == family.choices(proposal.question)
        assert proposal.answer == family.solve(proposal.question).answer
        assert family.first_wrong_step(proposal.question, f"{proposal.rationale}\nAnswer: {proposal.answer}") is None
        missed = family.first_wrong_step(problem.question, mistake.text)
        assert missed is not None
        assert family.kinds_of_steps(problem.question)[missed.index] in family.kinds_of_steps(proposal.question)


@pytest.mark.parametrize("name", FAMILIES)
def test_what_a_teacher_that_errs_agrees_on_is_right_much_more_often(name: str) -> None:
    """At 30 % errors: 70 % of the proposals are right, and of those that three agree on more than 92 % (0.343 against
    0.027 where there are two answers). 150 questions, three standard deviations."""
    family, teacher = FAMILIES[name], OfflineTeacher(error_rate=0.3, seed=2)
    proposals = [proposal for _, _, proposal in proposed(teacher, name, 50, each=3)]
    kept = []
    for proposal in proposals:
        asked = plain_content(proposal.question)
        replies = [teacher.complete(asked, temperature=0.7, seed=sample)[0] for sample in range(2)]
        kept.append(settle(proposal, ORIGIN, [answered(reply, proposal) for reply in replies], needed=3)[0])
    kept = [record for record in kept if record.fate is ProposalOutcome.KEPT]
    right_proposals = sum(one.answer == family.solve(one.question).answer for one in proposals) / len(proposals)
    right_kept = sum(one.answer == family.solve(one.question).answer for one in kept) / len(kept)
    assert 0.58 < right_proposals < 0.82
    assert 0.25 < len(kept) / len(proposals) < 0.5
    assert right_kept > 0.85 and right_kept > right_proposals + 0.1


def test_a_request_of_any_wording_that_says_how_many_gets_that_many() -> None:
    problem = problems(FAMILIES["arithmetic"], 1, Split.TRAIN, 1)[0]
    request = f"Make 4 new questions, please.\nQuestion: {problem.question}\n\nThe student's reasoning:\nI do not know."
    assert len(read_new_questions(OfflineTeacher().complete(request)[0], NUMBER)) == 4
    hot = OfflineTeacher().complete(request, n=3, temperature=0.7)
    assert len({tuple(p.question for p in read_new_questions(reply, NUMBER)) for reply in hot}) == 3
    assert hot == OfflineTeacher().complete(request, n=3, temperature=0.7)
