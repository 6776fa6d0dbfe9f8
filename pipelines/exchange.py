"""Import and export: what others published or paid for becomes a run's data, and a run's data becomes theirs.

Owns: `tailor import` and `tailor export`: which problems a file is read for, what is written where, and the summary
that is printed. The formats are `reasoning.exchange`.

Invariants
- Nothing is written when nothing of a file can be used.
- What is left out is told: the first entries by their place, all of them by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape

from reasoning.agreement import Fate, NewProblem
from reasoning.cot_directory import CotDirectory, is_cot_directory
from reasoning.data_error import DataError
from reasoning.exchange import exporting
from reasoning.exchange.formats import Format, detect
from reasoning.exchange.importing import Imported
from reasoning.exchange.order import stated_in_order
from reasoning.exchange.paper_a import write_answers
from reasoning.exchange.paper_b_completions import Completion, Template, read_completions, write_completions
from reasoning.exchange.paper_b_dataset import questions_of, read_dataset, write_dataset, write_questions
from reasoning.exchange.paper_b_finetune import Platform, write_finetune
from reasoning.exchange.paper_b_prompts import prompt_tasks, read_prompt_demonstrations, write_demonstrations
from reasoning.exchange.reading import match_file, read_imported
from reasoning.exchange.recordings import write_recordings
from reasoning.exchange.solutions import Fault
from reasoning.forms import Stated
from reasoning.recipe import TaskSection, parse_recipe, recipe_text
from reasoning.records import Attempt, Mistake, Problem, Rationale
from reasoning.run_directory import RunDirectory, RunDirectoryError
from reasoning.selection import mistakes_of
from reasoning.tables import read_table, write_table
from reasoning.tasks import TASKS, TaskData, load_problems

SHOWN = 10
EXPORTS = (
    "a-rationales",
    "a-mistakes",
    "b-completions",
    "b-attempts",
    "b-finetune",
    "b-dataset",
    "recorded",
)


# Import ---------------------------------------------------------------------------------------------------------------


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
) -> None:
    """Reads `file` for the questions of `task` (a recipe, a run's folder or a task's name) and writes, by the name of
    `out`: `.jsonl` a recorded teacher's file, `.parquet` a table of rationales, mistakes or attempts, `.yaml`
    demonstrations, `.json` the questions themselves. Raises `DataError`, `RecipeError`, `RunDirectoryError`."""
    format = format or detect(file)
    if format is Format.B_PROMPTS:
        _import_demonstrations(file, task, out, data, console)
        return
    if out.suffix == ".json":
        _import_questions(file, format, task, out, console)
        return
    section, seed = task_of(task, data)
    loaded = load_problems(section, seed)
    problems = [*loaded.train, *loaded.validation, *loaded.test]
    if out.suffix == ".jsonl":
        matched = match_file(file, problems, format, keep_truncated)
        _refuse_empty(file, bool(matched.pairs), matched.faults, section)
        count = write_recordings(out, matched.pairs)
        questions = len({problem.id for _, problem in matched.pairs})
        _tell(console, file, format, matched.notes, matched.faults)
        console.print(f"{out}: {count} recordings of {questions} questions of {section.name}", soft_wrap=True)
        console.print(
            f"In a recipe: teacher: {{first: {{kind: recorded, recorded: {out}}}}}", soft_wrap=True, markup=False
        )
        return
    if out.suffix != ".parquet":
        cure = "name it .jsonl (recorded teacher), .parquet (table), .json (a task's file) or .yaml (demonstrations)"
        raise DataError(str(out), "its name does not say what to write", cure)
    found = read_imported(file, problems, format, round=round, model=model, keep_truncated=keep_truncated)
    _refuse_empty(file, bool(found.rationales or found.mistakes or found.attempts), found.faults, section)
    said = _write_table(out, found)
    _tell(console, file, format, found.notes, found.faults)
    console.print(f"{out}: {said} of {section.name}", soft_wrap=True)


def task_of(target: str, data: Path | None) -> tuple[TaskSection, int]:
    """The `task` section and the seed of a recipe file (of any kind of run) or of a run's folder; or, for the bare name
    of a task, its published files in `data` (in it, or in its `datasets`), else its generated questions."""
    path = Path(target).expanduser()
    if path.is_dir():
        path = RunDirectory(path).recipe_file
        if not path.is_file():
            raise RunDirectoryError(f"{target}: not a run directory: it has no recipe.yaml")
    if not path.is_file() and target in TASKS:
        if data is None:
            return TaskSection(name=target), 0
        nested = data / "datasets"
        return TaskSection(name=target, source="file", path=nested if nested.is_dir() else data), 0
    if not path.is_file():
        what = "there is no such recipe or run's folder, and no task of that name"
        raise DataError(f"--task {target}", what, f"tasks are {', '.join(sorted(TASKS))}")
    recipe = parse_recipe(_task_part(recipe_text(path)), str(path), data)
    return recipe.task, recipe.seed


def _task_part(text: str) -> str:
    """The part of a recipe that says which questions there are: the rest may be another kind of run's. What is no
    mapping is left to the recipe's own reader to refuse."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if not isinstance(content, dict):
        return text
    return yaml.safe_dump({key: content[key] for key in ("task", "seed") if key in content}) if content else text


def _import_demonstrations(file: Path, task: str, out: Path, data: Path | None, console: Console) -> None:
    if out.suffix not in (".yaml", ".yml"):
        what = "few-shot prompts become a file of demonstrations, and its name does not say so"
        raise DataError(str(out), what, "name it .yaml")
    known = prompt_tasks(file)
    name = task if task in known else task_of(task, data)[0].name
    demonstrations = read_prompt_demonstrations(file, name)
    write_demonstrations(out, demonstrations)
    console.print(f"{out}: {len(demonstrations)} demonstrations for {name}", soft_wrap=True)
    console.print(f"In a recipe: teacher: {{demonstrations: {out}}}", soft_wrap=True, markup=False)


def _import_questions(file: Path, format: Format, task: str, out: Path, console: Console) -> None:
    """The questions of a data set, or of completions that cover one, as a file that a recipe's `task.path` names."""
    if format not in (Format.B_DATASET, Format.B_COMPLETIONS):
        raise DataError(str(file), f"a file of {format} does not hold a task's questions", "name --out otherwise")
    questions = read_dataset(file) if format is Format.B_DATASET else questions_of(read_completions(file))
    write_questions(out, questions)
    console.print(f"{out}: {len(questions)} questions", soft_wrap=True, markup=False)
    name = task if task in TASKS else "NAME"
    console.print(f"In a recipe: task: {{name: {name}, source: file, path: {out}}}", soft_wrap=True, markup=False)


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


# Export ---------------------------------------------------------------------------------------------------------------


def export_run(
    directory: Path,
    format: str,
    out: Path,
    console: Console,
    *,
    round: int | None = None,
    data: Path | None = None,
    platform: Platform | None = None,
) -> None:
    """Writes a run's rounds up to `round` (default: all) as a file of `format`. Raises `DataError`,
    `RunDirectoryError`."""
    run = _Run(directory, data, round)
    match format:
        case "a-rationales":
            answers = exporting.answers_for_paper_a(run.rationales(), run.problems)
            write_answers(out, answers)
            said = f"{sum(map(len, answers.values()))} rationales of {len(answers)} questions"
        case "a-mistakes":
            answers = exporting.mistakes_for_paper_a(run.mistakes(), run.problems)
            write_answers(out, answers)
            said = f"{sum(map(len, answers.values()))} mistakes of {len(answers)} questions"
        case "b-completions":
            said = _export_completions(run, out)
        case "b-attempts":
            said = _export_attempts(run, out)
        case "b-finetune":
            chosen = platform or (Platform.OPENAI if out.suffix == ".jsonl" else Platform.DECODER)
            samples = exporting.samples_for_paper_b(run.placed(run.rationales()), run.problems, run.positions)
            write_finetune(out, samples, chosen)
            said = f"{len(samples)} training samples for {chosen}"
        case "b-dataset":
            said = _export_dataset(run, out)
        case "recorded":
            said = f"{write_recordings(out, exporting.recorded_solutions(run.rationales(), run.problems))} recordings"
        case _:
            raise DataError("--format", f"no format {format!r} to export to", f"there are {', '.join(EXPORTS)}")
    for note in run.notes:
        console.print(note, soft_wrap=True, markup=False)
    console.print(f"{out}: {said}", soft_wrap=True, markup=False)


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
        return [one.problem for one in new if one.fate is Fate.KEPT]

    def _read(self, number: int, name: str, kind: type[Any]) -> list[Any]:
        path: Path = getattr(self.directory.round(number), name)
        return read_table(path, kind) if path.exists() else []


def _export_completions(run: _Run, out: Path) -> str:
    rationales = run.placed(run.rationales())
    models = sorted({one.model for one in rationales})
    completions = exporting.completions_for_paper_b(rationales, run.problems, run.positions)
    model = " and ".join(models) or "unknown"
    _write_for_paper_b(run, out, model, Template.ZERO_SHOT_COT, completions)
    if len(models) > 1:
        run.notes.append(f"One file has one model in paper B's format; these rationales are by {model}.")
    return f"{len(completions)} completions"


def _export_attempts(run: _Run, out: Path) -> str:
    completions = exporting.attempts_for_paper_b(run.evaluated(), run.problems, run.positions)
    model = run.directory.path.name
    _write_for_paper_b(run, out, model, Template.FINE_TUNED_COT, completions, f"round_{run.last}")
    return f"{len(completions)} attempts of round {run.last}"


def _export_dataset(run: _Run, out: Path) -> str:
    train = [run.positions[problem.id] for problem in (*run.data.train, *run.data.validation)]
    test = [run.positions[problem.id] for problem in run.data.test]
    paths = write_dataset(out, run.task.name, run.order, train, test)
    return f"{len(run.order)} questions: {', '.join(str(path) for path in paths)}"


def _write_for_paper_b(
    run: _Run, out: Path, model: str, template: Template, completions: list[Completion], train_key: str | None = None
) -> None:
    metadata = exporting.completion_metadata(run.task.name, model, template, train_key)
    write_completions(out, metadata, completions)
    place = exporting.completion_path(model, run.task.name, template, train_key)
    run.notes.append(f"Paper B's loader looks for it at saved/completion_data/{place}")
