"""What the measurements of a served student make of their times."""

from __future__ import annotations

import pytest

from bench.chaos.serving_kills import silence
from bench.serving import measured, ratio, told


def test_ratios_are_ours_over_the_bare_servers_and_medians_over_turns() -> None:
    ours = measured("tailor", 8, True, [0.2] * 99 + [1.0], [0.03] * 100, 0, 10.0, 3.0)
    bare = measured("vllm", 8, True, [0.1] * 99 + [0.5], [0.02] * 100, 1, 5.0, 2.0)
    lucky = measured("tailor", 8, True, [0.01] * 100, [0.001] * 100, 0, 1.0, 1.0)
    assert (ours.per_s, ours.n, ours.middle, ours.cpu_ms) == (10.0, 100, 0.2, 30.0)
    found = ratio([ours, ours, lucky], [bare, bare, bare])
    assert (found.throughput, found.cpu) == (0.5, 1.5) and found.first == pytest.approx(1.5)
    assert found.p99 == pytest.approx(2.0, rel=0.05)
    line = told([ours], [bare])
    assert "throughput 0.50 (10.0 over 20.0/s)" in line and "first token 1.50" in line and "1 failed" in line


def test_without_streaming_there_is_no_first_token() -> None:
    whole = measured("tailor", 1, False, [0.1], [], 0, 0.1)
    assert whole.first_median is None and ratio([whole], [whole]).first is None
    assert "first token" not in told([whole], [whole])


def test_the_longest_silence_is_found_wherever_it_is() -> None:
    assert silence([1.0, 2.0, 6.0, 6.5], 0.0, 7.0) == 4.0
    assert silence([1.0], 0.0, 7.0) == 6.0
    assert silence([], 2.0, 7.0) == 5.0
    assert silence([1.0, 9.0], 2.0, 7.0) == 5.0
