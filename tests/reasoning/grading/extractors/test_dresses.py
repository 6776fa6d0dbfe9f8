"""A right answer in every common dress is found, and compared as what it is; generated, and by example."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.answers import How, find_answer, is_right, judged_answer
from reasoning.records import AnswerKind

NUMBER, YES_NO, CHOICE, TEXT = AnswerKind.NUMBER, AnswerKind.YES_NO, AnswerKind.CHOICE, AnswerKind.TEXT
BALLS = ("orange ball", "white ball", "blue ball")

ANCHORS = (
    "Answer: {}",
    "**Answer:** {}",
    "The answer is {}.",
    "Therefore, the answer (arabic numerals) is {}.",
    "Therefore, among A through C, the answer is {}.",
    "So the final answer is: {}",
    "Hence the correct answer would be {}.",
    "ANSWER: {}",
    "**Final Answer**\n\n{}",
    "## Answer\n{}",
    "#### {}",
    "--> {}",
    "\n-->\n{} END",
    "\\boxed{{{}}}",
    "The answer is $\\boxed{{{}}}$.",
)
AFTER = ("", "\nQ: What is 7 + 7?\nA: The answer is 14.", "\nQuestion: Is (A) right?\nAnswer: no (A) 3", "\n\n")
RATIONALES = (
    "",
    "First 7 of them, then 12. ",
    "It is not (A), and no one says yes. So:\n",
    'The answer is 5? No, the word is "not".\n\n',
)
DRESSES = {
    NUMBER: ("{}", "{} dollars", "**{}**", "\\text{{{}}}", "x = {}", "about {}", "[{}]"),
    YES_NO: ("{}", '"{}"', "**{}**", "{}, it is", "\\text{{{}}}", "probably {}"),
    CHOICE: ("{}", "({})", "{})", "**({})**", "option {}", "[{}]", "\\text{{({})}}", "{}: it is the one"),
    TEXT: ("{}", '"{}"', "'{}'", "**{}**", "\\text{{{}}}", "{}, as shown", "`{}`"),
}
GOLDS = {
    NUMBER: st.integers(-(10**9), 10**9).map(str),
    YES_NO: st.sampled_from(["yes", "no", "Yes", "NO"]),
    CHOICE: st.sampled_from("ABC"),
    TEXT: st.text("bcdfghj", min_size=3, max_size=8),
}


@given(st.data(), st.sampled_from(AnswerKind), st.sampled_from(ANCHORS), st.sampled_from(RATIONALES))
def test_every_anchor_and_every_dress(data: st.DataObject, kind: AnswerKind, anchor: str, rationale: str) -> None:
    gold = data.draw(GOLDS[kind])
    dressed = data.draw(st.sampled_from(DRESSES[kind])).format(gold)
    text = rationale + ("\n" if anchor[0] in "*#" else "") + anchor.format(dressed) + data.draw(st.sampled_from(AFTER))
    found = judged_answer(text, kind, BALLS if kind is CHOICE else ())
    assert is_right(found, gold, kind), (text, found)
    assert found.how is not How.LAST_CANDIDATE


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
def test_numbers(gold: str, texts: list[str]) -> None:
    for text in texts:
        found = judged_answer(text, NUMBER)
        assert is_right(found, gold, NUMBER), (text, found)


def test_per_cent_and_millions_have_two_readings() -> None:
    half = find_answer("Answer: 50%", NUMBER)
    assert is_right(half, "50", NUMBER) and is_right(half, "0.5", NUMBER) and not is_right(half, "5", NUMBER)
    assert is_right(find_answer("Answer: 50 percent", NUMBER), "0.5", NUMBER)
    millions = find_answer("Answer: 2.5 million", NUMBER)
    assert is_right(millions, "2.5", NUMBER) and is_right(millions, "2500000", NUMBER)
    assert not is_right(find_answer("Answer: 50", NUMBER), "0.5", NUMBER)


def test_a_date_is_no_fraction_and_a_range_no_sum() -> None:
    assert find_answer("Answer: 09/08/2021", NUMBER).answer == "9"
    assert find_answer("Answer: 10-12 apples", NUMBER).answer == "10"


def test_equations_with_unknowns_are_read_to_their_end() -> None:
    steps = "The answer is: \n\nx + y = 38 \n29 + y = 38 \ny = 9 \n\nThere were 9 bad carrots."
    assert find_answer(steps, NUMBER).answer == "9"


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
def test_options(text: str) -> None:
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


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("There is no evidence against it, so yes.", "yes"),
        ("Yes, it would. There is no other way.", "yes"),
        ("The answer is not true.", "no"),
        ("Answer: No. Wait, yes.", "yes"),
        ("The answer is no because he left", "no"),
        ("The answer is both Yes and No.", ""),
        ("The answer is yes or no", ""),
        ("There is no way to know", ""),
        ("Answer: no one can say", ""),
        # what was said last counts, though it is no answer
        ("If it is so, then the answer is no. But the answer is not known.", ""),
        ("So the answer could be yes. Therefore, the answer (Yes or No) is dependent on the case.", ""),
        ("The answer is not as simple as it seems.\n\nYes, it could.", "yes"),
    ],
)
def test_yes_and_no(text: str, answer: str) -> None:
    assert find_answer(text, YES_NO).answer == answer


@pytest.mark.parametrize(
    "text",
    [
        "Answer: y, a, j, o",
        "Answer: y-a-j-o",
        "Answer: Y A J O.",
        'Answer: "y", "a", "j", "o"',
        "Answer: y + a + j + o = yajo",
        "Answer: yajo (the last letters)",
        "The answer is the letters yajo",
        "x --> yajo END",
    ],
)
def test_letters(text: str) -> None:
    assert find_answer(text, TEXT).answer == "yajo"


@pytest.mark.parametrize(
    ("text", "kind", "how"),
    [
        ("Answer: 18", NUMBER, How.ANCHORED),
        ("Six. --> 18", NUMBER, How.ARROW),
        ("Six.\n#### 18", NUMBER, How.HASH_MARKS),
        ("So $\\boxed{18}$", NUMBER, How.BOXED),
        ("Answer: eighteen", NUMBER, How.NUMBER_WORDS),
        ("Answer: 3\\sqrt{36}", NUMBER, How.MATH_VERIFY),
        ("Answer: white ball", CHOICE, How.OPTION_TEXT),
        (" 18. \n\nA second way.", NUMBER, How.LEADING),
        ("So there are 18 of them", NUMBER, How.LAST_CANDIDATE),
        ("So there are some", NUMBER, How.NONE),
    ],
)
def test_how_it_was_found_is_told(text: str, kind: AnswerKind, how: How) -> None:
    assert find_answer(text, kind, BALLS if kind is CHOICE else ()).how is how


def test_the_last_anchored_answer_counts_whatever_its_anchor() -> None:
    assert find_answer("Answer: 1\n#### 2\nx --> 3 and \\boxed{4}", NUMBER).answer == "4"
    assert find_answer("\\boxed{4} --> 3\n#### 2\nAnswer: 1", NUMBER).answer == "1"
    assert find_answer("#### Step 2: add\nSo there are 18", NUMBER).answer == "18"
    assert find_answer("Answer: 18\nThe answer cannot be 5.", NUMBER).answer == "18"
