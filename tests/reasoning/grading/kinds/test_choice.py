"""Options by their letters, their texts and their numbers; which option a row of data means."""

from __future__ import annotations

import pytest

from reasoning.grading.answers import extract, find_answer, is_answer
from reasoning.grading.kinds import KINDS
from reasoning.grading.options import RowOptions
from reasoning.records import AnswerKind

CHOICE = AnswerKind.CHOICE
RULES = KINDS[CHOICE]
BALLS = ("orange ball", "white ball", "blue ball")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer: B", "B"),
        ("Answer: (B)", "B"),
        ("Answer: **(b)**", "B"),
        ("Answer: b.", "B"),
        ("Answer: C)", "C"),
        ("Therefore, among A through C, the answer is C.", "C"),
        ("The answer is option B because Bob has it.", "B"),
        ("So the answer is white ball (B).", "B"),
        ("The answer is the white ball.", "B"),
        ("Answer: A ball that is blue, so the blue ball", "C"),
        ("(A) is wrong. The answer is not (A) but (C).", "C"),
        ("It is (A), or perhaps (B)", ""),
        ("Alice Calls Bob", ""),
        ("The answer is (D).", ""),
    ],
)
def test_the_option_meant_is_read(text: str, answer: str) -> None:
    assert extract(text, CHOICE, BALLS) == answer


@pytest.mark.parametrize(
    "text",
    [
        "Answer: white ball",
        "The answer is the White Ball.",
        "Answer: the white ball, not the blue ball.",
        "The answer is not (A) but (B).",
        "The answer is (A). No, (B).",
        "Answer: B because (A) is wrong",
        "Answer: B, blue ball",  # the letter outranks the text
        "B.\n\nThe ball is white because of A.",
        "So Claire has the white ball.",
        "It must be B.",
        "Answer: \\text{(B)}",
    ],
)
def test_an_option_is_found_in_every_dress(text: str) -> None:
    assert find_answer(text, CHOICE, BALLS).answer == "B"


def test_options_that_name_several_name_none() -> None:
    for text in ("Answer: A, B or C", "Answer: (A) and (B)", "Answer: the white ball or the blue ball"):
        assert find_answer(text, CHOICE, BALLS).answer == ""
    assert find_answer("Answer: river bank", CHOICE, ("bank", "river bank")).answer == "B"
    assert find_answer("Answer: 8.75", CHOICE, ("8.75", "8.79", "8.75")).answer == ""


def test_options_are_known_by_their_numbers() -> None:
    lengths = ("18cm", "22cm", "20cm")
    assert find_answer("The answer is 20 cm.", CHOICE, lengths).answer == "C"
    assert find_answer("The answer is 9/8/2021.", CHOICE, ("09/07/2021", "09/08/2021")).answer == "B"
    assert find_answer("The answer is -5.", CHOICE, ("5", "-5")).answer == "B"


def test_gold_answers() -> None:
    assert is_answer("C", CHOICE, BALLS) and not is_answer("D", CHOICE, BALLS) and not is_answer("", CHOICE, BALLS)
    assert not is_answer("c", CHOICE, BALLS) and not is_answer("BC", CHOICE, BALLS)


def test_a_row_names_an_option_by_letter_index_or_text() -> None:
    options = RowOptions("ABC", ("B", "A", "red"))
    assert (
        RULES.gold_in_row("(c)", options) == RULES.gold_in_row(2, options) == RULES.gold_in_row("red", options) == "C"
    )
    assert RULES.gold_in_row([0, 1, 0], options) == "B"
    with pytest.raises(ValueError, match=r"can be \(A\) or \(B\)"):
        RULES.gold_in_row("A", options)
    assert RULES.gold_in_row("A", RowOptions("ABC", ("B", "A", "red"), "text")) == "B"
    with pytest.raises(ValueError, match="not among its 3 options"):
        RULES.gold_in_row("violet", options)


def test_a_wrong_answer_is_another_option() -> None:
    assert RULES.wrong("C", BALLS) == "A" and RULES.wrong("A", BALLS) == "B" and RULES.wrong("A", ()) == "B"


def test_a_sentence_names_an_option_by_its_text_and_its_letter() -> None:
    assert RULES.in_a_sentence("B", ("ink.", "milk.")) == "milk (b)"
    for answer in ("C", "milk", ""):  # none of the options' letters
        assert RULES.in_a_sentence(answer, ("ink", "milk")) == answer


@pytest.mark.parametrize("count", range(28))
def test_any_number_of_options_is_read(count: int) -> None:
    assert find_answer("I choose (A).", CHOICE, tuple(f"option {i}" for i in range(count))).answer == "A"
