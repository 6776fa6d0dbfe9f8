"""Numbers as data states them: what is one, and how it is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.answers import is_right, judged_answer
from reasoning.grading.kinds import KINDS
from reasoning.grading.numbers.gold_numbers import gold_number, number_text, with_another_digit
from reasoning.records import AnswerKind

NUMBER = AnswerKind.NUMBER
GOLDS = {
    "42": "42",
    "1,000": "1000",
    "1 000 000": "1000000",
    "1'000": "1000",
    "1_000": "1000",
    "1\u202f000": "1000",
    "-5": "-5",
    "−5": "-5",
    "- 5": "-5",
    "+5": "5",
    "$5": "5",
    "-$5": "-5",
    "$-5": "-5",
    "5 €": "5",
    "$1,234.50": "1234.50",
    ".5": "0.5",
    "5.": "5",
    "5.0": "5",
    "3e8": "300000000",
    "1.5E-3": "0.0015",
    "3 × 10^8": "300000000",
    "3 \\times 10^{8}": "300000000",
    "2*10**3": "2000",
    "1/2": "1/2",
    "−1/2": "-1/2",
    "\\frac{1}{2}": "1/2",
    "2 1/2": "2 1/2",
    "50%": "50%",
    "12.5 %": "12.5%",
    "50\\%": "50%",
    "#### 72": "72",
    "48 / 2 = 24, so 48 + 24 = 72.\n#### 72": "72",
    "\\boxed{72}": "72",
    "$\\boxed{\\frac{3}{4}}$": "3/4",
    "**42**": "42",
    "$42$": "42",
    "７２": "72",
    "７．５％": "7.5%",
    "٧": "7",
    "9 (apples)": "9",
    "1,200 (cubic meters)": "1200",
    "½": "1/2",
    "2½": "2 1/2",
    "\u200b7\ufeff": "7",
}


@pytest.mark.parametrize("text", GOLDS)
def test_a_number_is_kept_and_is_right_where_it_is_written(text: str) -> None:
    gold = gold_number(text)
    assert gold == GOLDS[text] and gold_number(gold) == gold
    assert KINDS[NUMBER].gold_in_row(text) == gold and KINDS[NUMBER].is_gold(text, ())
    for completion in (f"So.\nAnswer: {gold}", f"The answer is {gold}."):
        assert is_right(judged_answer(completion, NUMBER), gold, NUMBER), completion


def test_a_percentage_is_right_as_its_hundredth() -> None:
    for said in ("50%", "50", "0.5", "1/2", "50 percent"):
        assert is_right(judged_answer(f"Answer: {said}", NUMBER), "50%", NUMBER), said
    assert not is_right(judged_answer("Answer: 5", NUMBER), "50%", NUMBER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "many",
        "3 apples",
        "10,80",
        "1 08",
        "1/0",
        "1/2/2021",
        "5 or 7",
        "--5",
        "5-7",
        "1e999",
        "٣x",
        "####",
        "— 7",
        "10³",
    ],
)
def test_what_is_no_number_or_two(text: str) -> None:
    assert gold_number(text) == ""


@given(st.text(st.sampled_from("0123456789.,-−+$€%/ eE^×#\\{}'_"), max_size=30))
def test_any_text_is_a_number_or_none(text: str) -> None:
    gold = gold_number(text)
    assert not gold or gold_number(gold) == gold


@pytest.mark.parametrize(
    ("value", "text"), [(18, "18"), (43.0, "43"), (1e-7, "0.0000001"), (1e22, "10000000000000000000000")]
)
def test_a_number_of_data_in_digits(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_of_data_that_is_none(value: float) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        number_text(value)


def test_another_digit() -> None:
    assert with_another_digit("3 and 15 make 18.") == "3 and 15 make 19."
    assert with_another_digit("9") == "0" and with_another_digit("none") == "none"
