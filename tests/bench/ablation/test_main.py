"""A device that is not there is refused before a cell begins."""

from __future__ import annotations

import pytest
import torch

from bench.ablation.__main__ import no_device


def test_students_can_be_where_something_is_computed() -> None:
    assert no_device("cpu") == ""
    assert "--device meta" in no_device("meta")
    assert "--device elsewhere: " in no_device("elsewhere")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told() -> None:
    assert no_device("cuda").startswith("--device cuda: ") and "\n" not in no_device("cuda")
