"""Rows become questions by the names of their fields, or say what is wrong with them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.answers import is_answer
from reasoning.records import AnswerKind
from reasoning.tasks.rows import Fields, Stated, read_row
from reasoning.tasks.table import TASKS
from tests.inputs.json_values import json_values

NUMBER, YES_NO, CHOICE, TEXT = AnswerKind.NUMBER, AnswerKind.YES_NO, AnswerKind.CHOICE, AnswerKind.TEXT
PLAIN = Fields(("q",), "a")
LISTED = Fields(("q",), "a", choices="c")


def answer(kind: AnswerKind, value: Any, fields: Fields = PLAIN) -> str:
    return fields.read({"q": "How many?", "a": value}, kind).answer


def choice(value: Any, choices: Any = ("red", "blue", "green"), fields: Fields = LISTED) -> Stated:
    return fields.read(
        {"q": "Which?", "a": value, "c": list(choices) if isinstance(choices, tuple) else choices}, CHOICE
    )


def test_the_answer_is_what_follows_its_marks() -> None:
    gsm8k = Fields(("q",), "a", answer_after="####")
    assert answer(NUMBER, "90*12=<<90*12=1080>>1080\n#### 1,080", gsm8k) == "1080"
    assert answer(NUMBER, "#### 3 #### -5", gsm8k) == "-5"
    with pytest.raises(ValueError, match="'####' before the final answer"):
        answer(NUMBER, "1080", gsm8k)
    with pytest.raises(ValueError, match="answer is empty"):
        answer(NUMBER, "1080 ####", gsm8k)


def test_an_answer_is_read_by_the_rules_of_its_kind() -> None:
    assert answer(NUMBER, "1,080") == "1080" and answer(NUMBER, [8.0]) == "8" and answer(TEXT, 1815) == "1815"
    assert [answer(YES_NO, value) for value in ("Yes.", False, {"Yes": 0, "No": 1})] == ["yes", "no", "no"]
    for kind in (NUMBER, YES_NO, TEXT):
        with pytest.raises(ValueError, match="its answer is empty"):
            answer(kind, " ")
    with pytest.raises(ValueError, match="its list of answers is empty"):
        answer(TEXT, [])


@pytest.mark.parametrize(
    "choices",
    [
        ("red", "blue", "green"),
        ("A)red", "B)blue", "C)green"),
        ("(A) red", "(B) blue", "(C) green"),
        [{"label": "A", "text": "red"}, {"label": "B", "text": "blue"}, {"label": "C", "text": "green"}],
        {"label": ["A", "B", "C"], "text": ["red", "blue", "green"]},
        {"A": "red", "B": "blue", "C": "green"},
        {"red": 0, "blue": 1, "green": 0},
        {"red": 0, "violet": None, "blue": 1, "green": 0},
    ],
)
def test_options_in_their_ways_are_worded_alike(choices: Any) -> None:
    wanted = Stated("Which? Answer Choices: (A) red (B) blue (C) green", "B", ("red", "blue", "green"), "Which?")
    for value in ("B", "(b)", "blue", 1, {"red": 0, "blue": 1, "green": 0}, [0, 1, 0]):
        assert choice(value, choices) == wanted


@pytest.mark.parametrize(
    "answer", ["Option B", "option_b", "choice-B", "Answer B", "B) blue", "(b) blue", "B. blue", "b: blue"]
)
def test_an_answer_may_name_its_option_in_words(answer: str) -> None:
    assert choice(answer).answer == "B"


def test_an_answer_may_be_the_field_of_its_option() -> None:
    fields = Fields(("q",), "a", choice_fields=("option1", "option2"))
    assert fields.read({"q": "Who?", "option1": "Ann", "option2": "Bob", "a": "option2"}, CHOICE).answer == "B"


def test_a_letter_with_the_text_of_another_option_is_refused() -> None:
    with pytest.raises(ValueError, match="not among its 3 options"):
        choice("A) blue")


def test_labels_that_are_no_letters_become_letters() -> None:
    arc = {"label": ["1", "2", "3"], "text": ["red", "blue", "green"]}
    assert choice("2", arc).answer == "B"
    assert choice("3", arc).question.endswith("(A) red (B) blue (C) green")


def test_an_answer_that_is_no_option_or_several_is_refused() -> None:
    for value in ("D", "violet", 3, -1):
        with pytest.raises(ValueError, match="not among its 3 options"):
            choice(value)
    with pytest.raises(ValueError, match=r"can be \(A\) or \(B\); say which with form\.answer_as"):
        choice("A", ("B", "A"))
    assert choice("A", ("B", "A"), Fields(("q",), "a", choices="c", answer_as="letter")).answer == "A"
    assert choice("A", ("B", "A"), Fields(("q",), "a", choices="c", answer_as="text")).answer == "B"
    with pytest.raises(ValueError, match="can be"):
        choice(1, (1, 2, 3))
    assert choice("2", (1, 2, 3)).answer == "B"
    assert choice("2", (1, 2, 3), Fields(("q",), "a", choices="c", answer_as="index")).answer == "C"
    with pytest.raises(ValueError, match="can be"):
        choice("red", ("red", "red"))
    for value in (None, True, 1.5, {"red": 2, "blue": 1, "green": 0}, [0, 0, 0], [1, 1, 1], [0, 7]):
        with pytest.raises(ValueError, match=r"not a letter, index or text|scores|missing|all of its|not among"):
            choice(value)


@pytest.mark.parametrize(
    "choices", [("red",), ("red", " "), ("red", None), 7, "red, blue", {}, tuple(map(str, range(27)))]
)
def test_options_that_are_none_are_refused(choices: Any) -> None:
    with pytest.raises(ValueError, match="option"):
        choice("A", choices)


def test_the_same_options_for_every_row() -> None:
    fields = Fields(("q",), "a", same_choices=("billing", "shipping"))
    stated = fields.read({"q": "Where does it go?", "a": "shipping"}, CHOICE)
    assert stated.question == "Where does it go? Answer Choices: (A) billing (B) shipping" and stated.answer == "B"


def test_options_that_stand_in_the_question() -> None:
    question = "Which is even (of (A) all)? Answer Choices: (A) 3 (B) 4. (C) both (A) and (B)"
    stated = PLAIN.read({"q": question, "a": "(C)"}, CHOICE)
    assert stated == Stated(question, "C", ("3", "4", "both (A) and (B)"), "Which is even (of (A) all)?")
    lines = "Which?\nOptions:\n(A) 3\n(B) 4"
    assert PLAIN.read({"q": lines, "a": "4"}, CHOICE) == Stated(lines, "B", ("3", "4"), "Which?\nOptions:")
    for unpaired in ("Which? (A) 3 (B 4 (C) 5", "Which? (A 3 (B) 4", "Which? A 3 B 4", "Which? (A) 3"):
        with pytest.raises(ValueError, match="unpaired bracket"):
            PLAIN.read({"q": unpaired, "a": "A"}, CHOICE)


def test_shuffled_options_keep_the_right_answer() -> None:
    shuffle = random.Random(0)
    orders = {choice("blue", fields=LISTED).choices}
    for _ in range(30):
        stated = LISTED.read({"q": "Which?", "a": "blue", "c": ["red", "blue", "green"]}, CHOICE, shuffle)
        assert stated.choices["ABC".index(stated.answer)] == "blue"
        orders.add(stated.choices)
    assert len(orders) == 6


def test_questions_of_several_fields_and_of_fields_in_objects() -> None:
    svamp = Fields(("Body", "Question"), "Answer")
    assert svamp.read({"Body": "Dan had $ 4.", "Question": "How much?", "Answer": 1.0}, NUMBER).question == (
        "Dan had $ 4. How much?"
    )
    nested = Fields(("question.stem",), "key.0.x", choices="question.choices")
    row = {"question": {"stem": "Where?", "choices": ["here", "there"]}, "key.0.x": "A"}
    assert nested.are_in(row) and nested.read(row, CHOICE).answer == "A"
    assert not nested.are_in({"question": "Where?"}) and not nested.are_in({"question": {"stem": "Where?"}})


def test_a_mirrors_dress_is_taken_off_and_nothing_else() -> None:
    dressed = Fields(("q",), "a", dressed=True)
    assert dressed.read({"q": "Q: Is it  so?\nA:", "a": "yes"}, YES_NO).question == "Is it  so?"
    assert PLAIN.read({"q": " Q: Is it  so?\n", "a": "yes"}, YES_NO).question == "Q: Is it  so?"


def test_a_row_without_the_fields_names_those_it_has() -> None:
    with pytest.raises(ValueError, match=r"lacks the fields 'q' and 'a', or 'q' and 'a' and 'c'; it has only 'x', 'y'"):
        read_row({"x": 1, "y": 2}, (PLAIN, LISTED), CHOICE)
    with pytest.raises(ValueError, match="question is empty"):
        read_row({"q": " \n", "a": "1"}, (PLAIN,), NUMBER)
    with pytest.raises(ValueError, match="'q' is not a text but int"):
        read_row({"q": 3, "a": "1"}, (PLAIN,), NUMBER)


def test_shuffled_objects_are_worded_as_published() -> None:
    spec = TASKS["tracking_shuffled_objects"]
    row = {
        "input": "Alice has a red ball. \n\nAt the end, Alice has the ",
        "target_scores": {"red ball.": 0, "blue.": 1},
    }
    stated = read_row(row, spec.forms, CHOICE)
    question = (
        "Alice has a red ball. At the end, Alice has the Which choice is true ? Answer Choices: (A) red ball. (B) blue."
    )
    assert (stated.question, stated.answer, stated.choices) == (question, "B", ("red ball", "blue"))
    ready = read_row({"question": question, "answer": "(B)"}, spec.forms, CHOICE)
    assert (ready.question, ready.answer, ready.choices) == (question, "B", ("red ball", "blue"))


VALUES = json_values("A", "B", "C")


@given(
    st.dictionaries(
        st.sampled_from(sorted({name for spec in TASKS.values() for f in spec.forms for name in f.names})), VALUES
    )
)
def test_the_tasks_of_the_table_read_a_row_or_say_why_not(row: dict[str, object]) -> None:
    for spec in TASKS.values():
        try:
            stated = read_row(row, spec.forms, spec.answer_kind)
        except ValueError as error:
            assert str(error)
        else:
            assert stated.question and stated.answer


@given(VALUES, VALUES, VALUES, st.sampled_from(AnswerKind), st.sampled_from([None, "letter", "index", "text"]))
def test_any_values_are_read_or_refused(q: object, a: object, c: object, kind: AnswerKind, way: Any) -> None:
    for fields in (PLAIN, Fields(("q",), "a", choices="c", answer_as=way)):
        try:
            stated = fields.read({"q": q, "a": a, "c": c}, kind)
        except ValueError as error:
            assert str(error)
        else:
            assert stated.question and stated.answer
            assert kind is not CHOICE or is_answer(stated.answer, kind, stated.choices)


# Several right answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "golds"),
    [
        (TEXT, ["Paris", "paris", "City of Light", ""], ("Paris", "City of Light")),
        (TEXT, {"text": ["Denver", "Denver Broncos"], "answer_start": [1, 1]}, ("Denver", "Denver Broncos")),
        (TEXT, [{"text": "Denver", "answer_start": 1}, {"text": "Broncos", "answer_start": 8}], ("Denver", "Broncos")),
        (TEXT, {"value": "Sunset", "aliases": ["The Sunset", "Sunset"], "type": "x"}, ("Sunset", "The Sunset")),
        (TEXT, {"Value": "Sunset", "Aliases": ["Dusk"], "NormalizedAliases": ["dusk"]}, ("Sunset", "Dusk")),
        (TEXT, {"spans": ["four", "4"], "types": ["number", "span"]}, ("four", "4")),
        (TEXT, '["Paris", "Paris, France"]', ("Paris", "Paris, France")),
        (TEXT, "['Paris', 'Lutetia']", ("Paris", "Lutetia")),
        (TEXT, "['Paris' 'Lutetia']", ("Paris", "Lutetia")),
        (TEXT, "[1, 2]", ("[1, 2]",)),
        (NUMBER, ["#### 72", "72.0", "6"], ("72", "6")),
        (NUMBER, [1, 2.5], ("1", "2.5")),
        (YES_NO, ["yes", "Yes.", True], ("yes",)),
        (YES_NO, {"Yes": 1, "No": 0}, ("yes",)),
    ],
)
def test_several_right_answers(kind: AnswerKind, value: Any, golds: tuple[str, ...]) -> None:
    stated = PLAIN.read({"q": "How many?", "a": value}, kind)
    assert (stated.answer, *stated.aliases) == golds


@pytest.mark.parametrize(
    ("value", "answer_as", "golds"),
    [
        ([0, 2], None, "AC"),
        (["A", "C"], None, "AC"),
        (["red", "green"], None, "AC"),
        ([1, 0, 1], None, "AC"),
        ({"red": 1, "blue": 0, "green": 1}, None, "AC"),
        ([True, False, False], None, "A"),
        (2.0, None, "C"),
        (3, "position", "C"),
        ("1", "position", "A"),
        ("1", "index", "B"),
    ],
)
def test_several_options_may_be_right(value: Any, answer_as: Any, golds: str) -> None:
    fields = Fields(("q",), "a", choices="c", answer_as=answer_as)
    colours = ("red", "blue", "green")
    for shuffle in (None, random.Random(1)):
        stated = fields.read({"q": "Which?", "a": value, "c": list(colours)}, CHOICE, shuffle)
        texts = [stated.choices["ABC".index(gold)] for gold in (stated.answer, *stated.aliases)]
        assert texts == [colours["ABC".index(gold)] for gold in golds]


def test_what_cannot_be_several_answers_says_so() -> None:
    for kind, value, what in (
        (YES_NO, ["yes", "no"], "both yes and no"),
        (TEXT, None, "its answer is missing"),
        (TEXT, {"text": [], "answer_start": []}, "its list of answers is empty"),
        (NUMBER, "3,5", "decimals stand after a point"),
        (NUMBER, "so it is 5", r"form\.answer_after"),
        (NUMBER, "5 cm", r"form\.unit"),
        (NUMBER, "$1.5 million", r"form\.unit"),
        (NUMBER, "3/4 cups", r"form\.unit"),
    ):
        with pytest.raises(ValueError, match=what):
            answer(kind, value)
    with pytest.raises(ValueError, match=r"form\.answer_as: index \(from 0\) or position"):
        choice("2")


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "row", "right"),
    [
        (("A", "B", "C", "D"), {"A": "1", "B": "2", "C": "3", "D": "", "a": "C"}, "C"),
        (("A", "B", "C", "D"), {"A": "x", "B": "y", "C": "z", "a": 2}, "C"),
        (("option1", "option2"), {"option1": "Ann", "option2": "Bo", "a": "2"}, "B"),
        (("option_a", "option_b"), {"option_a": "Ann", "option_b": "Bo", "a": "b"}, "B"),
        (("answerA", "answerB"), {"answerA": "Ann", "answerB": "Bo", "a": "Bo"}, "B"),
        (("sol", "dist"), {"sol": 3, "dist": 4.5, "a": "sol"}, "A"),
    ],
)
def test_options_in_a_field_each(names: tuple[str, ...], row: dict[str, Any], right: str) -> None:
    stated = Fields(("q",), "a", choice_fields=names).read({"q": "Which?", **row}, CHOICE)
    assert stated.answer == right and stated.question.startswith("Which? Answer Choices: (A) ")


@pytest.mark.parametrize(
    "written",
    [
        '["red", "blue", "green"]',
        "['red', 'blue', 'green']",
        "['red' 'blue' 'green']",
        "['red'\n 'blue'\n 'green']",
        "red|blue|green",
        "red; blue; green",
        "red\nblue\ngreen\n",
        "A) red B) blue C) green",
        "a ) red , b ) blue , c ) green",
        "(A) red (B) blue (C) green",
        '{"A": "red", "B": "blue", "C": "green"}',
        '{"label": ["A", "B", "C"], "text": ["red", "blue", "green"]}',
    ],
)
def test_options_that_a_cell_writes_out(written: str) -> None:
    stated = choice("blue", written)
    assert stated.choices == ("red", "blue", "green") and stated.answer == "B"


def test_options_of_numbers_under_letters() -> None:
    assert choice("B", {"A": 3, "B": 4.5}).choices == ("3", "4.5")


def test_fields_of_the_objects_in_a_list() -> None:
    fields = Fields(("data.question",), "answers.text")
    row = {"data": {"question": "Where?"}, "answers": [{"text": "Rome", "start": 3}, {"text": "in Rome", "start": 0}]}
    stated = fields.read(row, AnswerKind.TEXT)
    assert (stated.answer, stated.aliases) == ("Rome", ("in Rome",))
    assert not fields.are_in(row | {"answers": []}) and not fields.are_in(row | {"answers": [{"start": 1}]})


@pytest.mark.parametrize(
    ("solution", "kind", "gold"),
    [
        ("First $\\boxed{7}$ was tried. Hence $\\boxed{\\frac{5}{6}}$.", AnswerKind.EXPRESSION, "\\frac{5}{6}"),
        (
            "It is $\\boxed{\\left( 3, \\pi \\right)}$, since both agree.",
            AnswerKind.EXPRESSION,
            "\\left( 3, \\pi \\right)",
        ),
        ("We add.\n\\[\\boxed{p - q}\\]\n", AnswerKind.EXPRESSION, "p - q"),
        ("So the answer is $\\boxed{p - q}$.", TEXT, "p - q"),
        ("He is the fastest: \\boxed{\\text{Leonardo da Vinci}}", TEXT, "Leonardo da Vinci"),
        ("The roots are $\\boxed{1, 2}$.", AnswerKind.SET, "1, 2"),
        ("It is \\boxed{18} of 100.", NUMBER, "18"),
    ],
)
def test_of_a_solution_the_answer_is_what_is_in_its_box(solution: str, kind: AnswerKind, gold: str) -> None:
    assert answer(kind, solution) == gold


@pytest.mark.parametrize(
    "question",
    [
        "Which? (A) red (B) blue (C) green",
        "Which? (a) red (b) blue (c) green",
        "Which does Mr. A. Bell like?\nA. red\nB. blue\nC. green\n",
        "Which?\n**A.** red\n**B.** blue\n**C.** green",
        "Which?\nA．red\nB．blue\nC．green",
        "Which?\na) red\nb) blue\nc) green",
        "Which? A) red B) blue C) green",
    ],
)
def test_options_of_a_question_in_their_ways(question: str) -> None:
    for right in ("B", "(b)", "blue", "B. blue"):
        stated = PLAIN.read({"q": question, "a": right}, CHOICE)
        assert (stated.question, stated.answer, stated.choices) == (question.strip(), "B", ("red", "blue", "green"))


def test_of_several_parts_a_context_may_be_missing_and_the_question_not() -> None:
    fields = Fields(("context", "question"), "a")
    assert fields.read({"context": None, "question": "How many?", "a": 5}, NUMBER).question == "How many?"
    with pytest.raises(ValueError, match="its 'question' is missing"):
        fields.read({"context": "Two birds.", "question": None, "a": 5}, NUMBER)
