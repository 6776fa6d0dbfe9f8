"""A run's records as far as they go, with the problems that they are about, to be exported.

Owns: reading them. Invariant: a run is only read; problems that the teacher wrote stand in no data set, and are known
by the run's own files.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pipelines.exchange.importing import task_of
from reasoning.exchange import exporting
from reasoning.exchange.order import stated_in_order
from reasoning.files.tables import read_table
from reasoning.fine_tune_cot.directory import CotDirectory, is_cot_directory
from reasoning.grading.mistakes import mistakes_of
from reasoning.records import Attempt, Mistake, Problem, Rationale
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.rounds.new_questions.agreement import NewProblem, ProposalOutcome
from reasoning.tasks.loading import TaskData, load_problems
from reasoning.tasks.rows import Stated

RecordT = TypeVar("RecordT", Rationale, Mistake, Attempt)


class RunRecords:
    """A run's records as far as they go, and its problems by id. Problems that the teacher wrote stand in no data set:
    where a format counts questions, their rationales are left out and counted in `notes`."""

    def __init__(self, directory: Path, data: Path | None, last: int | None) -> None:
        collected = is_cot_directory(directory)  # Fine-tune-CoT: one collection, and no rounds
        self.directory = CotDirectory(directory).collection if collected else RunDirectory(directory)
        self.task, seed = task_of(str(directory), data)
        self.data: TaskData = load_problems(self.task, seed)
        records = self.directory.finished()
        if not records:
            raise RunDirectoryError(f"{directory}: this run has finished no phase yet, so there is nothing to export")
        done = max(record.round for record in records)
        if last is not None and not 0 <= last <= done:
            raise RunDirectoryError(f"{directory}: this run has rounds 0 to {done}, not {last}")
        self.last = done if last is None else last
        self.notes: list[str] = []
        known = [*self.data.train, *self.data.validation, *self.data.test]
        self.problems = {problem.id: problem for problem in [*known, *self._new_problems()]}

    @cached_property
    def order(self) -> list[Stated]:
        """The data set's questions, each at its sample index."""
        return stated_in_order(self.task, self.data)

    @cached_property
    def positions(self) -> dict[str, int]:
        """The problems' sample indices."""
        return exporting.positions_of([stated.question for stated in self.order], self.problems.values())

    def rationales(self) -> list[Rationale]:
        found = [one for number in range(self.last + 1) for one in self._read(number, "rationales", Rationale)]
        return self._of_known_questions(found)

    def mistakes(self) -> list[Mistake]:
        found = mistakes_of(one for number in range(self.last + 1) for one in self._read(number, "exam", Attempt))
        return self._of_known_questions(found)

    def evaluated(self) -> list[Attempt]:
        return self._of_known_questions(self._read(self.last, "evaluation", Attempt))

    def placed(self, rationales: list[Rationale]) -> list[Rationale]:
        """Those of questions of the data set."""
        found = [one for one in rationales if one.problem_id in self.positions]
        if len(found) < len(rationales):
            self.notes.append(
                f"{len(rationales) - len(found)} rationales left out: their questions, which the teacher wrote, are in "
                "no data set."
            )
        return found

    def _of_known_questions(self, records: list[RecordT]) -> list[RecordT]:
        """`records`. Raises `RunDirectoryError` where the data is no longer that of the run."""
        unknown = sum(record.problem_id not in self.problems for record in records)
        if unknown:
            raise RunDirectoryError(
                f"{self.directory.path}: {unknown} of its {len(records)} records are of questions that are no longer "
                "in its data; put back the data that it ran with, or name its folder with --data"
            )
        return records

    def _new_problems(self) -> list[Problem]:
        new = [one for number in range(self.last + 1) for one in self._read(number, "new_problems", NewProblem)]
        return [one.problem for one in new if one.fate is ProposalOutcome.KEPT]

    def _read(self, number: int, name: str, kind: type[Any]) -> list[Any]:
        path: Path = getattr(self.directory.round(number), name)
        return read_table(path, kind) if path.exists() else []
