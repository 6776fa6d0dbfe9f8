"""Export: what a run paid for and learnt from becomes the papers' files.

Owns: `tailor export`: which records of a run go into which format. The formats are `reasoning.exchange`.

Invariant: a run is only read; what a format has no place for is left out and reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines.exchange.importing import task_of
from reasoning.exchange import exporting
from reasoning.exchange.formats import ExportFormat
from reasoning.exchange.order import stated_in_order
from reasoning.exchange.paper_a import write_answers
from reasoning.exchange.paper_b_completions import CompletionTemplate, PublishedCompletion, write_completions
from reasoning.exchange.paper_b_dataset import write_dataset
from reasoning.exchange.paper_b_finetune import Platform, write_finetune
from reasoning.exchange.recordings import write_recordings
from reasoning.files.tables import read_table
from reasoning.fine_tune_cot.directory import CotDirectory, is_cot_directory
from reasoning.grading.mistakes import mistakes_of
from reasoning.records import Attempt, Mistake, Problem, Rationale
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.rounds.new_questions.agreement import NewProblem, ProposalOutcome
from reasoning.tasks.loading import TaskData, load_problems
from reasoning.tasks.rows import Stated


@dataclass(frozen=True, slots=True)
class ExportDocument:
    """What was written: how many records of each sort, and what there is to say of them."""

    out: Path
    format: ExportFormat
    counts: Mapping[str, int]
    notes: tuple[str, ...]


def export_run(
    directory: Path,
    format: ExportFormat,
    out: Path,
    console: Console,
    *,
    round: int | None = None,
    data: Path | None = None,
    platform: Platform | None = None,
) -> ExportDocument:
    """Writes a run's rounds up to `round` (default: all) as a file of `format`, and says so. Raises `DataError`,
    `RunDirectoryError`."""
    run = _Run(directory, data, round)
    match format:
        case ExportFormat.A_RATIONALES:
            answers = exporting.answers_for_paper_a(run.rationales(), run.problems)
            write_answers(out, answers)
            counts = {"rationales": sum(map(len, answers.values())), "questions": len(answers)}
        case ExportFormat.A_MISTAKES:
            answers = exporting.mistakes_for_paper_a(run.mistakes(), run.problems)
            write_answers(out, answers)
            counts = {"mistakes": sum(map(len, answers.values())), "questions": len(answers)}
        case ExportFormat.B_COMPLETIONS:
            counts = _export_completions(run, out)
        case ExportFormat.B_ATTEMPTS:
            counts = _export_attempts(run, out)
        case ExportFormat.B_FINETUNE:
            chosen = platform or (Platform.OPENAI if out.suffix == ".jsonl" else Platform.DECODER)
            samples = exporting.samples_for_paper_b(run.placed(run.rationales()), run.problems, run.positions)
            write_finetune(out, samples, chosen)
            counts = {f"training samples for {chosen}": len(samples)}
        case ExportFormat.B_DATASET:
            counts = _export_dataset(run, out)
        case ExportFormat.RECORDED:
            recorded = exporting.recorded_solutions(run.rationales(), run.problems)
            counts = {"recordings": write_recordings(out, recorded)}
    for note in run.notes:
        console.print(note, soft_wrap=True, markup=False)
    said = " of ".join(f"{count} {what}" for what, count in counts.items())
    console.print(f"{out}: {said}", soft_wrap=True, markup=False)
    return ExportDocument(out, format, counts, tuple(run.notes))


class _Run:
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
        return [one for number in range(self.last + 1) for one in self._read(number, "rationales", Rationale)]

    def mistakes(self) -> list[Mistake]:
        return mistakes_of(one for number in range(self.last + 1) for one in self._read(number, "exam", Attempt))

    def evaluated(self) -> list[Attempt]:
        return list(self._read(self.last, "evaluation", Attempt))

    def placed(self, rationales: list[Rationale]) -> list[Rationale]:
        """Those of questions of the data set."""
        found = [one for one in rationales if one.problem_id in self.positions]
        if len(found) < len(rationales):
            self.notes.append(
                f"{len(rationales) - len(found)} rationales left out: their questions, which the teacher wrote, are in "
                "no data set."
            )
        return found

    def _new_problems(self) -> list[Problem]:
        new = [one for number in range(self.last + 1) for one in self._read(number, "new_problems", NewProblem)]
        return [one.problem for one in new if one.fate is ProposalOutcome.KEPT]

    def _read(self, number: int, name: str, kind: type[Any]) -> list[Any]:
        path: Path = getattr(self.directory.round(number), name)
        return read_table(path, kind) if path.exists() else []


def _export_completions(run: _Run, out: Path) -> dict[str, int]:
    rationales = run.placed(run.rationales())
    models = sorted({one.model for one in rationales})
    completions = exporting.completions_for_paper_b(rationales, run.problems, run.positions)
    model = " and ".join(models) or "unknown"
    _write_for_paper_b(run, out, model, CompletionTemplate.ZERO_SHOT_COT, completions)
    if len(models) > 1:
        run.notes.append(f"One file has one model in paper B's format; these rationales are by {model}.")
    return {"completions": len(completions)}


def _export_attempts(run: _Run, out: Path) -> dict[str, int]:
    completions = exporting.attempts_for_paper_b(run.evaluated(), run.problems, run.positions)
    model = run.directory.path.name
    _write_for_paper_b(run, out, model, CompletionTemplate.FINE_TUNED_COT, completions, f"round_{run.last}")
    return {f"attempts of round {run.last}": len(completions)}


def _export_dataset(run: _Run, out: Path) -> dict[str, int]:
    train = [run.positions[problem.id] for problem in (*run.data.train, *run.data.validation)]
    test = [run.positions[problem.id] for problem in run.data.test]
    paths = write_dataset(out, run.task.name, run.order, train, test)
    run.notes += [f"Wrote {path}" for path in paths]
    return {"questions": len(run.order)}


def _write_for_paper_b(
    run: _Run,
    out: Path,
    model: str,
    template: CompletionTemplate,
    completions: list[PublishedCompletion],
    train_key: str | None = None,
) -> None:
    metadata = exporting.completion_metadata(run.task.name, model, template, train_key)
    write_completions(out, metadata, completions)
    place = exporting.completion_path(model, run.task.name, template, train_key)
    run.notes.append(f"Paper B's loader looks for it at saved/completion_data/{place}")
