"""Where an answer stands: the last anchor counts, and what only looks like one announces nothing."""

from __future__ import annotations

import pytest

from reasoning.grading.answers import extract, find_answer, judged_part
from reasoning.grading.extraction.anchors import anchored, is_taken_back, lowered
from reasoning.records import AnswerKind

NUMBER = AnswerKind.NUMBER


def test_the_last_anchored_answer_counts_whatever_its_anchor() -> None:
    assert find_answer("Answer: 1\n#### 2\nx --> 3 and \\boxed{4}", NUMBER).answer == "4"
    assert find_answer("\\boxed{4} --> 3\n#### 2\nAnswer: 1", NUMBER).answer == "1"
    assert find_answer("#### Step 2: add\nSo there are 18", NUMBER).answer == "18"
    assert find_answer("Answer: 18\nThe answer cannot be 5.", NUMBER).answer == "18"


@pytest.mark.parametrize(
    "text",
    [
        "She had 3 answers 5",
        "if the answer is 5",
        "The answer cannot be 5",
        "Answer choices: 5",
        "### 5",
        "#### Step 5",
    ],
)
def test_what_only_looks_like_an_anchor(text: str) -> None:
    assert list(anchored(text, lowered(text))) == []


@pytest.mark.parametrize(
    ("text", "taken_back"),
    [
        ("B\n\nWait, let me reconsider.", True),
        ("B\nHmm, that is wrong.", True),
        ("B\n\nIt waits for me.", False),
        ("B", False),
    ],
)
def test_a_later_line_takes_an_answer_back(text: str, taken_back: bool) -> None:
    assert is_taken_back(lowered(text), text.find("\n")) == taken_back


def test_a_text_that_repeats_itself_for_ever_is_read_from_its_end() -> None:
    assert extract("the answer is 5. " * 10_000 + "the answer is 6.", NUMBER) == "6"


def test_positions_stay_those_of_the_text_when_capitals_grow() -> None:
    text = "\u0130" * 5 + " Answer: 7"
    assert len(lowered(text)) == len(text) and extract(text, NUMBER) == "7"


def test_what_counts_ends_before_the_next_question_and_at_a_blank_line_after_the_answer() -> None:
    assert judged_part("Answer: 2\n\nAlso, 3.") == "Answer: 2"
    assert judged_part("So.\nAnswer: 2\nQuestion: And?") == "So.\nAnswer: 2"
    assert judged_part("\nQuestion: How many?\nAnswer: 2") == "\nQuestion: How many?\nAnswer: 2"  # its own
    assert judged_part("First.\n\nAnswer: 2") == "First.\n\nAnswer: 2"
