"""What a person reads while a run works and when it is done."""

from __future__ import annotations

import io

from rich.console import Console

from pipelines.run.live import LiveView, describe, summarise
from reasoning.rounds.phase_order import Phase, PhaseRecord
from reasoning.rounds.progress import Progress, Snapshot, TeacherFigures

ROUND_0 = [
    PhaseRecord(0, Phase.FEEDBACK, 4.0, {"kept": 90, "filtered_out": 8, "failed": 2, "asked": 100}),
    PhaseRecord(0, Phase.SELECT, 0.1, {"examples": 90, "positives": 90, "negatives": 0}),
    PhaseRecord(0, Phase.TRAIN, 30.0, {"steps": 60, "lm_loss_first": 2.0, "lm_loss_last": 0.5}),
    PhaseRecord(
        0,
        Phase.EVALUATE,
        6.0,
        {
            f"{split}_{name}": value
            for split in ("test", "validation")
            for name, value in (("accuracy", 0.5), ("low", 0.4), ("high", 0.6), ("questions", 100))
        },
    ),
]
EXAM = PhaseRecord(
    1, Phase.EXAM, 20.0, {"questions": 50, "attempts": 200, "exam_accuracy": 0.25, "mistakes": 41, "correct": 50}
)


def test_the_live_line_tells_phase_questions_mistakes_teacher_tokens_and_loss() -> None:
    progress = Progress()
    progress.begin(2, "exam", 300)
    progress.add(done=120, graded=480, correct=240, mistakes=80, teacher_asked=80, teacher_answered=64)
    progress.add(student_tokens_total=12_345, teacher_tokens_total=6_789)
    line = describe(progress.snapshot)
    for part in ("round 2", "exam", "120/300", "50 % right", "80 mistakes", "teacher 64/80", "12,345", "6,789"):
        assert part in line
    assert "loss 0.125" in describe(Snapshot(phase="train", done=3, total=9, loss=0.125))


def test_the_live_line_tells_how_asking_the_teacher_goes() -> None:
    progress = Progress()
    progress.begin(1, "feedback", 100)
    progress.add(teacher_asked=90, teacher_answered=50)
    for kind in ("server", "content_filter", "content_filter"):
        progress.fail(kind)
    progress.show(
        teacher=TeacherFigures(
            open=37,
            per_second=7.5,
            permitted_per_second=8.333,
            cost=0.4321,
            reserved=0.05,
            max_cost=5.0,
            open_circuits=("https://api.example/v1: quota",),
            eta_s=125.0,
        )
    )
    line = describe(progress.snapshot)
    assert "teacher 50/90, 3 failed (2 content filter, 1 server)" in line
    assert "7.5 of 8.33/s, 2 min 5 s left" in line and "$0.4321 + $0.0500 reserved of $5" in line
    assert "paused endpoints: https://api.example/v1: quota" in line
    progress.begin(2, "exam", 100)
    assert "failed" not in describe(progress.snapshot)
    progress.add(teacher_asked=1)
    progress.fail("timeout")
    assert "1 failed (1 timeout)" in describe(progress.snapshot)  # of this round


def test_counts_start_anew_with_a_phase_and_totals_stay() -> None:
    progress = Progress()
    progress.begin(1, "exam", 10)
    progress.add(done=10, mistakes=7, teacher_asked=7, teacher_tokens_total=70)
    progress.begin(1, "feedback", 7)
    assert (progress.snapshot.done, progress.snapshot.mistakes, progress.snapshot.teacher_asked) == (0, 7, 7)
    progress.begin(2, "exam", 10)
    assert (progress.snapshot.mistakes, progress.snapshot.teacher_tokens_total) == (0, 70)


def test_every_phase_has_its_line_and_a_log_holds_no_control_characters() -> None:
    out = io.StringIO()
    with LiveView(Console(file=out, width=200)) as view:
        view.show(Snapshot(phase="exam", done=1, total=2))
        view.show(Snapshot(phase="exam", done=2, total=2))  # no new line within the same phase at once
        for record in [*ROUND_0, EXAM]:
            view.finished(record)
    text = out.getvalue()
    assert text.count("round 0 · exam") == 1
    assert "\x1b" not in text
    assert "50.0 [40.0, 60.0]" in text
    assert "41 mistakes" in summarise(EXAM)


def test_what_a_run_waits_for_is_shown_with_its_time() -> None:
    progress = Progress()
    progress.begin(1, "exam", 10)
    progress.wait("samplers", "GPU nodes for 1 sampler (1 GPU each)")
    since = progress.snapshot.waiting_since
    progress.wait("trainer", "nodes for 1 trainer (1 CPU each)")
    assert progress.snapshot.waiting_since == since  # the wait goes on
    progress.show(waiting_since=since - 40)
    told = describe(progress.snapshot)
    assert "waiting for GPU nodes for 1 sampler (1 GPU each); nodes for 1 trainer (1 CPU each), 40 s" in told
    progress.wait("samplers", "")
    progress.wait("trainer", "")
    assert "waiting" not in describe(progress.snapshot)
