"""The figures of a run's report: accuracy by round and by epoch, loss by step, verdicts of exams, time by phase.

Owns: what each of them shows, from a run's directory and its finished phases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.report.epoch_plot import draw_epochs
from pipelines.report.page import BLUE, GREEN, GREY, INK, ORANGE, RED, VIOLET, Plot, drawn
from reasoning.files.json_files import json_lines
from reasoning.records import Verdict
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.epochs import read_epochs
from reasoning.rounds.phase_order import Phase, PhaseRecord, evaluations

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VERDICTS = {Verdict.CORRECT: GREEN, Verdict.WRONG: RED, Verdict.NO_ANSWER: ORANGE, Verdict.TRUNCATED: GREY}
_PHASES = dict(zip(Phase, (ORANGE, RED, GREY, BLUE, GREEN), strict=True))


def plots(directory: RunDirectory, records: Sequence[PhaseRecord], baselines: Mapping[str, float]) -> list[Plot]:
    """Every figure that has something to show. `baselines`: shares to compare accuracies with, by their names."""
    found = []
    if finished := evaluations(records):
        caption = "Accuracy by round on held-out questions, with 95 % intervals"
        found.append(drawn(caption, lambda axes: _accuracy(axes, finished, baselines)))
    by_epoch = {record.round: read_epochs(directory.round(record.round).epoch_accuracies) for record in finished}
    students = {f"round {round}": accuracies for round, accuracies in by_epoch.items() if accuracies}
    if students:
        caption = "Test accuracy by epoch; dots: chosen by validation"
        found.append(drawn(caption, lambda axes: draw_epochs(axes, students)))
    if exams := [record for record in records if record.phase is Phase.EXAM]:
        found.append(drawn("What the exams found: attempts by verdict", lambda axes: _exams(axes, exams)))
    losses = {
        record.round: loss_points(directory.round(record.round).losses)
        for record in records
        if record.phase is Phase.TRAIN
    }
    if any(losses.values()):
        found.append(drawn("Loss by training step", lambda axes: _losses(axes, losses)))
    if records:
        found.append(drawn("Where the time went, by phase", lambda axes: _time(axes, records)))
    return found


def loss_points(file: Path) -> list[dict[str, float]]:
    """The lines of a file of losses, none where there is none."""
    return [line.value() for line in json_lines(file)] if file.exists() else []


def _accuracy(axes: Axes, finished: Sequence[PhaseRecord], baselines: Mapping[str, float]) -> None:
    for split, colour, shift in (("test", BLUE, 0.0), ("validation", GREY, 0.06)):
        rounds = [record.round + shift for record in finished]
        value, low, high = (
            [100 * float(record.metrics[f"{split}_{name}"]) for record in finished]
            for name in ("accuracy", "low", "high")
        )
        spans = [[v - lo for v, lo in zip(value, low, strict=True)], [h - v for v, h in zip(value, high, strict=True)]]
        axes.errorbar(rounds, value, yerr=spans, color=colour, marker="o", capsize=3, label=split)
    for (name, share), colour in zip(baselines.items(), (ORANGE, VIOLET, INK), strict=False):
        axes.axhline(100 * share, color=colour, linewidth=1, linestyle="--", label=name)
    axes.set(xlabel="round", ylabel="accuracy, %", ylim=(0, 100), xticks=[record.round for record in finished])
    axes.grid(alpha=0.3)


def _losses(axes: Axes, losses: Mapping[int, Sequence[Mapping[str, float]]]) -> None:
    start, named = 0.0, False
    for round, points in losses.items():
        if not points:
            continue
        steps = [start + point["step"] for point in points]
        axes.plot(steps, [point["lm"] for point in points], color=BLUE, linewidth=1, label=None if start else "LM")
        told = "reflection" if any(p.get("reflection") is not None for p in points) else "triplet"
        triplets = [(step, p[told]) for step, p in zip(steps, points, strict=True) if p[told] is not None]
        if triplets:
            label = None if named else told
            axes.plot(*zip(*triplets, strict=True), ".", color=ORANGE, markersize=3, label=label)
            named = True
        axes.axvline(start, color=GREY, linewidth=0.6)
        axes.text(start, 0.98, f" round {round}", transform=axes.get_xaxis_transform(), va="top", fontsize=8)
        start = steps[-1]
    axes.set(xlabel="step", ylabel="loss", ylim=(0, 1.12 * axes.dataLim.y1 or None))  # rounds are named above the lines
    axes.grid(alpha=0.3)


def _exams(axes: Axes, exams: Sequence[PhaseRecord]) -> None:
    bottom = [0.0] * len(exams)
    rounds = [str(exam.round) for exam in exams]
    for verdict, colour in VERDICTS.items():
        shares = [100 * float(exam.metrics[verdict]) / max(float(exam.metrics["attempts"]), 1) for exam in exams]
        axes.bar(rounds, shares, bottom=bottom, color=colour, label=verdict.replace("_", " "), width=0.6)
        bottom = [b + s for b, s in zip(bottom, shares, strict=True)]
    axes.set(xlabel="round", ylabel="attempts, %", ylim=(0, 100))


def _time(axes: Axes, records: Sequence[PhaseRecord]) -> None:
    rounds = sorted({record.round for record in records})
    left = [0.0] * len(rounds)
    for phase, colour in _PHASES.items():
        seconds = [sum(r.seconds for r in records if r.round == i and r.phase is phase) for i in rounds]
        axes.barh([f"round {i}" for i in rounds], seconds, left=left, color=colour, label=phase.value)
        left = [a + b for a, b in zip(left, seconds, strict=True)]
    axes.invert_yaxis()
    axes.set(xlabel="seconds")
