"""Which words to a shown answer are learnt as an answer to the question alone."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.records import AnswerKind, Problem, Split
from reasoning.rounds.ladder.shown_answers import HINT, is_of_use
from reasoning.tasks.families import FAMILIES, problems

CITIES = ("Rome", "Oslo", "Berlin", "Bonn", "Bern", "Kiev")


def problem(answer: str, kind: AnswerKind = AnswerKind.NUMBER, question: str = "How many?") -> Problem:
    choices = CITIES if kind is AnswerKind.CHOICE else ()
    return Problem("t", question, answer, kind, Split.TRAIN, choices)


@pytest.mark.parametrize(
    "text",
    [
        "The hint says 42. 20 + 22 = 42.",
        "20 + 22 = 42, which matches the hint.",
        "(hint: the answer is 42.) 20 + 22 = 42.",
        "Laut Hinweis ist es 42. 20 + 22 = 42.",
        "根据提示,20 + 22 = 42。",
        "20 + 22 = 42, as given.",
        "20 + 22 = 42, which matches the given answer.",
        "20 + 22 = 42. This is the answer that was shown.",
        "We are told that the answer is 42. So we add 20 and 22.",
        "The known answer is 42 and 20 + 22 = 42.",
        "We know that the answer is 42, so 20 + 22 = 42.",
        "Since the answer is 42, she has 20 + 22 = 42.",
        "The answer is 42 because 20 + 22 = 42.",
        "The answer is $42.00. She has 20 apples and 22 pears.",
        "To reach the answer of 42 we add 20 and 22.",
        "The answer is 42, since she has all of the apples.",
        "20 + 23 = 42.",
    ],
)
def test_what_speaks_of_the_shown_answer_or_comes_to_it_in_a_wrong_way(text: str) -> None:
    assert not is_of_use(problem("42"), text)
    assert not is_of_use(problem("42"), f"{text} So the answer is 42.")


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ("42", AnswerKind.NUMBER, "So the answer is 42."),
        ("42", AnswerKind.NUMBER, "42 = 42."),
        ("42", AnswerKind.NUMBER, "Sure! The answer is 42."),
        ("42", AnswerKind.NUMBER, "Let's think step by step. The answer is 42."),
        ("42", AnswerKind.NUMBER, "There are 42 apples in total. So the answer is 42."),
        ("42", AnswerKind.NUMBER, "Die Antwort ist 42."),
        ("1,234", AnswerKind.NUMBER, "The answer is $1234.00."),
        ("-5", AnswerKind.NUMBER, "It is -5."),
        ("C", AnswerKind.CHOICE, "The correct option is (C) Berlin."),
        ("C", AnswerKind.CHOICE, "Option C is correct."),
        ("A", AnswerKind.CHOICE, "Rome is the right one. So it is (A)."),
        ("ne", AnswerKind.TEXT, 'The last letters are "NE".'),
        ("2022-05-01", AnswerKind.DATE, "Today is 05/01/2022."),
        (r"\frac{1}{2}", AnswerKind.EXPRESSION, r"Thus $\boxed{\frac{1}{2}}$."),
    ],
)
def test_what_says_nothing_beside_the_answer(answer: str, kind: AnswerKind, text: str) -> None:
    assert not is_of_use(problem(answer, kind), text)


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ("8", AnswerKind.NUMBER, "5 + 3 = 8."),
        ("8", AnswerKind.NUMBER, "2^3 = 8"),
        ("8", AnswerKind.NUMBER, "5加3等于8。"),
        ("16", AnswerKind.NUMBER, "4 * 4 = 16. The answer is 16 apples in all."),
        ("17", AnswerKind.NUMBER, "The answer is 8 + 9 = 17."),
        ("8", AnswerKind.NUMBER, "We get our answer by a sum: 5 + 3 = 8."),
        ("C", AnswerKind.CHOICE, "The capital of Germany is asked for. The answer is (C) Berlin."),
        ("A", AnswerKind.CHOICE, "A city in Italy is asked for. So it is (A)."),
        ("ne", AnswerKind.TEXT, 'The last letter of "John" is "n". That of "Doe" is "e". So it is "ne".'),
        ("2022-05-01", AnswerKind.DATE, "One day after 04/30/2022 is 05/01/2022."),
        (r"\frac{1}{2}", AnswerKind.EXPRESSION, r"2x = 1, so x = \frac{1}{2}."),
    ],
)
def test_what_takes_a_step_to_the_answer(answer: str, kind: AnswerKind, text: str) -> None:
    assert is_of_use(problem(answer, kind), text)


def test_of_what_a_question_speaks_its_rationale_may_speak() -> None:
    hints = problem("5", question="How many hints are there?")
    assert is_of_use(hints, "One hint and 4 hints: 1 + 4 = 5.")
    assert not is_of_use(hints, "One hint. (Hint: the answer is 5.) 1 + 4 = 5.")
    quiz = problem("5", question="What share of the answers that were given was the right answer?")
    assert is_of_use(quiz, "4 + 1 = 5 times the right answer was given.")
    options = problem("C", AnswerKind.CHOICE, "Which city? Answer Choices: (A) Rome ...")
    assert not is_of_use(options, "The answer is given: it is the capital of Germany.")


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_what_a_teacher_says_who_was_shown_nothing_is_of_use(name: str) -> None:
    family, rng = FAMILIES[name], random.Random(0)
    asked = problems(family, 3, Split.TRAIN, 200)
    kept = [is_of_use(one, family.rationale(one.question, rng).text) for one in asked]
    assert sum(kept) > 0.98 * len(kept)


@given(st.text(max_size=300), st.sampled_from(list(AnswerKind)), st.text(min_size=1, max_size=9))
def test_any_text_is_judged_and_the_hint_itself_is_never_learnt(text: str, kind: AnswerKind, answer: str) -> None:
    asked = problem(answer, kind)
    assert is_of_use(asked, f"{text} answer {answer} {text}") in (True, False)
    assert not is_of_use(asked, f"{text} ({HINT} {answer}.) {text}")
    assert not is_of_use(asked, f"{text}\nAs 1 + 1 = 3, so. {text}")
