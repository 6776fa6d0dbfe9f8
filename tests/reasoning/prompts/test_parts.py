"""Several questions in a request, and a reply taken apart strictly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.prompts.parts import has_heading, numbered, parts_of, parts_of_reply

A, B = "Mistake: the sum.\nReasoning: 2 + 3 = 5.\nAnswer: 5", "Reasoning: one.\ntwo.\nAnswer: no"


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        (f"### 1\n{A}\n\n### 2\n{B}", (A, B)),
        (f"Here you are:\n\n### 1\n\n{A}\n\n---\n\n### 2\n{B}\n***", (A, B)),
        (f"**1**\n{A}\n**Part 2.**\n{B}", (A, B)),
        (f"## Question 1:\n{A}\n## Question 2:\n{B}", (A, B)),
        (f"### 2\n{B}\n### 1\n{A}", (A, B)),
        (f"### 1\n{A}", (A, None)),
        (f"### 2\n{B}", (None, B)),
        (f"### 1\n{A}\n### 1\n{A}\n### 2\n{B}", (None, B)),  # doubled
        (f"### 1\n{A}\n{B}\n### 2\n{B}", (None, B)),  # two answers in one part
        (f"### 1\nReasoning: it is.\n### 2\n{B}", (None, B)),
        (f"### 1\nAnswer: 5\nReasoning: 5.\n### 2\n{B}", (None, B)),
        (
            f"### 1\nThe correct answer: 5\n{A}\n### 2\n{B}",
            (f"The correct answer: 5\n{A}", B),
        ),  # the request's own words
        (
            f"### 1\n### Answer\n5\n### Reasoning\n5.\n### Answer\n5\n### 2\n{B}",
            ("### Answer\n5\n### Reasoning\n5.\n### Answer\n5", B),
        ),
        (f"### 1\nReasoning:\nAnswer: 5\n### 2\n{B}", (None, B)),
        (f"### 1\nReasoning: 5.\nAnswer:\n### 2\n{B}", (None, B)),
        (f"### 1\n{A}\n### 2\n{B}\n### 3\n{B}", (A, B)),  # of a third nobody knows
        (f"1. {A}\n2. {B}", (None, None)),
        (f"### 0\n{A}\n### 1\n{B}", (None, None)),  # numbered in another way
        (f"### 2\n{A}\n### 3\n{B}", (None, None)),
        (f"### 1 and 2\n{A}", (None, None)),  # one for both
        (f"### 1\n### 2\n{A}", (None, None)),
        (
            f"### 1\n**Reasoning**: 5.\n**2**\n### Answer\n**2**\n### 2\n{B}",
            ("**Reasoning**: 5.\n**2**\n### Answer\n**2**", B),
        ),
        (
            f"### 1\nReasoning:\n#### 1. Sum\n#### 2. End\nAnswer: 5\n### 2\n{B}",
            ("Reasoning:\n#### 1. Sum\n#### 2. End\nAnswer: 5", B),
        ),
        (f"### 1\n{A}\n## 2\nI cannot tell.", (None, None)),
        (f"## 1\n{A}\n### 2\nI cannot tell.", (A, None)),
        (f"```\n### 1\n{A}\n### 2\n{B}\n```", (A, B)),
        (f"### 1\n{A}\n### 2\n{B}\n\n### Summary\n1. 5\n2. no", (A, B)),  # of all of them
        ("", (None, None)),
    ],
)
def test_parts_are_what_was_asked_for_or_nothing(reply: str, read: tuple[str | None, ...]) -> None:
    assert parts_of_reply(reply, 2) == read


@pytest.mark.parametrize(
    "dress",
    [
        *("### **{}**", "**### {}**", "### Question {}: Pens", "### {}. Pens", "### {} \u2014 Pens", "Question {}:"),
        *("**Question {}**:", "**Question {}:** How many?", "### Problem {} ###", "### [{}]", "### Q{}.", "'### {}'"),
        *("> ### {}", "- ### {}", "__{}__", "### No. {}\r"),
    ],
)
def test_a_heading_may_be_dressed(dress: str) -> None:
    assert parts_of_reply(f"{dress.format(1)}\n{A}\n\n{dress.format(2)}\n{B}", 2) == (A, B)


@pytest.mark.parametrize(
    "line", ["Question 2 has 5 pens.", "1. Pens", "**1. Pens**", "### 3.5", "### 1,800", "# Step 1", "## 2 pens"]
)
def test_a_line_with_a_number_is_no_heading(line: str) -> None:
    assert not has_heading(line)


def test_the_last_part_of_a_reply_that_was_cut_off_is_none() -> None:
    assert parts_of_reply(f"### 1\n{A}\n### 2\n{B}", 2, complete=False) == (A, None)
    assert parts_of_reply(f"### 1\n{A}", 2, complete=False) == (None, None)


lines = st.text("ab #*12.\n", max_size=40).filter(lambda text: not has_heading(text) and text.strip())


@given(st.lists(lines, min_size=1, max_size=9))
def test_a_request_gives_back_its_parts(parts: list[str]) -> None:
    assert parts_of(numbered(parts)) == [(number, part.strip()) for number, part in enumerate(parts, 1)]


@given(st.text())
def test_any_text_is_a_reply(text: str) -> None:
    assert len(parts_of_reply(text, 3)) == 3


def test_a_text_with_a_heading_of_its_own_is_known() -> None:
    assert has_heading("Count:\n### 2\nand so on") and has_heading("**Part 1**")
    assert not has_heading("the number 2 is ### 2 here") and not has_heading("2") and not has_heading("# Title")
