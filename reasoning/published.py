"""Published data read as it is: files and hub datasets, one record a question, every fault named by its place.

Owns: the reading of JSON, JSONL and hub datasets, and the forms in which the published tasks state question and answer.

Invariants
- A record that gets out has a question, an answer that can be one, and text that can be encoded; anything else is a
  `DataError` that names the file (or dataset), the line or record, what is wrong and what to do.
- Records keep their order and their number: the published splits count questions in file order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasoning.answers import is_answer
from reasoning.records import AnswerKind, Split


class DataError(ValueError):
    """Data that cannot be used. The message names the place, what is wrong there, and what to do."""

    def __init__(self, place: str, what: str, cure: str) -> None:
        super().__init__(f"{place}: {what}; {cure}")
        self.place, self.what, self.cure = place, what, cure


@dataclass(frozen=True, slots=True)
class Stated:
    """A question as it is asked, its answer, and the texts of its options."""

    question: str
    answer: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One published question: where it stands and, where the source says so, in which split."""

    stated: Stated
    place: str
    split: Split | None = None


Row = Mapping[str, Any]
Form = Callable[[Row], Stated]

_NUMBER = re.compile(r"-?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?")
_OPTION = re.compile(r"\([A-Z]\) (.+?)(?=\s\([A-Z]\) |$)")
_SPACES = re.compile(r"\s+")


# Forms: from a row to a question. A form raises `ValueError` saying what is wrong with the row. ----------------------


def question_and_answer(row: Row) -> Stated:
    """`question` and `answer`, or a hub mirror's `inputs` ("Q: ...") and `targets`."""
    question = _text(row, "question", "inputs").removeprefix("Q:")
    return Stated(question.strip(), _text(row, "answer", "targets").strip())


def yes_no_form(row: Row) -> Stated:
    """`question_and_answer` with the answer in lower case."""
    stated = question_and_answer(row)
    return Stated(stated.question, stated.answer.strip(" .").lower())


def gsm8k_form(row: Row) -> Stated:
    """GSM8K (Cobbe et al., 2021): the answer is the number after `####`, its commas dropped."""
    _, found, answer = _text(row, "answer").rpartition("####")
    if not found:
        raise ValueError("its answer has no '####' before the final number")
    answer = answer.strip()
    if not _NUMBER.fullmatch(answer):
        raise ValueError(f"what follows '####' in its answer is no number: {answer[:40]!r}")
    return Stated(_text(row, "question").strip(), answer.replace(",", ""))


def shuffled_objects_form(row: Row) -> Stated:
    """BIG-bench's `input` and `target_scores` (or `question` and `answer` ready made), the options worded as Kojima et
    al. (2022) do, on one line."""
    if "target_scores" not in row:
        stated = question_and_answer(row)
        found: list[str] = _OPTION.findall(stated.question)
        return Stated(stated.question, stated.answer.strip("(). "), tuple(option.strip(" .") for option in found))
    scores = row["target_scores"]
    given = list(scores.values()) if isinstance(scores, dict) else []
    if not 2 <= len(given) <= 10 or given.count(1) != 1 or given.count(0) != len(given) - 1:
        raise ValueError("'target_scores' must give one of two to ten options the score 1 and the others 0")
    letters = "ABCDEFGHIJ"[: len(scores)]
    options = " ".join(f"({letter}) {choice.strip()}" for letter, choice in zip(letters, scores, strict=True))
    story = _SPACES.sub(" ", _text(row, "input")).strip()
    question = f"{story} Which choice is true ? Answer Choices: {options}"
    answer = letters[given.index(1)]
    return Stated(question, answer, tuple(choice.strip(" .") for choice in scores))


def _text(row: Row, *names: str) -> str:
    for name in names:
        if name in row:
            if not isinstance(row[name], str):
                raise ValueError(f"its {name!r} is no text but {type(row[name]).__name__}")
            return str(row[name])
    raise ValueError(
        f"it has no {' or '.join(repr(name) for name in names)}, only {', '.join(map(repr, row)) or 'nothing'}"
    )


# Sources ------------------------------------------------------------------------------------------------------------


def read_file(path: Path, form: Form, kind: AnswerKind, split: Split | None = None) -> list[Record]:
    """The records of a `.jsonl` file (one object a line) or a JSON file (a list, or an object with `examples`).

    Raises `DataError`."""
    rows = _jsonl_rows(path) if path.suffix == ".jsonl" else _json_rows(path)
    records = [_record(row, place, form, kind, split) for row, place in rows]
    if not records:
        raise DataError(str(path), "the file holds no questions", "give the task's published file")
    return records


def read_hub(dataset: str, config: str | None, form: Form, kind: AnswerKind) -> list[Record]:
    """The records of a hub dataset, or of a local folder that `load_dataset` reads: train first, then test (its
    validation split where it has no test split). `config` is used where the dataset has one of that name.

    Raises `DataError`."""
    from datasets import get_dataset_config_names, load_dataset  # heavy, and only this function needs it
    from datasets.exceptions import DatasetsError

    place = f"dataset {dataset}"
    try:
        names = get_dataset_config_names(dataset)
        loaded = load_dataset(dataset, config if config in names else None)
    except (OSError, ValueError, DatasetsError) as error:
        cure = "check its name and the connection, or give the published files with source: file and path"
        raise DataError(place, f"it cannot be loaded: {str(error)[:300]}", cure) from error
    if "train" not in loaded:
        raise DataError(place, f"it has no split train, only {', '.join(loaded)}", "give another mirror with hub_id")
    parts = [("train", Split.TRAIN)]
    parts += [(name, Split.TEST) for name in ("test", "validation") if name in loaded][:1]
    if len(parts) == 1:
        return [_record(row, f"{place}, record {i}", form, kind, None) for i, row in enumerate(loaded["train"])]
    return [
        _record(row, f"{place}, split {name}, record {i}", form, kind, split)
        for name, split in parts
        for i, row in enumerate(loaded[name])
    ]


def read_splits(path: Path, count: int) -> tuple[list[int], list[int]]:
    """The train and test positions of a split file `{"train": [...], "test": [...]}`, counted from 0 over `count`
    questions. Raises `DataError` when a position is no such number, lies outside, or is there twice."""
    content = _parsed(read_text(path), str(path))
    cure = f"give lists of positions 0 to {count - 1}, each at most once: " + '{"train": [...], "test": [...]}'
    parts: list[list[int]] = []
    for name in ("train", "test"):
        positions = content.get(name) if isinstance(content, dict) else None
        if not isinstance(positions, list) or not positions:
            raise DataError(str(path), f"it has no list {name!r}", cure)
        for position in positions:
            if type(position) is not int or not 0 <= position < count:
                raise DataError(str(path), f"{name!r} holds {position!r}, and there are {count} questions", cure)
        parts.append(positions)
    if len(set(parts[0]) | set(parts[1])) < len(parts[0]) + len(parts[1]):
        raise DataError(str(path), "a position is there twice, or in both train and test", cure)
    return parts[0], parts[1]


def read_text(path: Path) -> str:
    """A file's text. Raises `DataError` when it is missing, unreadable or not UTF-8 (naming the line)."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(str(path), "no such file", "check the path; the published files keep their names") from error
    except OSError as error:
        raise DataError(
            str(path), f"it cannot be read: {error.strerror}", "check the path and its permissions"
        ) from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}", "invalid UTF-8", "save the file as UTF-8, or mend that line") from error


def _jsonl_rows(path: Path) -> Iterator[tuple[Any, str]]:
    # not splitlines: JSON strings may hold other line separators (U+2028) as they are
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            place = f"{path}, line {number}"
            yield _parsed(line, place), place


def _json_rows(path: Path) -> Iterator[tuple[Any, str]]:
    content = _parsed(read_text(path), str(path))
    rows = content.get("examples") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise DataError(
            str(path), "it is neither a list of questions nor an object with a list 'examples'", "mend the file"
        )
    for number, row in enumerate(rows):
        yield row, f"{path}, record {number}"


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = place if "line " in place else f"{place}, line {error.lineno}"
        raise DataError(
            where, f"malformed JSON: {error.msg} (column {error.colno})", "mend or remove that line"
        ) from error
    except (RecursionError, ValueError) as error:  # brackets without end, a number of thousands of digits
        raise DataError(place, f"JSON that cannot be read: {error}", "mend or remove it") from error


def _record(row: Any, place: str, form: Form, kind: AnswerKind, split: Split | None) -> Record:
    cure = "mend or remove it"
    if not isinstance(row, dict):
        raise DataError(place, f"a question is an object, this is a {type(row).__name__}", cure)
    try:
        stated = form(row)
        f"{stated.question}{stated.answer}{stated.choices}".encode()
    except UnicodeEncodeError as error:
        raise DataError(place, "it holds half a surrogate pair, which is no text", cure) from error
    except ValueError as error:
        raise DataError(place, str(error), cure) from error
    if not stated.question:
        raise DataError(place, "its question is empty", cure)
    if not stated.answer:
        raise DataError(place, "its answer is empty", cure)
    if not is_answer(stated.answer, kind, stated.choices):
        wanted = {AnswerKind.YES_NO: "yes or no", AnswerKind.CHOICE: "the letter of one of its choices"}
        what = f"its answer {stated.answer[:40]!r} is not {wanted.get(kind, f'a {kind}')}"
        raise DataError(place, what, cure)
    return Record(stated, place, split)
