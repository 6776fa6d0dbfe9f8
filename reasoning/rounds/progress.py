"""What a run is doing now: figures that the coordinator writes and the driver reads.

Owns: the numbers shown while a run works. They are a view: nothing is decided from them and losing them loses nothing.

Invariant: what a run that is started again does again, or reads again from the journal, is counted when it is, and is
not in the totals that it goes on from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from reasoning.files.tables import read_table
from reasoning.records import Attempt
from reasoning.rounds.directory import RoundFiles, RunDirectory
from reasoning.rounds.phase_order import Phase, PhaseRecord


@dataclass(frozen=True, slots=True)
class TeacherFigures:
    """How asking the teacher goes: requests without an outcome yet, answers a second against what its limits permit
    (None: not known), dollars spent, reserved for what has not ended, and the most that may be spent, endpoints that
    are paused, and the seconds that the open requests will take at this rate."""

    open: int = 0
    per_second: float = 0.0
    permitted_per_second: float | None = None
    cost: float = 0.0
    reserved: float = 0.0
    max_cost: float | None = None
    open_circuits: tuple[str, ...] = ()
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at a run. Counts are of the current phase, except those named total; `loss` is None outside training.
    `label` says what is worked on where that is no round."""

    label: str = ""
    round: int = 0
    phase: str = "starting"
    done: int = 0
    total: int = 0
    mistakes: int = 0
    correct: int = 0
    graded: int = 0
    ungraded: int = 0  # texts that a grader raised on
    teacher_asked: int = 0
    teacher_answered: int = 0
    teacher_failed: tuple[tuple[str, int], ...] = ()  # by kind
    teacher_tokens_total: int = 0
    student_tokens_total: int = 0
    teacher: TeacherFigures = TeacherFigures()
    prefix_hits: float | None = None  # share of prompts' tokens that the samplers' caches had
    loss: float | None = None
    tokens_per_s: float | None = None
    beside: str = ""  # what else is done while the phase goes on, in words
    waiting: str = ""  # for which machines, in words
    waiting_since: float = 0.0
    phase_started: float = field(default_factory=time.time)


class Progress:
    """The coordinator's side: named updates to one `Snapshot`. `ended` is given the last snapshot of each phase."""

    def __init__(self, ended: Callable[[Snapshot], None] = lambda _: None) -> None:
        first = Snapshot()
        self._values: dict[str, Any] = {item.name: getattr(first, item.name) for item in fields(first)}
        self._snapshot: Snapshot | None = first  # None: to be made of the values, when it is looked at
        self._ended = ended
        self._waits: dict[str, str] = {}

    @property
    def snapshot(self) -> Snapshot:
        """How things stand."""
        if self._snapshot is None:
            self._snapshot = Snapshot(**self._values)
        return self._snapshot

    def begin(self, round: int, phase: str, total: int = 0) -> None:
        """A new phase starts: its counts begin at zero; totals of the run stay. `total` 0: how much there is to do is
        said (`show`) when it can begin, as when an engine is to start first."""
        old = self.snapshot
        self._ended(old)
        new = Snapshot(
            label=old.label,
            round=round,
            phase=phase,
            total=total,
            mistakes=old.mistakes if old.round == round else 0,
            teacher_asked=old.teacher_asked if old.round == round else 0,
            teacher_answered=old.teacher_answered if old.round == round else 0,
            teacher_failed=old.teacher_failed if old.round == round else (),
            teacher_tokens_total=old.teacher_tokens_total,
            student_tokens_total=old.student_tokens_total,
            teacher=replace(old.teacher, per_second=0.0, eta_s=None),  # of what was asked before
            waiting=old.waiting,
            waiting_since=old.waiting_since,
        )
        self.show(**{item.name: getattr(new, item.name) for item in fields(new)})

    def add(self, **counts: int) -> None:
        """Adds to counters of the snapshot, by name."""
        values = self._values
        for name, more in counts.items():
            values[name] += more
        self._snapshot = None

    def show(self, **values: Any) -> None:
        """Sets fields of the snapshot, by name."""
        self._values.update(values)
        self._snapshot = None

    def wait(self, who: str, what: str) -> None:
        """Says what `who` (samplers, the trainer) waits for; "" when it no longer does."""
        self._waits[who] = what
        waiting = "; ".join(text for text in self._waits.values() if text)
        since = self.snapshot.waiting_since if self.snapshot.waiting else time.time()
        self.show(waiting=waiting, waiting_since=since)

    def fail(self, kind: str) -> None:
        """Counts a request of the teacher that has failed."""
        failed = dict(self.snapshot.teacher_failed)
        failed[kind] = failed.get(kind, 0) + 1
        self.show(teacher_failed=tuple(sorted(failed.items())))


def teacher_seconds_left(snapshot: Snapshot, now: float) -> float | None:
    """How long until the teacher has answered what the round asks, at the rate so far; None while nobody knows, 0 when
    it has. `now` is in seconds since 1970."""
    if snapshot.phase in (Phase.SELECT, Phase.TRAIN, Phase.EVALUATE):
        return 0.0
    if not snapshot.done or not snapshot.total:
        return None
    left = (now - snapshot.phase_started) * (snapshot.total - snapshot.done) / snapshot.done
    return max(left, snapshot.teacher.eta_s or 0.0)


def totals_of(directories: Iterable[RunDirectory]) -> dict[str, int]:
    """What a run had counted before it was started again: totals of a `Snapshot`, by name, over the finished phases in
    `directories`."""
    teacher = student = 0
    for directory in directories:
        records = directory.finished()
        teacher += max((_number(record, "teacher_tokens_total") for record in records), default=0)
        student += sum(_student_tokens(directory.round(record.round), record) for record in records)
    return {"teacher_tokens_total": teacher, "student_tokens_total": student}


def _student_tokens(files: RoundFiles, record: PhaseRecord) -> int:
    if record.phase is Phase.EXAM:
        return _number(record, "student_tokens")
    if record.phase is not Phase.EVALUATE:
        return 0
    epochs = _number(record, "epochs")
    tables = [files.after(epoch).evaluation for epoch in range(1, epochs + 1)] or [files.evaluation]
    return sum(_tokens(read_table(table, Attempt)) for table in tables if table.exists())


def _tokens(attempts: Sequence[Attempt]) -> int:
    return sum(attempt.tokens for attempt in attempts)


def _number(record: PhaseRecord, name: str) -> int:
    return int(record.metrics.get(name, 0))
