"""A worked solution in a published file, and the entries of a file that cannot be used.

Owns: the one shape that every format is read into before its questions are matched with a task's problems.

Invariants
- Texts are as the file has them: nothing is trimmed, cut or repaired here.
- A damaged file is refused whole (`DataError`, with its line). An entry that cannot be used is left out and is a
  `Fault` that names its place. Neither happens in the middle of a run: files are read before one starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from reasoning.files.data_error import Fault

T = TypeVar("T")

_LONGEST_EXCERPT = 60
LONGEST_TEXT = 100_000  # characters; a longer "solution" is a damaged file or another kind of data


@dataclass(frozen=True, slots=True)
class PublishedSolution:
    """One worked solution of one question.

    `answer_text` is what was answered after the reasoning when the file keeps it apart, else "" (then the reasoning
    says it). `gold` is the file's own right answer, "" when it has none. `sample_index` is the question's position in
    paper B's data set, `sample` the solution's number among those of its question. `model` wrote it and `prompt` asked
    for it, each "" where the file does not say. `complete` is False where the file says that it was cut off."""

    place: str
    question: str
    rationale: str
    answer_text: str = ""
    answer_trigger: str = ""
    gold: str = ""
    sample_index: int | None = None
    sample: int = 0
    model: str = ""
    prompt: str = ""
    complete: bool = True


@dataclass(frozen=True, slots=True)
class SolutionFile:
    """A file's content: its solutions in order, and the entries that are not solutions."""

    path: Path
    solutions: tuple[PublishedSolution, ...]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


def parted(found: Iterable[T | Fault]) -> tuple[tuple[T, ...], tuple[Fault, ...]]:
    """What can be used and what is left out, each in order."""
    entries = list(found)
    faults = tuple(entry for entry in entries if isinstance(entry, Fault))
    return tuple(entry for entry in entries if not isinstance(entry, Fault)), faults


def text_fault(value: Any, name: str) -> str | None:
    """Why `value` cannot be the text `name`, None when it can."""
    if not isinstance(value, str):
        return f"its {name} is not a text"
    if not value.strip():
        return f"its {name} is empty"
    if len(value) > LONGEST_TEXT:
        return f"its {name} has {len(value):,} characters; more than {LONGEST_TEXT:,} are not read"
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return f"its {name} contains an unpaired surrogate, which is not valid text"
    return None


def excerpt(text: str) -> str:
    """`text` on one line and short enough for a message."""
    line = " ".join(text[: 4 * _LONGEST_EXCERPT].split())
    return line if len(line) <= _LONGEST_EXCERPT else f"{line[: _LONGEST_EXCERPT - 1]}…"
