"""Answers that count options without a word from where: from 0, as Python does, or from 1, as people do.

Owns: when a file's answers show that they count from 1, though the recipe does not say so. A row alone cannot show it.

Invariant: numbers that are labels or texts of options count nothing, and are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasoning.files.data_error import DataError
from reasoning.tasks.data_files.source_row import SourceRow
from reasoning.tasks.rows import Fields

_CHANCE = 0.05  # that the first option is never right, if the answers count from 0


def refuse_counts_from_one(rows: Sequence[SourceRow], fields: Fields) -> None:
    """Raises `DataError` where answers are numbers from 1 on in so many `rows` that the first option would never be
    right by chance."""
    if fields.answer_as is not None or not (fields.choices or fields.choice_fields or fields.same_choices):
        return
    chance, counted = 1.0, 0
    for row in rows:
        answer = row.content.get(fields.answer)
        if isinstance(answer, bool) or not isinstance(answer, int | float):
            return
        try:
            labels, texts = fields.options(row.content)
        except (ValueError, KeyError, TypeError):
            continue  # told with its row
        number = f"{answer:g}"
        if answer == 0 or number in texts or number in [str(label) for label in labels]:
            return
        chance *= 1 - 1 / len(texts)
        counted += 1
    if counted and chance < _CHANCE:
        what = f"in {counted} rows {fields.answer!r} is a number and never 0, so that it may count the options from 1"
        cure = "say how it counts with form.answer_as: position (from 1) or index (from 0)"
        raise DataError(rows[0].place.rpartition(", ")[0], what, cure)
