"""What every kind of answer is tested with: its gold answers, and the dresses in which they are given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

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
    AnswerKind.DATE: Samples(
        "2021-05-13",
        st.dates(date(1000, 1, 1)).flatmap(lambda day: st.sampled_from([day.isoformat(), written(day)])),
        ("{}", "**{}**", '"{}"', "on {}", "\\text{{{}}}", "{}, a holiday", "[{}]"),
    ),
    AnswerKind.SET: Samples(
        "2, 5, red",
        st.sets(st.sampled_from(["2", "5", "-3.5", "red", "blue ball", "ada"]), min_size=2).map(", ".join),
        ("{}", "**{}**", "{{{}}}", "[{}]", "${{{}}}$", "\\{{{}\\}}", "the set {{{}}}"),
    ),
    AnswerKind.EXPRESSION: Samples(
        "2\\sqrt{3}",
        st.sampled_from(["x^2 - 1", "2\\sqrt{3}", "\\frac{1}{2}", "(1, 2]", "y = 3x + 2", "17", "\\pi"]),
        ("{}", "${}$", "\\({}\\)", "**{}**"),
    ),
}


def written(day: date) -> str:
    return f"{day.day} {day:%B} {day.year:04}"


def problem(answer: str, kind: AnswerKind, choices: tuple[str, ...] = ()) -> Problem:
    return Problem("task", "A question?", answer, kind, Split.TRAIN, choices)
