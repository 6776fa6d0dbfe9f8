"""Problems from every source: the right ones in the right split, each once, and test untouched by the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasoning.families import FAMILIES
from reasoning.published import DataError
from reasoning.recipe import TaskSection
from reasoning.records import AnswerKind, Split
from reasoning.tasks import TASKS, TaskData, load_problems, split_positions


def coin_file(folder: Path, count: int = 20, **changed: dict[str, str]) -> Path:
    rows = [{"question": f"Person {i} flips it. Is it still heads up?", "answer": "no"} for i in range(count)]
    for index, change in changed.items():
        rows[int(index.removeprefix("row_"))] |= change
    path = folder / "coin_flip.json"
    path.write_text(json.dumps({"examples": rows}), encoding="utf-8")
    return path


def file_task(path: Path, **changes: object) -> TaskSection:
    return TaskSection.model_validate({"name": "coin_flip", "source": "file", "path": path} | changes)


def all_of(data: TaskData) -> list[str]:
    return [problem.question for problem in (*data.train, *data.validation, *data.test)]


def test_the_table_of_tasks_is_whole() -> None:
    assert {spec.family for spec in TASKS.values() if spec.family} == set(FAMILIES)
    for name, spec in TASKS.items():
        assert spec.name == name
        assert not spec.family or FAMILIES[spec.family].answer_kind is spec.answer_kind
        assert spec.family or spec.files


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


def test_what_has_no_generator_is_refused() -> None:
    with pytest.raises(DataError, match=r"task\.source: gsm8k is not a generated task"):
        load_problems(TaskSection(name="gsm8k"), seed=0)
    with pytest.raises(DataError, match="known are arithmetic, coin_flip"):
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


def test_a_split_file_rules(tmp_path: Path) -> None:
    path = coin_file(tmp_path, 10)
    splits = tmp_path / "splits.json"
    splits.write_text(json.dumps({"train": [1, 2, 3, 4, 5], "test": [0, 9]}), encoding="utf-8")
    data = load_problems(file_task(path, splits=splits), 0)
    assert [problem.question.split()[1] for problem in data.test] == ["0", "9"]
    assert sorted(problem.question.split()[1] for problem in (*data.train, *data.validation)) == list("12345")


def test_repeated_questions_are_left_out_of_train_and_noted(tmp_path: Path) -> None:
    question = "Person 0 flips it. Is it still heads up?"
    path = coin_file(tmp_path, 20, row_5={"question": question}, row_6={"question": question.replace(" ", "  ")})
    splits = tmp_path / "splits.json"
    splits.write_text(json.dumps({"train": list(range(6)), "test": list(range(6, 20))}), encoding="utf-8")
    data = load_problems(file_task(path, splits=splits), 0)
    assert len(data.test) == 14 and len(data.train) + len(data.validation) == 4
    assert data.notes == ("2 repeated questions left out (the first is kept, in test rather than in train).",)


def test_contradicting_questions_are_refused(tmp_path: Path) -> None:
    question = "Person 0 flips it. Is it still heads up?"
    path = coin_file(tmp_path, 20, row_5={"question": question, "answer": "yes"})
    with pytest.raises(DataError, match="there twice") as caught:
        load_problems(file_task(path), 0)
    assert "record 5" in str(caught.value) and "record 0" in str(caught.value)


def test_the_file_or_its_folder(tmp_path: Path) -> None:
    path = coin_file(tmp_path)
    assert load_problems(file_task(path), 0) == load_problems(file_task(tmp_path), 0)
    with pytest.raises(DataError, match="no such file"):
        load_problems(file_task(tmp_path / "elsewhere"), 0)
    with pytest.raises(DataError, match="too few"):
        load_problems(file_task(coin_file(tmp_path, 2)), 0)
    with pytest.raises(DataError, match="no published file"):
        load_problems(file_task(tmp_path, name="arithmetic"), 0)


def test_a_hub_folder_gives_the_same_problems_as_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rows = json.loads(coin_file(tmp_path, 30).read_text(encoding="utf-8"))["examples"]
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    from_hub = load_problems(TaskSection(name="coin_flip", source="hub", hub_id=str(folder)), 0)
    assert from_hub == load_problems(file_task(tmp_path), 0)


def test_the_rule_of_the_published_splits(real_data: Path) -> None:
    """Every task that comes without a split of its own (single_eq rounds up: 355.6 to 356)."""
    ruled = [
        *("single_eq", "addsub", "multiarith", "svamp", "date_understanding", "tracking_shuffled_objects"),
        *("last_letter_concatenation", "coin_flip", "strategy_qa"),
    ]
    for name in ruled:
        published = json.loads((real_data / "splits" / f"{name}__default.json").read_text(encoding="utf-8"))
        train, test = split_positions(len(published["train"]) + len(published["test"]))
        assert (train, test) == (published["train"], published["test"]), name


@pytest.mark.parametrize(
    ("name", "train", "test", "kind"),
    [
        ("coin_flip", 350, 150, AnswerKind.YES_NO),
        ("last_letter_concatenation", 350, 150, AnswerKind.TEXT),
        ("tracking_shuffled_objects", 525, 225, AnswerKind.CHOICE),
        ("gsm8k", 7473, 1319, AnswerKind.NUMBER),
    ],
)
def test_published_files(real_data: Path, name: str, train: int, test: int, kind: AnswerKind) -> None:
    task = TaskSection(name=name, source="file", path=real_data / "datasets")
    data = load_problems(task, 0)
    assert (len(data.train) + len(data.validation), len(data.test)) == (train, test)
    assert {problem.answer_kind for problem in data.train} == {kind}
    splits = real_data / "splits" / f"{name}__default.json"
    assert load_problems(task.model_copy(update={"splits": splits}), 0) == data
    assert data.notes == ()
    if name == "gsm8k":
        one_file = task.model_copy(update={"path": real_data / "datasets" / "gsm8k_test.jsonl"})
        assert load_problems(one_file, 0) == data
        assert not any("," in problem.answer for problem in data.train)
    elif name != "last_letter_concatenation":  # where a few names are of two words
        family = FAMILIES[name]
        assert all(family.solve(problem.question).answer == problem.answer for problem in (*data.train, *data.test))
