"""Published wordings of a question find its problem, and no other one."""

from __future__ import annotations

import pytest

from reasoning.exchange.matching import Catalog, Unmatched, stem_of
from reasoning.records import AnswerKind, Problem, Split
from tests.reasoning.exchange.samples import CABLE, CHOICES, EGGS, INK, MONEY, NUMBERS

DATE = Problem(
    "date_understanding",
    "Today is 1/2/2020. What is the date tomorrow? Answer Choices: (A) 01/03/2020 (B) 01/01/2020",
    "A",
    AnswerKind.CHOICE,
    Split.TRAIN,
    ("01/03/2020", "01/01/2020"),
)


def what(catalog: Catalog, question: str) -> str:
    found = catalog.find(question)
    assert isinstance(found, Unmatched), found
    return found.what


@pytest.mark.parametrize(
    "question",
    [MONEY.question, f" {MONEY.question} ", "Ann has $ 3 and earns 1,000 more . How much is it ?"],
)
def test_white_space_and_punctuation_do_not_matter(question: str) -> None:
    assert Catalog(NUMBERS).find(question) == MONEY


def test_numbers_do_matter() -> None:
    assert "not a question of this task" in what(Catalog(NUMBERS), EGGS.question.replace("9", "8"))
    assert "not a question of this task" in what(Catalog(NUMBERS), MONEY.question.replace("1,000", "1.000"))


def test_choices_are_found_in_every_papers_wording() -> None:
    catalog = Catalog(CHOICES)
    of_paper_b = "What absorbs ink? Answer choices: (A) shirt pocket, (B) inkwell, (C) blotter."
    assert catalog.find("What absorbs ink?") == catalog.find(of_paper_b) == INK  # paper A names the stem alone
    assert catalog.find("What needs cable?") == CABLE
    assert stem_of(INK.question) == "What absorbs ink?"
    assert stem_of(EGGS.question) == EGGS.question


def test_the_question_before_big_bench_choices_is_heard_over() -> None:
    asked = DATE.question.replace(" Answer Choices:", "\nWhich choice is true? Answer choices:")
    assert Catalog([DATE]).find(asked.replace(" (B)", ", (B)") + ".") == DATE


def test_choices_in_another_order_are_refused_for_their_letters_mean_others() -> None:
    shuffled = "Today is 1/2/2020. What is the date tomorrow? Answer choices: (A) 01/01/2020, (B) 01/03/2020."
    assert "another order" in what(Catalog([DATE]), shuffled)
    assert "its choices differ from the task" in what(Catalog([DATE]), shuffled.replace("01/01", "05/05"))


def test_a_stem_of_two_questions_is_nobodys() -> None:
    twin = Problem(INK.task, INK.question.replace("inkwell", "desk"), "C", INK.answer_kind, INK.split, INK.choices)
    catalog = Catalog([INK, twin])
    assert "several questions" in what(catalog, "What absorbs ink?")
    assert catalog.find(INK.question) == INK and catalog.find(twin.question) == twin


def test_a_question_that_a_task_counts_twice_is_found_once() -> None:
    again = Problem(EGGS.task, EGGS.question, EGGS.answer, EGGS.answer_kind, EGGS.split)
    assert Catalog([EGGS, again]).find(EGGS.question.upper()) == EGGS
