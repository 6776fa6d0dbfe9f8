"""Answers in every common dress, the papers' bugs by name, and that nothing makes the grader raise."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.grading.answers import (
    How,
    answer_of_reply,
    extract,
    find_answer,
    grade,
    is_answer,
    is_right,
    judged_part,
    mentions,
    same_answer,
)
from reasoning.prompts.student_forms import student_completion
from reasoning.records import AnswerKind, Problem, Split, Verdict
from reasoning.tasks.families import FAMILIES, problems

NUMBER, YES_NO, CHOICE, TEXT = AnswerKind.NUMBER, AnswerKind.YES_NO, AnswerKind.CHOICE, AnswerKind.TEXT
BALLS = ("orange ball", "white ball", "blue ball")


def problem(answer: str, kind: AnswerKind, choices: tuple[str, ...] = ()) -> Problem:
    return Problem("task", "A question?", answer, kind, Split.TRAIN, choices)


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
        ("From 2010-3 on, that is 10-3", "3"),
        ("The answer is 5. No, wait: the answer is 6.", "6"),
        ("The answer is 5.\nAnswer: none that I know", "5"),
        ("There are 18 of them.\nAnswer", "18"),
        ("Answer: 1,2,3", "1"),
        ("the ANSWER IS 4", "4"),
        ("nothing here", ""),
        ("", ""),
    ],
)
def test_numbers(text: str, answer: str) -> None:
    assert extract(text, NUMBER) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So it is tails up.\nAnswer: no", "no"),
        ("Answer: Yes.", "yes"),
        ("Answer: yes, the coin is still heads up. There is no doubt.", "yes"),
        ("Therefore, the answer (Yes or No) is NO.", "no"),
        ("**Answer: yes**", "yes"),
        ("The answer is True.", "yes"),
        ("No one flips it. Is it still heads up? Yes", "yes"),
        ("Yes, and then nobody, no one, flips it.", "yes"),
        ("Therefore, the answer (Yes or No) is not known.", ""),
        ("Nobody knows; the noes have it, yesterday.", ""),
    ],
)
def test_yes_or_no(text: str, answer: str) -> None:
    assert extract(text, YES_NO) == answer


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
        ("It is (A), or perhaps (B)", "B"),
        ("Alice Calls Bob", ""),
        ("The answer is (D).", ""),
    ],
)
def test_choices(text: str, answer: str) -> None:
    assert extract(text, CHOICE, BALLS) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The last letters are y, a, j, o.\nAnswer: yajo", "yajo"),
        ('The answer is "yajo".', "yajo"),
        ("Answer: **Yajo**", "yajo"),
        ("Answer: y a j o.", "yajo"),
        ("Answer: 'yajo', as shown.", "yajo"),
        ("The answer is yajo because of that.", "yajo"),
        ('Together they are "yajo"', "yajo"),
        ("no idea", ""),
    ],
)
def test_free_text(text: str, answer: str) -> None:
    assert extract(text, TEXT) == answer


def test_numbers_compare_as_numbers() -> None:
    # paper A kept gold commas and took 18.00 for another number than 18
    assert same_answer("1080", "1,080", NUMBER)
    assert same_answer("18.00", "18", NUMBER)
    assert same_answer("0.3333333", "0.33333333", NUMBER)
    assert not same_answer("18", "1.8", NUMBER)
    assert not same_answer("100000000000000001", "100000000000000000", NUMBER)
    assert not same_answer("", "", NUMBER)


def test_a_truncated_attempt_is_truncated_whatever_it_says() -> None:
    # paper A's exam counted cut-off text as mistakes
    assert grade(" steps\nAnswer: 18", False, problem("18", NUMBER)) == ("18", Verdict.TRUNCATED)
    assert grade(" steps", False, problem("18", NUMBER)) == ("", Verdict.TRUNCATED)


def test_verdicts() -> None:
    coin = problem("yes", YES_NO)
    assert grade(" The coin is heads up.\nAnswer: yes", True, coin) == ("yes", Verdict.CORRECT)
    assert grade(" The coin is tails up.\nAnswer: no", True, coin) == ("no", Verdict.WRONG)
    assert grade(" The coin is heads up.", True, coin) == ("", Verdict.NO_ANSWER)
    assert grade("\nAnswer", True, coin) == ("", Verdict.NO_ANSWER)  # paper A crashed on this


def test_what_follows_the_answer_does_not_count() -> None:
    rambling = " One and one.\nAnswer: 2\n\nAlso, the answer is 3."
    assert judged_part(rambling) == " One and one.\nAnswer: 2"
    assert grade(rambling, True, problem("2", NUMBER))[1] is Verdict.CORRECT
    second = " One and one.\nAnswer: 2\nQuestion: And more?\nReasoning: so\nAnswer: 5"
    assert grade(second, True, problem("2", NUMBER))[1] is Verdict.CORRECT
    assert judged_part(" First.\n\nAnswer: 2") == " First.\n\nAnswer: 2"  # no answer before the blank line


def test_what_a_teacher_writes_after_its_heading() -> None:
    assert answer_of_reply("**$1,234.00**", problem("1234", NUMBER)) == "1234"
    assert answer_of_reply("18\n\nNote: the student's answer is 5.", problem("18", NUMBER)) == "18"
    assert answer_of_reply("The answer is 18.", problem("18", NUMBER)) == "18"
    assert answer_of_reply("Yes, it is.", problem("yes", YES_NO)) == "yes"
    assert answer_of_reply("(c) blue ball", problem("C", CHOICE, BALLS)) == "C"
    assert answer_of_reply("blue ball", problem("C", CHOICE, BALLS)) == "C"


def test_gold_answers_of_each_kind() -> None:
    assert is_answer("-3.5", NUMBER) and is_answer("1,080", NUMBER) and not is_answer("3 apples", NUMBER)
    assert is_answer("yes", YES_NO) and not is_answer("maybe", YES_NO)
    assert is_answer("C", CHOICE, BALLS) and not is_answer("D", CHOICE, BALLS) and not is_answer("", CHOICE, BALLS)
    assert is_answer("yajo", TEXT) and not is_answer(" . ", TEXT)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=30),
            st.sampled_from(
                [
                    "\nAnswer:",
                    "answer is ",
                    "####",
                    "-->",
                    "\\boxed{",
                    "\\frac{1}",
                    "½",
                    "one ",
                    "wait",
                    "(B)",
                    "$1,2",
                    "-",
                    '"',
                    "**",
                    "\n\n",
                    "\nQuestion:",
                    "İ",
                ]
            ),
            st.text("0123456789.,-$= ", max_size=12),
            st.just("\ud800"),
        ),
        max_size=12,
    ).map("".join),
    st.sampled_from(AnswerKind),
    st.booleans(),
)
def test_no_text_makes_it_raise(text: str, kind: AnswerKind, complete: bool) -> None:
    choices = BALLS if kind is CHOICE else ()
    gold = {NUMBER: "18", YES_NO: "yes", CHOICE: "B", TEXT: "yajo"}[kind]
    prediction, verdict = grade(text, complete, problem(gold, kind, choices))
    assert (verdict is Verdict.NO_ANSWER) == (complete and not prediction)
    assert verdict is not Verdict.CORRECT or same_answer(prediction, gold, kind)
    if kind is YES_NO:
        assert prediction in ("", "yes", "no")
    if kind is CHOICE:
        assert prediction in ("", "A", "B", "C")
    found = find_answer(text, kind, choices)
    assert found == find_answer(text, kind, choices)
    assert (found.how is How.NONE) == (not found.answer)
    assert not is_right(found, gold, kind) or found.answer
    assert same_answer(text, gold, kind) in (True, False)
    assert mentions(text, gold, kind, choices) in (True, False)
    assert is_answer(text, kind, choices) in (True, False)
    assert isinstance(answer_of_reply(text, problem(gold, kind, choices)), str)


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


@given(
    st.text(max_size=200),
    st.sampled_from([("18", NUMBER), ("-0.5", NUMBER), ("no", YES_NO), ("C", CHOICE), ("yajo", TEXT)]),
)
def test_an_answer_line_is_found_after_any_rationale(rationale: str, answer: tuple[str, AnswerKind]) -> None:
    gold, kind = answer
    choices = BALLS if kind is CHOICE else ()
    completion = student_completion(rationale.replace("\ud800", ""), gold)
    assert extract(completion, kind, choices) == gold


@pytest.mark.parametrize("name", FAMILIES)
def test_every_gold_answer_survives_its_completion(name: str) -> None:
    family = FAMILIES[name]
    for item in problems(family, 0, Split.TRAIN, 50):
        completion = student_completion(family.rationale(item.question, random.Random(1)).text, item.answer)
        assert grade(completion, True, item) == (item.answer, Verdict.CORRECT)


def test_random_letters_as_last_letters() -> None:
    for seed in range(50):
        gold = "".join(random.Random(seed).choices(string.ascii_lowercase, k=4))
        assert grade(student_completion("Steps.", gold), True, problem(gold, TEXT))[1] is Verdict.CORRECT


@pytest.mark.parametrize(
    ("task", "kind", "published", "ours"),
    [("coin_flip", YES_NO, 457, 457), ("strategy_qa", YES_NO, 1254, 1254), ("multiarith", NUMBER, 472, 479)],
)
def test_recorded_answers_of_a_real_teacher(
    real_data: Path, task: str, kind: AnswerKind, published: int, ours: int
) -> None:
    """Right answers among a real teacher's, by the published rule and by ours, which reads calculations and dresses."""
    lines = (real_data / "recorded_teacher" / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    said = [extract(f"{row['answer_trigger']}{row['answer_completion']}", kind) for row in rows]
    right = [same_answer(answer, str(row["gold"]), kind) for answer, row in zip(said, rows, strict=True)]
    assert sum(right) == ours >= published
