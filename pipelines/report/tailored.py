"""`report.html`: one self-contained page about a run, made from its directory, its task's data and its journal.

Owns: what stands on the page: rounds, funnel, cost, figures, what is still wrong, transcripts, new questions, recipe.

Invariants
- Every word that came from a student, a teacher or a data set is escaped; nothing is fetched when it is read.
- What is not there (data that cannot be read, a journal elsewhere) leaves its part out, and the page says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.journal.sums import JournalSums
from pipelines.report.document import teacher_document
from pipelines.report.figures import plots
from pipelines.report.page import write_page
from pipelines.report.rungs import rung_rows
from pipelines.report.still_wrong import StillWrong, most_frequent_answer, still_wrong
from pipelines.report.transcripts import evaluated, held_out_gallery, mistakes_gallery, of_split, problems_by_id
from reasoning.files.tables import read_table
from reasoning.records import Attempt, Problem, Split
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.ladder.history import Help
from reasoning.rounds.ladder.policy import Rung
from reasoning.rounds.new_questions.agreement import NewProblem
from reasoning.rounds.new_questions.proposals import ProposalOutcome
from reasoning.rounds.phase_order import Phase, PhaseRecord, best_round, evaluations
from reasoning.tasks.loading import TaskData


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the funnel: what is counted, and how many of it each round had (None: this round has no such)."""

    name: str
    counts: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Practice:
    """A new question that was kept, with its answer and how many answers agreed on it."""

    question: str
    answer: str
    agreed: int
    asked: int


def write_report(directory: RunDirectory, data: TaskData | None = None, journal: JournalSums | None = None) -> Path:
    """Writes the report of what is finished so far and returns its path. `data` are the task's questions, `journal`
    what was spent; None where they are not at hand."""
    records, problems = directory.finished(), problems_by_id(data)
    students = evaluated(directory, records)
    best = best_round(records)
    galleries = (mistakes_gallery(directory, records, problems), held_out_gallery(students, problems))
    return write_page(
        directory.report,
        "tailored.html.jinja",
        recipe=directory.recipe(),
        rows=_rows(records, best),
        funnel=_funnel(directory, records),
        rounds=sorted({record.round for record in records}),
        tokens=_tokens(records),
        teacher=teacher_document(journal),
        accepted=sum(int(record.metrics["kept"]) for record in records if record.phase is Phase.FEEDBACK),
        plots=plots(directory, records, _baselines(records, students, problems)),
        wrong=_still_wrong(records, students, problems, best),
        galleries=[one for one in galleries if one is not None],
        questions_known=bool(problems),
        rungs=rung_rows(directory, records),
        practice=_practice(directory, records),
        fates=_fates(records),
        recipe_text=directory.recipe_file.read_text(encoding="utf-8"),
    )


def _rows(records: Sequence[PhaseRecord], best: int | None) -> list[dict[str, object]]:
    rows = []
    for evaluation in evaluations(records):
        merged: dict[str, object] = {}
        for record in records:
            if record.round == evaluation.round:
                merged |= {f"{record.phase}_{name}": value for name, value in record.metrics.items()}
        merged["round"] = evaluation.round
        merged["best"] = evaluation.round == best
        merged["seconds"] = sum(record.seconds for record in records if record.round == evaluation.round)
        rows.append(merged)
    return rows


def _funnel(directory: RunDirectory, records: Sequence[PhaseRecord]) -> list[Stage]:
    """From the questions of an exam to what is learnt, round by round; stages that no round has are left out."""
    stages: tuple[tuple[str, Phase, str], ...] = (
        ("questions in the exam", Phase.EXAM, "questions"),
        ("missed at least once", Phase.EXAM, "missed_questions"),
        ("mistakes shown to the teacher", Phase.EXAM, "mistakes"),
        ("asked of the teacher", Phase.FEEDBACK, "asked"),
        ("answered", Phase.FEEDBACK, "answered"),
        ("accepted: the answer is right", Phase.FEEDBACK, "kept"),
        ("questions learnt from", Phase.SELECT, "examples"),
    )
    rounds = sorted({record.round for record in records})
    found = {(record.round, record.phase): dict(record.metrics) for record in records}
    ladder = directory.recipe().learning.ladder
    for (round, _), metrics in found.items():
        if f"help_{Rung.TAILORED}" in metrics:  # the ladder shows the mistakes of those that stand on these rungs
            rungs, file = (Rung.TAILORED, Rung.NEW_QUESTIONS), directory.round(round).help
            metrics["mistakes"] = sum(int(metrics[f"help_{rung}"]) for rung in rungs)
            if ladder is not None and ladder.has_budget and file.exists():  # and no more than it reaches
                metrics["mistakes"] = sum(one.reached and one.rung in rungs for one in read_table(file, Help))
        if "asked" in metrics:
            metrics["answered"] = int(metrics["asked"]) - int(metrics.get("failed", 0))
    funnel = []
    for name, phase, key in stages:
        counts = [found.get((round, phase), {}).get(key) for round in rounds]
        if any(count is not None for count in counts):
            funnel.append(Stage(name, [None if count is None else int(count) for count in counts]))
    return funnel


def _tokens(records: Sequence[PhaseRecord]) -> list[Stage]:
    """Tokens round by round: the teacher's, those the student said in exams, and those it learnt."""
    rounds = sorted({record.round for record in records})
    found = {(record.round, record.phase): record.metrics for record in records}
    totals = [found.get((round, Phase.FEEDBACK), {}).get("teacher_tokens_total") for round in rounds]
    teacher: list[int | None] = []
    before = 0
    for total in totals:
        teacher.append(None if total is None else int(total) - before)
        before = before if total is None else int(total)
    rows = [Stage("teacher's tokens, prompts included", teacher)]
    for name, phase, key in (
        ("student's tokens in exams", Phase.EXAM, "student_tokens"),
        ("tokens learnt from", Phase.TRAIN, "tokens"),
    ):
        counts = [found.get((round, phase), {}).get(key) for round in rounds]
        rows.append(Stage(name, [None if count is None else int(count) for count in counts]))
    return [row for row in rows if any(count is not None for count in row.counts)]


def _baselines(
    records: Sequence[PhaseRecord], students: dict[str, list[Attempt]], problems: dict[str, Problem]
) -> dict[str, float]:
    """What accuracies are to be compared with, as shares."""
    found = {}
    if students:
        test = of_split(next(iter(students.values())), problems, Split.TEST)
        share = most_frequent_answer(test, problems)
        if share is not None:
            found["most frequent answer"] = share
    plain = next((record.metrics for record in records if record.phase is Phase.FEEDBACK and not record.round), None)
    if plain is not None and int(plain["asked"]) > int(plain.get("failed", 0)):
        found["teacher, training questions"] = int(plain["kept"]) / (int(plain["asked"]) - int(plain.get("failed", 0)))
    return found


def _still_wrong(
    records: Sequence[PhaseRecord],
    students: dict[str, list[Attempt]],
    problems: dict[str, Problem],
    best: int | None,
) -> StillWrong | None:
    """Of the best round's student on test questions, against the round before it."""
    name, before = f"round {best}", f"round {(best or 0) - 1}"
    if not students.get(name):
        return None
    test = {key: of_split(attempts, problems, Split.TEST) for key, attempts in students.items()}
    return still_wrong(name, test[name], test.get(before), problems)


def _practice(directory: RunDirectory, records: Sequence[PhaseRecord]) -> list[Practice]:
    """Up to three new questions that were kept, from the last round that has any."""
    for record in reversed([r for r in records if r.metrics.get("new_kept")]):
        new = read_table(directory.round(record.round).new_problems, NewProblem)
        kept = [one for one in new if one.fate is ProposalOutcome.KEPT]
        return [Practice(one.question, one.answer, one.agreed, one.asked) for one in kept[:3]]
    return []


def _fates(records: Sequence[PhaseRecord]) -> list[tuple[str, int]]:
    """What became of the new questions of all rounds, as (words, count), none when none were proposed."""
    totals = {fate: sum(int(record.metrics.get(f"new_{fate}", 0)) for record in records) for fate in ProposalOutcome}
    return [(fate.replace("_", " "), count) for fate, count in totals.items() if count]
