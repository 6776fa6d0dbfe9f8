"""What a run had counted before it was started again: the totals that the view, and the records of phases, go on from.

Owns: finding them in what is finished. Light: nothing is asked of a journal or an actor.

Invariant: work that is done again, or read again from the journal, is not in them: it is counted when it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reasoning.files.tables import read_table
from reasoning.records import Attempt
from reasoning.rounds.directory import RoundFiles, RunDirectory
from reasoning.rounds.phase_order import Phase, PhaseRecord


def totals_of(directories: Iterable[RunDirectory]) -> dict[str, int]:
    """The totals of a `Snapshot`, by name, over the finished phases in `directories`."""
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
