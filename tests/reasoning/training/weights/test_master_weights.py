"""Weights in half precision lose no update, and a training of them is resumed as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from reasoning.recipe.training import TrainingSection
from reasoning.training.weights import master_weights
from reasoning.training.weights.choice import make_optimizer
from tests.reasoning.training.test_fine_tuning import _Killed, _teach, _training, _weights
from tests.tiny_students import tiny_student

pytestmark = pytest.mark.training


def test_updates_too_small_for_half_precision_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of 1e-4 on a weight of 1 is nothing in bfloat16, whose next number below is 0.996; a hundred are not."""
    monkeypatch.setattr(master_weights, "BUCKET", 8)  # so that there are several
    layers = torch.nn.ModuleList(torch.nn.Linear(4, 4, bias=False) for _ in range(3)).to(torch.bfloat16)
    exact = torch.nn.ModuleList(torch.nn.Linear(4, 4, bias=False) for _ in range(3))
    training = TrainingSection(learning_rate=1e-4, weight_decay=0.0)
    made = [make_optimizer(model, training) for model in (layers, exact)]
    for model in (layers, exact):
        for layer in model:
            torch.nn.init.ones_(layer.weight)
    made[0] = make_optimizer(layers, training)
    for _ in range(100):
        for model, optimizer in zip((layers, exact), made, strict=True):
            for layer in model:
                layer.weight.grad = torch.full_like(layer.weight, 0.5)
            optimizer.step()
            optimizer.zero_grad()
            assert all(layer.weight.grad is None for layer in model)
    for layer, same in zip(layers, exact, strict=True):
        assert torch.equal(layer.weight, same.weight.to(torch.bfloat16))
        assert 0.985 < float(layer.weight.detach()[0, 0]) < 0.995


def test_a_student_in_half_precision_learns_and_is_resumed_as_it_was(tmp_path: Path) -> None:
    training = _training(epochs=3, precision="bfloat16", learning_rate=1e-3)
    whole, cut, fresh = (tiny_student(dropout=0.1) for _ in range(3))
    expected = _teach(whole, training)
    assert {p.dtype for p in whole.model.parameters()} == {torch.bfloat16}
    assert expected.lm_loss_last < 0.9 * expected.lm_loss_first

    def keep(run: Any) -> None:
        run.save(tmp_path / "state.pt")
        raise _Killed

    with pytest.raises(_Killed):
        _teach(cut, training, on_pass=keep)
    torch.manual_seed(99)
    report = _teach(fresh, training, resume=tmp_path / "state.pt")
    assert torch.equal(_weights(fresh), _weights(whole))
    assert report.lm_loss_last == expected.lm_loss_last
