"""Published files and hub folders as they are, and every fault named by its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.published import (
    DataError,
    gsm8k_form,
    question_and_answer,
    read_file,
    read_hub,
    read_splits,
    shuffled_objects_form,
    yes_no_form,
)
from reasoning.records import AnswerKind, Split

COIN = {"question": "Is the coin still heads up?", "answer": "yes"}
SHUFFLED = {
    "input": "Alice has a red ball. \n\nAt the end, Alice has the ",
    "target_scores": {"red ball.": 0, "blue ball.": 1},
}


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"question": "Half a line', "malformed JSON"),
        ("[" * 100_000, "cannot be read"),
        ("17", "a question is an object"),
        ('{"question": "Is it?"}', "no 'answer'"),
        ('{"question": " ", "answer": "yes"}', "question is empty"),
        ('{"question": "Is it?", "answer": ""}', "answer is empty"),
        ('{"question": "Is it?", "answer": "maybe"}', "'maybe' is not yes or no"),
        ('{"question": 3, "answer": "yes"}', "no text but int"),
        ('{"question": "Is it \\ud800?", "answer": "yes"}', "surrogate"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, line: str, what: str) -> None:
    path = jsonl(tmp_path / "own.jsonl", COIN, "", line)
    with pytest.raises(DataError) as caught:
        read_file(path, yes_no_form, AnswerKind.YES_NO)
    assert caught.value.place == f"{path}, line 3"
    assert what in str(caught.value) and caught.value.cure


def test_invalid_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(json.dumps(COIN).encode() + b"\n" + b'{"question": "\xff"}\n')
    with pytest.raises(DataError, match="line 2: invalid UTF-8"):
        read_file(path, yes_no_form, AnswerKind.YES_NO)


def test_faults_of_whole_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_file(tmp_path / "absent.json", yes_no_form, AnswerKind.YES_NO)
    empty = jsonl(tmp_path / "empty.jsonl")
    with pytest.raises(DataError, match="holds no questions"):
        read_file(empty, yes_no_form, AnswerKind.YES_NO)
    cut = tmp_path / "cut.json"
    cut.write_text('{"examples": [\n' + json.dumps(COIN) + ",\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 3: malformed JSON"):
        read_file(cut, yes_no_form, AnswerKind.YES_NO)
    cut.write_text('{"questions": []}', encoding="utf-8")
    with pytest.raises(DataError, match="'examples'"):
        read_file(cut, yes_no_form, AnswerKind.YES_NO)
    cut.write_text(json.dumps({"examples": [COIN, {"question": "?"}]}), encoding="utf-8")
    with pytest.raises(DataError, match="record 1"):
        read_file(cut, yes_no_form, AnswerKind.YES_NO)


def test_a_line_of_ten_megabytes_and_strange_line_separators_are_read(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "own.jsonl",
        COIN | {"question": "x" * 10_000_000},
        json.dumps(COIN | {"question": "one\u2028two"}, ensure_ascii=False),
    )
    assert [len(record.stated.question) for record in read_file(path, yes_no_form, AnswerKind.YES_NO)] == [
        10_000_000,
        7,
    ]


def test_gsm8k_answers_are_what_follows_the_marks() -> None:
    assert gsm8k_form({"question": "How many?", "answer": "90*12=<<90*12=1080>>1080\n#### 1,080"}).answer == "1080"
    assert gsm8k_form({"question": "How many?", "answer": "#### -5"}).answer == "-5"
    with pytest.raises(ValueError, match="####"):
        gsm8k_form({"question": "How many?", "answer": "1080"})
    with pytest.raises(ValueError, match="no number"):
        gsm8k_form({"question": "How many?", "answer": "#### many"})


def test_shuffled_objects_are_worded_as_published() -> None:
    stated = shuffled_objects_form(SHUFFLED)
    assert stated.question == (
        "Alice has a red ball. At the end, Alice has the Which choice is true ? "
        "Answer Choices: (A) red ball. (B) blue ball."
    )
    assert (stated.answer, stated.choices) == ("B", ("red ball", "blue ball"))
    again = shuffled_objects_form({"question": stated.question, "answer": "(B)"})
    assert again == stated
    with pytest.raises(ValueError, match="one of two to ten options"):
        shuffled_objects_form(SHUFFLED | {"target_scores": {"a": 1, "b": 1}})


FIELDS = st.sampled_from(["question", "answer", "input", "inputs", "targets", "target_scores"])
SCORES = st.dictionaries(st.text(max_size=3), st.one_of(st.integers(0, 1), st.text(max_size=2)), max_size=12)
VALUES = st.one_of(st.none(), st.text(max_size=20), st.integers(), st.lists(st.integers(), max_size=2), SCORES)


@given(st.dictionaries(FIELDS, VALUES))
def test_forms_accept_a_row_or_say_why_not(row: dict[str, object]) -> None:
    for form in (question_and_answer, yes_no_form, gsm8k_form, shuffled_objects_form):
        try:
            form(row)
        except ValueError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ('{"train": [0, 1], "test": [1]}', "twice"),
        ('{"train": [0, 0], "test": [1]}', "twice"),
        ('{"train": [0], "test": [3]}', "'test' holds 3"),
        ('{"train": [0], "test": [true]}', "holds True"),
        ('{"train": [0]}', "no list 'test'"),
        ("[0, 1]", "no list 'train'"),
        ("{", "malformed JSON"),
    ],
)
def test_bad_split_files_are_refused(tmp_path: Path, content: str, what: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=what) as caught:
        read_splits(path, 3)
    assert str(path) in caught.value.place


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.usefixtures("own_cache")
def test_a_local_folder_in_hub_form_is_read(tmp_path: Path) -> None:
    """A folder as `load_dataset` reads it, with parquet files (3 s: the library's own start)."""
    from datasets import Dataset

    folder = tmp_path / "gsm8k" / "data"
    folder.mkdir(parents=True)
    for name, count in (("train", 3), ("test", 2)):
        rows = [{"question": f"How many {name} {i}?", "answer": f"So {i}.\n#### {i},000"} for i in range(1, count + 1)]
        Dataset.from_list(rows).to_parquet(folder / f"{name}-00000-of-00001.parquet")
    records = read_hub(str(folder.parent), "main", gsm8k_form, AnswerKind.NUMBER)
    assert [record.split for record in records] == [Split.TRAIN] * 3 + [Split.TEST] * 2
    assert records[0].stated.question == "How many train 1?" and records[0].stated.answer == "1000"
    assert "split test, record 1" in records[-1].place


@pytest.mark.usefixtures("own_cache")
def test_a_dataset_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be loaded.*source: file"):
        read_hub(str(tmp_path / "absent"), None, gsm8k_form, AnswerKind.NUMBER)
    folder = tmp_path / "bad"
    folder.mkdir()
    jsonl(folder / "train.jsonl", COIN | {"answer": "perhaps"})
    with pytest.raises(DataError, match=r"record 0: its answer 'perhaps'"):
        read_hub(str(folder), None, yes_no_form, AnswerKind.YES_NO)
