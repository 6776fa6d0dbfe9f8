"""Which attempts are mistakes, and what is shown of them."""

from __future__ import annotations

from reasoning.grading.mistakes import mistakes_of
from reasoning.records import AnswerKind, Attempt, Problem, RationaleSource, Split, Verdict

TAILORED = RationaleSource.TAILORED
PROBLEM = Problem("task", "How many?", "18", AnswerKind.NUMBER, Split.TRAIN)


def attempt(
    text: str, verdict: Verdict = Verdict.WRONG, *, round: int = 1, sample: int = 0, said: str = "17"
) -> Attempt:
    said = "" if verdict is Verdict.NO_ANSWER else said
    return Attempt(PROBLEM.id, round, sample, text, verdict is not Verdict.TRUNCATED, 9, said, verdict)


def test_only_complete_wrong_attempts_are_mistakes() -> None:
    attempts = [
        attempt(" right\nAnswer: 18", Verdict.CORRECT),
        attempt(" cut", Verdict.TRUNCATED),
        attempt(" nothing", Verdict.NO_ANSWER),
        attempt("  \n", Verdict.NO_ANSWER),
        attempt(" wrong\nAnswer: 17"),
        attempt(" wrong\n\nAnswer: 17", sample=3),
    ]
    mistakes = mistakes_of(attempts)
    assert [(mistake.text, mistake.prediction) for mistake in mistakes] == [
        ("wrong\nAnswer: 17", "17"),
        ("nothing", ""),
    ]


def test_a_mistake_made_again_is_of_its_last_round() -> None:
    assert [mistake.round for mistake in mistakes_of([attempt("w", round=1), attempt("w", round=3)])] == [3]


def test_a_mistake_is_what_was_judged() -> None:
    (mistake,) = mistakes_of([attempt(" wrong\nAnswer: 17\n\nThank you.\nQuestion: more?")])
    assert mistake.text == "wrong\nAnswer: 17"
    (mistake,) = mistakes_of(
        [attempt("<think>18?\nAnswer: 18\n\nNo.</think>\nwrong\nAnswer: 17<|im_end|>\nAnswer: 18")]
    )
    assert mistake.text == "wrong\nAnswer: 17"
