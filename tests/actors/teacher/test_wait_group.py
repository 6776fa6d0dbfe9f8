"""Waiting for what should not be cut short."""

import asyncio

import pytest

from actors.teacher.wait_group import WaitGroup
from tests.actors.in_process import run


def test_it_is_waited_for_until_the_last_task_has_ended() -> None:
    async def scenario() -> list[str]:
        group, events, ends = WaitGroup(), [], [asyncio.Event(), asyncio.Event()]

        async def task(number: int) -> None:
            with group.task():
                await ends[number].wait()
                events.append(f"task {number}")

        tasks = [asyncio.create_task(task(number)) for number in range(2)]
        await asyncio.sleep(0)
        assert group.count == 2
        waiting = asyncio.create_task(group.wait())
        ends[1].set()
        await asyncio.sleep(0.01)
        assert not waiting.done() and group.count == 1
        ends[0].set()
        await waiting
        events.append("waited")
        await asyncio.gather(*tasks)
        return events

    assert run(scenario()) == ["task 1", "task 0", "waited"]


def test_a_task_that_fails_is_no_longer_waited_for() -> None:
    async def scenario() -> None:
        group = WaitGroup()
        with pytest.raises(ValueError, match="broken"), group.task():
            raise ValueError("broken")
        await group.wait()
        assert group.count == 0

    run(scenario(), bound_s=5)
