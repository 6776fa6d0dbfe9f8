"""The limiter's queue, in one event loop and real time (tenths of a second)."""

import asyncio
import time

import pytest

from actors.limits.actor import Grant, RateLimiter
from actors.limits.circuit_breaker import FAILURES_IN_A_ROW
from actors.limits.rate_limits import LeaseOutcome, Release
from reasoning.teacher.calls import EndpointSettings


def limiter(
    max_in_flight: int = 1, per_minute: float | None = None, tokens_per_minute: float | None = None
) -> RateLimiter:
    return RateLimiter(
        EndpointSettings(
            "offline",
            "http://127.0.0.1:1/v1",
            "m",
            max_in_flight=max_in_flight,
            requests_per_minute=per_minute,
            tokens_per_minute=tokens_per_minute,
        )
    )


async def one_lease(gate: RateLimiter) -> int:
    (lease,) = (await gate.acquire()).leases
    return lease


async def end(
    gate: RateLimiter, *leases: int, outcome: LeaseOutcome = LeaseOutcome.DONE, after_s: float | None = None
) -> None:
    await gate.release(
        [Release(lease, outcome, retry_after_s=after_s, kind="server", message="its words") for lease in leases]
    )


def test_first_come_first_served() -> None:
    async def scenario() -> list[int]:
        gate, order = limiter(max_in_flight=3), []

        async def one(number: int) -> None:
            lease = await one_lease(gate)
            order.append(number)
            await asyncio.sleep(0.001 * (number % 3))
            await end(gate, lease)

        await asyncio.gather(*(one(number) for number in range(50)))
        stats = await gate.stats()
        assert stats.in_flight == stats.waiting == 0 and stats.granted == 50 and stats.busy_s > 0
        return order

    assert asyncio.run(scenario()) == list(range(50))


def test_a_large_request_is_not_overtaken_by_small_ones() -> None:
    async def scenario() -> None:
        gate = limiter(max_in_flight=100, tokens_per_minute=60_000)  # 1200 at once, then 1000 a second
        await gate.acquire([1200])
        large = asyncio.create_task(gate.acquire([300]))
        await asyncio.sleep(0)
        small = asyncio.create_task(gate.acquire([1]))
        done, _ = await asyncio.wait([large, small], return_when=asyncio.FIRST_COMPLETED)
        assert large in done
        await small

    asyncio.run(scenario())


def test_the_pace_is_kept_without_anybody_releasing() -> None:
    async def scenario() -> float:
        gate = limiter(max_in_flight=100, per_minute=1200)  # 24 at once, then one in 51 ms; it starts with one
        began = time.monotonic()
        for _ in range(7):
            await gate.acquire()
        return time.monotonic() - began

    assert 0.29 <= asyncio.run(scenario()) < 5


def test_leases_come_and_go_in_batches() -> None:
    async def scenario() -> None:
        gate = limiter(max_in_flight=8)
        first = (await gate.acquire([0] * 5)).leases
        second = (await gate.acquire([0] * 5)).leases
        assert (len(first), len(second)) == (5, 3)  # as many as may start now
        assert len({*first, *second}) == 8
        await end(gate, *first, *second)
        assert len((await gate.acquire([0] * 20)).leases) == 8
        await end(gate, 12345)  # of a limiter before this one

    asyncio.run(scenario())


def test_nothing_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="at least one lease"):
        asyncio.run(limiter().acquire([]))


def test_one_who_goes_away_holds_nobody_up() -> None:
    async def scenario() -> None:
        gate = limiter()
        lease = await one_lease(gate)
        leaving, staying = asyncio.create_task(gate.acquire()), asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        await end(gate, lease)
        assert (await asyncio.wait_for(staying, 5)).leases
        assert (await gate.stats()).in_flight == 1

    asyncio.run(scenario())


def test_one_who_goes_away_at_the_moment_of_the_grant_gives_it_back() -> None:
    async def scenario() -> None:
        gate = limiter()
        lease = await one_lease(gate)
        leaving = asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        release = asyncio.create_task(end(gate, lease))
        await asyncio.sleep(0)  # released and granted to the one who is now cancelled
        leaving.cancel()
        await release
        assert (await asyncio.wait_for(gate.acquire(), 5)).leases
        assert (await gate.stats()).in_flight == 1

    asyncio.run(scenario())


def test_one_who_waits_no_longer_than_so_gets_nothing_and_holds_nobody_up() -> None:
    async def scenario() -> None:
        gate = limiter()
        lease = await one_lease(gate)
        assert await gate.acquire(wait_s=0.02) == Grant()
        staying = asyncio.create_task(gate.acquire(wait_s=5))
        await asyncio.sleep(0)
        await end(gate, lease)
        assert (await staying).leases and (await gate.stats()).waiting == 0

    asyncio.run(scenario())


def test_a_pause_holds_everybody_and_turns_away_who_cannot_wait_that_long() -> None:
    async def scenario() -> None:
        gate = limiter(max_in_flight=2)
        lease = await one_lease(gate)
        began = time.monotonic()
        await end(gate, lease, outcome=LeaseOutcome.RATE_LIMITED, after_s=0.3)
        away = await gate.acquire(patience_s=0.1)
        assert not away.leases and away.open_circuit is None
        assert away.paused_s == pytest.approx(0.3, abs=0.1)
        assert (await gate.acquire(patience_s=10)).leases
        assert 0.29 <= time.monotonic() - began < 5

    asyncio.run(scenario())


def test_a_long_pause_turns_away_those_who_wait_already() -> None:
    async def scenario() -> None:
        gate = limiter()
        lease = await one_lease(gate)
        waiting = asyncio.create_task(gate.acquire(patience_s=600))
        await asyncio.sleep(0)
        await end(gate, lease, outcome=LeaseOutcome.RATE_LIMITED, after_s=86_400)
        assert (await asyncio.wait_for(waiting, 5)).paused_s == pytest.approx(86_400, rel=0.01)

    asyncio.run(scenario())


def test_nobody_waits_for_an_endpoint_that_is_down() -> None:
    async def scenario() -> None:
        gate = limiter(max_in_flight=FAILURES_IN_A_ROW)
        leases = (await gate.acquire([0] * FAILURES_IN_A_ROW)).leases
        waiting = [asyncio.create_task(gate.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        await end(gate, *leases, outcome=LeaseOutcome.FAILED)
        for grant in await asyncio.wait_for(asyncio.gather(*waiting, gate.acquire()), 5):
            assert not grant.leases and grant.open_circuit is not None
            assert (grant.open_circuit.kind, grant.open_circuit.message) == ("server", "its words")
        assert (await gate.stats()).open_circuit is not None

    asyncio.run(scenario())


def test_one_tries_an_endpoint_that_was_down_and_everybody_follows() -> None:
    async def scenario() -> None:
        now = 0.0
        settings = EndpointSettings("offline", "http://127.0.0.1:1/v1", "m", max_in_flight=FAILURES_IN_A_ROW)
        gate = RateLimiter(settings, clock=lambda: now)
        await end(gate, *(await gate.acquire([0] * FAILURES_IN_A_ROW)).leases, outcome=LeaseOutcome.FAILED)
        now = 1.5
        (trial,) = (await gate.acquire([0] * 5)).leases
        assert (await gate.acquire()).open_circuit is not None
        await end(gate, trial)
        assert len((await gate.acquire([0] * 5)).leases) == 5

    asyncio.run(scenario())
