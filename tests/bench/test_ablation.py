"""The ablation: its budget holds, its cells are kept, its table says what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.ablation import ARMS, Cell, plot, table
from reasoning.files.tables import read_table
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import Rationale
from reasoning.rounds.in_process import run_in_process

SMALL = """
task: {name: coin_flip, train: 40, validation: 4, test: 6}
student: {max_new_tokens: 64}
teacher: {error_rate: 0.1, max_in_flight: 1}
learning:
  rounds: 1
  first_questions: 40
  exam: {questions: 8, samples: 2}
  first_training: {epochs: 1, batch_size: 8}
  training: {epochs: 1, batch_size: 8}
"""


@pytest.mark.training
def test_a_loop_in_one_process_spends_its_budget_round_by_round(tmp_path: Path) -> None:
    records, spent = run_in_process(parse_recipe(SMALL, "small"), tmp_path / "run", teacher_tokens=4_000)
    assert [record.phase for record in records][:4] == ["feedback", "select", "train", "evaluate"] and len(records) == 9
    first = next(record.metrics for record in records if record.phase == "feedback" and record.round == 0)
    assert 1_800 < float(first["teacher_tokens_total"]) <= 2_000 < spent <= 4_000
    assert first["failed"] == 40 - len(read_table(tmp_path / "run" / "round-000" / "rationales.parquet", Rationale))
    again, spent_again = run_in_process(parse_recipe(SMALL, "small"), tmp_path / "again", teacher_tokens=4_000)
    assert spent_again == spent and [r.metrics.get("lm_loss_last") for r in again] == [
        record.metrics.get("lm_loss_last") for record in records
    ]


def test_every_arm_is_a_recipe_that_differs_in_what_it_says() -> None:
    recipes = {arm.name: arm.recipe(3) for arm in ARMS}
    assert len({recipe.fingerprint() for recipe in recipes.values()}) == len(ARMS) == 8
    assert {recipe.seed for recipe in recipes.values()} == {3}
    assert recipes["label-only"].student.prompt == "label"
    assert [recipes[f"fine-tune-cot-{d}"].learning.first_rationales for d in (1, 8)] == [1, 8]
    assert recipes["neither"].teacher.feedback_prompt == recipes["no-feedback"].teacher.feedback_prompt == "plain"
    assert not recipes["neither"].learning.self_reflection and recipes["tailored"].learning.self_reflection
    assert recipes["new-questions"].learning.new_questions is not None


def cell(arm: str, seed: int, accuracy: float) -> Cell:
    return Cell(arm, seed, (0.1, accuracy), 300, 100, 10, 1000, 5, 0, 1.0)


def test_the_table_compares_seed_by_seed(tmp_path: Path) -> None:
    cells = [cell("tailored", 0, 0.5), cell("tailored", 1, 0.7), cell("neither", 0, 0.4), cell("neither", 1, 0.6)]
    arms = [arm for arm in ARMS if arm.name in ("tailored", "neither")]
    rows = {line.split("|")[1].strip(): line for line in table(arms, cells).splitlines()[2:]}
    assert "| 2 | 50.0 |" in rows["neither"] and "| -10.0 | -10.0 – -10.0 |" in rows["neither"]
    assert "| 2 | 60.0 |" in rows["tailored"] and "| – | – |" in rows["tailored"]
    plot(arms, cells, tmp_path / "plot.svg")
    assert (tmp_path / "plot.svg").read_text().lstrip().startswith("<?xml")


def test_cells_of_another_budget_are_not_mixed_in(tmp_path: Path) -> None:
    from bench.ablation import finished, keep

    keep(cell("tailored", 0, 0.5), tmp_path, 1_000)
    assert finished(tmp_path, 1_000) == {("tailored", 0): cell("tailored", 0, 0.5)}
    with pytest.raises(SystemExit, match="another --folder"):
        finished(tmp_path, 2_000)
