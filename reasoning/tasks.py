"""The tasks, and their problems loaded into one shape whatever the source: generated, published file, hub dataset.

Owns: the table of tasks; which questions are train, validation and test; what becomes of repeated ones.

Invariants
- Validation is always cut from train, by the seed. Test is never cut, drawn or chosen by anything of the run: the same
  task has the same test questions in every run.
- No question is in two splits, and none twice in one.
- Without a split of the source's own, train is the first 70 % of `numpy.random.RandomState(0).permutation`, both parts
  sorted: the published splits of paper B (2212.10071).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from reasoning.families import FAMILIES, FamilyExhaustedError, problems
from reasoning.published import (
    DataError,
    Form,
    Record,
    gsm8k_form,
    question_and_answer,
    read_file,
    read_hub,
    read_splits,
    shuffled_objects_form,
    yes_no_form,
)
from reasoning.recipe import TaskSection
from reasoning.records import AnswerKind, Problem, Split

GENERATED_TRAIN, GENERATED_VALIDATION, GENERATED_TEST = 1000, 200, 300
VALIDATION_SHARE = 0.1
_TEST_SEED = 0
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class TaskSpec:
    """One task: how it is answered, and where it comes from.

    `max_new_tokens` is the default limit of an answer of the student, in tokens. `family` generates it (None: nothing
    does). `files` are the names of its published files, each with the split it is (None: it holds all questions).
    `form` reads a published row; `hub_id` and `hub_config` name its dataset (None: give one with `task.hub_id`)."""

    name: str
    answer_kind: AnswerKind
    max_new_tokens: int
    family: str | None = None
    files: tuple[tuple[str, Split | None], ...] = ()
    form: Form = question_and_answer
    hub_id: str | None = None
    hub_config: str | None = None


_SPECS = (
    TaskSpec(
        name="coin_flip",
        answer_kind=AnswerKind.YES_NO,
        max_new_tokens=192,
        family="coin_flip",
        files=(("coin_flip.json", None),),
        form=yes_no_form,
        hub_id="skrishna/coin_flip",
    ),
    TaskSpec(
        name="last_letter_concatenation",
        answer_kind=AnswerKind.TEXT,
        max_new_tokens=192,
        family="last_letter_concatenation",
        files=(("last_letter_concatenation.json", None),),
        hub_id="ChilleD/LastLetterConcat",
    ),
    TaskSpec(
        name="tracking_shuffled_objects",
        answer_kind=AnswerKind.CHOICE,
        max_new_tokens=256,
        family="tracking_shuffled_objects",
        files=(("tracking_shuffled_objects.json", None),),
        form=shuffled_objects_form,
    ),
    TaskSpec(name="arithmetic", answer_kind=AnswerKind.NUMBER, max_new_tokens=192, family="arithmetic"),
    TaskSpec(
        name="gsm8k",
        answer_kind=AnswerKind.NUMBER,
        max_new_tokens=256,
        files=(("gsm8k_train.jsonl", Split.TRAIN), ("gsm8k_test.jsonl", Split.TEST)),
        form=gsm8k_form,
        hub_id="openai/gsm8k",
        hub_config="main",
    ),
)
TASKS: dict[str, TaskSpec] = {spec.name: spec for spec in _SPECS}


@dataclass(frozen=True)
class TaskData:
    """A task's problems. `notes` say, one sentence each, what a reader of the results should know about the data."""

    train: tuple[Problem, ...]
    validation: tuple[Problem, ...]
    test: tuple[Problem, ...]
    notes: tuple[str, ...] = ()


def load_problems(task: TaskSection, seed: int) -> TaskData:
    """The problems that a recipe's `task` section asks for. Raises `DataError`."""
    spec = TASKS.get(task.name)
    if spec is None:
        raise DataError("task.name", f"no task {task.name!r}", f"known are {', '.join(sorted(TASKS))}")
    if task.source == "generated":
        return _generated(spec, task, seed)
    records = _from_files(spec, task) if task.source == "file" else _from_hub(spec, task)
    train, test, notes = _without_repetitions(spec, *_split(records, task.splits))
    return _limited(train, test, task, seed, notes)


def split_positions(count: int) -> tuple[list[int], list[int]]:
    """Train and test positions of `count` questions that come without a split (paper B's rule; sorted, 70 to 30)."""
    order = np.random.RandomState(0).permutation(count)
    cut = round(count * 0.7)
    return sorted(order[:cut].tolist()), sorted(order[cut:].tolist())


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


def _from_files(spec: TaskSpec, task: TaskSection) -> list[Record]:
    if not spec.files:
        raise DataError("task.source", f"{spec.name} has no published file", "use source: generated")
    path = Path(task.path or "").expanduser()
    names = [name for name, _ in spec.files]
    if path.name in names and all((path.parent / name).exists() for name in names):
        path = path.parent  # one file of the set stands for the set
    if not path.is_dir():
        return read_file(path, spec.form, spec.answer_kind)
    return [
        record for name, split in spec.files for record in read_file(path / name, spec.form, spec.answer_kind, split)
    ]


def _from_hub(spec: TaskSpec, task: TaskSection) -> list[Record]:
    dataset = task.hub_id or (str(task.path) if task.path else spec.hub_id)
    if dataset is None:
        raise DataError("task.hub_id", f"{spec.name} has no hub dataset of its own here", "give one with task.hub_id")
    return read_hub(dataset, spec.hub_config, spec.form, spec.answer_kind)


def _split(records: list[Record], splits: Path | None) -> tuple[list[Record], list[Record]]:
    """Train and test: by the split file, else as the source says, else by paper B's rule."""
    if splits is not None:
        train, test = read_splits(Path(splits).expanduser(), len(records))
    elif any(record.split is Split.TEST for record in records):
        train = [i for i, record in enumerate(records) if record.split is Split.TRAIN]
        test = [i for i, record in enumerate(records) if record.split is Split.TEST]
    else:
        train, test = split_positions(len(records))
    return [records[i] for i in train], [records[i] for i in test]


def _without_repetitions(
    spec: TaskSpec, train: list[Record], test: list[Record]
) -> tuple[list[Problem], list[Problem], list[str]]:
    """Each question once: the first of a split stays, and one that is also a test question leaves train.

    Published sets do repeat questions (MultiArith: 20 of 600), so that is noted, not refused. Raises `DataError` when
    the same question has different answers: one of them is wrong."""
    seen: dict[str, Record] = {}
    parts: list[list[Problem]] = []
    for split, records in ((Split.TEST, test), (Split.TRAIN, train)):
        part: list[Problem] = []
        for record in records:
            key = _SPACES.sub(" ", record.stated.question)
            first = seen.setdefault(key, record)
            if first is record:
                stated = record.stated
                part.append(Problem(spec.name, stated.question, stated.answer, spec.answer_kind, split, stated.choices))
            elif first.stated.answer != record.stated.answer:
                answers = f"{record.stated.answer[:40]!r} here, {first.stated.answer[:40]!r} in {first.place}"
                raise DataError(
                    record.place, f"a question that is there twice, its answer {answers}", "remove the wrong one"
                )
        parts.append(part)
    repeated = len(train) + len(test) - len(seen)
    notes = [f"{repeated} repeated questions left out (the first is kept, in test rather than in train)."]
    return parts[1], parts[0], notes if repeated else []


def _limited(train: list[Problem], test: list[Problem], task: TaskSection, seed: int, notes: list[str]) -> TaskData:
    """Cuts validation out of train and applies the recipe's limits: validation and train drawn by the seed, test by a
    fixed one; each keeps the source's order."""
    if len(train) < 2 or not test:
        what = f"{len(train)} training and {len(test)} test questions are too few to learn and to judge"
        raise DataError(f"task {task.name}", what, "give more questions, or another split file")
    wanted = task.validation or max(1, round(len(train) * VALIDATION_SHARE))
    size = min(wanted, len(train) // 2)
    if size < wanted:
        notes.append(f"Validation is {size} questions, half of train, instead of {wanted}.")
    chosen = {problem.id for problem in _drawn(train, size, seed)}
    validation = [replace(problem, split=Split.VALIDATION) for problem in train if problem.id in chosen]
    rest = [problem for problem in train if problem.id not in chosen]
    return TaskData(
        train=tuple(_drawn(rest, task.train, seed)),
        validation=tuple(validation),
        test=tuple(_drawn(test, task.test, _TEST_SEED)),
        notes=tuple(notes),
    )


def _drawn(part: Sequence[Problem], limit: int | None, seed: int) -> list[Problem]:
    """At most `limit` of `part`, drawn by `seed`, in the order of `part`; a greater limit adds to a smaller one's."""
    if limit is None or limit >= len(part):
        return list(part)
    return [part[i] for i in sorted(np.random.default_rng(seed).permutation(len(part))[:limit].tolist())]
