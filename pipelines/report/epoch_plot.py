"""Accuracy by epoch, drawn: one line a student, its 95 % interval as a band, its best epoch marked.

Owns: the figure alone, for reports and measurements alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipelines.report.page import COLOURS, INK
from reasoning.rounds.epochs import EpochAccuracy, best_epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND = 0.12


def draw_epochs(axes: Axes, students: Mapping[str, Sequence[EpochAccuracy]]) -> None:
    """Test accuracy of each student in full lines, validation accuracy in dotted ones."""
    for (name, accuracies), colour in zip(students.items(), colours(len(students)), strict=True):
        plot_epochs(axes, accuracies, "test", colour, name)
        plot_epochs(axes, accuracies, "validation", colour)
    axes.plot([], [], color=INK, linewidth=1, linestyle=":", label="validation")
    finish(axes, legend=False)


def plot_epochs(
    axes: Axes, accuracies: Sequence[EpochAccuracy], split: str, colour: str, label: str | None = None
) -> None:
    """Draws one student's accuracy on `split` into `axes`: labelled, with band and mark, or else as a dotted line."""
    epochs = [one.epoch for one in accuracies]
    values = [100 * one.accuracy(split) for one in accuracies]
    if label is None:
        axes.plot(epochs, values, color=colour, linewidth=1, linestyle=":")
        return
    bounds = [one.interval(split) for one in accuracies]
    axes.plot(epochs, values, color=colour, linewidth=1.6, label=label)
    axes.fill_between(
        epochs, [100 * b.low for b in bounds], [100 * b.high for b in bounds], color=colour, alpha=BAND, linewidth=0
    )
    best = best_epoch(accuracies)
    axes.plot([best.epoch], [100 * best.accuracy(split)], "o", color=colour, markersize=6)


def finish(axes: Axes, *, legend: bool = True) -> None:
    """The same axes for every figure."""
    axes.set(xlabel="epoch", ylabel="accuracy, %", ylim=(0, 100))
    axes.grid(alpha=0.3)
    if legend:
        axes.legend(frameon=False, fontsize=8)


def colours(count: int) -> list[str]:
    """A colour for each of `count` lines; they come again when there are many."""
    return [COLOURS[i % len(COLOURS)] for i in range(count)]
