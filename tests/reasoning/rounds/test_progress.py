"""The figures of a run: which of them a new phase resets, and which a new start goes on from."""

from __future__ import annotations

from pathlib import Path

from reasoning.files.tables import write_table
from reasoning.records import Attempt, Verdict
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import Phase, PhaseRecord
from reasoning.rounds.progress import Progress, Snapshot, TeacherFigures, teacher_seconds_left, totals_of


def test_counts_restart_with_a_phase_while_a_round_s_and_a_run_s_totals_stay() -> None:
    progress = Progress()
    progress.begin(1, "exam", 10)
    progress.add(done=4, graded=4, mistakes=3, teacher_asked=3, teacher_tokens_total=70)
    progress.begin(1, "feedback", 3)
    now = progress.snapshot
    assert (now.phase, now.total, now.done, now.graded) == ("feedback", 3, 0, 0)
    assert (now.mistakes, now.teacher_asked, now.teacher_tokens_total) == (3, 3, 70)
    progress.begin(2, "exam", 10)
    now = progress.snapshot
    assert (now.mistakes, now.teacher_asked, now.teacher_tokens_total) == (0, 0, 70)


def test_failures_are_counted_by_kind_and_forgotten_with_the_round() -> None:
    progress = Progress()
    progress.begin(1, "feedback", 3)
    for kind in ("timeout", "server", "timeout"):
        progress.fail(kind)
    assert progress.snapshot.teacher_failed == (("server", 1), ("timeout", 2))
    progress.show(loss=0.5, label="degree 4")
    progress.begin(2, "exam", 1)
    now = progress.snapshot
    assert (now.teacher_failed, now.loss, now.label) == ((), None, "degree 4")


def test_when_the_teacher_will_have_answered() -> None:
    """At the rate of the phase so far, or of the teacher's queue where that takes longer."""
    slow = TeacherFigures(eta_s=90.0)
    for snapshot, left in (
        (Snapshot(phase="starting", phase_started=100.0), None),
        (Snapshot(phase="exam", done=0, total=10, phase_started=100.0), None),
        (Snapshot(phase="exam", done=2, total=10, phase_started=100.0), 40.0),
        (Snapshot(phase="exam", done=2, total=10, phase_started=100.0, teacher=slow), 90.0),
        (Snapshot(phase="feedback", done=10, total=10, phase_started=100.0), 0.0),
        (Snapshot(phase="train", done=1, total=10, phase_started=100.0), 0.0),
    ):
        assert teacher_seconds_left(snapshot, 110.0) == left, snapshot


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
