"""TRL's trainer learns what ours learns: where it is installed, which the project does not ask for."""

from __future__ import annotations

import pytest
import torch

from bench.training.trl_peer import WHERE_TO_GET_IT, has_trl, trl_tokens_per_second
from bench.training.workload import Workload, coin_flips, make_student
from reasoning.training.samples import draw_pass, tokenize_examples

pytestmark = pytest.mark.training


@pytest.mark.skipif(not has_trl(), reason=WHERE_TO_GET_IT)
def test_it_trains_in_packed_rows() -> None:
    load = Workload(None, False, 1, 64, 4, torch.device("cpu"), "float32")
    data = tokenize_examples(coin_flips(16), make_student(load).tokenizer, 512).examples
    assert trl_tokens_per_second(load, draw_pass(data, 4, 0, 0), 0.2) > 0
