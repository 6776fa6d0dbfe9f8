"""`tailor init`: what it writes can be read and started, and nothing is overwritten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from actors.ray_api.machines.capacity import Capacity
from pipelines.cli import app
from pipelines.recipe.template import EXAMPLE
from pipelines.run.preflight import PreflightError, check
from reasoning.recipe.tailored import load_recipe
from tests.conftest import ROOT

RUNNER = CliRunner()
LAPTOP = Capacity.of_one({"CPU": 2.0})


def init(*arguments: object) -> tuple[int, str]:
    result = RUNNER.invoke(app, ["init", *map(str, arguments)])
    return result.exit_code, " ".join(result.output.split())


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def faults(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What keeps the run of a recipe from starting, without a key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(PreflightError) as refused:
        check(load_recipe(path), str(path), LAPTOP)
    return [fault.place for fault in refused.value.faults]


def test_an_example_is_written_that_lacks_nothing_but_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "my-task.yaml"
    code, said = init(path)
    assert code == 0 and f"tailor eval {path}" in said
    assert len((tmp_path / "my-task.jsonl").read_text(encoding="utf-8").splitlines()) == len(EXAMPLE)
    assert faults(path, monkeypatch) == ["teacher.api_key_env"]
    checked = check(load_recipe(path), str(path), LAPTOP, teacher=False)  # as `tailor eval` does
    assert len(checked.data.test) == 9 and {problem.task for problem in checked.data.test} == {"my_task"}


SHAPES: dict[str, list[dict[str, Any]]] = {
    "numbers": [{"question": f"How many are {n}?", "answer": f"So\n#### {n}"} for n in range(12)],
    "listed options": [{"question": f"{n}?", "options": ["x", "y", "z"], "answer": "y"} for n in range(12)],
    "few answers": [{"ticket": f"Order {n} is late.", "desk": ("a", "b")[n % 2]} for n in range(40)],
    "odd: names #1": [{"yes": f"Which is number {n}", "no": f"text {n}"} for n in range(12)],
    "gsm8k": [{"input": f"What is {n}?", "target": n} for n in range(3)],
    "true or false": [{"context": "A: b.", "question": f"Is it {n}?", "label": n % 2 == 0} for n in range(12)],
}


@pytest.mark.parametrize("name", SHAPES)
def test_data_of_every_shape_becomes_a_recipe_that_reads_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, path = written(tmp_path / f"{name}.jsonl", SHAPES[name]), tmp_path / f"{name}.yaml"
    code, said = init(path, "--data", data)
    assert code == 0, said
    assert faults(path, monkeypatch) == ["teacher.api_key_env"]
    assert load_recipe(path).task.path == data


@pytest.mark.parametrize(
    ("name", "offered"), [("numbers", True), ("gsm8k", True), ("listed options", False), ("true or false", False)]
)
def test_shown_answers_are_offered_where_answers_are_not_easily_guessed(
    name: str, offered: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.yaml"
    code, said = init(path, "--data", written(tmp_path / "mine.jsonl", SHAPES[name]))
    text = path.read_text(encoding="utf-8")
    assert code == 0 and ("# ladder: {rationalize: 1}" in text) is offered, said
    path.write_text(text.replace("# ladder:", "ladder:"), encoding="utf-8")  # as a user takes it
    assert faults(path, monkeypatch) == ["teacher.api_key_env"]
    ladder = load_recipe(path).learning.ladder
    assert ladder is not None and ladder.rationalize == int(offered)


def test_the_recipe_says_what_to_check(tmp_path: Path) -> None:
    code, said = init(tmp_path / "desk.yaml", "--data", ROOT / "recipes" / "own_task.jsonl")
    assert code == 0 and "Check:" in said and "4 different answers" in said
    text = (tmp_path / "desk.yaml").read_text(encoding="utf-8")
    assert "# Check: " in text and 'choices: ["account", "billing", "product", "shipping"]' in text


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("seed: 3\n", encoding="utf-8")
    code, said = init(path)
    assert code == 2 and "not overwritten; give another name" in said
    assert path.read_text(encoding="utf-8") == "seed: 3\n" and not (tmp_path / "mine.jsonl").exists()
    written(tmp_path / "other.jsonl", [{"mine": 1}])
    code, said = init(tmp_path / "other.yaml")
    assert code == 2 and "other.jsonl" in said and not (tmp_path / "other.yaml").exists()


def test_data_that_cannot_be_used_is_refused_and_nothing_written(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    code, said = init(path, "--data", written(tmp_path / "a.jsonl", [{"x": [1], "y": 2}] * 4))
    assert code == 2 and "(x, y)" in said and "docs/tasks.md" in said
    code, said = init(path, "--data", tmp_path / "absent.jsonl")
    assert code == 2 and "no such file" in said
    folder = tmp_path / "parts"
    folder.mkdir()
    written(folder / "train.jsonl", [{"question": f"How many are {n}?", "answer": n} for n in range(4)])
    written(folder / "test.jsonl", [{"question": f"How many are {n}?"} for n in range(4, 8)])
    code, said = init(path, "--data", folder)
    assert code == 2 and "test.jsonl: none of its 4 rows has the field 'answer'" in said
    (tmp_path / "bad.jsonl").write_text('{"question": "q", "answer": \n', encoding="utf-8")
    code, said = init(path, "--data", tmp_path / "bad.jsonl")
    assert code == 2 and "line 1" in said
    assert not path.exists()
