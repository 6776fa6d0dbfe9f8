"""What is gathered goes when there is enough of it, when no more comes, and not at all after the stop."""

import asyncio

from actors.batch_api.accumulator import Accumulator
from tests.actors.in_process import run


def gathered(items: list[int], most: int, linger_s: float, stopped: bool = False) -> list[list[int]]:
    """What went, lot by lot, within a fifth of a second after `items` came all at once."""
    went: list[list[int]] = []

    async def go(lot: list[int]) -> None:
        went.append(lot)

    async def scenario() -> None:
        stop = asyncio.Event()
        if stopped:
            stop.set()
        accumulator = Accumulator(go, most, linger_s, stop)
        for item in items:
            accumulator.add(item)
        await asyncio.sleep(0.2)

    run(scenario())
    return went


def test_full_lots_go_at_once_and_the_rest_waits() -> None:
    assert gathered([1, 2, 3, 4, 5], most=2, linger_s=60) == [[1, 2], [3, 4]]


def test_the_rest_goes_when_no_more_comes() -> None:
    assert gathered([1, 2, 3], most=2, linger_s=0.01) == [[1, 2], [3]]


def test_nothing_goes_after_the_stop() -> None:
    assert gathered([1, 2, 3], most=2, linger_s=0.01, stopped=True) == []
