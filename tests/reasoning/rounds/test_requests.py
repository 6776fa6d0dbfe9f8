"""What a round is said to ask the teacher is what its phases ask, no more and no less."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.files.tables import read_table
from reasoning.records import AnswerKind, Attempt, Problem, Split
from reasoning.rounds.classroom import Classroom
from reasoning.rounds.new_questions.agreement import NewProblem
from reasoning.rounds.new_questions.proposals import ProposalOutcome
from reasoning.rounds.requests import shown_mistakes
from tests.reasoning.rounds.test_phases import RECIPE, Student, Teacher, classroom_at, rounds

NEW_QUESTIONS = RECIPE.replace("{first_q", "{new_questions: {per_mistake: 2, answers: 2, agreement: 2}, first_q")
ADMITTED = (ProposalOutcome.KEPT, ProposalOutcome.NOT_AGREED)


def said(classroom: Classroom) -> list[str]:
    """The keys of the requests of rounds 0 and 1, from what is in their files."""
    files, new = classroom.files(1), []
    if files.new_problems.exists():
        records = [record for record in read_table(files.new_problems, NewProblem) if record.fate in ADMITTED]
        train, kind = Split.TRAIN, AnswerKind.YES_NO
        new = [Problem(record.task, record.question, record.answer, kind, train) for record in records]
    mistakes = shown_mistakes(read_table(files.exam, Attempt), classroom.recipe.learning.mistakes_per_question)
    every = [*classroom.requests.requests_of(0), *classroom.requests.requests_of(1, mistakes, new)]
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
