"""A grader of the user's own: how it is found, what it may say, and what is told when it goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.grading.answers import grade
from reasoning.grading.own_grader import GraderError, load_grader
from reasoning.grading.rationale_filter import keep
from reasoning.records import AnswerKind, Problem, RationaleSource, Split, Verdict

MODULE = """
def judge(question, gold, completion):
    said = completion.strip().splitlines()[-1] if completion.strip() else ""
    if said == "boom":
        raise KeyError("lost")
    return {"": "no answer", "odd": "maybe", "none": None, "W": "wrong", "C": "Correct"}.get(said, gold in said)

class Graders:
    strict = staticmethod(lambda question, gold, completion: completion == gold)

NOT_A_FUNCTION = 5
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tried_graders.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "broken_graders.py").write_text("import no_such_library\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


def problem(grader: str = "tried_graders:judge", *aliases: str) -> Problem:
    kind, split = AnswerKind.TEXT, Split.TRAIN
    return Problem("t", "Who was it?", "Ada", kind, split, aliases=aliases, grader=grader)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("It was Ada", Verdict.CORRECT),
        ("It was Bob", Verdict.WRONG),
        ("<think>Ada</think>Bob", Verdict.WRONG),
        ("", Verdict.NO_ANSWER),
        ("W", Verdict.WRONG),
        ("C", Verdict.CORRECT),
    ],
)
def test_the_verdict_is_the_graders(said: str, verdict: Verdict) -> None:
    assert grade(said, True, problem())[1] is verdict
    assert grade(said, False, problem())[1] is Verdict.TRUNCATED


def test_each_right_answer_is_tried_and_replies_are_judged_too() -> None:
    two = problem("tried_graders:Graders.strict", "Lovelace")
    assert grade("Lovelace", True, two)[1] is Verdict.CORRECT
    kept = [
        keep(text, problem(), round=0, source=RationaleSource.PLAIN, prompt="p", model="m").kept
        for text in ("She wrote it.\nAnswer: Ada", "She wrote it.\nAnswer: Bob")
    ]
    assert kept == [True, False]


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("boom", r"grader tried_graders:judge failed on the question 'Who was it\?': KeyError: 'lost'"),
        ("odd", r"returned 'maybe' for the question 'Who was it\?'; it must return true or false"),
        ("none", "returned None"),
    ],
)
def test_what_goes_wrong_in_a_grader_names_it_and_the_question(said: str, what: str) -> None:
    with pytest.raises(GraderError, match=what):
        grade(said, True, problem())


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("no_such_graders:f", "cannot be imported: ModuleNotFoundError.*add that to PYTHONPATH"),
        ("broken_graders:f", "cannot be imported: ModuleNotFoundError: No module named 'no_such_library'; fix it"),
        ("tried_graders:absent", "no function 'absent'"),
        ("tried_graders:NOT_A_FUNCTION", "no function 'NOT_A_FUNCTION'"),
    ],
)
def test_a_grader_that_is_not_there_says_what_to_do(name: str, what: str) -> None:
    with pytest.raises(GraderError, match=what):
        load_grader(name)
