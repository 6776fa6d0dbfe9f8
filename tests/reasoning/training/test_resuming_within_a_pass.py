"""A training that was cut off between two passes goes on from the step that was saved."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from tests.reasoning.training.test_fine_tuning import _Killed, _teach, _training, _weights
from tests.tiny_students import tiny_student

pytestmark = pytest.mark.training


@pytest.mark.parametrize("cut_at", [1, 2, 3])
def test_a_training_resumed_within_a_pass_ends_as_if_uninterrupted(cut_at: int, tmp_path: Path) -> None:
    """Saved at the `cut_at`-th step that may be, in the first or the second pass, and killed a step later."""
    whole, cut, fresh = (tiny_student(dropout=0.2) for _ in range(3))
    expected = _teach(whole, _training(epochs=2))
    asked = itertools.count(1)

    def due() -> bool:
        turn = next(asked)
        if turn > cut_at:
            raise _Killed
        return turn == cut_at

    with pytest.raises(_Killed):
        _teach(cut, _training(epochs=2), due=due, on_due=lambda run: run.save(tmp_path / "state.pt"))
    torch.manual_seed(99)
    report = _teach(fresh, _training(epochs=2), resume=tmp_path / "state.pt")
    assert torch.equal(_weights(fresh), _weights(whole))
    assert [(p.step, p.lm, p.triplet) for p in report.losses] == [(p.step, p.lm, p.triplet) for p in expected.losses]
