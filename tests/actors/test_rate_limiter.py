"""The limiter's queue, in one event loop and real time (tenths of a second)."""

import asyncio
import time

import pytest

from actors.limits import Outcome
from actors.rate_limiter import RateLimiter, RateLimitPause
from reasoning.teacher_calls import EndpointSettings


def limiter(max_in_flight: int = 1, per_minute: float | None = None) -> RateLimiter:
    return RateLimiter(
        EndpointSettings(
            "offline", "http://127.0.0.1:1/v1", "m", max_in_flight=max_in_flight, requests_per_minute=per_minute
        )
    )


def test_first_come_first_served() -> None:
    async def scenario() -> list[int]:
        gate, order = limiter(max_in_flight=3), []

        async def one(number: int) -> None:
            (lease,) = await gate.acquire()
            order.append(number)
            await asyncio.sleep(0.001 * (number % 3))
            await gate.release(lease.id, Outcome.DONE)

        await asyncio.gather(*(one(number) for number in range(50)))
        stats = await gate.stats()
        assert stats.in_flight == stats.waiting == 0 and stats.granted == 50
        return order

    assert asyncio.run(scenario()) == list(range(50))


def test_the_pace_is_kept_without_anybody_releasing() -> None:
    async def scenario() -> float:
        gate = limiter(max_in_flight=100, per_minute=1200)  # 24 at once, then one in 51 ms; it starts with one
        began = time.monotonic()
        for _ in range(7):
            await gate.acquire()
        return time.monotonic() - began

    assert 0.3 <= asyncio.run(scenario()) < 5


def test_leases_come_in_batches() -> None:
    async def scenario() -> None:
        gate = limiter(max_in_flight=8)
        assert len(await gate.acquire(5)) == 5
        assert len(await gate.acquire(5)) == 3  # as many as may start now

    asyncio.run(scenario())


def test_one_who_goes_away_holds_nobody_up() -> None:
    async def scenario() -> None:
        gate = limiter()
        (lease,) = await gate.acquire()
        leaving, staying = asyncio.create_task(gate.acquire()), asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        await gate.release(lease.id, Outcome.DONE)
        await asyncio.wait_for(staying, 5)
        assert (await gate.stats()).in_flight == 1

    asyncio.run(scenario())


def test_one_who_goes_away_at_the_moment_of_the_grant_gives_it_back() -> None:
    async def scenario() -> None:
        gate = limiter()
        (lease,) = await gate.acquire()
        leaving = asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        release = asyncio.create_task(gate.release(lease.id, Outcome.DONE))
        await asyncio.sleep(0)  # released and granted to the one who is now cancelled
        leaving.cancel()
        await release
        await asyncio.wait_for(gate.acquire(), 5)
        assert (await gate.stats()).in_flight == 1

    asyncio.run(scenario())


def test_a_pause_holds_everybody_and_turns_away_who_cannot_wait_that_long() -> None:
    async def scenario() -> None:
        gate = limiter(max_in_flight=2)
        (lease,) = await gate.acquire()
        began = time.monotonic()
        await gate.release(lease.id, Outcome.RATE_LIMITED, retry_after_s=0.3)
        with pytest.raises(RateLimitPause, match="run again later"):
            await gate.acquire(patience_s=0.1)
        await gate.acquire(patience_s=10)
        assert 0.29 <= time.monotonic() - began < 5

    asyncio.run(scenario())


def test_a_long_pause_turns_away_those_who_wait_already() -> None:
    async def scenario() -> None:
        gate = limiter()
        (lease,) = await gate.acquire()
        waiting = asyncio.create_task(gate.acquire(patience_s=600))
        await asyncio.sleep(0)
        await gate.release(lease.id, Outcome.RATE_LIMITED, retry_after_s=86_400)
        with pytest.raises(RateLimitPause, match="86400 s"):
            await asyncio.wait_for(waiting, 5)

    asyncio.run(scenario())
