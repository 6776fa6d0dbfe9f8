"""When a training's state is kept within a pass."""

from __future__ import annotations

import pytest

from actors.training.states import CheckpointDue


@pytest.mark.parametrize(
    ("rank", "leaves_at", "due_at"),
    [
        (0, None, [12, 24, 36]),  # every ten seconds and a bit: steps are three seconds apart
        (1, None, []),  # all ranks follow the first
        (1, 20, [24]),  # its node leaves: once, seen when it is looked at again
        (0, 20, [12, 21, 24, 36]),
    ],
)
def test_a_state_is_due_by_time_and_when_the_node_leaves(rank: int, leaves_at: int | None, due_at: list[int]) -> None:
    now = 0.0
    due = CheckpointDue(rank, 10.0, lambda: leaves_at is not None and now >= leaves_at, lambda: now)
    seen = []
    for now in range(0, 40, 3):
        if due():
            seen.append(now)
    assert seen == due_at
