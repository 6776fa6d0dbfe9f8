"""The fault plan and the latencies: by seed, as often as asked for, whatever the admitted."""

from collections import Counter
from random import Random

import pytest
from pydantic import ValidationError

from serve.provider.faults import BATCH_KINDS, FaultArgs, FaultKind, FaultPlan, LatencyArgs, chance

REQUESTS = [(f"request {i}", arrival) for i in range(5000) for arrival in range(2)]


def test_the_same_seed_plans_the_same_faults_in_any_order() -> None:
    args = FaultArgs(share=0.3)
    first = {request: FaultPlan(args, 7).fault(*request) for request in REQUESTS[:500]}
    shuffled = Random(0).sample(REQUESTS[:500], 500)
    plan = FaultPlan(args, 7)
    assert {request: plan.fault(*request) for request in shuffled} == first
    assert {request: FaultPlan(args, 8).fault(*request) for request in shuffled} != first


def test_a_request_that_failed_can_succeed_when_it_comes_again() -> None:
    plan = FaultPlan(FaultArgs(share=0.5), 0)
    assert {plan.fault("one request", arrival) is None for arrival in range(20)} == {True, False}


def test_share_and_weights_are_kept() -> None:
    weights = {FaultKind.SERVER_ERROR: 3.0, FaultKind.CUT_OFF: 1.0, FaultKind.HTML: 0.0}
    plan = FaultPlan(FaultArgs(share=0.4, weights=weights), 1)
    found = Counter(plan.fault(*request) for request in REQUESTS)
    assert set(found) == {None, FaultKind.SERVER_ERROR, FaultKind.CUT_OFF}
    assert found[FaultKind.SERVER_ERROR] / len(REQUESTS) == pytest.approx(0.3, abs=0.02)
    assert found[FaultKind.CUT_OFF] / len(REQUESTS) == pytest.approx(0.1, abs=0.02)


def test_without_weights_every_kind_occurs_and_in_a_batch_only_those_it_can_have() -> None:
    args = FaultArgs(share=1.0)
    assert {FaultPlan(args, 0).fault(*request) for request in REQUESTS} == set(FaultKind)
    assert {FaultPlan(args, 0, BATCH_KINDS).fault(*request) for request in REQUESTS} == set(BATCH_KINDS)


def test_weights_of_kinds_that_cannot_occur_here_leave_no_fault() -> None:
    args = FaultArgs(share=1.0, weights={FaultKind.STALLED: 1.0})
    assert FaultPlan(args, 0, BATCH_KINDS).fault("one", 0) is None


def test_only_the_first_arrivals_fail_where_so_asked() -> None:
    plan = FaultPlan(FaultArgs(share=1.0, first_arrivals=2), 0)
    assert [plan.fault("one", arrival) is None for arrival in range(4)] == [False, False, True, True]


@pytest.mark.parametrize("kind", ["constant", "uniform", "lognormal", "pareto"])
def test_half_of_the_latencies_are_below_the_median(kind: str) -> None:
    args = LatencyArgs.model_validate({"kind": kind, "median_s": 2.0, "spread": 0.5})
    drawn = sorted(args.seconds(chance(3, "latency", f"{i}", 0)) for i in range(4001))
    assert drawn[2000] == pytest.approx(2.0, rel=0.05)
    assert drawn[0] > 0 and drawn[-1] <= args.at_most_s
    assert (drawn[0] == drawn[-1]) == (kind == "constant")


def test_a_heavy_tail_is_longer_but_bounded() -> None:
    pareto = LatencyArgs(kind="pareto", median_s=1.0, spread=0.7, at_most_s=20.0)
    assert pareto.seconds(0.99) > LatencyArgs(kind="lognormal", median_s=1.0, spread=0.7).seconds(0.99) > 4
    assert pareto.seconds(0.999999) == 20.0


@pytest.mark.parametrize(
    "settings", [{"share": 1.1}, {"weights": {"html": 0.0}}, {"weights": {"flood": 1.0}}, {"weights": {"html": -1.0}}]
)
def test_impossible_faults_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FaultArgs.model_validate(settings)


def test_a_uniform_latency_is_never_negative() -> None:
    with pytest.raises(ValidationError, match="negative"):
        LatencyArgs(kind="uniform", median_s=1.0, spread=1.5)
