"""Paper A's files: read entry by entry with their places, written as its own code writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.exchange.paper_a import read_answers, write_answers
from reasoning.files.data_error import DataError
from tests.conftest import tries
from tests.reasoning.exchange.samples import write

SAID = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: bool(text.strip()))


def test_each_text_of_a_question_is_a_solution(tmp_path: Path) -> None:
    path = write(tmp_path / "gsm8k.train.round1.json", {"How many?": ["3 + 4 = 7.", "So 7."], "Und “ö”?": ["Ja."]})
    file = read_answers(path)
    assert [(one.question, one.rationale, one.sample) for one in file.solutions] == [
        ("How many?", "3 + 4 = 7.", 0),
        ("How many?", "So 7.", 1),
        ("Und “ö”?", "Ja.", 0),
    ]
    assert file.solutions[1].place == f"{path}, line 4"
    assert not file.faults and not file.notes


def test_an_object_may_bring_a_question_and_answer_of_its_own(tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.json",
        {
            "How many?": [
                {"answer": "It is 7.", "final_ans": "7"},
                {"answer": "8.", "question": "And now?", "choices": None},
            ]
        },
    )
    first, second = read_answers(path).solutions
    assert (first.question, first.rationale, first.gold) == ("How many?", "It is 7.", "7")
    assert (second.question, second.rationale, second.gold) == ("And now?", "8.", "")


def test_what_cannot_be_used_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    content = {
        "": ["an answer to nothing"],
        "A question": ["good", "", 3, None, {"final_ans": "1"}, "x" * 200_000, "half \ud800"],
        "Another": "not a list",
    }
    path = write(tmp_path / "r.json", content)
    file = read_answers(path)
    assert [one.rationale for one in file.solutions] == ["good"]
    told = [str(fault) for fault in file.faults]
    for line, what in zip(
        (2, 7, 8, 9, 10, 13, 14, 16),
        (
            "question is empty",
            "text is empty",
            "not a text",
            "not a text",
            "not a text",
            "200,000 characters",
            "surrogate",
            "list",
        ),
        strict=True,
    ):
        assert any(f"{path}, line {line}: " in one and what in one for one in told), (line, what, told)
    assert len(told) == 8


def test_a_question_that_stands_there_twice_keeps_both_places_texts(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('{\n"Q": ["a"],\n"R": ["b"],\n"Q": ["c"]\n}', encoding="utf-8")
    file = read_answers(path)
    assert [(one.question, one.rationale) for one in file.solutions] == [("Q", "a"), ("R", "b"), ("Q", "c")]
    assert file.notes == (f"{path}, line 4: the question of line 2 again ('Q'); the texts of both are read.",)


@pytest.mark.thorough
def test_ten_megabytes_in_one_line_are_read(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps({f"Question {i}?": ["word " * 200] for i in range(10_000)}), encoding="utf-8")
    assert path.stat().st_size > 10_000_000
    assert len(read_answers(path).solutions) == 10_000


def test_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1: it holds a list; this format is an object of questions"):
        read_answers(write(tmp_path / "r.json", [1, 2]))


@settings(deadline=None, max_examples=tries(40))  # files are forced to disk
@given(answers=st.dictionaries(SAID, st.lists(SAID, min_size=1, max_size=3), max_size=4))
def test_what_is_written_is_read_again(answers: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("a") / "r.json"
    write_answers(path, answers)
    assert path.read_text(encoding="utf-8") == json.dumps(answers, indent=4)  # as that repository's own file
    found: dict[str, list[str]] = {}
    for one in read_answers(path).solutions:
        found.setdefault(one.question, []).append(one.rationale)
    assert found == answers
