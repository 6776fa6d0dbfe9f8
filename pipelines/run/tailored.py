"""A run of tailored learning, from its recipe to its report.

Owns: the order check -> claim the directory -> start -> watch -> report. Everything that can be refused is refused
before the first process is started; the same call again resumes.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from actors.coordinator import Coordinator, RunOutcome
from actors.watching.logs import here
from pipelines.report.tables import rounds_table
from pipelines.report.tailored import write_report
from pipelines.run.cluster import capacity, connect
from pipelines.run.coordination import account, announce, coordinate
from pipelines.run.doctor.environment import require_nodes
from pipelines.run.preflight import check
from pipelines.run.storage import claim, home_of, store_report
from reasoning.recipe.tailored import Recipe
from reasoning.rounds.directory import RunDirectory


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that came to its end: where it is kept, how it ended, and where its report is."""

    directory: RunDirectory
    outcome: RunOutcome
    report: str


def run(recipe: Recipe, origin: str, console: Console, probe: bool = True) -> FinishedRun:
    """Runs `recipe` to its end, from wherever its directory stands. `probe`: ask the teachers' APIs first.

    Raises `PreflightError` or `RunDirectoryError` before anything is started, `RunFailed` afterwards."""
    home = home_of(recipe)
    directory = RunDirectory(home.folder)
    checked = check(recipe, origin, capacity(recipe.cluster.address, recipe.secret_names()), probe=probe)
    resumed = claim(directory, recipe, home)
    connect(recipe.cluster.address, recipe.secret_names())
    notes = (*checked.notes, *require_nodes(recipe, origin))
    here(recipe.name)
    announce(recipe.name, home.shown, len(directory.finished()) if resumed else None, notes, console)
    outcome = coordinate(
        Coordinator, recipe, recipe, directory, checked, home, lambda: {"": directory.finished()}, console
    )
    report = store_report(write_report(directory, checked.data, outcome.journal), home)
    console.print(rounds_table(outcome.records, outcome.best_round))
    account(outcome.reason, outcome.journal, report, console)
    return FinishedRun(directory, outcome, report)
