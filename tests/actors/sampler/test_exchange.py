"""Questions go to a replica in company; what it loses, it loses once; and nothing keeps room that is over."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
import uvloop
from ray.exceptions import ActorDiedError, ObjectLostError

from actors.sampler.exchange import CALL_AGAIN_S, Exchange, ReplicaGone
from actors.sampler.outbox import Answer, Question
from bench.scaling.simulated import PROBE, VERSION, SimulatedReplica
from reasoning.student.sampling import Completion, PromptRefused, Sampling, StaleWeights
from tests.actors.in_process import in_process

pytestmark = pytest.mark.quick
TWO = Sampling(samples=2, temperature=0.7)


Loop = Callable[[], asyncio.AbstractEventLoop]


def run(scenario: Coroutine[Any, Any, None], loop: Loop | None = None) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(scenario, 5))


async def soon() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


class Replica:
    """What stands for a replica's handle: calls that wait until they are told what to bring."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[Question], asyncio.Future[list[Answer]]]] = []
        self.exchange = self

    def remote(self, questions: Sequence[Question]) -> asyncio.Future[list[Answer]]:
        call: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self.calls.append((list(questions), call))
        return call

    def asked(self) -> list[list[str]]:
        return [[question.prompt for question in questions] for questions, _ in self.calls]

    def number(self, prompt: str) -> int:
        return next(one.number for questions, _ in self.calls for one in questions if one.prompt == prompt)


class Scene:
    """An exchange with a replica, and what it told its owner."""

    def __init__(self) -> None:
        self.replica = Replica()
        self.told: list[int | str] = []
        handle: Any = self.replica
        self.exchange = Exchange(handle, self.told.append, lambda error: self.told.append(str(error)[:14]))

    def ask(self, *prompts: str) -> list[asyncio.Future[list[Completion]]]:
        return [self.exchange.ask("v1", prompt, TWO) for prompt in prompts]

    def bring(self, call: int, *prompts: str) -> None:
        answers = [Answer(self.replica.number(one), [Completion(one, True, 1)] * 2) for one in prompts]
        self.replica.calls[call][1].set_result(answers)

    def die(self, call: int) -> None:
        self.replica.calls[call][1].set_exception(ActorDiedError())


def test_what_is_asked_at_once_goes_in_one_call_and_answers_come_as_they_are_ready() -> None:
    async def scenario() -> None:
        scene = Scene()
        a, b, c = scene.ask("a", "b", "c")
        await soon()
        assert scene.replica.asked() == [["a", "b", "c"]]
        scene.bring(0, "b")
        assert (await b)[0].text == "b" and not a.done() and scene.told == [2]
        scene.ask("d")
        await soon()
        assert scene.replica.asked()[1:] == [["d"]]
        scene.bring(1, "a", "c")  # whichever call they went with
        assert [(await one)[0].text for one in (a, c)] == ["a", "c"]
        await asyncio.sleep(0.02)
        assert scene.replica.asked()[2:] == [[]]  # one that waits for d
        scene.bring(2, "d")
        await asyncio.sleep(0.02)
        assert len(scene.replica.calls) == 3 and scene.told == [2] * 4

    run(scenario())


def test_a_question_that_is_refused_is_refused_alone() -> None:
    async def scenario() -> None:
        scene = Scene()
        long, stale, fine = scene.ask("long", "stale", "fine")
        await soon()
        refusals = Answer(0, refusal=PromptRefused("too long")), Answer(1, refusal=StaleWeights("v1", ""))
        scene.replica.calls[0][1].set_result([*refusals, Answer(2, [Completion("said", True, 1)])])
        assert (await fine)[0].text == "said"
        for refused, error in ((long, PromptRefused), (stale, StaleWeights)):
            with pytest.raises(error):
                await refused
        assert scene.told == [2, 2, 2]

    run(scenario())


def test_room_of_a_caller_who_is_gone_comes_back_with_the_answer() -> None:
    """The engine is at it as long."""

    async def scenario() -> None:
        scene = Scene()
        (gone,) = scene.ask("gone")
        await soon()
        gone.cancel()
        await soon()
        assert scene.told == []
        scene.bring(0, "gone")
        await soon()
        assert scene.told == [2]

    run(scenario())


@pytest.mark.parametrize("make", [ActorDiedError, lambda: ObjectLostError("00", None, "")])
def test_a_death_is_told_once_and_loses_what_was_given_before_it(make: Callable[[], Exception]) -> None:
    async def scenario() -> None:
        scene = Scene()
        (first,) = scene.ask("first")
        await soon()
        (second,) = scene.ask("second")
        await soon()
        waits_to_go = scene.exchange.ask("v1", "third", TWO)
        scene.replica.calls[0][1].set_exception(make())
        for lost in (first, second, waits_to_go):
            with pytest.raises(ReplicaGone):
                await lost
        assert [one for one in scene.told if isinstance(one, str)] == scene.told[:1] and scene.told[1:] == [2] * 3
        scene.exchange.life += 1  # it is up again
        (later,) = scene.ask("later")
        await soon()
        scene.die(1)  # news of the same death
        await soon()
        assert not later.done() and len(scene.told) == 4
        scene.replica.calls[-1][1].set_exception(make())
        with pytest.raises(ReplicaGone):
            await later

    run(scenario())


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_what_is_left_is_asked_for_by_a_process_that_had_no_turn(loop: Loop) -> None:
    """Time that is up comes before a task's end, then: uvloop looks at its timers first."""

    async def scenario() -> None:
        scene = Scene()
        scene.ask("a", "b")
        await soon()
        scene.bring(0, "a")
        asyncio.get_running_loop().call_soon(time.sleep, 10 * CALL_AGAIN_S)  # just after the answer was taken
        await asyncio.sleep(0.1)
        assert scene.replica.asked() == [["a", "b"], []]
        scene.bring(1, "b")
        await soon()

    run(scenario(), loop)


def test_a_call_of_a_life_before_keeps_none_from_being_made() -> None:
    async def scenario() -> None:
        scene = Scene()
        scene.ask("old")
        await soon()
        scene.exchange.life += 1
        scene.ask("a", "b")
        await soon()
        scene.bring(1, "a")
        await asyncio.sleep(0.02)
        scene.die(0)
        await asyncio.sleep(0.02)
        assert scene.replica.asked() == [["old"], ["a", "b"], []]
        scene.bring(2, "b")
        await soon()

    run(scenario())


@pytest.mark.parametrize("seed", range(3))
def test_every_question_is_answered_whenever_the_process_has_no_turn(seed: int) -> None:
    chance = random.Random(seed)

    async def have_no_turn_now_and_then() -> None:
        for _ in range(40):
            await asyncio.sleep(chance.uniform(0, 3 * CALL_AGAIN_S))
            time.sleep(chance.uniform(0, 3 * CALL_AGAIN_S))  # noqa: ASYNC251  (what is tested)

    async def scenario() -> None:
        replica = SimulatedReplica(16, CALL_AGAIN_S)
        await replica.start()
        await replica.sync(VERSION, VERSION, PROBE)
        pool = Exchange(in_process(replica), lambda _: None, lambda _: None)
        stalls = asyncio.create_task(have_no_turn_now_and_then())
        for number in range(20):
            asked = [pool.ask(VERSION, f"{number} {one}", TWO) for one in range(chance.randint(1, 40))]
            assert len(await asyncio.gather(*asked)) == len(asked)
        await stalls

    run(scenario())
