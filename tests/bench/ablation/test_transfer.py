"""Real questions after generated ones: a cell is kept as it came out, and the table says what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.ablation.arms import ARMS
from bench.ablation.cells import Budget
from bench.ablation.grounds import GROUNDS
from bench.ablation.transfer import PUBLISHED, SETS, Cell, main, questions, read, run_cell, table, write
from reasoning.files.data_error import DataError

CELL = Cell("fine-tune-cot-1", 0, (19, 150), {name: (place, 100) for place, name in enumerate(SETS)})


def test_a_cell_comes_back_and_stands_beside_the_papers_students(tmp_path: Path) -> None:
    for cell in (CELL, replace(CELL, arm="none", own=None)):
        write(cell, tmp_path / "cells" / "one.json")
        assert read(tmp_path / "cells" / "one.json") == cell
    lines = table([CELL, replace(CELL, arm="none", own=None)]).splitlines()
    assert "| fine-tune-cot-1 | 0 | 12.7 (19/150) [8.3, 18.9] | 0.0 (0/100)" in lines[2]
    assert lines[3].startswith("| none | 0 | – |") and lines[4].endswith("| 6.11 | 7.24 | 6.72 | 5.00 |")
    assert PUBLISHED.keys() == set(SETS)


def test_data_and_cells_are_looked_at_before_anybody_is_taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["bench.ablation.transfer", "--data", str(tmp_path), "--folder", str(tmp_path / "runs")]
    monkeypatch.setattr("sys.argv", options)
    with pytest.raises(SystemExit, match=r"multiarith\.json: no such file"):
        main()
    monkeypatch.setattr("sys.argv", [*options, "--table-only"])
    with pytest.raises(SystemExit, match="No cell of these arms"):
        main()
    (tmp_path / "half.json").write_text('{"arm": "ladder", "seed": 0}')
    with pytest.raises(DataError, match=r"half\.json: no cell of this version"):
        read(tmp_path / "half.json")


@pytest.mark.training
def test_a_student_is_taught_on_stories_and_asked_published_questions(tmp_path: Path, embedded_student: Path) -> None:
    data = tmp_path / "data"
    for folder in ("datasets", "splits"):
        (data / folder).mkdir(parents=True)
    stories = [{"sQuestion": f"Ann has {n} apples and gets 2. How many?", "lSolutions": [n + 2.0]} for n in range(4)]
    bodies = [
        {"Body": f"Ann has {n} apples.", "Question": "She gets 2. How many?", "Answer": n + 2.0} for n in range(4)
    ]
    for name in SETS:
        rows = bodies if name == "svamp" else stories
        (data / "datasets" / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
        (data / "splits" / f"{name}__default.json").write_text(json.dumps({"train": [0, 1], "test": [2, 3]}), "utf-8")
        assert len(questions(data, name)) == 2
    ground = GROUNDS["arithmetic"]
    small = replace(
        ground,
        task={**ground.task, "train": 30, "validation": 2, "test": 3},
        student={"max_new_tokens": 16},
        exam={"questions": 4, "samples": 1},
        once=1,
        in_rounds=1,
    )
    plain = next(arm for arm in ARMS if arm.name == "plain-missed")
    cell = run_cell(plain, 0, small, Budget(0.002), data, tmp_path)
    assert cell.own is not None and cell.own[1] == 3 and {of for _, of in cell.right.values()} == {2}
    assert run_cell(None, 0, small, Budget(0.002), data, tmp_path).own is None
    assert not list((tmp_path / "running").iterdir())
