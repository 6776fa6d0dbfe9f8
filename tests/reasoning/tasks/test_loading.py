"""Problems from every source: the right ones in the right split, each once, and test untouched by the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasoning.files.data_error import DataError
from reasoning.recipe.task import TaskSection
from reasoning.records import Split
from reasoning.tasks.families import FAMILIES
from reasoning.tasks.loading import load_problems, questions_in_order
from reasoning.tasks.splits import split_positions, subset_positions
from tests.reasoning.tasks.published import all_of, coin_file, file_task, gsm8k_files, repeated


@pytest.mark.parametrize("name", FAMILIES)
def test_generated_problems(name: str) -> None:
    data = load_problems(TaskSection(name=name, train=60, validation=20, test=30), seed=3)
    assert (len(data.train), len(data.validation), len(data.test)) == (60, 20, 30)
    assert len(set(all_of(data))) == 110
    assert data == load_problems(TaskSection(name=name, train=60, validation=20, test=30), seed=3)
    other = load_problems(TaskSection(name=name, train=60, validation=20, test=30), seed=4)
    assert other.train != data.train and other.test == data.test


def test_default_sizes_of_generated_tasks() -> None:
    data = load_problems(TaskSection(), seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (1000, 200, 300)
    for key, size in (("train", 1000), ("validation", 200), ("test", 300)):
        assert f" {size}." in (TaskSection.model_fields[key].description or "")


def test_what_has_no_generator_is_refused() -> None:
    with pytest.raises(DataError, match=r"task\.source: gsm8k is not a generated task"):
        load_problems(TaskSection(name="gsm8k"), seed=0)
    with pytest.raises(DataError, match=r"known are addsub, aqua, .*task\.form: \{question: FIELD"):
        load_problems(TaskSection(name="chess"), seed=0)


def test_validation_is_cut_from_train_by_the_seed(tmp_path: Path) -> None:
    path = coin_file(tmp_path, 100)
    first, again, other = (load_problems(file_task(path), seed) for seed in (0, 0, 1))
    assert first == again
    assert (len(first.train), len(first.validation), len(first.test)) == (63, 7, 30)
    assert {problem.split for problem in first.validation} == {Split.VALIDATION}
    assert {problem.question for problem in first.validation} != {problem.question for problem in other.validation}
    assert first.test == other.test
    assert sorted(all_of(first)) == sorted(all_of(other))
    assert len(set(all_of(first))) == 100


def test_limits_draw_by_the_seed_and_test_by_none(tmp_path: Path) -> None:
    path = coin_file(tmp_path, 100)
    whole = load_problems(file_task(path, validation=20), 5)
    few = load_problems(file_task(path, train=10, validation=20, test=8), 5)
    assert (len(few.train), len(few.validation), len(few.test)) == (10, 20, 8)
    assert few.validation == whole.validation
    assert set(few.train) < set(whole.train) and set(few.test) < set(whole.test)
    other = load_problems(file_task(path, train=10, validation=20, test=8), 6)
    assert other.train != few.train and other.test == few.test
    half = load_problems(file_task(path, validation=69), 5)
    assert (len(half.train), len(half.validation)) == (35, 35) and "instead of 69" in half.notes[0]


def test_a_split_file_rules_and_what_it_leaves_out_is_not_judged(tmp_path: Path) -> None:
    path = coin_file(tmp_path, 10, row_7={"answer": "perhaps"})
    splits = tmp_path / "splits.json"
    splits.write_text(json.dumps({"train": [1, 2, 3, 4, 5], "test": [0, 9]}), encoding="utf-8")
    data = load_problems(file_task(path, splits=splits), 0)
    assert [problem.question.split()[1] for problem in data.test] == ["0", "9"]
    assert sorted(problem.question.split()[1] for problem in (*data.train, *data.validation)) == list("12345")
    with pytest.raises(DataError, match="record 7"):
        load_problems(file_task(path), 0)


def test_all_bad_questions_are_told_with_their_places(tmp_path: Path) -> None:
    bad = {f"row_{i}": {"answer": "perhaps"} for i in range(0, 24, 2)}
    path = coin_file(tmp_path, 30, row_1={"question": " "}, row_3={"question": "Half \ud800 a pair?"}, **bad)
    with pytest.raises(DataError) as caught:
        load_problems(file_task(path), 0)
    places = [fault.place for fault in caught.value.faults]
    assert places[:4] == [f"{path}, record {i}" for i in range(4)]
    assert [fault.what for fault in caught.value.faults[1:4:2]] == [
        "its question is empty",
        "it contains an unpaired surrogate, which is not valid text",
    ]
    assert "its answer 'perhaps' is not yes or no" in str(caught.value) and "4 more faults" in str(caught.value)


def test_a_question_of_ten_megabytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"record 4: a question of 9\.5 MiB"):
        load_problems(file_task(coin_file(tmp_path, row_4={"question": "x" * 10_000_000})), 0)


# Repeated questions -------------------------------------------------------------------------------------------------


# Parts --------------------------------------------------------------------------------------------------------------


def test_the_file_or_its_folder(tmp_path: Path) -> None:
    path = coin_file(tmp_path)
    assert load_problems(file_task(path), 0) == load_problems(file_task(tmp_path), 0)
    with pytest.raises(DataError, match="no such file"):
        load_problems(file_task(tmp_path / "elsewhere"), 0)
    with pytest.raises(DataError, match=r"gsm8k_train\.jsonl: no such file"):
        load_problems(file_task(tmp_path, name="gsm8k"), 0)
    with pytest.raises(DataError, match="too few"):
        load_problems(file_task(coin_file(tmp_path, 2)), 0)
    with pytest.raises(DataError, match="no published file"):
        load_problems(file_task(tmp_path, name="arithmetic"), 0)


def test_a_file_of_a_set_stands_for_the_set(tmp_path: Path) -> None:
    folder = gsm8k_files(tmp_path, 30, 10)
    whole = load_problems(file_task(folder, name="gsm8k"), 0)
    assert (len(whole.train), len(whole.validation), len(whole.test)) == (27, 3, 10)
    for name in ("gsm8k_train.jsonl", "gsm8k_test.jsonl"):
        assert load_problems(file_task(folder / name, name="gsm8k"), 0) == whole
    (folder / "gsm8k_train.jsonl").rename(folder / "train.jsonl")
    (folder / "gsm8k_test.jsonl").rename(folder / "test.jsonl")
    assert load_problems(file_task(folder, name="gsm8k"), 0) == whole
    (folder / "train.jsonl").rename(folder / "mine.jsonl")
    with pytest.raises(DataError, match=r"may be either; .*task\.path .*task\.test_path"):
        load_problems(file_task(folder / "mine.jsonl", name="gsm8k"), 0)
    apart = file_task(folder / "mine.jsonl", name="gsm8k", test_path=folder / "test.jsonl")
    assert load_problems(apart, 0) == whole


def test_test_questions_alone_can_be_examined_and_not_learnt_from(tmp_path: Path) -> None:
    folder = gsm8k_files(tmp_path, 30, 10)
    (folder / "gsm8k_train.jsonl").unlink()
    task = file_task(folder, name="gsm8k")
    with pytest.raises(DataError, match=r"gsm8k_train\.jsonl: no such file; .*`tailor eval`"):
        load_problems(task, 0)
    data = load_problems(task, 0, learns=False)
    assert (len(data.train), len(data.validation), len(data.test)) == (
        0,
        0,
        10,
    ) and "test questions only" in data.notes[0]
    alone = TaskSection(name="gsm8k", source="file", test_path=folder / "gsm8k_test.jsonl")
    assert load_problems(alone, 0, learns=False) == data
    with pytest.raises(DataError, match="0 training and 10 test questions"):
        load_problems(alone, 0)


@pytest.mark.thorough
def test_ten_thousand_questions_of_aqua_are_learnt_from(tmp_path: Path) -> None:
    row = {"options": ["A)1", "B)2", "C)3", "D)4", "E)5"], "correct": "C", "rationale": ""}
    for name, count in (("train", 10_500), ("test", 3)):
        text = "".join(json.dumps(row | {"question": f"{name} {i}?"}) + "\n" for i in range(count))
        (tmp_path / f"aqua_{name}.json").write_text(text, encoding="utf-8")
    data = load_problems(file_task(tmp_path, name="aqua"), 0)
    assert {int(p.question.split()[1][:-1]) for p in (*data.train, *data.validation)} == set(
        subset_positions(range(10_500), 10_000)
    )
    assert len(data.test) == 3 and data.notes == (
        "10000 of 10500 training questions are learnt from, drawn as paper B draws them.",
    )


def test_shots_are_paper_bs_subset_and_validation_is_cut_beside_them(tmp_path: Path) -> None:
    path = coin_file(tmp_path, 100)
    data = load_problems(file_task(path, shots=8), 3)
    train, _ = split_positions(100)
    assert [int(p.question.split()[1]) for p in data.train] == subset_positions(train, 8)
    assert len(data.validation) == 7 and not set(data.train) & set(data.validation)
    other = load_problems(file_task(path, shots=8, validation=20), 4)
    assert other.train == data.train and other.test == data.test and len(other.validation) == 20
    assert load_problems(file_task(path, shots=68), 3).notes == (
        "Validation is 2 questions, all training questions that are not shots, instead of 7.",
    )
    with pytest.raises(DataError, match="70 shots of 70 training questions; set at most 69"):
        load_problems(file_task(path, shots=70), 3)


def test_a_template_split_keeps_templates_together(tmp_path: Path) -> None:
    path = tmp_path / "multiarith.json"
    stories = ["had {} cards", "saw {} birds", "ate {} plums", "lost {} coins", "drew {} lines"]
    rows = [
        {"sQuestion": f"{name} {story.format(i)} and 2 more. How many?", "lSolutions": [i + 2.0]}
        for i, name in enumerate(("Ann", "Bob", "Cid"), 3)
        for story in stories
    ]
    path.write_text(json.dumps(rows), encoding="utf-8")
    data = load_problems(file_task(path, name="multiarith", split="template"), 0)
    kinds = [{p.question.split()[1] for p in part} for part in ((*data.train, *data.validation), data.test)]
    assert len(kinds[0]) == 4 and len(kinds[1]) == 1 and not kinds[0] & kinds[1]
    assert len(data.test) == 3
    with pytest.raises(DataError, match="has a split of its own"):
        load_problems(file_task(gsm8k_files(tmp_path, 30, 10), name="gsm8k", split="template"), 0)


def test_questions_in_the_order_that_splits_count(tmp_path: Path) -> None:
    task = repeated(tmp_path)
    assert [stated.answer for stated in questions_in_order(task)] == ["no"] * 20
    folder = gsm8k_files(tmp_path, 3, 2)
    assert [s.answer for s in questions_in_order(file_task(folder, name="gsm8k"))] == ["1", "2", "3", "1", "2"]
    with pytest.raises(DataError, match="generated"):
        questions_in_order(TaskSection())
