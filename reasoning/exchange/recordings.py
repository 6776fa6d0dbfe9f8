"""Recorded-teacher files written: what a recipe's `kind: recorded` teacher repeats.

One JSON object a line: `question`, `rationale`, `answer_trigger`, `answer_completion`, and for a reader `model`,
`prompt` and `gold`. Several lines of one question are its samples, in order. Read back by `reasoning.offline.teacher`.

Owns: that shape, written from solutions, and the way back from its lines to solutions.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reasoning.exchange.solutions import PublishedSolution, SolutionFile, text_fault
from reasoning.files.data_error import DataError, Fault
from reasoning.files.durable import new_file
from reasoning.files.json_files import json_lines
from reasoning.grading.rationale_filter import keep
from reasoning.records import Problem, RationaleSource

_SHAPE = "a line of this format is an object with the texts question, rationale, answer_completion"


def write_recordings(path: Path, pairs: Iterable[tuple[PublishedSolution, Problem]]) -> int:
    """Writes one line per solution, its question in the problem's own words, and returns how many. A solution whose
    file does not keep the answer apart is given the one that its text ends in, so that the filter reads the same."""
    count = 0
    with new_file(path) as part, part.open("w", encoding="utf-8") as file:
        for one, problem in pairs:
            line = {
                "question": problem.question,
                "rationale": one.rationale,
                "answer_trigger": one.answer_trigger,
                "answer_completion": one.answer_text or _answer_in(one, problem),
                "model": one.model,
                "prompt": one.prompt,
                "gold": problem.answer,
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_recorded_solutions(path: Path) -> SolutionFile:
    """The lines of a recorded-teacher file. Raises `DataError` for a damaged file and for one of another shape."""
    solutions: list[PublishedSolution] = []
    faults: list[Fault] = []
    samples: Counter[str] = Counter()
    for line in json_lines(path):
        place, row = line.place, line.value()
        if not isinstance(row, dict) or not {"question", "rationale", "answer_completion"} <= row.keys():
            raise DataError(place, "it is not a recording", _SHAPE)
        what = text_fault(row["question"], "question") or text_fault(row["rationale"], "rationale")
        if what is None and not isinstance(row["answer_completion"], str):
            what = "its answer_completion is not a text"
        if what is not None:
            faults.append(Fault(place, what))
            continue
        index = row.get("index")
        solutions.append(
            PublishedSolution(
                place=place,
                question=row["question"],
                rationale=row["rationale"],
                answer_text=row["answer_completion"],
                answer_trigger=_text(row, "answer_trigger"),
                gold=_text(row, "gold"),
                sample_index=index if type(index) is int else None,
                sample=samples[row["question"]],
                model=_text(row, "model"),
                prompt=_text(row, "prompt"),
            )
        )
        samples[row["question"]] += 1
    return SolutionFile(path, tuple(solutions), tuple(faults))


def _answer_in(one: PublishedSolution, problem: Problem) -> str:
    return keep(one.rationale, problem, round=0, source=RationaleSource.PLAIN, prompt="", model="").answer


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    return value if isinstance(value, str) else ""
