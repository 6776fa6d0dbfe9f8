"""Paper B's fine-tuning data: all its published forms are read, and the current ones written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.exchange.paper_b_finetune import FineTuningSample, Platform, read_finetune, write_finetune
from reasoning.files.data_error import DataError
from tests.conftest import tries
from tests.reasoning.exchange.samples import write

# As that repository's notebook shows the first line of such a file.
SHOWN = {
    "prompt": "Yesterday was April 30, 2021. What is the date today in MM/DD/YYYY?\nWhich choice is true? "
    "Answer choices: (A) 05/01/2021, (B) 04/01/2020. ###",
    "completion": " Today is one day after 04/30/2021, which is 05/01/2021. --> A END",
}


def lines(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_a_line_is_a_question_a_rationale_and_the_right_answer(tmp_path: Path) -> None:
    path = lines(tmp_path / "F_zs_cot_date_understanding.jsonl", SHOWN)
    (one,) = read_finetune(path).solutions
    assert one.question == SHOWN["prompt"].removesuffix(" ###")
    assert one.rationale == "Today is one day after 04/30/2021, which is 05/01/2021."
    assert (one.answer_text, one.gold, one.place) == ("A", "A", f"{path}, line 1")


@pytest.mark.parametrize(
    ("prompt", "completion"),
    [
        ("How many?\n\n###\n\n", "  \n\n3 --> 4 makes 7.\n\n-->\n\n7 END"),
        ("How many?\n\n ### \n\n", " 3 --> 4 makes 7. --> 7\n\nEND"),
        ("Q: How many?\n\nA: Let's think step by step.\n\n", " 3 --> 4 makes 7. --> 7 END"),
    ],
)
def test_the_forms_of_the_published_experiments_are_read(prompt: str, completion: str, tmp_path: Path) -> None:
    (one,) = read_finetune(lines(tmp_path / "f.jsonl", {"prompt": prompt, "completion": completion})).solutions
    assert (one.question, one.rationale, one.answer_text) == ("How many?", "3 --> 4 makes 7.", "7")


def test_the_natural_form_is_read(tmp_path: Path) -> None:
    row = {
        "prompt": "Q: How many?\n\nA: Let's think step by step.\n\n",
        "completion": " 3 and 4 make 7.\n\nTherefore the answer is 7 END",
    }
    (one,) = read_finetune(lines(tmp_path / "f.jsonl", row)).solutions
    assert (one.question, one.rationale, one.answer_text) == ("How many?", "3 and 4 make 7.", "7")


def test_several_rationales_of_a_question_are_numbered(tmp_path: Path) -> None:
    rows = [{"prompt": "How many? ###", "completion": f" It is {i}. --> 7 END"} for i in range(3)]
    assert [one.sample for one in read_finetune(lines(tmp_path / "f.jsonl", *rows)).solutions] == [0, 1, 2]


def test_answers_without_reasoning_are_counted_and_teach_nothing(tmp_path: Path) -> None:
    file = read_finetune(lines(tmp_path / "f.jsonl", {"prompt": "How many? ###", "completion": " 7 END"}, SHOWN))
    assert len(file.solutions) == 1
    assert file.notes == ("1 samples are an answer without reasoning, and teach none.",)


def test_faulty_lines_are_named_and_damaged_ones_refused(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "f.jsonl", {"prompt": "How many? ###"}, {"prompt": " ###", "completion": " r --> 7 END"}, SHOWN
    )
    file = read_finetune(path)
    assert [str(fault) for fault in file.faults] == [
        f"{path}, line 1: it has no text 'completion'",
        f"{path}, line 2: its question is empty",
    ]
    assert len(file.solutions) == 1
    path.write_text(json.dumps(SHOWN) + '\n{"prompt": "x', encoding="utf-8")
    with pytest.raises(DataError, match="line 2: malformed JSON"):
        read_finetune(path)


def test_the_trainers_own_lists_are_read_for_both_kinds_of_student(tmp_path: Path) -> None:
    decoder = {"sample_index": [4], "input": ["How many? ###"], "label": [" 3 + 4 = 7. --> 7"]}
    encoder = {"sample_index": [4], "input": ["How many?"], "label": ["3 + 4 = 7. --> 7"]}
    for content in (decoder, encoder):
        (one,) = read_finetune(write(tmp_path / "f.json", content)).solutions
        assert (one.question, one.rationale, one.answer_text, one.sample_index) == ("How many?", "3 + 4 = 7.", "7", 4)


@pytest.mark.parametrize(
    "content", [{"input": [], "label": []}, {"sample_index": [1], "input": ["a", "b"], "label": ["a", "b"]}, [1]]
)
def test_other_lists_are_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such lists, or they differ in length"):
        read_finetune(write(tmp_path / "f.json", content))


def test_written_files_are_that_repositorys_own(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    question, answer = SHOWN["prompt"].removesuffix(" ###"), "A"
    rationale = SHOWN["completion"].removesuffix(" --> A END")
    write_finetune(path, [FineTuningSample(question, rationale, answer)] * 2, Platform.OPENAI)
    assert path.read_text(encoding="utf-8") == f"{json.dumps(SHOWN)}\n{json.dumps(SHOWN)}"


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="#>"), min_size=1).filter(
    lambda text: bool(text.strip()) and not text.rstrip().endswith("END") and not text.startswith("Q:")
)


@settings(deadline=None, max_examples=tries(40))  # files are forced to disk
@given(
    samples=st.lists(st.builds(FineTuningSample, WORDS, WORDS, WORDS, st.integers(0, 9)), max_size=3),
    platform=st.sampled_from(Platform),
)
def test_what_is_written_is_read_again(
    samples: list[FineTuningSample], platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("f") / ("f.jsonl" if platform is Platform.OPENAI else "f.json")
    write_finetune(path, samples, platform)
    found = [(one.question, one.rationale, one.answer_text) for one in read_finetune(path).solutions]
    assert found == [(one.question.strip(), one.rationale.strip(), one.answer.strip()) for one in samples]
