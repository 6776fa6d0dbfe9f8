"""What a Fine-tune-CoT run does next, and when it needs the trainer's machines."""

import io
from pathlib import Path

import pytest

from actors.cot_coordinator import CotCoordinator
from actors.storage.keeping import Home
from reasoning.fine_tune_cot.directory import CotDirectory
from reasoning.fine_tune_cot.order import Collect, DegreeStep
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.rounds.phase_order import Finished, Phase, PhaseRecord
from reasoning.tasks.loading import load_problems


def coordinator(folder: Path, degrees: str) -> CotCoordinator:
    task = "{name: coin_flip, train: 4, validation: 2, test: 2}"
    recipe = parse_cot_recipe(f"{{task: {task}, fine_tuning: {{degrees: {degrees}}}}}", "r.yaml")
    directory = CotDirectory(folder)
    directory.claim(recipe)
    shared = recipe.at_degree(recipe.fine_tuning.collected)
    return CotCoordinator(
        recipe, directory, load_problems(shared.task, shared.seed), run_prompts(shared), {}, Home(folder)
    )


def test_a_new_run_collects_first_and_leaves_the_trainer_alone(tmp_path: Path) -> None:
    fresh = coordinator(tmp_path, "[1, 2]")
    assert fresh.next_work() == Collect(2)
    assert not fresh.trains(Collect(2))


@pytest.mark.parametrize("phase", Phase)
def test_only_training_a_degree_needs_the_trainer(phase: Phase, tmp_path: Path) -> None:
    assert coordinator(tmp_path, "[1]").trains(DegreeStep(1, phase)) is (phase is Phase.TRAIN)


def test_labels_alone_need_no_collection_and_end_with_the_phases_of_round_zero(tmp_path: Path) -> None:
    labels = coordinator(tmp_path, "[0]")
    done: list[Phase] = []
    home = CotDirectory(tmp_path).degree(0)
    home.path.mkdir(parents=True)
    while isinstance(work := labels.next_work(), DegreeStep):
        done.append(work.phase)
        record = PhaseRecord(0, work.phase, 1.0, {"validation_accuracy": 0.5, "test_accuracy": 0.5})
        home.append(record)
    assert isinstance(work, Finished) and Phase.TRAIN in done and len(done) == len(set(done))


def test_the_end_of_a_phase_and_a_wait_for_machines_are_logged_once_each(tmp_path: Path, logged: io.StringIO) -> None:
    run = coordinator(tmp_path, "[1]")
    progress = run._progress
    progress.begin(0, "train", 8)
    progress.show(waiting="1 GPU node", label="degree 1")
    for _ in range(3):
        run._look(progress.snapshot)
    progress.show(waiting="")
    progress.begin(0, "evaluate", 8)
    lines = logged.getvalue().splitlines()
    assert lines[:2] == ["waits for 1 GPU node", "waits for nothing any more"]
    assert lines[2].startswith("degree 1 train ended after ") and len(lines) == 3
