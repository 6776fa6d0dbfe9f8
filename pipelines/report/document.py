"""What a run came to, for programs: its rounds or degrees with their figures, as plain records.

Owns: the documents of `tailor run`, `tailor fine-tune-cot` and `tailor report`. Accuracies are shares from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.journal.sums import JournalSums
from reasoning.fine_tune_cot.directory import CotDirectory
from reasoning.fine_tune_cot.order import best_degree
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import PhaseRecord, best_round, evaluations
from reasoning.teacher.prices import dollars


@dataclass(frozen=True, slots=True)
class PhaseDocument:
    """A finished phase: how long it took, and what it counted."""

    seconds: float
    metrics: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class StudentDocument:
    """The student of one round, or of one degree (rationales a question)."""

    number: int
    best: bool
    test_accuracy: float
    test_low: float
    test_high: float
    validation_accuracy: float
    seconds: float
    phases: Mapping[str, PhaseDocument]


@dataclass(frozen=True, slots=True)
class TeacherDocument:
    """What a run's teacher did. Dollars; `reserved` is of requests whose outcome is unknown."""

    answers: int
    prompt_tokens: int
    completion_tokens: int
    settled: float
    reserved: float


@dataclass(frozen=True, slots=True)
class RunDocument:
    """A run: `students` are its rounds, or of Fine-tune-CoT its degrees, that were evaluated. `best` is the number of
    the one that validation chose. `reason` is of a run that has just ended; `teacher` is None where no journal is."""

    run: str
    directory: Path
    kind: str
    students: tuple[StudentDocument, ...]
    best: int | None
    report: str
    reason: str | None = None
    teacher: TeacherDocument | None = None


def run_document(
    directory: RunDirectory, report: str, reason: str | None = None, journal: JournalSums | None = None
) -> RunDocument:
    """The document of a run of tailored learning, as its directory stands."""
    records = directory.finished()
    best = best_round(records)
    students = [
        _student(one.round, one.round == best, one, [record for record in records if record.round == one.round])
        for one in evaluations(records)
    ]
    name = directory.recipe().name
    return RunDocument(
        name, directory.path, "tailored", tuple(students), best, report, reason, teacher_document(journal)
    )


def cot_document(
    directory: CotDirectory, report: str, reason: str | None = None, journal: JournalSums | None = None
) -> RunDocument:
    """The document of a run of Fine-tune-CoT, as its directory stands."""
    degrees = directory.degrees()
    best = best_degree(degrees)
    students = [
        _student(degree, degree == best, one, records)
        for degree, records in degrees.items()
        for one in evaluations(records)
    ]
    name = directory.recipe().name
    return RunDocument(
        name,
        directory.path,
        "fine-tune-cot",
        tuple(students),
        best,
        report,
        reason,
        teacher_document(journal),
    )


def teacher_document(journal: JournalSums | None) -> TeacherDocument | None:
    """What the journal has of a run."""
    if journal is None:
        return None
    sums = journal.all
    return TeacherDocument(
        journal.requests.answered,
        sums.prompt_tokens,
        sums.completion_tokens,
        dollars(sums.settled),
        dollars(sums.reserved),
    )


def _student(number: int, best: bool, evaluation: PhaseRecord, records: Sequence[PhaseRecord]) -> StudentDocument:
    test, low, high, validation = (
        float(evaluation.metrics[name]) for name in ("test_accuracy", "test_low", "test_high", "validation_accuracy")
    )
    phases = {str(record.phase): PhaseDocument(record.seconds, record.metrics) for record in records}
    return StudentDocument(number, best, test, low, high, validation, sum(record.seconds for record in records), phases)
