"""What a grader raises on costs one text, and not the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reasoning.files.tables import read_table
from reasoning.grading import mistakes, net
from reasoning.grading.net import in_net
from reasoning.grading.own_grader import GraderError
from reasoning.records import Attempt, Problem, Rationale, Verdict
from reasoning.rounds.feedback import rationales
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.phases import exam, select_examples
from tests.reasoning.rounds.test_phases import RECIPE, Student, Teacher, classroom_at, run


@pytest.fixture(autouse=True)
def in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is in runs."""
    monkeypatch.setattr(net, "HOLDS", True)
    monkeypatch.setattr(net, "_told", set())


def raises(error: Exception) -> Callable[[], str]:
    def grading() -> str:
        raise error

    return grading


def test_it_says_once_where_and_no_word_of_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    caught: list[int] = []
    said: list[str] = []
    monkeypatch.setattr(net._LOG, "error", lambda text, *about: said.append(text % about))
    error = ValueError("the student's words")
    for _ in range(3):
        assert in_net("once", raises(error), "wrong", lambda: caught.append(1)) == "wrong"
    assert len(said) == 1 and len(caught) == 3
    assert "once" in said[0] and "ValueError at " in said[0] and "test_net.py" in said[0]
    assert "the student's words" not in said[0]
    assert in_net("once", lambda: "right", "wrong") == "right"


def test_in_tests_it_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "HOLDS", False)
    with pytest.raises(ValueError, match="seen"):
        in_net("id", raises(ValueError("seen")), "wrong")


@pytest.mark.parametrize("error", [GraderError("grader mine:judge failed on the question 'Q'"), MemoryError()])
def test_what_is_the_users_to_mend_and_what_nobody_survives_goes_on(error: Exception) -> None:
    with pytest.raises(type(error)):
        in_net("id", raises(error), "wrong")


def test_a_run_goes_on_with_such_an_attempt_as_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grade, keep, part = net.grade, rationales.keep, mistakes.judged_part
    texts: list[str] = []

    def grade_that_raises(text: str, complete: bool, problem: Problem) -> tuple[str, Verdict]:
        found = grade(text, complete, problem)
        if len(texts) < 2 and found[1] is Verdict.CORRECT:
            texts.append(text)
        if text in texts:
            raise RecursionError(text)
        return found

    def part_that_raises(text: str) -> str:
        if text in texts:
            raise IndexError(text)
        return part(text)

    def keep_that_raises(text: str, problem: Problem, **keys: object) -> Rationale:
        found = keep(text, problem, **keys)  # type: ignore[arg-type]
        if problem.id == last:
            raise KeyError(text)
        return found

    monkeypatch.setattr(net, "grade", grade_that_raises)
    monkeypatch.setattr(mistakes, "judged_part", part_that_raises)
    monkeypatch.setattr(rationales, "keep", keep_that_raises)
    classroom = classroom_at(tmp_path, Student(), Teacher(), RECIPE)
    last = classroom.data.train[-1].id
    run(feedback(classroom, 0))
    metrics = run(exam(classroom, 1))
    attempts = read_table(classroom.files(1).exam, Attempt)
    caught = [attempt for attempt in attempts if attempt.text in texts]
    assert len(caught) >= 2 and metrics["ungraded"] == len(caught)
    assert all((attempt.verdict, attempt.prediction) == (Verdict.NO_ANSWER, "") for attempt in caught)
    run(feedback(classroom, 1))
    run(select_examples(classroom, 1))
    told = read_table(classroom.files(1).rationales, Rationale)
    assert all(not one.kept and not one.text for one in told if one.problem_id == last)
    assert sum(one.kept for one in told) > 5
