"""Finished answers go together, wait for one another for a moment only, and are handed out once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from actors.sampler.outbox import MOST_ANSWERS, MOST_CALLS, Answer, Outbox
from reasoning.student.sampling import Completion

pytestmark = pytest.mark.quick
LONG = 4.0  # seconds that an answer took: it may wait for half a second


Loop = Callable[[], asyncio.AbstractEventLoop]


def run(scenario: Coroutine[Any, Any, None], loop: Loop | None = None) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(scenario, 5))


def one(number: int) -> Answer:
    return Answer(number, [Completion("said", True, 1)])


def expecting(questions: int, at_once: int = 1) -> Outbox:
    outbox = Outbox(at_once)
    for _ in range(questions):
        outbox.expect(1)
    return outbox


def have_no_turn() -> None:
    """What happens to a process on a busy machine."""
    time.sleep(0.05)


async def seconds(call: Coroutine[Any, Any, list[Answer]]) -> tuple[float, list[int]]:
    """How long a call waited, and the numbers of what it brought."""
    began = asyncio.get_running_loop().time()
    answers = await call
    return asyncio.get_running_loop().time() - began, [answer.number for answer in answers]


@pytest.mark.parametrize(
    ("questions", "at_once", "took_s", "numbers", "least_s", "most_s"),
    [
        (3, 1, LONG, [0, 1, 2], 0.0, 0.3),  # none is being made any more
        (9, 4, LONG, [0, 1, 2], 0.4, 2.0),  # six are, four of them at once: one may come along
        (9, 4, 0.4, [0, 1, 2], 0.04, 0.3),  # and would have done so in a moment, where answers are quick
        (9, 6, LONG, [0, 1, 2], 0.0, 0.3),  # the engine has nothing to begin with when it ends the next
        (MOST_ANSWERS + 9, 1, LONG, list(range(MOST_ANSWERS)), 0.0, 0.3),  # no call brings more
    ],
)
def test_an_answer_waits_for_company_while_the_engine_has_work(
    questions: int, at_once: int, took_s: float, numbers: list[int], least_s: float, most_s: float
) -> None:
    async def scenario() -> None:
        outbox = expecting(questions, at_once)
        call = asyncio.create_task(seconds(outbox.fetch()))
        for number in numbers:
            outbox.put(one(number), 1, took_s)
        waited, came = await call
        assert came == numbers
        assert least_s <= waited <= most_s

    run(scenario())


def test_every_answer_is_handed_out_once_to_the_oldest_call_and_idle_calls_end() -> None:
    async def scenario() -> None:
        outbox = expecting(3, at_once=1000)
        calls = [asyncio.create_task(outbox.fetch()) for _ in range(4)]
        await asyncio.sleep(0)
        outbox.put(one(0), 1, LONG)
        assert [answer.number for answer in await calls[0]] == [0]
        outbox.put(one(1), 1, LONG)
        assert [answer.number for answer in await calls[1]] == [1]
        calls[2].cancel()
        outbox.put(one(2), 1, LONG)
        assert [answer.number for answer in await calls[3]] == [2]
        assert await outbox.fetch() == []

    run(scenario())


def test_no_more_than_so_many_calls_wait() -> None:
    async def scenario() -> None:
        outbox = expecting(100)
        calls = [asyncio.create_task(outbox.fetch()) for _ in range(MOST_CALLS + 3)]
        await asyncio.sleep(0.01)
        assert [call.done() for call in calls] == [True] * 3 + [False] * MOST_CALLS
        for call in calls:
            call.cancel()

    run(scenario())


def test_what_is_made_while_nobody_calls_is_there_for_the_next_call() -> None:
    async def scenario() -> None:
        outbox = expecting(3)
        outbox.put(one(0), 1, 0.0)
        outbox.put(one(1), 1, 0.0)
        await asyncio.sleep(0.01)
        waited, came = await seconds(outbox.fetch())
        assert came == [0, 1] and waited < 0.5

    run(scenario())


@pytest.mark.parametrize("calls_first", [True, False])
def test_an_error_is_raised_to_a_caller_once(calls_first: bool) -> None:
    async def scenario() -> None:
        outbox = expecting(2)
        if calls_first:
            call = asyncio.create_task(outbox.fetch())
            await asyncio.sleep(0)
            outbox.fail(ZeroDivisionError("in the engine"), 1)
        else:
            outbox.fail(ZeroDivisionError("in the engine"), 1)
            call = asyncio.create_task(outbox.fetch())
        with pytest.raises(ZeroDivisionError):
            await call
        outbox.put(one(0), 1, 0.0)
        assert len(await outbox.fetch()) == 1

    run(scenario())


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_answers_that_should_have_gone_already_go_at_once(loop: Loop) -> None:
    async def scenario() -> None:
        outbox = expecting(100)
        outbox.put(one(0), 1, 0.0)
        have_no_turn()
        calls = [asyncio.create_task(outbox.fetch()) for _ in range(2)]
        await asyncio.sleep(0)
        outbox.put(one(1), 1, LONG)
        assert [answer.number for answer in await calls[0]] == [0, 1]
        calls[1].cancel()

    run(scenario(), loop)
