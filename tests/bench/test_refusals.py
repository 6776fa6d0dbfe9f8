"""What the commands refuse before they compute: numbers out of bounds, devices and students that are not there."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.refusals import amount, amount_or_none, count, count_or_none, no_device, refuse_student
from reasoning.recipe.tailored import parse_recipe


@pytest.mark.parametrize(
    ("bound", "right", "wrong"),
    [
        (count, "1", ["0", "-3"]),
        (count_or_none, "0", ["-1"]),
        (amount, "0.5", ["0", "-0.1", "nan", "inf"]),
        (amount_or_none, "0", ["-0.1", "nan", "inf"]),
    ],
)
def test_a_number_is_within_its_bounds(bound: Callable[[str], float], right: str, wrong: list[str]) -> None:
    assert bound(right) == float(right)
    for text in wrong:
        with pytest.raises(argparse.ArgumentTypeError, match=f"not {text}"):
            bound(text)
    with pytest.raises(ValueError, match="many"):
        bound("many")


def test_students_can_be_where_something_is_computed() -> None:
    assert no_device("cpu") == ""
    assert "--device meta" in no_device("meta")
    assert "--device elsewhere: " in no_device("elsewhere")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told() -> None:
    assert no_device("cuda").startswith("--device cuda: ") and "\n" not in no_device("cuda")


def test_a_student_that_is_not_there_ends_the_command(tmp_path: Path) -> None:
    refuse_student(parse_recipe("", "embedded"))
    with pytest.raises(SystemExit, match=r"there is no file .*gone\.gguf"):
        refuse_student(parse_recipe(f"student: {{model: {tmp_path}/gone.gguf}}", "gone"))
