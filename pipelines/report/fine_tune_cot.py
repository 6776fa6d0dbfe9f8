"""`report.html` of a Fine-tune-CoT run: one self-contained page, made from its directory alone.

Owns: the table of degrees, accuracy by epoch (table and plot), the loss, one question with what the teacher said to it.

Invariant: every word that came from a student, a teacher or a data set is escaped; nothing is fetched when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from pipelines.report.epoch_plot import COLOURS, epochs_figure
from pipelines.report.tailored import GREY, svg_address
from reasoning.files.durable import new_file
from reasoning.files.json_files import json_lines
from reasoning.files.resources import resource
from reasoning.files.tables import read_table
from reasoning.fine_tune_cot.directory import CotDirectory, degree_name
from reasoning.fine_tune_cot.order import best_degree
from reasoning.recipe.fine_tune_cot import LABELS_ALONE
from reasoning.records import Example
from reasoning.rounds.epochs import EpochAccuracy, best_epoch, read_epochs
from reasoning.rounds.phase_order import PhaseRecord, evaluations

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = resource("pipelines.report", "fine_tune_cot.html.jinja")


def write_cot_report(directory: CotDirectory) -> Path:
    """Writes the report of what is finished so far and returns its path."""
    degrees = directory.degrees()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        recipe=directory.recipe(),
        collected=directory.finished()[-1].metrics if directory.finished() else None,
        rows=_rows(degrees),
        epochs=_epoch_rows(_accuracies(directory, degrees)),
        plots=_plots(directory, degrees),
        learnt=_learnt(directory, degrees),
        recipe_text=directory.recipe_file.read_text(encoding="utf-8"),
    )
    with new_file(directory.report) as part:
        part.write_text(page, encoding="utf-8")
    return directory.report


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


def _plots(directory: CotDirectory, degrees: Mapping[int, Sequence[PhaseRecord]]) -> list[tuple[str, str]]:
    """(caption, SVG as a data address) of every plot that has something to show."""
    plots = []
    students = _accuracies(directory, degrees)
    if students:
        caption = "Test accuracy by epoch with 95 % intervals; the dot is the epoch that validation chose"
        plots.append((caption, svg_address(epochs_figure(students))))
    losses = {degree: _losses(directory.degree(degree).round(0).losses) for degree in degrees}
    if any(losses.values()):
        plots.append(("Loss by training step", svg_address(_loss_figure(losses))))
    return plots


def _loss_figure(losses: Mapping[int, Sequence[tuple[int, float]]]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    for number, (degree, points) in enumerate(losses.items()):
        if points:
            colour = GREY if degree == LABELS_ALONE else COLOURS[number % len(COLOURS)]
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=1, label=degree_name(degree))
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _losses(file: Path) -> list[tuple[int, float]]:
    if not file.exists():
        return []
    points = [line.value() for line in json_lines(file)]
    return [(int(point["step"]), float(point["lm"])) for point in points]


def _learnt(directory: CotDirectory, degrees: Mapping[int, Sequence[PhaseRecord]]) -> Example | None:
    """The first question of the largest degree that has got so far, with what is learnt of it."""
    for degree in sorted(degrees, reverse=True):
        file = directory.degree(degree).round(0).examples
        if file.exists():
            return max(read_table(file, Example), key=lambda example: len(example.positives), default=None)
    return None
