"""What moments in 8 bits want, and what is said where it is not there."""

from __future__ import annotations

import pytest

from reasoning.training.fine_tuning import TrainingError
from reasoning.training.weights import eight_bit
from reasoning.training.weights.eight_bit import eight_bit_problem
from tests.reasoning.training.test_fine_tuning import _teach, _training
from tests.tiny_students import tiny_student

pytestmark = pytest.mark.training


def test_eight_bits_want_a_gpu_and_their_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cluster.trainer_gpus" in eight_bit_problem(gpu=False)
    monkeypatch.setattr(eight_bit.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'tailor[eight_bit]'" in eight_bit_problem(gpu=True)
    with pytest.raises(TrainingError, match=r"adamw_8bit: it runs on a GPU, and the trainer has none"):
        _teach(tiny_student(), _training(optimizer="adamw_8bit"))
