"""A finished run of Fine-tune-CoT, as its directory would be without its students' weights."""

from __future__ import annotations

from pathlib import Path

from reasoning.files.tables import write_table
from reasoning.fine_tune_cot.directory import CotDirectory
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.records import Example
from reasoning.rounds.epochs import EpochAccuracy, write_epochs
from reasoning.rounds.phase_order import Phase, PhaseRecord

SCRIPT = "<script>alert(1)</script>"


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
