"""Which replies hold a rationale that is kept."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.rationale_filter import keep
from reasoning.records import AnswerKind, Problem, Rationale, RationaleSource, Split

TAILORED = RationaleSource.TAILORED
PROBLEM = Problem("task", "How many?", "18", AnswerKind.NUMBER, Split.TRAIN)


def kept_reply(text: str, **changes: Any) -> Rationale:
    return keep(text, PROBLEM, round=2, source=TAILORED, prompt="tailored", model="m", **changes)


def test_a_reply_is_kept_when_its_answer_is_the_gold_one() -> None:
    kept = kept_reply("Mistake: The answer is not 5.\nReasoning: 9 and 9.\nThat is 18.\nAnswer: $18.00", mistake_id="x")
    assert (kept.text, kept.answer, kept.kept, kept.mistake_id) == ("9 and 9.\nThat is 18.", "18", True, "x")
    assert (kept.source, kept.prompt, kept.model, kept.round) == (TAILORED, "tailored", "m", 2)
    assert kept_reply("9 and 9, so the answer is 18.").kept
    assert not kept_reply("Reasoning: 9 and 8.\nAnswer: 17").kept
    assert not kept_reply("Reasoning: none\nAnswer: I cannot tell").kept


def test_a_reply_that_is_cut_or_an_answer_alone_is_not_kept() -> None:
    assert not kept_reply("Reasoning: 9 and 9.\nAnswer: 18", complete=False).kept
    assert not kept_reply("Answer: 18").kept


def test_what_is_said_about_the_mistake_does_not_answer_for_the_rationale() -> None:
    assert not kept_reply("Mistake: the answer is 18, not 17.\nReasoning: I do not know.\nAnswer:").kept


@given(st.text())
def test_any_text_is_a_reply(text: str) -> None:
    assert isinstance(kept_reply(text), Rationale)
