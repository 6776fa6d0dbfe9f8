"""What a run is doing, as metrics: the coordinator's snapshots, once a second and at the end of each phase.

Owns: which figure of a snapshot is which metric, and the counters made of counts that begin anew with each phase.

Invariants
- Nothing is counted twice or left out: a phase's last snapshot is looked at before the next phase begins.
- Of all phases, one is 1 while the run works, and none when it has ended.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.watching import table
from actors.watching.meters import Meters
from reasoning.rounds.phase_order import Phase
from reasoning.rounds.progress import Snapshot, TeacherFigures
from reasoning.training.report import LossPoint

_STARTING = "starting"
PHASES = (_STARTING, *(str(phase) for phase in Phase))


@dataclass(frozen=True, slots=True)
class SamplerLook:
    """One sampler: the version of the weights it was proven to hold ("": none), its requests, how often it was brought
    back, how long it took to hold these weights (None: it does not), and the share of prompts' tokens that its prefix
    cache had (None: not known)."""

    version: str
    requests: int
    revivals: int
    sync_s: float | None
    prefix_hits: float | None = None


@dataclass(frozen=True, slots=True)
class LimiterLook:
    """One limiter: calls that wait in it, leases that are held, and the seconds it has worked since its start."""

    waiting: int
    in_flight: int
    busy_s: float


class RunMetrics:
    """The metrics of the run called `run`."""

    def __init__(self, run: str, meters: Meters | None = None) -> None:
        self._meters = meters or Meters(run=run)
        self._last = Snapshot()
        self._busy: dict[str, tuple[float, float]] = {}  # when each limiter was looked at, and its seconds then

    def resumed(self, snapshot: Snapshot) -> None:
        """The totals of `snapshot` were counted before this start, by whoever did that work."""
        self._last = snapshot

    def look(self, snapshot: Snapshot) -> None:
        """Takes one snapshot of the run."""
        last, meters, round = self._last, self._meters, str(snapshot.round)
        same_phase = (last.round, last.phase, last.phase_started) == (
            *(snapshot.round, snapshot.phase, snapshot.phase_started),
        )
        before = last if same_phase else Snapshot()
        done, graded = snapshot.done - before.done, snapshot.graded - before.graded
        right = snapshot.correct - before.correct
        if snapshot.phase == Phase.EXAM:
            meters.add(table.EXAM_QUESTIONS, done, round=round)
            meters.add(table.EXAM_ATTEMPTS, right, round=round, verdict="right")
            meters.add(table.EXAM_ATTEMPTS, graded - right, round=round, verdict="wrong")
        elif snapshot.phase == Phase.EVALUATE:
            meters.add(table.EVALUATED, done, round=round)
        elif snapshot.phase == Phase.TRAIN:
            meters.add(table.TRAINING_STEPS, done, round=round)
            meters.set(table.TRAINING_SPEED, snapshot.tokens_per_s)
        shown = last.mistakes if last.round == snapshot.round else 0
        meters.add(table.MISTAKES, snapshot.mistakes - shown, round=round)
        meters.add(table.STUDENT_TOKENS, snapshot.student_tokens_total - last.student_tokens_total)
        meters.set(table.ROUND, snapshot.round)
        meters.set(table.PHASE_DONE, snapshot.done)
        meters.set(table.PHASE_WORK, snapshot.total)
        meters.set(table.WAITING_SECONDS, time.time() - snapshot.waiting_since if snapshot.waiting else 0.0)
        self._in_phase(snapshot.phase)
        self._last = snapshot

    def ended(self, snapshot: Snapshot) -> None:
        """Takes the last snapshot of a phase."""
        self.look(snapshot)
        if snapshot.phase != _STARTING:
            self._meters.observe(
                table.PHASE_SECONDS, max(0.0, time.time() - snapshot.phase_started), phase=snapshot.phase
            )

    def closed(self) -> None:
        """The run has ended, whichever way."""
        self._in_phase("")
        for idle in (table.WAITING_SECONDS, table.OPEN_REQUESTS, table.ANSWER_RATE):
            self._meters.set(idle, 0.0)

    def trained(self, point: LossPoint) -> None:
        """Takes one step of a training of the round that is worked on."""
        round = str(self._last.round)
        self._meters.set(table.LOSS, point.total, round=round)
        self._meters.set(table.LM_LOSS, point.lm, round=round)
        self._meters.set(table.TRIPLET_LOSS, point.triplet, round=round)
        self._meters.set(table.REFLECTION_LOSS, point.reflection, round=round)
        self._meters.set(table.LEARNING_RATE, point.learning_rate, round=round)

    def teachers(self, figures: TeacherFigures) -> None:
        """Takes the figures of the run's teachers."""
        for metric, value in (
            (table.OPEN_REQUESTS, figures.open),
            (table.SECONDS_LEFT, figures.eta_s),
            (table.ANSWER_RATE, figures.per_second),
            (table.PERMITTED_RATE, figures.permitted_per_second),
            (table.SETTLED, figures.cost),
            (table.RESERVED, figures.reserved),
            (table.CAP, figures.max_cost),
            (table.LEFT_ALONE, len(figures.open_circuits)),
        ):
            self._meters.set(metric, value)

    def limiters(self, looks: Mapping[str, LimiterLook], now: float | None = None) -> None:
        """Takes a look at each limiter, by what it is called."""
        now = time.monotonic() if now is None else now
        ratios = []
        for name, look in looks.items():
            at, busy_s = self._busy.get(name, (now, look.busy_s))
            if now > at and look.busy_s >= busy_s:  # a limiter that was restarted counts from 0 again
                ratios.append((look.busy_s - busy_s) / (now - at))
            self._busy[name] = now, look.busy_s
        self._meters.set(table.LIMITER_WAITING, sum(look.waiting for look in looks.values()))
        self._meters.set(table.LIMITER_IN_FLIGHT, sum(look.in_flight for look in looks.values()))
        self._meters.set(table.LIMITER_BUSY, max(ratios, default=None))

    def samplers(self, looks: Sequence[SamplerLook]) -> None:
        """Takes a look at each sampler."""
        for number, look in enumerate(looks):
            name = str(number)
            self._meters.set(table.SAMPLER_ROUND, round_of(look.version), sampler=name)
            self._meters.set(table.SAMPLER_STALE, float(not look.version), sampler=name)
            self._meters.set(table.SAMPLER_REQUESTS, look.requests, sampler=name)
            self._meters.set(table.SAMPLER_REVIVALS, look.revivals, sampler=name)
            self._meters.set(table.SAMPLER_SYNC, look.sync_s, sampler=name)
            self._meters.set(table.SAMPLER_PREFIX, look.prefix_hits, sampler=name)

    def trackers(self, failed: Mapping[str, bool]) -> None:
        """Takes whether each tracker of experiments has failed."""
        for name, has_failed in failed.items():
            self._meters.set(table.TRACKER_FAILED, float(has_failed), tracker=name)

    def coordinator(self, journal: Path, lag_s: float) -> None:
        """Takes the size of the journal's files, and how late the coordinator's loop was."""
        self._meters.set(table.JOURNAL_BYTES, journal_bytes(journal))
        self._meters.set(table.LOOP_LAG, max(0.0, lag_s))

    def _in_phase(self, phase: str) -> None:
        for one in PHASES:
            self._meters.set(table.PHASE, float(one == phase), phase=one)


def round_of(version: str) -> float | None:
    """The round of a version of weights ("run/round-003", "run/round-003/epoch-02"); -1 is the base student's; None
    where there is none."""
    if version == "base":
        return -1.0
    parts = [part.removeprefix("round-") for part in version.split("/") if part.startswith("round-")]
    return float(parts[-1]) if parts and parts[-1].isdecimal() else None


def journal_bytes(journal: Path) -> float | None:
    """The size of a journal and its log; None where it is not there."""
    sizes = []
    for file in (journal, journal.with_name(journal.name + "-wal")):
        try:
            sizes.append(file.stat().st_size)
        except OSError:
            continue
    return float(sum(sizes)) if sizes else None
