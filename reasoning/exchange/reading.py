"""One way in: any file that import knows, read into records of a task's problems.

Owns: which reader a format has, and what a recipe's imported files are read with. Tables that this project wrote
(Parquet) are read as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from reasoning.exchange.formats import Format, detect
from reasoning.exchange.importing import (
    Imported,
    Matched,
    attempts_in,
    joined,
    match_solutions,
    mistakes_in,
    rationales_of,
)
from reasoning.exchange.paper_a import read_answers
from reasoning.exchange.paper_b_completions import read_completions, solutions_of
from reasoning.exchange.paper_b_finetune import read_finetune
from reasoning.exchange.recordings import read_recorded_solutions
from reasoning.exchange.solutions import SolutionFile
from reasoning.files.data_error import DataError
from reasoning.files.tables import TableError, read_table
from reasoning.records import Mistake, Problem, Rationale

_PROMPT = {Format.A_RATIONALES: "paper-a", Format.B_FINETUNE: "paper-b", Format.RECORDED: "recorded"}


def read_solutions(path: Path, format: Format) -> SolutionFile:
    """The worked solutions in a file of `format`. Raises `DataError`."""
    match format:
        case Format.A_RATIONALES | Format.A_MISTAKES:
            return read_answers(path)
        case Format.B_COMPLETIONS:
            return solutions_of(read_completions(path))
        case Format.B_FINETUNE:
            return read_finetune(path)
        case Format.RECORDED:
            return read_recorded_solutions(path)
        case Format.B_PROMPTS:
            what = "worked examples for a few-shot prompt, which are not solutions to a task's questions"
            raise DataError(str(path), what, "import it as demonstrations: --out NAME.yaml")
        case Format.B_DATASET:
            raise DataError(str(path), "questions without solutions", "import it as a task's file: --out NAME.json")


def match_file(
    path: Path, problems: Iterable[Problem], format: Format | None = None, keep_truncated: bool = False
) -> Matched:
    """The solutions in the file at `path`, each with its problem. Raises `DataError`."""
    return match_solutions(read_solutions(path, format or detect(path)), problems, keep_truncated)


def read_imported(
    path: Path,
    problems: Sequence[Problem],
    format: Format | None = None,
    *,
    round: int = 0,
    model: str = "",
    prompt: str = "",
    keep_truncated: bool = False,
) -> Imported:
    """The records in the file at `path`: rationales, mistakes, or a student's attempts with their mistakes. `format` is
    recognised where it is not given. Raises `DataError`."""
    format = format or detect(path)
    if format is Format.A_MISTAKES:
        return mistakes_in(match_file(path, problems, format), round)
    if format is Format.B_COMPLETIONS:
        file = read_completions(path)
        if file.template is not None and file.template.reasons and not file.template.of_teacher:
            return attempts_in(file, problems, round)
    matched = match_file(path, problems, format, keep_truncated)
    return rationales_of(matched, round, model=model, prompt=prompt or _PROMPT.get(format, ""))


def imported_records(rationales: Path | None, mistakes: Path | None, problems: Sequence[Problem]) -> Imported:
    """What a run begins with: the rationales and mistakes of two files, each a table that `tailor import` wrote or a
    published file itself. Records of questions that are not among `problems` are left out and counted. Raises
    `DataError`, also when nothing is left of a file."""
    parts = []
    for path, wanted in ((rationales, "rationales"), (mistakes, "mistakes")):
        if path is None:
            continue
        of_paper_a = Format.A_RATIONALES if wanted == "rationales" else Format.A_MISTAKES
        found = (
            _table(path, wanted)
            if path.suffix == ".parquet"
            else read_imported(path, problems, detect(path, of_paper_a))
        )
        parts.append(_of_problems(found, wanted, {problem.id for problem in problems}, path))
    return joined(parts)


def _table(path: Path, wanted: str) -> Imported:
    try:
        if wanted == "rationales":
            return Imported(rationales=tuple(read_table(path, Rationale)))
        return Imported(mistakes=tuple(read_table(path, Mistake)))
    except TableError as error:
        raise DataError(str(path), f"not a table of {wanted} ({error})", "write it with tailor import") from error


def _of_problems(found: Imported, wanted: str, ids: set[str], path: Path) -> Imported:
    rationales = tuple(one for one in found.rationales if one.problem_id in ids) if wanted == "rationales" else ()
    mistakes = tuple(one for one in found.mistakes if one.problem_id in ids) if wanted == "mistakes" else ()
    count = len(found.rationales if wanted == "rationales" else found.mistakes)
    used = len(rationales) + len(mistakes)
    if not used:
        first = f" (the first reason: {found.faults[0]})" if found.faults else ""
        what = f"none of its {wanted} is about a training question of this run{first}"
        raise DataError(str(path), what, "give the file of this task, in the wording of its data")
    other = [f"{path}: {count - used} {wanted} of questions that this run does not train on."] if used < count else []
    return Imported(rationales, mistakes, faults=found.faults, notes=(*found.notes, *other))
