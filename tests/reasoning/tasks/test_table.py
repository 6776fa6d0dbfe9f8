"""The table of tasks beside the published data: every task in its wording, from its file and from its hub dataset."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasoning.files.data_error import DataError
from reasoning.grading.options import LETTERS
from reasoning.recipe.task import TaskSection
from reasoning.records import AnswerKind, Split
from reasoning.tasks.data_files.reading import read_file
from reasoning.tasks.families import FAMILIES
from reasoning.tasks.loading import TaskData, load_problems, questions_in_order
from reasoning.tasks.splits import shot_order
from reasoning.tasks.table import TASKS, answer_limit, spec_of

# Train and test of paper B's table, and the test questions that are left when each counts once.
TWELVE = {
    "single_eq": (356, 152),
    "addsub": (276, 119),
    "multiarith": (420, 180),
    "gsm8k": (7473, 1319),
    "aqua": (10_000, 254),
    "svamp": (700, 300),
    "date_understanding": (258, 111),
    "tracking_shuffled_objects": (525, 225),
    "last_letter_concatenation": (350, 150),
    "coin_flip": (350, 150),
    "commonsense_qa": (9741, 1221),
    "strategy_qa": (1603, 687),
}
WITH_FILES = [name for name in TWELVE if name != "aqua"]  # of which only the test questions are at hand
REPEATED = {"multiarith": 17, "strategy_qa": 1}  # training questions that are repeated, or also in test


def spaced(text: str) -> str:
    return " ".join(text.split())


def task_of(real_data: Path, name: str, **changes: object) -> TaskSection:
    content = {"name": name, "source": "file", "path": real_data / "datasets"}
    return TaskSection.model_validate(content | changes)


def learnt(data: TaskData) -> set[str]:
    return {problem.question for problem in (*data.train, *data.validation)}


def test_the_table_is_whole() -> None:
    assert set(TASKS) == {*TWELVE, "arithmetic"}
    assert {spec.family for spec in TASKS.values() if spec.family} == set(FAMILIES)
    for name, spec in TASKS.items():
        assert spec.name == name
        assert not spec.family or FAMILIES[spec.family].answer_kind is spec.answer_kind
        assert name == "arithmetic" or (spec.files and spec.fields and spec.hub)
        assert spec_of(TaskSection(name=name)) is spec
    limits = {"gsm8k": 256, "svamp": 192, "multiarith": 192, "commonsense_qa": 96, "strategy_qa": 128}
    assert {name: answer_limit(TaskSection(name=name)) for name in limits} == limits
    assert answer_limit(TaskSection(name="chess")) is None


@pytest.mark.parametrize("name", WITH_FILES)
def test_a_published_file_gives_paper_bs_split(real_data: Path, name: str) -> None:
    """By count and by every question, with validation cut from train."""
    data = load_problems(task_of(real_data, name, repeated="keep"), 0)
    train, test = TWELVE[name]
    assert len(data.test) == test
    assert len(data.train) + len(data.validation) == train - REPEATED.get(name, 0)
    assert {problem.answer_kind for problem in (*data.train, *data.test)} == {TASKS[name].answer_kind}
    listed = json.loads((real_data / "splits" / f"{name}__default.json").read_text(encoding="utf-8"))
    questions = [stated.question for stated in questions_in_order(task_of(real_data, name))]
    assert [problem.question for problem in data.test] == [questions[i] for i in listed["test"]]
    assert learnt(data) == {questions[i] for i in listed["train"]} - {questions[i] for i in listed["test"]}
    splits = real_data / "splits" / f"{name}__default.json"
    assert load_problems(task_of(real_data, name, repeated="keep", splits=splits), 0) == data


@pytest.mark.parametrize(("name", "counts"), [("date_understanding", (261, 108)), ("multiarith", (413, 187))])
def test_the_template_splits_of_paper_b(real_data: Path, name: str, counts: tuple[int, int]) -> None:
    listed = json.loads((real_data / "splits" / f"{name}__template.json").read_text(encoding="utf-8"))
    assert (len(listed["train"]), len(listed["test"])) == counts
    data = load_problems(task_of(real_data, name, split="template", repeated="keep"), 0)
    questions = [stated.question for stated in questions_in_order(task_of(real_data, name))]
    assert [problem.question for problem in data.test] == [questions[i] for i in listed["test"]]
    assert learnt(data) == {questions[i] for i in listed["train"]} - {questions[i] for i in listed["test"]}


@pytest.mark.parametrize("name", ["svamp", "multiarith", "date_understanding"])
@pytest.mark.parametrize("shots", [8, 32, 128])
def test_n_shot_subsets(real_data: Path, name: str, shots: int) -> None:
    """Paper B's, but that a question which is also in test, or repeated, makes room for the next one."""
    data = load_problems(task_of(real_data, name, shots=shots), 0)
    listed = json.loads((real_data / "splits" / f"{name}__default.json").read_text(encoding="utf-8"))
    questions = [stated.question for stated in questions_in_order(task_of(real_data, name))]
    order = [questions[i] for i in shot_order(listed["train"])]
    there = learnt(data) | {problem.question for problem in data.test}
    assert len(data.train) == shots and len(data.validation) == round(
        0.1 * (len(listed["train"]) - REPEATED.get(name, 0))
    )
    everything = learnt(load_problems(task_of(real_data, name), 0))
    expected = [question for question in dict.fromkeys(order) if question in everything][:shots]
    assert {problem.question for problem in data.train} == set(expected)
    assert there >= set(expected)
    if name not in REPEATED:
        assert expected == order[:shots]


@pytest.mark.parametrize("name", ["addsub", "aqua", "coin_flip", "date_understanding", "multiarith", "strategy_qa"])
def test_questions_and_answers_are_those_of_the_recorded_teachers(real_data: Path, name: str) -> None:
    """Question by question, options in their order too. The recordings are in an order of their own."""
    lines = (real_data / "recorded_teacher" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    recorded = Counter((spaced(row["question"]), row["gold"]) for row in map(json.loads, lines))
    task = task_of(real_data, name)
    if name == "aqua":
        assert load_problems(task, 0, learns=False).train == ()
    assert Counter((spaced(stated.question), stated.answer) for stated in questions_in_order(task)) == recorded


def test_the_test_questions_of_aqua_alone(real_data: Path) -> None:
    data = load_problems(task_of(real_data, "aqua"), 0, learns=False)
    assert len(data.test) == 254 and {len(problem.choices) for problem in data.test} == {5}
    with pytest.raises(DataError, match=r"aqua_train\.json: no such file"):
        load_problems(task_of(real_data, "aqua"), 0)


@pytest.mark.parametrize("name", ["coin_flip", "tracking_shuffled_objects"])
def test_the_families_solve_the_published_questions(real_data: Path, name: str) -> None:
    data = load_problems(task_of(real_data, name), 0)
    family = FAMILIES[name]
    assert all(family.solve(problem.question).answer == problem.answer for problem in (*data.train, *data.test))


def test_right_options_are_spread_over_the_letters(real_data: Path) -> None:
    """In date_understanding's file the first option is always right, and a student would learn just that."""
    data = load_problems(task_of(real_data, "date_understanding"), 0)
    share = Counter(problem.answer for problem in (*data.train, *data.test))
    assert set(share) == set("ABCDEF") and max(share.values()) < 100


# Hub ----------------------------------------------------------------------------------------------------------------


def _scored(row: dict[str, Any], prefix: str, suffix: str) -> dict[str, Any]:
    options = row["target_scores"]
    return {
        "idx": 0,
        "inputs": f"{prefix}{row['input']}{suffix}",
        "targets": [next(text for text, score in options.items() if score)],
        "multiple_choice_targets": list(options),
        "multiple_choice_scores": list(options.values()),
    }


# From a row of the published file to one in the form of the hub dataset.
HUB_FORM: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "single_eq": lambda row: {"input": row["sQuestion"], "output_answer": str(row["lSolutions"][0])},
    "addsub": lambda row: {"input": row["sQuestion"], "output_answer": str(row["lSolutions"][0])},
    "multiarith": lambda row: {"question": row["sQuestion"].strip(), "final_ans": str(row["lSolutions"][0])},
    "gsm8k": dict,
    "aqua": dict,
    "svamp": lambda row: row | {"question_concat": f"{row['Body']} {row['Question']}"},
    "date_understanding": lambda row: _scored(row, "Q: ", "\nA:"),
    "tracking_shuffled_objects": lambda row: _scored(row, "", ""),
    "last_letter_concatenation": dict,
    "coin_flip": lambda row: {"inputs": f"Q: {row['question']}", "targets": row["answer"]},
    "commonsense_qa": lambda row: {
        "question": row["question"]["stem"],
        "choices": {key: [choice[key] for choice in row["question"]["choices"]] for key in ("label", "text")},
        "answerKey": row["answerKey"],
    },
    "strategy_qa": lambda row: {"qid": "1", "question": row["input"], "answer": bool(row["target_scores"]["Yes"])},
}


def jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize("name", TWELVE)
def test_a_hub_dataset_gives_the_same_problems_as_the_file(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Rows of the published file put in the form of the hub dataset (half a second each)."""
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    spec = TASKS[name]
    parts = [(file, split) for file, split in spec.files if (real_data / "datasets" / file).exists()]
    folder, local = tmp_path / "hub", tmp_path / "files"
    folder.mkdir()
    local.mkdir()
    assert spec.hub is not None
    for file, split in parts:
        rows = [dict(row.content) for row in read_file(real_data / "datasets" / file)][:400]
        jsonl(local / file, rows) if file.endswith("l") else (local / file).write_text(json.dumps(rows))
        hub_rows = [HUB_FORM[name](row) for row in rows]
        if name == "tracking_shuffled_objects":  # the hub's set has questions of five and seven objects too
            five = {f"{letter} ball.": int(letter == "E") for letter in LETTERS[:5]}
            hub_rows.insert(7, _scored({"input": "Five of them.", "target_scores": five}, "", ""))
        jsonl(folder / f"{'train' if split is not Split.TEST else spec.hub.source.test[0]}.jsonl", hub_rows)
    hub = TaskSection(name=name, source="hub", hub_id=str(folder), repeated="keep")
    file = TaskSection(name=name, source="file", path=local, repeated="keep")
    learns = name != "aqua"
    ours, theirs = (load_problems(task, 0, learns=learns) for task in (hub, file))
    assert (ours.train, ours.validation, ours.test) == (theirs.train, theirs.validation, theirs.test)
    assert len(ours.test) > 100


def test_a_mirror_says_that_its_split_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import reasoning.tasks.loading
    from reasoning.tasks.data_files.source_row import SourceRow

    rows = [SourceRow({"question": f"What is {i} + 1?", "final_ans": str(i + 1)}, f"record {i}") for i in range(20)]
    monkeypatch.setattr(reasoning.tasks.loading, "read_hub", lambda hub: rows)
    data = load_problems(TaskSection(name="multiarith", source="hub"), 0)
    assert "ChilleD/MultiArith is a mirror of multiarith" in data.notes[0]
    own = load_problems(TaskSection(name="multiarith", source="hub", hub_id="me/mine"), 0)
    assert own.notes == () and own.test == data.test


def test_fields_of_ones_own_read_another_mirror() -> None:
    form = {"question": "problem", "answer": "result", "kind": "number"}
    task = TaskSection.model_validate({"name": "svamp", "source": "hub", "hub_id": "me/svamp", "form": form})
    spec = spec_of(task)
    assert spec.forms[0].names == ("problem", "result") and spec.max_new_tokens == 192 and not spec.own
    with pytest.raises(
        DataError, match=r"task\.form\.kind: svamp is a task whose answers are of kind number, not text"
    ):
        spec_of(task.model_copy(update={"form": task.form.model_copy(update={"kind": AnswerKind.TEXT})}))  # type: ignore[union-attr]
