"""`report.html`: one self-contained page about a run, made from its directory alone.

Owns: the plots (accuracy per round with 95 % intervals, loss by step, where the time went, verdicts of the exams), the
tables and the example that shows one mistake, the teacher's answer to it and what was learnt.

Invariant: every word that came from a student, a teacher or a data set is escaped; nothing is fetched when it is read.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from pipelines.report.epoch_plot import epochs_figure
from reasoning.files.durable import new_file
from reasoning.files.json_files import json_lines
from reasoning.files.resources import resource
from reasoning.files.tables import read_table
from reasoning.records import Attempt, Rationale, RationaleSource, Verdict
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.epochs import read_epochs
from reasoning.rounds.new_questions.agreement import NewProblem
from reasoning.rounds.new_questions.proposals import ProposalOutcome
from reasoning.rounds.phase_order import Phase, PhaseRecord, best_round, evaluations

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = resource("pipelines.report", "tailored.html.jinja")
BLUE, ORANGE, GREY, GREEN, RED = "#2f6db5", "#d9822b", "#8a8f98", "#3a8f5c", "#b8433a"


@dataclass(frozen=True, slots=True)
class Repair:
    """One mistake of the student beside the teacher's answer to it."""

    round: int
    wrong: str
    answer: str


@dataclass(frozen=True, slots=True)
class Practice:
    """A new question that was kept, with its answer and how many answers agreed on it."""

    question: str
    answer: str
    agreed: int
    asked: int


def write_report(directory: RunDirectory) -> Path:
    """Writes the report of what is finished so far and returns its path."""
    records = directory.finished()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        recipe=directory.recipe(),
        rows=_rows(records),
        plots=_plots(directory, records),
        repairs=_repairs(directory, records),
        practice=_practice(directory, records),
        fates=_fates(records),
        recipe_text=directory.recipe_file.read_text(encoding="utf-8"),
    )
    with new_file(directory.report) as part:
        part.write_text(page, encoding="utf-8")
    return directory.report


def _rows(records: Sequence[PhaseRecord]) -> list[dict[str, object]]:
    best = best_round(records)
    rows = []
    for evaluation in evaluations(records):
        merged: dict[str, object] = {}
        for record in records:
            if record.round == evaluation.round:
                merged |= {f"{record.phase}_{name}": value for name, value in record.metrics.items()}
        merged["round"] = evaluation.round
        merged["best"] = evaluation.round == best
        merged["seconds"] = sum(record.seconds for record in records if record.round == evaluation.round)
        rows.append(merged)
    return rows


def _plots(directory: RunDirectory, records: Sequence[PhaseRecord]) -> list[tuple[str, str]]:
    """(caption, SVG as a data address) of every plot that has something to show."""
    from matplotlib.figure import Figure

    plots = []
    if evaluations(records):
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        _plot_accuracy(figure, records)
        plots.append(("Held-out accuracy per round, with 95 % intervals", svg_address(figure)))
    by_epoch = {r.round: read_epochs(directory.round(r.round).epoch_accuracies) for r in evaluations(records)}
    students = {f"round {round}": accuracies for round, accuracies in by_epoch.items() if accuracies}
    if students:
        plots.append(("Test accuracy by epoch; dots: chosen by validation", svg_address(epochs_figure(students))))
    losses = {r.round: _losses(directory.round(r.round).losses) for r in records if r.phase is Phase.TRAIN}
    if any(losses.values()):
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        _plot_losses(figure, losses)
        plots.append(("Loss by training step", svg_address(figure)))
    exams = [record for record in records if record.phase is Phase.EXAM]
    if exams:
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        _plot_exams(figure, exams)
        plots.append(("What the exams found", svg_address(figure)))
    if records:
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        _plot_time(figure, records)
        plots.append(("Where the time went", svg_address(figure)))
    return plots


def _plot_accuracy(figure: Figure, records: Sequence[PhaseRecord]) -> None:
    axes = figure.subplots()
    finished = evaluations(records)
    for split, colour, shift in (("test", BLUE, 0.0), ("validation", GREY, 0.06)):
        rounds = [record.round + shift for record in finished]
        value, low, high = (
            [100 * float(record.metrics[f"{split}_{name}"]) for record in finished]
            for name in ("accuracy", "low", "high")
        )
        spans = [[v - lo for v, lo in zip(value, low, strict=True)], [h - v for v, h in zip(value, high, strict=True)]]
        axes.errorbar(rounds, value, yerr=spans, color=colour, marker="o", capsize=3, label=split)
    axes.set(xlabel="round", ylabel="accuracy, %", ylim=(0, 100), xticks=[record.round for record in finished])
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


def _plot_losses(figure: Figure, losses: dict[int, list[dict[str, float]]]) -> None:
    axes = figure.subplots()
    start = 0.0
    for round, points in losses.items():
        steps = [start + point["step"] for point in points]
        axes.plot(steps, [point["lm"] for point in points], color=BLUE, linewidth=1, label="LM" if not start else None)
        triplets = [(step, p["triplet"]) for step, p in zip(steps, points, strict=True) if p["triplet"] is not None]
        if triplets:
            axes.plot(*zip(*triplets, strict=True), ".", color=ORANGE, markersize=3)
        if points:
            axes.axvline(start, color=GREY, linewidth=0.6)
            axes.text(start, 0.98, f" round {round}", transform=axes.get_xaxis_transform(), va="top", fontsize=8)
            start = steps[-1]
    axes.plot([], [], ".", color=ORANGE, label="triplet")
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


def _plot_exams(figure: Figure, exams: Sequence[PhaseRecord]) -> None:
    axes = figure.subplots()
    bottom = [0.0] * len(exams)
    rounds = [str(exam.round) for exam in exams]
    colours = {Verdict.CORRECT: GREEN, Verdict.WRONG: RED, Verdict.NO_ANSWER: ORANGE, Verdict.TRUNCATED: GREY}
    for verdict, colour in colours.items():
        shares = [100 * float(exam.metrics[verdict]) / float(exam.metrics["attempts"]) for exam in exams]
        axes.bar(rounds, shares, bottom=bottom, color=colour, label=verdict.replace("_", " "), width=0.6)
        bottom = [b + s for b, s in zip(bottom, shares, strict=True)]
    axes.set(xlabel="round", ylabel="attempts, %", ylim=(0, 100))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def _plot_time(figure: Figure, records: Sequence[PhaseRecord]) -> None:
    axes = figure.subplots()
    rounds = sorted({record.round for record in records})
    left = [0.0] * len(rounds)
    for phase, colour in zip(Phase, (ORANGE, RED, GREY, BLUE, GREEN), strict=True):
        seconds = [sum(r.seconds for r in records if r.round == i and r.phase is phase) for i in rounds]
        axes.barh([f"round {i}" for i in rounds], seconds, left=left, color=colour, label=phase.value)
        left = [a + b for a, b in zip(left, seconds, strict=True)]
    axes.invert_yaxis()
    axes.set(xlabel="seconds")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def _repairs(directory: RunDirectory, records: Sequence[PhaseRecord]) -> list[Repair]:
    """Up to three mistakes with the teacher's answers, from the last round that has any."""
    from reasoning.records import Mistake

    for record in reversed([r for r in records if r.phase is Phase.FEEDBACK and r.round]):
        files = directory.round(record.round)
        wrong = {
            Mistake(a.problem_id, a.round, a.text, a.prediction).id: a.text for a in read_table(files.exam, Attempt)
        }
        tailored = [r for r in read_table(files.rationales, Rationale) if r.source is RationaleSource.TAILORED]
        pairs = [(r, wrong[r.mistake_id]) for r in tailored if r.kept and r.mistake_id in wrong]
        if pairs:
            return [Repair(r.round, text.strip(), f"{r.text}\nAnswer: {r.answer}") for r, text in pairs[:3]]
    return []


def _practice(directory: RunDirectory, records: Sequence[PhaseRecord]) -> list[Practice]:
    """Up to three new questions that were kept, from the last round that has any."""
    for record in reversed([r for r in records if r.metrics.get("new_kept")]):
        new = read_table(directory.round(record.round).new_problems, NewProblem)
        kept = [one for one in new if one.fate is ProposalOutcome.KEPT]
        return [Practice(one.question, one.answer, one.agreed, one.asked) for one in kept[:3]]
    return []


def _fates(records: Sequence[PhaseRecord]) -> list[tuple[str, int]]:
    """What became of the new questions of all rounds, as (words, count), none when none were proposed."""
    totals = {fate: sum(int(record.metrics.get(f"new_{fate}", 0)) for record in records) for fate in ProposalOutcome}
    return [(fate.replace("_", " "), count) for fate, count in totals.items() if count]


def _losses(file: Path) -> list[dict[str, float]]:
    return [line.value() for line in json_lines(file)] if file.exists() else []


def svg_address(figure: Figure) -> str:
    """The whole figure as a data URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
