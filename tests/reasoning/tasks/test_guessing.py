"""The look at rows of somebody's own: which fields are taken for question, options and answer, and of what kind."""

from __future__ import annotations

from typing import Any

import pytest

from reasoning.records import AnswerKind
from reasoning.tasks.data_files.source_row import SourceRow
from reasoning.tasks.guessing import Guess, field_names, guess_form


def guess(*rows: dict[str, Any]) -> Guess:
    found = guess_form([SourceRow(row, f"own.jsonl, line {number}") for number, row in enumerate(rows, 1)])
    assert found is not None
    return found


def shape(found: Guess) -> tuple[tuple[str, ...], str, str]:
    return found.fields.question, found.fields.answer, found.kind.value


def test_numbers_behind_a_mark() -> None:
    found = guess(*({"question": f"How many are {n}?", "answer": f"Count {n}.\n#### {n}"} for n in range(20)))
    assert shape(found) == (("question",), "answer", "number")
    assert found.fields.answer_after == "####" and not found.unsure


def test_a_body_before_a_question_and_fields_that_are_not_asked() -> None:
    rows = (
        {"ID": f"q-{n}", "Body": f"There are {n} birds on a long fence.", "Question": "How many?", "Answer": float(n)}
        for n in range(20)
    )
    assert shape(guess(*rows)) == (("Body", "Question"), "Answer", "number")


def test_yes_and_no_may_be_true_and_false() -> None:
    rows = ({"id": n, "passage": f"A passage about {n}.", "question": f"Is it {n}", "answer": n > 5} for n in range(20))
    assert shape(guess(*rows)) == (("passage", "question"), "answer", "yes_no")


@pytest.mark.parametrize(
    ("row", "question", "answer", "choices"),
    [
        (
            {"question": "q?", "options": ["A)1", "B)2"], "rationale": "r", "correct": "B"},
            "question",
            "correct",
            "options",
        ),
        (
            {"question": {"stem": "q?", "choices": [{"label": "A", "text": "x"}, {"label": "B", "text": "y"}]}}
            | {"id": "7", "answerKey": "B"},
            *("question.stem", "answerKey", "question.choices"),
        ),
        ({"ctx": "He goes", "endings": ["left", "right"], "label": 1}, "ctx", "label", "endings"),
        ({"prompt": "Pick one", "choices": {"A": "x", "B": "y"}, "gold": "x"}, "prompt", "gold", "choices"),
    ],
)
def test_options_in_every_shape(row: dict[str, Any], question: str, answer: str, choices: str) -> None:
    found = guess(*[row] * 5)
    assert shape(found) == ((question,), answer, "choice") and found.fields.choices == choices
    assert found.read == 5


def test_options_that_stand_in_the_question() -> None:
    found = guess(*({"problem": f"Which is {n}? (A) one (B) two", "label": "(B)"} for n in range(5)))
    assert shape(found) == (("problem",), "label", "choice") and found.fields.choices is None


def test_few_answers_are_the_options_and_that_is_told() -> None:
    desks = ("billing", "shipping", "account")
    found = guess(*({"ticket": f"My order {n} is late.", "desk": desks[n % 3]} for n in range(30)))
    assert shape(found) == (("ticket",), "desk", "choice")
    assert found.fields.same_choices == ("account", "billing", "shipping")
    assert "3 different answers" in " ".join(found.unsure) and "'desk'" in " ".join(found.unsure)


def test_answers_that_are_nothing_else_are_text() -> None:
    found = guess(*({"input": f"Last letters of {n}", "output": f"ab{n}"} for n in range(10)))
    assert shape(found) == (("input",), "output", "text") and "same text" in found.unsure[0]
    long = guess(*({"input": f"Why {n}?", "output": f"because {n} " * 20} for n in range(10)))
    assert "answers are long" in " ".join(long.unsure)


def test_a_letter_that_is_also_another_options_text_is_said_to_be_a_letter() -> None:
    rows = ({"question": f"Which {n}?", "choices": ["B", "A", "C"], "answer": "AB"[n % 2]} for n in range(6))
    found = guess(*rows)
    assert found.kind is AnswerKind.CHOICE and found.fields.answer_as is not None and found.read == 6


def test_rows_that_do_not_fit_are_named() -> None:
    rows = [{"question": f"How many {n}?", "answer": n} for n in range(9)]
    found = guess(*rows, {"question": "What colour?", "answer": "violet"})
    assert found.kind is AnswerKind.NUMBER and (found.read, found.rows) == (9, 10)
    assert found.unread[0].startswith("own.jsonl, line 10:") and "violet" in found.unread[0]
    assert "1 of 10 rows" in found.unsure[-1]


@pytest.mark.parametrize("rows", [[{"x": [1]}], [{"question": "only"}], [{"a": 1, "b": 2}], [{}]])
def test_no_question_and_answer_is_no_guess(rows: list[dict[str, Any]]) -> None:
    assert guess_form([SourceRow(row, "here") for row in rows * 5]) is None


def test_field_names_are_those_that_most_rows_have() -> None:
    rows = [{"q": {"stem": "s"}, "a": 1}] * 9 + [{"q": {"stem": "s"}, "a": 1, "odd": 2}]
    assert field_names(rows) == ["q", "q.stem", "a"]


def test_chat_rows_are_their_own_question_and_answer() -> None:
    def row(n: int) -> dict[str, Any]:
        turns = [{"role": "user", "content": f"How many are {n}?"}, {"role": "assistant", "content": f"So.\n#### {n}"}]
        return {"id": n, "messages": turns}

    assert shape(guess(*map(row, range(20)))) == (("messages",), "messages", "number")


@pytest.mark.parametrize(
    ("names", "answer", "answer_as"),
    [
        (("A", "B", "C", "D"), "B", None),
        (("A", "B", "C", "D"), 1, None),
        (("opa", "opb", "opc", "opd"), 1, None),
        (("option1", "option2"), "2", None),
        (("ending0", "ending1", "ending2"), 2, None),
        (("answerA", "answerB", "answerC"), "2", "index"),
    ],
)
def test_options_in_a_field_each(names: tuple[str, ...], answer: Any, answer_as: str | None) -> None:
    rows = (
        {"question": f"Which is {n}?", **{name: f"{name} {n}" for name in names}, "label": answer} for n in range(20)
    )
    found = guess(*rows)
    assert (found.kind, found.fields.choice_fields) == (AnswerKind.CHOICE, names) and found.read == 20


def test_lists_of_right_answers() -> None:
    rows = [
        {"question": f"Who is {n}?", "answers": {"text": [f"Ada {n}", "she"], "answer_start": [0, 1]}} for n in range(9)
    ]
    assert shape(guess(*rows)) == (("question",), "answers", "text")


def test_labels_of_options_are_no_answer() -> None:
    rows = [
        {
            "question": f"Which is {n}?",
            "choices": {"text": ["ink", "milk"], "label": ["A", "B"]},
            "answerKey": "AB"[n % 2],
        }
        for n in range(20)
    ]
    found = guess(*rows)
    assert (found.fields.answer, found.fields.choices, found.kind) == ("answerKey", "choices", AnswerKind.CHOICE)


@pytest.mark.parametrize("right", [[1, 0, 2], ["B", "A", "C"], ["1", "0", "2"], ["Bo", "Ann", "Cy"]])
@pytest.mark.parametrize("name", ["label", "correct", "gold", "correct_index"])
def test_answers_that_another_field_points_into_are_options(name: str, right: list[Any]) -> None:
    rows = [{"question": f"Who is {n}?", "answers": ["Ann", "Bo", "Cy"], name: right[n % 3]} for n in range(9)]
    found = guess(*rows)
    assert (found.fields.answer, found.fields.choices, found.kind) == (name, "answers", AnswerKind.CHOICE)
    assert [found.fields.read(row, found.kind).answer for row in rows[:3]] == ["B", "A", "C"]


def test_right_answers_beside_a_number_of_another_thing_stay_answers() -> None:
    rows = [{"question": f"Who is {n}?", "answers": [f"Ada {n}", "she"], "label": 7 * n} for n in range(9)]
    assert shape(guess(*rows)) == (("question",), "answers", "text")


def test_of_attempts_that_are_judged_only_the_right_one_is_an_answer() -> None:
    rows = [{"prompt": f"Who is {n}?", "completions": ["Bo", "Ann"], "rewards": [0.0, 1.0]} for n in range(9)]
    found = guess(*rows)
    assert found.fields.read(rows[0], found.kind).answer == "B" and found.fields.choices == "completions"
    rows = [row | {"rewards": [0.2, 0.7], "answer": "Ann"} for row in rows]
    assert guess(*rows).fields.answer == "answer"


def test_a_conversation_that_cannot_be_read_is_no_field_of_text() -> None:
    seen = [
        {"role": "user", "content": [{"type": "image_url", "image_url": {}}]},
        {"role": "assistant", "content": "7"},
    ]
    assert guess_form([SourceRow({"messages": seen}, "here")] * 5) is None
    found = guess(*[{"messages": seen, "question": "Sum?", "answer": "7"}] * 5)
    assert shape(found) == (("question",), "answer", "number")


def test_an_attempt_without_anything_better_is_told() -> None:
    found = guess(*({"question": f"How many are {n}?", "model_answer": str(n)} for n in range(9)))
    assert found.fields.answer == "model_answer" and "somebody's attempt" in found.unsure[0]


def test_dates_are_told_from_texts() -> None:
    rows = [{"question": f"When was {n}?", "answer": f"May {n}, 2021"} for n in range(1, 20)]
    assert shape(guess(*rows)) == (("question",), "answer", "date")


CHAT = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "7"}]
# A row as published sets have it, the fields that are meant, and its answer.
PUBLISHED: dict[str, tuple[dict[str, Any], tuple[str, ...], str, str]] = {
    "pairs for preferences": ({"prompt": "Sum?", "chosen": "12", "rejected": "0"}, ("prompt",), "chosen", "12"),
    "a task in an object": (
        {"id": 1, "data": {"question": "Sum?", "answer": "7"}},
        ("data.question",),
        "data.answer",
        "7",
    ),
    "a rule's ground truth": (
        {"data_source": "x", "prompt": CHAT[:1], "reward_model": {"style": "rule", "ground_truth": "7"}},
        ("prompt",),
        *("reward_model.ground_truth", "7"),
    ),
    "a system prompt beside a chat": ({"system": "Be brief.", "messages": CHAT}, ("messages",), "messages", "7"),
    "wrong answers beside the right one": (
        {"category": "x", "question": "Who?", "correct_answer": "Ann", "incorrect_answers": ["Bo", "Cy"]},
        *(("question",), "correct_answer", "Ann"),
    ),
    "a box in a solution": (
        {"problem": "Sum?", "solution": "Adding gives $\\boxed{7}$.", "level": "Level 1"},
        *(("problem",), "solution", "7"),
    ),
    "a mark and once more": (
        {"query": "Sum?", "response": "So.\n#### 7\nThe answer is: 7", "type": "x"},
        *(("query",), "response", "7"),
    ),
    "which option is correct": (
        {"context": "Long ago.", "query": "Who?", "options": ["Ann", "Bo"], "correct_option": 1},
        *(("context", "query"), "correct_option", "B"),
    ),
    "options that say if they are": (
        {"question": "Who?", "options": [{"text": "Ann", "is_correct": False}, {"text": "Bo", "is_correct": True}]},
        *(("question",), "options", "B"),
    ),
    "options with their scores": (
        {"input": "Who?", "target_scores": {"Ann": 0, "Bo": 1}},
        ("input",),
        "target_scores",
        "B",
    ),
    "a chat and remarks on it": (
        {"prompt": "How many?", "prompt_id": "x", "messages": CHAT, "category": "sums", "label": "good"},
        *(("messages",), "messages", "7"),
    ),
    "a chat and its instruction": (
        {"systemInstruction": {"role": "system", "parts": [{"text": "Be brief."}]}, "contents": CHAT},
        *(("contents",), "contents", "7"),
    ),
    "what a student answered beside it": (
        {"question": "Sum?", "student_answer": "0", "correct_answer": "7", "is_correct": 0},
        *(("question",), "correct_answer", "7"),
    ),
    "what a model answered beside it": (
        {"problem": "Sum?", "ground_truth_answer": "7", "pre_generated_answer": "0"},
        *(("problem",), "ground_truth_answer", "7"),
    ),
    "a response and what was expected": (
        {"query": "Sum?", "response": "0", "expected": "7", "score": 0.0},
        *(("query",), "expected", "7"),
    ),
    "a prediction and its reference": (
        {"input": "Sum?", "prediction": "0", "reference": "7"},
        ("input",),
        "reference",
        "7",
    ),
    "people's answers and a model's": (
        {"question": "Sum?", "chatgpt_answers": ["0"], "human_answers": ["7"]},
        *(("question",), "human_answers", "7"),
    ),
    "a unit beside an answer": (
        {"question": "Sum?", "solution": "7", "answer_unit": "cm"},
        ("question",),
        "solution",
        "7",
    ),
    "a rejected chat first": (
        {"rejected": [CHAT[0], {"role": "assistant", "content": "0"}], "chosen": CHAT, "score_chosen": 9},
        *(("chosen",), "chosen", "7"),
    ),
    "a chat with the truth beside it": (
        {"conversations": [CHAT[0], {"role": "assistant", "content": "I think 0."}], "ground_truth": "7"},
        *(("conversations.user",), "ground_truth", "7"),
    ),
    "two answers that were compared": (
        {"question": "Sum?", "answer_a": "7", "answer_b": "0", "preferred": "a"},
        *(("question",), "preferred", "A"),
    ),
    "labels of a passage's parts beside it": (
        {"question": "Is it?", "context": {"contexts": ["x", "y"], "labels": ["AIM", "END"]}}
        | {"long_answer": "It may be, and it may not.", "final_decision": "maybe"},
        *(("question",), "final_decision", "maybe"),
    ),
    "an instruction and its input": (
        {"instruction": "Double it.", "input": "It is 5.", "output": "10"},
        *(("instruction", "input"), "output", "10"),
    ),
    "a solution with its answer in a box": (
        {"problem": "Compute.", "level": "Level 1", "solution": "So it is $\\boxed{p - q}$."},
        *(("problem",), "solution", "p - q"),
    ),
    "a mark before a text": ({"question": "Who?", "answer": "Long ago.\n#### Ann"}, ("question",), "answer", "Ann"),
    "answers that say if they are": (
        {"question": "Who?", "answers": [{"answer": "Ann", "correct": 0}, {"answer": "Bo", "correct": 1}]},
        *(("question",), "answers", "B"),
    ),
}


@pytest.mark.parametrize(("row", "question", "answer", "gold"), PUBLISHED.values(), ids=list(PUBLISHED))
def test_rows_of_published_sets(row: dict[str, Any], question: tuple[str, ...], answer: str, gold: str) -> None:
    found = guess(*[row] * 5)
    assert (found.fields.question, found.fields.answer) == (question, answer)
    assert found.fields.read(row, found.kind).answer == gold


def test_answers_that_are_mathematics() -> None:
    golds = ("\\frac{1}{2}", "p - q", "(3, 4)", "\\text{Evelyn}", "42", "x \\in [-2, 7]", "11\\text{ inches}")
    assert guess(*({"problem": "Compute.", "answer": gold} for gold in golds)).kind is AnswerKind.EXPRESSION
    words = ("one half", "the third", "Evelyn", "nobody", "\\emph{none}")
    assert guess(*({"problem": "Compute.", "answer": gold} for gold in words)).kind is AnswerKind.TEXT


def test_options_count_although_a_row_is_wrong() -> None:
    rows = [{"question": f"{n}?", "options": ["x", "y", "z"], "answer": n % 3 if n else 3} for n in range(12)]
    found = guess(*rows)
    assert (found.kind, found.fields.choices, found.read) == (AnswerKind.CHOICE, "options", 11)
    assert "line 1: its answer '3' is not among" in found.unread[0]


def test_inputs_that_some_rows_lack_are_asked_all_the_same() -> None:
    found = guess(*({"instruction": "Sum?", "input": "2, 5" if n % 2 else None, "output": "7"} for n in range(12)))
    assert found.fields.question == ("instruction", "input")


@pytest.mark.parametrize(
    ("options", "answers", "said"),
    [
        (["B", "A"], ("A", "B"), "the letter of an option, but could be the text of an option"),
        ('["x", "y", "z", "u"]', ("1", "2", "3"), "a place counted from 0, but could be a place counted from 1"),
    ],
)
def test_answers_that_could_name_options_in_two_ways_are_told(
    options: Any, answers: tuple[str, ...], said: str
) -> None:
    found = guess(*({"question": "Which?", "options": options, "answer": one} for one in answers * 4))
    assert [check for check in found.unsure if said in check and "form.answer_as" in check]


def test_letters_without_options_are_told() -> None:
    found = guess(*({"question": "Which?", "answer": "ABCD"[n % 4]} for n in range(20)))
    assert any("name the field that lists them in form.choices" in check for check in found.unsure)


def test_several_questions_in_a_row_are_none() -> None:
    row = {"story": "Ann met Bo.", "questions": ["Who met?", "Whom?"], "answers": {"input_text": ["Ann", "Bo"]}}
    assert guess_form([SourceRow(row, f"own.jsonl, line {number}") for number in range(5)]) is None
