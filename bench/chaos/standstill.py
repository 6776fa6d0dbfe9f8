"""How long a death kept a run from its work, by the run's own clock: from the death to the first new work after it.

Owns: what counts as work, when it was done, and the yardstick that makes runs on machines of unlike load comparable.

Invariants
- Work is what is new: an attempt of the exam, a reply to a request that was sent after the death, a later step of the
  training than any before, a phase that has finished. What is done a second time is part of what the death cost.
- Seconds are told beside starts: the time that the same run took from its first command to its first work. Loading
  libraries and models, what a run does after most deaths, takes longer on a busy machine in both alike.
- The harness's own time (starting a cluster anew) is left out.

Not seen: training steps that were told in the ten seconds before the coordinator was lost, which its event file does
not have. So much of what is then done again may count as new.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
import statistics
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.watching.tracking.event_files import FOLDER
from reasoning.rounds.directory import RunDirectory

LOOK_EVERY_S = 0.2
STEP, SECONDS = "steps/loss", "/seconds"
HEAD, CHECK = 12, 4  # bytes around each record of an event file
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work: when it was done and when it was begun (infinity: not known), in Unix time. `place` is how far
    the run is with it in work of its `kind`; None where each piece is new."""

    at: float
    kind: str
    begun: float = math.inf
    place: int | None = None


class Attempts(threading.Thread):
    """Notes when the logs of a run's exams grow, until it is told to stop: their lines have no time."""

    def __init__(self, directory: RunDirectory) -> None:
        super().__init__(daemon=True)
        self._directory = directory
        self._done = threading.Event()
        self._seen: dict[Path, int] = {}
        self.work: list[Work] = []

    def run(self) -> None:
        while not self._done.wait(LOOK_EVERY_S):
            self.look()

    def stop(self) -> list[Work]:
        self._done.set()
        self.join()
        return self.work

    def look(self) -> None:
        """Takes a look at how long each log is. One that is cut off or gone takes no work back."""
        for log in self._directory.path.glob("round-*/exam.partial.jsonl"):
            try:
                size = log.stat().st_size
            except OSError:  # the exam is over
                continue
            if size > self._seen.get(log, 0):
                self._seen[log] = size
                self.work.append(Work(time.time(), str(log.parent.name), place=size))


def work_of(directory: RunDirectory, attempts: Iterable[Work]) -> list[Work]:
    """All that was done in a run, in order."""
    return sorted([*attempts, *_replies(directory.journal), *_told(directory.path / FOLDER)], key=lambda one: one.at)


def next_work(work: Sequence[Work], after: float) -> float | None:
    """When the first new work after a moment was done."""
    far: dict[str, int] = {}
    for one in work:
        if one.at <= after and one.place is not None:
            far[one.kind] = max(one.place, far.get(one.kind, 0))
        new = one.place is None or one.place > far.get(one.kind, 0)
        if one.at > after and one.begun > after and new:
            return one.at
    return None


def standstill(work: Sequence[Work], death: float, end: float, away: Iterable[Span] = ()) -> float:
    """Seconds from a death to the next new work, or to the run's `end`, without those in which the harness was `away`
    with its own."""
    found = next_work(work, death)
    until = end if found is None else found
    return until - death - sum(max(0.0, min(b, until) - max(a, death)) for a, b in away)


def waits(work: Sequence[Work], began: float, end: float) -> Mapping[str, float]:
    """Of a run that lost nothing: the mean seconds to the next work at any moment of each phase, by the last phase that
    was finished ("" before the first): what a standstill is, where nothing is lost."""
    found: dict[str, list[float]] = {}
    finished = [(one.at, one.kind) for one in work if one.kind.endswith(SECONDS)]
    moment = began
    while moment < end:
        done = [kind for at, kind in finished if began <= at <= moment]
        phase = done[-1].removesuffix(SECONDS) if done else ""
        found.setdefault(phase, []).append(standstill(work, moment, end))
        moment += 0.5
    return {phase: round(statistics.mean(seconds), 2) for phase, seconds in found.items()}


def _replies(journal: Path) -> Iterator[Work]:
    if not journal.exists():
        return
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT started_at, ended_at FROM sends WHERE outcome = 'answered'").fetchall()
    yield from (Work(ended, "reply", started) for started, ended in rows)


def _told(folder: Path) -> Iterator[Work]:
    """The steps and the finished phases in a run's event files."""
    from tensorboardX.proto.event_pb2 import Event

    for file in sorted(folder.glob("*")):
        for record in _records(file.read_bytes()):
            event = Event.FromString(record)
            for value in event.summary.value:
                if value.tag == STEP:
                    yield Work(event.wall_time, STEP, place=event.step)
                elif value.tag.endswith(SECONDS):
                    yield Work(event.wall_time, value.tag)


def _records(content: bytes) -> Iterator[bytes]:
    """The records of an event file, which may be cut off: each is framed by its length and checksums."""
    at = 0
    while at + HEAD <= len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        if at + HEAD + length + CHECK > len(content):
            return
        yield content[at + HEAD : at + HEAD + length]
        at += HEAD + length + CHECK
