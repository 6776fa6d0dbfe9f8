"""`tailor doctor`: what is right and wrong with a recipe and the machines it is to run on, as a table or as JSON.

Owns: the order (recipe, cluster, nodes), the table, the exit code: 1 where a check fails, otherwise 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.command_line.answer import Answer
from pipelines.errors import Refused
from pipelines.run.cluster import connect, wanted_address
from pipelines.run.doctor.checks import Check, State, failed
from pipelines.run.doctor.environment import examine_nodes
from pipelines.run.doctor.examination import examine_recipe, shared_recipe
from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe, load_any_recipe
from reasoning.recipe.tailored import Recipe, RecipeError

_MARKS = {
    State.PASS: "[green]pass[/green]",
    State.WARN: "[yellow]warn[/yellow]",
    State.FAIL: "[red]FAIL[/red]",
    State.SKIPPED: "[dim]skipped[/dim]",
}


def doctor(recipe: Path | None, data: Path | None, address: str | None, probe: bool) -> Answer:
    """Examines, and says what was found; the exit code is 1 where a run would be refused."""
    checks = examine(recipe, data, address, probe)

    def show(console: Console) -> None:
        console.print(table_of(checks))
        console.print(summary_of(checks), highlight=False)

    return Answer({"ok": not failed(checks), "checks": checks}, show, 1 if failed(checks) else 0)


def examine(recipe: Path | None, data: Path | None, address: str | None, probe: bool = True) -> list[Check]:
    """Everything that is checked before a run of `recipe`, or of the machines alone. Nothing is raised: what cannot be
    read or reached is a failed check."""
    checks: list[Check] = []
    chosen: Recipe | FineTuneCotRecipe | None = None
    if recipe is not None:
        try:
            chosen = load_any_recipe(recipe, data)
        except RecipeError as error:
            checks.append(Check("recipe", State.FAIL, str(error), "Correct it; docs/recipe.md has every key"))
        else:
            checks.append(Check("recipe", State.PASS, f"{recipe}"))
    if chosen is not None and address is not None:
        chosen = chosen.model_copy(update={"cluster": chosen.cluster.model_copy(update={"address": address})})
    wanted = address or wanted_address(chosen.cluster.address if chosen is not None else None)
    if wanted is not None:
        try:
            connect(wanted, chosen.secret_names() if chosen is not None else ())
        except Refused as error:
            return [*checks, Check("cluster", State.FAIL, str(error), "Nothing else was looked at", wanted)]
        checks.append(Check("cluster", State.PASS, f"connected to {wanted}"))
    if chosen is None:
        return checks + examine_nodes(None)
    checks += examine_recipe(chosen, str(recipe), probe)
    known = not any(check.subject == "student" for check in failed(checks))
    return checks + examine_nodes(shared_recipe(chosen), student_known=known)


def table_of(checks: Sequence[Check]) -> Table:
    """One row a check; below what does not pass, the cure."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        place = f"{check.place}: " if check.place else ""
        table.add_row(_MARKS[check.state], escape(check.subject), escape(place + check.found))
        if check.cure:
            table.add_row("", "", f"[dim]→[/dim] {escape(check.cure)}")
    return table


def summary_of(checks: Sequence[Check]) -> str:
    """How many checks ended how."""
    counts = Counter(check.state for check in checks)
    told = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    return f"{told}. " + ("A run would be refused." if counts[State.FAIL] else "Nothing keeps a run from starting.")
