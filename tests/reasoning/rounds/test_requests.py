"""What a round is said to ask the teacher is what its phases ask, no more and no less."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from reasoning.files.tables import read_table
from reasoning.records import AnswerKind, Attempt, Mistake, Problem, Split
from reasoning.rounds.classroom import Classroom
from reasoning.rounds.new_questions.agreement import NewProblem
from reasoning.rounds.new_questions.proposals import ProposalOutcome
from reasoning.rounds.requests import RequestBuilder, shown_mistakes
from reasoning.teacher.calls import TeacherRequest
from tests.reasoning.rounds.test_phases import RECIPE, Student, Teacher, classroom_at, rounds

NEW_QUESTIONS = RECIPE.replace("{first_q", "{new_questions: {per_mistake: 2, answers: 2, agreement: 2}, first_q")
ADMITTED = (ProposalOutcome.KEPT, ProposalOutcome.NOT_AGREED)


def requests_of(
    builder: RequestBuilder, round: int, mistakes: Sequence[Mistake] = (), new_problems: Sequence[Problem] = ()
) -> list[TeacherRequest]:
    """All first requests of `round`, given the `mistakes` of its exam that are shown and the `new_problems` that were
    admitted."""
    queries = [*builder.queries_of(round, mistakes), *(q for one in new_problems for q in builder.answers_to(one))]
    return list({request.key: request for request in map(builder.of_group, builder.groups(queries))}.values())


def said(classroom: Classroom) -> list[str]:
    """The keys of the requests of rounds 0 and 1, from what is in their files."""
    files, new = classroom.files(1), []
    if files.new_problems.exists():
        records = [record for record in read_table(files.new_problems, NewProblem) if record.fate in ADMITTED]
        train, kind = Split.TRAIN, AnswerKind.YES_NO
        new = [Problem(record.task, record.question, record.answer, kind, train) for record in records]
    mistakes = shown_mistakes(read_table(files.exam, Attempt), classroom.recipe.learning.mistakes_per_question)
    every = [*requests_of(classroom.requests, 0), *requests_of(classroom.requests, 1, mistakes, new)]
    return [request.key for request in every]


@pytest.mark.parametrize(
    "recipe",
    [RECIPE, NEW_QUESTIONS, RECIPE + "\nteacher: {feedback_prompt: plain}\n"],
    ids=["feedback", "new questions", "mistake not shown"],
)
def test_the_phases_ask_exactly_what_the_round_is_said_to_ask(recipe: str, tmp_path: Path) -> None:
    teacher = Teacher()
    classroom = classroom_at(tmp_path, Student(), teacher, recipe)
    rounds(classroom)
    asked = [request.key for request in teacher.asked]
    assert len(set(asked)) == len(asked)  # nothing is asked twice
    assert set(said(classroom)) == set(asked) and len(said(classroom)) == len(asked)
