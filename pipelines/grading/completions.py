"""Grading a file of completions: `tailor grade`.

Owns: the reading and checking of the lines, both graders over them, the summary and the file of verdicts.

Invariants
- Every line is checked before any is graded. A fault names file and line; the first ten are shown, all are counted.
- Verdicts stand in the order of the lines, and the same file gives the same verdicts.
- A completion may be any text. What is checked is the file, its questions and its gold answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.errors import Refused
from pipelines.run.options import GraderName
from reasoning.files.data_error import DataError, ErrorCollector
from reasoning.files.durable import new_file
from reasoning.files.json_files import json_lines, kind_of_value, repeated_key
from reasoning.grading.answers import grade, is_right, judged_answer, judged_part, mentions
from reasoning.grading.extraction.found_answer import How
from reasoning.grading.kinds import AnswerRules
from reasoning.grading.net import in_net
from reasoning.grading.options import LETTERS, NO_OPTIONS, OptionsError, stated_choices
from reasoning.grading.own_grader import GraderError, load_grader
from reasoning.grading.paper_grader import OPTION_LETTERS, PAPER_TASKS, Template, is_paper_gold, paper_grade
from reasoning.recipe.task import TaskSection
from reasoning.records import AnswerKind, Problem, Split, Verdict
from reasoning.teacher.finish_reasons import is_whole

MOST_BYTES = 4 * 1024**2  # of one line; a completion of a million characters is far below


class GradingError(Refused):
    """What was asked for cannot be done: an unknown task, a grader without a rule for it, a misplaced option."""


@dataclass(frozen=True, slots=True)
class GradedTask:
    """How the answers of a task are read: of one of the table by its kind, of one of a recipe's by its `form` too."""

    name: str
    kind: AnswerKind
    rules: AnswerRules
    settings: str = ""
    grader: str = ""
    choices: tuple[str, ...] = ()
    answer_after: str = ""
    own: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """One line of the input. `gold` is the (first) gold answer as it stands there, `golds` are all that are right.
    `completion` is the text of all fields named, joined as they stand; `finish_reason` is
    None where the line has none."""

    line: int
    question: str
    gold: str
    golds: tuple[str, ...]
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
    task: str | TaskSection,
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
    graded = task_of(task)
    judge = make_grader(graded, grader, template)
    if out is not None and out.resolve() == path.resolve():
        raise GradingError(f"--out {out} is the input itself; name another file for the verdicts")
    every = read_answered(path, graded, fields, grader)
    verdicts = [in_net(f"in line {one.line}", partial(judge, one), _not_graded(one)) for one in every]
    if out is not None:
        try:
            with new_file(out) as part, part.open("w", encoding="utf-8") as file:
                file.writelines(f"{json.dumps(asdict(verdict))}\n" for verdict in verdicts)
        except OSError as error:
            raise GradingError(f"--out {out} cannot be written: {error.strerror or error}") from error
    return summarize(graded.name, verdicts)


def make_grader(task: GradedTask, grader: GraderName, template: Template | None = None) -> Grader:
    """The grader called `grader` for one task. Raises `GradingError`."""
    if grader is GraderName.ROBUST:
        if template is not None:
            raise GradingError("--template belongs to --grader paper: the robust grader reads all forms alike")
        if task.grader:
            try:
                load_grader(task.grader)
            except GraderError as error:
                raise GradingError(str(error)) from error
        return lambda answered: _robust(answered, task)
    if task.name not in PAPER_TASKS or task.own:
        raise GradingError(f"paper B has no rule for the task {task.name}; grade it with --grader robust")
    return lambda answered: _paper(answered, task.name, template or Template.ZS_COT)


def task_of(task: str | TaskSection) -> GradedTask:
    """The task of the table that is called so, or the one of a recipe. Raises `GradingError` for an unknown one, and
    `DataError` for a recipe's."""
    from reasoning.tasks.loading import TASKS, spec_of

    if isinstance(task, str):
        if task not in TASKS:
            known = ", ".join(sorted(TASKS))
            cure = "give a task of your own with --recipe"
            raise GradingError(f"unknown task {task!r}; known tasks: {known}; {cure}")
        return GradedTask(task, TASKS[task].answer_kind, TASKS[task].rules)
    spec = spec_of(task)
    shared = spec.fields.same_choices if spec.fields else ()
    after = spec.fields.answer_after if spec.fields else ""
    return GradedTask(spec.name, spec.answer_kind, spec.rules, spec.settings, spec.grader, shared, after, spec.own)


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


def _not_graded(answered: Answered) -> CompletionVerdict:
    """Of a completion that a grader raises on."""
    return CompletionVerdict(
        line=answered.line,
        gold=answered.gold,
        prediction=None,
        correct=False,
        contains_answer=False,
        correct_format=False,
        complete=_complete(answered),
        how=None,
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


def _robust(answered: Answered, task: GradedTask) -> CompletionVerdict:
    """`contains_answer` looks at all that is judged; `correct_format`: the answer has an anchor or leads the text."""
    found = judged_answer(answered.completion, task.rules, answered.choices, answered.question)
    if task.grader:
        correct = _own_verdict(answered, task) is Verdict.CORRECT
    else:
        correct = any(is_right(found, gold, task.rules) for gold in answered.golds)
    said = judged_part(answered.completion)
    return CompletionVerdict(
        line=answered.line,
        gold=answered.gold,
        prediction=found.answer or None,
        correct=correct,
        contains_answer=correct or any(mentions(said, gold, task.rules, answered.choices) for gold in answered.golds),
        correct_format=found.how not in (How.LAST_CANDIDATE, How.NONE),
        complete=_complete(answered),
        how=found.how,
    )


def _own_verdict(answered: Answered, task: GradedTask) -> Verdict:
    """The user's own grader reads the completion as exams do: complete, and without thinking."""
    first, *others = answered.golds
    problem = Problem(
        task.name,
        answered.question,
        first,
        task.kind,
        Split.TEST,
        answered.choices,
        aliases=tuple(others),
        settings=task.settings,
        grader=task.grader,
    )
    try:
        return grade(answered.completion, True, problem)[1]
    except GraderError as error:
        raise GradingError(f"line {answered.line}: {error}") from error


def _complete(answered: Answered) -> bool | None:
    return None if answered.finish_reason is None else is_whole(answered.finish_reason)


# Reading ------------------------------------------------------------------------------------------------------------


def read_answered(path: Path, task: GradedTask, fields: Sequence[str], grader: GraderName) -> list[Answered]:
    """The lines of the JSONL file at `path`, blank ones left out. Raises `DataError` that names every fault, or says
    that there is nothing to grade."""
    found: list[Answered] = []
    faults = ErrorCollector()
    for line in json_lines(path, MOST_BYTES):
        with faults.caught():
            row = line.value(strict=True)
            if not isinstance(row, dict):
                raise DataError(
                    line.place, f"a line must be a JSON object, this one is {kind_of_value(row)}", line.cure
                )
            if twice := repeated_key(row, line.place):
                raise twice
            found.append(_answered(row, line.number, line.place, task, fields, grader))
    faults.raise_caught()
    if not found:
        raise DataError(str(path), "the file contains no completions", "give a JSONL file, one object a line")
    return found


def _answered(
    row: dict[str, Any],
    number: int,
    place: str,
    task: GradedTask,
    fields: Sequence[str],
    grader: GraderName,
) -> Answered:
    names = list(dict.fromkeys(("question", "gold", *fields)))
    missing = [name for name in names if name not in row]
    if missing:
        has = ", ".join(map(repr, row))[:200] or "nothing"
        wanted = " and no ".join(map(repr, missing))
        raise DataError(place, f"it has no {wanted}, only {has}", _cure_of(missing, fields, row))
    for name in names:
        if not isinstance(row[name], str) and not (name == "gold" and _may_be_gold(row[name])):
            raise DataError(place, f"its {name!r} is not text but {kind_of_value(row[name])}", "write it as a string")
    if not row["question"].strip():
        raise DataError(place, "its question is empty", "add the question, or remove that line")
    rules = task.rules
    try:
        choices = stated_choices(row["question"]) or task.choices if rules.has_options else ()
    except OptionsError as error:
        raise DataError(place, f"its options cannot be told apart: {error}", "fix the question") from error
    gold, golds, what = _golds(row["gold"], task, choices, grader)
    if what:
        raise DataError(place, what, f"a gold answer of {task.name} is {rules.description}")
    reason = row.get("finish_reason")
    completion = "".join(row[field] for field in fields)
    said = reason if reason is None else str(reason)
    return Answered(number, row["question"], gold, golds, completion, choices, said)


def _cure_of(missing: Sequence[str], fields: Sequence[str], row: Mapping[str, Any]) -> str:
    if "gold" in missing and "answer" in row and "answer" not in fields:
        return "call the right answer 'gold', not 'answer'; --field names what is graded"
    return "add it" if not set(missing) & set(fields) else "add it, or name the field with --field"


def _golds(
    value: Any, task: GradedTask, choices: tuple[str, ...], grader: GraderName
) -> tuple[str, tuple[str, ...], str]:
    """A line's gold answer as it is told, all that are right, and what is wrong with it, "" when nothing is."""
    golds: tuple[str, ...] = ()
    shown = ""
    try:
        written = [_text(one) for one in (value if isinstance(value, list) else [value])]
        shown = written[0] if written else ""
        for gold in written:
            after = gold.rpartition(task.answer_after)[2].strip() if task.answer_after else gold
            golds += _read_gold(after, task, choices)
        if isinstance(value, list) and task.rules.lists_are_answers:
            golds = task.rules.golds_in_row(value)
    except ValueError as error:
        return shown, golds, str(error)
    if not golds:
        return shown, golds, "its gold answer is empty"
    if grader is GraderName.PAPER and not is_paper_gold(shown, task.name):
        return shown, golds, f"its gold answer {shown[:40]!r} cannot be read by paper B's rule"
    return shown, golds, ""


def _read_gold(gold: str, task: GradedTask, choices: tuple[str, ...]) -> tuple[str, ...]:
    """The right answers that a text states. Raises `ValueError`."""
    if not gold:
        raise ValueError("its gold answer is empty")
    from reasoning.tasks.rows import golds_in

    rules, shown = task.rules, repr(gold[:40])
    if not rules.has_options:
        try:
            golds = golds_in(gold, rules, NO_OPTIONS, solved="\\boxed{" in gold)
        except ValueError:
            golds = ()
        if not golds or not all(rules.is_gold(one, ()) for one in golds):
            raise ValueError(f"its gold answer {shown} is not {rules.description}")
        return golds
    # where the question does not state them, the task's published set says how many there are
    letters = LETTERS[: len(choices)] if choices else OPTION_LETTERS.get(task.name, LETTERS)
    if gold in choices:
        return (LETTERS[choices.index(gold)],)
    if not rules.is_gold(gold, tuple(letters)):
        raise ValueError(f"its gold answer {shown} is not among the choices ({letters[0]} to {letters[-1]})")
    return (gold,)


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else repr(value).removesuffix(".0")).strip()


def _may_be_gold(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(one, str) or _may_be_gold(one) for one in value)
    return isinstance(value, int | float) and not isinstance(value, bool)
