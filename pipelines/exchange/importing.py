"""Import: what others published or paid for becomes a run's data.

Owns: `tailor import`: which problems a file is read for, what is written, and the summary that is printed. The formats
are `reasoning.exchange`.

Invariants
- Nothing is written when nothing of a file can be used.
- What is left out is reported: the first entries by their place, and how many there are in all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console
from rich.markup import escape

from reasoning.exchange.formats import Format, detect
from reasoning.exchange.importing import Imported
from reasoning.exchange.paper_b_completions import read_completions
from reasoning.exchange.paper_b_dataset import questions_of, read_dataset, write_questions
from reasoning.exchange.paper_b_prompts import prompt_tasks, read_prompt_demonstrations, write_demonstrations
from reasoning.exchange.reading import match_file, read_imported
from reasoning.exchange.recordings import write_recordings
from reasoning.files.data_error import DataError, Fault
from reasoning.files.run_folders import no_run_at
from reasoning.files.tables import write_table
from reasoning.files.yaml_text import read_yaml
from reasoning.recipe.tailored import parse_recipe, recipe_text
from reasoning.recipe.task import TaskSection
from reasoning.records import Attempt, Mistake, Rationale
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.tasks.loading import TASKS, load_problems

SHOWN = 10


@dataclass(frozen=True, slots=True)
class ImportDocument:
    """What was read and written: how many records of each sort, what there is to say, and what was left out and why."""

    file: Path
    format: Format
    out: Path
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()
    left_out: tuple[Fault, ...] = ()


def import_file(
    file: Path,
    task: str,
    out: Path,
    console: Console,
    *,
    data: Path | None = None,
    format: Format | None = None,
    model: str = "",
    round: int = 0,
    keep_truncated: bool = False,
) -> ImportDocument:
    """Reads `file` for the questions of `task` (a recipe, a run's folder or a task's name) and writes, by the name of
    `out`: `.jsonl` a recorded teacher's file, `.parquet` a table of rationales, mistakes or attempts, `.yaml`
    demonstrations, `.json` the questions themselves. Raises `DataError`, `RecipeError`, `RunDirectoryError`."""
    format = format or detect(file)
    if format is Format.B_PROMPTS:
        return _import_demonstrations(file, task, out, data, console)
    if out.suffix == ".json":
        return _import_questions(file, format, task, out, console)
    section, seed = task_of(task, data)
    loaded = load_problems(section, seed)
    problems = [*loaded.train, *loaded.validation, *loaded.test]
    if out.suffix == ".jsonl":
        matched = match_file(file, problems, format, keep_truncated)
        _refuse_empty(file, bool(matched.pairs), matched.faults, section)
        count = write_recordings(out, matched.pairs)
        questions = len({problem.id for _, problem in matched.pairs})
        _tell(console, file, format, matched.notes, matched.faults)
        console.print(
            f"{out}: {count} recordings of {questions} questions of {section.name}", soft_wrap=True, markup=False
        )
        console.print(
            f"In a recipe: teacher: {{first: {{kind: recorded, recorded: {out}}}}}", soft_wrap=True, markup=False
        )
        counts = {"recordings": count, "questions": questions}
        return ImportDocument(file, format, out, counts, tuple(matched.notes), tuple(matched.faults))
    if out.suffix != ".parquet":
        cure = "name it .jsonl (recorded teacher), .parquet (table), .json (a task's file) or .yaml (demonstrations)"
        raise DataError(str(out), "its name does not say what to write", cure)
    found = read_imported(file, problems, format, round=round, model=model, keep_truncated=keep_truncated)
    _refuse_empty(file, bool(found.rationales or found.mistakes or found.attempts), found.faults, section)
    said = _write_table(out, found)
    _tell(console, file, format, found.notes, found.faults)
    console.print(f"{out}: {said} of {section.name}", soft_wrap=True, markup=False)
    counts = {name: len(getattr(found, name)) for name in ("rationales", "mistakes", "attempts")}
    return ImportDocument(file, format, out, counts, tuple(found.notes), tuple(found.faults))


def task_of(target: str, data: Path | None) -> tuple[TaskSection, int]:
    """The `task` section and the seed of a recipe file (of any kind of run) or of a run's folder; or, for the bare name
    of a task, its published files in `data` (in it, or in its `datasets`), else its generated questions."""
    path = Path(target).expanduser()
    if path.is_dir():
        path = RunDirectory(path).recipe_file
        if not path.is_file():
            raise RunDirectoryError(no_run_at(Path(target)))
    if not path.is_file() and target in TASKS:
        if data is None:
            return TaskSection(name=target), 0
        nested = data / "datasets"
        return TaskSection(name=target, source="file", path=nested if nested.is_dir() else data), 0
    if not path.is_file():
        what = "no recipe, run folder or task of that name exists"
        raise DataError(f"--task {target}", what, f"tasks are {', '.join(sorted(TASKS))}")
    recipe = parse_recipe(_task_part(recipe_text(path)), str(path), data)
    return recipe.task, recipe.seed


def _task_part(text: str) -> str:
    """The part of a recipe that says which questions there are: the rest may be another kind of run's. What is no
    mapping is left to the recipe's own reader to refuse."""
    try:
        content = read_yaml(text)
    except yaml.YAMLError:
        return text
    if not isinstance(content, dict):
        return text
    return yaml.safe_dump({key: content[key] for key in ("task", "seed") if key in content}) if content else text


def _import_demonstrations(file: Path, task: str, out: Path, data: Path | None, console: Console) -> ImportDocument:
    if out.suffix not in (".yaml", ".yml"):
        what = "few-shot prompts become a file of demonstrations, and its name does not say so"
        raise DataError(str(out), what, "name it .yaml")
    known = prompt_tasks(file)
    name = task if task in known else task_of(task, data)[0].name
    demonstrations = read_prompt_demonstrations(file, name)
    write_demonstrations(out, demonstrations)
    console.print(f"{out}: {len(demonstrations)} demonstrations for {name}", soft_wrap=True, markup=False)
    console.print(f"In a recipe: teacher: {{demonstrations: {out}}}", soft_wrap=True, markup=False)
    return ImportDocument(file, Format.B_PROMPTS, out, {"demonstrations": len(demonstrations)})


def _import_questions(file: Path, format: Format, task: str, out: Path, console: Console) -> ImportDocument:
    """The questions of a data set, or of completions that cover one, as a file that a recipe's `task.path` names."""
    if format not in (Format.B_DATASET, Format.B_COMPLETIONS):
        raise DataError(
            str(file), f"a file of {format} does not contain a task's questions", "give --out another ending"
        )
    questions = read_dataset(file) if format is Format.B_DATASET else questions_of(read_completions(file))
    write_questions(out, questions)
    console.print(f"{out}: {len(questions)} questions", soft_wrap=True, markup=False)
    name = task if task in TASKS else "NAME"
    console.print(f"In a recipe: task: {{name: {name}, source: file, path: {out}}}", soft_wrap=True, markup=False)
    return ImportDocument(file, format, out, {"questions": len(questions)})


def _write_table(out: Path, found: Imported) -> str:
    if found.rationales:
        write_table(out, found.rationales, Rationale)
        kept = sum(rationale.kept for rationale in found.rationales)
        return f"{len(found.rationales)} rationales, {kept} of them right,"
    if found.attempts:
        write_table(out, found.attempts, Attempt)
        return f"{len(found.attempts)} attempts, {len(found.mistakes)} of them mistakes,"
    write_table(out, found.mistakes, Mistake)
    return f"{len(found.mistakes)} mistakes"


def _refuse_empty(file: Path, usable: bool, faults: Sequence[Fault], task: TaskSection) -> None:
    if usable:
        return
    first = f" (of {len(faults)} left out the first: {faults[0]})" if faults else ""
    cure = "give the file of this task, or the task in the wording of the file's data set"
    raise DataError(str(file), f"nothing in it can be used for {task.name} from {task.source}{first}", cure)


def _tell(console: Console, file: Path, format: Format, notes: Sequence[str], faults: Sequence[Fault]) -> None:
    console.print(f"{file}: read as {format}", soft_wrap=True, markup=False)
    for note in notes:
        console.print(f"  {note}", soft_wrap=True, markup=False)
    if faults:
        console.print(f"  {len(faults)} entries left out:", soft_wrap=True)
        for fault in faults[:SHOWN]:
            console.print(f"    {escape(str(fault))}", soft_wrap=True, highlight=False)
        if len(faults) > SHOWN:
            console.print(f"    and {len(faults) - SHOWN} more", soft_wrap=True)
