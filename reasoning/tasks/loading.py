"""The tasks' problems, loaded into one shape whatever the source: generated, file, hub dataset.

Owns: which questions are train, validation and test, and what a reader of the results should know about them.

Invariants
- Validation is always cut from train, by the seed. Test is never cut, drawn or chosen by anything of the run: the same
  task has the same test questions in every run.
- No question is in two splits, and none twice in one (a recipe may count repeated test questions, see `repeated`); of a
  task of the user's own, no training question is a test question in other words (see `near_test`).
- Without a split of the source's own, the split is that of a rule of `reasoning.tasks.splits`: paper B's (2212.10071).
- What cannot be used is refused here, all of it at once, before a run starts.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reasoning.files.data_error import DataError, ErrorCollector
from reasoning.grading.answers import is_answer
from reasoning.recipe.task import TaskSection
from reasoning.records import AnswerKind, Problem, Split
from reasoning.tasks.class_labels import with_class_names
from reasoning.tasks.counted_options import refuse_counts_from_one
from reasoning.tasks.data_files.reading import read_path
from reasoning.tasks.data_files.source_row import MAX_ROW, SourceRow
from reasoning.tasks.families import FAMILIES, FamilyExhaustedError, problems
from reasoning.tasks.missing_fields import without_fields
from reasoning.tasks.repetitions.near import Question, answers_told, near_the_test
from reasoning.tasks.repetitions.same import Kept, Record, without_repetitions
from reasoning.tasks.rows import Stated, read_row
from reasoning.tasks.sources import HubDataset, read_hub
from reasoning.tasks.splits import (
    Positions,
    read_splits,
    seeded_part,
    shot_order,
    split_column_note,
    split_positions,
    subset_positions,
    template_positions,
)
from reasoning.tasks.table import TASKS, TaskSpec, spec_of

__all__ = ["TASKS", "TaskData", "TaskSpec", "load_problems", "questions_in_order", "spec_of", "split_positions"]

GENERATED_TRAIN, GENERATED_VALIDATION, GENERATED_TEST = 1000, 200, 300
VALIDATION_SHARE = 0.1
_TEST_SEED = 0


@dataclass(frozen=True)
class TaskData:
    """A task's problems. `notes` say, one sentence each, what a reader of the results should know about the data."""

    train: tuple[Problem, ...]
    validation: tuple[Problem, ...]
    test: tuple[Problem, ...]
    notes: tuple[str, ...] = ()


def load_problems(task: TaskSection, seed: int, *, learns: bool = True) -> TaskData:
    """The problems that a recipe's `task` section asks for. With `learns` False, for an exam alone, test questions
    without training questions do, and train and validation are then empty. Raises `DataError`."""
    spec = spec_of(task)
    if task.source == "generated":
        return _generated(spec, task, seed)
    spec, rows, told = _rows(spec, task, learns)
    (train, test), records, notes = _split(spec, task, rows)
    kept = without_repetitions(
        {i: records[i] for i in train},
        {i: records[i] for i in test},
        all_of_test=task.repeated == "keep",
        published=not spec.own,
    )
    if spec.own and task.near_test == "leave_out":
        kept = _without_near_ones(kept)
    places = {record.key: i for i, record in kept.train.items()}
    shots = [places[key] for key in dict.fromkeys(records[i].key for i in shot_order(train)) if key in places]
    return _data(spec, task, seed, kept, shots[: task.shots or 0], [*told, *notes, *kept.notes], learns)


def questions_in_order(task: TaskSection) -> list[Stated]:
    """All questions of a file or a hub dataset as its splits count them, repeated ones included: train before test
    where they stand apart and are there. Raises `DataError`."""
    spec = spec_of(task)
    if task.source == "generated":
        raise DataError("task.source", "generated questions have no order that splits count", "use source: file or hub")
    spec, rows, _ = _rows(spec, task, learns=False)
    return [record.stated for record in _records(spec, rows, range(len(rows))).values()]


def _generated(spec: TaskSpec, task: TaskSection, seed: int) -> TaskData:
    if spec.family is None:
        generated = ", ".join(name for name, other in TASKS.items() if other.family)
        cure = f"use source: file with path, or source: hub; generated are {generated}"
        raise DataError("task.source", f"{spec.name} is not a generated task", cure)
    family = FAMILIES[spec.family]
    try:
        return TaskData(
            train=tuple(problems(family, seed, Split.TRAIN, task.train or GENERATED_TRAIN)),
            validation=tuple(problems(family, seed, Split.VALIDATION, task.validation or GENERATED_VALIDATION)),
            test=tuple(problems(family, _TEST_SEED, Split.TEST, task.test or GENERATED_TEST)),
        )
    except FamilyExhaustedError as error:
        raise DataError("task", str(error), "lower task.train, task.validation or task.test") from error


# Rows ---------------------------------------------------------------------------------------------------------------


def _rows(spec: TaskSpec, task: TaskSection, learns: bool) -> tuple[TaskSpec, list[SourceRow], list[str]]:
    """The task with the options that its source names, all rows of the source, and what a reader should know of where
    they were found."""
    if task.source == "hub":
        return *_with_classes(spec, _from_hub(spec, task)), []
    rows: list[SourceRow] = []
    notes: list[str] = []
    faults = ErrorCollector()
    for path, split in _files(spec, task, learns):
        with faults.caught():
            found, told = read_path(path, split)
            rows += found
            notes += told
    faults.raise_caught()
    return *_with_classes(spec, rows), notes


def _with_classes(spec: TaskSpec, rows: list[SourceRow]) -> tuple[TaskSpec, list[SourceRow]]:
    if not spec.own or spec.fields is None:
        return spec, rows
    named, fields = with_class_names(rows, spec.fields, spec.answer_kind)
    return replace(spec, fields=fields), list(named)


def _files(spec: TaskSpec, task: TaskSection, learns: bool) -> list[tuple[Path, Split | None]]:
    """The files to read, in order, and which split each is. A file of a set stands for the set."""
    path = Path(task.path).expanduser() if task.path else None
    if task.test_path is not None:
        return [*([(path, Split.TRAIN)] if path else []), (Path(task.test_path).expanduser(), Split.TEST)]
    assert path is not None  # the recipe says so
    if not spec.own and not spec.files:
        raise DataError("task.source", f"{spec.name} has no published file", "use source: generated")
    if spec.own:
        return [(path, None)]
    sets = [files for files in (spec.files, spec.other_files) if files]
    folder = path if path.is_dir() else path.parent
    if not path.is_dir():
        if len(spec.files) < 2 or task.splits is not None or not path.exists():
            return [(path, None)]
        sets = [files for files in sets if path.name in dict(files)]
        if not sets:
            what = f"{spec.name} is published in files for training and for the test, and this may be either"
            raise DataError(str(path), what, "give the one as task.path and the other as task.test_path")
    there = [files for files in sets if any((folder / name).exists() for name, _ in files)] or sets
    found: list[tuple[Path, Split | None]] = []
    for name, split in there[0]:
        if (folder / name).exists():
            found.append((folder / name, split))
        elif learns or split is not Split.TRAIN:
            alone = "; its test questions alone can be examined with `tailor eval`" if split is Split.TRAIN else ""
            raise DataError(str(folder / name), "no such file", f"put it there, or use source: hub{alone}")
    return found


def _from_hub(spec: TaskSpec, task: TaskSection) -> list[SourceRow]:
    given = task.hub_id or (str(task.path) if task.path else None)
    source = spec.hub.source if spec.hub else None
    if given is not None:
        source = replace(source or HubDataset(given), dataset=given, folder=None, revision=None)
    if source is None:
        raise DataError("task.hub_id", f"{spec.name} has no hub dataset of its own here", "give one with task.hub_id")
    rows = read_hub(replace(source, config=task.hub_config, config_asked=True) if task.hub_config else source)
    hub = spec.hub
    if hub is None or hub.options is None or hub.fields is None:
        return rows
    name = hub.fields.choices or ""
    return [row for row in rows if not isinstance(row.content.get(name), list) or len(row.content[name]) == hub.options]


# Splits -------------------------------------------------------------------------------------------------------------


def _split(spec: TaskSpec, task: TaskSection, rows: list[SourceRow]) -> tuple[Positions, dict[int, Record], list[str]]:
    """Train and test positions, the records at them, and notes. Rows that neither has are not judged."""
    everything = range(len(rows))
    notes: list[str] = []
    if task.source == "hub" and not task.hub_id and not task.path and spec.hub and not spec.hub.published_order:
        notes.append(
            f"{spec.hub.source.dataset} is a mirror of {spec.name}, whose split is its own or follows its own order: "
            "its numbers are not comparable with published ones."
        )
    if task.splits is not None:
        cut = read_splits(Path(task.splits).expanduser(), len(rows))
    elif any(row.split is Split.TEST for row in rows):
        if task.split == "template":
            cure = "a template split is for a set that has none of its own; use split: default"
            raise DataError("task.split", f"the source of {spec.name} has a split of its own", cure)
        train = [i for i in everything if rows[i].split is not Split.TEST]
        test = [i for i in everything if rows[i].split is Split.TEST]
        cut = (subset_positions(train, spec.train_size or len(train)), test)
        if len(cut[0]) < len(train):
            notes.append(
                f"{len(cut[0])} of {len(train)} training questions are learnt from, drawn as paper B draws them."
            )
    elif task.split == "template":
        records = _records(spec, rows, everything)
        return template_positions([spec.template(records[i].stated.stem) for i in everything]), records, notes
    else:
        cut = split_positions(len(rows))
        notes += split_column_note(rows) if spec.own else []
    # options are shuffled by one random stream over all rows
    wanted = everything if spec.option_seed is not None else sorted(cut[0] + cut[1])
    return cut, _records(spec, rows, wanted), notes


def _records(spec: TaskSpec, rows: list[SourceRow], positions: Sequence[int]) -> dict[int, Record]:
    shuffle = random.Random(spec.option_seed) if spec.option_seed is not None else None
    records: dict[int, Record] = {}
    faults = ErrorCollector()
    foreign: set[int] = set()
    for others, fault in without_fields({position: rows[position] for position in positions}, spec.forms, spec.own):
        faults.add(fault)
        foreign.update(others)
    if spec.own and spec.fields is not None and not foreign and spec.answer_kind is AnswerKind.CHOICE:
        with faults.caught():
            refuse_counts_from_one([rows[position] for position in positions], spec.fields)
    for position in positions:
        if position in foreign:
            continue
        row = rows[position]
        with faults.caught():
            records[position] = Record(_stated(spec, row, shuffle), row.place)
    faults.raise_caught()
    return records


def _stated(spec: TaskSpec, row: SourceRow, shuffle: random.Random | None) -> Stated:
    cure = "fix or remove it"
    try:
        stated = read_row(row.content, spec.forms, spec.rules, shuffle)
        text = f"{stated.question}{stated.answer}{''.join(stated.aliases)}".encode()
    except UnicodeEncodeError as error:
        raise DataError(row.place, "it contains an unpaired surrogate, which is not valid text", cure) from error
    except ValueError as error:
        raise DataError(row.place, str(error), cure) from error
    if len(text) > MAX_ROW:
        what = f"a question of {len(text) / 2**20:.1f} MiB, and it has at most {MAX_ROW >> 20}"
        raise DataError(row.place, what, cure)
    for gold in (stated.answer, *stated.aliases):
        if not is_answer(gold, spec.rules, stated.choices):
            what = f"its answer {gold[:40]!r} is not {spec.rules.description}"
            raise DataError(row.place, what, cure)
    return stated


def _without_near_ones(kept: Kept) -> Kept:
    """Train without the questions that are test questions in other words."""
    tests = (_comparable(record) for record, occurrence in kept.test if not occurrence)
    near, notes = near_the_test({i: _comparable(record) for i, record in kept.train.items()}, tests)
    train = {i: record for i, record in kept.train.items() if i not in near}
    return Kept(train, kept.test, (*kept.notes, *notes))


def _comparable(record: Record) -> Question:
    """A question by its words, without its options."""
    stated = record.stated
    answers = answers_told((stated.answer, *stated.aliases), stated.choices)
    return Question(stated.stem or stated.question, answers, record.place)


# Problems -----------------------------------------------------------------------------------------------------------


def _data(
    spec: TaskSpec, task: TaskSection, seed: int, kept: Kept, shots: list[int], notes: list[str], learns: bool
) -> TaskData:
    """Cuts validation out of train and applies the recipe's limits: validation and train drawn by the seed, test by a
    fixed one; each keeps the source's order. Of an n-shot recipe train is the `shots` (positions), and validation is
    cut from the training questions that are none."""
    test = [_problem(spec, record, Split.TEST, occurrence) for record, occurrence in kept.test]
    tested = tuple(seeded_part(test, task.test, _TEST_SEED))
    if not kept.train and test and not learns:
        return TaskData(
            (),
            (),
            tested,
            (*notes, "The data has test questions only: it can be used for evaluation, not for training."),
        )
    train = {position: _problem(spec, record, Split.TRAIN) for position, record in kept.train.items()}
    if len(train) < 2 or not test:
        what = f"{len(train)} training and {len(test)} test questions are too few to learn and to judge"
        raise DataError(f"task {task.name}", what, "give more questions, or another split file")
    if task.shots and task.shots >= len(train):
        cure = f"set at most {len(train) - 1}: validation is cut from the training questions that are not shots"
        raise DataError("task.shots", f"{task.shots} shots of {len(train)} training questions", cure)
    chosen = set(shots)
    free = [problem for position, problem in train.items() if position not in chosen]
    most = len(free) if shots else len(free) // 2
    wanted = task.validation or max(1, round(len(train) * VALIDATION_SHARE))
    if wanted > most:
        part = "all training questions that are not shots" if shots else "half of train"
        notes.append(f"Validation is {most} questions, {part}, instead of {wanted}.")
    validation = seeded_part(free, min(wanted, most), seed)
    held_out = {problem.id for problem in validation}
    learnt = [problem for problem in free if problem.id not in held_out]
    return TaskData(
        train=tuple(train[i] for i in sorted(shots)) if shots else tuple(seeded_part(learnt, task.train, seed)),
        validation=tuple(replace(problem, split=Split.VALIDATION) for problem in validation),
        test=tested,
        notes=tuple(notes),
    )


def _problem(spec: TaskSpec, record: Record, split: Split, occurrence: int = 0) -> Problem:
    stated = record.stated
    return Problem(
        spec.name,
        stated.question,
        stated.answer,
        spec.answer_kind,
        split,
        stated.choices,
        occurrence,
        aliases=stated.aliases,
        settings=spec.settings,
        grader=spec.grader,
    )
