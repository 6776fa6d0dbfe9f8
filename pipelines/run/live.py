"""The view of a run in progress: bars that are redrawn in place, and one permanent line per finished phase.

Owns: where the view is shown, and the words of its lines; the bars are `pipelines.run.phase_bars`. Invariant: on a
terminal, and in a notebook that can, the view is redrawn in place; elsewhere each change of phase and of what is waited
for, and a sign of life every half minute, is one plain line.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from types import TracebackType

from rich.console import Console
from rich.live import Live

from pipelines.run.phase_bars import PhaseBars, could_not_grade, failures_by_kind, tokens_in_all
from reasoning.rounds.ladder.policy import HELPED, Rung
from reasoning.rounds.phase_order import Metrics, Phase, PhaseRecord
from reasoning.rounds.progress import Snapshot, TeacherFigures

SIGN_OF_LIFE_S = 30.0
STILL_S = 120.0  # without any news of a phase, before it is said
MANY_CUT_OFF = 0.1  # of an exam's attempts, from which on it is said
_NUMBER = re.compile(r"\d+")
ASKING = (Phase.EXAM, Phase.FEEDBACK)  # the phases in which the teacher is asked


class LiveView:
    """Shows snapshots as they come. Use as a context manager."""

    def __init__(
        self,
        console: Console,
        before: Mapping[str, Sequence[PhaseRecord]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`before`: the phases that had finished earlier, under what each is called ("" for rounds, which name
        themselves). `clock` is for tests."""
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if redraws(console) else None
        self._bars, self._clock = PhaseBars(console, clock), clock
        self._still = _Still()
        self._last: tuple[int | str, str, str] | None = None
        self._last_line = 0.0
        self._told: dict[str, int] = {}
        self._ended: set[tuple[str, int, str]] = set()
        for label, records in (before or {}).items():
            for record in records:
                self._end(record, label)
            self._told[label] = len(records)

    def __enter__(self) -> LiveView:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Draws `snapshot` now (terminal), or prints it when something changed worth a line (log). One of a phase whose
        end has been told is late, and not shown."""
        if (snapshot.label, snapshot.round, snapshot.phase) in self._ended:
            return
        now = self._clock()
        still = self._still.told(snapshot, now)
        if self._live:
            self._live.update(self._bars.drawn(snapshot, still), refresh=True)
            return
        waiting = _NUMBER.sub("", snapshot.waiting)  # one machine more that came is not worth a line
        key = (snapshot.label or snapshot.round, snapshot.phase, waiting)
        if key != self._last or now - self._last_line >= SIGN_OF_LIFE_S:
            self._last, self._last_line = key, now
            self._console.print(describe(snapshot, still), highlight=False, soft_wrap=True, markup=False)

    def tell(self, finished: Mapping[str, Sequence[PhaseRecord]]) -> None:
        """One lasting line for each finished phase that has none yet."""
        for label, records in finished.items():
            for record in records[self._told.get(label, 0) :]:
                self._end(record, label)
                self._console.print(f"  [green]✓[/green] {summarise(record, label)}", highlight=False, soft_wrap=True)
            self._told[label] = len(records)

    def _end(self, record: PhaseRecord, label: str) -> None:
        self._bars.finished(record, label)
        self._ended.add((label, record.round, str(record.phase)))


def redraws(console: Console) -> bool:
    """Whether what was printed there can be replaced: on a terminal that can, or in a notebook with `ipywidgets`."""
    if console.is_jupyter:
        return find_spec("ipywidgets") is not None
    return console.is_terminal and not console.is_dumb_terminal


class _Still:
    """For how long a phase has brought nothing new."""

    def __init__(self) -> None:
        self._seen: tuple[object, ...] = ()
        self._since = 0.0

    def told(self, snapshot: Snapshot, now: float) -> str:
        """In words, when it is long; "" otherwise, and where it is said what is waited for."""
        phase = snapshot.label, snapshot.round, snapshot.phase, snapshot.waiting
        seen = snapshot.done, snapshot.graded, snapshot.teacher_answered, snapshot.teacher_failed, snapshot.loss
        news = *seen, snapshot.student_tokens_total
        if (phase, news) != self._seen:
            self._seen, self._since = (phase, news), now
        still = now - self._since
        return f"nothing new for {_duration(still)}" if still >= STILL_S and not snapshot.waiting else ""


def describe(snapshot: Snapshot, still: str = "") -> str:
    """One line: round, phase, for how long it stands still, questions done, mistakes, teacher calls, tokens, loss."""
    parts = [f"{snapshot.label or f'round {snapshot.round}'} · {snapshot.phase}", *([still] if still else ())]
    if snapshot.waiting:
        parts.append(f"waiting for {snapshot.waiting}, {_duration(time.time() - snapshot.waiting_since)}")
    if snapshot.total:
        unit = "steps" if snapshot.phase == "train" else "done"
        parts.append(f"{snapshot.done}/{snapshot.total} {unit}")
    if snapshot.graded:
        parts.append(f"{100 * snapshot.correct / snapshot.graded:.0f} % right")
    if snapshot.mistakes:
        parts.append(f"{snapshot.mistakes} mistakes")
    if snapshot.ungraded:
        parts.append(could_not_grade(snapshot.ungraded))
    if snapshot.teacher_asked:
        parts.append(f"teacher {snapshot.teacher_answered}/{snapshot.teacher_asked}{_failed(snapshot)}")
        parts += _teacher(snapshot.teacher, asks=snapshot.phase in ASKING)
    if snapshot.loss is not None:
        speed = f" at {snapshot.tokens_per_s:,.0f} tokens/s" if snapshot.tokens_per_s else ""
        parts.append(f"loss {snapshot.loss:.3f}{speed}")
    if snapshot.beside:
        parts.append(snapshot.beside)
    return " · ".join([*parts, tokens_in_all(snapshot)])


def _failed(snapshot: Snapshot) -> str:
    if not snapshot.teacher_failed:
        return ""
    return f", {sum(count for _, count in snapshot.teacher_failed)} failed ({failures_by_kind(snapshot)})"


def _teacher(figures: TeacherFigures, *, asks: bool) -> list[str]:
    """Rate against the permitted rate and time left, while the phase `asks`; money, paused endpoints: what there is to
    say."""
    parts = []
    if asks and figures.open and figures.per_second:
        of = f" of {figures.permitted_per_second:.3g}" if figures.permitted_per_second else ""
        parts.append(
            f"{figures.per_second:.3g}{of}/s" + (f", {_duration(figures.eta_s)} left" if figures.eta_s else "")
        )
    if figures.cost or figures.max_cost is not None:
        cap = f" of ${figures.max_cost:g}" if figures.max_cost is not None else ""
        reserved = f" + ${figures.reserved:.4f} reserved" if figures.reserved else ""
        parts.append(f"${figures.cost:.4f}{reserved}{cap}")
    if figures.open_circuits:
        parts.append(f"paused endpoints: {', '.join(figures.open_circuits)}")
    return parts


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def summarise(record: PhaseRecord, label: str = "") -> str:
    """One finished phase in a line, which begins with `label` or the round."""
    ungraded = int(record.metrics.get("ungraded", 0))
    return _summary(record, label) + (f", {could_not_grade(ungraded)}" if ungraded else "")


def _summary(record: PhaseRecord, label: str) -> str:
    metrics, head = record.metrics, f"{label or f'round {record.round}'} {record.phase:<8} {record.seconds:6.1f} s  "
    match record.phase:
        case "exam":
            return head + (
                f"{metrics['questions']} questions, {100 * float(metrics['exam_accuracy']):.1f} % of "
                f"{metrics['attempts']} attempts right{_cut_off(metrics)}, {_helped(metrics)}"
            )
        case "feedback":
            return head + (
                f"{metrics['kept']} rationales kept, {metrics['filtered_out']} filtered out, {metrics['failed']} failed"
                f"{f', {own} of its own' if (own := metrics.get('own_rationales')) else ''}"
            )
        case "select":
            return head + (
                f"{metrics['examples']} examples: {metrics['positives']} rationales, {metrics['negatives']} mistakes"
                f"{f', and {more} that teach to read a shown answer' if (more := metrics.get('reading')) else ''}"
            )
        case "train":
            return head + (
                f"{metrics['steps']} steps, loss {float(metrics['lm_loss_first']):.3f} → "
                f"{float(metrics['lm_loss_last']):.3f}"
            )
        case _:
            return head + f"test accuracy {_accuracy(record, 'test')}, validation {_accuracy(record, 'validation')}"


def _cut_off(metrics: Metrics) -> str:
    """How many attempts came to no end within the student's longest answer, where that is more than a few."""
    count, attempts = int(metrics.get("truncated", 0)), int(metrics["attempts"])
    return f", {count} cut off at student.max_new_tokens" if count and count >= MANY_CUT_OFF * attempts else ""


def _helped(metrics: Metrics) -> str:
    """What help the questions of an exam get: the ladder's for each, or feedback on the mistakes that are shown."""
    if f"help_{Rung.OWN}" not in metrics:
        return f"{metrics['mistakes']} mistakes shown to the teacher"
    counts = [(metrics.get(f"help_{rung}", 0), HELPED[rung]) for rung in Rung]
    return "help: " + (", ".join(f"{count} {how}" for count, how in counts if count) or "none")


def _accuracy(record: PhaseRecord, split: str) -> str:
    metrics = record.metrics
    low, high = 100 * float(metrics[f"{split}_low"]), 100 * float(metrics[f"{split}_high"])
    return f"{100 * float(metrics[f'{split}_accuracy']):.1f} [{low:.1f}, {high:.1f}]"
