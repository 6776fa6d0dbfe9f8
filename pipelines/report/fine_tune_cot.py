"""`report.html` of a Fine-tune-CoT run: one self-contained page, made from its directory alone.

Owns: the table of degrees, accuracy by epoch (table and plot), the loss, one question with what the teacher said to it.

Invariant: every word that came from a student, a teacher or a data set is escaped; nothing is fetched when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.report.epoch_plot import draw_epochs
from pipelines.report.figures import loss_points
from pipelines.report.page import COLOURS, GREY, Plot, drawn, write_page
from pipelines.report.transcripts import held_out_gallery, problems_by_id
from reasoning.files.tables import read_table
from reasoning.fine_tune_cot.directory import CotDirectory, degree_name
from reasoning.fine_tune_cot.order import best_degree
from reasoning.recipe.fine_tune_cot import LABELS_ALONE
from reasoning.records import Attempt, Example
from reasoning.rounds.epochs import EpochAccuracy, best_epoch, read_epochs
from reasoning.rounds.phase_order import PhaseRecord, evaluations
from reasoning.tasks.loading import TaskData

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_cot_report(directory: CotDirectory, data: TaskData | None = None) -> Path:
    """Writes the report of what is finished so far and returns its path. `data` are the task's questions; None where
    they are not at hand."""
    degrees, problems = directory.degrees(), problems_by_id(data)
    held_out = held_out_gallery(_evaluated(directory, degrees), problems)
    return write_page(
        directory.report,
        "fine_tune_cot.html.jinja",
        recipe=directory.recipe(),
        collected=directory.finished()[-1].metrics if directory.finished() else None,
        rows=_rows(degrees),
        epochs=_epoch_rows(_accuracies(directory, degrees)),
        plots=_plots(directory, degrees),
        galleries=[held_out] if held_out is not None else [],
        questions_known=bool(problems),
        learnt=_learnt(directory, degrees),
        recipe_text=directory.recipe_file.read_text(encoding="utf-8"),
    )


def _evaluated(directory: CotDirectory, degrees: Mapping[int, Sequence[PhaseRecord]]) -> dict[str, list[Attempt]]:
    """The held-out attempts of each student, by its name."""
    files = {degree_name(degree): directory.degree(degree).round(0).evaluation for degree in degrees}
    return {name: read_table(file, Attempt) for name, file in files.items() if file.exists()}


def _rows(degrees: Mapping[int, Sequence[PhaseRecord]]) -> list[dict[str, object]]:
    best = best_degree(degrees)
    rows = []
    for degree, records in degrees.items():
        if not evaluations(records):
            continue
        row: dict[str, object] = {
            f"{record.phase}_{name}": value for record in records for name, value in record.metrics.items()
        }
        row |= {"name": degree_name(degree), "best": degree == best, "labels": degree == LABELS_ALONE}
        rows.append(row | {"seconds": sum(record.seconds for record in records)})
    return rows


def _accuracies(
    directory: CotDirectory, degrees: Mapping[int, Sequence[PhaseRecord]]
) -> dict[str, list[EpochAccuracy]]:
    read = {degree_name(degree): read_epochs(directory.degree(degree).round(0).epoch_accuracies) for degree in degrees}
    return {name: accuracies for name, accuracies in read.items() if accuracies}


def _epoch_rows(students: Mapping[str, Sequence[EpochAccuracy]]) -> list[dict[str, object]]:
    """One row an epoch: for each student its accuracies, and whether this epoch is its best."""
    best = {name: best_epoch(accuracies).epoch for name, accuracies in students.items()}
    epochs = sorted({one.epoch for accuracies in students.values() for one in accuracies})
    by_epoch = {name: {one.epoch: one for one in accuracies} for name, accuracies in students.items()}
    return [
        {"epoch": epoch, "cells": [(own.get(epoch), best[name] == epoch) for name, own in by_epoch.items()]}
        for epoch in epochs
    ]


def _plots(directory: CotDirectory, degrees: Mapping[int, Sequence[PhaseRecord]]) -> list[Plot]:
    """Every figure that has something to show."""
    plots = []
    students = _accuracies(directory, degrees)
    if students:
        caption = "Test accuracy by epoch with 95 % intervals; the dot is the epoch that validation chose"
        plots.append(drawn(caption, lambda axes: draw_epochs(axes, students)))
    losses = {degree: loss_points(directory.degree(degree).round(0).losses) for degree in degrees}
    if any(losses.values()):
        plots.append(drawn("Loss by training step", lambda axes: _draw_losses(axes, losses)))
    return plots


def _draw_losses(axes: Axes, losses: Mapping[int, Sequence[Mapping[str, float]]]) -> None:
    for number, (degree, points) in enumerate(losses.items()):
        if points:
            colour = GREY if degree == LABELS_ALONE else COLOURS[number % len(COLOURS)]
            steps, values = [point["step"] for point in points], [point["lm"] for point in points]
            axes.plot(steps, values, color=colour, linewidth=1, label=degree_name(degree))
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.grid(alpha=0.3)


def _learnt(directory: CotDirectory, degrees: Mapping[int, Sequence[PhaseRecord]]) -> Example | None:
    """The first question of the largest degree that has got so far, with what is learnt of it."""
    for degree in sorted(degrees, reverse=True):
        file = directory.degree(degree).round(0).examples
        if file.exists():
            return max(read_table(file, Example), key=lambda example: len(example.positives), default=None)
    return None
