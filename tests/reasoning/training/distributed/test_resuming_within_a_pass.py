"""A training that was cut off between two passes goes on from the step that was saved."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from reasoning.recipe.training import ObjectiveSection
from tests.reasoning.training.test_fine_tuning import _Killed, _teach, _training, _weights
from tests.tiny_students import tiny_student

pytestmark = pytest.mark.training


@pytest.mark.parametrize(
    ("loss", "cut_at"),
    [("weighted", 1), ("weighted", 2), ("weighted", 3), ("dpo", 2), ("step_dpo", 3), ("self_distillation", 2)],
)
def test_a_training_resumed_within_a_pass_ends_as_if_uninterrupted(loss: Any, cut_at: int, tmp_path: Path) -> None:
    """Saved at the `cut_at`-th step that may be, in the first or the second pass, and killed a step later."""
    whole, cut, fresh = (tiny_student(dropout=0.2) for _ in range(3))
    objective = ObjectiveSection(loss=loss)
    expected = _teach(whole, _training(epochs=2), objective=objective)
    asked = itertools.count(1)

    def due() -> bool:
        turn = next(asked)
        if turn > cut_at:
            raise _Killed
        return turn == cut_at

    with pytest.raises(_Killed):
        _teach(
            cut, _training(epochs=2), objective=objective, due=due, on_due=lambda run: run.save(tmp_path / "state.pt")
        )
    torch.manual_seed(99)
    report = _teach(fresh, _training(epochs=2), objective=objective, resume=tmp_path / "state.pt")
    assert torch.equal(_weights(fresh), _weights(whole))
    told, wanted = ([(p.step, p.lm, p.triplet, p.reflection) for p in run.losses] for run in (report, expected))
    assert told == wanted
