"""A round in a terminal or a notebook: its phases as bars, accuracy so far, money against the cap.

Owns: what is drawn in place. Speeds and times left are `rich.progress`'s, over the last minute.

Invariant: what is drawn is made of snapshots and finished phases alone; nothing is asked of the run for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reasoning.rounds.phase_order import Phase, PhaseRecord, phases_of
from reasoning.rounds.progress import Snapshot

_SPEED_OVER_S = 60.0
_ORDER: list[str] = list(Phase)
_UNITS = {Phase.EXAM: "questions", Phase.FEEDBACK: "answers", Phase.TRAIN: "steps", Phase.EVALUATE: "questions"}


class PhaseBars:
    """Draws the round that is worked on. `clock` is for tests."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}", justify="right"),
            _Pace(),
            console=console,
            auto_refresh=False,
            speed_estimate_period=_SPEED_OVER_S,
            get_time=clock,
        )
        self._tasks: dict[str, TaskID] = {}
        self._round: tuple[str, int] | None = None
        self._seconds: dict[tuple[str, int, str], float] = {}
        self._accuracies: dict[str, float] = {}

    def finished(self, record: PhaseRecord, label: str = "") -> None:
        """A phase has finished, now or before the view was opened."""
        self._seconds[label, record.round, record.phase] = record.seconds
        if record.phase is Phase.EVALUATE:
            self._accuracies[label or f"round {record.round}"] = float(record.metrics["test_accuracy"])

    def drawn(self, snapshot: Snapshot, still: str = "") -> RenderableType:
        """The picture of this moment; `still` says for how long it has been the same, where that is long."""
        self._follow(snapshot)
        parts: list[RenderableType] = [Text(_headline(snapshot, self._accuracies), style="bold", overflow="fold")]
        if snapshot.waiting:
            since = timedelta(seconds=round(time.time() - snapshot.waiting_since))
            parts.append(Text(f"waiting for {snapshot.waiting} ({since})", style="yellow"))
        if still:
            parts.append(Text(still, style="yellow"))
        if self._tasks:
            parts.append(self._progress.make_tasks_table(self._progress.tasks))
        if snapshot.beside:
            parts.append(Text(snapshot.beside, overflow="fold"))
        return Group(*parts, *_money(snapshot), Text(_foot(snapshot), style="dim", overflow="fold"))

    def _follow(self, snapshot: Snapshot) -> None:
        """Brings the bars to where the snapshot is."""
        if (snapshot.label, snapshot.round) != self._round:
            self._round = snapshot.label, snapshot.round
            for task in self._tasks.values():
                self._progress.remove_task(task)
            self._tasks = {}
        if snapshot.phase not in _ORDER:
            return
        if not self._tasks:
            self._tasks = {
                phase: self._progress.add_task(phase.value, total=1, count="") for phase in phases_of(snapshot.round)
            }
        for phase, task in self._tasks.items():
            self._place(snapshot, Phase(phase), task)

    def _place(self, snapshot: Snapshot, phase: Phase, task: TaskID) -> None:
        seconds = self._seconds.get((snapshot.label, snapshot.round, phase))
        if seconds is not None:
            self._progress.update(task, total=1, completed=1, count=f"{seconds:,.0f} s")
            return
        done, total = 0, 0
        if phase == snapshot.phase:
            done, total = snapshot.done, snapshot.total
        elif phase is Phase.FEEDBACK and snapshot.teacher_asked:  # while the exam goes on
            done, total = snapshot.teacher_answered, snapshot.teacher_asked
        elif _ORDER.index(phase) > _ORDER.index(snapshot.phase):
            return
        unit = f" {_UNITS[phase]}" if phase in _UNITS else ""
        count = f"{done:,} of {total:,}{unit}" if total else ""
        self._progress.update(task, total=total or None, completed=done, count=count)


class _Pace(ProgressColumn):
    """How many a second, and how long it will take at that."""

    max_refresh = None

    def render(self, task: Task) -> Text:
        if task.finished or task.speed is None or not task.total:
            return Text("")
        left = f", {timedelta(seconds=round(task.time_remaining))} left" if task.time_remaining else ""
        return Text(f"{task.speed:,.3g}/s{left}", style="cyan")


def _headline(snapshot: Snapshot, accuracies: dict[str, float]) -> str:
    parts = [snapshot.label or f"round {snapshot.round}"]
    if snapshot.phase not in _ORDER:
        parts.append(snapshot.phase)
    if snapshot.graded:
        parts.append(f"{100 * snapshot.correct / snapshot.graded:.0f} % of {snapshot.graded:,} attempts right")
    if snapshot.loss is not None:
        speed = f" at {snapshot.tokens_per_s:,.0f} tokens/s" if snapshot.tokens_per_s else ""
        parts.append(f"loss {snapshot.loss:.3f}{speed}")
    if accuracies:
        so_far = " → ".join(f"{100 * accuracy:.1f}" for accuracy in list(accuracies.values())[-6:])
        parts.append(f"test accuracy so far {so_far} %")
    return " · ".join(parts)


def _money(snapshot: Snapshot) -> list[RenderableType]:
    """What is spent and reserved, as a bar where there is a cap."""
    figures = snapshot.teacher
    if not figures.cost and not figures.reserved and figures.max_cost is None:
        return []
    reserved = f" + ${figures.reserved:,.4f} reserved" if figures.reserved else ""
    cap = f" of ${figures.max_cost:,g}" if figures.max_cost is not None else ""
    row = Table.grid(padding=(0, 1))
    said = Text(f"${figures.cost:,.4f}{reserved}{cap}")
    if figures.max_cost:
        row.add_row(
            "money   ", ProgressBar(figures.max_cost, min(figures.cost + figures.reserved, figures.max_cost), 24), said
        )
    else:
        row.add_row("money   ", said)
    return [row]


def failures_by_kind(snapshot: Snapshot) -> str:
    """The requests that the teacher failed in this phase, by kind: `3 rate limited, 1 timeout`."""
    return ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in snapshot.teacher_failed)


def could_not_grade(count: int) -> str:
    """What is said of texts that a grader raised on."""
    counts = "counts" if count == 1 else "count"
    return f"{count:,} could not be graded (a fault of Tailor's, told in its log) and {counts} as wrong"


def tokens_in_all(snapshot: Snapshot) -> str:
    """The tokens of the whole run, the student's and the teacher's."""
    return f"{snapshot.student_tokens_total:,} student + {snapshot.teacher_tokens_total:,} teacher tokens"


def _foot(snapshot: Snapshot) -> str:
    parts = [tokens_in_all(snapshot)]
    if snapshot.prefix_hits is not None and snapshot.phase in (Phase.EXAM, Phase.EVALUATE):
        parts.append(f"prefix cache {100 * snapshot.prefix_hits:.0f} %")
    if snapshot.mistakes:
        parts.insert(0, f"{snapshot.mistakes:,} mistakes")
    if snapshot.ungraded:
        parts.append(could_not_grade(snapshot.ungraded))
    if snapshot.teacher_failed:
        parts.append(f"failed: {failures_by_kind(snapshot)}")
    if snapshot.teacher.open_circuits:
        parts.append(f"paused endpoints: {', '.join(snapshot.teacher.open_circuits)}")
    return " · ".join(parts)
