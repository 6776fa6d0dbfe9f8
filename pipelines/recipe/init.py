"""`tailor init`: a recipe for a task of one's own, written with what a look at the data shows.

Owns: the command. How data is read is guessed in `reasoning.tasks.guessing`, what is written is in
`pipelines.recipe.template`.

Invariants
- No file is overwritten.
- What is written can be parsed as a recipe, and its data be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from pipelines.command_line.answer import Answer
from pipelines.command_line.console import plain_console

if TYPE_CHECKING:
    from reasoning.tasks.data_files.source_row import SourceRow
    from reasoning.tasks.guessing import Guess

console = plain_console()


def init(
    recipe: Annotated[Path, typer.Argument(help="The recipe to write, a YAML file.")],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Your questions and answers: a file (JSON, JSON Lines, CSV, Parquet ...) or a folder of them. "
            "Default: an example is written.",
        ),
    ] = None,
) -> Answer:
    """Write a commented recipe for a task of your own."""
    return Answer(write_recipe(recipe, data, console))


@dataclass(frozen=True, slots=True)
class WrittenRecipe:
    """What was written, and what it was guessed from: the fields of `rows` rows of `data`."""

    recipe: Path
    data: Path
    rows: int
    question: tuple[str, ...]
    answer: str
    kind: str
    check: tuple[str, ...]


def write_recipe(recipe: Path, data: Path | None, console: Console) -> WrittenRecipe:
    """Writes `recipe` for the questions in `data`, or for an example that it writes beside it, and says so.

    Raises `RecipeError` for a file that exists or data that cannot be guessed, `DataError` for data that cannot be
    read."""
    from pipelines.recipe.template import EXAMPLE, recipe_for
    from reasoning.files.durable import new_file
    from reasoning.recipe.tailored import parse_recipe
    from reasoning.tasks.data_files.reading import read_path
    from reasoning.tasks.guessing import guess_form
    from reasoning.tasks.table import TASKS

    _refuse_existing(recipe)
    if data is None:
        data = recipe.with_suffix(".jsonl")
        _refuse_existing(data)
        with new_file(data) as part:
            part.write_text("".join(f"{json.dumps(row)}\n" for row in EXAMPLE), encoding="utf-8")
        console.print(f"Wrote {escape(str(data))}: an example of {len(EXAMPLE)} questions.", soft_wrap=True)
    rows, _ = read_path(data)
    guess = guess_form(rows)
    if guess is None:
        raise _unrecognized(data, rows)
    task = _name(data.stem, "my_task", "_")
    task = f"own_{task}" if task in TASKS else task
    text = recipe_for(_name(recipe.stem, "my-task", "-"), task, data, guess, len(rows))
    parse_recipe(text, str(recipe))
    with new_file(recipe) as part:
        part.write_text(text, encoding="utf-8")
    _tell(recipe, data, console, guess)
    check = (*guess.unsure, *guess.unread)
    return WrittenRecipe(recipe, data, guess.rows, tuple(guess.fields.question), guess.fields.answer, guess.kind, check)


def _unrecognized(data: Path, rows: Sequence[SourceRow]) -> Exception:
    """Why nothing was guessed: a file of the folder lacks what another has, or no row says what its fields are."""
    from reasoning.recipe.tailored import RecipeError
    from reasoning.tasks.guessing import field_names, guess_form
    from reasoning.tasks.missing_fields import without_fields

    files: dict[str, list[SourceRow]] = {}
    for row in rows:
        files.setdefault(row.place.rpartition(", ")[0], []).append(row)
    for part in files.values() if len(files) > 1 else ():
        if guess := guess_form(part):
            for _, fault in without_fields(dict(enumerate(rows)), (guess.fields,), own=True):
                return fault
    names = ", ".join(field_names([row.content for row in rows])) or "none that all rows have"
    return RecipeError(
        f"{data}: no question and answer were recognized among its fields ({names}). Give every row a field "
        '"question" with text and a field "answer", or write task.form yourself: docs/tasks.md'
    )


def _tell(recipe: Path, data: Path, console: Console, guess: Guess) -> None:
    fields = guess.fields
    lines = [
        f"Wrote {recipe}, guessed from {guess.rows} rows of {data}:",
        f"  question: {', '.join(fields.question)}",
        f"  answer:   {fields.answer} ({guess.kind})",
    ]
    if fields.choice_fields:
        lines.append(f"  choices:  {', '.join(fields.choice_fields)}")
    elif fields.choices or fields.same_choices:
        lines.append(f"  choices:  {fields.choices or ', '.join(fields.same_choices)}")
    if guess.unsure or guess.unread:
        lines += ["Check:", *(f"  {said}" for said in (*guess.unsure, *guess.unread))]
    lines += [
        "Next:",
        f"  tailor eval {recipe} --limit 20    # the student before any training; needs no key",
        f"  tailor run {recipe}                # needs the teacher's key in OPENAI_API_KEY",
    ]
    console.print(escape("\n".join(lines)), soft_wrap=True, highlight=False)


def _refuse_existing(path: Path) -> None:
    from reasoning.recipe.tailored import RecipeError

    if path.exists():
        raise RecipeError(f"{path}: this file exists and is not overwritten; give another name, or move it away")


def _name(stem: str, default: str, joint: str) -> str:
    """A file's name as the name of a run or a task: letters, digits and joints."""
    return re.sub(r"[^A-Za-z0-9]+", joint, stem).strip(joint) or default
