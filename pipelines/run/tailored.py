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
from pipelines.run.cluster import connect, resources, storage_folder
from pipelines.run.coordination import account, announce, coordinate
from pipelines.run.doctor.environment import require_nodes
from pipelines.run.preflight import check
from reasoning.recipe.tailored import Recipe
from reasoning.rounds.directory import RunDirectory


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that came to its end: where it is kept and how it ended."""

    directory: RunDirectory
    outcome: RunOutcome


def run(recipe: Recipe, origin: str, console: Console, probe: bool = True) -> FinishedRun:
    """Runs `recipe` to its end, from wherever its directory stands. `probe`: ask the teachers' APIs first.

    Raises `PreflightError` or `RunDirectoryError` before anything is started, `RunFailed` afterwards."""
    directory = RunDirectory(storage_folder(recipe) / recipe.name)
    checked = check(recipe, origin, resources(recipe.cluster.address, recipe.secret_names()), probe=probe)
    resumed = directory.claim(recipe)
    connect(recipe.cluster.address, recipe.secret_names())
    notes = (*checked.notes, *require_nodes(recipe, origin))
    here(recipe.name)
    announce(recipe.name, directory.path, len(directory.finished()) if resumed else None, notes, console)
    outcome = coordinate(Coordinator, recipe, recipe, directory, checked, lambda: {"": directory.finished()}, console)
    report = write_report(directory)
    console.print(rounds_table(outcome.records, outcome.best_round))
    account(outcome.reason, outcome.journal, report, console)
    return FinishedRun(directory, outcome)
