"""The whole pool against providers that fail, cost money, and are several."""

import asyncio
import dataclasses
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from actors.journal.actor import Journal, Spending
from actors.limits import circuit_breaker
from actors.limits import rate_limits as limits
from actors.teacher import endpoint_queue
from actors.teacher.pool import PoolCounts, PoolProgress, TeacherPool, permitted_per_second
from reasoning.teacher.calls import EndpointSettings, FailureKind, TeacherFailure, TeacherReply, TeacherSettings
from reasoning.teacher.prices import Price
from serve.provider.args import ProviderArgs
from serve.provider.faults import FaultArgs, FaultKind, LatencyArgs
from serve.provider.server import Provider
from tests.actors.in_process import pool_here, request, run
from tests.actors.scripted_server import Server, dropped, error

QUICK = LatencyArgs(kind="lognormal", median_s=0.02, spread=0.5)
# A refused parameter may end a run, and has tests of its own.
KINDS = [kind for kind in FaultKind if kind is not FaultKind.UNSUPPORTED]
FAULTS = FaultArgs(share=0.2, weights=dict.fromkeys(KINDS, 1.0), retry_after_s=0.1, stall_s=9.0, trickle_s=0.15)
TIMEOUT_S = 3.0  # a stall is longer, and whatever keeps a late machine from an answer should be shorter
PATIENT_S = 9.0  # where nothing stalls and no answer may be missed


def at(*base_urls: str, **more: Any) -> TeacherSettings:
    """A teacher at these addresses."""
    of_teacher = {key: more.pop(key) for key in ("attempts", "rate_limit_patience_s", "max_cost", "run") if key in more}
    weights = more.pop("weights", (1.0,) * len(base_urls))
    endpoints = tuple(
        EndpointSettings(f"place {n}", url, "faulty-teacher", weight=weight, **{"timeout_s": PATIENT_S, **more})
        for n, (url, weight) in enumerate(zip(base_urls, weights, strict=True))
    )
    return TeacherSettings("teacher", endpoints, **of_teacher)


async def ask_all(pool: TeacherPool, texts: Any, window: int = 300, **more: Any) -> list[TeacherReply | TeacherFailure]:
    return [outcome async for outcome in pool.stream((request(text, **more) for text in texts), window)]


@pytest.mark.parametrize(
    "number", [pytest.param(400, marks=pytest.mark.thorough), pytest.param(2000, marks=pytest.mark.slow)]
)
def test_requests_at_a_faulty_provider_each_end_exactly_once(
    number: int, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One arrival in five meets one of the faults and odd forms of a reply. Nothing is lost, asked twice or kept
    waiting, no more is held than the window, and the cap covers what the provider bills, of which it counts some in
    forms that have to be looked for. About 5 s, and 40 s for two thousand."""
    monkeypatch.setattr(limits, "_FIRST_PAUSE_S", 0.05)  # after each of some fifty refusals that do not say how long
    prices = {"input_price": 1.0, "output_price": 4.0}
    with Provider(ProviderArgs(teacher="echo", latency=QUICK, faults=FAULTS, retry_after="ms", **prices)) as provider:
        settings = at(
            provider.base_url, timeout_s=TIMEOUT_S, max_in_flight=200, price=Price(1.0, 4.0), max_cost=100.0, run="r"
        )

        async def scenario() -> tuple[list[TeacherReply | TeacherFailure], int]:
            pool, workers, _ = pool_here(settings, journal, workers=4)
            held = 0

            async def watch() -> None:
                nonlocal held
                while True:
                    held = max(held, sum(len(worker._asking) for worker in workers))
                    await asyncio.sleep(0.01)

            watching = asyncio.create_task(watch())
            outcomes = await ask_all(pool, range(number), window=200)
            watching.cancel()
            assert pool.counts.open == 0
            return outcomes, held

        outcomes, held = run(scenario())
        seen = provider.stats()
    assert Counter(outcome.key for outcome in outcomes) == Counter(request(one).key for one in range(number))
    failures = [outcome for outcome in outcomes if isinstance(outcome, TeacherFailure)]
    # What a request may end in here: its own kinds, or five passing faults in a row (about 1 in 3,000 of each).
    final = {FailureKind.CONTENT_FILTER, FailureKind.CONTEXT_TOO_LONG}
    assert len([failure for failure in failures if failure.kind not in final]) <= 10
    assert {failure.kind for failure in failures} >= final
    assert held <= 200 and len(seen.faults) >= (len(KINDS) if number > 1000 else 20)
    booked = journal.spending("r")
    assert seen.cost <= booked.settled + booked.reserved <= 100.0
    assert seen.answered_more_than_once == 0
    sums = journal.sums()
    assert sums.requests.answered + sum(sums.requests.failed.values()) == number and sums.requests.unknown == 0
    assert sums.requests.sent_again == 0
    # A sending that a late machine kept from arriving is booked as one that broke off.
    not_arrived = sums.all.sendings - seen.arrived
    broken_off = sum(sums.outcomes.get(kind, 0) for kind in (FailureKind.TRANSPORT, FailureKind.TIMEOUT))
    at_the_provider = sum(seen.faults[kind] for kind in (FaultKind.DROPPED, FaultKind.CUT_OFF, FaultKind.STALLED))
    assert 0 <= not_arrived <= broken_off - at_the_provider


def test_what_failed_in_passing_is_asked_again_by_the_next_run_and_nothing_else(journal: Journal) -> None:
    # A stall passes like the others, but each is a time-out to be waited for.
    weights = {kind: weight for kind, weight in FAULTS.weights.items() if kind is not FaultKind.STALLED}
    faults = FAULTS.model_copy(update={"share": 0.5, "weights": weights})
    with Provider(ProviderArgs(teacher="echo", faults=faults)) as provider:
        settings = at(provider.base_url, attempts=1, timeout_s=TIMEOUT_S)
        first = {o.key: o for o in run(ask_all(pool_here(settings, journal)[0], range(100)))}
        again = {o.key: o for o in run(ask_all(pool_here(settings, journal)[0], range(100)))}
        assert provider.stats().answered_more_than_once == 0
    for key, outcome in first.items():
        if isinstance(outcome, TeacherReply) or outcome.kind.final:
            assert again[key] == (
                dataclasses.replace(outcome, from_journal=True) if isinstance(outcome, TeacherReply) else outcome
            )
    assert sum(isinstance(o, TeacherReply) for o in again.values()) > sum(
        isinstance(o, TeacherReply) for o in first.values()
    )


@pytest.mark.parametrize(
    "fault_share", [pytest.param(0.0, marks=pytest.mark.thorough), pytest.param(0.3, marks=pytest.mark.slow)]
)
def test_the_cap_is_never_passed_by_the_providers_own_count(
    fault_share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty-four workers, a request of each in flight, and a cap for about half of the questions: the run stops
    before it, goes on when it is raised, and pays for nothing twice."""
    monkeypatch.setattr(limits, "_FIRST_PAUSE_S", 0.1)
    prices = {"input_price": 150.0, "output_price": 600.0}
    faults = FAULTS.model_copy(update={"share": fault_share})
    journal = Journal(tmp_path / "journal.sqlite")
    cap, asked = 8.0, [f"{number} " + "word " * 50 for number in range(300)]
    slow = LatencyArgs(median_s=0.15)
    with Provider(ProviderArgs(teacher="echo", latency=slow, faults=faults, **prices)) as provider:
        base = at(
            provider.base_url,
            price=Price(150.0, 600.0),
            max_in_flight=64,
            run="r",
            timeout_s=TIMEOUT_S if fault_share else PATIENT_S,
            attempts=9,
        )
        poor = dataclasses.replace(base, max_cost=cap)
        outcomes = run(ask_all(pool_here(poor, journal, workers=64)[0], asked))
        seen, booked = provider.stats(), journal.spending("r")
        assert seen.cost <= booked.settled + booked.reserved <= cap
        assert seen.most_in_flight > (16 if fault_share else 40)
        kinds = Counter(o.kind for o in outcomes if isinstance(o, TeacherFailure))
        assert kinds[FailureKind.BUDGET] > 50
        if not fault_share:  # what is left is less than one more request might have cost
            assert seen.cost == pytest.approx(booked.settled) and cap - seen.cost < 0.2
        rich = dataclasses.replace(base, max_cost=60.0)
        final = run(ask_all(pool_here(rich, journal, workers=8)[0], asked))
        assert not any(isinstance(o, TeacherFailure) and o.kind is FailureKind.BUDGET for o in final)
        assert provider.stats().cost <= 60.0 and provider.stats().answered_more_than_once == 0
    journal.close()


def test_a_provider_that_bills_more_than_max_tokens_passes_no_cap_after_its_first_reply(journal: Journal) -> None:
    """Every answer comes after 2,000 tokens of thinking that no limit bounds, and costs twelve times its worst case.
    One request for each worker goes before anything is known; sixty-four would have been in flight."""
    prices = {"input_price": 150.0, "output_price": 600.0}
    args = ProviderArgs(teacher="echo", thinking_tokens=2_000, latency=LatencyArgs(median_s=0.05), **prices)
    with Provider(args) as provider:
        base = at(provider.base_url, price=Price(150.0, 600.0), max_in_flight=64, run="r", max_cost=8.0)
        outcomes = run(ask_all(pool_here(base, journal, workers=2)[0], range(60)))
        seen, booked = provider.stats(), journal.spending("r")
        assert seen.cost == pytest.approx(booked.settled) and 4.0 < seen.cost <= 8.0
        kinds = Counter(o.kind for o in outcomes if isinstance(o, TeacherFailure))
        assert kinds == {FailureKind.BUDGET: 60 - seen.answered} and seen.answered == 6
        # Another run with the same journal knows it from the beginning.
        later = dataclasses.replace(base, run="later", max_cost=1.0)
        run(ask_all(pool_here(later, journal, workers=2)[0], range(100, 160)))
        assert provider.stats().cost == seen.cost


def test_a_cap_below_a_first_reply_is_passed_by_no_more_than_one_request_for_each_worker(journal: Journal) -> None:
    prices = {"input_price": 150.0, "output_price": 600.0}
    with Provider(ProviderArgs(teacher="echo", thinking_tokens=2_000, **prices)) as provider:
        settings = at(provider.base_url, price=Price(150.0, 600.0), max_in_flight=64, run="r", max_cost=0.5)
        run(ask_all(pool_here(settings, journal, workers=2)[0], range(60)))
        seen, booked = provider.stats(), journal.spending("r")
        assert seen.answered == 2 and seen.cost == pytest.approx(booked.settled) and seen.cost < 0.5 + 2 * 1.21


@pytest.mark.parametrize("kind", [FaultKind.OVERRUN, FaultKind.WRONG_USAGE])
def test_whatever_a_provider_counts_what_it_bills_is_booked(kind: FaultKind, journal: Journal) -> None:
    """Thinking in the total alone, beside the completion's tokens, in the cost alone; no count, and counts that cannot
    be true."""
    prices = {"input_price": 150.0, "output_price": 600.0}
    faults = FaultArgs(share=1.0, weights={kind: 1.0})
    with Provider(ProviderArgs(teacher="echo", faults=faults, **prices)) as provider:
        settings = at(provider.base_url, price=Price(150.0, 600.0), run="r", max_cost=10_000.0)
        outcomes = run(ask_all(pool_here(settings, journal, workers=2)[0], range(60)))
        assert all(isinstance(outcome, TeacherReply) for outcome in outcomes)
        assert provider.stats().cost <= journal.spending("r").settled * (1 + 1e-9)


def test_a_cap_holds_for_two_teachers_of_a_run_together(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    with Provider(ProviderArgs(teacher="echo", input_price=100.0, output_price=100.0)) as provider:
        settings = at(provider.base_url, price=Price(100.0, 100.0), max_cost=0.2, run="r")
        other = dataclasses.replace(settings, name="other")

        async def scenario() -> None:
            one, two = pool_here(settings, journal)[0], pool_here(other, journal)[0]
            texts = ["word " * 20 + str(number) for number in range(100)]
            await asyncio.gather(ask_all(one, texts), ask_all(two, texts, endpoint="other"))

        run(scenario())
        assert 0.15 < provider.stats().cost <= 0.2
    journal.close()


# Several endpoints ---------------------------------------------------------------------------------------------------


def test_endpoints_share_the_requests_by_weight(journal: Journal) -> None:
    with Server() as one, Server() as three:
        outcomes = run(
            ask_all(pool_here(at(one.base_url, three.base_url, weights=(1.0, 3.0)), journal)[0], range(200), window=40)
        )
        assert all(isinstance(outcome, TeacherReply) for outcome in outcomes)
        assert len(one.sent) == 50 and len(three.sent) == 150


@pytest.mark.parametrize("fault", [error(401), error(429, "insufficient_quota"), error(404, "model_not_found")])
def test_an_endpoint_that_fails_everybody_is_left_to_the_others(journal: Journal, fault: Any) -> None:
    with Server() as broken, Server() as sound:
        broken.faults.extend([fault] * 1000)
        pool = pool_here(at(broken.base_url, sound.base_url, max_in_flight=4), journal)[0]
        outcomes = run(ask_all(pool, range(100)))
        assert all(isinstance(outcome, TeacherReply) for outcome in outcomes)
        assert len(sound.sent) == 100 and len(broken.sent) <= 16


def test_when_all_endpoints_fail_everybody_requests_fail_with_the_reason(journal: Journal) -> None:
    with Server() as one, Server() as two:
        one.faults.extend([error(401)] * 100)
        two.faults.extend([error(402)] * 100)
        began = time.monotonic()
        outcomes = run(ask_all(pool_here(at(one.base_url, two.base_url), journal)[0], range(50)))
        assert time.monotonic() - began < 20
        kinds = {outcome.kind for outcome in outcomes if isinstance(outcome, TeacherFailure)}
        assert len(outcomes) == 50 and kinds <= {FailureKind.AUTHENTICATION, FailureKind.QUOTA} and kinds
        assert len(one.sent) + len(two.sent) < 80


def test_a_throttled_endpoint_holds_nobody_up_while_another_has_room(journal: Journal) -> None:
    with Server() as slow, Server() as fast:
        settings = at(slow.base_url, fast.base_url)
        throttled = dataclasses.replace(settings.endpoints[0], requests_per_minute=60)  # one a second
        settings = dataclasses.replace(settings, endpoints=(throttled, settings.endpoints[1]))
        began = time.monotonic()
        outcomes = run(ask_all(pool_here(settings, journal)[0], range(300)))
        assert len(outcomes) == 300 and len(slow.sent) < 30
        assert time.monotonic() - began < 15


def test_an_outage_is_waited_out_and_costs_no_request_its_attempts(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint drops every connection for a while. Without the breaker, each of the requests would have used up its
    attempts on it."""
    monkeypatch.setattr(circuit_breaker, "_FIRST_PAUSE_S", 0.02)
    with Server() as server:
        server.faults.extend([dropped] * 14)
        pool = pool_here(at(server.base_url, attempts=4, max_in_flight=10), journal)[0]
        outcomes = run(ask_all(pool, range(200)))
        assert all(isinstance(outcome, TeacherReply) for outcome in outcomes)
        assert len(server.sent) == 214  # what was in flight at the beginning, then one trial at a time


@pytest.mark.parametrize(("workers", "pause_s"), [(1, 0.02), (2, 0.02), (2, 0.0002)])
def test_a_provider_that_stays_down_ends_with_the_patience(
    workers: int, pause_s: float, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried out many times within the patience, and no trial starts the waiting anew; nor does a loop so late
    that each pause is over when it looks."""
    monkeypatch.setattr(circuit_breaker, "_FIRST_PAUSE_S", pause_s)
    monkeypatch.setattr(circuit_breaker, "_LONGEST_PAUSE_S", 2.5 * pause_s)
    monkeypatch.setattr(endpoint_queue, "_LEAST_OPEN_S", pause_s)
    settings = at("http://127.0.0.1:1/v1", rate_limit_patience_s=1.0, attempts=100_000)
    began = time.monotonic()
    outcomes = run(ask_all(pool_here(settings, journal, workers, backoff_s=0.01)[0], range(40)))
    assert 1.0 <= time.monotonic() - began < 5.0
    assert journal.sums().all.sendings > 10 + 8  # ten open it, and each trial is one more
    assert {outcome.kind for outcome in outcomes if isinstance(outcome, TeacherFailure)} == {FailureKind.TRANSPORT}
    assert len(outcomes) == 40


# Figures --------------------------------------------------------------------------------------------------------------


def test_the_permitted_rate_is_that_of_the_nearer_limit(journal: Journal, server: Server) -> None:
    """12,000 requests or 4,800 tokens a minute, and 8 tokens for an answer: ten a second."""
    settings = at(server.base_url, requests_per_minute=12_000, tokens_per_minute=4800)

    async def scenario() -> tuple[float | None, float | None]:
        pool, _, _ = pool_here(settings, journal)
        before = permitted_per_second([await pool.progress()])
        await ask_all(pool, range(2), max_tokens=4)
        return before, permitted_per_second([await pool.progress()])

    assert run(scenario()) == (200.0, 10.0)


def test_a_limiter_that_pools_share_permits_once_and_an_unknown_one_leaves_it_open() -> None:
    def look(**permitted: float | None) -> PoolProgress:
        return PoolProgress(PoolCounts(), 0.0, permitted, Spending(0.0, 0.0), (), None)

    assert permitted_per_second([look(a=10.0, b=5.0), look(a=10.0)]) == 15.0
    assert permitted_per_second([look(a=10.0), look(b=None)]) is None
    assert permitted_per_second([look()]) is None


# Two runs, one journal -----------------------------------------------------------------------------------------------


def test_two_runs_at_once_on_one_journal_send_each_request_once(tmp_path: Path, server: Server) -> None:
    """Two journals of one file, as two processes have them: what one has in flight the other waits for."""
    server.latency_s = 0.05
    settings = at(server.base_url, max_in_flight=16)
    one, two = Journal(tmp_path / "journal.sqlite"), Journal(tmp_path / "journal.sqlite")

    async def scenario() -> None:
        first, second = pool_here(settings, one)[0], pool_here(settings, two)[0]
        both = await asyncio.gather(ask_all(first, range(150)), ask_all(second, range(150)))
        assert [len(outcomes) for outcomes in both] == [150, 150]
        assert all(isinstance(outcome, TeacherReply) for outcomes in both for outcome in outcomes)

    run(scenario())
    assert len(server.sent) == 150
    one.close()
    two.close()


def test_what_is_in_flight_when_a_pool_closes_may_end_and_is_recorded(journal: Journal, server: Server) -> None:
    server.latency_s = 0.3

    async def scenario() -> None:
        pool, (worker,), _ = pool_here(at(server.base_url, max_in_flight=4), journal)
        asking = asyncio.create_task(ask_all(pool, range(10)))
        await asyncio.sleep(0.15)
        assert await worker.drain(5.0) == 0
        asking.cancel()
        assert len(server.sent) == 4 and journal.sums().requests.answered == 4 and journal.sums().requests.unknown == 0

    run(scenario())
