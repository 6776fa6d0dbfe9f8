"""The steps of a text, and the one that somebody quotes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.prompts.headings import ReplyParts, read_reply
from reasoning.prompts.steps import begins_like, numbering, quoted_step, step_at, steps_of, told_step

TEXT = "First, 3 + 4 = 7 pens. So Ann\u2019s pens are 7 * 2 = 15 dollars.\nThat is all. That is all.\nAnswer: 15"
SECOND = "So Ann\u2019s pens are 7 * 2 = 15 dollars."


def quoted(quotation: str) -> str | None:
    span = quoted_step(TEXT, quotation)
    return TEXT[slice(*span)] if span else None


def test_steps_are_sentences_and_lines() -> None:
    text = "  One. Two 3.5 is!\n\n- Four\n "
    assert [text[slice(*span)] for span in steps_of(text)] == ["One.", "Two 3.5 is!", "- Four"]
    assert steps_of(" \n") == []
    assert step_at(text, 9) == (7, 18) and step_at(text, 0) is None


@pytest.mark.parametrize(
    ("quotation", "step"),
    [
        (SECOND, SECOND),
        ('"So Ann\'s pens are 7 * 2 = 15 dollars"', SECOND),  # other quotation marks, no full stop
        ("**so  ann\u2019s pens are 7*2 = 15 dollars.**", SECOND),
        ("7 * 2 = 15", SECOND),  # a part of it
        ("...7 * 2 = 15 dollars...", SECOND),
        ("So Ann\u2019s pens are ... 15 dollars.", SECOND),  # words left out
        ("So Ann\u2019s pens [\u2026] 2 = 15 dollars", SECOND),
        ("So Ann\u2019s pens are ... That is all.", None),  # of which step?
        ("First, 3 + 4 ... 15 dollars.", None),
        ("So Ann\u2019s pens are $7 \u00d7 2 = 15$ dollars.", SECOND),
        ("Step 2: So Ann\u2019s pens are 7 * 2 = 15 dollars.", SECOND),
        ("2. So Ann\u2019s pens are 7 * 2 = 15 dollars.", SECOND),
        (f"**Step 2:** {SECOND}", SECOND),
        (f'"(2) {SECOND}"', SECOND),
        (f"Second step: {SECOND}", SECOND),
        ("So Ann\u2019s pens are **7 * 2 = 15** dollars.", SECOND),
        ("So Ann\u2019s pens are \\(7 \\times 2 = 15\\) dollars.", SECOND),
        ("7 x 2 = 15", SECOND),
        (f"[{SECOND}]", SECOND),
        (f"{SECOND} (should be 14)", SECOND),
        (f"{SECOND} \u2014 the product is 14.", SECOND),
        (f"{SECOND}\nThat is where it goes wrong.", SECOND),
        ("So Ann\u2019s pens are 7 * 2 = 14 dollars. (not 15)", None),
        ("Step 2", None),  # it numbers none
        ("No step is wrong.", None),
        ("All steps are correct, but the answer is not.", None),
        (f"{SECOND}\nThat is all. That is all.", SECOND),  # and what follows: where it begins
        ("Answer: 15", "Answer: 15"),
        ("7 * 2 = 14", None),  # not what the student said
        ("That is all.", None),  # twice: nobody knows which
        ("dollars", None),  # hardly a word
        ("5 dollars", None),  # a part of a number
        ("none", None),
        ("", None),
        ("...", None),
    ],
)
def test_a_step_is_quoted_word_for_word_or_not_at_all(quotation: str, step: str | None) -> None:
    assert quoted(quotation) == step


NUMBERED = "1. Ann has 3 + 4 = 7 pens.\n2. They cost 7 * 2 = 15 dollars.\n3. That is all."
STEPS = NUMBERED.replace("1.", "Step 1:").replace("2.", "Step 2:").replace("3.", "Step 3:")


@pytest.mark.parametrize("text", [NUMBERED, STEPS])
@pytest.mark.parametrize(
    "said",
    [
        *("Step 2", "**Step 2**", "step 2.", "2", "#2", "the second step", "They cost 7 * 2 = 15 dollars."),
        *("2. They cost 7 * 2 = 15 dollars.", "Step 2 (the product)", "Step 2 - They cost 7 * 2 = 15 dollars."),
    ],
)
def test_a_step_may_be_named_by_its_number_where_the_text_numbers_them(text: str, said: str) -> None:
    span = quoted_step(text, said)
    assert span is not None and text[slice(*span)] == text.splitlines()[1]


@pytest.mark.parametrize("said", ["Step 4", "Steps 2 and 3", "the last step", "the second sum"])
def test_a_number_of_no_step_or_of_several_names_none(said: str) -> None:
    assert quoted_step(NUMBERED, said) is quoted_step(STEPS, said) is quoted_step(f"{STEPS}\n{STEPS}", "Step 2") is None


def test_a_list_number_is_of_the_step_that_it_numbers() -> None:
    assert [text[slice(*span)] for text in (NUMBERED,) for span in steps_of(text)] == NUMBERED.splitlines()
    assert (numbering(NUMBERED), numbering(STEPS), numbering("7 * 2 = 14"), numbering("15.5 is")) == (
        "1. ",
        "Step 1: ",
        "",
        "",
    )
    assert begins_like("1. Ann has 3 + 4 = 7 pens. More.", NUMBERED) and begins_like(NUMBERED[3:], NUMBERED)
    assert not begins_like("1. They cost 7 * 2 = 14 dollars.", NUMBERED)


def test_what_a_reply_says_of_the_step() -> None:
    def told(text: str) -> str | None:
        span = told_step(read_reply(f"{text}\nReasoning: r\nAnswer: 14"), TEXT)
        return TEXT[slice(*span)] if span else None

    assert told("Wrong step: 7 * 2 = 15\nMistake: \u201c3 + 4 = 7\u201d was right.") == SECOND
    assert told("Mistake: The student wrote \u201c7 * 2 = 15\u201d, but that is \u201c7 * 2 = 14\u201d.") == SECOND
    assert told('Mistake: After "3 + 4 = 7" comes "7 * 2 = 15".') is None  # of two, which?
    assert told("Mistake: The product is wrong.") is None
    assert told('Wrong step: The second sentence, "7 * 2 = 15", is wrong.') == SECOND
    assert told('Wrong step: "3 + 4 = 7" and "7 * 2 = 15"') is None
    assert told("Wrong step: 7 * 2 = 16\nMistake: \u201c7 * 2 = 15\u201d is wrong.") is None  # it was asked to copy
    assert told_step(ReplyParts("", "", ""), TEXT) is None


def test_who_begins_like_another_says_it_again() -> None:
    assert begins_like("first, 3 + 4 = 7 pens. Then more.", TEXT)
    assert not begins_like("So 7 * 2 = 14.", TEXT) and not begins_like("anything", "")


@given(st.text(), st.text())
def test_any_text_is_an_attempt_and_a_quotation(text: str, quotation: str) -> None:
    for one in (quoted_step(text, quotation), quoted_step(text, text)):
        assert one is None or one in steps_of(text)
    assert not begins_like("", text)
