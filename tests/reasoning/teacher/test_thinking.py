"""Thinking is parted from what is said, in every form that models write; a text without marks is left alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.teacher.thinking import Thinking, split_thinking, with_thinking

HARMONY = "<|channel|>analysis<|message|>Is it 41? No.<|end|><|start|>assistant<|channel|>final<|message|>It is 42."


@pytest.mark.parametrize(
    "text",
    [
        "<think>Is it 41? No.</think>It is 42.",
        "Is it 41? No.</think>It is 42.",  # the chat template opened it
        "<think>Is it 41? No.<//think>It is 42.",
        "<ctrl94>thought\nIs it 41? No.<ctrl95>It is 42.",
        "<THINKING>Is it 41? No.</THINKING>It is 42.",
        "<thinking>Is it 41? No.</ thinking >It is 42.",
        "<thought>Is it 41? No.</thought>It is 42.",
        "<reasoning>Is it 41? No.</reasoning>It is 42.",
        "<scratchpad>Is it 41? No.</scratchpad>It is 42.",
        "<seed:think>Is it 41? No.</seed:think>It is 42.",
        "<longcat_think>Is it 41? No.</longcat_think>It is 42.",
        "&lt;think&gt;Is it 41? No.&lt;/think&gt;It is 42.",
        "[THINK]Is it 41? No.[/THINK]It is 42.",
        "◁think▷Is it 41? No.◁/think▷It is 42.",
        "<|begin_of_thought|>Is it 41? No.<|end_of_thought|>It is 42.",
        "<|START_THINKING|>Is it 41? No.<|END_THINKING|>It is 42.",
        "<|channel>thoughtIs it 41? No.<channel|>It is 42.".replace("thoughtIs", "thought\nIs"),
        HARMONY,
        f"<|start|>assistant{HARMONY}",
        "Is it 41? No.<|end|><|start|>assistant<|channel|>final<|message|>It is 42.",
        "analysisIs it 41? No.assistantfinalIt is 42.",  # decoded without its marks
        "<antThinking>Is it 41? No.</antThinking>It is 42.",
        "Here is my thought process: Is it 41? No. Here is my response:It is 42.",  # Granite
        "Here's my thought process: Is it 41? No.\n\nHere's my response:It is 42.",
        '<details type="reasoning" done="true" duration="1">Is it 41? No.</details>It is 42.',  # Open WebUI
        "*Thinking...*\n\n> Is it 41? No.\n\nIt is 42.",  # Poe
    ],
)
def test_what_is_thought_and_what_is_said(text: str) -> None:
    thinking = split_thinking(text)
    assert (thinking.said, thinking.closed) == ("It is 42.", True)
    assert thinking.thought.removeprefix("analysis").removeprefix("> ") == "Is it 41? No."


@pytest.mark.parametrize(
    "text",
    [
        "<think>41? No.</think>hm<think>40? No.</think>It is 42.",
        "<think>They ask:\nQuestion: how many?\n\nHuman: 3.\nAnswer: 41\n</think>It is 42.",
        "They ask:\nQuestion: how many?\n\nUser: 3.\nAnswer: 41\n</think>It is 42.",
        "Let me see. <think>Write <think> first. 41</think>It is 42.",
    ],
)
def test_the_last_closing_mark_counts(text: str) -> None:
    assert split_thinking(text).said == "It is 42."


@pytest.mark.parametrize(
    "text",
    [
        "<think>Adding gives 42. The answer is 42.",
        "<reasoning>\n\\boxed{42}",
        "[THINK]42",
        "<|channel|>analysis<|message|>The answer is 42.",
        "<|channel|>commentary to=functions.add<|message|>{}<|call|>",
        "analysisThe answer is 42.",
        "analysis40 + 2 is 42.",
        "Here is my thought process: the answer is 42.",
        '<details type="reasoning" done="false">\nThe answer is 42.',
        "*Thinking...*\n\n> The answer is 42.\n",
        "<think>41</think>Hm. <think>The answer is 42.",
    ],
)
def test_thinking_that_does_not_end_says_nothing(text: str) -> None:
    thinking = split_thinking(text)
    assert not thinking.closed and "42" not in thinking.said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It is 42.\n\nHuman: 2+2?\nAssistant: <think>hm</think>4", "It is 42."),
        ("It is 42.<|im_end|>\n<|im_start|>assistant\n<think>hm</think>4", "It is 42."),
        ("<think>hm</think>It is 42.</s><think>hm</think>4", "It is 42."),
        ("<think>hm</think>It is 42.\nQuestion: 2+2?\n<think>hm</think>4", "It is 42."),
        ("It is 42.\nQ: 2+2?\n<think>cut off here", "It is 42."),
    ],
)
def test_the_thinking_of_a_made_up_turn_is_another_matter(text: str, said: str) -> None:
    thinking = split_thinking(text)
    assert thinking.said.startswith(said) and thinking.closed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It is 42.",
        "3 < 5 and a[1] > 2",
        "analysis of this shows 42",
        "I think so. <b>42</b>",
        "thinking: 42",
        "[42]",
    ],
)
def test_a_text_without_marks_is_said(text: str) -> None:
    assert split_thinking(text) == Thinking("", text, True)


def test_both_parts_in_one_text_are_parted_again() -> None:
    assert split_thinking(with_thinking("41?\nNo.", "It is 42.")) == Thinking("41?\nNo.", "\nIt is 42.", True)


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["<think>", "</think>", "[/THINK]", "</s>", "\nQ:", "<|channel|>final<|message|>", "İ"]),
            st.text(max_size=8),
        ),
        max_size=10,
    ).map("".join)
)
def test_any_text_is_parted(text: str) -> None:
    thinking = split_thinking(text)
    assert thinking.said in text and (thinking.said == text or thinking.closed or len(thinking.said) < len(text))


@pytest.mark.parametrize(
    "part",
    ["<think>", "</think>", "<think>a</think>b", "<", "</ ", "\nproblem:", "\nuser\n", "<|end|><|start|>assistant"],
)
def test_time_is_linear(part: str) -> None:
    text = part * (300_000 // len(part))
    start = time.process_time()
    split_thinking(text)
    assert time.process_time() - start < 3
