"""Which replies hold a rationale that is kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.answers import grade
from reasoning.grading.rationale_filter import keep
from reasoning.prompts.student_forms import default_form
from reasoning.records import AnswerKind, Problem, Rationale, RationaleSource, Split, Verdict

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
    for text in ("18", "**18**", "\\boxed{18}", "<reasoning>9 and 9.</reasoning>\n<answer>18</answer>"):
        assert not kept_reply(text).kept
    assert kept_reply("<think>9 and 9.</think>18", teach_thinking=True).kept


def test_what_is_said_about_the_mistake_does_not_answer_for_the_rationale() -> None:
    assert not kept_reply("Mistake: the answer is 18, not 17.\nReasoning: I do not know.\nAnswer:").kept


THOUGHT = "<think>\nIs it 17?\n\nAnswer: 17\nNo, 9 and 9.\n</think>\n\nReasoning: 9 and 9.\nAnswer: 18"


def test_what_the_teacher_thinks_is_not_its_rationale() -> None:
    kept = kept_reply(THOUGHT)
    assert (kept.text, kept.answer, kept.kept) == ("9 and 9.", "18", True)
    assert not kept_reply("<think>9 and 9.\nAnswer: 18</think>\nReasoning: 9 and 8.\nAnswer: 17").kept
    assert not kept_reply("<think>9 and 9.\nAnswer: 18</think>").kept


def test_thinking_that_does_not_end_was_cut_off() -> None:
    assert not kept_reply("<think>Reasoning: 9 and 9.\nAnswer: 18").kept


def test_thinking_is_taught_on_wish() -> None:
    kept = kept_reply(THOUGHT, teach_thinking=True)
    assert kept.text == "<think>\nIs it 17?\nAnswer: 17\nNo, 9 and 9.\n</think>\n9 and 9." and kept.kept
    assert kept_reply("Reasoning: 9 and 9.\nAnswer: 18", teach_thinking=True).text == "9 and 9."
    assert grade(default_form().completion(kept.text, "18"), True, PROBLEM) == ("18", Verdict.CORRECT)


@pytest.mark.parametrize(
    "frame",
    [
        "<response>\n{}\n</response>",
        "<Answer>{}</Answer>",
        "<output>{}</output>\n",
        "<|begin_of_solution|>{}<|end_of_solution|>",
        "```text\n{}\n```",
        "<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
        "<|im_start|>assistant\n{}<|im_end|>",
        "<|START_RESPONSE|>{}<|END_RESPONSE|>",
        "<|END_THINKING|><|START_TEXT|>{}<|END_TEXT|>",
        "<s> {}</s>",
        "[|assistant|]{}[|endofturn|]",
    ],
)
@pytest.mark.parametrize("thought", ["", "<think>17?</think>\n"])
def test_a_frame_around_the_whole_is_not_taught(frame: str, thought: str) -> None:
    kept = kept_reply(thought + frame.format("9 and 9.\nThat is 18."))
    assert (kept.text, kept.answer, kept.kept) == ("9 and 9.\nThat is 18.", "18", True)


def test_marks_around_an_answer_are_not_taught() -> None:
    kept = kept_reply("9 and 9, so the answer is <|begin_of_box|>18<|end_of_box|>.")
    assert (kept.text, kept.answer, kept.kept) == ("9 and 9, so the answer is 18.", "18", True)


def test_marks_around_a_part_stay() -> None:
    for text in ("9 and 9.\n<answer>18</answer>", "<answer>17?</answer> No.\n<answer>18</answer>"):
        assert kept_reply(text).text == text


def test_a_reply_ends_where_another_turn_begins() -> None:
    assert kept_reply("Reasoning: 9 and 9.\nAnswer: 18<|im_end|>\n<|im_start|>user\nMore?\nAnswer: 5").answer == "18"
    assert kept_reply("Reasoning: 9 and 9.\nAnswer: 18\n\nQuestion: 2+2?\nReasoning: x.\nAnswer: 4").kept
    assert kept_reply("Mistake: None.\nQuestion: How many?\nReasoning: 9 and 9.\nAnswer: 18").kept  # it repeats it


@given(st.text())
def test_any_text_is_a_reply(text: str) -> None:
    assert isinstance(kept_reply(text), Rationale)


def test_a_text_of_several_clauses_is_kept_as_a_whole() -> None:
    paris = Problem("task", "Where?", "Paris, France", AnswerKind.TEXT, Split.TRAIN)
    reply = "Reasoning: On the Seine.\nAnswer: {}"
    found = [
        keep(reply.format(said), paris, round=0, source=TAILORED, prompt="", model="")
        for said in ("Paris, France", "Paris, Texas")
    ]
    assert [(one.kept, one.answer) for one in found] == [(True, "paris,france"), (False, "paris")]


ATTEMPT = "9 and 9 are counted. 9 and 9 make 17.\nAnswer: 17"


def test_a_step_that_the_teacher_calls_wrong_is_one_of_the_students() -> None:
    reply = "Wrong step: {}\nMistake: The sum.\nReasoning: 9 and 9 make 18.\nAnswer: 18"
    for said, step in (("9 and 9 make 17.", "9 and 9 make 17."), ("9 and 9 make 16.", ""), ("9 and 9", "")):
        kept = kept_reply(reply.format(said), attempt=ATTEMPT)
        assert (kept.wrong_step, kept.text, kept.kept) == (step, "9 and 9 make 18.", True)
    assert kept_reply("Reasoning: 9 and 9 make 18.\nAnswer: 18", attempt=ATTEMPT).kept
    assert kept_reply(reply.format("9 and 9 make 17.")).wrong_step == ""  # it was shown none


@pytest.mark.parametrize(
    ("step", "reasoning", "text", "kept"),
    [
        ("9 and 9 make 17.", "9 and 9 make 18.", "9 and 9 are counted. 9 and 9 make 18.", True),
        ("9 and 9 are counted.", "9 and 9 make 18.", "9 and 9 make 18.", True),  # nothing was right
        ("Answer: 17", "So 18.", "9 and 9 are counted. 9 and 9 make 17.\nSo 18.", True),
        ("9 and 9 make 17.", "9 and 9 are counted. They make 18.", "9 and 9 are counted. They make 18.", True),
        ("9 and 9 make 16.", "9 and 9 make 18.", "9 and 9 make 18.", False),  # from where does it go on?
        ("", "9 and 9 make 18.", "9 and 9 make 18.", False),
    ],
)
def test_what_the_student_got_right_need_not_be_said_again(step: str, reasoning: str, text: str, kept: bool) -> None:
    said = f"Wrong step: {step}\nReasoning: {reasoning}\nAnswer: 18"
    found = kept_reply(said, attempt=ATTEMPT, continues=True)
    assert (found.text, found.kept) == (text, kept)
    assert not kept_reply(said.replace("18", "16"), attempt=ATTEMPT, continues=True).kept


NUMBERED = "1. 9 and 9 are counted.\n2. 9 and 9 make 17.\n3. So 17."


@pytest.mark.parametrize("step", ["2. 9 and 9 make 17.", "9 and 9 make 17.", "Step 2"])
@pytest.mark.parametrize("reasoning", ["2. 9 and 9 make 18.\n3. So 18.", "9 and 9 make 18.\n3. So 18."])
def test_what_goes_on_in_a_numbered_solution_has_each_number_once(step: str, reasoning: str) -> None:
    said = f"**Wrong step**: {step}\n\n**Reasoning**:\n{reasoning}\n\n**Answer**: 18"
    found = kept_reply(said, attempt=NUMBERED, continues=True)
    assert (found.wrong_step, found.kept) == ("2. 9 and 9 make 17.", True)
    assert found.text == "1. 9 and 9 are counted.\n2. 9 and 9 make 18.\n3. So 18."


@given(st.text(), st.text())
def test_any_text_goes_on_from_any_attempt(text: str, attempt: str) -> None:
    for said in (text, f"Wrong step: {attempt}\nReasoning: {text}\nAnswer: 18"):
        assert isinstance(kept_reply(said, attempt=attempt, continues=True), Rationale)
