"""What must hold of a run's directory: at every moment, and at the end of a run that lost its parts.

Owns: the watcher that opens every file again and again while a run writes, and the checks of a finished run.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow.parquet as pq

from actors.journal.audit import audit
from reasoning.files.tables import read_table
from reasoning.records import Attempt, Rationale
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import Phase, phases_of
from reasoning.rounds.requests import shown_mistakes
from reasoning.student.probe import load_probe

LOOK_EVERY_S = 0.5


class Watcher(threading.Thread):
    """Reads all that a run's directory holds and that has changed, twice a second, until it is told to stop.
    `unreadable`: what could not be read, and why; `looks`: how often it looked."""

    def __init__(self, directory: RunDirectory) -> None:
        super().__init__(daemon=True)
        self._directory = directory
        self._done = threading.Event()
        self._read: dict[Path, tuple[int, int]] = {}
        self.unreadable: list[str] = []
        self.looks = 0

    def run(self) -> None:
        while not self._done.wait(LOOK_EVERY_S):
            self.look()

    def stop(self) -> None:
        self._done.set()
        self.join()
        self.look()

    def look(self) -> None:
        """Reads whatever has changed since it was last read."""
        self.looks += 1
        for file, read in self._readers().items():
            for path in sorted(self._directory.path.glob(file)):
                state = _state(path)
                if state is None or self._read.get(path) == state:
                    continue
                try:
                    read(path)
                    self._read[path] = state
                except Exception as error:  # noqa: BLE001 - whatever a reader raises, the file cannot be read
                    if path.exists() and "no such table" not in str(error):  # in the moment in which it is made
                        self.unreadable.append(f"{path}: {type(error).__name__}: {error}")

    def _readers(self) -> Mapping[str, Callable[[Path], object]]:
        """How the files that these patterns name are read. A phase that is done again removes its own unfinished
        files: one that is gone by now is not missed."""
        return {
            "rounds.jsonl": lambda _: self._directory.finished(),
            "recipe.yaml": lambda _: self._directory.recipe(),
            "journal.sqlite*": lambda _: asked_again(self._directory.journal),
            **{f"round-*/{file}": read for file, read in READERS.items()},
        }


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _read_weights(path: Path) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as weights:  # checks that the file is as long as its head says
        weights.get_tensor(list(weights.keys())[-1])


READERS: Mapping[str, Callable[[Path], object]] = {
    "*.parquet": pq.read_table,
    "student/*.safetensors": _read_weights,
    "student/*.json": lambda path: json.loads(path.read_text(encoding="utf-8")),
    "probe.json": load_probe,
    "losses.jsonl": lambda path: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()],
}


def asked_again(journal: Path) -> int:
    """How many sendings the journal has of requests whose reply it had before."""
    if not journal.exists():
        return 0
    later = "old.key = new.key AND old.outcome = 'answered' AND old.ended_at < new.started_at"
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        return int(
            db.execute(
                f"SELECT COUNT(*) FROM sends new WHERE EXISTS (SELECT 1 FROM sends old WHERE {later})"
            ).fetchone()[0]
        )


def faults(directory: RunDirectory, rounds: int) -> list[str]:
    """What is wrong with the finished run of `rounds` rounds after round 0."""
    found = [f"journal: {fault.place}: {fault.what}" for fault in audit(directory.journal).faults]
    order = [(number, phase) for number in range(rounds + 1) for phase in phases_of(number)]
    done = [(record.round, record.phase) for record in directory.finished()]
    if done != order:
        found.append(f"phases {done} and not {order}")
    for number in range(1, rounds + 1):
        found += _unanswered(directory, number)
    return found


def _unanswered(directory: RunDirectory, number: int) -> list[str]:
    """Whether a round's exam has missed questions with neither feedback nor a failure that was counted."""
    files, shown = directory.round(number), directory.recipe().learning.mistakes_per_question
    missed = {mistake.id for mistake in shown_mistakes(read_table(files.exam, Attempt), shown)}
    told = {rationale.mistake_id for rationale in read_table(files.rationales, Rationale)}
    done = {(record.round, record.phase): record.metrics for record in directory.finished()}
    failed = int(done[number, Phase.FEEDBACK].get("failed", 0))
    without = len(missed - told)
    return [f"round {number}: {without} mistakes without feedback, {failed} failures"] if without > failed else []
