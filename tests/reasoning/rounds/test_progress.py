"""The figures of a run: which of them a new phase resets."""

from __future__ import annotations

from reasoning.rounds.progress import Progress


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
