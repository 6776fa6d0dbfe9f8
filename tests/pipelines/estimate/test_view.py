"""The words of an estimate: the table and the lines under it, and the JSON object."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines.estimate.view import as_json, show
from reasoning.estimate.call_plan import Calls, Planned
from reasoning.estimate.report import EstimateReport, GpuMemory
from reasoning.estimate.samples import TeacherSample
from reasoning.estimate.sums import CallEstimate, CallSize, Estimate, Rates, Use
from reasoning.rounds.requests import Ask
from reasoning.teacher.calls import FailureKind
from reasoning.teacher.prices import Price

RATES = Rates(Price(1.0, 2.0), Price(1.0, 2.0))
ROUND_0 = Planned(Ask.RATIONALES, 1, (0,), Calls.of(1000), "exact")
SIZE = CallSize(400, 200, 100, (Use(90, 40), Use(110, 60)))


def report(rates: Rates | None = RATES, **values: Any) -> EstimateReport:
    estimate = Estimate((CallEstimate(ROUND_0, SIZE, rates),))
    plain = EstimateReport("micro", Path("runs/micro"), estimate, TeacherSample(), None, 0.0, None, None, False, (), ())
    return replace(plain, **values)


def shown(one: EstimateReport, width: int = 160) -> str:
    out = io.StringIO()
    show(one, Console(file=out, width=width))
    return " ".join(out.getvalue().split())


def test_the_table_and_the_lines_say_what_is_expected_and_at_most() -> None:
    words = shown(report(minutes=120.0))
    for part in ("round 0: rationales", "1,000", "100,000", "50,000", "Expected: $0.2000, at most $0.4000"):
        assert part in words, words
    for part in (
        "teacher.max_cost is not set",
        "Time: at least 2.0 h",
        "No sample was taken",
        "mean of 2, 95 % interval",
    ):
        assert part in words, words


def test_no_number_is_cut_in_a_narrow_terminal() -> None:
    words = shown(report(), width=80)
    for part in ("1,000", "100,000", "50,000", "$0.2000", "$0.4000", "rationales"):
        assert part in words, words
    assert "…" not in words


def test_a_cap_is_compared_with_what_is_expected() -> None:
    assert "warning: teacher.max_cost $0.1 is not above the expected $0.2000" in shown(report(max_cost=0.1))
    assert "$0.3 is above the expected $0.2000, and below the most, $0.4000" in shown(report(max_cost=0.3))
    assert "$1 is above the expected $0.2000, and above the most" in shown(report(max_cost=1.0))


def test_missing_prices_are_named_and_no_dollars_are_made_up() -> None:
    one = report(None, unpriced=("teacher.price",), max_cost=1.0)
    assert "set teacher.price to {input: DOLLARS" in shown(one) and "teacher.max_cost is $1." in shown(one)
    assert as_json(one)["total"]["expected"] is None and as_json(one)["unpriced"] == ["teacher.price"]


def test_the_sample_says_its_cost_its_failures_and_its_stand_ins() -> None:
    sampled = TeacherSample({(Ask.FEEDBACK, 1): {"key": Use(90, 40)}}, Counter({FailureKind.SERVER: 2}), 3, 1, True)
    sampled.last_failure = "status 503: [busy]"
    words = shown(report(sampled=sampled, sample_cost=0.5, batch=True))
    assert "Sample: 3 questions, 1 replies (1 from the journal), for $0.5000, 2 failed: server." in words
    assert "The last failure: status 503: [busy]" in words
    assert "stand-ins" in words and "at full price" in words and "teacher.batch.window" in words


def test_a_run_with_nothing_left_says_so() -> None:
    assert shown(report(estimate=Estimate(()))) == "Run micro has nothing left to ask its teacher."


def test_the_document_has_the_same_numbers() -> None:
    content = json.loads(json.dumps(as_json(report(spent=0.25, notes=("a note",)))))
    assert content["total"]["calls"] == {"least": 1000, "expected": 1000.0, "most": 1000}
    assert (content["spent"], content["notes"], content["max_cost_too_low"]) == (0.25, ["a note"], False)
    (phase,) = content["phases"]
    assert phase["tokens_a_call"]["prompt_tokens"]["mean"] == 100 and phase["tokens_a_call"]["measured"] == 2


def test_the_memory_of_a_gpu_is_told_with_what_would_lower_it() -> None:
    memory = GpuMemory(20 * 2**30, 3 * 2**30, "learning.training", ("gradient_checkpointing: true (12.0 GiB)",))
    for one in (report(memory=memory), report(memory=memory, estimate=Estimate(()))):
        words = shown(one)
        assert "a trainer takes about 20.0 GiB (learning.training), a sampler at least 3.0 GiB" in words
        assert "A trainer would take less with gradient_checkpointing: true (12.0 GiB)." in words
    assert as_json(report(memory=memory))["gpu_memory"]["trainer"] == 20 * 2**30
    assert as_json(report())["gpu_memory"] is None
