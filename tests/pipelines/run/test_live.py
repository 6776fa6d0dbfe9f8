"""What a person reads while a run works and when it is done."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipelines.run.live import LiveView, describe, redraws, summarise
from pipelines.run.phase_bars import PhaseBars
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


def test_what_could_not_be_graded_is_said() -> None:
    said = "2 could not be graded (a fault of Tailor's, told in its log) and count as wrong"
    assert said in describe(Snapshot(phase="exam", ungraded=2)) and "graded" not in describe(Snapshot(phase="exam"))
    told = {**EXAM.metrics, "ungraded": 1}
    assert summarise(PhaseRecord(1, Phase.EXAM, 20.0, told)).endswith("told in its log) and counts as wrong")
    assert "graded" not in summarise(EXAM)


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
        view.tell({"": [*ROUND_0, EXAM]})
    text = out.getvalue()
    assert text.count("round 0 · exam") == 1
    assert "\x1b" not in text
    assert "50.0 [40.0, 60.0]" in text
    assert "41 mistakes" in summarise(EXAM)


def test_what_others_say_is_shown_as_it_is() -> None:
    out, told = io.StringIO(), "GPU nodes (could not start gpu: no room in [us-west-2a], [/x])"
    with LiveView(Console(file=out, width=200)) as view:
        view.show(Snapshot(phase="exam", waiting=told))
    assert told in out.getvalue()


def test_an_exam_says_when_many_attempts_were_cut_off() -> None:
    told = [summarise(PhaseRecord(1, Phase.EXAM, 20.0, EXAM.metrics | {"truncated": count})) for count in (0, 19, 150)]
    assert "cut off" not in told[0] + told[1]
    assert "25.0 % of 200 attempts right, 150 cut off at student.max_new_tokens, 41 mistakes shown" in told[2]


def test_an_exam_with_the_ladder_says_what_help_its_questions_get() -> None:
    helped = {"help_own": 20, "help_rationalized": 7, "help_plain": 14, "help_tailored": 9, "help_none": 0}
    told = summarise(PhaseRecord(1, Phase.EXAM, 20.0, EXAM.metrics | helped))
    assert told.endswith(
        "help: 20 by own right attempts, 7 by own words to a shown answer, 14 by a plain rationale, "
        "9 by feedback on the mistake"
    )
    assert summarise(PhaseRecord(1, Phase.EXAM, 20.0, EXAM.metrics | {"help_own": 0})).endswith("help: none")
    asked = {"kept": 9, "filtered_out": 1, "failed": 0, "asked": 10, "own_rationales": 31}
    assert summarise(PhaseRecord(1, Phase.FEEDBACK, 2.0, asked)).endswith("0 failed, 31 of its own")
    select = PhaseRecord(0, Phase.SELECT, 0.1, {"examples": 9, "positives": 9, "negatives": 0, "reading": 8})
    assert summarise(select).endswith("0 mistakes, and 8 that teach to read a shown answer")


def test_each_thing_that_is_waited_for_gets_a_line_where_lines_are_printed() -> None:
    """The samplers of the next round and the trainer of this one may wait at once."""
    out, progress = io.StringIO(), Progress()
    with LiveView(Console(file=out, width=200)) as view:
        for who, what in [
            ("samplers", "nodes for 3 samplers (2 CPUs each)"),
            ("samplers", "nodes for 2 samplers (2 CPUs each)"),
            ("trainer", "nodes for 1 trainer (2 CPUs each)"),
            ("samplers", ""),
        ]:
            progress.wait(who, what)
            view.show(progress.snapshot)
    waits = [line.split("waiting for ")[1].split(", 0 s")[0] for line in out.getvalue().splitlines()]
    assert waits == [
        "nodes for 3 samplers (2 CPUs each)",
        "nodes for 2 samplers (2 CPUs each); nodes for 1 trainer (2 CPUs each)",
        "nodes for 1 trainer (2 CPUs each)",
    ]


def test_a_phase_is_told_once_and_nothing_of_it_after_its_end() -> None:
    """A look at a phase that has ended by the time its end is told would stand below that line."""
    out = io.StringIO()
    with LiveView(Console(file=out, width=200), {"": ROUND_0[:1]}) as view:
        view.show(Snapshot(phase="feedback", done=9, total=9))
        view.tell({"": ROUND_0[:3]})
        view.show(Snapshot(phase="train", done=60, total=60))
        view.tell({"": ROUND_0[:3]})
        view.show(Snapshot(phase="evaluate"))
    assert [line.split()[:3] for line in out.getvalue().splitlines()] == [
        ["✓", "round", "0"], ["✓", "round", "0"], ["round", "0", "·"],
    ]  # fmt: skip


def test_the_teachers_rate_is_shown_while_it_is_asked_and_nothing_is_counted_before_it_can_be() -> None:
    progress = Progress()
    progress.begin(0, "feedback", 100)
    progress.add(teacher_asked=100, teacher_answered=90)
    progress.show(teacher=TeacherFigures(open=3, per_second=7.5, cost=0.5, eta_s=4.0))
    assert "7.5/s, 4 s left" in describe(progress.snapshot)
    progress.begin(0, "train")
    assert progress.snapshot.teacher.eta_s is None and progress.snapshot.teacher.per_second == 0.0
    late = TeacherFigures(open=3, per_second=7.5, cost=0.5, eta_s=4.0)
    progress.show(teacher=late)
    told = describe(progress.snapshot)
    assert "left" not in told and "/s" not in told and "$0.5000" in told
    progress.begin(1, "exam")
    progress.wait("engine", "the student's engine to start")
    assert "0/" not in describe(progress.snapshot) and "waiting for the student's engine" in describe(progress.snapshot)
    progress.wait("engine", "")
    progress.show(total=210)
    assert "0/210 done" in describe(progress.snapshot)


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


@pytest.mark.parametrize("terminal", [False, True])
def test_a_phase_that_brings_nothing_new_for_long_is_said_to(terminal: bool) -> None:
    out, clock, progress = io.StringIO(), Clock(), Progress()
    with LiveView(Console(file=out, force_terminal=terminal, width=120), clock=clock) as view:

        def minutes(count: int) -> str:
            said = out.tell()
            for _ in range(2 * count):
                clock.now += 31
                view.show(progress.snapshot)
            return out.getvalue()[said:]

        progress.begin(1, "exam", 100)
        view.show(progress.snapshot)
        assert "nothing new" not in minutes(1)
        assert "nothing new for 3 min 6 s" in minutes(2)
        progress.add(done=1, graded=4)
        assert "nothing new" not in minutes(1)
        progress.wait("samplers", "nodes for 1 sampler")  # said already
        assert "nothing new" not in minutes(4)
        progress.wait("samplers", "")
        assert "nothing new for 4 min 39 s" in minutes(5)
        progress.add(student_tokens_total=9)  # of an exam beside a training that is done
        assert "nothing new" not in minutes(1)


@pytest.mark.parametrize("terminal", [False, True])
def test_exams_beside_a_training_are_told_in_words_and_its_steps_stay(terminal: bool) -> None:
    out, progress = io.StringIO(), Progress()
    progress.begin(0, "train", 0)
    progress.show(done=40, total=60, loss=0.5, beside="3 of 20 epochs examined, epoch 2 the best")
    with LiveView(Console(file=out, force_terminal=terminal, width=120)) as view:
        view.show(progress.snapshot)
        shown = out.getvalue()
    assert "3 of 20 epochs examined, epoch 2 the best" in shown and "loss 0.500" in shown
    assert ("40 of 60 steps" if terminal else "40/60 steps") in shown
    progress.begin(0, "evaluate", 100)
    assert progress.snapshot.beside == ""


# The bars -------------------------------------------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(bars: PhaseBars, snapshot: Snapshot, width: int = 110) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(bars.drawn(snapshot))
    return out.getvalue()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_an_exam_has_its_rate_and_its_time_left_and_the_teacher_a_bar_beside_it(clock: Clock) -> None:
    bars, progress = PhaseBars(Console(file=io.StringIO()), clock), Progress()
    for record in ROUND_0:
        bars.finished(record)
    progress.begin(1, "exam", 100)
    assert "prefix cache" not in shown(bars, progress.snapshot)
    progress.show(prefix_hits=0.935)
    assert "prefix cache 94 %" in shown(bars, progress.snapshot)
    for _ in range(3):
        clock.now += 10
        progress.add(done=20, graded=80, correct=40, mistakes=5, teacher_asked=5, teacher_answered=4)
        told = shown(bars, progress.snapshot)
    lines = {line.split()[0]: line for line in told.splitlines() if line.strip()}
    assert "60 of 100 questions" in lines["exam"] and "2/s, 0:00:20 left" in lines["exam"]
    assert "12 of 15 answers" in lines["feedback"]
    assert list(lines)[1:6] == ["exam", "feedback", "select", "train", "evaluate"]
    assert "50 % of 240 attempts right" in told and "test accuracy so far 50.0 %" in told and "15 mistakes" in told
    assert "of" not in lines["train"]


def test_a_finished_phase_keeps_its_bar_with_its_seconds_and_round_0_has_no_exam(clock: Clock) -> None:
    bars = PhaseBars(Console(file=io.StringIO()), clock)
    bars.finished(ROUND_0[0])
    told = shown(bars, Snapshot(round=0, phase="select"))
    assert "4 s" in told and "exam" not in told and told.count("feedback") == 1
    bars.finished(EXAM)
    assert "20 s" in shown(bars, Snapshot(round=1, phase="feedback", total=7, done=3))


def test_money_stands_against_the_cap(clock: Clock) -> None:
    bars = PhaseBars(Console(file=io.StringIO()), clock)
    figures = TeacherFigures(cost=0.4321, reserved=0.05, max_cost=5.0, open_circuits=("https://api.example/v1: quota",))
    told = shown(bars, Snapshot(round=1, phase="feedback", teacher=figures, teacher_failed=(("content_filter", 2),)))
    assert "$0.4321 + $0.0500 reserved of $5" in told and "paused endpoints: https://api.example/v1: quota" in told
    assert "failed: 2 content filter" in told
    assert "money" not in shown(bars, Snapshot(round=1, phase="feedback"))


@pytest.mark.parametrize("phase", ["starting", "collect", "exam"])
@pytest.mark.parametrize("label", ["", "degree 4"])
@pytest.mark.parametrize("width", [20, 80])
def test_any_snapshot_can_be_drawn_at_any_width(phase: str, label: str, width: int, clock: Clock) -> None:
    bars = PhaseBars(Console(file=io.StringIO()), clock)
    for snapshot in (
        Snapshot(label=label, phase=phase),
        Snapshot(label=label, phase="train", done=3, total=9, loss=0.125, tokens_per_s=1e4),
        Snapshot(label=label, round=3, phase="evaluate", done=9, total=9, waiting="a [GPU] node", waiting_since=1.0),
    ):
        told = shown(bars, snapshot, width)
        assert max(map(len, told.splitlines())) <= width
    assert "[GPU]" in told


def test_a_terminal_is_redrawn_and_a_file_is_not() -> None:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=100)
    with LiveView(terminal, {"": ROUND_0[3:]}) as view:
        view.show(Snapshot(round=1, phase="exam", done=1, total=2))
        select = PhaseRecord(1, Phase.SELECT, 1.0, {"examples": 1, "positives": 1, "negatives": 0})
        view.tell({"": [ROUND_0[3], select]})
    assert "1 of 2 questions" in out.getvalue() and "1 examples" in out.getvalue() and "\x1b[" in out.getvalue()
    assert redraws(terminal) and not redraws(Console(file=io.StringIO()))
    assert not redraws(Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}))
    assert not redraws(Console(file=io.StringIO(), force_jupyter=True))  # without ipywidgets, lines
