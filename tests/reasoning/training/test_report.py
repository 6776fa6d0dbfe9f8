"""Reports of a training travel to processes without torch, saved losses are read back by position, and numbers that are
none end a training."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, fields
from typing import Any

import pytest
import torch

from reasoning.training.report import LossPoint, TrainingError
from tests.reasoning.training.test_fine_tuning import _teach, _training
from tests.tiny_students import tiny_student

pytestmark = pytest.mark.training


def test_a_report_needs_no_torch() -> None:
    code = "import sys, reasoning.training.report\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"


def test_the_state_of_an_interrupted_training_holds_these_values_in_this_order() -> None:
    """A training begun before goes on with the losses that it saved: a new field comes last, and has a default."""
    saved = (3, 1, 2.5, None, 2.5, 1e-3, 400.0, 12)
    order = ["step", "epoch", "lm", "triplet", "total", "learning_rate", "tokens_per_s", "steps"]
    assert [field.name for field in fields(LossPoint)][: len(order)] == order
    assert tuple(asdict(LossPoint(*saved)).values())[: len(order)] == saved


def test_a_student_that_gives_no_numbers_is_told_from_a_training_that_diverges() -> None:
    student = tiny_student()
    with torch.no_grad():
        student.model.get_output_embeddings().weight.fill_(float("inf"))
    with pytest.raises(TrainingError, match=r"loss of step 0 .* before anything was learnt: .*another checkpoint"):
        _teach(student, _training())


@pytest.mark.parametrize("max_grad_norm", [1.0, None])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_training_that_diverges_stops_with_the_cure(what: str, max_grad_norm: float | None) -> None:
    """Also where it does so in its last step, after which no loss would tell."""
    student, steps = tiny_student(), 0

    def spoil(_module: Any, _given: Any, output: torch.Tensor) -> None:
        nonlocal steps
        if output.requires_grad and student.model.training:
            steps += 1
        if steps == 6 and what == "loss":
            output.data.fill_(float("nan"))
        elif steps == 6:
            output.register_hook(lambda gradient: gradient * float("inf"))

    student.model.model.norm.register_forward_hook(spoil)
    with pytest.raises(TrainingError, match=rf"the {what} of step 5 .* diverged\. Lower learning_rate"):
        _teach(student, _training(max_grad_norm=max_grad_norm))
    assert steps == 6
