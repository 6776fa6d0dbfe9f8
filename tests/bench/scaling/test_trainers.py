"""The pass whose scaling over trainers is measured is one of the real training, with the pretended time in it."""

from __future__ import annotations

import pytest

from bench.scaling.trainers import SAMPLES, timed_pass


@pytest.mark.training
def test_a_pass_takes_at_least_the_time_that_its_samples_pretend() -> None:
    passed = timed_pass(0, 1, 0.01, steps=2)
    assert passed.samples == 2 * SAMPLES and passed.seconds > 0.01 * passed.samples
    assert passed.per_second == passed.samples / passed.seconds
