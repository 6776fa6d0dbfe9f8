"""Many small calls in few large ones, in one event loop."""

import asyncio

import pytest

from actors.teacher.coalesced_calls import CoalescedCalls


class Recorder:
    """A callee that takes a moment, and remembers what came together."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.under_way = self.most_under_way = 0
        self.begun = asyncio.Event()

    async def double(self, items: list[int]) -> list[int]:
        self.calls.append(items)
        self.begun.set()
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0.005)
        self.under_way -= 1
        return [2 * item for item in items]


def test_everybody_gets_its_own_result_in_few_calls_one_at_a_time() -> None:
    async def scenario() -> Recorder:
        recorder = Recorder()
        batched = CoalescedCalls(recorder.double, most=16)
        assert await asyncio.gather(*(batched(number) for number in range(100))) == [2 * n for n in range(100)]
        return recorder

    recorder = asyncio.run(scenario())
    assert recorder.most_under_way == 1
    assert [item for call in recorder.calls for item in call] == list(range(100))  # nobody is overtaken
    assert len(recorder.calls) == 7 and max(map(len, recorder.calls)) == 16


def test_what_comes_during_a_call_goes_together_into_the_next() -> None:
    async def scenario() -> list[list[int]]:
        recorder = Recorder()
        batched = CoalescedCalls(recorder.double)
        first = asyncio.create_task(batched(1))
        await recorder.begun.wait()
        later = [asyncio.create_task(batched(number)) for number in (2, 3, 4)]
        await asyncio.gather(first, *later)
        await batched(5)  # and after a rest it begins anew
        return recorder.calls

    assert asyncio.run(scenario()) == [[1], [2, 3, 4], [5]]


def test_an_error_reaches_those_whose_call_it_was_and_nobody_else() -> None:
    async def call(items: list[int]) -> list[int]:
        if 3 in items:
            raise OSError("no room")
        return items

    async def scenario() -> list[int | BaseException]:
        batched = CoalescedCalls(call, most=2)
        return await asyncio.gather(*(batched(number) for number in range(6)), return_exceptions=True)

    results = asyncio.run(scenario())
    assert [str(result) for result in results] == ["0", "1", "no room", "no room", "4", "5"]


def test_an_answer_of_the_wrong_length_is_an_error_and_not_a_wait_for_ever() -> None:
    async def call(items: list[int]) -> list[int]:
        return items[1:]

    async def scenario() -> None:
        batched = CoalescedCalls(call)
        results = await asyncio.wait_for(asyncio.gather(batched(1), batched(2), return_exceptions=True), 5)
        assert all(isinstance(result, ValueError) for result in results)

    asyncio.run(scenario())


def test_a_call_without_results_tells_that_it_is_done() -> None:
    done: list[int] = []

    async def call(items: list[int]) -> None:
        done.extend(items)

    async def scenario() -> None:
        batched: CoalescedCalls[int, None] = CoalescedCalls(call)
        batched.post(1)  # nobody waits for this one
        assert await batched(2) is None  # type: ignore[func-returns-value]

    asyncio.run(scenario())
    assert done == [1, 2]


@pytest.mark.filterwarnings("error")
def test_one_who_goes_away_costs_the_others_nothing() -> None:
    async def scenario() -> None:
        recorder = Recorder()
        batched = CoalescedCalls(recorder.double)
        leaving, staying = asyncio.create_task(batched(1)), asyncio.create_task(batched(2))
        await asyncio.sleep(0.001)
        leaving.cancel()
        assert await staying == 4

    asyncio.run(scenario())
