"""Files in which no row has the fields that a recipe names: told once for each file, with what they have instead.

Owns: the words for a wrong name of a field, for a table whose first row is a question and no row of names, and for
fields that a recipe lists as if they were the options themselves.

Invariant: a file of which at least one row has the fields is not touched; its other rows are told one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from reasoning.files.data_error import DataError
from reasoning.tasks.data_files.source_row import SourceRow
from reasoning.tasks.guessing import Guess, field_names, guess_form
from reasoning.tasks.rows import Fields

_SHOWN = 200  # characters of names
_LONGEST_NAME = 40  # characters, and words:
_MOST_WORDS = 5
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?%?")


def without_fields(
    rows: Mapping[int, SourceRow], forms: tuple[Fields, ...], own: bool
) -> Iterator[tuple[Sequence[int], DataError]]:
    """Of each file of several `rows`, by their positions, of which none has the fields of one of `forms`: those
    positions and the fault. `own`: the fields are the recipe's, and not those of a published set."""
    files: dict[str, list[int]] = {}
    for position, row in rows.items():
        files.setdefault(row.place.rpartition(", ")[0], []).append(position)
    for file, positions in files.items():
        there = [rows[position] for position in positions]
        options = next((fields.same_choices for fields in forms if fields.same_choices), ())
        if options and all(isinstance(row.content.get(option), str) for row in there for option in options):
            what = f"form.choices lists {_quoted(options)}, which are fields here, each with an option of its own"
            yield positions, DataError(file, what, f"name them with form.choice_fields: [{', '.join(options)}]")
        elif len(there) > 1 and not any(fields.are_in(row.content) for row in there for fields in forms):
            yield positions, _fault(file, there, forms[0], own)


def _fault(file: str, rows: Sequence[SourceRow], fields: Fields, own: bool) -> DataError:
    names = field_names([row.content for row in rows])
    if ", row " in rows[0].place and any(_is_data(name) for name in rows[0].content):
        wanted = ",".join(dict.fromkeys(fields.names))
        what = f"its first row seems to be a question and no row of column names: {_quoted(names)}"
        return DataError(file, what, f"put a row with the names of the columns first, such as {wanted}")
    missing = [name for name in dict.fromkeys(fields.names) if not any(_has(row, name) for row in rows)]
    kind = "field" if len(missing) == 1 else "fields"
    lacks = f"the {kind} {_quoted(missing)}" if missing else "all of the fields"
    what = f"none of its {len(rows)} rows has {lacks}; they have {_quoted(names) or 'no field in common'}"
    if not own:
        return DataError(file, what, "give the task's own file, or name these fields in task.form")
    guess = guess_form(rows)
    return DataError(file, what, f"name the right ones in task.form{_proposed(guess) if guess else ''}")


def _proposed(guess: Guess) -> str:
    fields = guess.fields
    question = fields.question[0] if len(fields.question) == 1 else f"[{', '.join(fields.question)}]"
    return f", perhaps question: {question} and answer: {fields.answer}"


def _has(row: SourceRow, name: str) -> bool:
    return Fields((name,), name).are_in(row.content)


def _is_data(name: str) -> bool:
    """Whether a column's name is what a question or an answer looks like."""
    name = name.strip()
    long = len(name) > _LONGEST_NAME or len(name.split()) > _MOST_WORDS
    return long or name.endswith(("?", ".", "!")) or _NUMBER.fullmatch(name) is not None


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))[:_SHOWN]
