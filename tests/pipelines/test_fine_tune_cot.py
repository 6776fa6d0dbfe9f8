"""Fine-tune-CoT as a person meets it: what is refused before anything starts, the table, the report, its student."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.fine_tune_cot import check_cot, degrees_table, fitted
from pipelines.report.fine_tune_cot import write_cot_report
from pipelines.run.preflight import PreflightError
from pipelines.serving import graduate_of
from reasoning.files.tables import write_table
from reasoning.fine_tune_cot.directory import CotDirectory, student_directory
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.records import Example
from reasoning.rounds.epochs import EpochAccuracy, write_epochs
from reasoning.rounds.order import Phase, PhaseRecord
from tests.tiny_students import tiny_student

SCRIPT = "<script>alert(1)</script>"
THERE = {"CPU": 2.0, "GPU": 0.0}
RUNNER = CliRunner()


def said(*arguments: str) -> tuple[int, str]:
    result = RUNNER.invoke(app, list(arguments))
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fine_tuning: {degrees: [1, 1]}", ("fine_tuning", "names a degree twice")),
        ("{fine_tuning: {}, learning: {rounds: 2}}", ("learning: unknown key", "fine_tuning")),
        ("fine_tuning: {training: {max_tokens: 99999}}", ("fine_tuning.training.max_tokens: 99999 tokens",)),
        ("{fine_tuning: {}, student: {prompt: fine_tune}}", ("student.prompt: the form fine_tune has no reasoning",)),
        (
            "fine_tuning: {degrees: [0], label_prompt: fine_tune_cot}",
            ("fine_tuning.label_prompt", "place for a rationale"),
        ),
        ("{fine_tuning: {}, teacher: {prompt: nobody}}", ("nobody", "zero_shot_cot")),
    ],
)
def test_bad_input_is_refused_before_anything_starts(text: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    path, storage = tmp_path / "recipe.yaml", tmp_path / "runs"
    path.write_text(text, encoding="utf-8")
    code, output = said("fine-tune-cot", str(path), "--storage", str(storage))
    assert code == 2
    assert all(part in output for part in expected), output
    assert "Traceback" not in output and not storage.exists()


def test_labels_alone_are_taught_where_no_teacher_could_help() -> None:
    """The offline teacher cannot solve this task, which is refused for degree 1 and does not matter for degree 0."""
    task = "{name: last_letter_concatenation, train: 20, validation: 5, test: 5}"
    assert check_cot(parse_cot_recipe(f"{{task: {task}, fine_tuning: {{degrees: [0]}}}}", "r"), "r", THERE).data.train
    unsolvable = "teacher: {kind: recorded, recorded: /no/such/file}"
    labels = parse_cot_recipe(f"{{task: {task}, {unsolvable}, fine_tuning: {{degrees: [0]}}}}", "r")
    assert check_cot(labels, "r", THERE).data.train
    rationales = parse_cot_recipe(f"{{task: {task}, {unsolvable}, fine_tuning: {{degrees: [1]}}}}", "r")
    with pytest.raises(PreflightError, match=r"teacher\.recorded"):
        check_cot(rationales, "r", THERE)


def test_a_short_student_is_asked_for_answers_that_fit(tmp_path: Path) -> None:
    student = tiny_student()  # of 512 positions
    student.model.save_pretrained(tmp_path)
    student.tokenizer.save_pretrained(tmp_path)
    assert fitted(parse_cot_recipe(f"student: {{model: {tmp_path}}}", "r")).student.max_new_tokens == 512
    assert EMBEDDED_STUDENT.is_dir() and fitted(parse_cot_recipe("{}", "r")).student.max_new_tokens == 1024


def finished_run(folder: Path) -> CotDirectory:
    """A run of two degrees as its directory would be, without its students' weights."""
    recipe = parse_cot_recipe("{name: two-degrees, fine_tuning: {degrees: [0, 4], training: {epochs: 2}}}", "r.yaml")
    directory = CotDirectory(folder / "two-degrees")
    directory.claim(recipe)
    collected = {"samples": 4, "asked": 80, "failed": 3, "kept": 60, "filtered_out": 17, "teacher_tokens_total": 9}
    directory.append(PhaseRecord(0, Phase.FEEDBACK, 5.0, collected))
    for degree, validation, test in ((0, 8, 12), (4, 9, 11)):
        home = directory.degree(degree)
        home.claim(recipe.at_degree(degree, 20))
        files = home.round(0)
        files.folder.mkdir()
        evaluated = {
            "validation_questions": 10, "validation_correct": validation, "validation_accuracy": validation / 10,
            "test_questions": 20, "test_correct": test, "test_accuracy": test / 20, "test_low": 0.3, "test_high": 0.7,
            "validation_low": 0.4, "validation_high": 0.9, "epochs": 2, "best_epoch": 1,
        }  # fmt: skip
        trained = {"steps": 7, "lm_loss_first": 3.0, "lm_loss_last": 0.25}
        for phase, metrics in (
            (Phase.FEEDBACK, {"asked": 80, "failed": 3, "kept": 60, "filtered_out": 17, "questions_kept": 18}),
            (Phase.SELECT, {"examples": 18, "positives": 60, "negatives": 0}),
            (Phase.TRAIN, trained),
            (Phase.EVALUATE, evaluated),
        ):
            home.append(PhaseRecord(0, phase, 2.0, metrics))
        write_epochs(
            files.epoch_accuracies,
            [EpochAccuracy(1, 10, validation, 20, test), EpochAccuracy(2, 10, 1, 20, 19)],
        )
        example = Example("p", f"Is it {SCRIPT}? ###", (" first way --> yes", " second way --> yes"))
        write_table(files.examples, [example], Example)
        files.losses.write_text('{"step": 0, "lm": 3.0}\n{"step": 1, "lm": 2.0}\n')
    return directory


def test_a_report_shows_degrees_epochs_and_what_was_learnt(tmp_path: Path) -> None:
    page = write_cot_report(finished_run(tmp_path)).read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml") == 2
    assert "labels alone" in page and "degree 4" in page
    assert "80 asked for, 60 kept" in page
    assert "second way --&gt; yes" in page and SCRIPT not in page
    assert "95.0" in page  # test accuracy of an epoch that was not chosen is shown too
    assert "http://" not in page and "https://" not in page


def test_a_run_that_has_just_begun_has_a_report_too(tmp_path: Path) -> None:
    directory = CotDirectory(tmp_path / "run")
    directory.claim(parse_cot_recipe("name: young", "r.yaml"))
    assert "No degree is finished yet" in write_cot_report(directory).read_text(encoding="utf-8")


def test_the_table_and_the_graduate_go_by_validation(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    console = Console(record=True, width=140)
    console.print(degrees_table(directory.degrees()))
    text = console.export_text()
    assert "*4" in text and "*0" not in text and "1/2" in text
    graduate = graduate_of(student_directory(directory.path), None)
    assert graduate.checkpoint == directory.degree(4).round(0).student
    assert graduate.name == "two-degrees-degree-004"


def test_the_report_command_knows_such_a_run(tmp_path: Path) -> None:
    directory = finished_run(tmp_path)
    code, output = said("report", str(directory.path))
    assert code == 0 and "Degrees" in output and "Report:" in output
    assert directory.report.is_file()
