"""What every kind of answer is tested with: its gold answers, and the dresses in which they are given."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from reasoning.records import AnswerKind, Problem, Split

BALLS = ("orange ball", "white ball", "blue ball")


@dataclass(frozen=True)
class Samples:
    """One kind: a gold answer, how others are drawn, and how they are dressed; `choices` of its questions."""

    gold: str
    golds: st.SearchStrategy[str]
    dresses: tuple[str, ...]
    choices: tuple[str, ...] = ()


SAMPLES = {
    AnswerKind.NUMBER: Samples(
        "18",
        st.integers(-(10**9), 10**9).map(str),
        ("{}", "{} dollars", "**{}**", "\\text{{{}}}", "x = {}", "about {}", "[{}]"),
    ),
    AnswerKind.YES_NO: Samples(
        "yes",
        st.sampled_from(["yes", "no", "Yes", "NO"]),
        ("{}", '"{}"', "**{}**", "{}, it is", "\\text{{{}}}", "probably {}"),
    ),
    AnswerKind.CHOICE: Samples(
        "B",
        st.sampled_from("ABC"),
        ("{}", "({})", "{})", "**({})**", "option {}", "[{}]", "\\text{{({})}}", "{}: it is the one"),
        BALLS,
    ),
    AnswerKind.TEXT: Samples(
        "yajo",
        st.text("bcdfghj", min_size=3, max_size=8),
        ("{}", '"{}"', "'{}'", "**{}**", "\\text{{{}}}", "{}, as shown", "`{}`"),
    ),
}


def problem(answer: str, kind: AnswerKind, choices: tuple[str, ...] = ()) -> Problem:
    return Problem("task", "A question?", answer, kind, Split.TRAIN, choices)
