"""The options that a question states are read; a broken bracket among them is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.options import OptionsError, stated_choices


@pytest.mark.parametrize(
    ("question", "choices"),
    [
        ("Which? Answer Choices: (A) 5 (B) 6", ("5", "6")),
        ("Which?\nAnswer Choices:\n(a) bank\n(b) the mall\n(c) new york", ("bank", "the mall", "new york")),
        (
            "Which? Answer Choices: A) 5(√3 + 1) B) 6(√3 + √2) C) None of these",
            ("5(√3 + 1)", "6(√3 + √2)", "None of these"),
        ),
        ("Of f(A) and (B)? Answer Choices: (A) (ay−by) /2 (B) M/(D-3)", ("(ay−by) /2", "M/(D-3)")),
        ("Which? Answer Choices: (A) A)59 (B) B)69", ("A)59", "B)69")),
        ("Which? Answer Choices: ", ()),
        ("Which, (A) or (B)?", ()),
        ("", ()),
    ],
)
def test_stated_choices(question: str, choices: tuple[str, ...]) -> None:
    assert stated_choices(question) == choices


@pytest.mark.parametrize(
    ("options", "letter"),
    [
        ("(A) 5 (B 6 (C) 7", "B"),
        ("(A) 5 (B) 6 (C 7", "C"),
        ("(A) 5 (B) 6 C) 7", "C"),
        ("(A) 5 (C) 7", "C"),
    ],
)
def test_broken_brackets_are_named(options: str, letter: str) -> None:
    with pytest.raises(OptionsError, match=rf"\({letter}\)"):
        stated_choices(f"Which? Answer Choices: {options}")


@given(st.text("Answer Choices:(ABCabc) 12", max_size=60))
def test_any_question_is_read_or_refused(question: str) -> None:
    for text in (question, f"Answer Choices: {question}"):
        try:
            assert len(stated_choices(text)) <= 26
        except OptionsError as error:
            assert "option" in str(error)
