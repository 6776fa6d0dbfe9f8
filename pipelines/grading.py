"""Grading a file of completions: `tailor grade`.

Owns: the reading and checking of the lines, both graders over them, the summary and the file of verdicts.

Invariants
- Every line is checked before any is graded. A fault names file and line; the first ten are shown, all are counted.
- Verdicts stand in the order of the lines, and the same file gives the same verdicts.
- A completion may be any text. What is checked is the file, its questions and its gold answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipelines.errors import Refused
from reasoning.files.data_error import DataError, ErrorCollector
from reasoning.files.durable import new_file
from reasoning.files.json_files import json_lines, kind_of_value
from reasoning.grading.answers import is_right, judged_answer, judged_part, mentions
from reasoning.grading.extraction.found_answer import How
from reasoning.grading.kinds import KINDS
from reasoning.grading.options import LETTERS, OptionsError, stated_choices
from reasoning.grading.paper_grader import OPTION_LETTERS, PAPER_TASKS, Template, is_paper_gold, paper_grade
from reasoning.records import AnswerKind

MOST_BYTES = 4 * 1024**2  # of one line; a completion of a million characters is far below


class GraderName(StrEnum):
    PAPER = "paper"
    ROBUST = "robust"


class GradingError(Refused):
    """What was asked for cannot be done: an unknown task, a grader without a rule for it, a misplaced option."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One line of the input. `completion` is the text of all fields named, joined as they stand; `finish_reason` is
    None where the line has none."""

    line: int
    gold: str
    completion: str
    choices: tuple[str, ...]
    finish_reason: str | None


@dataclass(frozen=True, slots=True)
class CompletionVerdict:
    """One line of the output. `prediction` is None when no answer was found; `how` says how it was found (robust only);
    `complete` is None where the input does not say how the completion ended."""

    line: int
    gold: str
    prediction: str | None
    correct: bool
    contains_answer: bool
    correct_format: bool
    complete: bool | None
    how: How | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Shares in per cent, to two decimals, as published tables give them. `complete` is None where no line of the input
    has a `finish_reason`."""

    task: str
    n: int
    accuracy: float
    contains_answer: float
    correct_format: float
    complete: float | None


Grader = Callable[[Answered], CompletionVerdict]


def grade_file(
    task: str,
    path: Path,
    fields: Sequence[str] = ("completion",),
    grader: GraderName = GraderName.ROBUST,
    template: Template | None = None,
    out: Path | None = None,
) -> Summary:
    """Grades every line of the JSONL file at `path` and writes the verdicts, one JSON object a line, to `out`.

    A line has `question`, `gold`, the texts named by `fields`, and `finish_reason` where it is known. `template` is
    paper B's, for the grader `paper` (default: zs_cot). Raises `DataError` for faults of the file, naming them all,
    `GradingError` for options that do not go together, or where `out` cannot be written."""
    judge = make_grader(task, grader, template)
    if out is not None and out.resolve() == path.resolve():
        raise GradingError(f"--out {out} is the input itself; name another file for the verdicts")
    verdicts = [judge(answered) for answered in read_answered(path, task, fields, grader)]
    if out is not None:
        try:
            with new_file(out) as part, part.open("w", encoding="utf-8") as file:
                file.writelines(f"{json.dumps(asdict(verdict))}\n" for verdict in verdicts)
        except OSError as error:
            raise GradingError(f"--out {out} cannot be written: {error.strerror or error}") from error
    return summarize(task, verdicts)


def make_grader(task: str, grader: GraderName, template: Template | None = None) -> Grader:
    """The grader called `grader` for one task. Raises `GradingError`."""
    kind = kind_of(task)
    if grader is GraderName.ROBUST:
        if template is not None:
            raise GradingError("--template belongs to --grader paper: the robust grader reads all forms alike")
        return lambda answered: _robust(answered, kind)
    if task not in PAPER_TASKS:
        raise GradingError(f"paper B has no rule for the task {task}; grade it with --grader robust")
    return lambda answered: _paper(answered, task, template or Template.ZS_COT)


def kind_of(task: str) -> AnswerKind:
    """How the answers of a task are read. Raises `GradingError` for an unknown one."""
    from reasoning.tasks.loading import TASKS

    if task not in TASKS:
        raise GradingError(f"unknown task {task!r}; known tasks: {', '.join(sorted(TASKS))}")
    return TASKS[task].answer_kind


def summarize(task: str, verdicts: Sequence[CompletionVerdict]) -> Summary:
    """The shares over `verdicts`, of which there is at least one."""

    def per_cent(count: int) -> float:
        return round(100 * count / len(verdicts), 2)

    said = any(verdict.complete is not None for verdict in verdicts)
    return Summary(
        task=task,
        n=len(verdicts),
        accuracy=per_cent(sum(verdict.correct for verdict in verdicts)),
        contains_answer=per_cent(sum(verdict.contains_answer for verdict in verdicts)),
        correct_format=per_cent(sum(verdict.correct_format for verdict in verdicts)),
        complete=per_cent(sum(verdict.complete is True for verdict in verdicts)) if said else None,
    )


def _paper(answered: Answered, task: str, template: Template) -> CompletionVerdict:
    verdict = paper_grade(answered.completion, answered.gold, task, template)
    return CompletionVerdict(
        line=answered.line,
        gold=answered.gold,
        prediction=verdict.prediction,
        correct=verdict.correct,
        contains_answer=verdict.contains_answer,
        correct_format=verdict.correct_format,
        complete=_complete(answered),
        how=None,
    )


def _robust(answered: Answered, kind: AnswerKind) -> CompletionVerdict:
    """`contains_answer` looks at all that is judged; `correct_format`: the answer has an anchor or leads the text."""
    found = judged_answer(answered.completion, kind, answered.choices)
    correct = is_right(found, answered.gold, kind)
    return CompletionVerdict(
        line=answered.line,
        gold=answered.gold,
        prediction=found.answer or None,
        correct=correct,
        contains_answer=correct or mentions(judged_part(answered.completion), answered.gold, kind, answered.choices),
        correct_format=found.how not in (How.LAST_CANDIDATE, How.NONE),
        complete=_complete(answered),
        how=found.how,
    )


def _complete(answered: Answered) -> bool | None:
    return None if answered.finish_reason is None else answered.finish_reason == "stop"


# Reading ------------------------------------------------------------------------------------------------------------


def read_answered(path: Path, task: str, fields: Sequence[str], grader: GraderName) -> list[Answered]:
    """The lines of the JSONL file at `path`, blank ones left out. Raises `DataError` that names every fault, or says
    that there is nothing to grade."""
    kind = kind_of(task)
    found: list[Answered] = []
    faults = ErrorCollector()
    for line in json_lines(path, MOST_BYTES):
        with faults.caught():
            row = line.value()
            if not isinstance(row, dict):
                raise DataError(
                    line.place, f"a line must be a JSON object, this one is {kind_of_value(row)}", line.cure
                )
            found.append(_answered(row, line.number, line.place, task, kind, fields, grader))
    faults.raise_caught()
    if not found:
        raise DataError(str(path), "the file contains no completions", "give a JSONL file, one object a line")
    return found


def _answered(
    row: dict[str, Any],
    number: int,
    place: str,
    task: str,
    kind: AnswerKind,
    fields: Sequence[str],
    grader: GraderName,
) -> Answered:
    names = list(dict.fromkeys(("question", "gold", *fields)))
    missing = [name for name in names if name not in row]
    if missing:
        has = ", ".join(map(repr, row))[:200] or "nothing"
        wanted = " and no ".join(map(repr, missing))
        raise DataError(place, f"it has no {wanted}, only {has}", "add it, or name the field with --field")
    for name in names:
        if not isinstance(row[name], str) and not (name == "gold" and _is_number(row[name])):
            raise DataError(place, f"its {name!r} is not text but {kind_of_value(row[name])}", "write it as a string")
    if not row["question"].strip():
        raise DataError(place, "its question is empty", "add the question, or remove that line")
    try:
        choices = stated_choices(row["question"]) if KINDS[kind].has_options else ()
    except OptionsError as error:
        raise DataError(place, f"its options cannot be told apart: {error}", "fix the question") from error
    gold = (row["gold"] if isinstance(row["gold"], str) else repr(row["gold"]).removesuffix(".0")).strip()
    what = _gold_fault(gold, task, kind, choices, grader)
    if what:
        raise DataError(place, what, f"a gold answer of {task} is {KINDS[kind].description}")
    reason = row.get("finish_reason")
    completion = "".join(row[field] for field in fields)
    return Answered(number, gold, completion, choices, reason if reason is None else str(reason))


def _gold_fault(gold: str, task: str, kind: AnswerKind, choices: tuple[str, ...], grader: GraderName) -> str:
    """What is wrong with a gold answer, "" when nothing is."""
    shown = repr(gold[:40])
    if not gold:
        return "its gold answer is empty"
    rules = KINDS[kind]
    if rules.has_options:  # where the question does not state them, the task's published set says how many there are
        letters = LETTERS[: len(choices)] if choices else OPTION_LETTERS.get(task, LETTERS)
        if not rules.is_gold(gold, tuple(letters)):
            return f"its gold answer {shown} is not among the choices ({letters[0]} to {letters[-1]})"
    elif not rules.is_gold(gold, ()) and not rules.is_gold(gold.lower(), ()):  # "YES" is published, too
        return f"its gold answer {shown} is not {rules.description}"
    if grader is GraderName.PAPER and not is_paper_gold(gold, task):
        return f"its gold answer {shown} cannot be read by paper B's rule"
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
