"""Paper A's files: a JSON object of questions, each with a list of texts.

The rationales of its release (`gsm8k.train.round1.json`, what its trainer takes as `teacher_data` and `cl_pos_path`)
and the student's mistakes (`gsm8k.student.train.round0.neg4.json`, or `student_wrong.json` as its exam writes it, taken
as `cl_neg_path`) have one shape: `{question: [text, ...]}`. A list may also hold objects with `answer` (the text),
`question` (another one than the list's) and `final_ans` (its right answer).

What the texts hold, by that repository's data processors: in the tasks answered by a number, yes or no, the reasoning;
its trainer adds the line `Answer: {gold}` itself. In CommonsenseQA the whole completion, whose last sentence names the
option as "... the answer is {text} ({letter, small})."; its question is the stem, without the options. A mistake ends
where its exam cut it: after the wrong answer.

Owns: that shape, read and written. Written files are byte for byte what its `json.dump(..., indent=4)` writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from reasoning.exchange.located_json import Node, read_located
from reasoning.exchange.solutions import PublishedSolution, SolutionFile, excerpt, parted, text_fault
from reasoning.files.data_error import DataError, Fault
from reasoning.files.durable import new_file

_SHAPE = 'this format is an object of questions, each with a list of texts: {"question": ["text", ...]}'


def read_answers(path: Path) -> SolutionFile:
    """The rationales or mistakes of one of paper A's files; which of the two they are, its content does not say. A
    question that stands there twice keeps the texts of both places (its own loader would keep the second only).

    Raises `DataError` for a damaged file and for one of another shape."""
    root = read_located(path, depth=2)
    if root.members is None:
        raise DataError(f"{path}, line {root.line}", f"it holds {root.kind}", _SHAPE)
    found: list[PublishedSolution | Fault] = []
    notes: list[str] = []
    first_line: dict[str, int] = {}
    for question, node in root.members:
        place = f"{path}, line {node.line}"
        what = text_fault(question, "question")
        if what is None and node.elements is None:
            what = f"the question {excerpt(question)!r} has {node.kind}, not a list of texts"
        if what is not None:
            found.append(Fault(place, what))
            continue
        if question in first_line:
            again = f"the question of line {first_line[question]} again"
            notes.append(f"{place}: {again} ({excerpt(question)!r}); the texts of both are read.")
        first_line.setdefault(question, node.line)
        found += _texts(path, question, node.elements or ())
    solutions, faults = parted(found)
    return SolutionFile(path, solutions, faults, tuple(notes))


def write_answers(path: Path, answers: Mapping[str, Sequence[str]]) -> None:
    """Writes `{question: [text, ...]}`, questions and texts in the order given."""
    with new_file(path) as part, part.open("w", encoding="utf-8") as file:
        json.dump({question: list(texts) for question, texts in answers.items()}, file, indent=4)


def _texts(path: Path, question: str, elements: Sequence[Node]) -> Iterator[PublishedSolution | Fault]:
    for sample, element in enumerate(elements):
        place, value = f"{path}, line {element.line}", element.value
        entry = value if isinstance(value, dict) else {"answer": value}
        own, gold = entry.get("question") or question, entry.get("final_ans") or ""
        what = text_fault(entry.get("answer"), "text") or text_fault(own, "question")
        if what is None and not isinstance(gold, str):
            what = "its 'final_ans' is not a text"
        if what is not None:
            yield Fault(place, f"{what} (question {excerpt(question)!r})")
        else:
            yield PublishedSolution(place, own, entry["answer"], gold=gold, sample=sample)
