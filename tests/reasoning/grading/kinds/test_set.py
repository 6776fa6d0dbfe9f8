"""Sets: elements in any order, however they are listed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.answers import find_answer, is_right, judged_answer
from reasoning.grading.kinds.set import AnswerSet

SET = AnswerSet()


@pytest.mark.parametrize(
    "said",
    [
        *(
            "Answer: 2, 5 and red",
            "Answer: red, 5, 2",
            "Answer: {5, 2, red}",
            "Answer: [2, 5, red]",
            "Answer: 2, 5, red, 2",
        ),
        *(
            "The answer is $\\{2, 5, \\text{red}\\}$.",
            "\\boxed{\\{2, 5, red\\}}",
            "Answer: 2,5,red",
            "Answer: 5.0; 2; Red",
        ),
        *(
            "Answer:\n- red\n- 2\n- 5",
            "Answer:\n1. 2\n2. 5\n3. red",
            "So it is {2, red, 5}",
            'Answer: "red", "2" & "5"',
        ),
        *("- red\n- 2\n- 5", "It is all of these:\n1. red\n2. 2\n3. 5", '{"answer": ["red", "2", "5"]}'),
        *("Answer: 2, 5 and red because the others are blue.", "The answer is 2, 5, red. They differ."),
    ],
)
def test_a_set_in_every_form(said: str) -> None:
    assert is_right(judged_answer(said, SET), "2, 5, red", SET), judged_answer(said, SET)


@pytest.mark.parametrize("said", ["Answer: 2, 5", "Answer: 2, 5, red, blue", "Answer: none", "Answer: 2, 5, reds", ""])
def test_all_elements_and_no_other(said: str) -> None:
    assert not is_right(judged_answer(said, SET), "2, 5, red", SET)


@pytest.mark.parametrize(
    ("value", "golds"),
    [
        (["b", "a"], ("b, a",)),
        (["Paris, France", "Rome"], ("Paris, France; Rome",)),
        (["salt and pepper", "bread"], ("salt and pepper; bread",)),
        ([1, 2.5], ("1, 2.5",)),
        ([["a"], ["b", "c"]], ("a", "b, c")),
        ("['a', 'b']", ("a, b",)),
        ("a, b", ("a, b",)),
        ([], ("none",)),
        (7, ("7",)),
    ],
)
def test_what_a_row_states(value: Any, golds: tuple[str, ...]) -> None:
    assert SET.golds_in_row(value) == golds
    for gold in golds:
        assert SET.is_gold(gold, ()) and SET.same(SET.normal(gold), SET.normal(SET.normal(gold)))
        assert is_right(judged_answer(f"So.\nAnswer: {gold}", SET), gold, SET)


def test_separators_of_the_tasks_own() -> None:
    rules = AnswerSet(("|",))
    assert rules.normal("a, b | c") == "a, b| c" and rules.same(rules.normal("c|a, b"), rules.normal("a, b | c"))
    assert rules.gold_in_row(["c", "a, b"]) == "c| a, b"


def test_a_set_of_nothing() -> None:
    for said in ("none", "{}", "∅", "the empty set", "$\\emptyset$"):
        assert find_answer(f"Answer: {said}", SET).answer == "none", said


@pytest.mark.parametrize("value", [None, True, [None], {"a": 1}, [["a"], "b"]])
def test_what_is_no_set(value: Any) -> None:
    with pytest.raises(ValueError, match="answer"):
        SET.golds_in_row(value)


ELEMENTS = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8) | st.integers().map(str)


@given(st.lists(ELEMENTS, min_size=1, max_size=6), st.sampled_from([", ", "; ", "\n", " and "]))
def test_a_normal_form_is_its_own(elements: list[str], between: str) -> None:
    normal = SET.normal(between.join(elements))
    assert SET.normal(normal) == normal


@given(st.text(max_size=40))
def test_any_text_has_a_normal_form(text: str) -> None:
    assert isinstance(SET.normal(text), str)


PRIMES = "Which of the numbers 4, 7, 9 and 11 are prime?"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("7 and 11 are prime.", True),
        ("So only 7 and 11 are prime numbers.", True),
        ("4 is even. The primes are: 7, 11.", True),
        ("So the prime ones are 7 and 11.", True),
        ("4 and 9 are composite, so 7 and 11 are prime.", True),
        ("7 and 11 are composite, so 4 and 9 are prime.", False),
        ("**7** and **11** are prime.", True),
        ("There are two primes: 11 and 7.", True),
        ("**7** and **11**", True),
        ("7 and 11 are not prime.", False),
        ("7 and 11 are composite.", False),
        ("4 and 9 are prime. The others are 7 and 11.", False),
        ("- 7\n- 11\n\nThese are odd, and small.", True),
    ],
)
def test_what_the_question_asks_is_said_of_the_elements(text: str, right: bool) -> None:
    assert is_right(judged_answer(text, SET, (), PRIMES), "7, 11", SET) is right
