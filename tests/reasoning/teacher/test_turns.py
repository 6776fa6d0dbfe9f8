"""Where a completion's own words end: at the marks of chat templates, and at lines that begin somebody else's."""

from __future__ import annotations

import pytest

from reasoning.teacher.turns import asked_again, before_question, next_turn, own_start, own_turn


@pytest.mark.parametrize(
    "mark",
    [
        *("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>", "<|return|>", "<|end_of_text|>", "<|eom_id|>"),
        *("</s>", "<s>", "<eos>", "<end_of_turn>", "<|END_OF_TURN_TOKEN|>", "<|user|>", "<|eot|>", "<turn|>"),
        *(
            "<｜end▁of▁sentence｜>",
            "<｜User｜>",
            "[INST]",
            "[/INST]",
            "[|endofturn|]",
            "<|start_header_id|>",
            "<|endofprompt|>",
        ),
    ],
)
def test_the_marks_of_chat_templates_end_a_turn(mark: str) -> None:
    text = f"It is 42.{mark}\nAnswer: 7"
    assert text[: next_turn(text)] == "It is 42."
    assert next_turn(text, marks_alone=True) == next_turn(text)


@pytest.mark.parametrize(
    "line",
    [
        *(
            "Human:",
            "User:",
            "Question:",
            "Related question:",
            "Follow-up question:",
            "Q:",
            "Q2:",
            "### Question:",
            "**Question 2:**",
            "## Question",
            "### User",
            "Input:",
        ),
        *(
            "> Question:",
            "### Instruction:",
            "Customer:",
            "Question #2:",
            "user\n2+2?\nassistant",
            "用户：",
            "Question：",
            "q:",
        ),
    ],
)
def test_a_line_begins_somebody_elses_words(line: str) -> None:
    text = f"It is 42.\n\n{line}\n2+2?\nAnswer: 4" if "\n" not in line else f"It is 42.\n{line}\n4"
    assert text[: next_turn(text)].strip() == "It is 42."
    assert next_turn(text, marks_alone=True) == len(text)


@pytest.mark.parametrize(
    "line",
    [
        *("Problem:", "Exercise 2:", "## Problem 3:", "Example:", "Another question:", "Exercise 2.", "Problem 2\n"),
        *("**Example 3.**", "Q2.", "Task no. 4.", "Puzzle:"),
    ],
)
def test_a_heading_begins_another_question_only_after_an_answer(line: str) -> None:
    assert next_turn(f"The answer is 42.\n{line} 2+2?") == len("The answer is 42.")
    restated = f"Let me see.\n{line} 2+2?\nThe answer is 4."
    assert next_turn(restated) == len(restated)


def test_a_next_numbered_question_follows_a_paragraph_that_answers() -> None:
    text = "So the answer is 42.\n\n2. What is 2+2? The answer is 4."
    assert text[: next_turn(text)] == "So the answer is 42."
    own = "We are to find the answer.\n\n2. What is given? 42."
    assert next_turn(own) == len(own)


def test_another_problem_is_told_after_an_answer() -> None:
    story = "Tim has 9 pens and loses 4. How many pens are left?\n9 - 4 = 5\nThe answer is 5."
    for answer in ("So the answer is 42.", "#### 42", "\\boxed{42}"):
        text = f"40 + 2 = 42\n{answer}\n\n{story}"
        assert text[: next_turn(text)] == f"40 + 2 = 42\n{answer}"
    for own in (
        f"Let me see.\n\n{story}",
        "The first answer is 6.\n\nHow many are left? 9 - 6 = 3. The answer is 3.",
        "The answer is 6.\n\nWait, let me read it again. She has 9 pens. How many pens are left? The answer is 5.",
    ):
        assert next_turn(own) == len(own)


@pytest.mark.parametrize(
    "text",
    [
        "Question: how many?\nAnswer: 42",  # its own
        "\n\nQ: how many?\nA: 42",
        "It is 42. The user: nobody",
        "Users: 42",
        "The answer is\nhuman\n",
        "a < b and [b] > 3",
        "<answer>42</answer>",
        "<|answer|>42",
        "questionable: 42",
    ],
)
def test_what_is_its_own(text: str) -> None:
    assert next_turn(text) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "<|im_start|>assistant\n42",
        "<|start_header_id|>assistant<|end_header_id|>\n\n42",
        "<start_of_turn>model\n42",
        "<｜Assistant｜>42",
        "[/INST] 42",
        "<|begin_of_solution|>42",
        "<s>42",
        "42",
    ],
)
def test_the_marks_of_its_own_beginning_are_not_its_words(text: str) -> None:
    assert text[own_start(text) :] == "42"
    assert next_turn(text) == len(text)
    assert own_turn(f"{text}<|im_end|>\n<|im_start|>user\n43") == "42"
    assert own_turn("It is <|begin_of_box|>42<|end_of_box|>.") == "It is 42."


def test_the_second_problem_of_a_series_without_a_first_is_somebody_elses() -> None:
    assert next_turn("35 rolls.\n\n---\n\n**Problem 2.** What is 7 × 7?\n\n49") == len("35 rolls.\n\n---\n")
    for own in (
        "It has 2 parts.\n\n---\n\nProblem: 7 × 7",
        "Problem 1 is 35.\n\n---\n\nProblem 2. 7 × 7",
        "a\n\nTask 2. b",
    ):
        assert next_turn(own) == len(own)


def test_the_next_question_of_the_same_task_begins_as_the_one_that_was_asked() -> None:
    question, own = "A coin is heads up. Bo flips it. Is it still heads up?", "So the answer is no."
    again = "\nA coin is heads up. Cy flips it. Is it still heads up?\nSo the answer is yes."
    assert asked_again(f"{own}\n{again}", question) == len(own) + 1
    assert asked_again(f"One flip.{again}", question) == len(f"One flip.{again}")  # it may repeat what it was asked
    fit = "Would a cat fit in a box?"
    assert asked_again(f"{own}\n\nWould a cat swim?\nSo the answer is yes.", fit) == len(own) + 1
    assert asked_again(f"{own}\nWould a cat mind?", fit) == len(f"{own}\nWould a cat mind?")  # a question of its own
    assert asked_again(f"{own}\n{again}", "") == asked_again(f"{own}\n{again}", "Is it so?") == len(f"{own}\n{again}")


def test_a_question_that_is_repeated_at_the_end_is_cut() -> None:
    question = "Ann has 3 pens and buys 5. How many does she have?"
    assert before_question(f"She has 8.\n{question} {question}\n", question) == "She has 8.\n"
    assert before_question(f"She has 8.\n{question[:35]}", question) == "She has 8.\n"
    for text in (f"{question} 8", "She has 8.\nAnn has 3 pens.", ""):
        assert before_question(text, question) == text
    assert before_question("What is 3 + 5?", "What is 3 + 5?") == "What is 3 + 5?"  # too short to tell
