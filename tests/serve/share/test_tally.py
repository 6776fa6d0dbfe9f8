"""The live accuracy of each version."""

from __future__ import annotations

import pytest

from reasoning.grading.intervals import wilson
from reasoning.records import Verdict
from serve.share.tally import Count, LiveAccuracy, Tally, live_accuracy


def test_the_counts_of_several_replicas_are_one_accuracy_a_version() -> None:
    counts = [
        *(Count("a", Verdict.CORRECT, 3), Count("a", Verdict.WRONG, 1)),
        *(Count("b", Verdict.CORRECT, 1), Count("a", Verdict.CORRECT, 4), Count("a", Verdict.TRUNCATED, 2)),
    ]
    of_a, of_b, of_c = live_accuracy(counts, ["a", "b", "c"])
    between = wilson(7, 10)
    assert of_a == LiveAccuracy("a", 7, 10, 0.7, between.low, between.high)
    assert (of_b.correct, of_b.n, of_b.accuracy) == (1, 1, 1.0)
    assert of_c == LiveAccuracy("c", 0, 0, None, 0.0, 1.0)


def test_a_version_that_is_not_asked_for_is_told_if_it_was_counted() -> None:
    assert [one.version for one in live_accuracy([Count("old", Verdict.WRONG, 1)], ["now"])] == ["now", "old"]


def test_a_replica_counts_by_version_and_verdict_until_it_begins_anew() -> None:
    tally = Tally()
    for verdict in (Verdict.CORRECT, Verdict.CORRECT, Verdict.NO_ANSWER):
        tally.add("a", verdict)
    tally.add("b", Verdict.CORRECT)
    assert tally.counts() == [
        Count("a", Verdict.CORRECT, 2),
        Count("a", Verdict.NO_ANSWER, 1),
        Count("b", Verdict.CORRECT, 1),
    ]
    assert live_accuracy(tally.counts())[0].accuracy == pytest.approx(2 / 3)
    tally.forget()
    assert tally.counts() == []
