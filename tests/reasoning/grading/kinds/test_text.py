"""Free text: where it begins and ends, and what two texts have in common."""

from __future__ import annotations

import random
import string

import pytest

from reasoning.grading.answers import extract, find_answer, grade, is_answer
from reasoning.grading.kinds import KINDS
from reasoning.prompts.student_forms import student_completion
from reasoning.records import AnswerKind, Problem, Split, Verdict

TEXT = AnswerKind.TEXT
RULES = KINDS[TEXT]


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
def test_free_text_is_read(text: str, answer: str) -> None:
    assert extract(text, TEXT) == answer


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
        "Answer: y, a, j, o -> yajo",
    ],
)
def test_letters_spelled_out_are_one_word(text: str) -> None:
    assert find_answer(text, TEXT).answer == "yajo"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Notes on it were written by Ada Lovelace in 1843.", "adalovelace"),
        ("It was first written by Ada Lovelace.", "adalovelace"),
        ("Author: Ada Lovelace", "adalovelace"),
        ("It was not written by Ada Lovelace.", ""),
        ("Wrong answer: Ada Lovelace", ""),
        ("Note: Ada Lovelace", ""),
        ("Common mistake: Ada Lovelace", ""),
    ],
)
def test_who_did_it(text: str, answer: str) -> None:
    assert extract(text, TEXT) == answer


def test_random_letters_as_last_letters() -> None:
    for seed in range(50):
        gold = "".join(random.Random(seed).choices(string.ascii_lowercase, k=4))
        assert (
            grade(student_completion("Steps.", gold), True, Problem("task", "A question?", gold, TEXT, Split.TRAIN))[1]
            is Verdict.CORRECT
        )


def test_gold_answers() -> None:
    assert is_answer("yajo", TEXT) and is_answer("Ada Lovelace", TEXT) and not is_answer(" . ", TEXT)


def test_a_text_in_a_row_is_kept() -> None:
    assert RULES.gold_in_row(" Ada Lovelace ") == "Ada Lovelace" and RULES.gold_in_row(1815) == "1815"
    for value in ([], None, True):
        with pytest.raises(ValueError, match="not text but"):
            RULES.gold_in_row(value)


@pytest.mark.parametrize(("answer", "wrong"), [("yajo", "ojay"), ("aa", "aaaa")])
def test_a_wrong_answer_is_about_as_long(answer: str, wrong: str) -> None:
    assert RULES.wrong(answer, ()) == wrong


def test_a_student_is_to_write_it_with_its_capitals_and_spaces() -> None:
    assert RULES.as_written('**"Ada Lovelace."**', "adalovelace") == "Ada Lovelace"
    assert RULES.as_written("The answer is Ada.", "ada") == "ada"
