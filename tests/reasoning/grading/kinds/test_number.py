"""Numbers in every dress, calculations and words; what two numbers have in common; what a row of data may hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.answers import extract, find_answer, is_answer, is_right, judged_answer, same_answer
from reasoning.grading.kinds import KINDS
from reasoning.records import AnswerKind

NUMBER = AnswerKind.NUMBER
RULES = KINDS[NUMBER]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (" She has 16 - 3 = 13.\nAnswer: 13", "13"),
        ("The answer is 18.", "18"),
        ("Therefore, the answer (arabic numerals) is 2,125.", "2125"),
        ("Answer: $1,234", "1234"),
        ("Answer: 18.00", "18"),
        ("**Answer:** **42**", "42"),
        ("Answer:\n\n42", "42"),
        ("Final answer: -3.50 degrees", "-3.5"),
        ("The answer is −7.", "-7"),
        ("The answer is -$5.", "-5"),
        ("Answer: .5", "0.5"),
        ("Answer: 007", "7"),
        ("Answer: -0.0", "0"),
        ("Answer: 50%", "50"),
        ("Answer: 16 - 3 = 13", "13"),
        ("Answer: 13 (because 16 - 3 = 13, and 2 = 2)", "13"),
        ("Answer: $\\boxed{18}$", "18"),
        ("Some steps.\n#### 72", "72"),
        ("He ate 5 of 12, so 7 are left", "7"),
        ("From 2010-3 on, that is 10-3", ""),
        ("The answer is 5. No, wait: the answer is 6.", "6"),
        ("The answer is 5.\nAnswer: none that I know", "5"),
        ("There are 18 of them.\nAnswer", "18"),
        ("Answer: 1,2,3", ""),
        ("the ANSWER IS 4", "4"),
        ("nothing here", ""),
        ("", ""),
    ],
)
def test_the_number_meant_is_read(text: str, answer: str) -> None:
    assert extract(text, NUMBER) == answer


@pytest.mark.parametrize(
    ("gold", "texts"),
    [
        (
            "18",
            [
                "Answer: 20 - 2",
                "Answer: 9 × 2",
                "The answer is 36/2.",
                "The answer is 1.8e1",
                "Answer: $\\dfrac{36}{2}$",
                "Answer: 3\\sqrt{36}",
                "Answer: $2^4 + 2$",
                "Answer: eighteen",
                "Answer: one dozen and six",
                "Answer: +18",
                "The answer is 2x = 36, x = 18.",
                "Answer (in dollars): 18",
                "The answer is not 17 but 18.",
                "The correct answer is 18, not 17.",
                "Answer: 17. Wait, 18.",
                "Answer: 17\nActually, it is 18.",
                "If the answer is 5, all is well. But there are 18",
                "18",
                " 18. \n\nA second way: 5 and 4.",
                ": 18 apples. There are 4 boys.",
            ],
        ),
        (
            "0.5",
            ["Answer: 1/2", "Answer: ½", "Answer: $\\frac12$", "Answer: .5", "Answer: one half", "So it is 1 / 2."],
        ),
        ("0.3333333333333333", ["Answer: 1/3", "The answer is .33 or .3333333333333333", "Answer: one third"]),
        (
            "3.5",
            ["Answer: 3 1/2", "Answer: 3 and 1/2", "Answer: 3½", "Answer: 3\\frac{1}{2}", "Answer: three point five"],
        ),
        ("-5", ["Answer: -5", "Answer: −5", "Answer: -$5", "Answer: $-5", "Answer: minus 5", "Answer: negative five"]),
        ("2500000", ["Answer: 2.5 million", "Answer: 2,500,000", "Answer: 2{,}500{,}000", "Answer: 2.5 \\times 10^6"]),
        ("224.87", ["The answer is two hundred twenty-four point eighty-seven dollars."]),
        ("163.28", ["The answer is one hundred sixty-three point two eight dollars."]),
        ("27004", ["The answer is twenty-seven thousand and four."]),
    ],
)
def test_a_right_number_is_right_in_every_dress(gold: str, texts: list[str]) -> None:
    for text in texts:
        found = judged_answer(text, NUMBER)
        assert is_right(found, gold, NUMBER), (text, found)


@given(
    st.integers(-(10**12), 10**12),
    st.integers(0, 3),
    st.sampled_from(["", "$", "€"]),
    st.sampled_from(["", " apples.", ".", "**"]),
)
def test_a_number_is_read_in_every_dress(value: int, zeros: int, currency: str, after: str) -> None:
    dressed = f"{'-' if value < 0 else ''}{currency}{abs(value):,}{'.' + '0' * zeros if zeros else ''}"
    for text in (f"So 7 it is not.\nAnswer: {dressed}{after}", f"Hence the answer is {dressed}{after}"):
        assert extract(text, NUMBER) == str(value)
    assert same_answer(dressed, str(value), NUMBER)


def test_per_cent_and_millions_have_two_readings() -> None:
    half = find_answer("Answer: 50%", NUMBER)
    assert is_right(half, "50", NUMBER) and is_right(half, "0.5", NUMBER) and not is_right(half, "5", NUMBER)
    assert is_right(find_answer("Answer: 50 percent", NUMBER), "0.5", NUMBER)
    millions = find_answer("Answer: 2.5 million", NUMBER)
    assert is_right(millions, "2.5", NUMBER) and is_right(millions, "2500000", NUMBER)
    assert not is_right(find_answer("Answer: 50", NUMBER), "0.5", NUMBER)


def test_a_date_and_a_range_are_no_number() -> None:
    assert find_answer("Answer: 09/08/2021", NUMBER).answer == ""
    assert find_answer("Answer: 10-12 apples", NUMBER).answer == ""


def test_equations_with_unknowns_are_read_to_their_end() -> None:
    steps = "The answer is: \n\nx + y = 38 \n29 + y = 38 \ny = 9 \n\nThere were 9 bad carrots."
    assert find_answer(steps, NUMBER).answer == "9"


def test_numbers_compare_as_numbers() -> None:
    # paper A kept gold commas and took 18.00 for another number than 18
    assert same_answer("1080", "1,080", NUMBER)
    assert same_answer("18.00", "18", NUMBER)
    assert same_answer("0.3333333", "0.33333333", NUMBER)
    assert not same_answer("18", "1.8", NUMBER)
    assert not same_answer("100000000000000001", "100000000000000000", NUMBER)
    assert not same_answer("", "", NUMBER)


def test_gold_answers() -> None:
    assert is_answer("-3.5", NUMBER) and is_answer("1,080", NUMBER) and is_answer(" $.5\n", NUMBER)
    assert not is_answer("3 apples", NUMBER) and not is_answer("10,80", NUMBER) and not is_answer("", NUMBER)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (18, "18"),
        (43.0, "43"),
        (0.5, "0.5"),
        (1e-7, "0.0000001"),
        ("1,080", "1080"),
        (" -5 ", "-5"),
        ("26.0", "26"),
        ([8.0], "8"),
        (["26"], "26"),
    ],
)
def test_a_row_states_a_number(value: Any, read: str) -> None:
    assert RULES.gold_in_row(value) == read
    assert is_answer(read, NUMBER)


@pytest.mark.parametrize(
    "value", ["many", "1 08", "3/0", "1/2/2021", True, None, [1, 2], {}, float("nan"), float("inf"), "10,80"]
)
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(ValueError, match="number"):
        RULES.gold_in_row(value)


@pytest.mark.parametrize(("answer", "wrong"), [("18", "19"), ("9", "0"), ("-3.5", "-3.6")])
def test_a_wrong_answer_is_another_number(answer: str, wrong: str) -> None:
    assert RULES.wrong(answer, ()) == wrong
