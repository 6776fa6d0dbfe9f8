"""A question is found in a chat as people and harnesses send it, and its own words stay."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.prompts.asked_question import NoQuestion, asked_question, bare_question
from reasoning.prompts.frame import Frame

FRAME = Frame.around("Question: ", "\nReasoning:")
ASKED = "Ann has 3 apples and buys 4. How many has she?"
OPTIONS = "Which is larger?\nAnswer Choices: (A) a hen (B) a house"

AROUND = {
    "alone": "{}",
    "in white space": "\n  {}\n\n",
    "the student's own prompt": "Question: {}\nReasoning:",
    "a heading and a cue": "Question: {}\nAnswer:",
    "letters": "Q: {}\nA:",
    "a problem": "Problem:\n{}\n\nSolution:",
    "numbered and bold": "**Question 12:** {}\n\n**Answer:**",
    "a heading of Markdown": "### Question:\n{}\n### Answer:",
    "a cue alone": "{}\nAnswer:",
    "step by step, below": "{}\nLet's think step by step.",
    "step by step, beside": "{} Let's think step by step.",
    "after the cue": "Q: {}\nA: Let's think step by step.",
    "boxed": "{}\nPlease reason step by step, and put your final answer within \\boxed{{}}.",
    "the last line is told": "{}\n\nGive your final answer after ####.",
    "one word": "{}\nAnswer with a single number.",
    "an answer's form": "{}\nYour answer should be a number.",
    "told first": "Answer the following question.\n\n{}",
    "told and headed": "Solve the following math problem. Show all work.\nProblem: {}\nSolution:",
    "a tutor": "You are a helpful maths tutor. Solve the problem:\n\nQuestion: {}\nAnswer:",
    "examples before": "Question: 1 + 1?\nAnswer: 2\n\nQuestion: 2 + 2?\nAnswer: 4\n\nQuestion: {}\nAnswer:",
    "letters before": "Q: 1 + 1?\nA: 2\n\nQ: {}\nA:",
    "told before and after": "Please answer this question:\n{}\nRespond with only the number.",
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("asked", [ASKED, OPTIONS])
def test_the_question_is_found_in_what_is_around_it(around: str, asked: str) -> None:
    assert bare_question(around.format(asked), FRAME) == asked


@pytest.mark.parametrize(
    "asked",
    [
        ASKED,
        OPTIONS,
        "Is it true that Q: stands for question?",
        "A coin is heads up. Ann flips the coin. Bob does not flip the coin. Is the coin still heads up?",
        'Take the last letters of the words in "Elon Musk" and concatenate them.',
        "Given that x + 2 = 5, what is x?",
        "Let x = 3. What is x + 1?",
        "The answer to a riddle is 7. What is twice the answer?",
        "Give 3 apples to Ann and 4 to Bob. How many apples are given?",
        "Work out 3 + 4",
        "Consider the following table:\na 1\nb 2\nWhat is a + b?",
        "Solve: 3x = 9",
        "Please, how many days has a week?",
        "3 + 4 =",
        "Which letter comes first?\nB\nA",
        "Question",
        "Answer:",
    ],
)
def test_a_question_that_stands_alone_is_itself(asked: str) -> None:
    assert bare_question(asked, FRAME) == asked
    assert bare_question(f"Question: {asked}\nReasoning:", FRAME) == asked


@given(st.text())
def test_every_text_has_a_question_that_is_a_part_of_it(text: str) -> None:
    found = bare_question(text, FRAME)
    assert found in text
    assert bool(found) == bool(text.strip())


@pytest.mark.parametrize(
    ("before", "again", "after"),
    [
        *(
            ("", word, "")
            for word in ("step by step ", "Question: ", ". please ", "answer the question ", "a:\n", "give ")
        ),
        *(("x", space, "y") for space in ("\n", " ", "\t \n", "? ", "#", "*")),
        *(("x\n", mark, "answer") for mark in ("#", "* ", " ", "\n")),
        *(("please ", "a", " step by step"), ("x? put ", "a ", "answer"), ("You are ", "a", " question:\n1")),
        ("**", "Question ", "1"),
        ("Question ", "1", ":"),
    ],
)
def test_a_text_that_somebody_makes_long_is_read_at_once(before: str, again: str, after: str) -> None:
    begun = time.process_time()
    bare_question(before + again * (100_000 // len(again)) + after, FRAME)
    assert time.process_time() - begun < 1.0


def test_the_last_message_asks_whatever_came_before() -> None:
    user = {"role": "user", "content": ASKED}
    before = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "2"},
    ]
    parts = {
        "role": "user",
        "content": [{"type": "text", "text": f"Question: {ASKED}"}, {"type": "text", "text": "Answer:"}],
    }
    assert asked_question([user], FRAME) == ASKED
    assert asked_question([*before, user], FRAME) == ASKED
    assert asked_question([*before, parts], FRAME) == ASKED


@pytest.mark.parametrize(
    "after",
    [
        [{"role": "system", "content": "Be brief."}],
        [{"role": "developer", "content": "Answer in French."}, {"role": "system", "content": ""}],
        [{"role": "assistant", "content": ""}],
        [{"role": "assistant", "content": None}, {"role": "system", "content": "Use the context."}],
    ],
)
def test_what_follows_a_question_and_asks_nothing_is_passed_over(after: list[dict[str, str | None]]) -> None:
    parts = {"role": "user", "content": [{"type": "input_text", "text": ASKED}]}
    assert asked_question([{"role": "user", "content": "1 + 1?"}, parts, *after], FRAME) == ASKED


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (None, "a list"),
        ([], "a list"),
        ("hello", "a list"),
        ([{"role": "system", "content": "Be brief."}], "role user"),
        ([{"role": "user", "content": "x"}, {"role": "assistant", "content": "It is"}], "role user"),
        ([{"role": "user", "content": "  "}], "no text"),
        ([{"role": "user"}], "no text"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}], "text alone"),
        (["x"], "role user"),
        ([{"role": "user", "content": "x"}, {"role": "tool", "content": "y"}], "role user"),
        ([{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": [{}]}], "role user"),
    ],
)
def test_a_chat_in_which_nobody_asks_is_refused(messages: object, said: str) -> None:
    with pytest.raises(NoQuestion, match=said):
        asked_question(messages, FRAME)
