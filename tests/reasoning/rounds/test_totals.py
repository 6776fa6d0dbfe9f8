"""A run that is started again goes on from the totals that it had."""

from __future__ import annotations

from pathlib import Path

from reasoning.files.tables import write_table
from reasoning.records import Attempt, Verdict
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import Phase, PhaseRecord
from reasoning.rounds.totals import totals_of


def attempts(tokens: int) -> list[Attempt]:
    return [Attempt(f"p{n}", 0, 0, "so", True, tokens, "4", Verdict.CORRECT) for n in range(2)]


def test_tokens_of_student_and_teacher_are_those_of_the_finished_phases(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    assert totals_of([directory]) == {"teacher_tokens_total": 0, "student_tokens_total": 0}
    for number in (0, 1):
        directory.round(number).folder.mkdir(parents=True)
        write_table(directory.round(number).evaluation, attempts(10), Attempt)
    for epoch in (1, 2):
        directory.round(1).after(epoch).folder.mkdir(parents=True, exist_ok=True)
        write_table(directory.round(1).after(epoch).evaluation, attempts(10), Attempt)
    for round, phase, metrics in (
        (0, Phase.FEEDBACK, {"teacher_tokens_total": 700}),
        (0, Phase.EVALUATE, {"test_accuracy": 0.5}),
        (1, Phase.EXAM, {"student_tokens": 300}),
        (1, Phase.FEEDBACK, {"teacher_tokens_total": 900}),
        (1, Phase.EVALUATE, {"test_accuracy": 0.5, "epochs": 2, "best_epoch": 1}),
    ):
        directory.append(PhaseRecord(round, phase, 1.0, metrics))
    assert totals_of([directory]) == {"teacher_tokens_total": 900, "student_tokens_total": 20 + 300 + 40}
