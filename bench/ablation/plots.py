"""What cells say, as plots: every arm at one budget, and arms over several budgets."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from bench.ablation.arms import Arm
from bench.ablation.cells import Budget, Cell
from reasoning.grading.intervals import mean_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_file(text: str) -> Path:
    """An option's file for a plot, of a kind that is written."""
    path = Path(text)
    if path.suffix not in (".svg", ".png", ".pdf"):
        raise argparse.ArgumentTypeError(f"{text}: a plot is written as .svg, .png or .pdf")
    return path


def plot(arms: Sequence[Arm], cells: Sequence[Cell], path: Path) -> None:
    """Every seed as a dot, the mean with its interval, one row an arm."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.5 * len(arms) + 1.2), layout="constrained")
    axes = figure.subplots()
    for row, arm in enumerate(reversed(arms)):
        values = [100 * cell.accuracy[-1] for cell in cells if cell.arm == arm.name]
        if not values:
            continue
        axes.plot(values, [row] * len(values), "o", color="0.7", markersize=4)
        interval = mean_interval(values)
        if len(values) > 1:
            axes.plot([interval.low, interval.high], [row, row], color="tab:blue", linewidth=2)
        axes.plot([mean(values)], [row], "D", color="tab:blue", markersize=6)
    axes.set_yticks(range(len(arms)), [arm.name for arm in reversed(arms)])
    axes.set_xlabel("test accuracy, % (dots: seeds; diamond and bar: mean and its 95 % interval)")
    axes.grid(axis="x", alpha=0.3)
    _save(figure, path)


def curves(arms: Sequence[Arm], cells: Mapping[Budget, Sequence[Cell]], path: Path) -> None:
    """Accuracy over budgets, a line an arm: its mean over seeds with the mean's 95 % interval, every seed a dot. Only
    arms with two budgets or more have a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for arm in arms:
        points = []
        for budget, found in cells.items():
            values = [100 * cell.accuracy[-1] for cell in found if cell.arm == arm.name]
            if values:
                points.append((budget.amount, values))
        if len(points) < 2:
            continue
        points.sort(key=lambda point: point[0])
        means = [mean(values) for _, values in points]
        (line,) = axes.plot([at for at, _ in points], means, marker="D", markersize=5, label=arm.name)
        for at, values in points:
            axes.plot([at] * len(values), values, "o", color=line.get_color(), alpha=0.4, markersize=3)
            if len(values) > 1:
                interval = mean_interval(values)
                axes.plot([at, at], [interval.low, interval.high], color=line.get_color(), linewidth=1, alpha=0.6)
    unit = "dollars" if all(budget.dollars is not None for budget in cells) else "teacher tokens"
    axes.set(xlabel=f"budget, {unit}", ylabel="test accuracy, % (dots: seeds; bar: the mean's 95 % interval)")
    axes.set_xscale("log")
    ticks = sorted({budget.amount for budget in cells})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    from matplotlib import rcParams

    rcParams["svg.hashsalt"] = "tailor"  # the same cells, the same file
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
