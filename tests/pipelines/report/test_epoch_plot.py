"""Accuracy by epoch as a figure: a line a student, its interval, a mark on the epoch that validation chose."""

from __future__ import annotations

from matplotlib.figure import Figure

from pipelines.report.epoch_plot import draw_epochs
from reasoning.rounds.epochs import EpochAccuracy


def test_each_student_has_its_line_and_its_best_epoch_by_validation_is_marked() -> None:
    rising = [EpochAccuracy(1, 10, 3, 20, 8), EpochAccuracy(2, 10, 9, 20, 10), EpochAccuracy(3, 10, 5, 20, 19)]
    falling = [EpochAccuracy(1, 10, 8, 20, 12), EpochAccuracy(2, 10, 2, 20, 14)]
    axes = Figure().subplots()
    draw_epochs(axes, {"rising": rising, "falling": falling})
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert lines["rising"] == [[1, 40], [2, 50], [3, 95]]
    assert lines["falling"] == [[1, 60], [2, 70]]
    marks = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "o"]
    assert marks == [[[2, 50]], [[1, 60]]]  # epoch 3 is better on the test, which decides nothing
    assert axes.get_legend_handles_labels()[1] == ["rising", "falling", "validation"]
