"""TRL's trainer learns what ours learns: where it is installed, which the project does not ask for."""

from __future__ import annotations

import itertools

import pytest
import torch

from bench.training.trl_peer import WHERE_TO_GET_IT, has_trl, trl_tokens_per_second
from bench.training.workload import Workload, coin_flips, make_student
from reasoning.training.samples import tokenize_examples

pytestmark = pytest.mark.training


@pytest.mark.skipif(not has_trl(), reason=WHERE_TO_GET_IT)
def test_it_trains_in_packed_rows() -> None:
    load = Workload(None, False, 1, 64, 4, torch.device("cpu"), "float32")
    student = make_student(load)
    data = tokenize_examples(coin_flips(16), student.tokenizer, 512).examples
    texts = [(*one.prompt, *one.positives[0]) for one in data]
    ticks = itertools.count()  # a step a second
    speed = trl_tokens_per_second(student.model, student.tokenizer, texts, 3, row=128, clock=lambda: float(next(ticks)))
    assert 0.8 * 128 < speed <= 128
