"""The measurement's own rules: paper B's test split whole, its grading beside ours, no epoch chosen by test."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.fine_tune_cot import (
    PUBLISHED,
    Cell,
    RecordedClassroom,
    Settings,
    cells,
    main,
    plot,
    pooled,
    recipe,
    table,
    teacher_on_test,
)
from reasoning.files.tables import read_table
from reasoning.fine_tune_cot.directory import CotDirectory
from reasoning.fine_tune_cot.order import Collect, DegreeStep
from reasoning.fine_tune_cot.phases import do, work_left
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.records import Attempt, Example, Rationale
from reasoning.rounds import classroom as classroom_module
from reasoning.rounds import evaluation, in_process
from reasoning.rounds.epochs import EpochAccuracy, read_epochs, write_epochs
from reasoning.rounds.in_process import InProcessClassroom
from reasoning.rounds.phase_order import Finished, Phase
from reasoning.student.checkpoint import load_student
from reasoning.student.generation import Generator
from reasoning.student.sampling import Sampling
from reasoning.tasks.loading import load_problems
from reasoning.training.fine_tuning import FineTuning

LUCKY = (EpochAccuracy(1, 10, 8, 100, 20), EpochAccuracy(2, 10, 5, 100, 90))


@pytest.mark.parametrize(("task", "test"), [("multiarith", 180), ("coin_flip", 150), ("date_understanding", 111)])
def test_the_test_questions_are_the_papers(task: str, test: int, real_data: Path) -> None:
    data = load_problems(recipe(task, real_data, 0).task, 0)
    assert len(data.test) == test
    learnt = {p.question for p in (*data.train, *data.validation)}
    assert not learnt & {p.question for p in data.test}


def test_other_settings_have_runs_of_their_own(tmp_path: Path) -> None:
    other = Settings("models/Smol 135M.gguf", epochs=5, max_new_tokens=256, dtype="bfloat16", degrees=(1,))
    papers, others = (recipe("multiarith", tmp_path, 0, settings) for settings in (Settings(), other))
    assert papers.name == "multiarith-0" and papers.student.model == "embedded"
    assert papers.fine_tuning.degrees == (0, 1) and papers.fine_tuning.training.epochs == 20
    assert others.name == "multiarith-0-epochs5-tokens256-bfloat16-Smol_135M.gguf"
    assert others.student.model == "models/Smol 135M.gguf" and others.student.max_new_tokens == 256
    assert others.student.dtype == "bfloat16"
    assert others.fine_tuning.degrees == (1,) and others.fine_tuning.training.epochs == 5
    assert others.fine_tuning.training.learning_rate == papers.fine_tuning.training.learning_rate == 3e-4


def test_the_recorded_teacher_is_as_good_as_it_was_published_to_be(real_data: Path) -> None:
    """On test questions alone; on all of them the published figures are 78.67, 91.40 and 67.48 (their own rule)."""
    for task, published in (("multiarith", 0.787), ("coin_flip", 0.914), ("date_understanding", 0.675)):
        known, ours, papers = teacher_on_test(recipe(task, real_data, 0))
        assert known == {"multiarith": 180, "coin_flip": 150, "date_understanding": 111}[task]
        assert abs(papers / known - published) < 0.1
        assert abs(ours - papers) <= 0.05 * known


def test_two_step_questions_are_answered_from_the_recording(tmp_path: Path, real_data: Path) -> None:
    wanted = recipe("coin_flip", real_data, 0)
    directory = CotDirectory(tmp_path / "run")
    directory.claim(wanted)
    data = load_problems(wanted.task, 0)
    recorded = wanted.teacher.recorded
    assert recorded is not None
    classroom = RecordedClassroom(wanted.at_degree(1), directory.collection, data, recorded)

    async def until_selected() -> None:
        await do(classroom, wanted, directory, Collect(1))
        for phase in (Phase.FEEDBACK, Phase.SELECT):
            await do(classroom, wanted, directory, DegreeStep(1, phase))

    asyncio.run(until_selected())
    rationales = read_table(directory.rationales, Rationale)
    assert len(rationales) == len(data.train)  # every training question is recorded
    assert 0.85 < sum(r.kept for r in rationales) / len(rationales) < 0.97
    examples = read_table(directory.degree(1).round(0).examples, Example)
    gold = {p.id: p.answer for p in data.train}
    assert all(e.prompt.endswith(" ###") and e.positives[0].endswith(f"--> {gold[e.problem_id]}") for e in examples)


def test_a_cell_reports_the_epoch_that_validation_chose(real_data: Path) -> None:
    cell = Cell(0, 1, 300, LUCKY, 21)
    assert cell.chosen.epoch == 1 and cell.by_test.epoch == 2
    text = table({"coin_flip": [cell]}, {"coin_flip": recipe("coin_flip", real_data, 0)})
    assert "| coin_flip | Fine-tune-CoT | 0 | 300 | 1 | 80.0 | 20.0 (20/100) |" in text and "| 90.0 |" in text


def test_a_student_that_is_not_finished_is_no_cell(tmp_path: Path, real_data: Path) -> None:
    wanted = recipe("multiarith", real_data, 0)
    files = CotDirectory(tmp_path / wanted.name).degree(1).round(0)
    files.epoch_accuracies.parent.mkdir(parents=True)
    write_epochs(files.epoch_accuracies, LUCKY)
    assert cells(wanted, tmp_path) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [([], "multiarith.json: no such file"), (["--epochs", "0"], "epochs: must be at least 1")],
)
def test_what_cannot_be_run_is_told_before_anything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], told: str
) -> None:
    folder = tmp_path / "runs"
    command = ["bench.fine_tune_cot", "--data", str(tmp_path), "--folder", str(folder), *options]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit, match=told):
        main()
    assert not folder.exists()


@pytest.mark.thorough
def test_seeds_are_pooled_by_epoch_and_the_plot_is_the_same_twice(tmp_path: Path) -> None:
    cells = [Cell(0, 1, 300, LUCKY, 21), Cell(1, 1, 300, LUCKY, 21)]
    assert pooled(cells)[1] == EpochAccuracy(2, 20, 10, 200, 180)
    results = {published.task: cells for published in PUBLISHED}
    plot(results, tmp_path / "a.svg")
    plot(results, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.training
def test_with_a_real_student_the_graduate_is_the_epoch_that_was_examined(tmp_path: Path) -> None:
    """Real training and real sampling in this process, as small as they can be: seconds."""
    text = """
    name: small
    task: {name: coin_flip, train: 16, validation: 4, test: 4}
    student: {max_new_tokens: 48}
    fine_tuning: {degrees: [0, 2], training: {epochs: 2, learning_rate: 0.002}}
    """
    wanted = parse_cot_recipe(text, "small")
    directory = CotDirectory(tmp_path / "small")
    directory.claim(wanted)
    data = load_problems(wanted.task, wanted.seed)
    classroom = InProcessClassroom(wanted.at_degree(2), directory.collection, data)

    async def to_the_end() -> None:
        while not isinstance(work := work_left(wanted, directory), Finished):
            await do(classroom, wanted, directory, work)

    asyncio.run(to_the_end())
    for degree in (0, 2):
        home = directory.degree(degree)
        files, form, metrics = home.round(0), home.form(), home.finished()[-1].metrics
        assert len(read_epochs(files.epoch_accuracies)) == metrics["epochs"] == 2
        assert sorted(path.name for path in files.epochs.iterdir()) == ["epoch-01", "epoch-02"]
        attempts = read_table(files.evaluation, Attempt)
        assert attempts == read_table(files.after(int(metrics["best_epoch"])).evaluation, Attempt)
        greedy = Sampling(max_new_tokens=48)
        again = Generator(load_student(str(files.student))).answer(
            [form.prompt(p.question) for p in (*data.validation, *data.test)], greedy
        )
        assert [completion.text for (completion,) in again] == [attempt.text for attempt in attempts]


class Killed(Exception):
    """The end of a process."""


@pytest.mark.training
@pytest.mark.parametrize("moment", [*range(1, 14)])
def test_with_a_real_student_a_training_that_was_killed_keeps_two_epochs_at_most_and_ends_the_same(
    tmp_path: Path, moment: int, undisturbed: tuple[list[Attempt], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at each of its steps: a pass learnt, a student written, its exam sat, weights dropped. A second or two."""
    steps = itertools.count(1)

    def step(real: Callable[..., Any]) -> Callable[..., Any]:
        def taken(*args: Any, **named: Any) -> Any:
            if next(steps) == moment:
                raise Killed
            return real(*args, **named)

        return taken

    with monkeypatch.context() as patched:
        patched.setattr(FineTuning, "learn_pass", step(FineTuning.learn_pass))
        patched.setattr(in_process, "save_student", step(in_process.save_student))
        patched.setattr(evaluation, "write_table", step(evaluation.write_table))
        patched.setattr(classroom_module, "drop", step(classroom_module.drop))
        with pytest.raises(Killed):
            small_run(tmp_path / "run")
    assert small_run(tmp_path / "run") == undisturbed


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Attempt], int]:
    return small_run(tmp_path_factory.mktemp("undisturbed") / "run")


def small_run(folder: Path) -> tuple[list[Attempt], int]:
    """Labels alone, three epochs, from wherever `folder` stands. What the graduate answers, and its epoch."""
    text = """
    name: small
    task: {name: coin_flip, train: 8, validation: 4, test: 4}
    student: {max_new_tokens: 8}
    fine_tuning: {degrees: [0], training: {epochs: 3, learning_rate: 0.002}}
    """
    wanted, directory = parse_cot_recipe(text, "small"), CotDirectory(folder)
    directory.claim(wanted)
    classroom = InProcessClassroom(wanted.at_degree(0), directory.collection, load_problems(wanted.task, wanted.seed))
    files, most = directory.degree(0).round(0), 0

    async def to_the_end() -> None:
        nonlocal most
        while not isinstance(work := work_left(wanted, directory), Finished):
            await do(classroom, wanted, directory, work)
            most = max(most, len(list(files.epochs.glob("*/student"))))

    asyncio.run(to_the_end())
    assert most <= 1
    (metrics,) = [record.metrics for record in directory.degree(0).finished() if record.phase is Phase.EVALUATE]
    return read_table(files.evaluation, Attempt), int(metrics["best_epoch"])
