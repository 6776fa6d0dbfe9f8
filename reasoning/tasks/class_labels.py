"""Answers that a dataset stores as the numbers of its classes: what the classes are called.

Owns: when the names of classes take the place of their numbers. Where they are told is
`reasoning.tasks.data_files.classes`.

Invariants
- Where a recipe lists the options, or names the field that does, a number stays the index that it was.
- A number without a class (-1 of a test whose answers are kept back) is no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reasoning.grading.options import LETTERS
from reasoning.records import AnswerKind
from reasoning.tasks.data_files.source_row import SourceRow
from reasoning.tasks.rows import Fields


def with_class_names(rows: Sequence[SourceRow], fields: Fields, kind: AnswerKind) -> tuple[Sequence[SourceRow], Fields]:
    """`rows` and `fields` so that an answer that is the number of a class is that class."""
    names = next((row.classes[fields.answer] for row in rows if fields.answer in row.classes), ())
    options_elsewhere = fields.choices or fields.choice_fields or fields.same_choices or fields.answer_as
    if not names or kind is AnswerKind.NUMBER or options_elsewhere or list(names) == list(LETTERS[: len(names)]):
        return rows, fields
    if kind is AnswerKind.CHOICE:
        fields = replace(fields, same_choices=names)
    return [_named(row, fields.answer) for row in rows], fields


def _named(row: SourceRow, field: str) -> SourceRow:
    names, value = row.classes.get(field, ()), row.content.get(field)
    if isinstance(value, bool) or not isinstance(value, int):
        return row
    return replace(row, content={**row.content, field: names[value] if 0 <= value < len(names) else None})
