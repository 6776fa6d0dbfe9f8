"""What the measurements refuse before anything is computed: options out of bounds, and students that cannot be taught.

Light: `python -m bench.gpu` runs where there is little beside torch.
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reasoning.recipe.tailored import Recipe


def count(text: str) -> int:
    """An option's whole number, 1 or more."""
    return _whole(text, 1)


def count_or_none(text: str) -> int:
    """An option's whole number, 0 or more."""
    return _whole(text, 0)


def amount(text: str) -> float:
    """An option's number, more than 0."""
    if amount_or_none(text) == 0:
        raise argparse.ArgumentTypeError(f"must be more than 0, not {text}")
    return float(text)


def amount_or_none(text: str) -> float:
    """An option's number, 0 or more."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"must be a number of 0 or more, not {text}")
    return value


def _whole(text: str, least: int) -> int:
    value = int(text)
    if value < least:
        raise argparse.ArgumentTypeError(f"must be {least} or more, not {text}")
    return value


def no_device(device: str) -> str:
    """Why students cannot be on `device`; "" where they can."""
    import torch

    try:
        torch.empty(1, device=torch.device(device))
    except (RuntimeError, AssertionError) as error:
        return f"--device {device}: {str(error).splitlines()[0]}"
    return "" if torch.device(device).type != "meta" else "--device meta: nothing is computed there"


def refuse_student(recipe: Recipe) -> None:
    """Ends the command, and says what to do, where the recipe's student cannot be loaded, or taught, in one process.
    One that is named as a GGUF file is there afterwards."""
    from pipelines.run.checks.student_check import student_faults
    from pipelines.run.preflight import PreflightError

    cluster, notes = recipe.cluster.model_copy(update={"sampler": "transformers"}), list[str]()
    if faults := list(student_faults(recipe.model_copy(update={"cluster": cluster}), notes)):
        sys.exit(str(PreflightError(recipe.name, faults)))
    for note in notes:
        print(note, flush=True)
