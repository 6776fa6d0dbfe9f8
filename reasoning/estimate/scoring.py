"""What a teacher with logits will read of the student's own attempts, for the loss `on_policy`.

Owns: this number, and how it is told. Nothing is paid for it: such a teacher is served by the run.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasoning.recipe.learning import LearningSection
from reasoning.rounds.phase_order import Finished, Phase, PhaseRecord, next_step


def scoring_note(learning: LearningSection, train: int, done: Sequence[PhaseRecord]) -> tuple[str, ...]:
    """A line on the scoring that is left after the phases in `done`, with `train` training questions; none where none
    is."""
    if learning.objective.loss != "on_policy" or isinstance(
        next_step(done, learning.rounds, learning.patience), Finished
    ):
        return ()
    scored = {record.round for record in done if record.phase is Phase.FEEDBACK}
    sat = {record.round: int(record.metrics.get("attempts", 0)) for record in done if record.phase is Phase.EXAM}
    each = min(learning.exam.questions or train, train) * learning.exam.samples
    left = [round for round in range(1, learning.rounds + 1) if round not in scored]
    most = sum(sat.get(round, each) for round in left)
    if not most:
        return ()
    rounds = f"round {left[0]}" if len(left) == 1 else f"rounds {left[0]} to {left[-1]}"
    return (
        f"In {rounds} the teacher also reads the student's own attempts for loss: on_policy, {most:,} requests at most "
        f"(each whole attempt once, {learning.training.max_tokens:,} tokens at most each). They cost no money, and "
        "are not in the table.",
    )
