"""Requests are let in when there is room, in the order in which they came, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from actors.sampler.admission import Admission


class Room:
    """So many seats at one table."""

    def __init__(self, seats: int) -> None:
        self.seats = seats

    def take(self, size: int, at: str | None) -> str | None:
        if size > self.seats:
            return None
        self.seats -= size
        return "table"

    def give_back(self, place: str, size: int) -> None:
        self.seats += size


def of(seats: int) -> tuple[Room, Admission[str]]:
    room = Room(seats)
    return room, Admission(room.take, room.give_back)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 5))


async def soon() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_who_comes_first_is_let_in_first_also_before_smaller_ones_that_would_fit() -> None:
    async def scenario() -> None:
        room, admission = of(4)
        let_in: list[str] = []

        async def guest(name: str, size: int) -> None:
            await admission.admitted(size)
            let_in.append(name)

        tasks = [asyncio.create_task(guest(*one)) for one in (("a", 3), ("b", 2), ("c", 1), ("d", 1))]
        await soon()
        assert let_in == ["a"]  # c would fit, but b is before it
        room.give_back("table", 3)
        admission.serve()
        await asyncio.gather(*tasks)
        assert let_in == ["a", "b", "c", "d"]
        assert room.seats == 0

    run(scenario())


@pytest.mark.parametrize("when", ["waiting", "let in"])
def test_a_guest_who_leaves_holds_nobody_up_and_keeps_no_seat(when: str) -> None:
    async def scenario() -> None:
        room, admission = of(2)
        await admission.admitted(2)
        leaving = asyncio.create_task(admission.admitted(2))
        staying = asyncio.create_task(admission.admitted(1))
        await soon()
        if when == "waiting":
            leaving.cancel()
            await soon()
        room.give_back("table", 2)
        admission.serve()
        leaving.cancel()  # where it has been let in and does not know yet
        assert await staying == "table"
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert room.seats == 1

    run(scenario())


class Tables:
    """So many seats at each table; a party sits at one."""

    def __init__(self, **seats: int) -> None:
        self.seats = seats

    def take(self, size: int, at: str | None) -> str | None:
        free = (table for table in (self.seats if at is None else [at]) if self.seats[table] >= size)
        table = next(free, None)
        if table is not None:
            self.seats[table] -= size
        return table

    def give_back(self, table: str, size: int) -> None:
        self.seats[table] += size


def test_room_at_one_place_is_looked_for_there_and_behind_a_large_request_everywhere() -> None:
    async def scenario() -> None:
        tables = Tables(a=2, b=4)
        admission = Admission[str](tables.take, tables.give_back)
        assert await admission.admitted(4) == "b"
        waiting = [asyncio.create_task(admission.admitted(size)) for size in (3, 2, 1)]
        await soon()
        assert not any(task.done() for task in waiting)  # two would fit at a, but three are before them
        tables.give_back("b", 4)
        admission.serve("b")
        assert await asyncio.gather(*waiting) == ["b", "a", "b"]

    run(scenario())


def test_all_who_wait_are_told_that_no_room_will_come() -> None:
    async def scenario() -> None:
        _, admission = of(0)
        waiting = [asyncio.create_task(admission.admitted(1)) for _ in range(3)]
        await soon()
        admission.fail(RuntimeError("closed"))
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert [str(error) for error in told] == ["closed"] * 3

    run(scenario())
