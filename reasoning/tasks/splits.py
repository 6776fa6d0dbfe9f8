"""Splits: which questions of a set are for training and which for the test, by rules that give the same in every run.

Owns: paper B's rules (2212.10071), computed; split files; the drawing of a part by a seed.

Invariants
- Train and test of every rule are disjoint, sorted, and together all questions (but for a rule that draws a part).
- A rule depends on the questions and their order alone. No seed of a run reaches it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from reasoning.files.data_error import DataError
from reasoning.files.json_files import read_json
from reasoning.tasks.data_files.json_rows import SPLITS
from reasoning.tasks.data_files.source_row import SourceRow

Item = TypeVar("Item")
Positions = tuple[list[int], list[int]]

TRAIN_SHARE = 0.7

_NUMBERS_AND_NAMES = re.compile(r"\b[A-Z]\w*|[0-9]+")
_DATE_ASKED = "What is the date"
_SPLIT_COLUMNS = ("split", "subset", "partition", "set")


def split_positions(count: int) -> Positions:
    """Train and test positions of `count` questions that come without a split: the first 70 % of
    `RandomState(0).permutation`, and the rest, both sorted (paper B)."""
    order = np.random.RandomState(0).permutation(count)
    cut = round(count * TRAIN_SHARE)
    return sorted(order[:cut].tolist()), sorted(order[cut:].tolist())


def split_column_note(rows: Sequence[SourceRow]) -> list[str]:
    """What to tell of rows that each name their split in a field, which no rule reads; [] where they do not."""
    names = {name.lower(): name for name in (rows[0].content if rows else ())}
    for name in (names[column] for column in _SPLIT_COLUMNS if column in names):
        said = {str(row.content.get(name)).strip().lower() for row in rows}
        if len(said) > 1 and said <= SPLITS.keys():
            return [
                f"Each row names its split in {name!r} ({', '.join(sorted(said))}), which is not used: the test is "
                "drawn from all rows. To keep that split, put the rows of each into a file of its own "
                "(task.path and task.test_path)."
            ]
    return []


def template_positions(templates: Sequence[str]) -> Positions:
    """Train and test positions such that the questions of one template stay together: `split_positions` of the
    templates, in the order in which they first occur. `templates`: that of each question."""
    groups: dict[str, list[int]] = {}
    for position, template in enumerate(templates):
        groups.setdefault(template, []).append(position)
    members = list(groups.values())
    train, test = split_positions(len(members))
    return sorted(i for group in train for i in members[group]), sorted(i for group in test for i in members[group])


def without_numbers_and_names(question: str) -> str:
    """A question's template: what is left without its numbers and capitalised words (white space counts once). Of
    MultiArith it makes the 120 templates of paper B."""
    return " ".join(_NUMBERS_AND_NAMES.sub(" ", question).split())


def before_the_date_asked(question: str) -> str:
    """The template of a question of date_understanding: its situation, of which the set asks for several dates. It
    makes the 41 templates of paper B."""
    return " ".join(question.partition(_DATE_ASKED)[0].split())


def subset_positions(positions: Sequence[int], size: int) -> list[int]:
    """The first `size` of the seed-0 permutation of `positions`, sorted: paper B's 10,000 questions of AQuA, and its
    subsets of n shots."""
    return sorted(shot_order(positions)[:size])


def shot_order(positions: Sequence[int]) -> list[int]:
    """The seed-0 permutation of `positions`, from the beginning of which n shots are taken."""
    drawn: list[int] = np.random.RandomState(0).permutation(np.asarray(positions, dtype=np.int64)).tolist()
    return drawn


def seeded_part(part: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """At most `limit` of `part`, drawn by `seed`, in the order of `part`; a greater limit adds to a smaller one's."""
    if limit is None or limit >= len(part):
        return list(part)
    return [part[i] for i in sorted(np.random.default_rng(seed).permutation(len(part))[:limit].tolist())]


def read_splits(path: Path, count: int) -> Positions:
    """The train and test positions of a split file `{"train": [...], "test": [...]}`, counted from 0 over `count`
    questions. Raises `DataError` when a position is not such a number, is out of range, or appears twice."""
    content = read_json(path)
    cure = f"give lists of positions 0 to {count - 1}, each at most once: " + '{"train": [...], "test": [...]}'
    parts: list[list[int]] = []
    for name in ("train", "test"):
        positions = content.get(name) if isinstance(content, dict) else None
        if not isinstance(positions, list) or not positions:
            raise DataError(str(path), f"it has no list {name!r}", cure)
        for position in positions:
            if type(position) is not int or not 0 <= position < count:
                raise DataError(
                    str(path), f"{name!r} holds {repr(position)[:40]}, but there are only {count} questions", cure
                )
        parts.append(positions)
    if len(set(parts[0]) | set(parts[1])) < len(parts[0]) + len(parts[1]):
        raise DataError(str(path), "a position appears twice, or in both train and test", cure)
    return parts[0], parts[1]
