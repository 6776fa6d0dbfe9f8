"""Training questions that are test questions in other words leave train; those that only look like it stay."""

from __future__ import annotations

import random
import time

import pytest

from reasoning.tasks.repetitions.near import NearQuestions, Question, alike, near_the_test

BAKERY = "A bakery sold 14 loaves on Monday and 23 loaves on Tuesday. How many loaves did it sell in all?"


def asked(text: str, *answers: str, place: str = "") -> Question:
    return Question(text, frozenset(answers), place)


@pytest.mark.parametrize(
    ("other", "near"),
    [
        (BAKERY, True),
        (BAKERY.upper(), True),
        (BAKERY.replace(". ", ".\n\n").replace("?", " ?"), True),
        (BAKERY.replace("A bakery", "One bakery"), True),
        (BAKERY.replace("in all", "altogether"), True),
        ("Solve this problem. Think step by step and give the result at the end, please. " + BAKERY, True),
        (BAKERY + " Answer with a number only and write nothing else after it.", True),
        (BAKERY.replace("14", "\uff11\uff14"), True),  # the same digits, full-width
        (BAKERY.replace("14", "15"), False),  # another question, though with the answer of the first it would be wrong
        (BAKERY.replace("14 loaves on Monday and 23", "23 loaves on Monday and 14"), False),  # not the same order
        ("How many loaves did it sell in all?", False),  # a part that many questions share
        ("A baker baked 14 pies and then 23 tarts. What is the number of things that he baked?", False),
        ("", False),
    ],
)
def test_the_same_numbers_in_nearly_the_same_words(other: str, near: bool) -> None:
    assert alike(asked(BAKERY, "37"), asked(other, "37")) is alike(asked(other, "37"), asked(BAKERY, "37")) is near
    assert not alike(asked(BAKERY, "37"), asked(other, "38"))  # another answer, another question


def test_thousands_are_written_either_way_and_one_right_answer_in_common_is_enough() -> None:
    left = asked("A town of 12,500 people grew by 1,300. How many live there?", "13800", "13,800")
    assert alike(left, asked("a town of 12500 people grew by 1300: how many live there", "13,800"))


def test_words_without_spaces_between_them_are_compared_too() -> None:
    assert alike(asked("小明有3个苹果，又买了5个。一共几个？", "8"), asked("小明有3个苹果,又买了5个。一共几个?", "8"))


def test_a_copied_question_leaves_train_and_is_listed_with_its_place() -> None:
    draw = random.Random(0)
    words = [f"word{number}" for number in range(500)]
    questions = [asked(" ".join(draw.choices(words, k=30)), "7", place=f"line {n}") for n in range(60)]
    train = dict(enumerate(questions[:40]))
    copied = asked(questions[50].text.replace("word", "WORD", 2) + "?", "7", place="line 99")
    changed = asked(" ".join([*questions[51].text.split()[:-1], "end"]), "7", place="line 100")
    left_out, notes = near_the_test(train | {98: copied, 99: changed}, questions[40:])
    assert left_out == {98, 99} and len(notes) == 1
    assert "2 training questions are left out" in notes[0] and "line 99 like line 50; line 100 like line 51" in notes[0]
    assert near_the_test(train, questions[40:]) == (set(), ())


def test_of_a_few_questions_a_copy_is_no_template() -> None:
    train = {0: asked(BAKERY.lower(), "37", place="a"), 1: asked("What is the capital of France?", "paris", place="b")}
    assert near_the_test(train, [asked(BAKERY, "37", place="c")])[0] == {0}


def test_questions_from_a_template_are_kept_but_for_those_that_are_the_same() -> None:
    def made(name: str, other: str) -> str:
        return (
            f"A coin is heads up on the table. First {name} comes along and flips the coin over. After a while {other} "
            "comes along and does not flip the coin. Nobody else is in the room. Is the coin still heads up?"
        )

    names = [f"Name{number}" for number in range(12)]
    train = {n: asked(made(one, "Zoe"), "no", place=f"line {n}") for n, one in enumerate(names)}
    tests = [asked(made(one, "Yan").replace("Yan", "Zoe" if one == "Name3" else "Yan"), "no") for one in names]
    left_out, notes = near_the_test(train, tests)
    assert left_out == {3}
    assert notes[0].startswith("12 of 12 training questions differ") and "line 3" in notes[1]


def test_ten_thousand_questions_from_one_template_take_no_square_of_time() -> None:
    """Each shares its words with all others, so that comparing all with all would be twelve million comparisons."""
    text = "Take the last letters of the words in '{} {}' and concatenate them, then write what you get in full."
    tests = [asked(text.format(f"a{n}", f"b{n}"), "x") for n in range(1_200)]
    started = time.process_time()
    index = NearQuestions(tests)
    assert not index.near(asked(text.format("c", "d"), "y"))
    for n in range(1_000):
        index.near(asked(text.format(f"c{n}", f"d{n}"), "x"))
    assert time.process_time() - started < 5
