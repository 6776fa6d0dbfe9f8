"""What a run came to, as a table on the terminal: its rounds, or its degrees.

Owns: the two tables. Test accuracy is shown and decides nothing: the mark is on what validation chose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from reasoning.fine_tune_cot.order import best_degree
from reasoning.recipe.fine_tune_cot import LABELS_ALONE
from reasoning.rounds.phase_order import PhaseRecord, evaluations


def rounds_table(records: Sequence[PhaseRecord], best: int | None) -> Table:
    """The run's rounds: mistakes found, rationales kept, accuracies with their 95 % intervals."""
    table = Table(title="Rounds", title_justify="left")
    for heading in ("round", "mistakes", "kept", "loss", "val %", "test %", "95 % interval", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.caption = "* the best round by validation accuracy; test accuracy decides nothing"
    table.caption_justify = "left"
    for evaluation in evaluations(records):
        of_round = {record.phase: record for record in records if record.round == evaluation.round}
        exam, feedback, train = (of_round.get(phase) for phase in ("exam", "feedback", "train"))  # type: ignore[call-overload]
        test = evaluation.metrics
        table.add_row(
            f"{'*' if evaluation.round == best else ''}{evaluation.round}",
            str(exam.metrics["mistakes"]) if exam else "–",
            str(feedback.metrics["kept"]) if feedback else "–",
            f"{float(train.metrics['lm_loss_last']):.3f}" if train else "–",
            f"{100 * float(evaluation.metrics['validation_accuracy']):.1f}",
            f"{100 * float(test['test_accuracy']):.1f}",
            f"{100 * float(test['test_low']):.1f} – {100 * float(test['test_high']):.1f}",
            f"{sum(record.seconds for record in of_round.values()):.0f}",
        )
    return table


def degrees_table(degrees: Mapping[int, list[PhaseRecord]]) -> Table:
    """The run's degrees: rationales kept, the chosen epochs, accuracies with their 95 % intervals."""
    best = best_degree(degrees)
    table = Table(title="Degrees", title_justify="left")
    for heading in ("degree", "kept", "loss", "epoch", "val %", "test %", "95 % interval", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.caption = "* the graduate; validation accuracy chooses epochs and degrees, test accuracy decides nothing"
    table.caption_justify = "left"
    for degree, records in degrees.items():
        for evaluation in evaluations(records):
            phases = {str(record.phase): record.metrics for record in records}
            metrics = evaluation.metrics
            table.add_row(
                f"{'*' if degree == best else ''}{degree}",
                "labels" if degree == LABELS_ALONE else str(phases["feedback"]["kept"]),
                f"{float(phases['train']['lm_loss_last']):.3f}",
                f"{metrics['best_epoch']}/{metrics['epochs']}" if "best_epoch" in metrics else "last",
                f"{100 * float(metrics['validation_accuracy']):.1f}",
                f"{100 * float(metrics['test_accuracy']):.1f}",
                f"{100 * float(metrics['test_low']):.1f} – {100 * float(metrics['test_high']):.1f}",
                f"{sum(record.seconds for record in records):.0f}",
            )
    return table
