"""Export: what a run paid for and learnt from becomes the papers' files.

Owns: `tailor export`: which records of a run go into which format. The formats are `reasoning.exchange`.

Invariant: a run is only read; what a format has no place for is left out and reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipelines.errors import Refused
from pipelines.exchange.gguf import write_gguf
from pipelines.exchange.hub import RepositoryKind, push_folder
from pipelines.exchange.publishing import write_adapter, write_model, write_rationales
from pipelines.exchange.run_records import RunRecords
from reasoning.exchange import exporting
from reasoning.exchange.formats import ExportFormat
from reasoning.exchange.paper_a import write_answers
from reasoning.exchange.paper_b_completions import CompletionTemplate, PublishedCompletion, write_completions
from reasoning.exchange.paper_b_dataset import write_dataset
from reasoning.exchange.paper_b_finetune import Platform, write_finetune
from reasoning.exchange.recordings import write_recordings


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
    push: str | None = None,
    private: bool = True,
    llama_cpp: Path | None = None,
) -> ExportDocument:
    """Writes a run's rounds up to `round` (default: all) as a file of `format`, and says so; `push` names a
    repository of the hub for what is a folder for it, `llama_cpp` the sources whose converter writes GGUF. Raises
    `DataError`, `RunDirectoryError`, `Refused`, `RunFailed`."""
    if push is not None and format not in (ExportFormat.MODEL, ExportFormat.DATASET):
        raise Refused(f"--push is for --format model and --format dataset, not for {format}")
    out = out.expanduser()
    if format is ExportFormat.MODEL:
        notes: list[str] = []
        counts = write_model(directory, out, round, notes)
    elif format is ExportFormat.ADAPTER:
        notes = []
        counts = write_adapter(directory, out, round, notes)
    elif format is ExportFormat.GGUF:
        notes = []
        counts = write_gguf(directory, out, round, llama_cpp, notes)
    else:
        run = RunRecords(directory, data, round)
        counts, notes = _written(run, format, out, platform), run.notes
    if push is not None:
        kind = RepositoryKind.MODEL if format is ExportFormat.MODEL else RepositoryKind.DATASET
        notes.append(f"Pushed to {push_folder(out, push, kind, private=private)}")
    for note in notes:
        console.print(note, soft_wrap=True, markup=False)
    said = " of ".join(f"{count} {what}" for what, count in counts.items())
    console.print(f"{out}: {said}", soft_wrap=True, markup=False)
    return ExportDocument(out, format, counts, tuple(notes))


def _written(run: RunRecords, format: ExportFormat, out: Path, platform: Platform | None) -> dict[str, int]:
    """Writes the records that a format has a place for; how many of each sort."""
    match format:
        case ExportFormat.A_RATIONALES:
            answers = exporting.answers_for_paper_a(run.rationales(), run.problems)
            write_answers(out, answers)
            return {"rationales": sum(map(len, answers.values())), "questions": len(answers)}
        case ExportFormat.A_MISTAKES:
            answers = exporting.mistakes_for_paper_a(run.mistakes(), run.problems)
            write_answers(out, answers)
            return {"mistakes": sum(map(len, answers.values())), "questions": len(answers)}
        case ExportFormat.B_COMPLETIONS:
            return _export_completions(run, out)
        case ExportFormat.B_ATTEMPTS:
            return _export_attempts(run, out)
        case ExportFormat.B_FINETUNE:
            chosen = platform or (Platform.OPENAI if out.suffix == ".jsonl" else Platform.DECODER)
            samples = exporting.samples_for_paper_b(run.placed(run.rationales()), run.problems, run.positions)
            write_finetune(out, samples, chosen)
            return {f"training samples for {chosen}": len(samples)}
        case ExportFormat.B_DATASET:
            return _export_dataset(run, out)
        case ExportFormat.DATASET:
            return write_rationales(run, out)
        case _:
            recorded = exporting.recorded_solutions(run.rationales(), run.problems)
            return {"recordings": write_recordings(out, recorded)}


def _export_completions(run: RunRecords, out: Path) -> dict[str, int]:
    rationales = run.placed(run.rationales())
    models = sorted({one.model for one in rationales})
    completions = exporting.completions_for_paper_b(rationales, run.problems, run.positions)
    model = " and ".join(models) or "unknown"
    _write_for_paper_b(run, out, model, CompletionTemplate.ZERO_SHOT_COT, completions)
    if len(models) > 1:
        run.notes.append(f"One file has one model in paper B's format; these rationales are by {model}.")
    return {"completions": len(completions)}


def _export_attempts(run: RunRecords, out: Path) -> dict[str, int]:
    completions = exporting.attempts_for_paper_b(run.evaluated(), run.problems, run.positions)
    model = run.directory.path.name
    _write_for_paper_b(run, out, model, CompletionTemplate.FINE_TUNED_COT, completions, f"round_{run.last}")
    return {f"attempts of round {run.last}": len(completions)}


def _export_dataset(run: RunRecords, out: Path) -> dict[str, int]:
    train = [run.positions[problem.id] for problem in (*run.data.train, *run.data.validation)]
    test = [run.positions[problem.id] for problem in run.data.test]
    paths = write_dataset(out, run.task.name, run.order, train, test)
    run.notes += [f"Wrote {path}" for path in paths]
    return {"questions": len(run.order)}


def _write_for_paper_b(
    run: RunRecords,
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
