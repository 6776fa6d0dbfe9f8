"""The ablation: its budget holds, its cells are kept, its tables and plots say what they say."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from bench.ablation.arms import ARMS
from bench.ablation.cells import Budget, Cell, finished, keep
from bench.ablation.grounds import GROUNDS, Ground
from bench.ablation.plots import curves, plot
from bench.ablation.tables import by_round, over_budgets, table, tokens_a_rationale
from reasoning.files.data_error import DataError
from reasoning.files.tables import read_table
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import Rationale
from reasoning.rounds.in_process import Allowance, run_in_process
from reasoning.teacher.prices import Price

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


ON_GPU = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))


@pytest.mark.training
@pytest.mark.parametrize("device", ["cpu", ON_GPU])
def test_a_loop_in_one_process_spends_its_budget_round_by_round(tmp_path: Path, device: str) -> None:
    recipe = parse_recipe(SMALL, "small")
    records, classroom = run_in_process(recipe, tmp_path / "run", Allowance(4_000), device=device)
    spent = classroom.spent
    assert [record.phase for record in records][:4] == ["feedback", "select", "train", "evaluate"] and len(records) == 9
    first = next(record.metrics for record in records if record.phase == "feedback" and record.round == 0)
    assert 1_800 < float(first["teacher_tokens_total"]) <= 2_000 < spent <= 4_000
    assert first["failed"] == 40 - len(read_table(tmp_path / "run" / "round-000" / "rationales.parquet", Rationale))
    again, other = run_in_process(recipe, tmp_path / "again", Allowance(4_000), device=device)
    assert other.spent == spent and [r.metrics.get("lm_loss_last") for r in again] == [
        record.metrics.get("lm_loss_last") for record in records
    ]


def test_an_allowance_is_tokens_or_dollars_in_the_shares_of_its_rounds() -> None:
    tokens, price = Allowance(900), Price(1.0, 4.0)
    assert [tokens.up_to(round, 2) for round in (0, 1, 2)] == [300, 600, 900] and tokens.cost(10, 5) == 15
    dollars = Allowance(dollars=0.002, price=price, first_share=0.5)
    assert [dollars.up_to(round, 2) for round in (0, 1, 2)] == [1_000_000, 1_500_000, 2_000_000]
    assert dollars.cost(100, 50) == 300_000  # nanodollars
    assert Allowance(dollars=0.002, price=price, first_share=1.0).up_to(0, 2) == 2_000_000


def test_every_arm_is_a_recipe_that_differs_in_what_it_says() -> None:
    recipes = {arm.name: arm.recipe(3) for arm in ARMS}
    same = {"plain-missed", "plain-random"}  # which questions are asked is no key of a recipe
    longer = {"then-own", "then-own-again"}  # a run may go on for more rounds
    assert len({recipe.fingerprint() for recipe in recipes.values()}) == len(ARMS) - 2
    assert all(len({recipes[name].fingerprint() for name in names}) == 1 for names in (same, longer))
    assert {recipe.seed for recipe in recipes.values()} == {3}
    assert recipes["label-only"].student.prompt == "label"
    assert [recipes[f"fine-tune-cot-{d}"].learning.first_rationales for d in (1, 4)] == [1, 4]
    assert recipes["paper-a"].learning.self_reflection and not recipes["tailored-once"].learning.self_reflection
    assert recipes["new-questions"].learning.new_questions is not None
    assert recipes["ladder-shared"].learning.per_request == 4 and recipes["ladder"].learning.help == "ladder"


@pytest.mark.parametrize("ground", GROUNDS.values(), ids=GROUNDS)
def test_every_arm_is_a_recipe_on_every_ground(ground: Ground) -> None:
    taught = ground.taught_to("some/folder")
    for arm in ARMS:
        recipe = pickle.loads(pickle.dumps(arm)).recipe(0, taught)  # as a process of its own is given it
        assert recipe.student.model == "some/folder" and recipe.task.name == ground.task["name"]
        assert recipe.learning.first_training.learning_rate == ground.training["learning_rate"]
        assert recipe.learning.rounds in (0, ground.rounds + (arm.name == "then-own-again"))
    assert ground.taught_to(None) is ground


def test_where_the_student_is_not_the_embedded_one_a_loop_is_seen_as_often_as_what_is_learnt_at_once() -> None:
    for name in ("last-letters", "arithmetic"):
        arms = {arm.name: arm.recipe(0, GROUNDS[name]).learning for arm in ARMS}
        once, loop = arms["fine-tune-cot-1"], arms["plain-missed"]
        halves = (loop.first_training.epochs + loop.training.epochs) + loop.training.epochs
        assert halves / 2 == once.first_training.epochs


def cell(arm: str, seed: int, accuracy: float) -> Cell:
    return Cell(arm, seed, (0.1, accuracy), 300, 60, 10, 10, 0, 500, 1000, 5, 0, 1.0)


BUDGET = Budget(0.02)


def test_the_table_compares_seed_by_seed(tmp_path: Path) -> None:
    values = [("fine-tune-cot-1", 0, 0.5), ("fine-tune-cot-1", 1, 0.7), ("ladder", 0, 0.4), ("ladder", 1, 0.6)]
    cells = [cell(*value) for value in values]
    arms = [arm for arm in ARMS if arm.name in ("fine-tune-cot-1", "ladder")]
    rows = {line.split("|")[1].strip(): line for line in table(arms, cells, BUDGET).splitlines()[2:]}
    assert "| 2 | 50.0 |" in rows["ladder"] and "| -10.0 | -10.0 – -10.0 | < 0.0001 | 0.0001 | 70 |" in rows["ladder"]
    assert "| 2 | 60.0 |" in rows["fine-tune-cot-1"] and "| – | – | – |" in rows["fine-tune-cot-1"]
    (alone,) = table([arm for arm in arms if arm.name == "fine-tune-cot-1"], cells, BUDGET, "ladder").splitlines()[2:]
    assert "| +10.0 | 10.0 – 10.0 | < 0.0001 |" in alone  # with an arm that the table leaves out, too
    plot(arms, cells, tmp_path / "plot.svg")
    assert (tmp_path / "plot.svg").read_text().lstrip().startswith("<?xml")


def test_arms_with_other_seeds_are_compared_over_those_in_common_and_the_table_says_so() -> None:
    arms = [arm for arm in ARMS if arm.name in ("fine-tune-cot-1", "ladder", "paper-a")]
    reference = [cell("fine-tune-cot-1", seed, 0.4) for seed in (0, 1, 2)]
    other = [cell("ladder", 1, 0.5), cell("ladder", 2, 0.7), cell("ladder", 3, 0.1), cell("paper-a", 9, 0.9)]
    _, apart, ladder = table(arms, [*reference, *other], BUDGET).splitlines()[2:]
    assert "| 3 | 43.3 |" in ladder and "| +20.0 (2 seeds in common) |" in ladder
    assert "| one seed | – | – | – |" in apart


def test_tokens_are_told_whole() -> None:
    arms = [arm for arm in ARMS if arm.name in ("fine-tune-cot-1", "ladder")]
    found = {
        Budget(None, tokens): [cell("ladder", 0, at), cell("fine-tune-cot-1", 0, 0.5)]
        for tokens, at in ((10_000, 0.2), (1_200_000, 0.6))
    }
    assert over_budgets(arms, found).splitlines()[-1].endswith("| 902,500 |")


def test_what_each_round_brought_is_told_seed_by_seed() -> None:
    cells = [cell("ladder", 0, 0.4), cell("ladder", 1, 0.5), cell("ladder", 2, 0.6)]  # each had 10 % after round 0
    arms = [arm for arm in ARMS if arm.name in ("fine-tune-cot-1", "ladder")]
    first, second = by_round(arms, cells).splitlines()[2:]
    assert first == "| ladder | 0 | 3 | 10.0 | 10.0 – 10.0 | – | – | – |"
    assert second == "| ladder | 1 | 3 | 50.0 | 25.2 – 74.8 | +40.0 | 15.2 – 64.8 | 0.0202 |"  # t = 6.93 at 2 degrees


def test_cells_of_several_budgets_lie_side_by_side_and_are_not_mixed(tmp_path: Path) -> None:
    keep(cell("ladder", 0, 0.5), tmp_path, BUDGET)
    keep(cell("ladder", 0, 0.9), tmp_path, Budget(None, 2_000))
    assert finished(tmp_path, BUDGET) == {("ladder", 0): cell("ladder", 0, 0.5)}
    assert finished(tmp_path, Budget(None, 2_000))["ladder", 0].accuracy[-1] == 0.9
    assert finished(tmp_path, Budget(0.02, price=(1.0, 0.1, 8.0))) == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"arm": "ladder"}', '{"budget": null, "accuracy": []}'])
def test_a_file_that_is_no_cell_is_named_and_left(tmp_path: Path, text: str) -> None:
    keep(cell("ladder", 0, 0.5), tmp_path, BUDGET)
    (tmp_path / "cells" / "foreign.json").write_text(text)
    with pytest.raises(DataError, match=r"cells/foreign\.json"):
        finished(tmp_path, BUDGET)
    assert (tmp_path / "cells" / "foreign.json").read_text() == text


def test_cells_of_other_grounds_and_students_are_not_mixed(tmp_path: Path) -> None:
    letters = GROUNDS["last-letters"]
    other = letters.taught_to("/models/another")
    for number, ground in enumerate((GROUNDS["coin-flips"], letters, other)):
        keep(cell("ladder", 0, number / 10), tmp_path, BUDGET, ground)
    found = [finished(tmp_path, BUDGET, ground)["ladder", 0].accuracy[-1] for ground in (letters, other)]
    assert found == [0.1, 0.2] and finished(tmp_path, BUDGET)["ladder", 0].accuracy[-1] == 0.0
    assert finished(tmp_path, BUDGET, letters.taught_to("elsewhere/another")).keys() == {("ladder", 0)}


def test_over_budgets_an_arm_is_compared_with_another_at_its_largest() -> None:
    arms = [arm for arm in ARMS if arm.name in ("fine-tune-cot-1", "then-own", "ladder", "paper-a")]
    seeds = (0, 1)
    found = {
        Budget(0.04): [cell(arm, s, at) for arm, at in (("fine-tune-cot-1", 0.5), ("ladder", 0.6)) for s in seeds],
        Budget(0.02): [
            *(cell("fine-tune-cot-1", seed, 0.3) for seed in seeds),
            *(cell("ladder", seed, 0.35 + 0.1 * seed) for seed in seeds),
            cell("then-own", 0, 0.55),
        ],
    }
    text = over_budgets(arms, found)
    rows = [[field.strip() for field in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    told = {(row[0], row[1]): row[5:] for row in rows}
    assert "comes to 50.0 % for" in text and len(rows) == 5  # of paper-a there is no cell
    assert told["fine-tune-cot-1", "$0.02"][:2] == ["-20.0", "-20.0 – -20.0"]
    assert told["fine-tune-cot-1", "$0.04"] == ["–", "–", "–", "0.04"]
    assert told["ladder", "$0.02"][0] == "-10.0" and told["ladder", "$0.02"][-1] == ""
    assert told["ladder", "$0.04"][0] == "+10.0" and told["ladder", "$0.04"][-1] == "0.03"
    assert told["then-own", "$0.02"] == ["+5.0 (1 seed in common)", "one seed", "–", "0.02 or less"]
    (_, last) = over_budgets([arm for arm in arms if arm.name == "fine-tune-cot-1"], found, "ladder").splitlines()[2:]
    assert last.endswith("| more than 0.04 |")


def test_curves_have_a_line_for_each_arm_with_several_budgets(tmp_path: Path) -> None:
    budgets = (Budget(0.02), Budget(0.04))
    cells = {budget: [cell("ladder", seed, 0.5 + seed / 10) for seed in (0, 1)] for budget in budgets}
    cells[budgets[0]].append(cell("paper-a", 0, 0.4))
    curves(ARMS, cells, tmp_path / "curves.svg")
    drawn = (tmp_path / "curves.svg").read_text()
    assert "<!-- ladder -->" in drawn and "<!-- paper-a -->" not in drawn and "<!-- budget, dollars -->" in drawn
    curves(ARMS, cells, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == drawn


def test_sharing_a_request_costs_less_for_each_rationale() -> None:
    lines = [line.split("|")[1:-1] for line in tokens_a_rationale((1, 4), 24).splitlines()[2:]]
    in_all = {(row[0].strip(" `"), int(row[1])): int(row[4]) for row in lines}
    assert in_all["tailored_shared", 4] < 0.85 * in_all["tailored_shared", 1]
    assert in_all["plain_shared", 4] < in_all["plain", 1] < in_all["tailored_shared", 4]
