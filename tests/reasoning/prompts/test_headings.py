"""The words sent and the words read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.prompts.headings import (
    asks_for_the_wrong_step,
    asks_to_go_on,
    one_block,
    read_reply,
    read_request,
)
from tests.inputs.teacher_requests import plain_content, tailored_content

words = st.text("abc. ,\n", min_size=1).filter(str.strip)


@given(words)
def test_a_plain_request_can_be_read(question: str) -> None:
    request = read_request(plain_content(question))
    assert (request.question, request.mistake) == (question.strip(), None)


@given(words, words)
def test_a_tailored_request_can_be_read(question: str, mistake: str) -> None:
    content = tailored_content(question, mistake, "18")
    request = read_request(content)
    assert "The correct answer is 18" in content
    assert (request.question, request.mistake) == (question.strip(), one_block(mistake))


def test_a_reply_in_parts() -> None:
    reply = read_reply("Mistake: the sum.\n\n**Reasoning:** 9 and 9.\n\nThat is 18.\n**Answer:** 18\n")
    assert (reply.mistake, reply.rationale, reply.answer_text) == ("the sum.", "9 and 9.\nThat is 18.", "18")


@pytest.mark.parametrize(
    "form",
    [
        *("**{}**: {}", "### {}:\n{}", "### {}\n{}", "**{}**\n{}", "### **{}:** {}", "- {}: {}", "* **{}:** {}"),
        *(
            "__{}:__ {}",
            "*{}*: {}",
            "{} : {}",
            "{}\uff1a{}",
            "> {}: {}",
            "'{}:' {}",
            "`{}:` {}",
            "1. {}: {}",
            "{}:\r\n{}",
        ),
    ],
)
@pytest.mark.parametrize(
    "names",
    [
        ("Wrong step", "Mistake", "Reasoning", "Answer"),
        ("First incorrect step", "The mistake", "Correct reasoning", "Final Answer"),
        ("WRONG STEP", "MISTAKE", "Corrected Solution", "The answer"),
    ],
)
def test_a_heading_may_be_dressed_and_worded_otherwise(names: tuple[str, ...], form: str) -> None:
    said = ("9 and 8.", "the sum.", "9 and 9.\nThat is 18.", "18")
    reply = read_reply("\n\n".join(map(form.format, names, said)))
    assert (reply.wrong_step, reply.mistake, reply.rationale, reply.answer_text) == said


def test_a_name_within_a_line_is_no_heading() -> None:
    said = "So the answer: 4.\nAnswers: none.\nThe reasoning about it: no.\nAnswer"
    assert read_reply(f"Reasoning: {said}\nAnswer: 5").rationale == said


def test_horizontal_lines_around_a_part_are_not_of_it() -> None:
    reply = read_reply("Mistake: a.\n\n---\n\nReasoning:\n---\nb.\n---\nc.\n\n***\nAnswer: 1")
    assert (reply.mistake, reply.rationale) == ("a.", "b.\n---\nc.")


def test_missing_headings_are_no_error() -> None:
    reply = read_reply("9 and 9, so the answer is 18.")
    assert (reply.mistake, reply.rationale, reply.answer_text) == ("", *2 * ("9 and 9, so the answer is 18.",))
    twice = read_reply("Reasoning: first.\nAnswer: 17\nNo, wait.\nAnswer: 18")
    assert (twice.rationale, twice.answer_text) == ("first.\nAnswer: 17\nNo, wait.", "18")


def test_what_is_said_of_the_mistake_is_no_part_of_the_rationale() -> None:
    said = "Wrong step: 9 and 8.\nMistake: the sum.\n"
    for text in (
        f"{said}Reasoning: 9 and 9.\nAnswer: 18",
        f"\n**First {said[0].lower()}{said[1:]}\n9 and 9.\nAnswer: 18",
    ):
        reply = read_reply(text)
        assert (reply.wrong_step, reply.mistake, reply.rationale) == ("9 and 8.", "the sum.", "9 and 9.")
    swapped = read_reply("Mistake: the sum.\nWrong step: 9 and 8.\nReasoning: 9.\nAnswer: 18")
    assert (swapped.wrong_step, swapped.mistake) == ("9 and 8.", "the sum.")
    assert read_reply("Wrong step: a\nWrong step: b\nReasoning: c\nAnswer: 1").wrong_step == ""  # of two, none
    assert read_reply("Mistake: a.\nExplanation: b.\nReasoning: c\nAnswer: 1").mistake == "a."
    assert read_reply("Reasoning: c\nWrong step: a\nAnswer: 1").wrong_step == ""  # not where it was asked for


def test_prompts_say_what_they_ask_for() -> None:
    content = "After 'Wrong step:' copy it; do not say it again.\n\nQuestion: q\n\nThe student's reasoning:\nx"
    assert asks_for_the_wrong_step(content) and asks_to_go_on(content)
    shown = f"Find it.\n\nThe student's reasoning:\n{content}"  # the student may write what it likes
    assert not asks_for_the_wrong_step(shown) and not asks_to_go_on(shown)


@given(st.text())
def test_any_text_is_a_reply_and_a_request(text: str) -> None:
    reply = read_reply(text)
    assert one_block(reply.rationale) == reply.rationale
    read_request(text)


@given(words, words)
def test_a_well_formed_reply_comes_back(mistake: str, rationale: str) -> None:
    reply = read_reply(f"Mistake: {one_block(mistake)}\nReasoning: {one_block(rationale)}\nAnswer: 18")
    assert (reply.mistake, reply.rationale, reply.answer_text) == (one_block(mistake), one_block(rationale), "18")
