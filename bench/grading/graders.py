"""Both graders on a real teacher's recorded answers: paper B's rule and ours, and every answer they disagree on.

    python -m bench.grading.graders --data DIR [--out FILE]

DIR holds `recorded_teacher/*.jsonl`, one file a task. Paper B's rule (template zs_cot) reads `answer_completion` alone,
as published; ours reads the whole completion: rationale, trigger, answer. Prints one row a task; FILE (Markdown) gets
the table and all disagreements, in verdict or in the answer found.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.grading.completions import Answered, CompletionVerdict, GraderName, make_grader, read_answered, task_of
from reasoning.files.json_files import json_lines
from reasoning.grading.answers import same_answer
from reasoning.records import AnswerKind

PAPER_FIELDS = ("answer_completion",)
WHOLE_FIELDS = ("rationale", "answer_trigger", "answer_completion")
_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Compared:
    """One recorded answer under both graders."""

    question: str
    answer_part: Answered
    whole: Answered
    paper: CompletionVerdict
    robust: CompletionVerdict


@dataclass(frozen=True, slots=True)
class Row:
    """One task. Accuracies in per cent; `agree` counts equal verdicts, the last two those right by one alone."""

    task: str
    n: int
    paper: float
    robust: float
    agree: int
    paper_only: int
    robust_only: int


def compare(path: Path, task: str) -> list[Compared]:
    """Both verdicts on every line of a recorded file. Raises `DataError`."""
    parts = read_answered(path, task_of(task), PAPER_FIELDS, GraderName.PAPER)
    wholes = read_answered(path, task_of(task), WHOLE_FIELDS, GraderName.ROBUST)
    questions = [line.value()["question"] for line in json_lines(path)]
    paper, robust = make_grader(task_of(task), GraderName.PAPER), make_grader(task_of(task), GraderName.ROBUST)
    return [
        Compared(question, part, whole, paper(part), robust(whole))
        for question, part, whole in zip(questions, parts, wholes, strict=True)
    ]


def row_of(task: str, compared: Sequence[Compared]) -> Row:
    n = len(compared)
    paper = sum(one.paper.correct for one in compared)
    robust = sum(one.robust.correct for one in compared)
    both = sum(one.paper.correct and one.robust.correct for one in compared)
    agree = sum(one.paper.correct == one.robust.correct for one in compared)
    return Row(task, n, round(100 * paper / n, 2), round(100 * robust / n, 2), agree, paper - both, robust - both)


def differs(one: Compared, kind: AnswerKind) -> bool:
    """Whether the graders disagree: on the verdict, or on what the answer is."""
    if one.paper.correct != one.robust.correct:
        return True
    if one.paper.prediction is None or one.robust.prediction is None:
        return one.paper.prediction is not one.robust.prediction
    return not same_answer(one.paper.prediction, one.robust.prediction, kind)


def table(rows: Sequence[Row]) -> list[str]:
    lines = ["| task | n | paper % | robust % | agree | right by paper alone | right by robust alone |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        accuracies = f"{row.paper:.2f} | {row.robust:.2f}"
        lines.append(f"| {row.task} | {row.n} | {accuracies} | {row.agree} | {row.paper_only} | {row.robust_only} |")
    return lines


def disagreements(task: str, compared: Sequence[Compared]) -> list[str]:
    """A table of every disagreement of one task: `line` is that of its file."""
    kind = task_of(task).kind
    found = [one for one in compared if differs(one, kind)]
    lines = [f"\n## {task}: {len(found)} of {len(compared)}\n"]
    lines.append("| line | question ends | completion ends | gold | paper | robust | found by |")
    lines.append("|---:|---|---|---|---|---|---|")
    for one in found:
        cells = (
            str(one.whole.line),
            _end(one.question),
            _end(one.whole.completion),
            _code(one.whole.gold),
            _verdict(one.paper),
            _verdict(one.robust),
            str(one.robust.how),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _verdict(verdict: CompletionVerdict) -> str:
    return f"{_code(verdict.prediction) if verdict.prediction is not None else '-'} {'✓' if verdict.correct else '✗'}"


def _end(text: str) -> str:
    return _code(text[-_SHOWN:].strip().replace("\n", "⏎"))


def _code(text: str) -> str:
    """`text` as code in a cell of a Markdown table, whatever it holds."""
    fence = "``" if "`" in text else "`"
    return f"{fence} {text.replace('|', '¦')} {fence}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds recorded_teacher/")
    parser.add_argument("--out", type=Path, help="Markdown file for the disagreements")
    options = parser.parse_args(arguments)
    paths = sorted((options.data / "recorded_teacher").glob("*.jsonl"))
    if not paths:
        parser.error(f"no recorded_teacher/*.jsonl in {options.data}")
    by_task = {path.stem: compare(path, path.stem) for path in paths}
    rows = [row_of(task, compared) for task, compared in by_task.items()]
    print("\n".join(table(rows)))
    if options.out is not None:
        lines = ["# Two graders on recorded answers: every disagreement\n", *table(rows)]
        lines += [line for task, compared in by_task.items() for line in disagreements(task, compared)]
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"\nDisagreements: {options.out}")


if __name__ == "__main__":
    main()
