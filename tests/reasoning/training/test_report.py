"""Reports of a training travel to processes without torch, and saved losses are read back by position."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, fields

from reasoning.training.report import LossPoint


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
