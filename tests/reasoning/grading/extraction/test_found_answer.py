"""How an answer was found is told; what a speaker takes back does not count; a search from the end finds the last."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.answers import find_answer
from reasoning.grading.extraction.found_answer import How, last_match, settled
from reasoning.records import AnswerKind

NUMBER, CHOICE = AnswerKind.NUMBER, AnswerKind.CHOICE
BALLS = ("orange ball", "white ball", "blue ball")


@pytest.mark.parametrize(
    ("text", "kind", "how"),
    [
        ("Answer: 18", NUMBER, How.ANCHORED),
        ("Six. --> 18", NUMBER, How.ARROW),
        ("Six.\n#### 18", NUMBER, How.HASH_MARKS),
        ("So $\\boxed{18}$", NUMBER, How.BOXED),
        ("Answer: eighteen", NUMBER, How.NUMBER_WORDS),
        ("Answer: 3\\sqrt{36}", NUMBER, How.MATH_VERIFY),
        ("Answer: white ball", CHOICE, How.OPTION_TEXT),
        (" 18. \n\nA second way.", NUMBER, How.LEADING),
        ("So there are 18 of them", NUMBER, How.LAST_CANDIDATE),
        ("So there are some", NUMBER, How.NONE),
    ],
)
def test_how_it_was_found_is_told(text: str, kind: AnswerKind, how: How) -> None:
    assert find_answer(text, kind, BALLS if kind is CHOICE else ()).how is how


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("5. No, wait: 6", ": 6"),
        ("not 5 but 6", " 6"),
        ("17. Wait, 18.", ", 18."),
        ("5. I await 6", "5. I await 6"),
        ("5", "5"),
    ],
)
def test_second_thoughts(said: str, meant: str) -> None:
    assert settled(said) == meant


@given(st.text("ab \n", max_size=40), st.integers(0, 9000))
def test_the_last_match_is_found_however_long_the_text(end: str, length: int) -> None:
    pattern = re.compile("a{1,3}b")
    text = "ab" + "-" * length + end
    found = last_match(pattern, text)
    assert found is not None and found.span() == list(pattern.finditer(text))[-1].span()
